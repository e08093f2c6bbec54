"""The formats of files of rows. What they write they read back as it was: any text in any cell.

The classes are those of django-import-export; its readers are not used, as they take a formula for its last result,
fill up rows that are too short, and do not say in which row a file is broken.
"""

from typing import Any, Final

from catalog.csv_file import CSV
from catalog.sheet import FileProblem, Sheet
from catalog.xlsx_file import XLSX

FORMATS: Final[dict[str, Any]] = {"csv": CSV, "xlsx": XLSX}


def read_sheet(data: bytes) -> Sheet:
    """The sheet of a file, by its bytes and not by its name. Raises FileProblem."""
    if not data.strip():
        raise FileProblem("The file is empty. Its first row must name the columns.")
    if data.startswith(b"PK\x03\x04"):
        return XLSX().read(data)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileProblem("This is an old Excel file (XLS), or one with a password. Save it as XLSX, without one.")
    return CSV().read(data)
