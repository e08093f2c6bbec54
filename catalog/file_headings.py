"""Which column of a file is which of ours."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from catalog.sheet import FileProblem, Unreadable
from catalog.show_resource import COLUMNS, READ_ONLY, text_of
from catalog.values import label

IDS: Final = ("tmdb_id", "imdb_id")  # by which a row without `id` finds its show
LONGEST_SHOWN: Final = 80  # characters of a bad value
OLD_HEADINGS: Final = {"show": "name", "imdbseriesid": "imdb_id", "tmdbseriesid": "tmdb_id"}  # of the workbook


@dataclass(frozen=True, slots=True)
class Headings:
    """Where each column stands in the file, and what of it is left alone."""

    places: dict[str, int]
    unknown: list[str]
    read_only: list[str]


def folded(heading: str) -> str:
    return re.sub(r"[\s_]", "", heading).casefold()


HEADINGS: Final = OLD_HEADINGS | {folded(text): name for name in COLUMNS for text in (label(name), name)}


def headings_of(header: Sequence[str]) -> Headings:
    """Finds our columns by their names, their labels, or the old workbook's. Raises FileProblem."""
    found = Headings({}, [], [])
    for place, text in enumerate(header):
        name = HEADINGS.get(folded(text))
        if name is None:
            found.unknown.append(text or f"column {place + 1}, without a heading")
        elif name in READ_ONLY:
            found.read_only.append(text)
        elif name in found.places:
            raise FileProblem(
                f"Two columns are headed {label(name)}: columns {found.places[name] + 1} and {place + 1}."
            )
        else:
            found.places[name] = place
    if not found.places.keys() & {"id", "name", *IDS}:
        there = ", ".join(printable(text) for text in header[:20])
        raise FileProblem(
            "There is no column id, imdb_id, tmdb_id or name, by which a row could mean a show. "
            f"The first row must name the columns; it has: {there}."
        )
    return found


def printable(value: Any) -> str:
    """A cell as it can be shown and stored anywhere, cut short."""
    text = value.text if isinstance(value, Unreadable) else text_of(value)
    short = text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in short)
