"""The old workbook as somebody has downloaded it: an XLSX, or a folder with a CSV for each tab."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from openpyxl.cell.cell import ERROR_CODES

from catalog.csv_file import csv_rows, decoded, width
from catalog.sheet import FileProblem, Unreadable, restored
from catalog.xlsx_file import Book
from ingestion.workbook_tabs import SHOW_INFO, RawRow, Tab, Workbook, read_tab, tab_called

MOST_BYTES: Final = 100 * 2**20  # of one file
OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
ZIP: Final = b"PK\x03\x04"
# What a spreadsheet shows where a formula came to nothing; the last one is Google's own.
ERRORS: Final = frozenset({*ERROR_CODES, "#ERROR!"})
NO_XLSX: Final = (
    f"This is no XLSX file. Give one, or the folder in which {SHOW_INFO}.csv and the CSVs of the other tabs are; "
    "a mere list of shows is for import_shows."
)


def read_workbook(path: Path) -> Workbook:
    """All our tabs of an XLSX, or of the CSVs in a folder. Raises FileProblem, which names the tab or the file."""
    with readable():
        is_folder = path.is_dir()
    return read_folder(path) if is_folder else read_xlsx(path.name, bytes_of(path))


def read_xlsx(name: str, data: bytes) -> Workbook:
    if data.startswith(OLD_EXCEL):
        raise FileProblem("This is an old Excel file (XLS), or one with a password. Save it as XLSX, without one.")
    if not data.startswith(ZIP):
        raise FileProblem(NO_XLSX)
    book = Book(data)
    ours = by_tab({title: tab_called(title) for title in book.sheets})
    tabs: dict[str, Tab] = {}
    for tab, title in ours.items():
        with naming(title):
            tabs[tab] = read_tab(tab, map(restored_row, book.rows(title)), book.merges(title))
    return Workbook(name, tabs, tuple(title for title in book.sheets if title not in ours.values()))


def read_folder(path: Path) -> Workbook:
    with readable():
        files = {file.name: file for file in sorted(path.iterdir()) if file.suffix.lower() == ".csv"}
    ours = by_tab({name: tab_called(title_of(name)) for name in files})
    tabs: dict[str, Tab] = {}
    for tab, name in ours.items():
        with naming(name):
            tabs[tab] = read_csv(tab, bytes_of(files[name]))
    return Workbook(f"the folder {path.name or path}", tabs, tuple(name for name in files if name not in ours.values()))


def read_csv(tab: str, data: bytes) -> Tab:
    lines = list(io.StringIO(decoded(data), newline=""))
    delimiter = max(",;\t", key=lambda sign: width(lines, sign))
    return read_tab(tab, map(with_errors, map(restored_row, csv_rows(lines, delimiter))), even=True)


def title_of(name: str) -> str:
    """`Realitease2025Data - ShowInfo.csv`, as Google calls a tab that is downloaded, -> `ShowInfo`."""
    return Path(name).stem.rpartition(" - ")[2].strip()


def by_tab(names: dict[str, str | None]) -> dict[str, str]:
    """Our tabs with the names of their sheets or files. Raises FileProblem where two are the same tab."""
    found: dict[str, str] = {}
    for name, tab in names.items():
        if tab is not None and tab in found:
            raise FileProblem(f"{found[tab]} and {name} are both the tab {tab}. Rename one of them.")
        if tab is not None:
            found[tab] = name
    return found


def bytes_of(path: Path) -> bytes:
    with readable():
        if not path.is_file():
            raise FileProblem("It is neither a file nor a folder." if path.exists() else "There is no such file.")
        if path.stat().st_size > MOST_BYTES:
            raise FileProblem(f"It has more than {MOST_BYTES // 2**20} MB.")
        return path.read_bytes()


@contextmanager
def readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileProblem(f"It can't be read: {error.strerror or type(error).__name__}.") from error


@contextmanager
def naming(where: str) -> Iterator[None]:
    """A problem within says where it is."""
    try:
        yield
    except FileProblem as error:
        problem = error
    else:
        return
    raise FileProblem(f"{where}: {problem}")


def restored_row(row: RawRow) -> RawRow:
    """As it was before an export of ours wrote its texts so that no spreadsheet takes them for formulas."""
    number, cells, problem = row
    return number, [restored(cell) for cell in cells], problem


def with_errors(row: RawRow) -> RawRow:
    """Where a format knows texts alone, what looks like a spreadsheet's error is taken for one."""
    number, cells, problem = row
    return number, [error_of(cell) for cell in cells], problem


def error_of(cell: Any) -> Any:
    return Unreadable(cell, "An error of the spreadsheet.") if isinstance(cell, str) and cell in ERRORS else cell
