"""The rows of the workbook's other tabs: kept as they are read, until something makes use of them.

Each tab's rows are replaced together, and only where they differ. What is doubtful in a row is told, and the row is
kept all the same: nothing of the workbook is lost, and nothing of it is believed yet.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction

from catalog.sheet import Unreadable
from ingestion.models import WorkbookRow
from ingestion.shows_csv import parse_date, shown
from ingestion.workbook_shows import EXACT, clause, text_of, without_point
from ingestion.workbook_tabs import SHOW_INFO, Tab, TabRow

UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")  # in PostgreSQL's JSON
NUMBER: Final = re.compile(r"[0-9]{1,20}")
UNKNOWN: Final = "**"  # looked for and not found


def is_person(text: str) -> bool:
    return re.fullmatch(r"nm[0-9]{7,20}", text) is not None


def is_series(text: str) -> bool:
    return re.fullmatch(r"tt[0-9]{7,20}", text) is not None


def is_number(text: str) -> bool:
    return NUMBER.fullmatch(without_point(text)) is not None


def is_episode(text: str) -> bool:
    """Episodes that IMDb does not have are known by TMDb's id."""
    return is_series(text) or is_number(text)


def is_american_date(text: str) -> bool:
    match = re.fullmatch(r"([0-9]{2})/([0-9]{2})/([0-9]{4})", text)
    return match is not None and parse_date(f"{match[3]}-{match[1]}-{match[2]}") is not None


def is_date(text: str) -> bool:
    return parse_date(text) is not None


@dataclass(frozen=True, slots=True)
class Form:
    """How the values of a column look. many: it is a list, split at commas. unknown: or `**`."""

    fits: Callable[[str], bool]
    words: str
    many: bool = False
    unknown: bool = False

    def misfits(self, text: str) -> list[str]:
        parts = [part.strip() for part in text.split(",")] if self.many else [text]
        return [part for part in parts if part and not (self.unknown and part == UNKNOWN) and not self.fits(part)]


PERSON: Final = Form(is_person, "nm and at least 7 digits")
SERIES: Final = Form(is_series, "tt and at least 7 digits")
WHOLE: Final = Form(is_number, "a whole number")
PEOPLE: Final = Form(is_person, PERSON.words, many=True)
SERIES_LIST: Final = Form(is_series, SERIES.words, many=True)
NUMBERS: Final = Form(is_number, WHOLE.words, many=True)
COUNT: Final = Form(is_number, f"a whole number or {UNKNOWN}", unknown=True)
SEASONS: Final = Form(is_number, f"season numbers or {UNKNOWN}", many=True, unknown=True)


@dataclass(frozen=True, slots=True)
class Rules:
    """keys: the columns by which a row is known. series: columns with ids of shows."""

    keys: tuple[str, ...]
    forms: Mapping[str, Form]
    series: tuple[str, ...] = ()


RULES: Final[Mapping[str, Rules]] = {
    "CastInfo": Rules(
        ("IMDbCastID", "IMDbSeriesID"),
        {
            **{"IMDbCastID": PERSON, "TMDbCastID": WHOLE, "IMDbSeriesID": SERIES, "TMDbSeriesID": WHOLE},
            **{"TotalEpisodes": COUNT, "TotalSeasons": SEASONS},
        },
        ("IMDbSeriesID", "TMDbSeriesID"),
    ),
    "RealiteaseInfo": Rules(
        ("CastIMDbID",),
        {
            **{"CastIMDbID": PERSON, "CastTMDbID": WHOLE, "ShowIMDbIDs": SERIES_LIST, "ShowTMDbIDs": NUMBERS},
            **dict.fromkeys(("TotalShows", "TotalSeasons", "TotalEpisodes"), WHOLE),
            "Birthday": Form(is_date, "a date like 1985-12-31"),
        },
        ("ShowIMDbIDs", "ShowTMDbIDs"),
    ),
    "WWHLinfo": Rules(
        ("EpisodeID",),
        {
            "EpisodeID": Form(is_episode, "tt and at least 7 digits, or TMDb's number"),
            **{"Season": WHOLE, "Episode": WHOLE, "IMDbCastIDs": PEOPLE, "TMDbCastIDs": NUMBERS},
            "AirDate": Form(is_american_date, "a date like 12/31/2019"),
        },
    ),
    "FinalList": Rules(("IMDbCastID",), {"IMDbCastID": PERSON, "IMDbSeriesIDs": SERIES_LIST}, ("IMDbSeriesIDs",)),
}


@dataclass(frozen=True, slots=True)
class KeptRow:
    """cells: as JSON holds them; none of a row that can't be read. doubts: what is wrong with it, empty as a rule."""

    number: int
    cells: dict[str, Any]
    doubts: str = ""


def series_ids(show_info: Tab) -> set[str]:
    """All ids that ShowInfo names, also in rows that can't be used."""
    cells = (row.cells.get(heading) for row in show_info.rows for heading in ("IMDbSeriesID", "TMDbSeriesID"))
    return {without_point(text_of(cell)) for cell in cells if cell is not None and not isinstance(cell, Unreadable)}


def parse_rows(tab: Tab, series: Collection[str]) -> list[KeptRow]:
    """The tab's rows with what is doubtful in them; `series` are the ids that ShowInfo has. Never raises."""
    rules = RULES[tab.title]
    seen: dict[tuple[str, ...], int] = {}
    found: list[KeptRow] = []
    for row in tab.rows:
        if not row.cells:
            found.append(KeptRow(row.number, {}, clause(row.problem)))
            continue
        cells = {heading: value_of(heading, cell) for heading, cell in row.cells.items()}
        texts = {heading: text_of(cell) for heading, cell in cells.items()}
        reasons = [*damage(row), *misfits(rules, tab, texts), *unknown_series(rules, texts, series)]
        key = tuple(without_point(texts.get(heading, "")) for heading in rules.keys)
        if all(key) and (earlier := seen.setdefault(key, row.number)) != row.number:
            reasons.append(f"repeats row {earlier}")
        found.append(KeptRow(row.number, cells, "; ".join(reasons)))
    return found


def damage(row: TabRow) -> Iterator[str]:
    """What could not be read as it was meant."""
    if row.problem:
        yield clause(row.problem)
    for heading, cell in row.cells.items():
        if isinstance(cell, Unreadable):
            yield f"{heading} {shown(cell.text)}: {clause(cell.reason)}"
        elif isinstance(cell, str) and UNSTORABLE.search(cell):
            yield f"{heading} {shown(cell)} holds a character that can't be stored"


def misfits(rules: Rules, tab: Tab, texts: Mapping[str, str]) -> Iterator[str]:
    for heading in rules.keys:
        if heading not in tab.missing and heading not in texts:
            yield f"no {heading}"
    for heading, form in rules.forms.items():
        if heading in texts and (wrong := form.misfits(texts[heading])):
            yield f"{heading} {shown(wrong[0])} is not {form.words}"


def unknown_series(rules: Rules, texts: Mapping[str, str], series: Collection[str]) -> Iterator[str]:
    for heading in rules.series:
        form, text = rules.forms[heading], texts.get(heading, "")
        for part in filter(None, map(str.strip, text.split(","))):
            if form.fits(part) and without_point(part) not in series:
                yield f"{heading} {shown(part)} is in no row of {SHOW_INFO}"


def value_of(heading: str, cell: Any) -> Any:
    """A cell as both databases give it back: a text, a number of which all digits are certain, or a boolean."""
    if isinstance(cell, Unreadable):
        cell = cell.text
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, date) and heading == "AirDate":
        return f"{cell:%m/%d/%Y}"
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, float) and math.isfinite(cell) and abs(cell) < EXACT:
        return int(cell) if cell.is_integer() else cell
    if isinstance(cell, int) and abs(cell) < EXACT:
        return cell
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", cell if isinstance(cell, str) else text_of(cell))


def count_rows(title: str) -> int:
    """How many are kept of a tab."""
    return WorkbookRow.objects.filter(tab=title).count()


def differ(title: str, rows: Sequence[KeptRow]) -> bool:
    """Whether they are others than those that are kept."""
    kept = WorkbookRow.objects.filter(tab=title).order_by("number").values_list("number", "cells")
    return [(number, form_of(cells)) for number, cells in kept.iterator(2_000)] != [
        (row.number, form_of(row.cells)) for row in rows
    ]


def form_of(cells: Mapping[str, Any]) -> str:
    """The same for what a database gives back in another order, and for 45 and `45`: a CSV has texts alone."""
    return json.dumps({heading: text_of(cell) for heading, cell in cells.items()}, sort_keys=True)


def save_rows(title: str, rows: Sequence[KeptRow], run_id: int | None) -> bool:
    """Replaces what is kept of a tab, in one transaction; False, and nothing written, where it is the same."""
    with transaction.atomic():
        if not differ(title, rows):
            return False
        WorkbookRow.objects.filter(tab=title).delete()
        WorkbookRow.objects.bulk_create(
            (WorkbookRow(tab=title, number=row.number, cells=row.cells, run_id=run_id) for row in rows),
            batch_size=1_000,
        )
        return True
