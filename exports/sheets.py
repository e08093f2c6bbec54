"""Calls of Google Sheets through gspread: paced, counted, and retried where that is safe.

A call that changes something may have been done although its answer is lost. So whoever makes one says how to look
whether it was (`landed`), and it is never done twice. https://developers.google.com/workspace/sheets/api/limits
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import gspread
import orjson
from django.conf import settings

from exports.sheets_errors import ExportProblem, Lost, Stopped, answered
from exports.sheets_replies import BOOK_FIELDS, Book, column_name, parse_book, parse_values
from exports.sheets_session import TIMEOUT, open_session
from trr_site.spreadsheets import quoted

T = TypeVar("T")

TRIES: Final = 8  # with the waits between them more than the minute after which a quota is there again
BACKOFF_MAX: Final = 32.0  # seconds
MINUTE: Final = 60.0


@dataclass
class Pace:
    """Keeps calls of one kind below a number in any minute. earlier: how many were made in the minute before."""

    most: int
    earlier: int = 0
    clock: Callable[[], float] = time.monotonic
    made: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.made.extend([self.clock()] * min(self.earlier, self.most))

    def wait(self) -> float:
        """Seconds until the next call may be made; 0 takes the turn."""
        now = self.clock()
        while self.made and now >= self.made[0] + MINUTE:  # not their difference: that rounds otherwise
            self.made.popleft()
        if len(self.made) >= self.most:
            return self.made[0] + MINUTE - now
        self.made.append(now)
        return 0.0


class Sheets:
    """One workbook. earlier: (reads, writes) that others have made in the last minute. on_wait is told of waits."""

    def __init__(
        self,
        spreadsheet_id: str,
        *,
        earlier: tuple[int, int] = (0, 0),
        stop: threading.Event | None = None,
        on_wait: Callable[[str], object] = lambda words: None,
    ) -> None:
        self.id = spreadsheet_id
        self.stop = stop or threading.Event()
        self.on_wait = on_wait
        self.reads = self.writes = self.bytes_sent = 0
        most = settings.SHEETS_CALLS_PER_MINUTE
        self.read_pace, self.write_pace = Pace(most, earlier[0]), Pace(most, earlier[1])
        self.http = gspread.HTTPClient(None, session=open_session())  # type: ignore[arg-type]
        self.http.set_timeout(TIMEOUT)

    def close(self) -> None:
        self.http.session.close()

    # --- what is asked

    def fetch_book(self) -> Book:
        return self.read(lambda: self.http.fetch_sheet_metadata(self.id, params={"fields": BOOK_FIELDS}), parse_book)

    def fetch_values(self, title: str, columns: int) -> list[list[Any]]:
        """What the cells of the first columns hold, row by row, each row and the whole cut after what is not empty."""
        return self.fetch_cells(f"{quoted(title)}!A:{column_name(columns - 1)}", "UNFORMATTED_VALUE")

    def fetch_typed(self, title: str) -> list[list[Any]]:
        """All cells of a tab, as they were typed: of a formula its text, which is the same at every reading."""
        return self.fetch_cells(quoted(title), "FORMULA")

    def fetch_cells(self, place: str, render: str) -> list[list[Any]]:
        params: dict[str, Any] = {"valueRenderOption": render, "dateTimeRenderOption": "SERIAL_NUMBER"}
        return self.read(lambda: self.http.values_get(self.id, place, params=params), parse_values)

    def write_values(self, title: str, first_row: int, rows: Sequence[Sequence[Any]]) -> None:
        """Puts cells from column A on, as they are: RAW takes no text for a formula, a date or a number.

        first_row counts from 1. To do it twice changes nothing.
        """
        last = f"{column_name(max(map(len, rows)) - 1)}{first_row + len(rows) - 1}"
        place = f"{quoted(title)}!A{first_row}:{last}"
        body = {"values": rows}
        self.write(
            lambda: self.http.values_update(self.id, place, params={"valueInputOption": "RAW"}, body=body), body, None
        )

    def update(self, requests: list[Mapping[str, Any]], landed: Callable[[], bool]) -> None:
        """One batchUpdate: all of these or none. `landed` is asked whether it was done when its answer is lost."""
        body = {"requests": requests}
        self.write(lambda: self.http.batch_update(self.id, body), body, landed)

    def update_once(self, requests: list[Mapping[str, Any]]) -> None:
        """As `update`, but given up at once; raises whatever goes wrong."""
        self.writes += 1
        self.http.batch_update(self.id, {"requests": requests})

    # --- how it is asked

    def read(self, action: Callable[[], Any], parse: Callable[[Any], T]) -> T:
        def act() -> T:
            self.reads += 1
            return parse(action())

        return self.call(act, self.read_pace, None)

    def write(self, action: Callable[[], object], body: object, landed: Callable[[], bool] | None) -> None:
        size = len(orjson.dumps(body))

        def act() -> None:
            self.writes += 1
            self.bytes_sent += size
            action()

        self.call(act, self.write_pace, landed)

    def call(self, act: Callable[[], T], pace: Pace, landed: Callable[[], bool] | None) -> T | Any:
        """Makes a call, again where it failed and that may pass. Raises ExportProblem, Stopped."""
        doubtful = False  # whether a call that was lost may have been done
        for attempt in range(1, TRIES + 1):
            while (wait := pace.wait()) > 0:
                self.sleep(wait, f"waiting {wait:.0f} s for the quota of Google Sheets")
            self.sleep(0)
            try:
                return answered(act)
            except Lost as error:
                failure = error
            except ExportProblem:
                # What is done late, after we have looked for it, is refused when it is asked for again.
                if doubtful and landed is not None and landed():
                    return None
                raise
            doubtful |= failure.may_be_done
            if failure.may_be_done and landed is not None and landed():
                return None
            if attempt < TRIES:
                self.sleep(delay_of(attempt, failure), f"{failure}: trying again")
        raise ExportProblem(f"{failure} ({TRIES} tries)")

    def sleep(self, seconds: float, words: str = "") -> None:
        if seconds > 0:
            self.on_wait(words)
            self.stop.wait(seconds)
        if self.stop.is_set():
            raise Stopped


def delay_of(attempt: int, failure: Lost) -> float:
    if failure.wait:
        return failure.wait
    return float(min(BACKOFF_MAX, settings.SHEETS_BACKOFF * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25))


def chunks(rows: Iterable[Sequence[Any]], most_bytes: int) -> list[list[Sequence[Any]]]:
    """Rows in parts of about so many bytes as JSON, at least one row each."""
    parts: list[list[Sequence[Any]]] = [[]]
    size = 0
    for row in rows:
        bytes_of_row = len(orjson.dumps(row)) + 1
        if parts[-1] and size + bytes_of_row > most_bytes:
            parts.append([])
            size = 0
        parts[-1].append(row)
        size += bytes_of_row
    return parts
