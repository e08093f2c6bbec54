"""A small stand-in for TMDb: over real HTTP, in TMDb's shapes, with the faults a test asks for."""

import argparse
import fnmatch
import re
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import md5
from types import TracebackType
from typing import Any, Self

from demo import replies
from demo.api import Api
from demo.logos import content_type, draw_logo, draw_poster
from demo.replies import ERROR_OF_STATUS, Json, demo_shows, error_body
from demo.server import Reply, Request, Server

__all__ = ["Reply", "Request", "Upstream"]

WINDOW = 1.0  # seconds over which requests are counted against the rate
PLAIN = {"content-type": "text/plain; charset=utf-8"}


class Upstream:
    """Serves `shows` (TMDb id -> whole /tv/{id} reply with every appendable part) until it is closed.

    `rate` is in API requests per second: what comes faster gets TMDb's 429. Images and /_demo do not count.
    Where `shows` makes its values anew each time, give `imdb_ids` and `draw` as well, so that a /find
    or an image need not walk through all of them.
    """

    def __init__(
        self,
        shows: Mapping[int, Json] | None = None,
        *,
        key: str = "demo-key",
        bearer: str = "demo-bearer-token",
        port: int = 0,
        host: str = "127.0.0.1",
        latency: float = 0.0,
        rate: float | None = None,
        imdb_ids: Mapping[str, int] | None = None,
        draw: Callable[[str], bytes | None] | None = None,
    ) -> None:
        self.shows: Mapping[int, Json] = demo_shows() if shows is None else shows
        self.episodes: dict[str, int] = {}  # IMDb id of an episode -> TMDb id of its show
        self.changed: list[int] = []  # what /tv/changes tells
        self.images: dict[str, bytes] = {}  # path -> bytes; what is not here is drawn
        self.draw = draw or self.draw_named
        self.imdb_ids = imdb_ids
        self.key, self.bearer = key, bearer
        self.latency, self.rate = latency, rate
        self.requests: list[Request] = []
        self._address = (host, port)
        self._api = Api(self)
        self._queued: dict[str, deque[Reply]] = {}
        self._always: dict[str, Reply] = {}
        self._admitted: deque[float] = deque()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server: Server | None = None

    # Its life

    def start(self) -> Self:
        """Listen, and answer from a thread; does nothing when it runs already.

        Raises OSError where the port is taken.
        """
        if self._server:
            return self
        self._server = Server(self._address, self.respond)
        self._stopping.clear()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def close(self) -> None:
        self._stopping.set()
        if self._server:
            self._server.close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the upstream is not running")
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://{self._address[0]}:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.url}/3"

    @property
    def image_url(self) -> str:
        return f"{self.url}/t/p"

    # What a test tells it and asks it

    def answer(self, path: str, *answers: Reply) -> None:
        """Give these replies, in order, before the real answer.

        `path` begins with /3/ or /t/p/ and is exact or an fnmatch pattern, whose * also stands for slashes.
        """
        with self._lock:
            self._queued.setdefault(path, deque()).extend(answers)

    def always(self, path: str, answer: Reply) -> None:
        """Give this reply to `path` (as in `answer`) every time, once what is queued has run out."""
        with self._lock:
            self._always[path] = answer

    def clear(self) -> None:
        """Forget the requests so far and the answers that were set. What it serves stays."""
        with self._lock:
            self.requests.clear()
            self._queued.clear()
            self._always.clear()
            self._admitted.clear()

    def count(self, path_prefix: str = "/3/") -> int:
        with self._lock:
            return sum(request.path.startswith(path_prefix) for request in self.requests)

    def peak_rate(self) -> int:
        """The most API requests that arrived within any one second."""
        with self._lock:
            times = sorted(request.time for request in self.requests if request.is_api)
        window: deque[float] = deque()
        peak = 0
        for moment in times:
            window.append(moment)
            while moment - window[0] >= WINDOW:
                window.popleft()
            peak = max(peak, len(window))
        return peak

    # Answering

    def respond(self, request: Request) -> Reply:
        """The reply to a request: after its delay, and after the request was noted."""
        if request.path == "/_demo" or request.path.startswith("/_demo/"):
            return self._desk(request)
        reply = self._complete(request, self._choose(request))
        self._stopping.wait(self.latency + reply.delay)
        with self._lock:  # before it is sent: who has the reply may count the request
            self.requests.append(replace(request, status=None if reply.drop else reply.status))
        return reply

    def _choose(self, request: Request) -> Reply:
        if request.is_api and not self._admits(request.time):
            return Reply(429, headers={"x-cache": "Error from cloudfront"})
        return self._told(request.path) or Reply()

    def _complete(self, request: Request, reply: Reply) -> Reply:
        """The reply with its body filled in where it has none of its own."""
        if reply.drop or reply.body is not None:
            return reply
        if reply.status != 200:
            code = ERROR_OF_STATUS.get(reply.status)
            body: Any = error_body(code) if code else {"success": False, "status_message": "As you asked."}
            return replace(reply, body=body)
        real = self._real(request)
        return replace(real, headers={**real.headers, **reply.headers}, cut=reply.cut, delay=reply.delay)

    def _real(self, request: Request) -> Reply:
        if request.is_api:
            return self._api.reply(request)
        if request.path.startswith("/t/p/"):
            return self._image(request)
        return Reply(404, b"Not here. See /_demo\n", PLAIN)

    def _admits(self, moment: float) -> bool:
        """Whether a request is within the rate. Those over it are refused and not counted."""
        if self.rate is None:
            return True
        with self._lock:
            while self._admitted and moment - self._admitted[0] >= WINDOW:
                self._admitted.popleft()
            if len(self._admitted) >= self.rate * WINDOW:
                return False
            self._admitted.append(moment)
            return True

    def _told(self, path: str) -> Reply | None:
        """The next reply that was set for this path: the exact path first, what is queued first."""
        with self._lock:
            for pattern in sorted(self._queued, key=lambda pattern: pattern != path):
                if self._queued[pattern] and fnmatch.fnmatchcase(path, pattern):
                    return self._queued[pattern].popleft()
            for pattern in sorted(self._always, key=lambda pattern: pattern != path):
                if fnmatch.fnmatchcase(path, pattern):
                    return self._always[pattern]
        return None

    def _image(self, request: Request) -> Reply:
        size, _, name = request.path.removeprefix("/t/p/").partition("/")
        body = self.images.get(f"/{name}")
        if body is None:
            body = self.draw(f"/{name}")
        if body is None or not re.fullmatch(r"original|[wh]\d+", size):
            return Reply(404, b"<h1>File not found</h1>", {"content-type": "text/html"})
        etag = f'"{md5(body, usedforsecurity=False).hexdigest()}"'
        headers = {"content-type": content_type(body), "etag": etag}
        if request.headers.get("if-none-match") == etag:
            return Reply(304, b"", headers)
        return Reply(200, body, headers)

    def draw_named(self, path: str) -> bytes | None:
        """A logo or poster with the name of the first entity or show that has this path; None where none has it.

        An SVG is found under .png as well: TMDb renders it when it is asked to.
        """
        for logo_path, name in replies.named_logos(self.shows):
            if path in (logo_path, re.sub(r"\.svg$", ".png", logo_path)):
                return draw_logo(name, logo_path)
        for poster_path, name in replies.named_posters(self.shows):
            if path == poster_path:
                return draw_poster(name, poster_path)
        return None

    def _desk(self, request: Request) -> Reply:
        """The demo's own two addresses: help with counters, and faults to order."""
        if request.path == "/_demo/answer" and request.method == "POST":
            status, count = (request.params.get(name, "") for name in ("status", "count"))
            if status not in map(str, {*ERROR_OF_STATUS}) or not (count.isdecimal() and int(count) <= 1000):
                known = ", ".join(map(str, sorted(ERROR_OF_STATUS)))
                return Reply(400, f"status is one of {known}; count is 0 to 1000\n".encode(), PLAIN)
            headers = {"retry-after": "1"} if status == "429" else {}
            self.answer("/3/*", *[Reply(int(status), headers=headers)] * int(count))
            return Reply(200, f"The next {count} API requests get {status}.\n".encode(), PLAIN)
        text = (
            f"Stand-in for TMDb: {len(self.shows)} shows; {self.count()} API and {self.count('/t/p/')} image "
            f"requests so far. To make it fail: curl -X POST '{self.url}/_demo/answer?status=429&count=5'\n"
        )
        return Reply(200 if request.path == "/_demo" else 404, text.encode(), PLAIN)


def start_upstream(port: int, **options: Any) -> Upstream:
    """An upstream that runs on `port`, or on a free one where that is taken."""
    try:
        return Upstream(port=port, **options).start()
    except OSError:
        return Upstream(port=0, **options).start()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=8089)
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--rate", type=float, metavar="REQUESTS_PER_SECOND")
    parser.add_argument("--answer-429", type=int, default=0, metavar="N", help="the first N requests get 429")
    parser.add_argument("--key", default="demo-key")
    options = parser.parse_args()
    # Blocked before the threads start, so that only the wait below gets them.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with start_upstream(options.port, latency=options.latency, rate=options.rate, key=options.key) as upstream:
        upstream.answer("/3/*", *[Reply(429, headers={"retry-after": "1"})] * options.answer_429)
        taken = "" if upstream.port == options.port else f"Port {options.port} is taken. "
        print(
            f"{taken}Set TMDB_API_URL={upstream.api_url} TMDB_IMAGE_URL={upstream.image_url} "
            f"TMDB_API_KEY={options.key} and run manage.py sync_shows; Ctrl-C ends this.",
            flush=True,
        )
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
