"""A real server that takes what is posted to a webhook."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/services/T0000/B0000/a-token-of-the-hook"


class Webhook:
    """`status` and `headers` are what it answers, after `wait` seconds; `posted` what it was told, in order."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
        self.status, self.wait = 200, 0.0
        self.headers: list[str] = []
        self.posted: list[dict[str, Any]] = []
        self.tries = 0

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(message["problem"], message["state"]) for message in self.posted]


@contextmanager
def serving() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.tries += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(hook.wait)
            if 200 <= hook.status < 300:
                hook.posted.append(json.loads(body))
            lines = [f"HTTP/1.0 {hook.status} So", *hook.headers, "", "no business of the log"]
            self.wfile.write("\r\n".join(lines).encode())

        def do_GET(self) -> None:  # where a redirect would lead
            hook.tries += 100
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Webhook(server)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
