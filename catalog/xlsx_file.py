"""XLSX files: every text stays the text that it is, and a formula is told as one."""

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
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


class XLSX(base_formats.XLSX):
    """One sheet with a fixed first row. Texts stay texts, also `00123`, `=1+1` and `#N/A`."""

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        """Raises FileProblem for a text that no cell can hold."""
        rows = [[xlsx_cell(cell) for cell in row] for row in dataset]
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet(dataset.title or "Sheet1")
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{get_column_letter(dataset.width)}{dataset.height + 1}"
        for position, longest in enumerate(widths(dataset), start=1):
            sheet.column_dimensions[get_column_letter(position)].width = min(longest, WIDEST) + 2
        bold = Font(bold=True)
        sheet.append([text_cell(sheet, heading, bold) for heading in dataset.headers])
        for row in rows:
            sheet.append([text_cell(sheet, cell) if cell in ERROR_CODES else cell for cell in row])
        stream = io.BytesIO()
        book.save(stream)
        return stream.getvalue()

    def read(self, data: bytes) -> Sheet:
        return sheet_of(self.rows(data), pad=True)

    def rows(self, data: bytes) -> Iterator[tuple[int, list[Any], str]]:
        check_size(data)
        rows = quietly(open_rows, data)
        for number in range(1, LAST_ROW + 1):
            cells = quietly(next, rows, None)
            if cells is None:
                return
            yield number, [value_of(cell) for cell in cells], ""
        raise FileProblem(f"The sheet goes beyond row {LAST_ROW:,}.")


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
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False)
    sheet = book.active if hasattr(book.active, "iter_rows") else book.worksheets[0]
    sheet.reset_dimensions()  # they may be wrong, and say how much would be read
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(max_col=MOST_COLUMNS + 1)
    return rows


def check_size(data: bytes) -> None:
    """A few kilobytes may unpack to gigabytes. A part that says less than it holds is cut off when it is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile as error:
        raise FileProblem("The file is broken: it begins like an XLSX but has no end. Save it once more.") from error
    if unpacked > MOST_UNPACKED:
        raise FileProblem(f"The file unpacks to more than {MOST_UNPACKED // 2**20} MB. Split it, or send a CSV.")


def widths(dataset: tablib.Dataset) -> list[int]:
    """The longest text of each column among the first rows."""
    rows = [dataset.headers, *(dataset[position] for position in range(min(200, dataset.height)))]
    return [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]


def xlsx_cell(cell: Any) -> Any:
    if isinstance(cell, float) and float(f"{cell:.16g}") != cell:
        cell = repr(cell)  # openpyxl writes 16 digits
    if not isinstance(cell, str):
        return cell
    text = NOT_IN_XML.sub(lambda match: f"_x{ord(match[0]):04X}_", neutral(cell))
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
