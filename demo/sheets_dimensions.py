"""Rows and columns that are inserted, deleted and moved, with everything that hangs on them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from demo.sheets_errors import PROTECTED, Refused
from demo.sheets_ranges import Area, GridRange
from demo.sheets_workbook import Column, Sheet

ROWS, COLUMNS = "ROWS", "COLUMNS"
Span = tuple[int, int]


class Change(NamedTuple):
    """Where an index and a span go; None where they are deleted."""

    place: Callable[[int], int | None]
    span: Callable[[int, int], Span | None]


def length(sheet: Sheet, dimension: str) -> int:
    return sheet.row_count if dimension == ROWS else sheet.column_count


def across(sheet: Sheet, dimension: str, start: int, end: int) -> GridRange:
    """The whole rows or columns from start to end."""
    if dimension == ROWS:
        return sheet.grid._replace(start_row=start, end_row=end)
    return sheet.grid._replace(start_column=start, end_column=end)


def refuse_protected(sheet: Sheet, area: GridRange) -> None:
    """Raises Refused where our account may not write the whole area."""
    if any(area.touches(GridRange(*kept)) for kept in sheet.protected):
        raise Refused(PROTECTED)


def refuse_whole_protected(sheet: Sheet) -> None:
    """Raises Refused where the tab as a whole is protected: then its properties are, too."""
    for kept in map(GridRange._make, sheet.protected):
        if (
            kept.start_row == kept.start_column == 0
            and kept.end_row >= sheet.row_count
            and kept.end_column >= sheet.column_count
        ):
            raise Refused(PROTECTED)


def insert(sheet: Sheet, dimension: str, start: int, count: int) -> None:
    """So many blank ones before `start`; at the end, where `start` is their number."""
    if dimension == ROWS:
        if start < len(sheet.rows):
            sheet.rows[start:start] = [None] * count
        sheet.row_count += count
    else:
        sheet.columns[start:start] = [Column() for _ in range(count)]
        for row in sheet.rows:
            if row and start < len(row.cells):
                row.cells[start:start] = [None] * count

    def span(first: int, end: int) -> Span:
        return (first + count if first >= start else first, end + count if end > start else end)

    _follow(sheet, dimension, Change(lambda index: index + count if index >= start else index, span))


def delete(sheet: Sheet, dimension: str, start: int, end: int) -> None:
    count = end - start
    if dimension == ROWS:
        del sheet.rows[start:end]
        sheet.row_count -= count
        sheet.frozen_rows -= _overlap(0, sheet.frozen_rows, start, end)
    else:
        del sheet.columns[start:end]
        for row in sheet.rows:
            if row:
                del row.cells[start:end]
        sheet.frozen_columns -= _overlap(0, sheet.frozen_columns, start, end)

    def place(index: int) -> int | None:
        if index < start:
            return index
        return index - count if index >= end else None

    def span(first: int, last: int) -> Span | None:
        first_kept = first - _overlap(0, first, start, end)
        last_kept = last - _overlap(0, last, start, end)
        return (first_kept, last_kept) if first_kept < last_kept else None

    _follow(sheet, dimension, Change(place, span))


def move(sheet: Sheet, dimension: str, start: int, end: int, destination: int) -> None:
    """Move them before `destination`, an index from before the move that does not lie inside them."""
    count = end - start
    target = destination if destination <= start else destination - count
    if dimension == ROWS:
        sheet.reach(max(end, destination))
        moved = sheet.rows[start:end]
        del sheet.rows[start:end]
        sheet.rows[target:target] = moved
    else:
        columns = sheet.columns[start:end]
        del sheet.columns[start:end]
        sheet.columns[target:target] = columns
        for row in sheet.rows:
            if row and len(row.cells) > min(start, destination):
                row.cells.extend([None] * (max(end, destination) - len(row.cells)))
                cells = row.cells[start:end]
                del row.cells[start:end]
                row.cells[target:target] = cells

    def place(index: int) -> int:
        if start <= index < end:
            return index - start + target
        if destination <= index < start:
            return index + count
        return index - count if end <= index < destination else index

    def span(first: int, last: int) -> Span:
        # What moves as a whole takes its range along; another range keeps its place on the screen.
        begins, ends = place(first), place(last - 1) + 1
        return (begins, ends) if ends - begins == last - first else (first, last)

    _follow(sheet, dimension, Change(place, span))


def torn_by(sheet: Sheet, dimension: str, start: int, end: int, destination: int) -> bool:
    """Whether a merged cell would be in two places after this move."""
    for merge in map(GridRange._make, sheet.merges):
        first, last = (merge.start_row, merge.end_row) if dimension == ROWS else (merge.start_column, merge.end_column)
        moved = _overlap(first, last, start, end)
        if first < destination < last or moved not in (0, last - first):
            return True
    return False


def _overlap(first: int, last: int, start: int, end: int) -> int:
    return max(0, min(last, end) - max(first, start))


def _follow(sheet: Sheet, dimension: str, change: Change) -> None:
    """Let notes, formats, widths and ranges go where their rows or columns went."""
    if dimension == ROWS:
        sheet.renumber()
    else:
        sheet.column_widths = {
            place: width for column, width in sheet.column_widths.items() if (place := change.place(column)) is not None
        }
    sheet.notes = _placed(sheet.notes, dimension, change)
    sheet.formats = _placed(sheet.formats, dimension, change)
    sheet.merges = _spanned(sheet.merges, dimension, change)
    sheet.protected = _spanned(sheet.protected, dimension, change)
    sheet.own_protected = _spanned(sheet.own_protected, dimension, change)
    if sheet.filter:
        sheet.filter = next(iter(_spanned([sheet.filter], dimension, change)), None)


def _placed(kept: dict[tuple[int, int], Any], dimension: str, change: Change) -> dict[tuple[int, int], Any]:
    found: dict[tuple[int, int], Any] = {}
    for (row, column), value in kept.items():
        place = change.place(row if dimension == ROWS else column)
        if place is not None:
            found[(place, column) if dimension == ROWS else (row, place)] = value
    return found


def _spanned(kept: list[Area], dimension: str, change: Change) -> list[Area]:
    found: list[Area] = []
    for start_row, end_row, start_column, end_column in kept:
        if dimension == ROWS:
            if rows := change.span(start_row, end_row):
                found.append(GridRange(*rows, start_column, end_column))
        elif columns := change.span(start_column, end_column):
            found.append(GridRange(start_row, end_row, *columns))
    return found
