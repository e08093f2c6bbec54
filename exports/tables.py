"""A tab as plain values, whatever it is made from and wherever it goes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

# A text stays a text wherever it goes, also `=1+1` and `00123`. An empty cell is "".
Cell: TypeAlias = str | int | float | bool
Row: TypeAlias = tuple[Cell, ...]

HEADER: Final = 1  # rows above the first of ours
LINE_BREAK: Final = re.compile("\r\n?")
CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Table:
    """A tab's header and rows, each row as wide as the header.

    keys: by which columns a row is known, the first choice first; the last of several is a name, which two may share.
    """

    title: str
    header: tuple[str, ...]
    rows: list[Row]
    keys: tuple[tuple[str, ...], ...]

    @property
    def width(self) -> int:
        return len(self.header)

    def places(self) -> list[tuple[int, ...]]:
        """The keys as positions of their columns."""
        return [tuple(self.header.index(name) for name in key) for key in self.keys]

    def label(self, row: Row) -> str:
        """What names a row to a person: its key, and its first cell where that is another."""
        key = next((" ".join(text(row[place]) for place in key) for key in self.places() if is_known(row, key)), "")
        return " ".join(dict.fromkeys(part for part in (key, text(row[0])) if part)) or "(no name)"


@dataclass(frozen=True, slots=True)
class Last:
    """What a tab of this workbook was last published with, and Google's number of the tab then.

    pending: with what an export was about to publish it after that, when it was killed; exported_id: its row.
    """

    table: Table | None = None
    sheet_id: int | None = None
    pending: Table | None = None
    exported_id: int | None = None


def is_known(row: Row, key: Iterable[int]) -> bool:
    """Whether the row has all cells of this key."""
    return all(text(row[place]).strip() for place in key)


def text(cell: Cell) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def same(a: Cell, b: Cell) -> bool:
    """Whether two cells hold the same: the text 1, the number 1 and the truth are three things."""
    return kind(a) == kind(b) and a == b


def kind(cell: Cell) -> type:
    return float if isinstance(cell, int) and not isinstance(cell, bool) else type(cell)


def same_row(a: Row, b: Row) -> bool:
    return len(a) == len(b) and all(map(same, a, b))


def plain(cell: Cell) -> Cell:
    """A cell as every format holds it: of control characters line breaks (one kind) and tabs alone."""
    return CONTROL.sub("", LINE_BREAK.sub("\n", cell)) if isinstance(cell, str) else cell


def row_of(cells: Sequence[Any], width: int) -> Row:
    """The first `width` cells of a row that may be cut short or too long; what is missing is empty."""
    return tuple("" if cell is None else cell for cell in [*cells[:width], *[""] * (width - len(cells))])


def is_blank(cells: Iterable[Any]) -> bool:
    return all(cell is None or cell == "" for cell in cells)
