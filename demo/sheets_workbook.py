"""The workbook behind the stand-in for Google Sheets: tabs, rows, cells, and what is hung on to them."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from demo.sheets_errors import Json
from demo.sheets_formulas import Bound, Formula, bind, evaluate
from demo.sheets_ranges import Area, GridRange

MOST_CELLS = 10_000_000


class Row:
    """A row and its cells: formulas point at it, wherever it stands. None is a blank cell."""

    __slots__ = ("cells",)

    def __init__(self) -> None:
        self.cells: list[Any] = []


class Column:
    """A column, for formulas to point at."""

    __slots__ = ()


class Sheet:
    """A tab. Rows and columns count from zero; ranges are (start row, end row, start column, end column).

    `protected` are ranges that our account may not write, `own_protected` such that it may. `notes` and
    `formats` (as the API's CellFormat) are by (row, column), `column_widths` in pixels by column.
    All of these follow the rows and columns that move.
    """

    def __init__(self, workbook: "Workbook", sheet_id: int, title: str, row_count: int, column_count: int) -> None:
        self.workbook = workbook
        self.sheet_id = sheet_id
        self.title = title
        self.hidden = False
        self.row_count = row_count
        self.columns = [Column() for _ in range(column_count)]
        self.rows: list[Row | None] = []  # None where no one has written or pointed; may be shorter than the grid
        self.frozen_rows = 0
        self.frozen_columns = 0
        self.merges: list[Area] = []
        self.protected: list[Area] = []
        self.own_protected: list[Area] = []
        self.filter: Area | None = None
        self.notes: dict[tuple[int, int], str] = {}
        self.formats: dict[tuple[int, int], Json] = {}
        self.column_widths: dict[int, int] = {}
        self._numbers: dict[Row, int] | None = None

    @property
    def column_count(self) -> int:
        return len(self.columns)

    @property
    def is_alive(self) -> bool:
        return any(sheet is self for sheet in self.workbook.sheets)

    @property
    def grid(self) -> GridRange:
        return GridRange(0, self.row_count, 0, self.column_count)

    def put(self, row: int, column: int, value: Any) -> None:
        """What someone else did by hand, not through the API: the value as it is, a Formula for a formula.

        None and "" empty the cell. The grid grows where the cell lies beyond it.
        """
        with self.workbook.lock:
            self.row_count = max(self.row_count, row + 1)
            self.columns += [Column() for _ in range(column + 1 - self.column_count)]
            self.write(row, column, value)

    # Cells

    def cell(self, row: int, column: int) -> Any:
        """What is stored there: None, text, a number, a bool or a bound formula."""
        kept = self.rows[row] if row < len(self.rows) else None
        return kept.cells[column] if kept and column < len(kept.cells) else None

    def value(self, row: int, column: int) -> Any:
        """What a reader sees there; None where it is blank."""
        return shown(self.cell(row, column))

    def write(self, row: int, column: int, value: Any) -> None:
        if isinstance(value, Formula):
            value = bind(value, self)
        elif value == "":
            value = None
        if value is None and self.cell(row, column) is None:
            return
        cells = self.row_at(row).cells
        if column >= len(cells):
            cells.extend([None] * (column + 1 - len(cells)))
        cells[column] = value

    def write_line(self, row: int, start: int, values: list[Any]) -> None:
        """Stored values side by side, bound formulas among them; None blanks a cell."""
        if row >= len(self.rows) and all(value is None for value in values):
            return
        cells = self.row_at(row).cells
        cells.extend([None] * (start - len(cells)))
        cells[start : start + len(values)] = values

    def clear(self, area: GridRange) -> None:
        for row in self.rows[area.start_row : area.end_row]:
            if row:
                cells = row.cells[area.start_column : area.end_column]
                row.cells[area.start_column : area.start_column + len(cells)] = [None] * len(cells)

    def row_at(self, number: int) -> Row:
        self.reach(number + 1)
        row = self.rows[number]
        if row is None:
            row = self.rows[number] = Row()
            if self._numbers is not None:
                self._numbers[row] = number
        return row

    def reach(self, length: int) -> None:
        """Let the list of rows be at least so long."""
        self.rows.extend([None] * (length - len(self.rows)))

    def number_of(self, row: Row) -> int | None:
        """Where the row stands now; None when it was deleted."""
        if self._numbers is None:
            self._numbers = {kept: number for number, kept in enumerate(self.rows) if kept is not None}
        return self._numbers.get(row)

    def renumber(self) -> None:
        """To be called after rows moved."""
        self._numbers = None

    def cells_of_column(self, column: int) -> Iterator[Any]:
        for row in self.rows:
            yield row.cells[column] if row and column < len(row.cells) else None

    def read(self, area: GridRange, render: Callable[[int, int, Any], Any]) -> list[list[Any]]:
        """Rows of rendered cells, ragged: blank cells at the end of a row and blank rows at the end are cut."""
        found: list[list[Any]] = []
        length = 0
        for number, row in enumerate(self.rows[area.start_row : area.end_row], area.start_row):
            cells = row.cells[area.start_column : area.end_column] if row else ()
            line = [
                "" if cell is None else render(number, column, cell)
                for column, cell in enumerate(cells, area.start_column)
            ]
            while line and line[-1] == "":
                line.pop()
            found.append(line)
            if line:
                length = len(found)
        return found[:length]


class Workbook:
    """A spreadsheet. What is read or changed from several threads is so under `lock`."""

    def __init__(self, title: str, *, most_cells: int = MOST_CELLS) -> None:
        self.title = title
        self.most_cells = most_cells
        self.sheets: list[Sheet] = []
        self.lock = threading.RLock()

    def add(
        self,
        title: str,
        rows: Iterable[Sequence[Any]] = (),
        *,
        sheet_id: int | None = None,
        row_count: int = 1000,
        column_count: int = 26,
        hidden: bool = False,
    ) -> Sheet:
        """A new last tab with these cells, as large as they need. A plain text is text; see Formula.

        Raises ValueError where the title or the id is taken.
        """
        rows = [*rows]
        with self.lock:
            if sheet_id is None:
                sheet_id = self.free_id() if self.sheets else 0
            if self.find(title) or self.by_id(sheet_id):
                raise ValueError(f"there is a tab {title!r} or one with the id {sheet_id}")
            widest = max(map(len, rows), default=0)
            sheet = Sheet(self, sheet_id, title, max(row_count, len(rows)), max(column_count, widest))
            sheet.hidden = hidden
            self.sheets.append(sheet)
            for number, row in enumerate(rows):
                for column, value in enumerate(row):
                    sheet.write(number, column, value)
            return sheet

    def sheet(self, title: str) -> Sheet | None:
        return next((sheet for sheet in self.sheets if sheet.title == title), None)

    def find(self, title: str) -> Sheet | None:
        """The tab of this title in any case: no two titles differ in case alone."""
        wanted = title.casefold()
        return next((sheet for sheet in self.sheets if sheet.title.casefold() == wanted), None)

    def by_id(self, sheet_id: int) -> Sheet | None:
        return next((sheet for sheet in self.sheets if sheet.sheet_id == sheet_id), None)

    def free_id(self) -> int:
        while True:
            sheet_id = random.randrange(1, 2**31)
            if not self.by_id(sheet_id):
                return sheet_id

    def values(self, title: str) -> list[list[Any]]:
        """What a reader sees in the tab now: numbers as numbers, formulas as their values, blanks at the ends cut.

        Raises KeyError where there is no such tab.
        """
        with self.lock:
            sheet = self.sheet(title)
            if sheet is None:
                raise KeyError(title)
            return sheet.read(sheet.grid, render_value)

    def titles(self) -> list[str]:
        with self.lock:
            return [sheet.title for sheet in self.sheets]

    def visible_titles(self) -> list[str]:
        with self.lock:
            return [sheet.title for sheet in self.sheets if not sheet.hidden]

    @property
    def cell_count(self) -> int:
        return sum(sheet.row_count * sheet.column_count for sheet in self.sheets)

    def snapshot(self) -> Callable[[], None]:
        """A function that brings everything back to what it is now: the same tabs and rows, so that formulas hold."""
        sheets = [*self.sheets]
        state = [{name: _copy(value) for name, value in vars(sheet).items()} for sheet in sheets]
        cells = [(row, row.cells[:]) for sheet in sheets for row in sheet.rows if row]

        def restore() -> None:
            self.sheets[:] = sheets
            for sheet, attributes in zip(sheets, state, strict=True):
                vars(sheet).update(attributes)
                sheet.renumber()
            for row, kept in cells:
                row.cells[:] = kept

        return restore


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, (list, dict)) else value


def shown(cell: Any) -> Any:
    return evaluate(cell) if isinstance(cell, Bound) else cell


def render_value(row: int, column: int, cell: Any) -> Any:
    value = shown(cell)
    return "" if value is None else value
