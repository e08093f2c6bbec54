"""The workbook read from a stand-in for Google Sheets, and what is told when it can't be."""

import json
import threading
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from catalog.sheet import FileProblem, Unreadable
from demo.server import Reply
from demo.sheets import Fault, Formula, GridRange, SheetsServer, Workbook
from demo.upstream import Upstream
from ingestion.sources import http
from ingestion.sources.google_workbook import (
    day_of,
    fetch_workbook,
    parse_about,
    parse_values,
    with_dates,
    workbook_id,
)
from ingestion.sources.http import Stopped, UpstreamError
from ingestion.workbook_shows import parse_show
from ingestion.workbook_tabs import SHOW_INFO
from trr_site import google_account

from .workbooks import CAST, SHOW_HEADER, SURVIVOR

pytestmark = pytest.mark.once

BOOK = "1yXHRaUTFlGV-Axis4vLHtoPvGUj3C_-awA_5sLK8k6g"


@pytest.fixture
def workbook() -> Workbook:
    book = Workbook("Realitease2025Data")
    book.add(SHOW_INFO, [SHOW_HEADER, SURVIVOR])
    book.add("Overview", [["x"]])
    return book


@pytest.fixture
def server(settings: Any, workbook: Workbook) -> Iterator[SheetsServer]:
    with SheetsServer({BOOK: workbook}) as server:
        settings.GOOGLE_SHEETS_API_URL = server.url
        yield server


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (BOOK, BOOK),
        (f"https://docs.google.com/spreadsheets/d/{BOOK}/edit#gid=0", BOOK),
        (f"https://docs.google.com/spreadsheets/d/{BOOK}", BOOK),
        (f"https://docs.google.com/spreadsheets/u/1/d/{BOOK}/edit?gid=5", BOOK),
        (f"https://example.org/spreadsheets/d/{BOOK}/edit", None),
        ("shows.xlsx", None),
        ("old", None),
    ],
)
def test_a_workbook_is_named_by_its_id_or_its_address(text, found):
    assert workbook_id(text) == found


def test_all_tabs_are_read_in_three_requests_without_credentials(server, workbook):
    workbook.add("CastInfo", [["Name", "IMDbCastID", "IMDbSeriesID"], [CAST[0], CAST[2], CAST[4]]])
    workbook.add("FinalList")

    read = fetch_workbook(BOOK)

    assert (read.name, set(read.tabs), read.not_read) == (
        "Realitease2025Data", {SHOW_INFO, "CastInfo", "FinalList"}, ("Overview",),
    )  # fmt: skip
    assert read.tabs[SHOW_INFO].rows[0].cells["ShowTotalEpisodes"] == 640
    assert read.tabs["CastInfo"].rows[0].cells == {
        "Name": "Kyle Richards", "IMDbCastID": "nm0724153", "IMDbSeriesID": "tt0239195",
    }  # fmt: skip
    assert read.tabs["FinalList"].header == 0
    assert [call.method for call in server.calls] == ["GET"] * 3
    assert not any("authorization" in call.headers for call in server.calls)


def test_a_workbook_without_our_tabs_costs_one_request(server, workbook):
    workbook.sheets[:] = workbook.sheets[1:]

    assert fetch_workbook(BOOK).tabs == {}
    assert server.reads == 1


def test_values_come_as_they_are_and_not_as_they_look(server, workbook):
    sheet = workbook.sheet(SHOW_INFO)
    sheet.put(1, 5, 14658)
    sheet.put(1, 0, "'90s TV")
    sheet.put(1, 7, Formula("=nonsense"))

    cells = fetch_workbook(BOOK).tabs[SHOW_INFO].rows[0].cells

    assert (cells["TMDbSeriesID"], cells["Show"]) == (14658, "'90s TV")
    assert cells["OVERRIDE"] == Unreadable("#NAME?", "An error of the spreadsheet.")


def test_a_cell_that_google_has_made_a_date_is_one_and_a_text_that_looks_like_it_is_none(server, workbook):
    session = requests.Session()
    session.trust_env = False
    with session:
        session.put(
            f"{server.url}/v4/spreadsheets/{BOOK}/values/ShowInfo!A3:H4",
            params={"valueInputOption": "USER_ENTERED"},
            json={"values": [["9/1/2001", "CBS", 1, 2, "", 1, "12/20/2023", ""], ["'9/1/2001", True, "", "", "", 2]]},
        ).raise_for_status()
    server.clear()

    _, first, second = fetch_workbook(BOOK).tabs[SHOW_INFO].rows

    assert (first.cells["Show"], first.cells["Most Recent Episode"]) == (date(2001, 9, 1), date(2023, 12, 20))
    assert (second.cells["Show"], second.cells["Network"]) == ("9/1/2001", True)
    assert parse_show(first).reason.startswith("Show '2001-09-01': a date to the spreadsheet")


@pytest.mark.parametrize(
    ("cell", "there", "found"),
    [
        ("9/1/2001", 37135, date(2001, 9, 1)),
        ("9/1/2001 12:00", 37135.5, datetime(2001, 9, 1, 12)),
        ("9:11", 0.38, Unreadable("9:11", "A time of day. Format the cell as text or as a number.")),
        ("-1:00", -0.04, Unreadable("-1:00", "A time of day. Format the cell as text or as a number.")),
        ("far away", 2_958_466, Unreadable("far away", "A time of day. Format the cell as text or as a number.")),
        ("24", "24", "24"),
        (24, 24, 24),
        (True, True, True),
        ("x", None, "x"),  # it was changed between the two requests
        ("x", True, "x"),
    ],
)
def test_a_date_is_a_text_in_one_reply_and_a_number_in_the_other(cell, there, found):
    assert day_of(cell, there) == found


def test_replies_of_two_lengths_are_those_of_a_sheet_that_was_edited_meanwhile():
    shown = [(1, ["a", "b"], ""), (2, ["c"], "")]

    assert with_dates(shown, [(1, ["a"], "")]) == shown
    assert with_dates(shown, [(1, ["a", "b", "x"], ""), (2, ["c"], ""), (3, ["new"], "")]) == shown


def test_merged_cells_are_found(server, workbook):
    workbook.sheet(SHOW_INFO).merges.append(GridRange(1, 3, 7, 8))

    assert fetch_workbook(BOOK).tabs[SHOW_INFO].rows[0].problem.startswith("H2:H3 is merged")


def test_titles_with_quotes_are_asked_for_as_they_are(server, workbook):
    workbook.add("cast_info", [["Name"], ["A"]])  # our tab by another spelling
    workbook.add("Dana's", [["x"]])

    assert fetch_workbook(BOOK).tabs["CastInfo"].rows[0].cells == {"Name": "A"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, "There is no such workbook: look at the id in its address, behind /d/."),
        (403, "No access: share the workbook with the stand-in's account. Google says: HTTP 403: Not you"),
        (401, "No access: share the workbook with the stand-in's account. Google says: HTTP 401: Not you"),
        (400, "Google does not give the workbook out: HTTP 400: Not you"),
    ],
)
def test_a_refusal_is_told_in_words_after_one_request(server, status, reason):
    server.fail(1, Fault(status=status, message="Not you"))

    with pytest.raises(FileProblem) as error:
        fetch_workbook(BOOK)

    assert str(error.value) == reason
    assert server.reads == 1


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429),
        Fault(status=503),
        Fault(drop=True),
        Fault(cut=10),
        Fault(status=200, body=b"<html>"),
        Fault(status=200, body=b"[]"),
        Fault(status=200, body=b'{"valueRanges": [7], "sheets": [7]}'),
    ],
)
def test_what_may_pass_is_tried_again(server, call, fault):
    server.fail(call, fault)

    assert fetch_workbook(BOOK).tabs[SHOW_INFO].rows
    assert server.reads == 4


def test_what_does_not_pass_is_told_as_what_may(server, monkeypatch):
    monkeypatch.setattr("ingestion.sources.google_workbook.TRIES", 2)
    server.fail_always(Fault(status=503, message="The service is currently unavailable."))

    with pytest.raises(UpstreamError, match=r"HTTP 503: The service is currently unavailable. \(2 tries\)"):
        fetch_workbook(BOOK)


def test_a_quota_of_a_minute_is_waited_for(server, settings, monkeypatch):
    waits = []
    settings.SHEETS_BACKOFF = 1.0
    monkeypatch.setattr(http.HttpClient, "_sleep", lambda self, seconds: waits.append(seconds))
    monkeypatch.setattr(http.random, "uniform", lambda low, high: 0.9)
    server.fail_always(Fault(status=429))

    with pytest.raises(UpstreamError):
        fetch_workbook(BOOK)

    assert sum(waits) > 60


def test_a_signal_ends_the_waiting(server):
    stop = threading.Event()
    stop.set()

    with pytest.raises(Stopped):
        fetch_workbook(BOOK, stop)


def test_a_problem_of_a_tab_says_which(server, workbook):
    workbook.sheet(SHOW_INFO).put(0, 300, "x")

    with pytest.raises(FileProblem, match=r"^ShowInfo: More than 256 columns"):
        fetch_workbook(BOOK)


@pytest.mark.parametrize("reply", [None, [], {}, {"sheets": 1}, {"sheets": [{}], "properties": {}}, {"sheets": []}])
def test_a_reply_that_describes_no_workbook_is_refused(reply):
    with pytest.raises(ValueError, match="does not describe a workbook"):
        parse_about(reply)


@pytest.mark.parametrize("reply", [None, {}, {"valueRanges": [{}]}, {"valueRanges": [{}, {"values": [1]}]}])
def test_a_reply_that_holds_no_rows_is_refused(reply):
    with pytest.raises(ValueError, match="the reply does not hold"):
        parse_values(reply, 2)


def test_tabs_without_cells_are_no_tabs():
    sheets = [
        {"properties": {"title": "Chart1", "sheetType": "OBJECT"}},
        {"properties": {"title": "A", "sheetType": "GRID"}, "merges": [{"endRowIndex": 2, "endColumnIndex": 27}]},
    ]

    about = parse_about({"properties": {"title": "Book"}, "sheets": sheets})
    assert about.merges == {"A": ["A1:AA2"]}


# --- with a service account, as to Google itself

TOKEN = "ya29.a-token-that-is-told-to-nobody"
EMAIL = "trr@example.iam.gserviceaccount.com"


@pytest.fixture
def login(server: SheetsServer, settings: Any, tmp_path: Any, monkeypatch: Any) -> Iterator[Upstream]:
    """A stand-in for Google's login too; the workbook's stand-in passes for Google."""
    monkeypatch.setattr(google_account, "GOOGLE", server.url)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with Upstream(shows={}) as upstream:
        path = tmp_path / "key.json"
        path.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "client_email": EMAIL,
                    "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
                    "token_uri": f"{upstream.url}/token",
                }
            )
        )
        settings.GOOGLE_APPLICATION_CREDENTIALS = str(path)
        yield upstream


def test_the_accounts_token_is_sent_to_google(server, login):
    login.always("/token", Reply(body={"access_token": TOKEN, "expires_in": 3600}))

    assert fetch_workbook(BOOK).tabs[SHOW_INFO].rows
    assert [call.headers["authorization"] for call in server.calls] == [f"Bearer {TOKEN}"] * 3


def test_a_netrc_is_sent_to_nobody(server, login, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login a-person password of-somebody\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    login.always("/token", Reply(body={"access_token": TOKEN, "expires_in": 3600}))

    assert fetch_workbook(BOOK).tabs[SHOW_INFO].rows

    assert {call.headers["authorization"] for call in server.calls} == {f"Bearer {TOKEN}"}
    assert login.requests
    assert not [request for request in login.requests if "authorization" in request.headers]


def test_a_netrc_is_not_sent_without_an_account_either(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login a-person password of-somebody\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    fetch_workbook(BOOK)

    assert not any("authorization" in call.headers for call in server.calls)


def test_who_a_workbook_must_be_shared_with_is_told_and_no_token(server, login):
    login.always("/token", Reply(body={"access_token": TOKEN, "expires_in": 3600}))
    server.forbidden.add(BOOK)

    with pytest.raises(FileProblem) as error:
        fetch_workbook(BOOK)

    assert f"share the workbook with {EMAIL}" in str(error.value)
    assert TOKEN not in str(error.value)


def test_a_key_that_google_does_not_accept_is_told_in_words(server, login):
    login.always("/token", Reply(400, {"error": "invalid_grant", "error_description": f"Invalid {TOKEN}"}))

    with pytest.raises(FileProblem, match="does not accept the service account's key") as error:
        fetch_workbook(BOOK)

    assert TOKEN not in str(error.value)
    assert not server.calls


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Reply(drop=True), "no connection to Google's login"), (Reply(503), "login does not answer as it should")],
)
def test_a_login_that_is_away_may_come_back(server, login, monkeypatch, answer, reason):
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda seconds: None)
    login.always("/token", answer)

    with pytest.raises(UpstreamError, match=reason):
        fetch_workbook(BOOK)


def test_a_key_file_that_is_damaged_is_told_before_any_request(server, login, settings, tmp_path):
    (tmp_path / "key.json").write_text('{"type": "service_account"}')

    with pytest.raises(FileProblem, match="is damaged: download it once more"):
        fetch_workbook(BOOK)

    assert not server.calls
