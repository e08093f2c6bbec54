"""The old workbook where it lives: Google Sheets, read in three requests.

https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets
"""

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import zip_longest
from typing import Any, Final

import requests
from django.conf import settings
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials
from openpyxl.utils import get_column_letter
from requests.auth import AuthBase

from catalog.sheet import FileProblem, Unreadable
from ingestion.sources.http import HttpClient, NoAuth, Params, UpstreamError
from ingestion.sources.tmdb import decode_json
from ingestion.workbook_file import by_tab, naming, with_errors
from ingestion.workbook_tabs import SHOW_INFO, RawRow, Tab, Workbook, read_tab, tab_called
from trr_site.google_account import AccountProblem, account_email, credentials
from trr_site.spreadsheets import ADDRESS, quoted

MOST_BYTES: Final = 200 * 2**20  # of a reply
TRIES: Final = 8  # the quota is one of a minute: the waits between them add up to a little more
FIELDS: Final = "properties.title,sheets(properties(title,sheetType),merges)"
FIRST_DAY: Final = datetime(1899, 12, 30)  # a day of no zone, as all of a sheet are
LAST_DAY: Final = 2_958_466  # of the year 9999, from there
AN_ID: Final = re.compile(r"[A-Za-z0-9_-]{20,100}")  # Google's have 44 characters


class ServiceAccountAuth(AuthBase):
    """Puts the account's token into the header, where Google wants it; gets a new one when it is over."""

    def __init__(self, account: Credentials) -> None:
        self.account = account
        self.session = requests.Session()
        self.session.auth = NoAuth()  # else a .netrc could add its own
        self.transport = Request(self.session)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.account.before_request(self.transport, request.method, request.url, request.headers)  # type: ignore[no-untyped-call]
        return request


def workbook_id(text: str) -> str | None:
    """The id in a workbook's address, or one as it is; None for what is neither."""
    match = ADDRESS.fullmatch(text)
    return match[1] if match else text if AN_ID.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class About:
    """title: of the workbook. merges: of each tab with cells, the ranges that are merged, like `A2:A5`."""

    title: str
    merges: dict[str, list[str]]


def fetch_workbook(spreadsheet_id: str, stop: threading.Event | None = None) -> Workbook:
    """All our tabs. Raises FileProblem where trying again does not help, UpstreamError where it may, and Stopped."""
    try:
        account = credentials()
    except AccountProblem as error:
        raise FileProblem(f"{error}.") from None
    auth = ServiceAccountAuth(account) if account is not None else NoAuth()
    stop = stop or threading.Event()
    client = HttpClient(max_bytes=MOST_BYTES, auth=auth, tries=TRIES, backoff=settings.SHEETS_BACKOFF, stop=stop)
    try:
        return fetch_tabs(client, f"{settings.GOOGLE_SHEETS_API_URL}/v4/spreadsheets/{spreadsheet_id}")
    except TransportError:  # the texts of these two may be pages long
        failure: Exception = UpstreamError("no connection to Google's login")
    except GoogleAuthError as error:
        failure = (
            UpstreamError("Google's login does not answer as it should")
            if error.retryable
            else FileProblem("Google does not accept the service account's key: is it still valid, the clock right?")
        )
    except UpstreamError as error:
        failure = FileProblem(refusal) if (refusal := refusal_of(error)) else error
    finally:
        client.close()
        if isinstance(auth, ServiceAccountAuth):
            auth.session.close()
    raise failure


def fetch_tabs(client: HttpClient, url: str) -> Workbook:
    about = client.get(url, {"fields": FIELDS}, lambda body: parse_about(decode_json(body)))
    ours = by_tab({title: tab_called(title) for title in about.merges})
    values = fetch_values(client, url, list(ours.values()), "FORMATTED_STRING")
    rows = dict(zip(ours, values, strict=True))
    if SHOW_INFO in ours:
        (typed,) = fetch_values(client, url, [ours[SHOW_INFO]], "SERIAL_NUMBER")
        rows[SHOW_INFO] = with_dates(rows[SHOW_INFO], typed)
    return parse_tabs(about, ours, rows)


def fetch_values(client: HttpClient, url: str, titles: list[str], dates: str) -> list[list[RawRow]]:
    """The rows of these tabs in one request. `dates` says what a date is: a text as people see it, or a number."""
    if not titles:
        return []
    params: Params = {
        "ranges": [quoted(title) for title in titles],
        "valueRenderOption": "UNFORMATTED_VALUE",
        "dateTimeRenderOption": dates,
    }
    return client.get(f"{url}/values:batchGet", params, lambda body: parse_values(decode_json(body), len(titles)))


def refusal_of(error: UpstreamError) -> str:
    """What a person has to mend; empty where it may pass by itself."""
    if error.status in (401, 403):
        return f"No access: share the workbook with {account_email()}. Google says: {error}"
    if error.status == 404:
        return "There is no such workbook: look at the id in its address, behind /d/."
    if error.status is not None and 400 <= error.status < 500 and error.status != 429:
        return f"Google does not give the workbook out: {error}"
    return ""


def parse_tabs(about: About, ours: Mapping[str, str], rows: Mapping[str, Iterable[RawRow]]) -> Workbook:
    """The workbook, of our tabs by their titles there and their rows; raises FileProblem, which names the tab."""
    tabs: dict[str, Tab] = {}
    for tab, title in ours.items():
        with naming(title):
            tabs[tab] = read_tab(tab, map(with_errors, rows[tab]), about.merges[title])
    return Workbook(about.title, tabs, tuple(title for title in about.merges if title not in ours.values()))


def with_dates(shown: Iterable[RawRow], typed: Iterable[RawRow]) -> list[RawRow]:
    """The same rows with dates for the cells that are dates: texts in the one reply, numbers in the other."""
    return [
        (number, [day_of(cell, there) for cell, there in zip_longest(cells, others[: len(cells)])], problem)
        for (number, cells, problem), (_, others, _) in zip_longest(shown, typed, fillvalue=(0, [], ""))
        if number
    ]


def day_of(cell: Any, there: Any) -> Any:
    """The cell, or the moment that it is: Google counts days from 1899-12-30."""
    is_number = isinstance(there, int | float) and not isinstance(there, bool)
    if not isinstance(cell, str) or not is_number:
        return cell
    if not 1 <= there < LAST_DAY:
        return Unreadable(cell, "A time of day. Format the cell as text or as a number.")
    moment = FIRST_DAY + timedelta(days=there)
    return moment.date() if moment.time() == time() else moment


def parse_about(reply: object) -> About:
    """Raises ValueError for a reply of another shape. Charts and connected data have no cells, and are no tabs."""
    try:
        whole: Any = reply
        sheets = [sheet for sheet in whole["sheets"] if sheet["properties"].get("sheetType", "GRID") == "GRID"]
        merges = {
            str(sheet["properties"]["title"]): [range_text(merge) for merge in sheet.get("merges", ())]
            for sheet in sheets
        }
        return About(str(whole["properties"]["title"]), merges)
    except (AttributeError, KeyError, TypeError):
        raise ValueError("the reply does not describe a workbook") from None


def range_text(merge: Mapping[str, int]) -> str:
    """A GridRange, which counts from 0 and leaves out its end, in the way of people."""
    first, last = get_column_letter(merge.get("startColumnIndex", 0) + 1), get_column_letter(merge["endColumnIndex"])
    return f"{first}{merge.get('startRowIndex', 0) + 1}:{last}{merge['endRowIndex']}"


def parse_values(reply: object, count: int) -> list[list[RawRow]]:
    """The rows of each range. An empty one has no `values`, and rows end with their last filled cell.

    Raises ValueError for a reply of another shape.
    """
    ranges = reply.get("valueRanges") if isinstance(reply, dict) else None
    if not isinstance(ranges, list) or len(ranges) != count:
        raise ValueError(f"the reply does not hold {count} ranges")
    found: list[list[RawRow]] = []
    for one in ranges:
        rows = one.get("values", []) if isinstance(one, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise ValueError("the reply does not hold rows of cells")
        found.append([(number, row, "") for number, row in enumerate(rows, start=1)])
    return found
