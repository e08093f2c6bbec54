"""XLSX files: every text stays the text that it is, and a formula is told as one."""

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final

import openpyxl
import tablib
from import_export.formats import base_formats
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from catalog.sheet import MOST_COLUMNS, FileProblem, Sheet, Unreadable, neutral, sheet_of

MOST_UNPACKED: Final = 300 * 2**20  # bytes of all parts of an XLSX
LONGEST_CELL: Final = 32_767  # characters; Excel's own limit
LAST_ROW: Final = 1_048_576  # of a sheet in Excel
WIDEST: Final = 60  # characters; a wider column is for reading, not for overview

# What XML can't hold is written as Excel does; so is the `_` of a text that looks like such a code.
NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
CODE: Final = re.compile(r"_x(00[01][0-9A-F]|005F|FFFE|FFFF)_")

MERGE: Final = re.compile(rb"<(?:\w+:)?mergeCell\s[^<>]*?ref=[\"']([A-Z]{1,3}[0-9]+:[A-Z]{1,3}[0-9]+)[\"'][^<>]*>")
PIECE: Final = 2**20  # bytes of a part that are looked through at a time
LONGEST_TAG: Final = 1024  # bytes of one that lies across two pieces


class XLSX(base_formats.XLSX):
    """One sheet with a fixed first row. Texts stay texts, also `00123`, `=1+1` and `#N/A`."""

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        """Raises FileProblem for a text that no cell can hold."""
        return xlsx_of([(dataset.title or "Sheet1", dataset.headers, list(dataset))])

    def read(self, data: bytes) -> Sheet:
        return sheet_of(self.rows(data), pad=True)

    def rows(self, data: bytes) -> Iterator[tuple[int, list[Any], str]]:
        check_size(data)
        yield from numbered(quietly(open_rows, data))


class Book:
    """The sheets of an XLSX by their titles, in their order; charts are none. Raises FileProblem, also when read."""

    def __init__(self, data: bytes) -> None:
        check_size(data)
        self.sheets = {sheet.title: sheet for sheet in quietly(open_book, data).worksheets}

    def rows(self, title: str) -> Iterator[tuple[int, list[Any], str]]:
        """A sheet's rows by their numbers: each with the cells that it has, and none in the third place."""
        yield from numbered(quietly(rows_of, self.sheets[title]))

    def merges(self, title: str) -> list[str]:
        """The ranges whose cells are merged, like `A2:A5`: all but the first cell of each are empty."""
        found: list[str] = quietly(merges_of, self.sheets[title])
        return found


def numbered(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[int, list[Any], str]]:
    for number in range(1, LAST_ROW + 1):
        cells = quietly(next, rows, None)
        if cells is None:
            return
        yield number, [value_of(cell) for cell in cells], ""
    raise FileProblem(f"The sheet goes beyond row {LAST_ROW:,}.")


def xlsx_of(sheets: Iterable[tuple[str, Sequence[str], Sequence[Sequence[Any]]]], *, safe: bool = True) -> bytes:
    """A workbook of (title, headings, rows), each with a fixed first row and columns as wide as their texts.

    Without `safe` a text that begins like a formula gets no apostrophe; it is a text all the same. Raises FileProblem
    for a text that no cell can hold.
    """
    book = openpyxl.Workbook(write_only=True)
    bold = Font(bold=True)
    for title, headings, rows in sheets:
        cells = [[xlsx_cell(cell, safe=safe) for cell in row] for row in rows]
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(headings))}{len(rows) + 1}"
        for position, longest in enumerate(widths(headings, rows), start=1):
            sheet.column_dimensions[get_column_letter(position)].width = min(longest, WIDEST) + 2
        sheet.append([text_cell(sheet, heading, bold) for heading in headings])
        for row in cells:
            sheet.append([text_cell(sheet, cell) if is_marked(cell) else cell for cell in row])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def is_marked(cell: Any) -> bool:
    """Whether openpyxl would take a text for an error or a formula."""
    return isinstance(cell, str) and (cell in ERROR_CODES or cell.startswith("="))


def quietly(step: Callable[..., Any], *args: Any) -> Any:
    """A step of openpyxl, without its warnings of styles and dates that it does not know."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return step(*args)
    except Exception as error:
        raise FileProblem("The file can't be read: it is broken, or no XLSX. Save it once more.") from error


def open_rows(data: bytes) -> Iterator[tuple[Any, ...]]:
    """The cells of the sheet that was open when the file was saved, row by row."""
    book = open_book(data)
    sheet = book.active if hasattr(book.active, "iter_rows") else book.worksheets[0]
    sheet.reset_dimensions()  # they may be wrong, and say how much would be read
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(max_col=MOST_COLUMNS + 1)
    return rows


def open_book(data: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False)


def rows_of(sheet: Any) -> Iterator[tuple[Any, ...]]:
    """As `open_rows`, but rows end with their last cell: to fill each up to one width takes thrice the time."""
    sheet.reset_dimensions()
    return (cells[: MOST_COLUMNS + 1] for cells in sheet.iter_rows())


def merges_of(sheet: Any) -> list[str]:
    """openpyxl knows them only of a sheet that it holds as a whole."""
    found: list[str] = []
    rest = b""
    with sheet._get_source() as part:
        while piece := part.read(PIECE):
            rest += piece
            found += [match[1].decode() for match in MERGE.finditer(rest)]
            _, sign, tag = rest.rpartition(b"<")
            rest = b"" if b">" in tag else (sign + tag)[:LONGEST_TAG]
    return found


def check_size(data: bytes) -> None:
    """A few kilobytes may unpack to gigabytes. A part that says less than it holds is cut off when it is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile as error:
        raise FileProblem("The file is broken: it begins like an XLSX but has no end. Save it once more.") from error
    if unpacked > MOST_UNPACKED:
        raise FileProblem(f"The file unpacks to more than {MOST_UNPACKED // 2**20} MB. Split it, or send a CSV.")


def widths(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    """The longest text of each column among the first rows."""
    return [max(len(str(cell)) for cell in column) for column in zip(headings, *rows[:200], strict=True)]


def xlsx_cell(cell: Any, *, safe: bool = True) -> Any:
    if isinstance(cell, float) and float(f"{cell:.16g}") != cell:
        cell = repr(cell)  # openpyxl writes 16 digits
    if not isinstance(cell, str):
        return cell
    text = NOT_IN_XML.sub(lambda match: f"_x{ord(match[0]):04X}_", neutral(cell) if safe else cell)
    if len(text) > LONGEST_CELL:
        raise FileProblem(
            f"“{text[:40]}…” has {len(text):,} characters; a cell of XLSX holds {LONGEST_CELL:,}. Choose CSV."
        )
    return text or None


def text_cell(sheet: Any, text: str, font: Font | None = None) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    if font is not None:
        cell.font = font
    return cell


def value_of(cell: Any) -> Any:
    """The value of an XLSX cell: what was typed, never what a formula came to."""
    value = cell.value
    if cell.data_type == "f":
        return Unreadable(str(getattr(value, "text", value)), "A formula. Paste its value instead.")
    if cell.data_type == "e":
        return Unreadable(str(value), "An error of the spreadsheet.")
    if isinstance(value, str):
        return CODE.sub(lambda match: chr(int(match[1], 16)), value)
    if isinstance(value, time | timedelta):
        return Unreadable(str(value), "A time of day. Format the cell as text or as a number.")
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else value
    return value
