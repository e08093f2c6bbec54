"""The stand-in for Google Sheets as gspread and a browser meet it: shapes, faults, quota, what is noted."""

from concurrent.futures import ThreadPoolExecutor

import gspread
import pytest
import requests
from gspread.exceptions import APIError

from demo.sheets import Call, Fault, Formula, SheetsServer, Workbook, demo_workbook, start_sheets

pytestmark = pytest.mark.once

HEADER = ["Show", "Network"]


def rows(workbook: Workbook) -> list[list[object]]:
    return workbook.values("ShowInfo")


def add_row(google: gspread.Client, name: str = "Survivor") -> None:
    google.http_client.values_update("book", "ShowInfo!A2", {"valueInputOption": "RAW"}, {"values": [[name]]})


@pytest.fixture
def shows(workbook: Workbook) -> Workbook:
    workbook.add("ShowInfo", [HEADER], row_count=10, column_count=3)
    return workbook


# What is there


def test_gspread_opens_a_workbook_reads_it_and_writes_it(google: gspread.Client, shows: Workbook) -> None:
    spreadsheet = google.open_by_key("book")
    tab = spreadsheet.worksheet("ShowInfo")

    tab.update([["Survivor", "CBS"], ["=1+1", None]], "A2")

    assert spreadsheet.title == "Realitease2025Data"
    assert tab.get_all_values() == [HEADER, ["Survivor", "CBS"], ["=1+1", ""]]
    assert rows(shows) == [HEADER, ["Survivor", "CBS"], ["=1+1"]]


def test_gspread_adds_renames_resizes_hides_freezes_and_deletes_tabs(google: gspread.Client, shows: Workbook) -> None:
    spreadsheet = google.open_by_key("book")

    tab = spreadsheet.add_worksheet("New", rows=5, cols=4)
    tab.update_title("Staging")
    tab.resize(rows=7, cols=2)
    tab.freeze(rows=1)
    tab.hide()

    made = shows.sheet("Staging")
    assert made
    assert (made.row_count, made.column_count, made.frozen_rows, made.hidden) == (7, 2, 1, True)
    assert shows.visible_titles() == ["ShowInfo"]
    spreadsheet.del_worksheet(tab)
    assert shows.titles() == ["ShowInfo"]


def test_the_metadata_has_googles_shape(google: gspread.Client, sheets: SheetsServer, shows: Workbook) -> None:
    shows.add("Old", sheet_id=7, hidden=True)

    reply = google.http_client.fetch_sheet_metadata("book")

    assert (reply["spreadsheetId"], reply["properties"]["title"]) == ("book", "Realitease2025Data")
    assert reply["spreadsheetUrl"] == f"{sheets.url}/spreadsheets/d/book/edit"
    assert [sheet["properties"] for sheet in reply["sheets"]] == [
        {
            "sheetId": 0,
            "title": "ShowInfo",
            "index": 0,
            "sheetType": "GRID",
            "gridProperties": {"rowCount": 10, "columnCount": 3},
        },
        {
            "sheetId": 7,
            "title": "Old",
            "index": 1,
            "sheetType": "GRID",
            "gridProperties": {"rowCount": 1000, "columnCount": 26},
            "hidden": True,
        },
    ]
    assert {*reply["sheets"][0]} == {"properties"}


def test_the_metadata_tells_merges_protected_ranges_and_the_filter(google: gspread.Client, shows: Workbook) -> None:
    tab = shows.sheet("ShowInfo")
    assert tab
    tab.merges = [(0, 1, 0, 2)]
    tab.protected = [(2, 3, 0, 3)]
    tab.own_protected = [(3, 4, 0, 3)]
    tab.filter = (0, 10, 0, 3)

    sheet = google.http_client.fetch_sheet_metadata("book")["sheets"][0]

    assert sheet["merges"] == [
        {"sheetId": 0, "startRowIndex": 0, "endRowIndex": 1, "startColumnIndex": 0, "endColumnIndex": 2}
    ]
    assert [
        (kept["range"]["startRowIndex"], kept.get("requestingUserCanEdit")) for kept in sheet["protectedRanges"]
    ] == [
        (2, None),
        (3, True),
    ]
    assert sheet["basicFilter"]["range"]["endRowIndex"] == 10


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("spreadsheetId", {"spreadsheetId": "book"}),
        ("properties.title,spreadsheetId", {"spreadsheetId": "book", "properties": {"title": "Realitease2025Data"}}),
        ("sheets(properties(sheetId,title),merges)", {"sheets": [{"properties": {"sheetId": 0, "title": "ShowInfo"}}]}),
        ("sheets.properties.title", {"sheets": [{"properties": {"title": "ShowInfo"}}]}),
        (
            "sheets/properties/title, sheets/properties/index",
            {"sheets": [{"properties": {"title": "ShowInfo", "index": 0}}]},
        ),
    ],
)
def test_a_field_mask_picks_parts(google: gspread.Client, shows: Workbook, mask: str, expected: object) -> None:
    assert google.http_client.spreadsheets_get("book", {"fields": mask}) == expected


@pytest.mark.parametrize("mask", ["sheet", "sheets(property)", "sheets(properties", "sheets)", ",", "a..b"])
def test_a_field_mask_with_a_mistake_is_refused(google: gspread.Client, shows: Workbook, mask: str) -> None:
    with pytest.raises(APIError, match=r"\[400\]: Request contains an invalid argument"):
        google.http_client.spreadsheets_get("book", {"fields": mask})


# Who may what


def test_an_unknown_workbook_is_not_found(google: gspread.Client, sheets: SheetsServer) -> None:
    with pytest.raises(APIError) as raised:
        google.http_client.fetch_sheet_metadata("other")

    assert raised.value.response.json() == {
        "error": {"code": 404, "message": "Requested entity was not found.", "status": "NOT_FOUND"}
    }
    assert raised.value.response.headers["Content-Type"] == "application/json; charset=UTF-8"


def test_a_workbook_that_is_not_shared_is_forbidden(google: gspread.Client, sheets: SheetsServer) -> None:
    sheets.forbidden.add("book")

    with pytest.raises(APIError) as raised:
        google.http_client.fetch_sheet_metadata("book")

    assert raised.value.error == {
        "code": 403,
        "message": "The caller does not have permission",
        "status": "PERMISSION_DENIED",
    }


def test_a_read_only_workbook_is_read_and_not_written(
    google: gspread.Client, sheets: SheetsServer, shows: Workbook
) -> None:
    sheets.read_only.add("book")

    assert google.http_client.values_get("book", "ShowInfo")["values"] == [HEADER]
    with pytest.raises(APIError, match=r"\[403\]"):
        add_row(google)
    assert rows(shows) == [HEADER]


def test_a_body_over_10_mb_is_refused_with_a_page(google: gspread.Client, shows: Workbook) -> None:
    with pytest.raises(APIError) as raised:
        google.http_client.batch_update("book", {"requests": [], "more": "x" * 10 * 2**20})

    assert (raised.value.response.status_code, raised.value.response.text[:6]) == (413, "<html>")


@pytest.mark.parametrize("path", ["book/nothing", "book/values", "book:nothing", "book/values:nothing"])
def test_an_unknown_route_is_not_found(sheets: SheetsServer, session: requests.Session, path: str) -> None:
    assert session.post(f"{sheets.url}/v4/spreadsheets/{path}", json={}).status_code == 404


def test_a_body_that_is_not_json_is_refused(sheets: SheetsServer, session: requests.Session, shows: Workbook) -> None:
    answer = session.put(
        f"{sheets.url}/v4/spreadsheets/book/values/ShowInfo", params={"valueInputOption": "RAW"}, data=b"{"
    )

    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


# What is noted


def test_every_call_is_noted_and_counted(google: gspread.Client, sheets: SheetsServer, shows: Workbook) -> None:
    google.http_client.values_get("book", "ShowInfo!A1:B1", {"valueRenderOption": "FORMULA"})
    add_row(google)
    with pytest.raises(APIError):
        google.http_client.values_clear("other", "ShowInfo")

    assert [(call.number, call.method, call.status, call.is_write) for call in sheets.calls] == [
        (1, "GET", 200, False),
        (2, "PUT", 200, True),
        (3, "POST", 404, True),
    ]
    assert (sheets.reads, sheets.writes) == (1, 2)
    read, write = sheets.calls[:2]
    assert (read.path, read.params, read.body) == (
        "/v4/spreadsheets/book/values/ShowInfo!A1:B1",
        {"valueRenderOption": "FORMULA"},
        None,
    )
    assert (write.body, write.bytes) == ({"values": [["Survivor"]]}, len('{"values": [["Survivor"]]}'))


def test_calls_from_several_threads_are_each_done_and_counted(sheets: SheetsServer, shows: Workbook) -> None:
    def add_tabs(name: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            for number in range(10):
                request = {"addSheet": {"properties": {"title": f"{name}{number}"}}}
                session.post(f"{sheets.url}/v4/spreadsheets/book:batchUpdate", json={"requests": [request]})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add_tabs, "abcd"))

    assert len(shows.titles()) == 1 + 40
    assert [call.number for call in sheets.calls] == [*range(1, 41)]
    assert {call.status for call in sheets.calls} == {200}


def test_credentials_that_were_sent_are_noted(sheets: SheetsServer, session: requests.Session, shows: Workbook) -> None:
    session.get(f"{sheets.url}/v4/spreadsheets/book")

    assert sheets.calls[0].headers["authorization"] == "Bearer demo-bearer-token"


def test_what_readers_see_can_be_looked_at_after_each_call(
    google: gspread.Client, sheets: SheetsServer, shows: Workbook
) -> None:
    seen: list[tuple[int, int]] = []
    sheets.after_call = lambda call: seen.append((call.number, len(rows(shows))))
    sheets.fail(2, Fault(status=503))

    google.http_client.values_get("book", "ShowInfo")
    with pytest.raises(APIError):
        add_row(google)
    add_row(google)

    assert seen == [(1, 1), (2, 1), (3, 2)]


def test_what_fails_after_a_call_is_raised_when_the_server_closes(shows: Workbook) -> None:
    def look(call: Call) -> None:
        raise AssertionError("readers saw half a tab")

    server = SheetsServer({"book": shows}).start()
    server.after_call = look
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{server.url}/v4/spreadsheets/book").status_code == 200

    with pytest.raises(AssertionError, match="half a tab"):
        server.close()
    server.close()


# Faults


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (Fault(status=503), 503, "The service is currently unavailable."),
        (Fault(status=500), 500, "Internal error encountered."),
        (Fault(status=403, message="Not today"), 403, "Not today"),
        (Fault(status=429), 429, "Quota exceeded for quota metric 'Write requests'"),
    ],
)
def test_a_call_that_fails_has_no_effect(
    google: gspread.Client, sheets: SheetsServer, shows: Workbook, fault: Fault, status: int, message: str
) -> None:
    sheets.fail(1, fault)

    with pytest.raises(APIError) as raised:
        add_row(google)

    assert raised.value.response.status_code == raised.value.code == sheets.calls[0].status == status
    assert str(raised.value.error["message"]).startswith(message)
    assert rows(shows) == [HEADER]


def test_a_call_may_have_its_effect_before_it_fails(
    google: gspread.Client, sheets: SheetsServer, shows: Workbook
) -> None:
    sheets.fail(1, Fault(after=True, status=503))

    with pytest.raises(APIError, match=r"\[503\]"):
        add_row(google)

    assert rows(shows) == [HEADER, ["Survivor"]]


@pytest.mark.parametrize(("fault", "has_effect"), [(Fault(drop=True), False), (Fault(after=True, drop=True), True)])
def test_a_call_may_get_no_answer(
    google: gspread.Client, sheets: SheetsServer, shows: Workbook, fault: Fault, has_effect: bool
) -> None:
    sheets.fail(1, fault)

    with pytest.raises(requests.ConnectionError):
        add_row(google)

    assert (len(rows(shows)) == 2) is has_effect
    assert sheets.calls[0].status is None


def test_a_reply_may_break_off(google: gspread.Client, sheets: SheetsServer, shows: Workbook) -> None:
    sheets.fail(1, Fault(cut=10))

    with pytest.raises(requests.RequestException):
        add_row(google)

    assert rows(shows) == [HEADER, ["Survivor"]]


def test_a_reply_may_be_something_else(google: gspread.Client, sheets: SheetsServer, shows: Workbook) -> None:
    sheets.fail(1, Fault(status=200, body=b"<html>"))

    with pytest.raises(requests.JSONDecodeError):
        add_row(google)

    assert rows(shows) == [HEADER]


def test_a_reply_may_tell_when_to_come_back(google: gspread.Client, sheets: SheetsServer, shows: Workbook) -> None:
    sheets.fail(1, Fault(status=429, retry_after="1"))

    with pytest.raises(APIError) as raised:
        add_row(google)

    assert raised.value.response.headers["Retry-After"] == "1"


def test_only_the_call_that_was_named_fails_counted_from_now_on(
    google: gspread.Client, sheets: SheetsServer, shows: Workbook
) -> None:
    add_row(google)
    sheets.fail(2, Fault(status=500))

    add_row(google)
    with pytest.raises(APIError):
        add_row(google)
    add_row(google)

    assert [call.status for call in sheets.calls] == [200, 200, 500, 200]


def test_every_call_fails_until_it_is_forgotten(google: gspread.Client, sheets: SheetsServer, shows: Workbook) -> None:
    sheets.fail_always(Fault(status=500), from_call=2)

    add_row(google)
    for _ in range(2):
        with pytest.raises(APIError):
            add_row(google)
    sheets.clear()
    add_row(google)

    assert [(call.number, call.status) for call in sheets.calls] == [(1, 200)]
    assert rows(shows) == [HEADER, ["Survivor"]]


# Quota


def test_what_comes_over_the_quota_waits_for_the_minute_to_pass(
    google: gspread.Client, sheets: SheetsServer, shows: Workbook
) -> None:
    moment = [0.0]
    with SheetsServer({"book": shows}, writes_per_minute=2, clock=lambda: moment[0]) as limited:
        google.http_client.session.url = limited.url  # type: ignore[attr-defined]
        add_row(google)
        moment[0] = 30.0
        add_row(google)
        with pytest.raises(APIError) as raised:
            add_row(google, "late")
        google.http_client.values_get("book", "ShowInfo")
        moment[0] = 60.0
        add_row(google, "again")

        assert (limited.refused, limited.writes, limited.reads) == (1, 4, 1)

    assert "retry-after" not in raised.value.response.headers
    assert raised.value.error["status"] == "RESOURCE_EXHAUSTED"
    assert raised.value.error["message"] == (
        "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per user' of service "
        "'sheets.googleapis.com' for consumer 'project_number:000000000000'."
    )
    assert rows(shows) == [HEADER, ["again"]]


# Pages


def test_the_page_shows_a_tab_to_people_and_is_no_call(
    sheets: SheetsServer, session: requests.Session, workbook: Workbook
) -> None:
    workbook.add("ShowInfo", [["Show", "<b>"], ["A & B", 3]])
    workbook.add("Hidden", [["secret"]], hidden=True)
    workbook.add("Overview", [[Formula("=ShowInfo!A2")]], sheet_id=5)

    first = session.get(f"{sheets.url}/spreadsheets/d/book/edit").text
    other = session.get(f"{sheets.url}/spreadsheets/d/book/edit", params={"gid": "5"}).text

    assert "<th>&lt;b&gt;</th>" in first
    assert '<td>A &amp; B</td><td class="number">3</td>' in first
    assert '<a href="?gid=5">Overview</a>' in first
    assert "Hidden" not in first
    assert 'title="=ShowInfo!A2">A &amp; B</th>' in other
    assert sheets.calls == []


def test_the_page_shows_a_thousand_rows_and_tells_how_many_there_are(
    sheets: SheetsServer, session: requests.Session, workbook: Workbook
) -> None:
    workbook.add("ShowInfo", [[f"row {number}"] for number in range(1200)])

    text = session.get(f"{sheets.url}/spreadsheets/d/book/edit").text

    assert "row 999<" in text
    assert "row 1000<" not in text
    assert "The first 1,000 of 1,200 rows" in text


@pytest.mark.parametrize("path", ["/", "/spreadsheets/d/other/edit"])
def test_other_pages_are_not_here(sheets: SheetsServer, session: requests.Session, path: str) -> None:
    assert session.get(sheets.url + path).status_code == 404


# The demo's


def test_the_workbook_of_the_demo_is_as_the_old_one_was() -> None:
    workbook = demo_workbook()

    shows = workbook.values("ShowInfo")

    assert shows[0][:8] == [
        *("Show", "Network", "ShowTotalSeasons", "ShowTotalEpisodes", "IMDbSeriesID", "TMDbSeriesID"),
        *("Most Recent Episode", "OVERRIDE"),
    ]
    assert shows[3][0] == workbook.values("Overview")[2][1] == "The Real Housewives of Beverly Hills"
    assert shows[3][9]
    assert workbook.values("Overview")[1] == ["Shows, and the head", 5]


def test_a_server_takes_another_port_where_its_own_is_taken(sheets: SheetsServer) -> None:
    with start_sheets(sheets.port) as other:
        assert other.port not in (0, sheets.port)
