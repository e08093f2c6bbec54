"""Formulas of the stand-in workbook: the few that show whether a tab, a row or a column lives on.

A reference is bound to the row and the column it points at, not to their numbers: it follows them
wherever they move, and reads #REF! once they or their tab are gone, as in Google Sheets.
"""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from demo.sheets_ranges import column_letters, column_number, quoted, unquoted

if TYPE_CHECKING:
    from demo.sheets_workbook import Column, Row, Sheet

TAB = r"(?:(?P<tab>'(?:[^']|'')+'|[^\W\d]\w*)!)?"
CELL = re.compile(rf"={TAB}(?P<lock_column>\$?)(?P<column>[A-Za-z]{{1,3}})(?P<lock_row>\$?)(?P<row>[1-9]\d*)")
COUNTA = re.compile(rf"=COUNTA\({TAB}\$?(?P<column>[A-Za-z]{{1,3}}):\$?(?P<end>[A-Za-z]{{1,3}})\)", re.IGNORECASE)

NO_REFERENCE = "#REF!"
NO_NAME = "#NAME?"


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as it is typed, with its equals sign."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A formula in a cell. `row` is None for a whole column; `text` is kept where nothing is understood."""

    text: str
    counts: bool = False  # COUNTA of the column
    names_tab: bool = False
    sheet: "Sheet | None" = None
    row: "Row | None" = None
    column: "Column | None" = None
    lock_row: str = ""  # "$" or ""
    lock_column: str = ""


def bind(formula: Formula, home: "Sheet") -> Bound:
    """The formula as a cell of `home` keeps it. What points at nothing reads #REF! for ever."""
    counted, single = COUNTA.fullmatch(formula.text), CELL.fullmatch(formula.text)
    found = counted or single
    if found is None or (counted and counted["column"].upper() != counted["end"].upper()):
        return Bound(formula.text)
    names_tab = found["tab"] is not None
    sheet = home.workbook.find(unquoted(found["tab"])) if names_tab else home
    column = column_number(found["column"])
    row = int(found["row"]) - 1 if single else 0
    if sheet is None or column >= sheet.column_count or row >= sheet.row_count:
        return Bound(NO_REFERENCE)
    bound = Bound(formula.text, bool(counted), names_tab, sheet, column=sheet.columns[column])
    if single:
        bound = replace(bound, row=sheet.row_at(row), lock_row=single["lock_row"], lock_column=single["lock_column"])
    return bound


def text_of(bound: Bound) -> str:
    """The formula as a reader sees it now: with the tab's present title and the row's present number."""
    sheet = bound.sheet
    if sheet is None:
        return "=" + NO_REFERENCE if bound.text == NO_REFERENCE else bound.text
    if not sheet.is_alive:
        return f"=COUNTA({NO_REFERENCE})" if bound.counts else "=" + NO_REFERENCE
    row, column = position(bound)
    letters = "" if column is None else column_letters(column)
    tab = f"{quoted(sheet.title)}!" if bound.names_tab else ""
    if bound.counts:
        return f"=COUNTA({tab}{letters}:{letters})" if letters else f"=COUNTA({tab}{NO_REFERENCE})"
    if row is None or column is None:
        return f"={tab}{NO_REFERENCE}"
    return f"={tab}{bound.lock_column}{letters}{bound.lock_row}{row + 1}"


def position(bound: Bound) -> tuple[int | None, int | None]:
    """Where the row and the column stand now; None for what is gone, and for the row of a whole column."""
    assert bound.sheet is not None
    row = None if bound.row is None else bound.sheet.number_of(bound.row)
    columns = bound.sheet.columns
    column = next((number for number, other in enumerate(columns) if other is bound.column), None)
    return row, column


def evaluate(bound: Bound, seen: tuple[Bound, ...] = ()) -> Any:
    """What the cell shows: a value, None for a blank one, or an error's text."""
    sheet = bound.sheet
    if sheet is None:
        return NO_REFERENCE if bound.text == NO_REFERENCE else NO_NAME
    row, column = position(bound)
    if not sheet.is_alive or column is None or bound in seen:
        return NO_REFERENCE
    if bound.counts:
        return sum(1 for cell in sheet.cells_of_column(column) if cell is not None)
    if row is None:
        return NO_REFERENCE
    cell = sheet.cell(row, column)
    return evaluate(cell, (*seen, bound)) if isinstance(cell, Bound) else cell


def shifted(bound: Bound, rows: int, columns: int, home: "Sheet") -> Bound:
    """A copy for a cell so many rows down and columns to the right: what is not locked moves with it."""
    if bound.sheet is None or not bound.sheet.is_alive:
        return bound
    row, column = position(bound)
    if column is None or (row is None and not bound.counts):
        return bound
    sheet = bound.sheet if bound.names_tab else home
    column += 0 if bound.lock_column else columns
    row = None if row is None else row + (0 if bound.lock_row else rows)
    if not (0 <= column < sheet.column_count and (row is None or 0 <= row < sheet.row_count)):
        return Bound(NO_REFERENCE)
    return replace(bound, sheet=sheet, column=sheet.columns[column], row=None if row is None else sheet.row_at(row))
