"""Puts a table into the workbook in one step.

    1. read the workbook's tabs, and the tab as it is now
    2. compare: nothing is sent where nothing differs; what would destroy something stops here
    3. add a hidden staging tab, write the rows into it, read it back and compare
    4. read the tab again: where readers have changed it meanwhile, begin anew
    5. ONE batchUpdate moves rows, puts the values in and deletes the staging tab: all of it or nothing
    6. look at it: who sorts the tab in the very moment of 5 is told, Google has no way to keep him from it

Until 5 readers see the old tab, and from 5 on the new one, whichever call fails and whenever we are killed. The tab
keeps its sheetId, so what points at it lives on. A staging tab that was left behind is deleted by the next run.
https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/batchUpdate
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from exports.difference import Difference, compare, distance
from exports.found import (
    Confirmed,
    Found,
    GuardTripped,
    first_difference,
    parse_found,
    refuse_header,
    refuse_kind,
    refuse_loss,
    refuse_merges,
    refuse_renamed,
    refuse_torn,
)
from exports.layout import Layout, layout_of
from exports.notes import odd_after, with_beside
from exports.sheet_requests import (
    appended,
    columns_inserted,
    deletion,
    first_publication,
    row_requests,
    stage_added,
    values_written,
)
from exports.sheets import Sheets, chunks
from exports.sheets_errors import ExportProblem, Stopped
from exports.sheets_replies import Book, SheetInfo
from exports.tables import HEADER, Last, Row, Table, is_blank, row_of

GOOD_BYTES: Final = 2 * 2**20  # of one call, as Google advises
MOST_BYTES: Final = 9 * 2**20
MOST_STEP: Final = 10 * 2**20  # bytes of the one call
MOST_CHUNKS: Final = 3  # calls that write rows, as long as MOST_BYTES allows it
ATTEMPTS: Final = 3  # at finding the tab as it was before the rows were staged
STAGE: Final = re.compile(r"__trr_stage_[0-9a-f]{12}\Z")


@dataclass(slots=True)
class Published:
    """What publishing a table found and did. is_sent: False where nothing differed, and nothing was sent.

    sheet_id: None in a dry run, where there is no such tab yet. guard: why a run would stop, in a dry run.
    """

    table: Table
    difference: Difference
    link: str
    sheet_id: int | None
    is_sent: bool = False
    guard: str = ""
    warnings: list[str] = field(default_factory=list)

    def as_it_stands(self) -> Table:
        """What readers see: the rows in their order."""
        return replace(self.table, rows=self.difference.order)


class Publication:
    """One table on its way into the workbook.

    last: what the tab was last published with, as far as that is known; of a killed export's `pending` the sheet
    itself tells whether it was (`was_pending`). on_swap is told right before the one call, with the tab's sheetId.
    """

    def __init__(
        self,
        sheets: Sheets,
        table: Table,
        last: Last,
        *,
        force: bool = False,
        confirmed: Confirmed | None = None,
        step: Callable[[str], object] = lambda words: None,
        on_swap: Callable[[Difference, int], object] = lambda difference, sheet_id: None,
    ) -> None:
        self.sheets, self.table, self.last, self.published = sheets, table, last, last.table
        self.force, self.confirmed, self.step, self.on_swap = force, confirmed, step, on_swap
        self.was_pending = False
        self.stage_id: int | None = None  # of the tab that is to be deleted when this fails
        self.stage_title = ""

    def dry_run(self) -> Published:
        """What would change. Raises ExportProblem as `run` does, but for the guard."""
        book, found = self.look()
        told = self.told(book, found, self.compared(found))
        try:
            self.ask_guard(found, told.difference)
        except GuardTripped as error:
            told.guard = str(error)
        return told

    def run(self) -> Published:
        """Raises ExportProblem or Stopped, and then the published tab is as it was."""
        self.step("reading the workbook")
        book, found = self.look()
        leftovers = [sheet.sheet_id for title, sheet in book.sheets.items() if STAGE.match(title)]
        difference = self.compared(found)
        if difference.is_empty:
            if leftovers:
                self.delete_stages(leftovers)
            return self.told(book, found, difference)
        self.ask_guard(found, difference)
        try:
            found, difference = self.staged(found, difference, leftovers)
            self.step("publishing")
            sheet_id = self.swap(found, difference)
        except (ExportProblem, Stopped):
            self.clean_up()
            raise
        warnings = self.look_after(found, difference)
        return Published(self.table, difference, book.link_to(sheet_id), sheet_id, is_sent=True, warnings=warnings)

    def ask_guard(self, found: Found, difference: Difference) -> None:
        """Raises GuardTripped."""
        if not (self.force or difference.is_empty):
            refuse_loss(difference, found, self.table, self.published, self.confirmed)

    def told(self, book: Book, found: Found, difference: Difference) -> Published:
        """Of a tab into which nothing was sent."""
        sheet_id = found.sheet.sheet_id if found.sheet else None
        link = book.link if sheet_id is None else book.link_to(sheet_id)
        return Published(self.table, difference, link, sheet_id)

    # --- looking

    def look(self) -> tuple[Book, Found]:
        """The workbook, and our tab in it. Raises ExportProblem for one that can't be published into."""
        book = self.sheets.fetch_book()
        sheet = book.sheets.get(self.table.title)
        if sheet is None:
            refuse_renamed(book, self.table.title, self.last.sheet_id)
            return book, Found(self.table.width)
        refuse_kind(sheet)
        cells = self.fetch_ours(sheet)
        self.was_pending = self.last.pending is not None and distance(self.last.pending, cells) <= distance(
            self.last.table, cells
        )
        self.published = self.last.pending if self.was_pending else self.last.table
        found = parse_found(sheet, cells, self.table, self.published)
        refuse_merges(sheet, max(found.width, self.table.width))
        refuse_header(found, self.table, self.published)
        return book, found

    def fetch_ours(self, sheet: SheetInfo) -> list[list[Any]]:
        tables = [table for table in (self.table, self.last.table, self.last.pending) if table]
        return self.sheets.fetch_values(sheet.title, min(max(table.width for table in tables), sheet.columns))

    def fetch_typed(self, found: Found) -> list[list[Any]]:
        return [] if found.sheet is None else self.sheets.fetch_typed(found.sheet.title)

    def compared(self, found: Found) -> Difference:
        return compare(self.table, found.rows, found.header, self.published)

    # --- staging

    def staged(self, found: Found, difference: Difference, leftovers: Sequence[int]) -> tuple[Found, Difference]:
        """Stages the rows until the tab is, after that, as it was before; returns it with the difference."""
        for _ in range(ATTEMPTS):
            found.typed = self.fetch_typed(found)
            refuse_torn(found, self.layout(found, difference))
            self.send_stage(difference.order, leftovers)
            self.step("checking what was sent")
            self.check_stage(difference.order)
            typed = self.fetch_typed(found)
            if found.is_as(found.typed) and found.is_as(typed):
                found.typed = typed
                return found, with_beside(difference, found)
            _, found = self.look()
            difference = self.compared(found)
            self.ask_guard(found, difference)
            leftovers = [] if self.stage_id is None else [self.stage_id]
        raise ExportProblem(f"somebody is editing {self.table.title}: nothing was published, try again later")

    def send_stage(self, order: Sequence[Row], leftovers: Sequence[int]) -> None:
        """Adds a staging tab in the place of those left over, and writes the header and the rows into it."""
        rows: list[Sequence[Any]] = [self.table.header, *order]
        title, sheet_id = f"__trr_stage_{secrets.token_hex(6)}", secrets.randbelow(2**31 - 1) + 1
        added = stage_added(sheet_id, title, rows=len(rows), columns=self.table.width)
        self.stage_id, self.stage_title = sheet_id, title
        self.sheets.update([*map(deletion, leftovers), added], landed=lambda: title in self.sheets.fetch_book().sheets)
        sent = 0
        for part in chunks(rows, chunk_bytes(rows)):
            self.step(f"sending rows {sent + 1:,} to {sent + len(part):,} of {len(rows):,}")
            self.sheets.write_values(title, sent + 1, part)
            sent += len(part)

    def check_stage(self, order: Sequence[Row]) -> None:
        """Reads the staged rows back: their number and their hash. Raises ExportProblem where Google has others."""
        wanted: list[Row] = [self.table.header, *order]
        cells = self.sheets.fetch_values(self.stage_title, self.table.width)
        staged = [row_of(row, self.table.width) for row in cells]
        staged += [row_of((), self.table.width)] * (len(wanted) - len(staged))  # blank ones at the end are cut off
        if len(staged) == len(wanted) and digest(staged) == digest(wanted):
            return
        number, ours, theirs = first_difference(wanted, staged)
        raise ExportProblem(
            f"{self.table.title}: Google has other rows than were sent. Row {number} should be {ours!r:.200} and is "
            f"{theirs!r:.200}. Nothing was published"
        )

    # --- publishing

    def swap(self, found: Found, difference: Difference) -> int:
        """The one call; the sheetId of the tab. A lost answer is looked for in the tab itself."""
        stage_id = self.stage_id or 0
        self.on_swap(difference, found.sheet.sheet_id if found.sheet else stage_id)
        if found.sheet is None:
            self.stage_id = None  # it is the tab from now on: whatever happens, it is not ours to delete
            self.sheets.update(first_publication(stage_id, self.table), landed=lambda: self.has_landed(stage_id))
            return stage_id
        requests = self.takeover(found, difference, stage_id)
        self.sheets.update(requests, landed=lambda: self.has_landed(stage_id))
        return found.sheet.sheet_id

    def takeover(self, found: Found, difference: Difference, stage_id: int) -> list[Mapping[str, Any]]:
        """Requests that put the values into the published tab, whose other columns are the readers'."""
        assert found.sheet is not None
        sheet_id, width, columns = found.sheet.sheet_id, self.table.width, found.sheet.columns
        requests = row_requests(sheet_id, self.layout(found, difference))
        if width > found.width and not all(is_blank(row[: width - found.width]) for row in found.beside):
            requests.append(columns_inserted(sheet_id, found.width, width - found.width))
            columns += width - found.width
        if width > columns:
            requests.append(appended(sheet_id, "COLUMNS", width - columns))
        rows: list[Row] = [self.table.header, *difference.order]
        first = 0 if difference.header is not None else HEADER  # a header that is right is not touched
        end = HEADER + len(found.rows) + difference.pairs.count(None)  # behind the rows that were moved down
        whole = {"first": first, "end": max(len(rows), end), "columns": max(width, found.width)}
        requests += [values_written(sheet_id, rows[first:], **whole), deletion(stage_id)]
        if (size := len(orjson.dumps(requests))) > MOST_STEP:
            raise ExportProblem(
                f"{self.table.title} has {size / 2**20:.0f} MB of rows, and Google takes {MOST_STEP // 2**20} in one "
                "step. Delete the tab: a new one is made from the staging tab, whatever its size. Nothing was published"
            )
        return requests

    def layout(self, found: Found, difference: Difference) -> Layout:
        if found.sheet is None:
            return Layout()
        return layout_of(found.rows, difference.pairs, found.beside, found.sheet.rows)

    def look_after(self, found: Found, difference: Difference) -> list[str]:
        """What is not as it should be after the one call, in words; that it was published stays true in any case."""
        if found.sheet is None:  # it is the staging tab itself
            return []
        self.step("looking at it")
        try:
            typed = self.sheets.fetch_typed(self.table.title)
        except (ExportProblem, Stopped) as error:
            return [f"it was published, but could not be looked at afterwards ({error or 'stopped'})"]
        return odd_after(found, difference, typed, max(self.table.width, found.width))

    def has_landed(self, stage_id: int) -> bool:
        """Whether the staging tab is gone, or has become the tab, and the tab says what it should."""
        book = self.sheets.fetch_book()
        sheet = book.sheets.get(self.table.title)
        if sheet is None or (sheet.sheet_id != stage_id and stage_id in book.ids()):
            return False
        return distance(self.table, self.fetch_ours(sheet)) == 0

    # --- cleaning

    def delete_stages(self, ids: Sequence[int]) -> None:
        self.step("deleting a staging tab that was left behind")
        self.sheets.update(
            [deletion(sheet_id) for sheet_id in ids], landed=lambda: not self.sheets.fetch_book().ids() & set(ids)
        )

    def clean_up(self) -> None:
        """Tries once to delete the staging tab; where that fails too, the next run does it."""
        if self.stage_id is not None:
            with suppress(Exception):
                self.sheets.update_once([deletion(self.stage_id)])


def chunk_bytes(rows: Sequence[Sequence[Any]]) -> int:
    """As small as Google advises, but not so small that it takes more than MOST_CHUNKS calls."""
    sizes = [len(orjson.dumps(row)) + 1 for row in rows]
    return min(MOST_BYTES, max(GOOD_BYTES, sum(sizes) // MOST_CHUNKS + max(sizes)))


def digest(rows: Sequence[Row]) -> str:
    """Of cells with their kinds; 5 and 5.0 are one number."""
    whole = [[int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in row] for row in rows]
    return hashlib.sha256(orjson.dumps(whole)).hexdigest()
