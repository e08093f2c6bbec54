"""Calls of Google Sheets: tried again where that helps, never done twice, never too many, and told in words."""

import functools
import threading
from typing import Any

import pytest
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st

from demo.sheets import Call, Fault, SheetsServer, Workbook
from demo.sheets_errors import PROTECTED
from exports import sheets as module
from exports import sheets_session
from exports.sheets import MINUTE, TRIES, Pace, Sheets, chunks
from exports.sheets_errors import ExportProblem, Stopped
from exports.sheets_replies import column_name, parse_book, parse_values
from ingestion.tests.test_http import NoticedEvent, PatientEvent, raw_server

from .conftest import BOOK

pytestmark = pytest.mark.once

ADDED = [{"addSheet": {"properties": {"sheetId": 7, "title": "New"}}}]


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> PatientEvent:
    """Waits take no time: they move the clock of the paces."""
    event = PatientEvent()
    monkeypatch.setattr(module, "Pace", functools.partial(Pace, clock=lambda: event.now))
    return event


@pytest.fixture
def sheets(server: SheetsServer, stop: PatientEvent) -> Any:
    opened = Sheets(BOOK, stop=stop)
    yield opened
    opened.close()


def add_a_tab(sheets: Sheets) -> None:
    sheets.update(ADDED, landed=lambda: "New" in sheets.fetch_book().sheets)


# --- tried again


PASSING = {
    "429": Fault(status=429),
    "500": Fault(status=500),
    "502 with a page": Fault(status=502, body=b"<html>Bad gateway"),
    "503": Fault(status=503),
    "no answer": Fault(drop=True),
    "an answer that breaks off": Fault(cut=10),
    "an answer without a body": Fault(cut=0),
    "a page instead of JSON": Fault(status=200, body=b"<html>Sign in</html>"),
    "JSON of another shape": Fault(status=200, body=b"[1, 2]"),
    "a workbook without tabs": Fault(status=200, body=b'{"properties": {"title": "x"}, "spreadsheetUrl": "http://x"}'),
    "an error in another shape": Fault(status=400, body=b'{"error": "invalid_request"}'),
    "a workbook of no address": Fault(status=200, body=b'{"spreadsheetUrl": "javascript:x"}'),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_tried_again(sheets: Sheets, server: SheetsServer, stop: PatientEvent, fault: Fault) -> None:
    server.fail(1, fault)

    assert sheets.fetch_book().title == "Realitease2025Data"

    assert (sheets.reads, server.reads, len(stop.waits)) == (2, 2, 1)


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_no_call_is_tried_without_end(sheets: Sheets, server: SheetsServer, fault: Fault) -> None:
    server.fail_always(fault)

    with pytest.raises(ExportProblem, match=rf"Google Sheets.* \({TRIES} tries\)") as problem:
        sheets.fetch_book()

    assert server.reads == TRIES
    assert not problem.value.refused


def test_the_waits_grow_and_together_outlast_the_minute_of_a_quota(
    sheets: Sheets, server: SheetsServer, stop: PatientEvent, settings: Any
) -> None:
    settings.SHEETS_BACKOFF = 1.0
    server.fail_always(Fault(status=429))

    with pytest.raises(ExportProblem, match="the quota of Google Sheets is used up: Quota exceeded for quota metric"):
        sheets.fetch_book()

    usual = [1, 2, 4, 8, 16, 32, 32]
    assert all(0.75 <= wait / each <= 1.25 for wait, each in zip(stop.waits, usual, strict=True))
    assert sum(stop.waits) > 60


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("3600", 120),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("0", 0.01),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.01),
        ("-7", 0.01),
        ("soon", 0.01),
        ("²", 0.01),
        ("", 0.01),
    ],
)
def test_what_google_says_of_the_wait_is_obeyed_within_reason(
    sheets: Sheets, server: SheetsServer, stop: PatientEvent, header: str, wait: float
) -> None:
    server.fail(1, Fault(status=429, retry_after=header))

    with time_machine.travel("2026-03-01 12:00:00Z", tick=False):
        sheets.fetch_book()

    assert stop.waits == [pytest.approx(wait, rel=0.25)]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_will_not_pass_is_not_tried_again(
    sheets: Sheets, server: SheetsServer, stop: PatientEvent, status: int
) -> None:
    server.fail_always(Fault(status=status))

    with pytest.raises(ExportProblem) as problem:
        sheets.fetch_book()

    assert (server.reads, stop.waits) == (1, [])
    assert problem.value.refused == (status in (401, 403, 404))


# --- never twice


DONE = {
    "answer lost": Fault(after=True, drop=True),
    "answer cut": Fault(cut=10),
    "answered 503": Fault(after=True, status=503),
    "answered with a page": Fault(after=True, status=200, body=b"<html>"),
}


@pytest.mark.parametrize("fault", DONE.values(), ids=DONE)
def test_what_was_done_is_not_done_again(
    sheets: Sheets, server: SheetsServer, workbook: Workbook, fault: Fault
) -> None:
    server.fail(1, fault)

    add_a_tab(sheets)

    assert (server.writes, server.reads) == (1, 1)
    assert [sheet.title for sheet in workbook.sheets] == ["Sheet1", "New"]


def test_what_was_not_done_is_done_after_a_look(sheets: Sheets, server: SheetsServer, workbook: Workbook) -> None:
    server.fail(1, Fault(drop=True))

    add_a_tab(sheets)

    assert [call.method for call in server.calls] == ["POST", "GET", "POST"]
    assert [sheet.title for sheet in workbook.sheets] == ["Sheet1", "New"]


def test_what_is_done_late_after_we_have_looked_is_no_failure(
    sheets: Sheets, server: SheetsServer, workbook: Workbook
) -> None:
    def do_late(call: Call) -> None:
        if call.method == "GET" and workbook.sheet("New") is None:
            workbook.add("New")

    server.fail(1, Fault(drop=True))
    server.after_call = do_late

    add_a_tab(sheets)

    assert [(call.method, call.status) for call in server.calls] == [
        ("POST", None),
        ("GET", 200),
        ("POST", 400),
        ("GET", 200),
    ]


def test_a_refusal_that_has_nothing_to_do_with_what_was_lost_is_told(
    sheets: Sheets, server: SheetsServer, workbook: Workbook
) -> None:
    server.fail(1, Fault(drop=True))
    server.fail(3, Fault(status=403))

    with pytest.raises(ExportProblem, match="no access to the workbook"):
        add_a_tab(sheets)

    assert [sheet.title for sheet in workbook.sheets] == ["Sheet1"]


def test_what_google_says_it_has_not_done_needs_no_look(sheets: Sheets, server: SheetsServer) -> None:
    server.fail(1, Fault(status=429))

    add_a_tab(sheets)

    assert (server.writes, server.reads) == (2, 0)


def test_where_nobody_can_tell_what_was_done_nothing_is_done_again(sheets: Sheets, server: SheetsServer) -> None:
    server.fail_always(Fault(after=True, drop=True))

    with pytest.raises(ExportProblem, match="no connection to Google Sheets"):
        add_a_tab(sheets)

    assert (server.writes, server.reads) == (1, TRIES)


def test_values_may_be_written_twice(sheets: Sheets, server: SheetsServer, workbook: Workbook) -> None:
    server.fail(1, Fault(after=True, drop=True))

    sheets.write_values("Sheet1", 2, [["=1+1", "007"], [7, 1.5]])

    assert (server.writes, server.reads) == (2, 0)
    assert workbook.values("Sheet1") == [[], ["=1+1", "007"], [7, 1.5]]


def test_calls_and_bytes_are_counted_by_what_was_sent(sheets: Sheets, server: SheetsServer) -> None:
    server.fail(1, Fault(status=503))

    sheets.write_values("Sheet1", 1, [["é"]])
    sheets.fetch_values("Sheet1", 8)

    assert (sheets.writes, sheets.reads) == (server.writes, server.reads) == (2, 1)
    assert sheets.bytes_sent == 2 * len('{"values":[["é"]]}'.encode())


# --- the quota


def test_the_quota_is_never_overdrawn(workbook: Workbook, settings: Any, stop: PatientEvent) -> None:
    workbook.add("Sheet1")
    settings.SHEETS_CALLS_PER_MINUTE = 5
    waits: list[str] = []
    with SheetsServer({BOOK: workbook}, reads_per_minute=5, writes_per_minute=5, clock=lambda: stop.now) as server:
        settings.GOOGLE_SHEETS_API_URL = server.url
        sheets = Sheets(BOOK, stop=stop, on_wait=waits.append)
        for number in range(17):
            sheets.fetch_book()
            sheets.write_values("Sheet1", 1, [[number]])
            stop.now += 0.7
        sheets.close()

        assert (server.refused, server.reads, server.writes) == (0, 17, 17)
    assert sum(stop.waits) == pytest.approx(3 * 60 - 0.7 * 15, abs=0.1), "and no longer than it must be"
    assert waits[0] == "waiting 56 s for the quota of Google Sheets"


def test_calls_of_earlier_runs_count(workbook: Workbook, settings: Any, stop: PatientEvent) -> None:
    workbook.add("Sheet1")
    settings.SHEETS_CALLS_PER_MINUTE = 5
    with SheetsServer({BOOK: workbook}, reads_per_minute=5, writes_per_minute=5, clock=lambda: stop.now) as server:
        settings.GOOGLE_SHEETS_API_URL = server.url
        earlier = Sheets(BOOK, stop=stop)
        for _ in range(4):
            earlier.fetch_book()
        earlier.close()
        stop.now += 10

        sheets = Sheets(BOOK, stop=stop, earlier=(4, 100))
        sheets.fetch_book()
        assert stop.waits == []
        sheets.write_values("Sheet1", 1, [[1]])
        sheets.close()

        assert (server.refused, stop.waits) == (0, [60.0])


@given(
    most=st.integers(1, 6),
    earlier=st.integers(0, 12),
    start=st.floats(0, 1e6),
    gaps=st.lists(st.floats(0, 90), max_size=40),
)
@example(most=1, earlier=0, start=4.1, gaps=[0, 0, 0])  # 4.1 + 60 - 4.1 is less than 60
def test_in_no_minute_are_there_more_calls_than_may_be(
    most: int, earlier: int, start: float, gaps: list[float]
) -> None:
    now = start
    pace = Pace(most, earlier, clock=lambda: now)
    made = [start] * min(earlier, most)

    for gap in gaps:
        now += gap
        for _ in range(5):
            wait = pace.wait()
            if wait == 0:
                break
            assert 0 < wait < MINUTE + 0.001
            now += wait
        else:
            pytest.fail("a turn never comes")
        made.append(now)

    for first, later in zip(made, made[most:], strict=False):
        assert later >= first + MINUTE


# --- stopped


def test_who_is_to_stop_makes_no_call(sheets: Sheets, server: SheetsServer, stop: PatientEvent) -> None:
    stop.set()

    with pytest.raises(Stopped):
        sheets.fetch_book()

    assert (sheets.reads, server.calls) == (0, [])


@pytest.mark.parametrize("cause", ["a retry", "the quota"])
def test_a_wait_ends_at_once(server: SheetsServer, settings: Any, cause: str) -> None:
    stop = NoticedEvent()
    if cause == "the quota":
        settings.SHEETS_CALLS_PER_MINUTE = 1
    else:
        server.fail_always(Fault(status=429, retry_after="100"))
    sheets = Sheets(BOOK, stop=stop)
    ended: list[str] = []

    def work() -> None:
        try:
            sheets.fetch_book()
            sheets.fetch_book()
        except Stopped:
            ended.append("stopped")

    thread = threading.Thread(target=work)
    thread.start()
    assert stop.waited_for.wait(10)
    stop.set()
    thread.join(10)
    sheets.close()

    assert ended == ["stopped"]
    assert server.reads == 1


# --- in words


WORDS = {
    "not shared": (
        Fault(status=403),
        "no access to the workbook: share it with the stand-in's account as an editor "
        "(Google says: The caller does not have permission)",
    ),
    "no such workbook": (
        Fault(status=404),
        "there is no such workbook: check SPREADSHEET_ID, as its address has it behind /d/ "
        "(Google says: Requested entity was not found.)",
    ),
    "refused": (
        Fault(status=400, message='Invalid requests[0].addSheet: A sheet with the name "x" already\n exists.'),
        'Google Sheets refused it (HTTP 400): Invalid requests[0].addSheet: A sheet with the name "x" already exists.',
    ),
    "protected": (
        Fault(status=400, message=f"Invalid requests[1].copyPaste: {PROTECTED}"),
        "the tab is protected against the stand-in's account: let it edit under Data > Protected ranges. "
        f"Google says: Invalid requests[1].copyPaste: {PROTECTED}",
    ),
    "full": (
        Fault(status=400, message="This action would increase the number of cells in the workbook above the limit of "),
        "the workbook is full: delete tabs or rows that nobody needs. Google says: "
        "This action would increase the number of cells in the workbook above the limit of",
    ),
    "somebody else's page": (
        Fault(status=403, body=b"<html>\r\n<title>Proxy\x07</title>\x1b[31mLog in" + b"!" * 1000),
        "no access to the workbook: share it with the stand-in's account as an editor "
        "(Google says: <html> <title>Proxy </title> [31mLog in" + "!" * 261 + ")",
    ),
    "nothing": (Fault(status=400, body=b""), "Google Sheets refused it (HTTP 400): nothing"),
}


@pytest.mark.parametrize(("fault", "words"), WORDS.values(), ids=WORDS)
def test_a_refusal_is_told_in_words_with_what_to_do(
    sheets: Sheets, server: SheetsServer, fault: Fault, words: str
) -> None:
    server.fail_always(fault)

    with pytest.raises(ExportProblem) as problem:
        add_a_tab(sheets)

    assert str(problem.value) == words
    assert server.writes == 1


def test_a_workbook_that_may_only_be_read_is_told_at_the_first_write(sheets: Sheets, server: SheetsServer) -> None:
    server.read_only.add(BOOK)

    sheets.fetch_book()
    with pytest.raises(ExportProblem, match="share it with the stand-in's account as an editor") as problem:
        add_a_tab(sheets)

    assert problem.value.refused


# --- what a reply may be


def test_a_reply_without_end_is_not_read(sheets: Sheets, server: SheetsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets_session, "MOST_BYTES", 100)

    with pytest.raises(ExportProblem, match="no usable answer of Google Sheets"):
        sheets.fetch_book()


def test_a_reply_that_never_ends_is_given_up(
    sheets: Sheets, server: SheetsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets_session, "DEADLINE", -1)

    with pytest.raises(ExportProblem, match="Google Sheets did not answer in time"):
        sheets.fetch_book()


def test_a_redirect_is_not_followed(server: SheetsServer, stop: PatientEvent, settings: Any) -> None:
    redirect = f"HTTP/1.1 302 Found\r\nLocation: {server.url}/v4/spreadsheets/{BOOK}\r\nContent-Length: 0\r\n\r\n"
    with raw_server(*[redirect.encode()] * TRIES) as url:
        settings.GOOGLE_SHEETS_API_URL = url
        sheets = Sheets(BOOK, stop=stop)
        with pytest.raises(ExportProblem, match="no usable answer"):
            sheets.fetch_book()
        sheets.close()

    assert server.calls == []


@given(st.lists(st.lists(st.text(max_size=20), min_size=1, max_size=3), max_size=30), st.integers(1, 200))
def test_rows_are_sent_in_parts_each_of_them_once(rows: list[list[str]], most: int) -> None:
    parts = chunks(rows, most)

    assert [row for part in parts for row in part] == rows
    assert all(len(part) == 1 or sum(len(module.orjson.dumps(row)) + 1 for row in part) <= most for part in parts)


@pytest.mark.parametrize(("place", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_columns_have_the_names_that_a_sheet_shows(place: int, name: str) -> None:
    assert column_name(place) == name


def test_a_tab_that_has_no_cells_is_known_as_such() -> None:
    reply = {
        "spreadsheetUrl": "https://docs.google.com/spreadsheets/d/x/edit#gid=3",
        "properties": {"title": "Book"},
        "sheets": [
            {"properties": {"sheetId": 0, "title": "A", "gridProperties": {"rowCount": 9, "columnCount": 2}}},
            {"properties": {"sheetId": 5, "title": "Chart", "sheetType": "OBJECT"}, "merges": [{"endRowIndex": 2}]},
        ],
    }

    book = parse_book(reply)

    assert [(one.kind, one.rows, one.columns) for one in book.sheets.values()] == [("GRID", 9, 2), ("OBJECT", 0, 0)]
    assert book.sheets["Chart"].merges == ((0, 2, 0, 10**9),)
    assert book.link_to(5) == "https://docs.google.com/spreadsheets/d/x/edit#gid=5"


def test_an_empty_tab_has_no_values_at_all() -> None:
    assert parse_values({"range": "A1:H1000", "majorDimension": "ROWS"}) == []
