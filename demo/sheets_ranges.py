"""A1 notation and grid ranges. Rows and columns count from zero here, and from one (or A) in the notation."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from demo.sheets_errors import Json, Refused

CELL = re.compile(r"\$?([A-Za-z]{1,3})?\$?([1-9]\d*)?")
PLAIN_TITLE = re.compile(r"[^\W\d]\w*")  # needs no quotes, unless it looks like a cell
LIKE_A_CELL = re.compile(r"[A-Za-z]{1,3}\d+|[Rr]\d*[Cc]\d*")


Area = tuple[int, int, int, int]  # as a GridRange, written by hand


class GridRange(NamedTuple):
    """A rectangle of cells; the ends are excluded."""

    start_row: int
    end_row: int
    start_column: int
    end_column: int

    @property
    def height(self) -> int:
        return self.end_row - self.start_row

    @property
    def width(self) -> int:
        return self.end_column - self.start_column

    def touches(self, other: Self) -> bool:
        return (
            self.start_row < other.end_row
            and other.start_row < self.end_row
            and self.start_column < other.end_column
            and other.start_column < self.end_column
        )

    def holds(self, row: int, column: int) -> bool:
        return self.start_row <= row < self.end_row and self.start_column <= column < self.end_column

    def json(self, sheet_id: int) -> Json:
        return {
            "sheetId": sheet_id,
            "startRowIndex": self.start_row,
            "endRowIndex": self.end_row,
            "startColumnIndex": self.start_column,
            "endColumnIndex": self.end_column,
        }


class A1(NamedTuple):
    """What an A1 text says: a title ("" where it names none) and bounds, None where it leaves them open."""

    title: str
    start_row: int | None = None
    end_row: int | None = None
    start_column: int | None = None
    end_column: int | None = None
    is_start: bool = False  # one cell, or nothing but a title: writes may go on from there


def column_letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def quoted(title: str) -> str:
    """The title as Google writes it before the exclamation mark."""
    if PLAIN_TITLE.fullmatch(title) and not LIKE_A_CELL.fullmatch(title):
        return title
    return always_quoted(title)


def always_quoted(title: str) -> str:
    return "'" + title.replace("'", "''") + "'"


def unquoted(title: str) -> str:
    if len(title) >= 2 and title[0] == title[-1] == "'":
        return title[1:-1].replace("''", "'")
    return title


def parse_a1(text: str, titles: Sequence[str]) -> A1:
    """`ShowInfo`, `ShowInfo!A1:H`, `'It''s'!B2`, `A:H`.

    A text that is one of the `titles` (in any case) is that tab. Raises Refused where it is no range.
    """
    known = {title.casefold() for title in titles}
    if unquoted(text).casefold() in known:
        return A1(unquoted(text), is_start=True)
    title, mark, cells = text.rpartition("!")
    title = unquoted(title)
    if mark and title.casefold() not in known:
        raise Refused(f"Unable to parse range: {text}")
    first, colon, last = cells.partition(":")
    row, column = _parse_corner(first, text)
    if not colon:
        if row is None or column is None:
            raise Refused(f"Unable to parse range: {text}")
        return A1(title, row, row + 1, column, column + 1, is_start=True)
    last_row, last_column = _parse_corner(last, text)
    if row is not None and last_row is not None and last_row < row:
        row, last_row = last_row, row
    if column is not None and last_column is not None and last_column < column:
        column, last_column = last_column, column
    return A1(
        title,
        row,
        None if last_row is None else last_row + 1,
        column,
        None if last_column is None else last_column + 1,
    )


def _parse_corner(text: str, whole: str) -> tuple[int | None, int | None]:
    found = CELL.fullmatch(text)
    if not found or not text:
        raise Refused(f"Unable to parse range: {whole}")
    letters, digits = found.groups()
    return (int(digits) - 1 if digits else None), (column_number(letters) if letters else None)


def format_a1(title: str, area: GridRange) -> str:
    """`ShowInfo!A1:H10`, or `ShowInfo!A1` for one cell."""
    first = f"{column_letters(area.start_column)}{area.start_row + 1}"
    last = f"{column_letters(area.end_column - 1)}{area.end_row}"
    return f"{quoted(title)}!{first}" + (f":{last}" if last != first else "")


def as_said(title: str, said: A1, quote: Callable[[str], str] = quoted) -> str:
    """The range with its open ends left open: `ShowInfo!A1:H`."""
    first = _corner(said.start_row, said.start_column)
    last = _corner(
        None if said.end_row is None else said.end_row - 1,
        None if said.end_column is None else said.end_column - 1,
    )
    cells = first if first == last and said.is_start else f"{first}:{last}"
    return f"{quote(title)}!{cells}" if first else quote(title)


def _corner(row: int | None, column: int | None) -> str:
    return ("" if column is None else column_letters(column)) + ("" if row is None else str(row + 1))
