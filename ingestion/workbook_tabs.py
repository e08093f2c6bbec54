"""The tabs of the old workbook: what their columns are called, and their rows by these names. Pure.

The first row that is not blank names the columns, in any order; case, blanks and underscores of a heading do not
count. Columns that are none of ours belong to whoever keeps the workbook.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from openpyxl.utils import column_index_from_string, get_column_letter

from catalog.file_headings import folded, printable
from catalog.sheet import FileProblem, Unreadable, blank

SHOW_INFO: Final = "ShowInfo"
MOST_ROWS: Final = 200_000  # of one tab
MOST_COLUMNS: Final = 256
MOST_MERGES: Final = 1_000
RANGE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})")

RawRow = tuple[int, list[Any], str]  # its number in the sheet, its cells, and why they can't be read


@dataclass(frozen=True, slots=True)
class Layout:
    """headings: ours, in order. needed: without these nothing can be said of a row. also: other names of a heading."""

    headings: tuple[str, ...]
    needed: tuple[str, ...]
    also: Mapping[str, str] = field(default_factory=dict)


LAYOUTS: Final[Mapping[str, Layout]] = {
    SHOW_INFO: Layout(
        (
            *("Show", "Network", "ShowTotalSeasons", "ShowTotalEpisodes", "IMDbSeriesID", "TMDbSeriesID"),
            *("Most Recent Episode", "OVERRIDE"),
        ),
        # Without OVERRIDE, shows that are skipped would come back unasked.
        ("Show", "IMDbSeriesID", "TMDbSeriesID", "OVERRIDE"),
    ),
    "CastInfo": Layout(
        (
            *("Name", "TMDbCastID", "IMDbCastID", "ShowName", "IMDbSeriesID", "TMDbSeriesID"),
            *("TotalEpisodes", "TotalSeasons"),
        ),
        ("Name", "IMDbCastID", "IMDbSeriesID"),
        {"CastName": "Name"},  # nothing wrote this tab's header: each workbook has its own
    ),
    "RealiteaseInfo": Layout(
        (
            *("CastName", "CastIMDbID", "CastTMDbID", "ShowNames", "ShowIMDbIDs", "ShowTMDbIDs"),
            *("TotalShows", "TotalSeasons", "TotalEpisodes", "Gender", "Birthday", "Zodiac"),
        ),
        ("CastName", "CastIMDbID"),
    ),
    "WWHLinfo": Layout(
        ("EpisodeID", "Season", "Episode", "AirDate", "GuestNames", "IMDbCastIDs", "TMDbCastIDs", "REALITEASE"),
        ("EpisodeID",),
    ),
    "FinalList": Layout(
        ("Name", "IMDbCastID", "CorrectDate", "AlternativeNames", "IMDbSeriesIDs", "ImageURL"),
        ("Name", "IMDbCastID"),
    ),
}


@dataclass(frozen=True, slots=True)
class TabRow:
    """A row by its number in the sheet (the header is 1 as a rule).

    cells: what is not blank, by heading: a text, a number, a date, a boolean or Unreadable. problem: why none of them
    can be relied on, or why there is none; empty as a rule.
    """

    number: int
    cells: dict[str, Any]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Tab:
    """header: the number of its row, 0 of an empty tab. flaws: what is wrong with the header, in words.

    missing: headings of ours that it does not have. others: columns with values that are none of ours, by their
    headings or, where they have none, by their letters.
    """

    title: str
    header: int
    rows: list[TabRow]
    flaws: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workbook:
    """name: what people call it. not_read: its other tabs."""

    name: str
    tabs: dict[str, Tab]
    not_read: tuple[str, ...] = ()


def tab_called(title: str) -> str | None:
    """Our name of a tab; None for one that is none of ours."""
    return next((name for name in LAYOUTS if folded(name) == folded(title)), None)


def read_tab(title: str, rows: Iterable[RawRow], merges: Sequence[str] = (), *, even: bool = False) -> Tab:
    """The rows of a tab by their headings. `even` says that no row can be longer than the header but by mistake.

    Raises FileProblem for what can't be read as a whole.
    """
    source = iter(rows)
    number, cells, problem = next((row for row in source if row[2] or not blank(row[1])), (0, [], ""))
    if problem:
        raise FileProblem(f"The row of headings can't be read. {problem}")
    check_width(cells)
    layout = LAYOUTS[title]
    names, flaws = headings_of(cells, layout)
    ours = {place for place, name in enumerate(names) if name in layout.headings}
    read = list(rows_by_heading(source, names, width=len(cells) if even else MOST_COLUMNS))
    merged = merged_rows(merges, ours if title == SHOW_INFO else None, [number, *(row.number for row in read)])
    if number in merged:
        flaws.append(f"{merged[number]} is merged: split it, as each column needs its own heading")
    filled = {name for row in read for name in row.cells}
    return Tab(
        title,
        number,
        [with_merge(row, merged) for row in read],
        tuple(flaws) if number else (),
        tuple(name for name in layout.headings if name not in names),
        tuple(name for name in names if name in filled and name not in layout.headings),
    )


def headings_of(cells: Sequence[Any], layout: Layout) -> tuple[list[str], list[str]]:
    """The name of each column, no two alike, and what is wrong with them. Without a heading it is the letter."""
    known = {folded(name): name for name in layout.headings} | {folded(a): name for a, name in layout.also.items()}
    names: list[str] = []
    flaws: list[str] = []
    for place, cell in enumerate(cells):
        letter = get_column_letter(place + 1)
        text = "" if cell is None or isinstance(cell, Unreadable) else printable(cell).strip()
        name = known.get(folded(text), text) or letter
        if name in names:
            if name in layout.headings:
                flaws.append(f"two columns are headed {name}: {get_column_letter(names.index(name) + 1)} and {letter}")
            name = f"{name} ({letter})"
        names.append(name)
    if lacking := [name for name in layout.needed if name not in names]:
        there = ", ".join(repr(name) for name in names[:20]) or "nothing"
        wanted = ", ".join(layout.headings)
        flaws.append(f"no column {' and no column '.join(lacking)}; it has {there}, where {wanted} are expected")
    return names, flaws


def rows_by_heading(rows: Iterator[RawRow], names: list[str], width: int) -> Iterator[TabRow]:
    """The rows that are not blank. Columns beyond the headings get their letters, and are added to `names`."""
    count = 0
    for number, cells, problem in rows:
        if blank(cells) and not problem:
            continue
        count += 1
        if count > MOST_ROWS:
            raise FileProblem(f"More than {MOST_ROWS:,} rows.")
        unreadable = bool(problem)
        if not problem and not blank(cells[width:]):
            problem = f"It has {len(cells)} cells under {width} headings: a text with a comma must stand in quotes."
        check_width(cells)
        for place in range(len(names), len(cells)):
            letter = get_column_letter(place + 1)
            names.append(letter if letter not in names else f"{letter} ({letter})")
        yield TabRow(
            number,
            {} if unreadable else {name: cell for name, cell in zip(names, cells, strict=False) if not blank([cell])},
            problem,
        )


def check_width(cells: Sequence[Any]) -> None:
    if len(cells) > MOST_COLUMNS:
        raise FileProblem(f"More than {MOST_COLUMNS} columns.")


def merged_rows(merges: Sequence[str], columns: set[int] | None, numbers: list[int]) -> dict[int, str]:
    """The rows that have a part in merged cells, with the range; in any column, or only in these (from 0)."""
    if len(merges) > MOST_MERGES:
        raise FileProblem(f"It has {len(merges):,} ranges of merged cells. Split them.")
    found: dict[int, str] = {}
    for text in merges:
        match = RANGE.fullmatch(text)
        if match is None:
            continue
        first, last = (column_index_from_string(match[part]) - 1 for part in (1, 3))
        if columns is not None and not any(first <= place <= last for place in columns):
            continue
        top, bottom = int(match[2]), int(match[4])
        for place in range(bisect_left(numbers, top), len(numbers)):
            if numbers[place] > bottom:
                break
            found.setdefault(numbers[place], text)
    return found


def with_merge(row: TabRow, merged: Mapping[int, str]) -> TabRow:
    if row.number not in merged or row.problem:
        return row
    return TabRow(row.number, row.cells, f"{merged[row.number]} is merged: all but its first cell are empty. Split it.")
