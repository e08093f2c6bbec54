"""Rows of ShowInfo, whatever stands in their cells."""

from datetime import date, datetime
from typing import Any

import pytest
import tablib
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.csv_file import CSV
from catalog.sheet import Unreadable
from catalog.xlsx_file import XLSX
from ingestion.shows_csv import BadLine
from ingestion.workbook_file import read_csv, read_xlsx
from ingestion.workbook_rows import parse_rows
from ingestion.workbook_shows import SheetShow, parse_show
from ingestion.workbook_tabs import LAYOUTS, SHOW_INFO, TabRow

from .workbooks import SHOW_HEADER, SURVIVOR, show_row, tab

pytestmark = pytest.mark.once


def parse(**cells: Any) -> SheetShow | BadLine:
    """One row; a name and an id where nothing else is given."""
    row = show_row(**{"name": "Survivor", "tmdb_id": "14658"} | cells)
    return parse_show(TabRow(2, {name: cell for name, cell in zip(SHOW_HEADER, row, strict=True) if cell != ""}))


def reason(**cells: Any) -> str:
    line = parse(**cells)
    assert isinstance(line, BadLine)
    return line.reason


def test_a_whole_row_is_a_show():
    [row] = tab(SHOW_INFO, SURVIVOR).rows

    assert parse_show(row) == SheetShow(
        2,
        "Survivor",
        "tt0239195",
        14658,
        network="CBS",
        totals=(("show_total_seasons", 45), ("show_total_episodes", 640)),
        aired=date(2023, 12, 20),
    )


@pytest.mark.parametrize("cell", [14658, 14658.0, "14658", " 14658 ", "14658.0", "14658.00", "0014658"])
def test_an_id_is_an_id_whatever_a_spreadsheet_made_of_it(cell):
    assert parse(tmdb_id=cell).tmdb_id == 14658


@pytest.mark.parametrize(
    ("cell", "override"), [("", ""), ("skip", "SKIP"), (" y ", "Y"), (6, "6"), (6.0, "6"), ("6.0", "6"), ("0", "0")]
)
def test_an_override_is_read_in_any_case_and_as_a_number(cell, override):
    assert parse(override=cell).override == override


@pytest.mark.parametrize("cell", ["", 0, "0", None, 0.0])
def test_no_seasons_and_none_known_are_the_same(cell):
    assert parse(seasons=cell).totals == ()


@pytest.mark.parametrize("cell", ["2023-12-20", " 2023-12-20", date(2023, 12, 20), datetime(2023, 12, 20, 8, 30)])
def test_a_day_is_read_as_text_and_as_a_date(cell):
    assert parse(aired=cell).aired == date(2023, 12, 20)


@pytest.mark.parametrize("cell", ["12/20/2023", 45280, "2023-02-30", "soon", True])
def test_a_day_in_another_form_is_noted_and_left_out(cell):
    line = parse(aired=cell)

    assert line.aired is None
    assert line.notes[0].startswith("Most Recent Episode '")
    assert line.notes[0].endswith("is not a date like 2024-01-31: left out")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"name": "  "}, "no name"),
        ({"name": "x" * 501}, "the name has 501 characters, 500 are allowed"),
        ({"name": "a\0b"}, "text that is not UTF-8, or a NUL"),
        ({"network": "\ud800"}, "text that is not UTF-8, or a NUL"),
        ({"tmdb_id": ""}, "neither imdb_id nor tmdb_id"),
        ({"tmdb_id": "14658a"}, "tmdb_id '14658a' is not a positive whole number below 2**63"),
        ({"tmdb_id": 1.5}, "tmdb_id '1.5' is not a positive whole number below 2**63"),
        ({"tmdb_id": -3}, "tmdb_id '-3' is not a positive whole number below 2**63"),
        ({"tmdb_id": 10**5000}, "tmdb_id 'a number of more than 20 digits' is not a positive whole number below 2**63"),
        ({"tmdb_id": True}, "tmdb_id 'TRUE' is not a positive whole number below 2**63"),
        ({"imdb_id": "tt12"}, "imdb_id 'tt12' is not tt and at least 7 digits"),
        ({"imdb_id": "nm0724153"}, "imdb_id 'nm0724153' is not tt and at least 7 digits"),
        ({"override": "yes"}, "override 'yes' is not SKIP, Y or a number of at most 4 digits"),
        ({"override": 2.5}, "override '2.5' is not SKIP, Y or a number of at most 4 digits"),
        ({"seasons": "3, 4"}, "ShowTotalSeasons '3, 4' is not a whole number from 0 to 100,000"),
        ({"episodes": 100_001}, "ShowTotalEpisodes '100001' is not a whole number from 0 to 100,000"),
        ({"name": Unreadable("=A1", "A formula. Paste its value instead.")},
         "Show '=A1': a formula. Paste its value instead"),
        ({"name": date(2001, 9, 1)},
         "Show '2001-09-01': a date to the spreadsheet; format the cell as text, and type it again"),
        ({"name": True, "override": datetime(2024, 5, 1)},
         "Show 'TRUE': yes or no to the spreadsheet; format the cell as text, and type it again; "
         "OVERRIDE '2024-05-01T00:00:00': a date to the spreadsheet; format the cell as text, and type it again"),
        ({"network": False},
         "Network 'FALSE': yes or no to the spreadsheet; format the cell as text, and type it again"),
        ({"name": "", "tmdb_id": "x", "seasons": "y"},
         "no name; tmdb_id 'x' is not a positive whole number below 2**63; "
         "ShowTotalSeasons 'y' is not a whole number from 0 to 100,000"),
    ],
)  # fmt: skip
def test_a_row_that_is_doubtful_names_all_that_is_wrong_with_it(cells, expected):
    assert reason(**cells) == expected


def test_a_problem_of_the_whole_row_is_its_reason():
    assert parse_show(TabRow(9, {}, "A quote is not closed.")) == BadLine(9, "a quote is not closed")
    assert parse_show(TabRow(9, {"Show": "A"}, "A2:A5 is merged. Split it.")).reason == "A2:A5 is merged. Split it"


# --- whatever a cell holds

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**4000, max_value=10**5000),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.text(),
    st.text(st.sampled_from("0123456789.,tnm*-/ \0\ud800'=\n"), max_size=12),
    st.sampled_from(["tt0239195", "nm0724153", "**", "1, 2, 3", "SKIP", "12/31/2019", "2019-12-31"]),
    st.builds(Unreadable, st.text(), st.sampled_from(["A formula. Paste its value instead.", ""])),
)


def rows_of(title: str) -> Any:
    headings = [*LAYOUTS[title].headings, "M"]
    return st.builds(
        TabRow, st.integers(2, 9), st.dictionaries(st.sampled_from(headings), CELLS), st.sampled_from(["", "Broken."])
    )


@settings(deadline=None)
@given(rows_of(SHOW_INFO))
def test_whatever_the_cells_hold_a_row_is_a_show_or_has_a_reason(row):
    line = parse_show(row)

    assert isinstance(line, SheetShow) or line.reason.isprintable()
    if isinstance(line, SheetShow):
        assert line.ids
        assert all(note.isprintable() for note in line.notes)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([title for title in LAYOUTS if title != SHOW_INFO]), st.data())
def test_whatever_the_cells_hold_a_row_of_another_tab_can_be_kept_or_has_a_reason(title, data):
    read = tab(title)
    read.rows.extend(data.draw(st.lists(rows_of(title), max_size=3)))

    for kept in parse_rows(read, set()):
        assert kept.doubts.isprintable()
        text = "".join(map(str, kept.cells.values()))
        assert "\0" not in text
        text.encode()  # no half of a surrogate pair


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=40)
GOOD = st.builds(
    SheetShow,
    st.just(2),
    NAMES.map(str.strip).filter(bool) | st.sampled_from(["=1+1", "'=1", "@x", "+a", "-b", "'90s", "_x005F_"]),
    st.none() | st.integers(1, 10**8 - 1).map(lambda number: f"tt{number:07}"),
    st.integers(1, 2**63 - 1),
    st.none(),
    st.sampled_from(["", "SKIP", "Y", "0", "12"]),
    st.sampled_from(["", "Bravo", "E!", "A&E, Life", "=Bravo"]),
    st.just((("show_total_seasons", 3), ("show_total_episodes", 99_999))) | st.just(()),
    st.none() | st.dates(min_value=date(1900, 1, 1)),
)


def exported(show: SheetShow) -> list[Any]:
    """As a row of ShowInfo is written."""
    seasons, episodes = (dict(show.totals).get(name, "") for name in ("show_total_seasons", "show_total_episodes"))
    day = show.aired.isoformat() if show.aired else ""
    return [show.name, show.network, seasons, episodes, show.imdb_id or "", str(show.tmdb_id), day, show.override]


@settings(deadline=None, max_examples=60)
@given(GOOD, st.sampled_from(["csv", "xlsx", "sheet"]))
def test_a_row_that_is_exported_and_read_again_says_the_same(show, kind):
    row = exported(show)
    dataset = tablib.Dataset(row, headers=SHOW_HEADER, title=SHOW_INFO)
    if kind == "csv":
        read = read_csv(SHOW_INFO, CSV().export_data(dataset))
    elif kind == "xlsx":
        read = read_xlsx("shows.xlsx", XLSX().export_data(dataset)).tabs[SHOW_INFO]
    else:
        read = tab(SHOW_INFO, row)

    assert [parse_show(found) for found in read.rows] == [show]
