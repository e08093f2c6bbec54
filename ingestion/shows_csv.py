"""A CSV of shows, from bytes to lines that can be imported and lines that can't. Pure: no Django, no database.

Every line is named by the number of its first physical line, as an editor program shows it. One bad line never costs
another: after a quote that is not closed, reading starts again at the line below it.
"""

from __future__ import annotations

import csv
import io
import re
import reprlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

MAX_NAME = 500  # characters
MAX_TMDB_ID = 2**63 - 1  # a bigint column
MAX_IMDB_DIGITS = 20  # 8 are in use; PostgreSQL indexes no text above 2,700 bytes
MAX_LINE = 1_000_000  # characters; a file without line breaks must not fill the memory

# Our names and the old sheet's, without blanks, underscores and case.
COLUMNS = {
    "name": "name",
    "show": "name",
    "imdbid": "imdb_id",
    "imdbseriesid": "imdb_id",
    "tmdbid": "tmdb_id",
    "tmdbseriesid": "tmdb_id",
    "premieredate": "premiere_date",
    "override": "override",
}

_IMDB_ID = re.compile(r"tt[0-9]{7,}")
_NUMBER = re.compile(r"[0-9]+")  # int() takes blanks, signs, underscores and the digits of every script as well
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")  # date.fromisoformat() takes weeks and bare digits as well
_OVERRIDE = re.compile(r"SKIP|Y|[0-9]{1,4}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # no NUL in PostgreSQL's text; half a surrogate pair is no UTF-8
_SHORT = reprlib.Repr()
_SHORT.maxstring = 60


@dataclass(frozen=True, slots=True)
class GoodLine:
    """What a line says about one show: a name and at least one id."""

    number: int
    name: str
    imdb_id: str | None
    tmdb_id: int | None
    premiere_date: date | None = None
    override: str = ""

    @property
    def ids(self) -> list[str | int]:
        return [value for value in (self.imdb_id, self.tmdb_id) if value is not None]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be used; the reason is one printable line of text."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Header:
    """Which cell holds what: `columns` maps our name of a column to its place."""

    columns: dict[str, int]
    width: int
    unused: tuple[str, ...]  # as written in the file


class HeaderError(ValueError):
    """The first line names no usable columns; `str(error)` is the reason."""


class FileError(Exception):
    """The file gave an error while it was read; what came before was given out."""


def read_rows(
    binary_file: BinaryIO, on_header: Callable[[Header], object] | None = None
) -> Generator[GoodLine | BadLine]:
    """The lines of a file one after the other; blank ones are left out. A header that can't be used is a BadLine and
    nothing comes after it. Raises FileError. Leaves the file open.
    """
    lines = _Lines(binary_file)
    header: Header | None = None
    try:
        for record in _records(lines):
            if isinstance(record, BadLine):
                yield record
                if header is None:
                    return
            elif header is not None:
                line = parse_row(record.number, record.cells, header)
                yield _with_end(line, lines) if isinstance(line, BadLine) else line
            else:
                try:
                    header = parse_header(record.cells)
                except HeaderError as error:
                    yield BadLine(record.number, str(error))
                    return
                if on_header is not None:
                    on_header(header)
        if header is None:
            yield BadLine(1, "the file is empty: its first line must name the columns")
    finally:
        lines.close()


def parse_header(cells: Sequence[str]) -> Header:
    """Finds our columns among the cells of the first line; raises HeaderError."""
    columns: dict[str, int] = {}
    unused = []
    for place, cell in enumerate(cells):
        text = cell.strip("\ufeff \t\r\n")
        column = COLUMNS.get(re.sub(r"[\s_]", "", text).casefold())
        if column is None:
            unused.append(text)
        elif column in columns:
            raise HeaderError(f"two columns for {column}: {shown(cells[columns[column]])} and {shown(cell)}")
        else:
            columns[column] = place
    missing = [] if "name" in columns else ["name"]
    if not columns.keys() & {"imdb_id", "tmdb_id"}:
        missing.append("imdb_id or tmdb_id")
    if missing:
        found = ", ".join(shown(cell) for cell in cells[:20]) + (", ..." if len(cells) > 20 else "")
        raise HeaderError(f"no column {' and no column '.join(missing)}; found {found or 'nothing'}")
    return Header(columns, len(cells), tuple(text for text in unused if text))


def parse_row(number: int, cells: Sequence[str], header: Header) -> GoodLine | BadLine:
    """One row; never raises. A bad one names everything that is wrong with it."""
    if any(_UNSTORABLE.search(cell) for cell in cells):
        return BadLine(number, "text that is not UTF-8, or a NUL")
    if any(cell.strip() for cell in cells[header.width :]):
        return BadLine(number, f"{len(cells)} cells under {header.width} columns")
    text = {column: cells[place].strip() if place < len(cells) else "" for column, place in header.columns.items()}
    reasons: list[str] = []

    name = text["name"]
    if not name:
        reasons.append("no name")
    elif len(name) > MAX_NAME:
        reasons.append(f"the name has {len(name)} characters, {MAX_NAME} are allowed")

    imdb_id = text.get("imdb_id") or None
    tmdb_text = text.get("tmdb_id") or None
    if imdb_id is None and tmdb_text is None:
        reasons.append("neither imdb_id nor tmdb_id")
    if imdb_id is not None and not _IMDB_ID.fullmatch(imdb_id):
        reasons.append(f"imdb_id {shown(imdb_id)} is not tt and at least 7 digits")
    elif imdb_id is not None and len(imdb_id) > MAX_IMDB_DIGITS + 2:
        reasons.append(f"imdb_id {shown(imdb_id)} has more than {MAX_IMDB_DIGITS} digits")
    tmdb_id = _positive(tmdb_text) if tmdb_text is not None else None
    if tmdb_text is not None and tmdb_id is None:
        reasons.append(f"tmdb_id {shown(tmdb_text)} is not a positive whole number below 2**63")

    premiere_text = text.get("premiere_date", "")
    premiere_date = parse_date(premiere_text)
    if premiere_text and premiere_date is None:
        reasons.append(f"premiere_date {shown(premiere_text)} is not a date like 2000-05-31")
    override = text.get("override", "").upper()
    if override and not _OVERRIDE.fullmatch(override):
        reasons.append(f"override {shown(text['override'])} is not SKIP, Y or a number of at most 4 digits")

    if reasons:
        return BadLine(number, "; ".join(reasons))
    return GoodLine(number, name, imdb_id, tmdb_id, premiere_date, override)


def shown(text: str) -> str:
    """`text` in quotes, short and on one line, for a person to recognise."""
    return _SHORT.repr(text)


def _positive(text: str) -> int | None:
    digits = text.lstrip("0")
    # The length first: int() refuses texts of more than 4,300 digits.
    if not _NUMBER.fullmatch(digits) or len(digits) > 19 or int(digits) > MAX_TMDB_ID:
        return None
    return int(digits)


def parse_date(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:  # the 30th of February
        return None


@dataclass(frozen=True, slots=True)
class _Record:
    number: int
    cells: list[str]


def _records(lines: _Lines) -> Iterator[_Record | BadLine]:
    """Rows of cells, as strict CSV: what is doubtful is a bad line, never a damaged name."""
    reader = csv.reader(lines, strict=True, skipinitialspace=True)
    while True:
        lines.begin()
        number = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad = BadLine(number, _csv_reason(error, lines))
            lines.put_back()
            reader = csv.reader(lines, strict=True, skipinitialspace=True)
            yield bad
            continue
        if not any(cell.strip() for cell in cells):
            continue
        reason = lines.problem()
        yield _with_end(BadLine(number, reason), lines) if reason else _Record(number, cells)


def _csv_reason(error: csv.Error, lines: _Lines) -> str:
    if len(lines.taken) > 1 or "unexpected end" in str(error):
        return "a quote is not closed"
    if "expected after" in str(error):
        return "text after a closing quote (inside quotes, a quote is written twice)"
    if "field limit" in str(error):
        return f"a cell has more than {csv.field_size_limit()} characters"
    return str(error)


def _with_end(line: BadLine, lines: _Lines) -> BadLine:
    """Says where a row over several lines ends: with a stray quote, it is longer than its writer thought."""
    if len(lines.taken) == 1:
        return line
    return BadLine(line.number, f"{line.reason} (the row goes on to line {lines.number})")


class _Lines:
    """Physical lines for the csv reader, counted, with those of the current row kept so that they can be put back."""

    def __init__(self, binary_file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(binary_file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._waiting: deque[str] = deque()
        self._cut: set[int] = set()  # numbers of lines that were longer than MAX_LINE
        self.number = 0  # of the line given last
        self.taken: list[str] = []  # lines of the current row

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        return line

    def begin(self) -> None:
        self.taken = []

    def put_back(self) -> None:
        """All lines of the current row but its first."""
        rest = self.taken[1:]
        self._waiting.extendleft(reversed(rest))
        self.number -= len(rest)

    def problem(self) -> str | None:
        """What no cell of the current row can show: bytes that are no text, and where they stand."""
        for offset, line in enumerate(self.taken):
            number = self.number - len(self.taken) + 1 + offset
            if number in self._cut:
                return f"more than {MAX_LINE} characters"
            if found := _UNSTORABLE.search(line):
                where = f"at column {found.start() + 1}" + (f" of line {number}" if offset else "")
                byte = ord(found[0]) & 0xFF  # surrogateescape: byte 0xE9 is U+DCE9
                return f"not UTF-8: byte 0x{byte:02X} {where}" if byte else f"a NUL byte {where}"
        return None

    def close(self) -> None:
        with suppress(ValueError):  # somebody closed the file
            self._text.detach()

    def _read(self) -> str:
        try:
            line = self._text.readline(MAX_LINE)
            if len(line) < MAX_LINE or line.endswith(("\n", "\r")):
                return line
            self._cut.add(self.number + 1)
            while (more := self._text.readline(MAX_LINE)) and not more.endswith(("\n", "\r")):
                pass
        except OSError as error:
            raise FileError(error.strerror or str(error)) from error
        return line + "\n"
