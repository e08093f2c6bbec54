"""A small stand-in for Google Sheets: over real HTTP, in the API's shapes, with the faults a test asks for."""

import argparse
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from demo import sheets_api
from demo.server import Reply, Request, Server
from demo.sheets_demo import demo_workbook
from demo.sheets_errors import Json, Refused, envelope, quota_exceeded
from demo.sheets_formulas import Formula
from demo.sheets_page import page
from demo.sheets_ranges import GridRange
from demo.sheets_workbook import Sheet, Workbook

__all__ = ["Call", "Fault", "Formula", "GridRange", "Sheet", "SheetsServer", "Workbook", "demo_workbook"]

PAGE = re.compile(r"/spreadsheets/d/(?P<id>[^/]+)(/edit)?/?")
WINDOW = 60.0  # seconds over which calls are counted against the quota
MOST_BYTES = 10 * 1024 * 1024  # of a request's body
JSON = {"content-type": "application/json; charset=UTF-8"}
HTML = {"content-type": "text/html; charset=UTF-8"}
PLAIN = {"content-type": "text/plain; charset=utf-8"}


@dataclass(slots=True)
class Call:
    """One API call as it arrived. `status` is what it was answered with: None when no answer was sent."""

    number: int  # 1 for the first since the start or the last clear()
    method: str
    path: str  # without the query
    params: dict[str, str]
    body: Any  # decoded JSON; None where there was none
    bytes: int  # of the request's body
    headers: dict[str, str]  # names in lower case
    status: int | None = None

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Fault:
    """How a call fails. With `after` (or `cut`) it has its effect first; else it has none.

    `message` goes into Google's envelope, `body` is sent instead of it.
    """

    status: int = 503
    drop: bool = False  # close without a word
    after: bool = False
    retry_after: str | None = None  # the header
    message: str | None = None
    body: bytes | None = None
    cut: int | None = None  # announce the real reply, send this many bytes of it, close
    delay: float = 0.0  # seconds before the answer


class SheetsServer:
    """Serves `workbooks` (by spreadsheet id) until it is closed.

    `reads_per_minute` and `writes_per_minute` are quotas: what comes over them is answered 429 without
    effect and is not counted against them. Pages for people are no API calls.
    """

    def __init__(
        self,
        workbooks: Mapping[str, Workbook] | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        latency: float = 0.0,
        reads_per_minute: int | None = None,
        writes_per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workbooks: dict[str, Workbook] = dict(workbooks or {})
        self.forbidden: set[str] = set()  # ids that our account may not see
        self.read_only: set[str] = set()  # ids that it may see, not change
        self.latency = latency
        self.quotas = {False: reads_per_minute, True: writes_per_minute}  # by whether it is a write
        self.calls: list[Call] = []
        self.refused = 0  # calls over the quota
        self.after_call: Callable[[Call], None] | None = None  # when it had its effect, before its reply is sent
        self._clock = clock
        self._address = (host, port)
        self._faults: dict[int, Fault] = {}
        self._always: list[tuple[int, Fault]] = []
        self._admitted: dict[bool, deque[float]] = {False: deque(), True: deque()}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._failed: BaseException | None = None
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
        """Stop. Raises what `after_call` raised first, which no client has seen."""
        self._stopping.set()
        if self._server:
            self._server.close()
            self._server = None
        failed, self._failed = self._failed, None
        if failed:
            raise failed

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the stand-in for Google Sheets is not running")
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://{self._address[0]}:{self.port}"

    # What a test tells it and asks it

    @property
    def reads(self) -> int:
        return sum(not call.is_write for call in self.calls[:])

    @property
    def writes(self) -> int:
        return sum(call.is_write for call in self.calls[:])

    def fail(self, call: int, how: Fault) -> None:
        """Let one call fail: 1 is the next that arrives from now on."""
        with self._lock:
            self._faults[len(self.calls) + call] = how

    def fail_always(self, how: Fault, *, from_call: int = 1) -> None:
        """Let every call fail, from the one with this number on (as in `fail`)."""
        with self._lock:
            self._always.append((len(self.calls) + from_call, how))

    def clear(self) -> None:
        """Forget the calls so far, the quota that they spent and the faults that were set. The workbooks stay."""
        with self._lock:
            self.calls.clear()
            self.refused = 0
            self._faults.clear()
            self._always.clear()
            for admitted in self._admitted.values():
                admitted.clear()

    # Answering

    def respond(self, request: Request) -> Reply:
        if not request.path.startswith(sheets_api.PREFIX):
            return self._page(request)
        call, fault = self._note(request)
        reply = self._answer(call, request, fault)
        self._stopping.wait(self.latency + reply.delay)
        call.status = None if reply.drop else reply.status
        if self.after_call:
            try:
                self.after_call(call)
            except (Exception, AssertionError) as error:  # noqa: BLE001 - close() raises it, in the test's own thread
                self._failed = self._failed or error
        return reply

    def _note(self, request: Request) -> tuple[Call, Fault | None]:
        try:
            body = sheets_api.parse_body(request.body)
        except Refused:
            body = None
        with self._lock:
            number = len(self.calls) + 1
            call = Call(number, request.method, request.path, request.params, body, len(request.body), request.headers)
            self.calls.append(call)
            always = [how for first, how in self._always if first <= number]
            return call, self._faults.pop(number, always[-1] if always else None)

    def _answer(self, call: Call, request: Request, fault: Fault | None) -> Reply:
        if fault is None:
            return self._real(call, request)
        if not fault.after and fault.cut is None:
            return _failing(fault, call.is_write)
        real = self._real(call, request)
        if fault.cut is not None:
            return Reply(real.status, real.body, real.headers, cut=fault.cut, delay=fault.delay)
        return _failing(fault, call.is_write)

    def _real(self, call: Call, request: Request) -> Reply:
        if len(request.body) > MOST_BYTES:
            return Reply(413, b"<html><title>Error 413 (Request Entity Too Large)!!1</title></html>", HTML)
        key = sheets_api.spreadsheet_id(request.path)
        workbook = self.workbooks.get(key or "")
        try:
            self._spend(call)
            if key in self.forbidden or (key in self.read_only and call.is_write):
                raise Refused("The caller does not have permission", 403)
            if workbook is None:
                raise Refused("Requested entity was not found.", 404)
            body = sheets_api.parse_body(request.body)
            with workbook.lock:
                reply: Json = sheets_api.answer(workbook, request, body, self.url)
        except Refused as refused:
            return Reply(refused.status, refused.envelope(), JSON)
        return Reply(200, reply, JSON)

    def _spend(self, call: Call) -> None:
        """Raises Refused where the call is over the quota."""
        quota, moment = self.quotas[call.is_write], self._clock()
        if quota is None:
            return
        with self._lock:
            admitted = self._admitted[call.is_write]
            while admitted and moment - admitted[0] >= WINDOW:
                admitted.popleft()
            if len(admitted) >= quota:
                self.refused += 1
                raise Refused(quota_exceeded(call.is_write), 429)
            admitted.append(moment)

    def _page(self, request: Request) -> Reply:
        found = PAGE.fullmatch(request.path)
        workbook = self.workbooks.get(found["id"]) if found else None
        if workbook is None or request.method != "GET":
            return Reply(404, b"Not here.\n", PLAIN)
        with workbook.lock:
            body = page(workbook, request.params.get("gid"))
        return Reply(200, body.encode(), HTML)


def _failing(fault: Fault, is_write: bool) -> Reply:
    """The answer of a call that fails, whether or not it had its effect."""
    if fault.drop:
        return Reply(drop=True, delay=fault.delay)
    message = fault.message or (quota_exceeded(is_write) if fault.status == 429 else None)
    headers = JSON if fault.body is None else HTML
    if fault.retry_after is not None:
        headers = {**headers, "retry-after": fault.retry_after}
    body = envelope(fault.status, message) if fault.body is None else fault.body
    return Reply(fault.status, body, headers, delay=fault.delay)


def start_sheets(port: int, **options: Any) -> SheetsServer:
    """A server that runs on `port`, or on a free one where that is taken."""
    try:
        return SheetsServer(port=port, **options).start()
    except OSError:
        return SheetsServer(**options).start()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.sheets", description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--id", default="demo", help="of the one workbook")
    options = parser.parse_args()
    # Blocked before the threads start, so that only the wait below gets them.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with start_sheets(options.port, latency=options.latency, workbooks={options.id: demo_workbook()}) as server:
        taken = "" if server.port == options.port else f"Port {options.port} is taken. "
        print(
            f"{taken}Set GOOGLE_SHEETS_API_URL={server.url} SPREADSHEET_ID={options.id} and run manage.py "
            f"export_sheets; look at {server.url}/spreadsheets/d/{options.id}/edit; Ctrl-C ends this.",
            flush=True,
        )
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
