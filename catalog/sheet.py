"""A file's headings and rows, whatever its format: every flaw has its place, and no text becomes a formula."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from openpyxl.utils import get_column_letter

MOST_ROWS: Final = 50_000
MOST_COLUMNS: Final = 256

# What a spreadsheet takes for a formula, after quotes and blanks too; the wide forms are Excel's in Japanese.
FORMULA: Final = re.compile(r"'*\s*[=+\-@＝＋－＠\t\r\n]")


class FileProblem(ValueError):
    """The file can't be read or written as a whole; the text is for the person who chose it."""


class Unreadable(NamedTuple):
    """A cell that holds no value of its own."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row by its number in a spreadsheet (the header is 1). A cell is a text, a number, a date, a boolean,
    None or Unreadable; there is one for each heading, but where `problem` says why there is not."""

    number: int
    cells: list[Any]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The headings of a file, and its rows that are not blank, read one by one. Reading may raise FileProblem."""

    header: list[str]
    rows: Iterator[FileRow]


def neutral(cell: Any) -> Any:
    """A text that a spreadsheet could take for a formula, with an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def restored(cell: Any) -> Any:
    """What `neutral` was given; a text that somebody typed himself stays as it is."""
    if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell, 1):
        return cell[1:]
    return cell


def sheet_of(rows: Iterator[tuple[int, list[Any], str]], *, pad: bool) -> Sheet:
    """With `pad`, cells that a row does not have are empty ones; else the row is too short."""
    for _, cells, problem in rows:
        if problem:
            raise FileProblem(f"The row of headings can't be read. {problem}")
        if not blank(cells):
            header = [heading(cell) for cell in trimmed(cells)]
            if len(header) > MOST_COLUMNS:
                raise FileProblem(f"More than {MOST_COLUMNS} columns.")
            return Sheet(header, data_rows(rows, len(header), pad=pad))
    raise FileProblem("The file is empty. Its first row must name the columns.")


def data_rows(rows: Iterable[tuple[int, list[Any], str]], columns: int, *, pad: bool) -> Iterator[FileRow]:
    count = 0
    for number, cells, problem in rows:
        if blank(cells):
            continue
        count += 1
        if count > MOST_ROWS:
            raise FileProblem(f"More than {MOST_ROWS:,} rows. Split the file.")
        if not problem and not blank(cells[columns:]):
            problem = f"Column {get_column_letter(columns + 1)} or a later one holds a value but has no heading."
        elif not problem and len(cells) < columns and not pad:
            problem = f"It has {len(cells)} cells under {columns} headings."
        if not problem:
            cells = [restored(cell) for cell in cells[:columns]] + [None] * (columns - len(cells))
        yield FileRow(number, cells, problem)


def blank(cells: Iterable[Any]) -> bool:
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells)


def trimmed(cells: list[Any]) -> list[Any]:
    """Without the empty ones at the end."""
    last = max(position for position, cell in enumerate(cells) if not blank([cell]))
    return cells[: last + 1]


def heading(cell: Any) -> str:
    if isinstance(cell, Unreadable):
        raise FileProblem(f"The heading {cell.text} is a formula or an error.")
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if cell is None else str(restored(cell)).strip()
