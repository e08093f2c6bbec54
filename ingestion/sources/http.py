"""The one way out: pooled connections, timeouts, retries, a size cap, a rate limit, and no secret told.

urllib3's own retries are not used: they know neither the rate limit, nor a body that is cut after the
headers, nor that the run has been stopped.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import orjson
import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from ingestion.sources.limiter import BudgetUnavailable, Limiter
from trr_site.replies import parse_retry_after, readable

T = TypeVar("T")
Params = Mapping[str, str | Sequence[str]]  # a sequence is its name with each of its values
log = logging.getLogger(__name__)

TIMEOUT = (5.0, 30.0)  # seconds: to connect, between two bytes
DEADLINE = 60.0  # seconds for one whole reply; the read timeout alone lets a slow drip go on for ever
BACKOFF_MAX = 20.0  # seconds
BUDGET_PATIENCE = 60.0  # seconds to wait for what the rate limit is shared by: it may be restarting
CHUNK = 64 * 1024  # bytes
NO_SUCH_ID = (6, 34)  # any other 404 is a wrong address or a proxy's, and says nothing of a show
INVALID_ID = 44  # TMDb's one permanent error with a 5xx status (https://developer.themoviedb.org/docs/errors)


class UpstreamError(Exception):
    """A request that did not bring what was asked for; `str(error)` says why, without address or key."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class NotFound(UpstreamError):
    """404, in TMDb's own words: it has no such thing (any more)."""


class KeyRefused(UpstreamError):
    """401 or 403: no further request will be made."""


class Stopped(Exception):
    """The run was told to stop while this request waited."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Traffic:
    """Requests with one outcome, and the seconds that they waited for their turn."""

    requests: int = 0
    waited: float = 0.0


class _Retryable(Exception):
    def __init__(self, reason: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


class NoAuth(AuthBase):
    """Keeps requests from sending what it finds in the user's .netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class NoRedirects(requests.Session):
    """Without `allow_redirects` requests still reads a redirect's body, whatever its size."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


@dataclass
class HttpClient:
    """GET requests to one upstream, safe to share between threads.

    limiter: waited for before every request, retries too. connections live one a thread.
    tries: requests made at most for one `get`. backoff: seconds before the first retry, doubled each time.
    stop: set it to wake every wait; `get` then raises Stopped. budget_patience: seconds to wait for what the rate
    limit is shared by, all requests together, until each fails.
    """

    max_bytes: int
    auth: AuthBase = field(default_factory=NoAuth)
    limiter: Limiter | None = None
    tries: int = 5
    backoff: float = 0.5
    budget_patience: float = BUDGET_PATIENCE
    stop: threading.Event = field(default_factory=threading.Event)
    requests_made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []
        self._key_check = threading.Lock()
        self._turn = threading.Lock()
        self._key_accepted = isinstance(self.auth, NoAuth)
        self._refusal = ""
        self._resume_at = 0.0
        self._budget_lost_at: float | None = None
        self._traffic: dict[str, Traffic] = {}

    def get(self, url: str, params: Params | None = None, decode: Callable[[bytes], T] = bytes) -> T:  # type: ignore[assignment]
        """The decoded body. `decode` raises ValueError for a body that is not what it should be.

        Raises NotFound, KeyRefused (and sends nothing more after it), UpstreamError, Stopped.
        """
        attempt = 1
        while True:
            try:
                return decode_reply(self._send(url, params or {}), decode)
            except _Retryable as error:
                failure = error
            if failure.retry_after is not None:
                self._pause_all(failure.retry_after)
            if attempt == self.tries:
                break
            if not failure.retry_after:  # none, or a time that has passed
                self._back_off(attempt, failure)
            attempt += 1
        times = f" ({self.tries} tries)" if self.tries > 1 else ""
        raise UpstreamError(f"{failure}{times}", status=failure.status)

    def take_traffic(self) -> dict[str, Traffic]:
        """What was asked since the last call, by outcome: a status, or what went wrong in a few words."""
        with self._lock:
            taken, self._traffic = self._traffic, {}
        return taken

    def close(self) -> None:
        for session in self._sessions:
            session.close()
        if self.limiter is not None:
            self.limiter.close()

    def _send(self, url: str, params: Params) -> Reply:
        if self._key_accepted:
            return self._send_now(url, params)
        # Until one reply shows that the key is good, one request at a time: a bad key costs one request.
        with self._key_check:
            reply = self._send_now(url, params)
            if reply.status < 400 or envelope_code(reply) in NO_SUCH_ID:
                self._key_accepted = True
            return reply

    def _send_now(self, url: str, params: Params) -> Reply:
        failure: Exception | None = None
        waited, outcome = 0.0, ""
        try:
            session = self._session()
            request = session.prepare_request(requests.Request("GET", url, params=dict(params)))
            connection = session.merge_environment_settings(request.url, {}, True, None, None)
            waited = self._wait_for_turn()  # last of all: work after it would send the request behind its turn
            with session.send(request, timeout=TIMEOUT, allow_redirects=False, **connection) as response:
                outcome = str(response.status_code)
                return self._take(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # The original names the whole address, key and all: only its kind is told.
            failure, outcome = _Retryable(describe(error)), describe(error)
        except ValueError:  # http.client's, which names the header's value
            failure = UpstreamError("the request can't be sent: the key can't stand in a header")
        finally:
            if outcome:  # else it was not sent
                self._count(outcome, waited)
        raise failure

    def _take(self, response: requests.Response) -> Reply:
        reply = Reply(response.status_code, response.headers, self._read(response))
        if reply.status in (401, 403) and not isinstance(self.auth, NoAuth):
            self._refusal = f"the key was refused ({reply.status}): {envelope_message(reply)}"
            raise KeyRefused(self._refusal, status=reply.status)
        return reply

    def _read(self, response: requests.Response) -> bytes:
        deadline = time.monotonic() + DEADLINE
        parts, size = [], 0
        # Not iter_content: it waits until a chunk is full, however slowly that comes.
        while part := response.raw.read1(CHUNK, decode_content=True):
            size += len(part)
            if size > self.max_bytes:
                raise UpstreamError(
                    f"the reply is larger than {self.max_bytes // 1024} KiB", status=response.status_code
                )
            if time.monotonic() > deadline:
                raise _Retryable(f"the reply was not complete after {DEADLINE:.0f} s")
            parts.append(part)
        return b"".join(parts)

    def _session(self) -> requests.Session:
        # requests advises one session per thread: cookies and redirect caches are not locked.
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = NoRedirects()
            session.auth = self.auth
            session.headers["User-Agent"] = "TRR"
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(pool_connections=2, pool_maxsize=1, max_retries=0))
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return session

    def _count(self, outcome: str, waited: float) -> None:
        with self._lock:
            traffic = self._traffic.setdefault(outcome, Traffic())
            traffic.requests += 1
            traffic.waited += waited

    def _wait_for_turn(self) -> float:
        """Waits, and returns for how many seconds."""
        started = time.monotonic()
        with self._turn:  # one thread waits for its turn, the others for it
            while (wait := max(self._resume_at - time.monotonic(), 0.0) or self._take_turn()) > 0:
                self._sleep(wait)
        self._sleep(0)
        with self._lock:
            self.requests_made += 1
        return time.monotonic() - started

    def _take_turn(self) -> float:
        if self.limiter is None:
            return 0.0
        try:
            wait = self.limiter.take_turn()
        except BudgetUnavailable as error:
            problem = str(error)
        else:
            self._budget_lost_at = None
            return wait
        now = time.monotonic()
        if self._budget_lost_at is None:
            self._budget_lost_at = now
            log.warning("%s: waiting for it", problem)
        if now - self._budget_lost_at < self.budget_patience:
            return min(1.0, self.budget_patience)
        raise _Retryable(problem)

    def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.stop.wait(seconds)
        if self._refusal:
            raise KeyRefused(self._refusal)
        if self.stop.is_set():
            raise Stopped

    def _pause_all(self, seconds: float) -> None:
        """Everyone is asked to wait, not just the thread that was told."""
        with self._lock:
            self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    def _back_off(self, attempt: int, failure: _Retryable) -> None:
        delay = min(BACKOFF_MAX, self.backoff * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)
        log.info("waiting %.1f s before try %d: %s", delay, attempt + 1, failure)
        self._sleep(delay)


def decode_reply(reply: Reply, decode: Callable[[bytes], T]) -> T:
    """The body of a good reply; raises what the status, or a body that can't be decoded, means."""
    if reply.status == 200:
        try:
            return decode(reply.body)
        except ValueError as error:
            reason = str(error)
        raise _Retryable(reason, 200)
    message = f"HTTP {reply.status}: {envelope_message(reply)}"
    if reply.status == 404 and envelope_code(reply) in NO_SUCH_ID:
        raise NotFound(message, status=404)
    if reply.status == 429 or (reply.status >= 500 and envelope_code(reply) != INVALID_ID):
        raise _Retryable(message, reply.status, parse_retry_after(reply.headers.get("Retry-After")))
    raise UpstreamError(message, status=reply.status)


def describe(error: requests.RequestException | urllib3.exceptions.HTTPError) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {TIMEOUT[0]:.0f} s"
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return f"no answer within {TIMEOUT[1]:.0f} s"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the reply was cut off"
    if isinstance(error, urllib3.exceptions.DecodeError):
        return "the reply can't be unpacked"
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return "no secure connection (TLS)"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return f"the request failed ({type(error).__name__})"


def envelope_of(reply: Reply) -> dict[str, object]:
    try:
        envelope = orjson.loads(reply.body)
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}


def envelope_code(reply: Reply) -> object:
    return envelope_of(reply).get("status_code")


def envelope_message(reply: Reply) -> str:
    """What upstream says of an error: TMDb's `status_message` or `errors`, Google's `error`, else the body's start."""
    envelope = envelope_of(reply)
    if "status_message" in envelope:
        code = f" (code {envelope['status_code']})" if "status_code" in envelope else ""
        return readable(f"{envelope['status_message']}{code}")
    if isinstance(errors := envelope.get("errors"), list) and errors:
        return readable("; ".join(str(error) for error in errors))
    if isinstance(error := envelope.get("error"), dict) and "message" in error:
        return readable(str(error["message"]))
    return excerpt(reply.body) or "empty reply"


def excerpt(body: bytes) -> str:
    return readable(body[:4096].decode("utf-8", "replace"), 80)
