"""The HTTP side of the stand-in: sockets, keep-alive, and replies that break off on purpose."""

import contextlib
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

JSON_TYPE = "application/json;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. `status` is what it was answered with: None when it was dropped."""

    time: float  # time.monotonic() of its arrival
    method: str
    path: str  # without the query
    params: dict[str, str]
    headers: dict[str, str]  # names in lower case
    status: int | None = None
    body: bytes = b""
    query: str = ""  # as it came: `params` keeps the last of a name that is repeated

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/3/")


@dataclass(frozen=True)
class Reply:
    """One answer.

    `body` is bytes that are sent as they are, or a value that is sent as JSON. Without a body, status 200
    stands for the real answer (so that it can be delayed or cut) and any other for TMDb's error envelope.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None  # announce the whole body, send this many bytes of it, close
    drop: bool = False  # close without a word
    delay: float = 0.0  # seconds before it is sent

    def payload(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


class Server(ThreadingHTTPServer):
    """Hands every request to `respond` and sends what it returns. One thread per connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], respond: Callable[[Request], Reply]) -> None:
        self.respond = respond
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service for the host's name, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def connection_opened(self, connection: socket.socket) -> None:
        with self._changed:
            self._open.add(connection)

    def connection_closed(self, connection: socket.socket) -> None:
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop listening and end the connections that are kept alive: nothing answers after this."""
        self.shutdown()
        self.server_close()
        with self._changed:
            for connection in self._open:
                hang_up(connection)
            self._changed.wait_for(lambda: not self._open, timeout=2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is its own affair; a fault of ours is printed.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a small reply on a kept connection may wait 40 ms
    wbufsize = -1  # headers and body leave together

    def setup(self) -> None:
        super().setup()
        self.server.connection_opened(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.connection_closed(self.connection)

    def do_GET(self) -> None:
        arrived = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        request = Request(
            time=arrived,
            method=self.command,
            path=unquote(parts.path),
            params=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            query=parts.query,
        )
        self._send(self.server.respond(request))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _send(self, reply: Reply) -> None:
        if reply.drop:
            self._hang_up()
            return
        body = reply.payload()
        headers = {"content-type": JSON_TYPE, "content-length": str(len(body))}
        headers.update({name.lower(): value for name, value in reply.headers.items()})
        if reply.status == 304:  # has no body, and the length would be taken for the image's
            del headers["content-length"]
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if reply.cut is None else body[: reply.cut])
        self.wfile.flush()
        if reply.cut is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        hang_up(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the requests are kept, and the terminal belongs to whoever started this."""


def hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was quicker
        connection.shutdown(socket.SHUT_RDWR)
