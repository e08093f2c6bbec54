"""CSV files: written so that no cell is taken for a formula, read strictly."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import tablib
from import_export.formats import base_formats

from catalog.sheet import FileProblem, Sheet, neutral, sheet_of

MOST_BROKEN_ROWS: Final = 100  # rows with broken quotes, after which it is no CSV


class CSV(base_formats.CSV):
    """UTF-8 with the mark by which Excel knows it. Every cell is quoted: an Excel that splits at semicolons
    would else begin a new cell, and maybe a formula, in the middle of one of ours."""

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        return csv_of((dataset.headers, *dataset))

    def read(self, data: bytes) -> Sheet:
        lines = list(io.StringIO(decoded(data), newline=""))
        delimiter = max(",;\t", key=lambda sign: width(lines, sign))
        return sheet_of(csv_rows(lines, delimiter), pad=False)


def csv_of(rows: Iterable[Iterable[Any]], *, safe: bool = True) -> bytes:
    """Rows as the class says; without `safe`, a text that a spreadsheet would take for a formula stays as it is."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    for row in rows:
        writer.writerow([neutral(cell) if safe else cell for cell in row])
    return stream.getvalue().encode("utf-8-sig")


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
