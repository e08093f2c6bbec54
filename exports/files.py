"""Tabs as CSV and XLSX: the same rows as the sheet gets, and no text that a spreadsheet would take for a formula."""

import os
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from django.utils import timezone
from django.utils.text import slugify

from catalog.csv_file import csv_of
from catalog.file_formats import read_sheet
from catalog.sheet import FileProblem, Sheet, Unreadable, sheet_of
from catalog.xlsx_file import Book, xlsx_of
from exports.difference import Difference, compare
from exports.models import ExportRun
from exports.tables import Cell, Row, Table, row_of, text

BOOK: Final = "Realitease2025Data"  # what the workbook has always been called
LONGEST_TITLE: Final = 31  # characters of a sheet's: Excel opens no file with a longer one
CSV, XLSX = ExportRun.Format.CSV, ExportRun.Format.XLSX
TYPES: Final = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def file_of(tables: Sequence[Table], format: str, *, legacy: bool = False) -> bytes:
    """One table as CSV, or all of them as the sheets of an XLSX. legacy: without the apostrophe before `=`, `+`, `@`.

    Raises FileProblem for a text that the format can't hold.
    """
    if format == XLSX:
        return xlsx_of([(sheet_title(table), table.header, table.rows) for table in tables], safe=not legacy)
    (table,) = tables
    return csv_of([table.header, *table.rows], safe=not legacy)


def sheet_title(table: Table) -> str:
    return table.title[:LONGEST_TITLE]


def file_name(tables: Sequence[Table], format: str) -> str:
    """Of a download: what it holds, and of which day."""
    name = slugify(tables[0].title) if len(tables) == 1 else BOOK
    return f"{name}-{timezone.now():%Y-%m-%d}.{format}"


def places_of(tables: Sequence[Table], format: str, out: Path) -> dict[Path, list[Table]]:
    """Which file gets which tables. `out` is a folder, or the file itself where one is enough. Raises FileProblem."""
    is_file = out.suffix.casefold() == f".{format}" and not out.is_dir()
    folder = out.parent if is_file else out
    if not folder.is_dir():
        raise FileProblem(f"{folder} is not there, or is no folder")
    if format == XLSX:
        title = tables[0].title if len(tables) == 1 else BOOK
        return {out if is_file else out / f"{title}.xlsx": list(tables)}
    if is_file and len(tables) > 1:
        raise FileProblem(f"{out}: a CSV holds one tab. Name a folder for {len(tables)} of them")
    return {out if is_file else out / f"{table.title}.csv": [table] for table in tables}


def save_file(path: Path, data: bytes) -> None:
    """Puts the file there whole, in the place of an older one: who reads it sees one of the two. Raises FileProblem."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o666 & ~umask())
                os.replace(file.name, path.resolve())  # what a link leads to
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise FileProblem(f"{path} can't be written: {error.strerror}") from None


def umask() -> int:
    """A temporary file is its owner's alone; this one is to be as any other."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def rows_there(path: Path, table: Table) -> tuple[list[str], list[Row]]:
    """Header and rows of what an export would replace, as its cells are; none where there is no such file or sheet.

    Raises FileProblem for a file that can't be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise FileProblem(f"{path} can't be read: {error.strerror}") from None
    sheet = sheet_there(data, table)
    cells = (row_of([cell_there(cell) for cell in row.cells], table.width) for row in sheet.rows)
    return sheet.header, [as_written(row, table) for row in cells]


def sheet_there(data: bytes, table: Table) -> Sheet:
    if not data.startswith(b"PK\x03\x04"):
        return read_sheet(data)
    book, title = Book(data), sheet_title(table)
    return sheet_of(book.rows(title), pad=True) if title in book.sheets else Sheet([], iter(()))


def cell_there(cell: Any) -> Any:
    """What somebody's Excel made of a text: a date is told as we write it, a formula or an error as its text."""
    if isinstance(cell, Unreadable):
        return cell.text
    return cell.isoformat() if isinstance(cell, date) else cell


def file_difference(path: Path, table: Table) -> Difference:
    """What replacing a file changes. A file that can't be read, as it is none of ours, is all new."""
    try:
        header, rows = rows_there(path, table)
    except FileProblem:
        header, rows = [], []
    return compare(table, rows, header or list(table.header))


def as_written(row: Row, table: Table) -> Row:
    """A CSV has no numbers: a text of digits under a column of numbers is one."""
    numbers = number_columns(table)
    return tuple(number(cell) if place in numbers else cell for place, cell in enumerate(row))


def number_columns(table: Table) -> set[int]:
    return {
        place
        for place in range(table.width)
        if any(not isinstance(row[place], str) for row in table.rows)
        and all(not isinstance(row[place], str) or row[place] == "" for row in table.rows)
    }


def number(cell: Cell) -> Cell:
    digits = text(cell)
    return int(digits) if digits.isascii() and digits.isdigit() else cell
