"""Before Django: an answer that was given before is given again, if one narrow query finds it still true.

What Django answered to a GET of the API is kept in the process, whole, with the revisions that it was read under
(`catalog.revisions`). The next request for the same reads the tokens of these revisions; where one has changed, or
nothing was kept, Django answers as if there was nothing before it. So nothing is ever answered that is older than
the last committed write, and what is known costs neither a serializer nor Django's middleware.

Kept are only answers that are the same for everybody, by everything that Django looks at: address, host, scheme,
origin and coding. Whether a client asks too often is asked here too.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from cachetools import LRUCache
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.utils.http import http_date

from catalog.api.responses import MADE, Made, accepts_gzip, is_current
from catalog.api.throttle import client_address, reads
from catalog.reading import in_thread
from catalog.revisions import read_revisions

log = logging.getLogger(__name__)

PREFIX: Final = "/api/"
LONGEST_ADDRESS: Final = 2_000  # characters; what is longer is asked once
OF_ONE_ANSWER: Final = frozenset({"content-type", "content-length", "content-encoding", "last-modified"})
THREADS: Final = 4  # that ask the database for the ASGI server

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Kept:
    """`headers`: those of a 304, as they left Django, but for Last-Modified."""

    made: Made
    headers: Headers
    last_modified: tuple[str, str]

    @property
    def size(self) -> int:
        return len(self.made.body) + 2_000  # the headers and our own objects, about


class Memory:
    """Answers by what was asked, the least recently given dropped first. Safe between threads."""

    def __init__(self, most_bytes: int) -> None:
        self._kept: LRUCache[tuple[str, ...], Kept] = LRUCache(most_bytes, getsizeof=lambda kept: kept.size)
        self._lock = Lock()

    def get(self, key: tuple[str, ...]) -> Kept | None:
        with self._lock:
            return self._kept.get(key)

    def keep(self, key: tuple[str, ...], kept: Kept) -> None:
        if kept.size <= self._kept.maxsize // 8:
            with self._lock:
                self._kept[key] = kept

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


memory = Memory(settings.API_MEMORY)


def is_true(kept: Kept) -> bool:
    """Whether nothing that the answer was read from has been written since. Where the database is away: no."""
    database = connections[DEFAULT_DB_ALIAS]
    if database.in_atomic_block:
        return False
    try:
        return read_revisions(kept.made.revisions) == kept.made.revisions
    except Error:
        log.debug("revisions could not be read; Django answers", exc_info=True)
        return False
    finally:
        if database.connection is not None:
            database.close_if_unusable_or_obsolete()


def answer(kept: Kept, if_none_match: str | None) -> tuple[int, Headers, bytes]:
    made, headers = kept.made, list(kept.headers)
    if made.modified <= time.time():
        headers.append(kept.last_modified)
    if is_current(if_none_match, made.etag):
        return 304, headers, b""
    return 200, [*headers, *made.content_headers.items()], made.body


def keep(key: tuple[str, ...], status: int, headers: Headers, made: Made | None) -> None:
    """Keeps what Django has answered, where that is the same for everybody."""
    names = {name.lower() for name, _ in headers}
    if made is None or status not in (200, 304) or "set-cookie" in names or sum(map(len, key)) > LONGEST_ADDRESS:
        return
    lasting = [(name, value) for name, value in headers if name.lower() not in OF_ONE_ANSWER]
    memory.keep(key, Kept(made, lasting, ("Last-Modified", http_date(made.modified))))


# --- WSGI


class WsgiFront:
    """`application` with the memory before it."""

    def __init__(self, application: Any) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] != "GET" or not path.startswith(PREFIX):
            return self.application(environ, start_response)  # type: ignore[no-any-return]
        key = (
            environ.get("SCRIPT_NAME", ""),
            path,
            environ.get("QUERY_STRING", ""),
            environ.get("HTTP_HOST", ""),
            environ.get("wsgi.url_scheme", ""),
            environ.get("HTTP_X_FORWARDED_PROTO", ""),
            environ.get("HTTP_ORIGIN", ""),
            "gzip" if accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")) else "",
            environ.get("HTTP_ACCEPT", ""),
        )
        kept = memory.get(key)
        if kept is not None:
            address = client_address(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""))
            if reads.has_turn(address) and is_true(kept):
                reads.take(address)
                status, headers, body = answer(kept, environ.get("HTTP_IF_NONE_MATCH"))
                start_response("304 Not Modified" if status == 304 else "200 OK", headers)
                return [body]
        return self.ask_django(key, environ, start_response)

    def ask_django(
        self, key: tuple[str, ...], environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        started: list[Any] = []

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            started[:] = [int(status[:3]), list(headers)]
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        response = self.application(environ, start)
        if started:
            keep(key, started[0], started[1], environ.get(MADE))
        return response  # type: ignore[no-any-return]


# --- ASGI

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class AsgiFront:
    """The same for HTTP under ASGI; the query runs in threads of its own."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.executor = ThreadPoolExecutor(THREADS, thread_name_prefix="revisions")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET" or not scope["path"].startswith(PREFIX):
            await self.application(scope, receive, send)
            return
        given: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:  # as Django joins them
            given[name] = b",".join((given[name], value)) if name in given else value
        head = {name.decode("latin1"): value.decode("latin1") for name, value in given.items()}
        key = (
            scope.get("root_path", ""),  # of a header that anybody can send
            scope["path"],
            scope["query_string"].decode("latin1"),
            head.get("host", ""),
            scope.get("scheme", ""),
            head.get("x-forwarded-proto", ""),
            head.get("origin", ""),
            "gzip" if accepts_gzip(head.get("accept-encoding", "")) else "",
            head.get("accept", ""),
        )
        kept = memory.get(key)
        if kept is not None:
            client = scope.get("client")
            address = client_address(client[0] if client else "", head.get("x-forwarded-for", ""))
            if reads.has_turn(address) and await in_thread(is_true, kept, executor=self.executor):
                reads.take(address)
                status, headers, body = answer(kept, head.get("if-none-match"))
                raw = [(name.lower().encode("latin1"), value.encode("latin1")) for name, value in headers]
                await send({"type": "http.response.start", "status": status, "headers": raw})
                await send({"type": "http.response.body", "body": body})
                return
        await self.ask_django(key, scope, receive, send)

    async def ask_django(self, key: tuple[str, ...], scope: Scope, receive: Receive, send: Send) -> None:
        status, headers = 0, Headers()

        async def note(message: dict[str, Any]) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(name.decode("latin1"), value.decode("latin1")) for name, value in message["headers"]]
            await send(message)

        await self.application(scope, receive, note)
        keep(key, status, headers, scope.get(MADE))
