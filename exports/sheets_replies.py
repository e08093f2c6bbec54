"""The workbook and its cells, out of the replies of Google Sheets. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

BOOK_FIELDS: Final = "spreadsheetId,spreadsheetUrl,properties.title,sheets(properties,merges)"


@dataclass(frozen=True, slots=True)
class SheetInfo:
    """A tab of the workbook. merges: (first row, row behind the last, first column, column behind the last)."""

    sheet_id: int
    title: str
    kind: str
    rows: int
    columns: int
    merges: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    title: str
    link: str
    sheets: dict[str, SheetInfo]

    def ids(self) -> set[int]:
        return {sheet.sheet_id for sheet in self.sheets.values()}

    def link_to(self, sheet_id: int) -> str:
        return f"{self.link.split('#')[0]}#gid={sheet_id}"


def parse_book(reply: Mapping[str, Any]) -> Book:
    """https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/get; `merges` may be absent."""
    link = reply["spreadsheetUrl"]
    if urlsplit(link).scheme not in ("http", "https"):
        raise ValueError
    return Book(
        title=reply["properties"]["title"],
        link=link,
        sheets={sheet["properties"]["title"]: parse_sheet(sheet) for sheet in reply["sheets"]},
    )


def parse_sheet(sheet: Mapping[str, Any]) -> SheetInfo:
    properties, grid = sheet["properties"], sheet["properties"].get("gridProperties", {})
    return SheetInfo(
        sheet_id=properties["sheetId"],
        title=properties["title"],
        kind=properties.get("sheetType", "GRID"),
        rows=grid.get("rowCount", 0),
        columns=grid.get("columnCount", 0),
        merges=tuple(parse_range(one) for one in sheet.get("merges", ())),
    )


def parse_range(one: Mapping[str, int]) -> tuple[int, int, int, int]:
    """A bound that is absent is the sheet's own; the first one is absent for 0 too."""
    far = 10**9
    return (
        one.get("startRowIndex", 0),
        one.get("endRowIndex", far),
        one.get("startColumnIndex", 0),
        one.get("endColumnIndex", far),
    )


def parse_values(reply: Mapping[str, Any]) -> list[list[Any]]:
    """`values` is absent where all cells are empty."""
    rows = reply.get("values", [])
    if not all(isinstance(row, list) for row in rows):
        raise ValueError
    return list(rows)


def column_name(place: int) -> str:
    """A for 0."""
    name, place = "", place + 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(65 + rest) + name
    return name
