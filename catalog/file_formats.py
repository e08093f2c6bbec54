"""CSV and XLSX files of rows: written so that no cell is taken for a formula, read so that every flaw has its place.

What these formats write they read back as it was: any text in any cell. The classes are those of
django-import-export; its readers are not used, as they take a formula for its last result, fill up rows that
are too short, and do not say in which row a file is broken.
"""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

import openpyxl
import tablib
from import_export.formats import base_formats
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

MOST_ROWS: Final = 50_000
MOST_COLUMNS: Final = 256
MOST_BROKEN_ROWS: Final = 100  # rows with broken quotes, after which it is no CSV
MOST_UNPACKED: Final = 300 * 2**20  # bytes of all parts of an XLSX
LONGEST_CELL: Final = 32_767  # characters; Excel's own limit
LAST_ROW: Final = 1_048_576  # of a sheet in Excel
WIDEST: Final = 60  # characters; a wider column is for reading, not for overview

# What a spreadsheet takes for a formula, after quotes and blanks too; the wide forms are Excel's in Japanese.
FORMULA: Final = re.compile(r"'*\s*[=+\-@＝＋－＠\t\r\n]")
# What XML can't hold is written as Excel does; so is the `_` of a text that looks like such a code.
NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
CODE: Final = re.compile(r"_x(00[01][0-9A-F]|005F|FFFE|FFFF)_")


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


def read_sheet(data: bytes) -> Sheet:
    """The sheet of a file, by its bytes and not by its name. Raises FileProblem."""
    if not data.strip():
        raise FileProblem("The file is empty. Its first row must name the columns.")
    if data.startswith(b"PK\x03\x04"):
        return XLSX().read(data)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileProblem("This is an old Excel file (XLS), or one with a password. Save it as XLSX, without one.")
    return CSV().read(data)


class CSV(base_formats.CSV):
    """UTF-8 with the mark by which Excel knows it. Every cell is quoted: an Excel that splits at semicolons
    would else begin a new cell, and maybe a formula, in the middle of one of ours."""

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        for row in (dataset.headers, *dataset):
            writer.writerow([neutral(cell) for cell in row])
        return stream.getvalue().encode("utf-8-sig")

    def read(self, data: bytes) -> Sheet:
        lines = list(io.StringIO(decoded(data), newline=""))
        delimiter = max(",;\t", key=lambda sign: width(lines, sign))
        return sheet_of(csv_rows(lines, delimiter), pad=False)


def decoded(data: bytes) -> str:
    try:
        # Excel's "Unicode text" is UTF-16 with its mark; nothing else is guessed.
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\x00" in data[:4096]:
            raise FileProblem("This is neither a CSV nor an XLSX file.") from error
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        raise FileProblem(
            f"The file is not in UTF-8 (byte 0x{byte:02X} in line {line}): its accents would be guessed. "
            "In Excel save it as “CSV UTF-8”, or as XLSX."
        ) from error


def width(lines: list[str], delimiter: str) -> int:
    """How many cells the first row that is not blank has."""
    first = next((cells for _, cells, _ in csv_rows(lines, delimiter) if any(cells)), [])
    return len(first)


def csv_rows(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[Any], str]]:
    """Strictly read: what is doubtful is a problem of its row, never a damaged text. After one, reading starts
    again at the next line, so that a stray quote costs one row and not the rest of the file."""
    source = Lines(lines)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    number = broken = 0
    while source.at < len(lines):
        start = source.at
        number += 1
        try:
            cells = next(reader)
        except csv.Error as error:
            several_lines = source.at > start + 1
            source.at = start + 1
            reader = csv.reader(source, delimiter=delimiter, strict=True)
            broken += 1
            if broken > MOST_BROKEN_ROWS:
                raise FileProblem("Too many rows with broken quotes: this is no CSV.") from error
            yield number, [lines[start].strip()], csv_reason(error, several_lines=several_lines)
        else:
            yield number, cells, ""


def csv_reason(error: csv.Error, *, several_lines: bool) -> str:
    text = str(error)
    if "unexpected end" in text or several_lines:
        return "A quote is not closed."
    if "expected after" in text:
        return "There is text after a closing quote; within quotes, a quote is written twice."
    if "field limit" in text:
        return f"A cell has more than {csv.field_size_limit():,} characters."
    return text


class Lines:
    """Lines for a csv reader that can be sent back to an earlier one."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        if self.at >= len(self.lines):
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]


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
