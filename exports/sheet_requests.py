"""Requests of one batchUpdate, in Google's words.

https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/request
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from exports.layout import Layout
from exports.tables import HEADER, Cell, Row, Table

Request: TypeAlias = Mapping[str, Any]


def stage_added(sheet_id: int, title: str, *, rows: int, columns: int) -> Request:
    grid = {"rowCount": rows, "columnCount": columns}
    return {"addSheet": {"properties": {"sheetId": sheet_id, "title": title, "hidden": True, "gridProperties": grid}}}


def first_publication(stage_id: int, table: Table) -> list[Request]:
    """The staging tab itself becomes the tab, with a header that stays in sight."""
    grid = {"frozenRowCount": HEADER}
    properties = {"sheetId": stage_id, "title": table.title, "hidden": False, "gridProperties": grid}
    fields = "title,hidden,gridProperties.frozenRowCount"
    return [{"updateSheetProperties": {"properties": properties, "fields": fields}}]


def row_requests(sheet_id: int, layout: Layout) -> list[Request]:
    requests: list[Request] = []
    if layout.append:
        requests.append(appended(sheet_id, "ROWS", layout.append))
    if layout.insert:
        requests.append(inserted(sheet_id, "ROWS", layout.insert_at, layout.insert))
    for first, behind, target in layout.moves:
        source = dimension(sheet_id, "ROWS", first, behind)
        requests.append({"moveDimension": {"source": source, "destinationIndex": target}})
    return requests


def columns_inserted(sheet_id: int, at: int, count: int) -> Request:
    return inserted(sheet_id, "COLUMNS", at, count)


def inserted(sheet_id: int, what: str, at: int, count: int) -> Request:
    return {"insertDimension": {"range": dimension(sheet_id, what, at, at + count), "inheritFromBefore": True}}


def appended(sheet_id: int, what: str, count: int) -> Request:
    return {"appendDimension": {"sheetId": sheet_id, "dimension": what, "length": count}}


def dimension(sheet_id: int, what: str, start: int, end: int) -> Mapping[str, Any]:
    return {"sheetId": sheet_id, "dimension": what, "startIndex": start, "endIndex": end}


def values_written(sheet_id: int, rows: Sequence[Row], *, first: int, end: int, columns: int) -> Request:
    """Puts cells in by their place, from row `first` (0 is the header) on, and empties ours below them to `end`.

    Not by pasting what is staged: a paste passes over rows that a reader's filter hides. What cells look like stays.
    """
    place = {**block(sheet_id, end, columns), "startRowIndex": first}
    return {
        "updateCells": {
            "range": place,
            "rows": [{"values": [cell_written(cell) for cell in row]} for row in rows],
            "fields": "userEnteredValue",
        }
    }


def cell_written(cell: Cell) -> Mapping[str, Any]:
    """With its kind: no text is taken for a formula, a date or a number. An empty text is an empty cell."""
    if isinstance(cell, str):
        return {"userEnteredValue": {"stringValue": cell}} if cell else {}
    return {"userEnteredValue": {"boolValue" if isinstance(cell, bool) else "numberValue": cell}}


def deletion(sheet_id: int) -> Request:
    return {"deleteSheet": {"sheetId": sheet_id}}


def block(sheet_id: int, rows: int, columns: int) -> Mapping[str, Any]:
    """The cells from A1 on."""
    return {
        "sheetId": sheet_id,
        "startRowIndex": 0,
        "endRowIndex": rows,
        "startColumnIndex": 0,
        "endColumnIndex": columns,
    }
