"""Files hold the rows of the sheet: no text becomes a formula, a number or two cells, and no file is half written."""

import csv
import errno
import io
import os
import re
import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.cell import Cell

from catalog.models import Show
from catalog.sheet import FileProblem
from exports.export import export_tabs
from exports.files import CSV, XLSX, file_name, file_of, places_of, rows_there, save_file
from exports.models import ExportRun
from exports.options import Options
from exports.report import Report
from exports.tables import Row, Table
from exports.tabs import TABS, Tab

from .conftest import HEADER, a_show, cells

pytestmark = pytest.mark.once

COLUMNS = ("Show", "Episodes", "Id")
ODD = [
    "A, B",
    'say "hi"',
    "two\nlines",
    "two\r\nlines",
    "tab\there",
    "emoji 😀👩‍👩‍👧",
    "Où; et «là»",
    "00123",
    "1e5",
    "2024-01-02",
    "TRUE",
    "#N/A",
    " blanks ",
    "'quoted",
    "_x000D_",
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "'=1", "''@x", "＝1", "\r\n=1"]


class Names(Tab):
    """A second tab, as the cast's will be."""

    title = "Names"
    header = ("Name", "Letters")
    keys = (("Name",),)

    def rows(self, shows: QuerySet[Show]) -> Iterator[Row]:
        for name in shows.order_by("name").values_list("name", flat=True):
            yield name, len(name)


@pytest.fixture
def two_tabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABS, "Names", Names())


def table(*rows: Row, title: str = "ShowInfo") -> Table:
    return Table(title, COLUMNS, list(rows), (("Id",),))


def of_names(names: list[str]) -> Table:
    return table(*((name, number, f"id{number}") for number, name in enumerate(names, 1)))


def csv_cells(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def xlsx_cells(data: bytes, title: str = "ShowInfo") -> list[list[Cell]]:
    return [list(row) for row in openpyxl.load_workbook(io.BytesIO(data))[title].iter_rows()]


def export(format: str, out: Path, **options: Any) -> Report:
    return export_tabs(Options(format=format), out=out, **options)


# --- CSV


def test_a_csv_is_utf8_with_the_mark_that_excel_needs_and_every_cell_is_quoted() -> None:
    data = file_of([table(("Où", 7, "007"), ("B", "", "8"))], CSV)

    assert data == b'\xef\xbb\xbf"Show","Episodes","Id"\r\n"O\xc3\xb9","7","007"\r\n"B","","8"\r\n'


def test_odd_names_stay_in_their_cells() -> None:
    rows = csv_cells(file_of([of_names(ODD)], CSV))

    assert [row[0] for row in rows[1:]] == ODD
    assert {len(row) for row in rows} == {3}


@pytest.mark.parametrize("name", FORMULAS)
def test_what_looks_like_a_formula_gets_an_apostrophe_and_with_legacy_none(name: str) -> None:
    safe, legacy = (csv_cells(file_of([of_names([name])], CSV, legacy=legacy))[1][0] for legacy in (False, True))

    assert (safe, legacy) == (f"'{name}", name)


# --- XLSX


def test_in_an_xlsx_texts_are_texts_and_numbers_numbers() -> None:
    _, first, second = xlsx_cells(file_of([table(("Survivor", 47, "00123"), ("B", "", "14658"))], XLSX))

    assert [(cell.value, cell.data_type) for cell in first] == [("Survivor", "s"), (47, "n"), ("00123", "s")]
    assert [(cell.value, cell.data_type) for cell in second] == [("B", "s"), (None, "n"), ("14658", "s")]


def test_the_header_stays_in_sight_and_columns_are_as_wide_as_their_texts() -> None:
    long, longer = "x" * 30, "y" * 300
    data = file_of([table((long, 1, longer))], XLSX)

    sheet = openpyxl.load_workbook(io.BytesIO(data))["ShowInfo"]
    assert sheet.freeze_panes == "A2"
    assert [sheet.column_dimensions[name].width for name in "ABC"] == [32, 10, 62]
    assert sheet["A1"].font.bold
    assert sheet.auto_filter.ref == "A1:C2"


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", [*ODD, *FORMULAS])
def test_no_text_of_an_xlsx_is_a_formula_or_an_error(name: str, legacy: bool) -> None:
    data = file_of([of_names([name])], XLSX, legacy=legacy)

    cell = xlsx_cells(data)[1][0]
    assert cell.data_type == "s"
    if "\r" not in name and "_x" not in name:  # which openpyxl does not read as Excel does
        assert cell.value == (name if legacy or name not in FORMULAS else f"'{name}")


def test_a_text_that_no_cell_of_xlsx_can_hold_is_named_and_csv_takes_it() -> None:
    long = of_names(["x" * 32_768])

    with pytest.raises(FileProblem, match=r"“xxx.*…” has 32,768 characters; a cell of XLSX holds 32,767. Choose CSV"):
        file_of([long], XLSX)

    assert csv_cells(file_of([long], CSV))[1][0] == "x" * 32_768
    assert file_of([of_names(["x" * 32_767])], XLSX)


def test_a_title_that_excel_can_not_take_is_cut() -> None:
    long = "ShowInfo a-saved-view-with-a-long-name"

    data = file_of([of_names(["A"]), table(("B", 1, "2"), title=long)], XLSX)

    assert openpyxl.load_workbook(io.BytesIO(data)).sheetnames == ["ShowInfo", "ShowInfo a-saved-view-with-a-lo"]


# --- read back

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(st.just(""), st.integers(0, 10**9))


@given(rows=st.lists(st.tuples(TEXTS, NUMBERS), max_size=8), format=st.sampled_from([CSV, XLSX]))
def test_what_was_written_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, Any]], format: str
) -> None:
    written = table(*((name, number, f"id{place}") for place, (name, number) in enumerate(rows)))
    path = tmp_path_factory.mktemp("files") / f"x.{format}"
    path.write_bytes(file_of([written], format))

    assert rows_there(path, written) == (list(COLUMNS), written.rows)


@pytest.mark.parametrize("format", [CSV, XLSX])
def test_odd_names_are_read_back(tmp_path: Path, format: str) -> None:
    written = of_names([*ODD, *FORMULAS, "x" * 32_000])
    path = tmp_path / f"x.{format}"
    path.write_bytes(file_of([written], format))

    assert rows_there(path, written)[1] == written.rows


def test_a_file_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert rows_there(tmp_path / "x.csv", of_names([])) == ([], [])


# --- where it goes


@pytest.mark.parametrize(
    ("format", "out", "names"),
    [
        (CSV, ".", ["ShowInfo.csv", "Names.csv"]),
        (XLSX, ".", ["Realitease2025Data.xlsx"]),
        (XLSX, "our book.xlsx", ["our book.xlsx"]),
        (XLSX, "BOOK.XLSX", ["BOOK.XLSX"]),
        (XLSX, "folder.xlsx", ["folder.xlsx/Realitease2025Data.xlsx"]),
        (CSV, "folder.csv", ["folder.csv/ShowInfo.csv", "folder.csv/Names.csv"]),
    ],
)
def test_a_folder_gets_a_file_a_tab_or_the_whole_book(tmp_path: Path, format: str, out: str, names: list[str]) -> None:
    for folder in ("folder.xlsx", "folder.csv"):
        (tmp_path / folder).mkdir()
    tables = [of_names([]), table(title="Names")]

    places = places_of(tables, format, tmp_path / out)

    assert [str(path.relative_to(tmp_path)) for path in places] == names
    assert [one for tables_there in places.values() for one in tables_there] == tables


def test_one_tab_is_named_after_itself(tmp_path: Path) -> None:
    assert list(places_of([of_names([])], XLSX, tmp_path)) == [tmp_path / "ShowInfo.xlsx"]
    assert list(places_of([of_names([])], CSV, tmp_path / "x.csv")) == [tmp_path / "x.csv"]


def test_two_tabs_do_not_go_into_one_csv(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match=r"x.csv: a CSV holds one tab. Name a folder for 2 of them"):
        places_of([of_names([]), table(title="Names")], CSV, tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("titles", "format", "name"),
    [
        (["ShowInfo"], CSV, r"showinfo-\d{4}-\d\d-\d\d\.csv"),
        (["ShowInfo ended"], XLSX, r"showinfo-ended-\d{4}-\d\d-\d\d\.xlsx"),
        (["ShowInfo", "Names"], XLSX, r"Realitease2025Data-\d{4}-\d\d-\d\d\.xlsx"),
    ],
)
def test_a_download_is_named_by_what_it_holds_and_of_which_day(titles: list[str], format: str, name: str) -> None:
    assert re.fullmatch(name, file_name([table(title=title) for title in titles], format))


# --- put there whole


def test_a_new_file_may_be_read_by_whom_any_other_may(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_file(tmp_path / "x.csv", b"new")
    finally:
        assert os.umask(before) == 0o027

    assert stat.S_IMODE((tmp_path / "x.csv").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("call", "error", "raised", "words"),
    [
        (
            "replace",
            PermissionError(errno.EACCES, "Permission denied"),
            FileProblem,
            "x.csv can't be written: Permission",
        ),
        (
            "fsync",
            OSError(errno.ENOSPC, "No space left on device"),
            FileProblem,
            "x.csv can't be written: No space left",
        ),
        ("fsync", KeyboardInterrupt(), KeyboardInterrupt, "^$"),
        ("replace", KeyboardInterrupt(), KeyboardInterrupt, "^$"),
    ],
)
def test_what_can_not_be_written_to_its_end_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException, raised: type, words: str
) -> None:
    def fail(*args: Any) -> None:
        raise error

    (tmp_path / "x.csv").write_bytes(b"old")
    monkeypatch.setattr(f"exports.files.os.{call}", fail)

    with pytest.raises(raised, match=words):
        save_file(tmp_path / "x.csv", b"new" * 1000)

    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x.csv": b"old"}


@pytest.mark.parametrize("out", ["nowhere", "nowhere/x.csv", "file.txt", "book.xlsx"])
@pytest.mark.django_db
def test_a_place_that_is_none_is_told_before_anything_is_done(tmp_path: Path, out: str) -> None:
    a_show(1)
    (tmp_path / "file.txt").write_text("mine")

    with pytest.raises(ImproperlyConfigured, match="is not there, or is no folder"):
        export(CSV, tmp_path / out)

    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
@pytest.mark.django_db
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    a_show(1)
    tmp_path.chmod(0o500)

    assert "can't be written: Permission denied" in export(CSV, tmp_path).tabs[0].error


# --- the whole trip


@pytest.mark.django_db
def test_a_csv_of_showinfo_is_what_the_old_workbook_was(tmp_path: Path) -> None:
    a_show(1, "=Survivor, “the”", show_total_seasons=0, override="Y")

    report = export(CSV, tmp_path)

    lines = (tmp_path / "ShowInfo.csv").read_bytes().decode("utf-8-sig").split("\r\n")
    assert lines == [
        '"Show","Network","ShowTotalSeasons","ShowTotalEpisodes","IMDbSeriesID","TMDbSeriesID","Most Recent Episode",'
        '"OVERRIDE"',
        '"\'=Survivor, “the”","Bravo","","30","tt0000001","1","2024-01-02","Y"',
        "",
    ]
    assert (report.exit_code, report.tabs[0].link) == (0, str(tmp_path / "ShowInfo.csv"))
    assert report.tabs[0].warnings == [
        "1 name in Show with a comma, at which readers of lists split: “=Survivor, “the””"
    ]


@pytest.mark.django_db
def test_no_show_leaves_the_old_file(tmp_path: Path) -> None:
    a_show(1)
    export(CSV, tmp_path)
    before = (tmp_path / "ShowInfo.csv").read_bytes()
    Show.objects.all().update(override="SKIP")

    report = export(CSV, tmp_path)

    assert report.exit_code == 1
    assert report.tabs[0].error == (
        "ShowInfo: no show is exported, so nothing was written. Is this the right database?"
    )
    assert (tmp_path / "ShowInfo.csv").read_bytes() == before


@pytest.mark.parametrize("format", [CSV, XLSX])
@pytest.mark.django_db
def test_what_changes_in_the_file_is_told_by_key(tmp_path: Path, format: str) -> None:
    for number in (1, 2, 3):
        a_show(number)
    assert len(export(format, tmp_path).tabs[0].difference.added) == 3
    Show.objects.filter(tmdb_id=1).update(show_total_seasons=4)
    Show.objects.filter(tmdb_id=2).delete()
    a_show(4)

    found = export(format, tmp_path).tabs[0].difference

    assert (found.added, [one["label"] for one in found.removed]) == (["4 Show 4"], ["2 Show 2"])
    assert [(one.label, one.cells) for one in found.changed] == [("1 Show 1", {"ShowTotalSeasons": [3, 4]})]
    assert export(format, tmp_path).tabs[0].difference.is_empty


@pytest.mark.django_db
def test_a_file_that_somebody_edited_in_excel_is_compared_all_the_same(tmp_path: Path) -> None:
    a_show(1)
    a_show(2)
    path = tmp_path / "ShowInfo.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "ShowInfo"
    sheet.append(HEADER)
    sheet.append([*cells(1)[:5], 1, date(2024, 1, 2), True])
    sheet.append(["=A2", *cells(2)[1:5], "2", "#N/A", ""])
    book.save(path)

    report = export(XLSX, tmp_path)

    [one, two] = report.tabs[0].difference.changed
    assert one.cells == {"TMDbSeriesID": [1, "1"], "OVERRIDE": [True, ""]}
    assert two.cells == {"Show": ["=A2", "Show 2"], "Most Recent Episode": ["#N/A", "2024-01-02"]}
    assert ExportRun.objects.get().exported.get().changed == 2


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"PK\x03\x04 no end", b"a,b\n1,2\n", b'"' * 500])
@pytest.mark.parametrize("format", [CSV, XLSX])
@pytest.mark.django_db
def test_a_file_of_somebody_else_is_replaced_and_all_is_new(tmp_path: Path, format: str, data: bytes) -> None:
    a_show(1)
    (tmp_path / f"ShowInfo.{format}").write_bytes(data)

    report = export(format, tmp_path)

    assert (report.exit_code, report.tabs[0].difference.added) == (0, ["1 Show 1"])
    assert export(format, tmp_path).tabs[0].difference.is_empty


@pytest.mark.usefixtures("two_tabs", "db")
def test_several_tabs_are_several_csvs_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    a_show(1)
    (tmp_path / "ShowInfo.csv").mkdir()

    report = export(CSV, tmp_path)

    assert [(tab.title, tab.is_sent) for tab in report.tabs] == [("ShowInfo", False), ("Names", True)]
    assert report.tabs[0].error == f"{tmp_path / 'ShowInfo.csv'} can't be written: Is a directory"
    assert csv_cells((tmp_path / "Names.csv").read_bytes()) == [["Name", "Letters"], ["Show 1", "6"]]
    assert report.exit_code == 1
    run = ExportRun.objects.get()
    assert (run.status, run.error) == ("failed", report.tabs[0].error)
    assert list(run.exported.values_list("title", "rows", "is_published")) == [
        ("ShowInfo", 1, False),
        ("Names", 1, True),
    ]


@pytest.mark.usefixtures("two_tabs", "db")
def test_several_tabs_are_the_sheets_of_one_xlsx(tmp_path: Path) -> None:
    a_show(1)

    report = export(XLSX, tmp_path / "book.xlsx")

    data = (tmp_path / "book.xlsx").read_bytes()
    assert openpyxl.load_workbook(io.BytesIO(data)).sheetnames == ["ShowInfo", "Names"]
    assert [cell.value for cell in xlsx_cells(data, "Names")[1]] == ["Show 1", 6]
    assert {tab.link for tab in report.tabs} == {str(tmp_path / "book.xlsx")}


@pytest.mark.usefixtures("two_tabs", "db")
def test_each_tab_of_an_xlsx_is_compared_with_its_own_sheet(tmp_path: Path) -> None:
    a_show(1)
    export(XLSX, tmp_path)

    assert [tab.difference.is_empty for tab in export(XLSX, tmp_path).tabs] == [True, True]


@pytest.mark.django_db
def test_a_dry_run_writes_no_file_and_no_row(tmp_path: Path) -> None:
    a_show(1)

    report = export(CSV, tmp_path, dry_run=True)

    assert (report.exit_code, report.tabs[0].difference.added) == (0, ["1 Show 1"])
    assert not ExportRun.objects.exists()
    assert list(tmp_path.iterdir()) == []
