"""The rows of the workbook's other tabs: what is doubtful in them, and that they are kept all the same."""

from datetime import date, datetime
from typing import Any

import pytest
from django.db import IntegrityError

from catalog.sheet import Unreadable
from ingestion import workbook_rows
from ingestion.models import SyncFailure, SyncRun, WorkbookRow
from ingestion.workbook import import_workbook
from ingestion.workbook_rows import KeptRow, differ, parse_rows, save_rows, series_ids
from ingestion.workbook_tabs import SHOW_INFO, Tab, TabRow

from .workbooks import CAST, SURVIVOR, show_info, show_row, tab

SERIES = {"tt0239195", "14658"}
PERSON = ["Ana", "nm0000001", "", "Survivor", "tt0239195", "14658", 1, 3, 40, "F", "1980-02-29", "Pisces"]
EPISODE = ["tt7654321", "1", "2", "12/31/2019", "Ana, Bo", "nm0000001, nm0000002", "17640", "SOLO"]
FINAL = ["Ana", "nm0000001", "", "Anita", "tt0239195", "https://example.org/a.jpg"]


def doubts(title: str, *rows: list[Any]) -> dict[int, str]:
    return {row.number: row.doubts for row in parse_rows(tab(title, *rows), SERIES) if row.doubts}


def with_cell(row: list[Any], place: int, cell: Any) -> list[Any]:
    return [*row[:place], cell, *row[place + 1 :]]


@pytest.mark.once
@pytest.mark.parametrize(
    ("title", "row"), [("CastInfo", CAST), ("RealiteaseInfo", PERSON), ("WWHLinfo", EPISODE), ("FinalList", FINAL)]
)
def test_rows_as_the_old_scripts_wrote_them_are_beyond_doubt(title, row):
    assert doubts(title, row) == {}


@pytest.mark.once
@pytest.mark.parametrize(
    ("title", "row", "place", "cell", "reason"),
    [
        ("CastInfo", CAST, 2, "", "no IMDbCastID"),
        ("CastInfo", CAST, 2, "nm12", "IMDbCastID 'nm12' is not nm and at least 7 digits"),
        ("CastInfo", CAST, 2, "tt0239195", "IMDbCastID 'tt0239195' is not nm and at least 7 digits"),
        ("CastInfo", CAST, 4, "", "no IMDbSeriesID"),
        ("CastInfo", CAST, 4, "tt9999999", "IMDbSeriesID 'tt9999999' is in no row of ShowInfo"),
        ("CastInfo", CAST, 5, 99.0, "TMDbSeriesID '99' is in no row of ShowInfo"),
        ("CastInfo", CAST, 1, "x", "TMDbCastID 'x' is not a whole number"),
        ("CastInfo", CAST, 6, "many", "TotalEpisodes 'many' is not a whole number or **"),
        ("CastInfo", CAST, 7, "1, two", "TotalSeasons 'two' is not season numbers or **"),
        ("RealiteaseInfo", PERSON, 1, "", "no CastIMDbID"),
        ("RealiteaseInfo", PERSON, 4, "tt0239195, tt9", "ShowIMDbIDs 'tt9' is not tt and at least 7 digits"),
        ("RealiteaseInfo", PERSON, 5, "14658, 7", "ShowTMDbIDs '7' is in no row of ShowInfo"),
        ("RealiteaseInfo", PERSON, 6, "one", "TotalShows 'one' is not a whole number"),
        ("RealiteaseInfo", PERSON, 10, "29.2.1980", "Birthday '29.2.1980' is not a date like 1985-12-31"),
        ("RealiteaseInfo", PERSON, 10, "1981-02-29", "Birthday '1981-02-29' is not a date like 1985-12-31"),
        ("WWHLinfo", EPISODE, 0, "", "no EpisodeID"),
        ("WWHLinfo", EPISODE, 0, "S1E2", "EpisodeID 'S1E2' is not tt and at least 7 digits, or TMDb's number"),
        ("WWHLinfo", EPISODE, 3, "2019-12-31", "AirDate '2019-12-31' is not a date like 12/31/2019"),
        ("WWHLinfo", EPISODE, 3, "31/12/2019", "AirDate '31/12/2019' is not a date like 12/31/2019"),
        ("WWHLinfo", EPISODE, 5, "nm0000001, Bo", "IMDbCastIDs 'Bo' is not nm and at least 7 digits"),
        ("FinalList", FINAL, 1, "", "no IMDbCastID"),
        ("FinalList", FINAL, 4, "tt0239195, tt9999999", "IMDbSeriesIDs 'tt9999999' is in no row of ShowInfo"),
        ("FinalList", FINAL, 0, Unreadable("=A1", "A formula. Paste its value instead."),
         "Name '=A1': a formula. Paste its value instead"),
        ("FinalList", FINAL, 3, "a\0b", "AlternativeNames 'a\\x00b' holds a character that can't be stored"),
    ],
)  # fmt: skip
def test_what_is_doubtful_in_a_row_is_named(title, row, place, cell, reason):
    assert doubts(title, with_cell(row, place, cell)) == {2: reason}


@pytest.mark.once
@pytest.mark.parametrize(
    ("title", "row", "place", "cell"),
    [
        ("CastInfo", CAST, 6, "**"),
        ("CastInfo", CAST, 7, "**"),
        ("CastInfo", CAST, 6, 250),
        ("CastInfo", CAST, 7, 3.0),
        ("CastInfo", CAST, 5, 14658.0),
        ("RealiteaseInfo", PERSON, 10, date(1980, 2, 29)),
        ("WWHLinfo", EPISODE, 3, date(2019, 12, 31)),
        ("WWHLinfo", EPISODE, 0, "1234567"),
        ("WWHLinfo", EPISODE, 0, 1234567),
        ("FinalList", FINAL, 2, "sometime in May"),
    ],
)
def test_what_only_looks_odd_is_no_doubt(title, row, place, cell):
    assert doubts(title, with_cell(row, place, cell)) == {}


@pytest.mark.once
def test_a_key_that_is_there_twice_is_named_with_the_row_that_had_it():
    other_show = with_cell(CAST, 4, "tt1234567")

    found = parse_rows(tab("CastInfo", CAST, other_show, CAST), {*SERIES, "tt1234567"})

    assert [row.doubts for row in found] == ["", "", "repeats row 2"]


@pytest.mark.once
def test_a_missing_column_is_told_of_the_header_and_not_of_every_row():
    read = tab("FinalList", ["Ana"], header=["Name"])

    assert [row.doubts for row in parse_rows(read, SERIES)] == [""]
    assert read.flaws


@pytest.mark.once
def test_the_ids_of_show_info_count_also_where_a_row_is_doubtful():
    read = tab(SHOW_INFO, SURVIVOR, show_row(imdb_id="tt1111111", tmdb_id=5.0), show_row(imdb_id=Unreadable("=A", "x")))

    assert series_ids(read) == {"tt0239195", "14658", "tt1111111", "5"}


@pytest.mark.once
@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("text", "text"),
        (" text ", " text "),
        (12, 12),
        (12.0, 12),
        (1.5, 1.5),
        (True, True),
        (10**20, "a number of more than 20 digits"),
        (2**53 + 2, str(2**53 + 2)),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (date(1980, 2, 29), "1980-02-29"),
        (datetime(1980, 2, 29, 8, 30), "1980-02-29T08:30:00"),
        (Unreadable("=A1", "A formula."), "=A1"),
        ("a\0\ud800b", "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"),
        ("x" * 50_000, "x" * 50_000),
    ],
)
def test_cells_are_kept_as_every_database_gives_them_back(cell, kept):
    [row] = parse_rows(tab("FinalList", ["", "", "", cell]), SERIES)

    assert row.cells == {"AlternativeNames": kept}
    assert type(row.cells["AlternativeNames"]) is type(kept)


@pytest.mark.once
def test_an_air_date_that_is_a_date_is_kept_in_the_form_of_its_column():
    [row] = parse_rows(tab("WWHLinfo", with_cell(EPISODE, 3, date(2012, 1, 5))), SERIES)

    assert row.cells["AirDate"] == "01/05/2012"


# --- kept


@pytest.fixture
def run(db: Any) -> SyncRun:
    return SyncRun.objects.create(kind="import_workbook", host="x", pid=1)


def kept(title: str = "FinalList") -> list[tuple[int, dict[str, Any]]]:
    return list(WorkbookRow.objects.filter(tab=title).values_list("number", "cells"))


def test_rows_are_kept_by_their_numbers_with_the_notes_beside_them(run):
    rows = parse_rows(tab("RealiteaseInfo", [*PERSON, "use THIS"], [], with_cell(PERSON, 1, "nm0000002")), SERIES)

    assert save_rows("RealiteaseInfo", rows, run.pk)

    found = kept("RealiteaseInfo")
    assert [number for number, _ in found] == [2, 4]
    assert (found[0][1]["M"], found[0][1]["TotalEpisodes"], "M" in found[1][1]) == ("use THIS", 40, False)
    assert WorkbookRow.objects.first().run_id == run.pk


def test_the_same_rows_are_not_written_again(run):
    odd = [1.5, -0.25, 1e-300, 2**53 - 1, True, "é\N{GRINNING FACE}"]
    rows = parse_rows(tab("FinalList", *([*FINAL, cell] for cell in odd)), SERIES)
    save_rows("FinalList", rows, run.pk)
    ids = list(WorkbookRow.objects.values_list("pk", flat=True))

    assert not save_rows("FinalList", rows, None)

    assert list(WorkbookRow.objects.values_list("pk", flat=True)) == ids


@pytest.mark.parametrize("cell", [45, "45", True, "TRUE", 1.5, "1.5"])
def test_a_cell_that_reads_the_same_in_another_kind_of_file_is_the_same(run, cell):
    cells = [45, "45", True, "TRUE", 1.5, "1.5", "045", 4]
    save_rows("FinalList", [KeptRow(2, {"Name": cell})], run.pk)

    same = [other for other in cells if not differ("FinalList", [KeptRow(2, {"Name": other})])]

    assert list(map(str, same)) in (["45"] * 2, ["True", "TRUE"], ["1.5"] * 2)
    assert cell in same


def test_a_tab_is_replaced_as_a_whole_and_no_other_is_touched(run):
    save_rows("CastInfo", [KeptRow(2, {"Name": "B"})], run.pk)
    save_rows("FinalList", [KeptRow(2, {"Name": "A"}), KeptRow(3, {"Name": "B"})], run.pk)

    assert save_rows("FinalList", [KeptRow(2, {"Name": "C"})], run.pk)

    assert (kept(), kept("CastInfo")) == ([(2, {"Name": "C"})], [(2, {"Name": "B"})])


def test_a_tab_that_can_not_be_replaced_stays_as_it_was(run, monkeypatch):
    save_rows("FinalList", [KeptRow(2, {"Name": "A"}), KeptRow(3, {"Name": "B"})], run.pk)

    with pytest.raises(IntegrityError):
        save_rows("FinalList", [KeptRow(2, {"Name": "C"}), KeptRow(2, {"Name": "D"})], run.pk)

    assert kept() == [(2, {"Name": "A"}), (3, {"Name": "B"})]


def test_many_rows_are_written_in_few_statements(run, django_assert_max_num_queries):
    rows = [KeptRow(number, {"Name": f"Person {number}"}) for number in range(2, 2_002)]

    with django_assert_max_num_queries(20):
        save_rows("FinalList", rows, run.pk)


# --- by an import


def test_doubtful_rows_are_kept_and_named(db):
    report = import_workbook(show_info(SURVIVOR, FinalList=[FINAL, with_cell(FINAL, 1, "x")]), write=True)

    assert report.tabs["FinalList"].counts == {"kept": 2, "doubtful": 1}
    assert report.status == "failed"
    assert str(SyncFailure.objects.get()) == "FinalList row 3: IMDbCastID 'x' is not nm and at least 7 digits"
    assert SyncRun.objects.get().counts == {"created": 1, "updated": 0, "unchanged": 0, "failed": 1, "kept": 2}


def test_a_row_that_can_not_be_read_is_named_and_not_kept(db):
    workbook = show_info(SURVIVOR, FinalList=[FINAL])
    workbook.tabs["FinalList"].rows.append(TabRow(3, {}, "A quote is not closed."))

    report = import_workbook(workbook, write=True)

    assert report.tabs["FinalList"].counts == {"kept": 1, "doubtful": 1}
    assert SyncFailure.objects.get().reason == "a quote is not closed"
    assert [number for number, _ in kept()] == [2]


def test_a_flaw_of_a_header_is_named_with_its_row_and_the_rest_is_kept(db):
    workbook = show_info(SURVIVOR)
    workbook.tabs["FinalList"] = tab("FinalList", ["Ana", "x"], header=["Name", "Id"])

    import_workbook(workbook, write=True)

    assert str(SyncFailure.objects.get()).startswith("FinalList row 1: no column IMDbCastID; it has 'Name', 'Id'")
    assert kept() == [(2, {"Name": "Ana", "Id": "x"})]


def test_a_tab_that_is_not_there_leaves_what_was_kept_of_it(db):
    import_workbook(show_info(SURVIVOR, FinalList=[FINAL]), write=True)
    import_workbook(show_info(SURVIVOR), write=True)

    assert len(kept()) == 1


HEADLESS = tab("FinalList", ["Bo", "nm0000002"], header=["Ana", "nm0000001"])


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        (tab("FinalList", header=[]), "row 1: it is empty"),
        (tab("FinalList"), "row 1: no row below the headings"),
        (HEADLESS, f"row 1: {HEADLESS.flaws[0]}"),
    ],
)
def test_a_tab_that_has_lost_its_rows_or_its_headings_takes_none_away(db, found, doubt, write):
    import_workbook(show_info(SURVIVOR, FinalList=[FINAL]), write=True)
    before = kept()
    workbook, told = show_info(SURVIVOR), []
    workbook.tabs["FinalList"] = found

    report = import_workbook(workbook, write=write, on_outcome=lambda title, one: told.append((title, one)))

    assert kept() == before
    assert (report.tabs["FinalList"].counts, report.tabs["FinalList"].changed) == ({"kept": 1, "doubtful": 1}, False)
    assert [f"row {one.number}: {one.reason}" for title, one in told if title == "FinalList"] == [
        f"{doubt}: the row that was kept before stays"
    ]
    assert report.status == "failed"


def test_an_empty_tab_of_which_nothing_was_kept_is_no_doubt(db):
    report = import_workbook(show_info(SURVIVOR, FinalList=[]), write=True)

    assert (report.tabs["FinalList"].counts, report.status) == ({"kept": 0}, "succeeded")


@pytest.mark.once
def test_an_empty_tab_has_no_doubts():
    empty = Tab("FinalList", 0, [])

    assert workbook_rows.parse_rows(empty, SERIES) == []
