"""What a row of ShowInfo says of a show. Pure: no database.

Sheets and what people paste into them turn ids into numbers (32390.0) and numbers into texts: both are read. A row with
an id, a number or an override that is none is not guessed at; no part of it is used.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from catalog.sheet import Unreadable
from ingestion.shows_csv import BadLine, GoodLine, Header, parse_date, parse_row, shown
from ingestion.workbook_tabs import TabRow

WHOLE: Final = re.compile(r"([0-9]{1,20})(?:\.0+)?")
EXACT: Final = 2**53  # from here on a spreadsheet's numbers have lost their last digits
# Columns of a list of shows, and what the workbook calls them.
LISTED: Final = {"name": "Show", "imdb_id": "IMDbSeriesID", "tmdb_id": "TMDbSeriesID", "override": "OVERRIDE"}
HEADER: Final = Header({name: place for place, name in enumerate(LISTED)}, len(LISTED) + 1, ())  # and the network
TOTALS: Final = {"show_total_seasons": "ShowTotalSeasons", "show_total_episodes": "ShowTotalEpisodes"}
MOST_TOTAL: Final = 100_000  # as for whoever writes it by hand: catalog.values
NETWORK: Final = "Network"
AIRED: Final = "Most Recent Episode"
TEXTS: Final = (LISTED["name"], NETWORK, LISTED["override"])  # numbers may stand there too: a show is called 24
USED: Final = (*LISTED.values(), *TOTALS.values(), NETWORK, AIRED)


@dataclass(frozen=True, slots=True)
class SheetShow(GoodLine):
    """A row that can be used. notes: values of it that can't, in words.

    totals: seasons and episodes by our columns, where the row has any; 0 is as good as none.
    """

    network: str = ""
    totals: tuple[tuple[str, int], ...] = ()
    aired: date | None = None
    notes: tuple[str, ...] = ()


def parse_show(row: TabRow) -> SheetShow | BadLine:
    """Never raises. A bad row names everything that is wrong with it."""
    if row.problem:
        return BadLine(row.number, clause(row.problem))
    unreadable = [
        f"{heading} {shown(cell.text)}: {clause(cell.reason)}"
        for heading in USED
        if isinstance(cell := row.cells.get(heading), Unreadable)
    ]
    unreadable += [
        f"{heading} {shown(text_of(cell))}: {'yes or no' if isinstance(cell, bool) else 'a date'} to the spreadsheet; "
        "format the cell as text, and type it again"
        for heading in TEXTS
        if isinstance(cell := row.cells.get(heading), bool | date)
    ]
    if unreadable:
        return BadLine(row.number, "; ".join(unreadable))
    texts = {heading: text_of(row.cells.get(heading)) for heading in USED}
    for heading in (LISTED["tmdb_id"], LISTED["override"]):
        texts[heading] = without_point(texts[heading])
    line = parse_row(row.number, [*(texts[heading] for heading in LISTED.values()), texts[NETWORK]], HEADER)
    reasons = [line.reason] if isinstance(line, BadLine) else []
    totals = {name: parse_total(texts[heading]) for name, heading in TOTALS.items()}
    for name, heading in TOTALS.items():
        if totals[name] is None:
            reasons.append(f"{heading} {shown(texts[heading])} is not a whole number from 0 to {MOST_TOTAL:,}")
    if isinstance(line, BadLine) or reasons:
        return BadLine(row.number, "; ".join(reasons))
    aired, note = parse_aired(row.cells.get(AIRED))
    return SheetShow(
        line.number,
        line.name,
        line.imdb_id,
        line.tmdb_id,
        override=line.override,
        network=texts[NETWORK],
        totals=tuple((name, value) for name, value in totals.items() if value),
        aired=aired,
        notes=(note,) if note else (),
    )


def parse_total(text: str) -> int | None:
    """0 for none, None for what is no such number."""
    match = WHOLE.fullmatch(text or "0")
    return int(match[1]) if match and int(match[1]) <= MOST_TOTAL else None


def parse_aired(cell: Any) -> tuple[date | None, str]:
    """The day, or why there is none; a cell that is a date is one."""
    if isinstance(cell, datetime):
        return cell.date(), ""
    if isinstance(cell, date):
        return cell, ""
    text = text_of(cell)
    day = parse_date(text)
    return day, "" if day or not text else f"{AIRED} {shown(text)} is not a date like 2024-01-31: left out"


def text_of(cell: Any) -> str:
    """A cell as a text without outer blanks; a number without the point that a spreadsheet gives it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, int):
        return str(cell) if abs(cell) < 10**20 else "a number of more than 20 digits"  # str() has a limit
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT else repr(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).replace("\r\n", "\n").strip()


def without_point(text: str) -> str:
    """`32390.0`, as programs write a number that stood in a column with blanks, -> `32390`."""
    match = WHOLE.fullmatch(text)
    return match[1] if match else text


def clause(sentence: str) -> str:
    """A sentence as a part of another: `A quote is not closed.` -> `a quote is not closed`."""
    start = sentence[:1].lower() if re.match(r"[A-Z]([a-z]| )", sentence) else sentence[:1]
    return start + sentence[1:].removesuffix(".")
