"""A tab of the workbook as readers have it now, and why it can't be published into."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from django.conf import settings

from exports.difference import Difference
from exports.layout import Layout, is_note
from exports.sheets_errors import ExportProblem
from exports.sheets_replies import Book, SheetInfo, column_name
from exports.tables import HEADER, Row, Table, is_blank, row_of, same, text

LONGEST_CELL: Final = 50_000  # characters: https://support.google.com/drive/answer/37603
SKIPS: Final = ("OVERRIDE", "SKIP")  # a column, and what it says of a row that readers are not to see
FEWEST: Final = 3  # rows that may always go: of a small tab they are a large share


PUBLISH_ANYWAY: Final = "publish it with --force, or in admin with “Publish anyway”"


class GuardTripped(ExportProblem):
    """Too much would go: more likely the catalogue is wrong, or it is the wrong one."""

    def __init__(self, reason: str, difference: Difference) -> None:
        super().__init__(reason)
        self.difference = difference


@dataclass(slots=True)
class Found:
    """sheet: None where there is no such tab. header, rows: ours, up to the last that is not blank.

    width: how many columns are ours; not those of the table where the tab was last published with others.
    typed: all cells as they were typed, read after the others, where something is to be published.
    """

    width: int
    sheet: SheetInfo | None = None
    header: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    typed: list[list[Any]] = field(default_factory=list)

    @property
    def beside(self) -> list[list[Any]]:
        """The readers' cells, to the right of ours; the header's row first."""
        return [row[self.width :] for row in self.typed]

    def is_as(self, typed: Sequence[Sequence[Any]]) -> bool:
        """Whether nobody has changed what this is about: our cells, and which rows below them hold a note."""
        same_cells = are_as_typed(self.rows, typed[HEADER:], self.width)
        return same_cells and self.notes_below(self.typed) == self.notes_below(typed)

    def notes_below(self, typed: Sequence[Sequence[Any]]) -> list[int]:
        end = HEADER + len(self.rows)
        rows = enumerate(typed[end:], start=end)
        return [place for place, row in rows if any(is_note(cell, place + 1) for cell in row[self.width :])]


def are_as_typed(rows: Sequence[Row], typed: Sequence[Sequence[Any]], width: int) -> bool:
    """Whether rows that were read are those that were typed. What looks like a formula may be one."""
    ours = [row_of(row, width) for row in typed]
    return all(
        same(cell, as_typed) or str(as_typed).startswith(("=", "'"))
        for row, typed_row in zip_longest(rows, ours, fillvalue=row_of((), width))
        for cell, as_typed in zip(row, typed_row, strict=False)
    )


def parse_found(sheet: SheetInfo, cells: list[list[Any]], table: Table, published: Table | None) -> Found:
    """Which cells are ours: the columns of the table, or of what was last published: the more of those that are there.
    Pure."""
    first = [str(cell) for cell in cells[0]] if cells else []
    known = [one for one in (table, published) if one is not None and first[: one.width] == list(one.header)]
    width = max((one.width for one in known), default=table.width)
    ours = [row_of(row, width) for row in cells]
    while ours and is_blank(ours[-1]):
        ours.pop()
    header = [str(cell) for cell in ours[0]] if ours and not is_blank(ours[0]) else []
    rows = [row_of(row, table.width) for row in ours[HEADER:]]
    return Found(width, sheet, header, rows)


def refuse_kind(sheet: SheetInfo) -> None:
    if sheet.kind != "GRID":
        raise ExportProblem(f"{sheet.title} is a tab without cells ({sheet.kind.lower()}): rename or delete it")


def refuse_renamed(book: Book, title: str, sheet_id: int | None) -> None:
    """A new tab beside the one that readers and formulas go on looking at would leave them behind without a word."""
    names = [sheet.title for sheet in book.sheets.values() if sheet.sheet_id == sheet_id]
    if names:
        raise ExportProblem(
            f"the tab {title} is now called “{names[0]}”: rename it to {title}, so that its readers get the new rows "
            "(or delete it, and a new one is made). Nothing was published"
        )


def refuse_merges(sheet: SheetInfo, width: int) -> None:
    for first_row, _, first_column, behind in sheet.merges:
        if first_column < width:
            more = f" to {column_name(behind - 1)}" if behind - first_column > 1 else ""
            raise ExportProblem(
                f"{sheet.title} has merged cells at {column_name(first_column)}{first_row + 1}{more}, of which a part "
                "would be lost: unmerge them (Format > Merge cells > Unmerge). Nothing was published"
            )


def refuse_torn(found: Found, layout: Layout) -> None:
    """For merged cells of the readers between rows that would part: with a row its notes move."""
    edges = {edge for first, behind, _ in layout.moves for edge in (first, behind)}
    edges |= {layout.insert_at} if layout.insert else set()
    for first_row, behind_row, first_column, behind_column in found.sheet.merges if found.sheet else ():
        if any(first_row < edge < behind_row for edge in edges):
            cells = f"{column_name(first_column)}{first_row + 1}:{column_name(behind_column - 1)}{behind_row}"
            raise ExportProblem(
                f"rows of shows that left can't be moved: {cells} are merged across rows. Unmerge them (Format > Merge "
                "cells > Unmerge). Nothing was published"
            )


def refuse_header(found: Found, table: Table, published: Table | None) -> None:
    """A header may be ours, what we published last, or blank where nothing stands below it either."""
    good = [list(table.header)] + ([list(published.header)] if published else [])
    if found.header in good or (not found.header and not found.rows):
        return
    cells = found.header or [""] * found.width
    wrong = [
        f"{column_name(place)}1 is “{cell}”, expected “{name}”"
        for place, (cell, name) in enumerate(zip(cells, table.header, strict=False))
        if cell != name
    ]
    raise ExportProblem(
        f"the header of {table.title} was edited by hand: {'; '.join(wrong[:4])}. Put it back; nothing was published"
    )


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How many rows somebody has seen go, and change, before he said that it is right."""

    removed: int
    changed: int


def refuse_loss(
    difference: Difference, found: Found, table: Table, published: Table | None, confirmed: Confirmed | None = None
) -> None:
    """Raises GuardTripped where too many rows would go, or a column be emptied in too many.

    In a tab that was never published from here, it may be people who wrote what would go: none of it does. Rows that
    say SKIP in the sheet itself are not counted: that is why they go.
    """
    removed = [one for one in difference.removed if not is_skipped(table, one["cells"])]
    if published is None and confirmed is None and (loss := first_loss(difference, removed)):
        raise GuardTripped(
            f"{table.title} was never published from here, and has what the catalogue has not: {loss}. Nothing was "
            f"published. Take it in first (import_workbook google); if the difference is right then, {PUBLISH_ANYWAY}",
            difference,
        )
    there = sum(not is_blank(row) for row in found.rows)
    limit = max(FEWEST, settings.EXPORT_GUARD_SHARE * there)
    emptied = Counter(name for one in difference.changed for name, (_, after) in one.cells.items() if after == "")
    column, count = emptied.most_common(1)[0] if emptied else ("", 0)
    lost = ""
    if len(removed) > (max(limit, confirmed.removed) if confirmed else limit):
        lost = f"{len(removed)} of {there} rows would go"
    elif count > (max(limit, confirmed.changed) if confirmed else limit):
        lost = f"{column} would be emptied in {count} of {there} rows"
    if lost:
        than = "more than was confirmed" if confirmed else f"more than {settings.EXPORT_GUARD_SHARE:.0%}"
        raise GuardTripped(
            f"{table.title}: {lost}, {than}. Nothing was published. Look at the difference (--dry-run); if it is "
            f"right, {PUBLISH_ANYWAY}",
            difference,
        )


def is_skipped(table: Table, cells: Sequence[Any]) -> bool:
    place = table.header.index(SKIPS[0]) if SKIPS[0] in table.header else None
    return place is not None and text(cells[place]).strip().upper() == SKIPS[1]


def first_loss(difference: Difference, removed: Sequence[Mapping[str, Any]]) -> str:
    """A row or a value that would go, in words; empty where nothing does."""
    more = len(removed) + len(difference.changed) - 1
    rest = f", and {more} rows more differ" if more > 1 else ", and another row differs" if more else ""
    for one in difference.changed:
        for name, (before, after) in one.cells.items():
            if before != "" and text(before) != text(after):
                return f"row {one.number}, {one.label}: {name} “{before}”, not “{after}”{rest}"
    return f"row {removed[0]['row']}, {removed[0]['label']}{rest}" if removed else ""


def refuse_long_cells(table: Table) -> None:
    """For what no cell of Google's can hold, before anything is asked."""
    for row in table.rows:
        for name, cell in zip(table.header, row, strict=True):
            if isinstance(cell, str) and (length := len(cell.encode("utf-16-le")) // 2) > LONGEST_CELL:
                raise ExportProblem(
                    f"{table.title}: {name} of {table.label(row)[:80]} has {length:,} characters; a cell of Google "
                    f"Sheets holds {LONGEST_CELL:,}. Shorten it in the catalogue; nothing was published"
                )


def refuse_none(table: Table) -> None:
    """No show at all is no answer: it is the wrong database, or a filter that finds nothing."""
    if not table.rows:
        raise ExportProblem(f"{table.title}: no show is exported, so nothing was written. Is this the right database?")


def first_difference(wanted: Sequence[Row], found: Sequence[Row]) -> tuple[int, Any, Any]:
    """The number of the first row in which two lists differ, from 1, and both rows."""
    longest = max(len(wanted), len(found))
    for place in range(longest):
        ours = wanted[place] if place < len(wanted) else ()
        theirs = found[place] if place < len(found) else ()
        if ours != theirs:
            return place + 1, ours, theirs
    return longest, (), ()
