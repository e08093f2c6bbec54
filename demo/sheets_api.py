"""The routes of the stand-in for Google Sheets v4: a request to a workbook, and its reply as a value."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import orjson

from demo import sheets_values as values
from demo.server import Request
from demo.sheets_batch import apply_batch
from demo.sheets_errors import Json, Refused
from demo.sheets_fields import masked
from demo.sheets_ranges import GridRange
from demo.sheets_tabs import sheet_properties
from demo.sheets_workbook import Sheet, Workbook

PREFIX = "/v4/spreadsheets/"
PATH = re.compile(r"/v4/spreadsheets/(?P<id>[^/:]+)(?P<rest>.*)", re.DOTALL)
CLEAR = ":clear"


def spreadsheet_id(path: str) -> str | None:
    found = PATH.fullmatch(path)
    return found["id"] if found else None


def parse_body(body: bytes) -> Any:
    """The decoded JSON; None where there is none. Raises Refused where it is something else."""
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused("Invalid JSON payload received. Unable to parse number.") from None


def answer(workbook: Workbook, request: Request, body: Any, url: str) -> Json:
    """Carry the call out. Raises Refused, and then nothing has changed. `url` is where the pages are."""
    found = PATH.fullmatch(request.path)
    assert found
    key, rest, params = found["id"], found["rest"], request.params
    if request.method == "GET":
        if not rest:
            whole = spreadsheet(workbook, key, url)
            return masked(whole, params["fields"]) if params.get("fields") else whole
        if rest == "/values:batchGet":
            return values.batch_get(workbook, key, parse_qs(request.query).get("ranges", []), params)
        if rest.startswith("/values/"):
            return values.get_values(workbook, rest.removeprefix("/values/"), params)
    if request.method == "PUT" and rest.startswith("/values/"):
        return values.update_values(workbook, key, rest.removeprefix("/values/"), params, body)
    if request.method == "POST":
        if call := POSTS.get(rest):
            return call(workbook, key, body)
        if rest.startswith("/values/") and rest.endswith(CLEAR):
            return values.clear_values(workbook, key, rest.removeprefix("/values/").removesuffix(CLEAR))
    raise Refused("Requested entity was not found.", 404)


def _batch_update(workbook: Workbook, key: str, body: Any) -> Json:
    requests = body.get("requests") if isinstance(body, dict) else None
    return {"spreadsheetId": key, "replies": apply_batch(workbook, requests)}


POSTS: dict[str, Callable[[Workbook, str, Any], Json]] = {
    ":batchUpdate": _batch_update,
    "/values:batchUpdate": values.batch_update_values,
    "/values:batchClear": values.batch_clear,
}


def spreadsheet(workbook: Workbook, key: str, url: str) -> Json:
    """What spreadsheets.get says without grid data."""
    return {
        "spreadsheetId": key,
        "properties": {
            "title": workbook.title,
            "locale": "en_US",
            "autoRecalc": "ON_CHANGE",
            "timeZone": "Etc/GMT",
        },
        "sheets": [_sheet(sheet) for sheet in workbook.sheets],
        "spreadsheetUrl": f"{url}/spreadsheets/d/{key}/edit",
    }


def _sheet(sheet: Sheet) -> Json:
    """Merges, protected ranges and the filter are absent where there are none."""
    found: Json = {"properties": sheet_properties(sheet)}
    if sheet.merges:
        found["merges"] = [GridRange(*area).json(sheet.sheet_id) for area in sheet.merges]
    if protected := _protected(sheet):
        found["protectedRanges"] = protected
    if sheet.filter:
        found["basicFilter"] = {"range": GridRange(*sheet.filter).json(sheet.sheet_id)}
    return found


def _protected(sheet: Sheet) -> list[Json]:
    found: list[Json] = []
    for areas, ours in ((sheet.protected, {}), (sheet.own_protected, {"requestingUserCanEdit": True})):
        for area in areas:
            json = {"protectedRangeId": 1000 + len(found), "range": GridRange(*area).json(sheet.sheet_id)}
            found.append({**json, **ours})
    return found
