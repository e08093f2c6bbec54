"""export_sheets as cron and people at a terminal see it: what it says, what it leaves behind, and its exit code."""

import io
import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError
from django.utils import timezone

from catalog.models import SavedView, Show
from demo.sheets import Call, Fault, SheetsServer, Workbook
from demo.sheets_errors import PROTECTED
from exports.models import ExportedTab, ExportRun, Snapshot
from exports.publish import STAGE
from exports.snapshots import save_snapshot
from ingestion.tests.test_commands import shell
from trr_site.google_account import GOOGLE

from .conftest import BOOK, HEADER, a_show, cells

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def run(*args: str) -> Any:
    """What a shell would see: output, errors and exit code."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("export_sheets", *args, stdout=out, stderr=err)
    except CommandError as error:
        err.write(f"CommandError: {error}\n")
        code = error.returncode
    return SimpleNamespace(out=out.getvalue(), err=err.getvalue(), code=code)


def rows_of(workbook: Workbook, title: str = "ShowInfo") -> list[list[Any]]:
    return [[*row, *[""] * len(HEADER)][: len(HEADER)] for row in workbook.values(title)]


@pytest.fixture
def three(server: SheetsServer) -> SheetsServer:
    """Three shows that are published, and a workbook nobody has asked anything since."""
    for number in (1, 2, 3):
        a_show(number)
    assert run().code == 0
    server.clear()
    return server


def old_rows() -> list[list[Any]]:
    return [HEADER, cells(1), cells(2), cells(3)]


# --- a good run


def test_a_good_run_says_what_it_did_and_where_it_is(server: SheetsServer, workbook: Workbook) -> None:
    a_show(1)
    a_show(2)
    a_show(3, override="SKIP")

    done = run()

    tab = workbook.sheet("ShowInfo")
    assert tab is not None
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "ShowInfo: reading the workbook"
    link = f"{server.url}/spreadsheets/d/book/edit#gid={tab.sheet_id}"
    assert lines[-2] == f"ShowInfo: 2 rows, 2 added: written, {link}"
    assert lines[-1].startswith("2 reads, 3 writes, 1 KiB sent, ")
    assert rows_of(workbook) == [HEADER, cells(1), cells(2)], "SKIP is hidden"


def test_its_row_says_who_what_when_and_at_what_cost(server: SheetsServer) -> None:
    before = timezone.now()
    a_show(1)

    run()

    row = ExportRun.objects.get()
    assert (row.format, row.status, row.tabs, row.view, row.columns) == ("google", "succeeded", ["ShowInfo"], "", [])
    assert (row.started_by, row.force, row.restore_of, row.error, row.tripped, row.step) == (
        None,
        False,
        None,
        "",
        False,
        "",
    )
    assert (row.reads, row.writes) == (server.reads, server.writes) == (2, 3)
    assert row.bytes_sent == sum(call.bytes for call in server.calls)
    assert row.started_at is not None
    assert row.finished_at is not None
    assert before <= row.started_at <= row.finished_at <= timezone.now()
    assert (row.pid, row.link) == (os.getpid(), f"{server.url}/spreadsheets/d/book/edit")
    tab = row.exported.get()
    assert (tab.title, tab.rows, tab.added, tab.removed, tab.changed, tab.by_hand) == ("ShowInfo", 1, 1, 0, 0, 0)
    assert tab.difference["added"] == ["1 Show 1"]
    assert (tab.is_published, tab.error, tab.link) == (True, "", f"{row.link}#gid={tab.sheet_id}")


def test_a_second_run_sends_nothing_and_says_so(three: SheetsServer) -> None:
    done = run()

    assert (done.code, three.writes, three.reads) == (0, 0, 2)
    assert "ShowInfo: 3 rows, nothing changed: as it is there, http" in done.out
    tab = ExportedTab.objects.order_by("-pk")[0]
    assert (tab.is_published, tab.rows, tab.run.status) == (False, 3, "succeeded")
    assert Snapshot.objects.count() == 1


def test_what_an_editor_has_set_is_what_is_published(three: SheetsServer, workbook: Workbook) -> None:
    Show.objects.filter(tmdb_id=2).update(name="Our name", override="6", locked_fields=["name"])

    done = run("-v", "2")

    assert rows_of(workbook)[2] == cells(2, "Our name", OVERRIDE="6")
    assert "  ~ 2 Our name: Show “Show 2” -> “Our name”; OVERRIDE “” -> “6”" in done.out.splitlines()


def test_what_somebody_wrote_into_the_sheet_is_told_when_it_is_undone(three: SheetsServer, workbook: Workbook) -> None:
    tab = workbook.sheet("ShowInfo")
    assert tab is not None
    tab.put(2, 2, 99)
    tab.put(4, 0, "A show of mine")

    done = run()

    assert done.out.splitlines()[-4:-1] == [
        "  ! row 3, 2 Show 2: somebody wrote 99 under ShowTotalSeasons",
        "  ! row 5, A show of mine: somebody added this row",
        f"ShowInfo: 3 rows, 1 removed, 1 changed; 2 edited by hand in the sheet: written, {link(three, workbook)}",
    ]
    assert rows_of(workbook)[:4] == old_rows()
    assert ExportedTab.objects.order_by("-pk")[0].by_hand == 2


def link(server: SheetsServer, workbook: Workbook) -> str:
    tab = workbook.sheet("ShowInfo")
    assert tab is not None
    return f"{server.url}/spreadsheets/d/{BOOK}/edit#gid={tab.sheet_id}"


def test_names_with_commas_are_warned_of(server: SheetsServer) -> None:
    a_show(1, "Sex, Love & Goop")

    done = run()

    told = "ShowInfo: 1 name in Show with a comma, at which readers of lists split: “Sex, Love & Goop”"
    assert told in done.out.splitlines()
    assert ExportedTab.objects.get().warnings == [told.removeprefix("ShowInfo: ")]


def test_quiet_is_quiet(server: SheetsServer) -> None:
    a_show(1)

    assert run("-v", "0").out == ""


# --- a dry run


def test_a_dry_run_lists_rows_by_key_and_changes_nothing(three: SheetsServer, workbook: Workbook) -> None:
    Show.objects.filter(tmdb_id=1).update(show_total_episodes=31)
    Show.objects.filter(tmdb_id=2).update(override="SKIP")
    a_show(4)
    runs = ExportRun.objects.count()

    done = run("--dry-run")

    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[:3] == ["  + 4 Show 4", "  - 2 Show 2", "  ~ 1 Show 1: ShowTotalEpisodes 30 -> 31"]
    assert lines[3] == f"ShowInfo: 3 rows, 1 added, 1 removed, 1 changed: would be written, {link(three, workbook)}"
    assert lines[-1] == "dry run: nothing was written"
    assert (three.writes, three.reads, ExportRun.objects.count()) == (0, 2, runs)
    assert rows_of(workbook) == old_rows()


def test_a_dry_run_lists_twenty_rows_of_a_kind_and_all_when_asked(server: SheetsServer) -> None:
    for number in range(1, 24):
        a_show(number)

    some, all_of_them = run("--dry-run"), run("--dry-run", "-v", "2")

    assert some.out.count("  + ") == 20
    assert "  ... and 3 more (-v 2 lists them)" in some.out.splitlines()
    assert all_of_them.out.count("  + ") == 23


def test_a_dry_run_is_no_second_run(three: SheetsServer) -> None:
    ExportRun.objects.create(format="google", status="running", host="elsewhere", pid=1)

    assert run("--dry-run").code == 0


def test_a_dry_run_says_what_would_stop_it(three: SheetsServer, workbook: Workbook) -> None:
    tab = workbook.sheet("ShowInfo")
    assert tab is not None
    tab.put(0, 0, "Name")

    done = run("--dry-run")

    assert done.code == 1
    assert "the header of ShowInfo was edited by hand: A1 is “Name”, expected “Show”" in done.err


# --- one JSON object


def test_with_json_stdout_is_one_object(three: SheetsServer, workbook: Workbook) -> None:
    a_show(4)

    done = run("--json")

    told = json.loads(done.out)
    [tab] = told["tabs"]
    assert (told["exit_code"], told["format"], told["dry_run"], told["error"]) == (0, "google", False, "")
    assert told["run"] == ExportRun.objects.order_by("-pk")[0].pk
    assert told["calls"] == {"reads": 6, "writes": 3, "bytes_sent": sum(call.bytes for call in three.calls)}
    assert (tab["title"], tab["rows"], tab["added"], tab["sent"], tab["link"]) == (
        *("ShowInfo", 4, 1, True),
        link(three, workbook),
    )
    assert tab["difference"]["added"] == ["4 Show 4"]
    assert "ShowInfo: publishing" in done.err


def test_with_json_a_failure_is_an_object_too(three: SheetsServer) -> None:
    three.fail_always(Fault(status=400, message="No."))

    done = run("--json")

    told = json.loads(done.out)
    assert (done.code, told["exit_code"], told["tabs"][0]["sent"]) == (1, 1, False)
    assert told["tabs"][0]["error"] == "ShowInfo: Google Sheets refused it (HTTP 400): No."


# --- a part of a tab


@pytest.fixture
def ended(django_user_model: Any) -> SavedView:
    anna = django_user_model.objects.create_user("anna")
    return SavedView.objects.create(slug="ended", name="Ended", owner=anna, params={"status": "Ended"})


def test_a_saved_view_gets_a_tab_of_its_own(three: SheetsServer, workbook: Workbook, ended: SavedView) -> None:
    Show.objects.filter(tmdb_id__in=(1, 3)).update(tmdb_status="Ended")
    Show.objects.filter(tmdb_id=3).update(override="SKIP")

    done = run("--filter", "ended")

    assert done.code == 0
    assert "ShowInfo ended: 1 row, 1 added: written" in done.out
    assert rows_of(workbook, "ShowInfo ended") == [HEADER, cells(1)]
    assert rows_of(workbook) == old_rows()
    assert ExportRun.objects.order_by("-pk")[0].view == "ended"


def test_chosen_columns_get_a_tab_of_their_own_in_the_order_of_the_tab(three: SheetsServer, workbook: Workbook) -> None:
    done = run("--columns", "override, TMDbSeriesID ,show")

    assert done.code == 0
    assert workbook.values("ShowInfo (columns)") == [
        ["Show", "TMDbSeriesID", "OVERRIDE"],
        *([f"Show {number}", str(number)] for number in (1, 2, 3)),
    ]
    assert rows_of(workbook) == old_rows()


# --- again


def test_what_an_export_has_published_is_published_again(three: SheetsServer, workbook: Workbook) -> None:
    first = ExportRun.objects.get().pk
    Show.objects.filter(tmdb_id=2).update(name="Renamed")
    a_show(4)
    run()
    assert rows_of(workbook)[2] == cells(2, "Renamed")

    done = run("--restore", str(first))

    assert (done.code, rows_of(workbook)[:4]) == (0, old_rows())
    assert not any(any(row) for row in rows_of(workbook)[4:])
    again = ExportRun.objects.order_by("-pk")[0]
    assert (again.restore_of_id, again.status) == (first, "succeeded")
    assert Show.objects.count() == 4, "the catalogue stays as it is"


def test_a_restored_export_can_be_looked_at_first(three: SheetsServer, workbook: Workbook) -> None:
    first = ExportRun.objects.get().pk
    Show.objects.filter(tmdb_id=2).update(name="Renamed")
    run()

    done = run("--restore", str(first), "--dry-run")

    assert "  ~ 2 Show 2: Show “Renamed” -> “Show 2”" in done.out
    assert rows_of(workbook)[2] == cells(2, "Renamed")


def test_an_export_that_is_not_there_or_published_nothing_is_not_restored(three: SheetsServer) -> None:
    run()  # sends nothing
    nothing = ExportRun.objects.order_by("-pk")[0].pk

    unknown, empty = run("--restore", "4711"), run("--restore", str(nothing))

    assert (unknown.code, unknown.err) == (2, "CommandError: there is no export 4711\n")
    assert (empty.code, empty.err) == (2, f"CommandError: export {nothing} published nothing\n")


def test_an_export_into_a_file_is_not_restored(three: SheetsServer, tmp_path: Path) -> None:
    run("--format", "csv", "--out", str(tmp_path))
    number = ExportRun.objects.order_by("-pk")[0].pk

    done = run("--restore", str(number))

    assert (done.code, done.err) == (2, f"CommandError: export {number} published nothing\n")


def test_an_export_that_is_too_old_is_not_restored(three: SheetsServer, settings: Any) -> None:
    settings.EXPORT_SNAPSHOTS = 2
    first = ExportRun.objects.get().pk
    for number in (4, 5):
        a_show(number)
        run()

    done = run("--restore", str(first))

    assert done.code == 2
    assert done.err == f"CommandError: what export {first} published is no longer kept (the last 2 are)\n"


# --- files


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_files_need_no_workbook_and_no_google(settings: Any, tmp_path: Path, format: str) -> None:
    settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = GOOGLE, ""
    a_show(1)

    done = run("--format", format, "--out", str(tmp_path))

    path = tmp_path / f"ShowInfo.{format}"
    assert (done.code, done.err) == (0, "")
    assert done.out == f"ShowInfo: 1 row, 1 added: written, {path}\n"
    assert path.exists()
    assert ExportRun.objects.get().format == format


def test_without_out_files_go_into_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    a_show(1, "=1")

    run("--format", "csv")
    assert "'=1" in Path("ShowInfo.csv").read_text()
    run("--format", "csv", "--legacy", "--out", "x.csv")

    assert "'=1" not in Path("x.csv").read_text()


def test_a_dry_run_of_a_file_tells_what_would_change_in_it(tmp_path: Path) -> None:
    a_show(1)
    run("--format", "csv", "--out", str(tmp_path))
    before = (tmp_path / "ShowInfo.csv").read_bytes()
    a_show(2)

    done = run("--format", "csv", "--out", str(tmp_path), "--dry-run")

    assert done.out.splitlines() == [
        "  + 2 Show 2",
        f"ShowInfo: 2 rows, 1 added: would be written, {tmp_path / 'ShowInfo.csv'}",
        "dry run: nothing was written",
    ]
    assert (tmp_path / "ShowInfo.csv").read_bytes() == before
    assert ExportRun.objects.count() == 1


def test_two_exports_into_files_do_not_hinder_each_other_nor_one_to_google(
    server: SheetsServer, tmp_path: Path
) -> None:
    for format in ("csv", "xlsx", "google"):
        ExportRun.objects.create(format=format, status="running", host="elsewhere", pid=1)
    a_show(1)

    assert run("--format", "csv", "--out", str(tmp_path)).code == 0


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    a_show(1)

    done = run("--format", "xlsx", "--out", str(tmp_path / "no" / "where"))

    assert done.code == 2
    assert done.err == f"CommandError: {tmp_path}/no/where is not there, or is no folder\n"
    assert not ExportRun.objects.exists()


# --- wrong usage


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--tabs", "ShowInfo,Nonsense"], "There is no tab Nonsense; there are: ShowInfo."),
        (["--tabs", ""], "Name a tab; there are: ShowInfo."),
        (["--filter", "nobody"], "There is no saved view “nobody”. It may have been renamed or deleted."),
        (["--filter", "no\x00body"], "There is no saved view “no\x00body”."),
        (["--columns", "Show,Stars"], "ShowInfo has no column stars; it has Show, Network,"),
        (["--columns", "Network"], "Choose TMDbSeriesID or IMDbSeriesID or Show as well"),
        (["--out", "x"], "--out is for --format csv and xlsx"),
        (["--legacy"], "--legacy is for --format csv and xlsx: Google Sheets gets every text as it is"),
        (["--format", "csv", "--force"], "--force is for --format google"),
        (["--format", "xlsx", "--restore", "1"], "--restore publishes to Google Sheets: it goes without --format"),
        (["--restore", "1", "--tabs", "ShowInfo"], "--restore goes without --tabs, --filter and --columns"),
        (["--restore", "1", "--filter", "x"], "--restore goes without --tabs, --filter and --columns"),
        (["--restore", "1", "--columns", "Show"], "--restore goes without --tabs, --filter and --columns"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_nothing_is_tried(server: SheetsServer, args: list[str], words: str) -> None:
    a_show(1)

    done = run(*args)

    assert (done.code, done.out, server.calls, ExportRun.objects.count()) == (2, "", [], 0)
    assert done.err.startswith("CommandError: ")
    assert words in done.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--restore", "0"], "argument --restore: '0' is not a whole number above 0"),
        (["--restore", "last"], "argument --restore: 'last' is not a whole number above 0"),
        (["--format", "pdf"], "argument --format: invalid choice: 'pdf'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_wrong_arguments_are_named(args: list[str], words: str) -> None:
    done = run(*args)

    assert done.code
    assert words in done.err


def test_wrong_arguments_are_exit_code_2_in_a_shell() -> None:
    ended = shell("export_sheets", "--format", "pdf")

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("manage.py export_sheets: error: argument --format: invalid choice")


def test_a_database_that_is_not_there_is_exit_code_2_in_a_shell() -> None:
    ended = shell("export_sheets")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("CommandError: no connection to the database")


def test_two_csvs_do_not_go_into_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from .test_files import TABS, Names

    monkeypatch.setitem(TABS, "Names", Names())
    a_show(1)

    done = run("--format", "csv", "--out", str(tmp_path / "x.csv"))

    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert done.err == f"CommandError: {tmp_path}/x.csv: a CSV holds one tab. Name a folder for 2 of them\n"


# --- wrong configuration


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SPREADSHEET_ID": ""}, "SPREADSHEET_ID is not set: the id of the workbook"),
        ({"GOOGLE_SHEETS_API_URL": GOOGLE}, "GOOGLE_APPLICATION_CREDENTIALS is not set: the path of a service account"),
        (
            {"GOOGLE_SHEETS_API_URL": GOOGLE, "GOOGLE_APPLICATION_CREDENTIALS": __file__},
            "the file that GOOGLE_APPLICATION_CREDENTIALS names is not JSON",
        ),
        ({"ENVIRONMENT_ERRORS": ["DATABASE_URL is malformed: expected x"]}, "DATABASE_URL is malformed: expected x"),
        ({"ENVIRONMENT_ERRORS": ["SPREADSHEET_ID is malformed: expected x"]}, "SPREADSHEET_ID is malformed"),
    ],
)
def test_wrong_configuration_is_exit_code_2_and_nothing_is_tried(
    server: SheetsServer, settings: Any, changes: dict[str, Any], words: str
) -> None:
    a_show(1)
    for name, value in changes.items():
        setattr(settings, name, value)

    done = run()

    assert (done.code, done.out, server.calls, ExportRun.objects.count()) == (2, "", [], 0)
    assert done.err.count("\n") == 1
    assert words in done.err


@pytest.mark.parametrize(
    ("deny", "words"),
    [
        (lambda server: server.forbidden.add(BOOK), "no access to the workbook: share it with the stand-in's account"),
        (lambda server: server.workbooks.clear(), "there is no such workbook: check SPREADSHEET_ID"),
        (lambda server: server.read_only.add(BOOK), "no access to the workbook: share it with the stand-in's account"),
    ],
)
def test_a_workbook_that_is_not_given_is_exit_code_2_and_the_tab_is_as_it_was(
    three: SheetsServer, workbook: Workbook, deny: Any, words: str
) -> None:
    a_show(4)
    deny(three)

    done = run()

    assert done.code == 2
    assert words in done.err
    assert rows_of(workbook) == old_rows()
    last = ExportRun.objects.order_by("-pk")[0]
    assert (last.status, words in last.error) == ("failed", True)


def test_an_export_that_goes_on_is_exit_code_3_and_named(server: SheetsServer, django_user_model: Any) -> None:
    anna = django_user_model.objects.create_user("anna")
    now = timezone.now()
    other = ExportRun.objects.create(
        format="google", status="running", host="elsewhere", pid=7, started_by=anna, started_at=now
    )
    a_show(1)

    done = run()

    assert (done.code, done.out, server.calls) == (3, "", [])
    assert done.err == (
        f"CommandError: another export is going on: export {other.pk}, process 7 on elsewhere by anna, "
        f"since {now:%Y-%m-%d %H:%M:%S} UTC\n"
    )


# --- what leaves the tab as it was


def put(row: int, column: int, value: Any) -> Any:
    return lambda workbook: workbook.sheet("ShowInfo").put(row, column, value)


def fill_up(workbook: Workbook) -> None:
    workbook.most_cells = sum(sheet.row_count * sheet.column_count for sheet in workbook.sheets)


BAD = {
    "a wrong header": (put(0, 5, "TMDb"), "F1 is “TMDb”, expected “TMDbSeriesID”. Put it back; nothing was published"),
    "merged cells": (
        lambda workbook: workbook.sheet("ShowInfo").merges.append((2, 4, 1, 3)),
        "ShowInfo has merged cells at B3 to C",
    ),
    "a protected tab": (
        lambda workbook: workbook.sheet("ShowInfo").protected.append((0, 100, 0, 8)),
        "the tab is protected against the stand-in's account",
    ),
    "a full workbook": (fill_up, "the workbook is full: delete tabs or rows that nobody needs"),
    "no show": (
        lambda workbook: Show.objects.all().delete(),
        "ShowInfo: no show is exported, so nothing was written. Is this the right database?",
    ),
    "a cell that is too long": (
        lambda workbook: Show.objects.filter(tmdb_id=4).update(name="x" * 50_001),
        "ShowInfo: Show of 4 xxx",
    ),
    "many rows gone": (
        lambda workbook: few(),
        "ShowInfo: 4 of 7 rows would go, more than 30%",
    ),
}


def few() -> None:
    """Seven rows are published, and most of their shows leave."""
    for number in range(4, 8):
        a_show(number)
    run()
    Show.objects.filter(tmdb_id__gt=3).delete()


@pytest.mark.parametrize(("spoil", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_told_and_the_tab_is_as_it_was(
    three: SheetsServer, workbook: Workbook, spoil: Any, words: str
) -> None:
    if words.startswith("ShowInfo: 4 of"):
        spoil(workbook)
    else:
        a_show(4)
        spoil(workbook)
    before = [workbook.values(title) for title in workbook.visible_titles()]

    done = run()

    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err
    assert [workbook.values(title) for title in workbook.visible_titles()] == before
    assert not [sheet for sheet in workbook.sheets if STAGE.match(sheet.title)]
    last = ExportRun.objects.order_by("-pk")[0]
    assert last.status == "failed"
    assert words in last.error
    assert last.tripped == words.startswith("ShowInfo: 4 of")
    assert last.exported.get().error == last.error


def test_what_the_guard_keeps_back_is_published_with_force(three: SheetsServer, workbook: Workbook) -> None:
    few()

    done = run("--force")

    assert (done.code, rows_of(workbook)[:4]) == (0, old_rows())
    assert ExportRun.objects.order_by("-pk")[0].force


def test_a_tab_that_people_have_filled_is_taken_over_with_force_alone(server: SheetsServer, workbook: Workbook) -> None:
    workbook.add("ShowInfo", [HEADER, cells(1, "My name for it"), cells(9)])
    a_show(1)

    refused, forced = run(), run("--force")

    assert refused.code == 1
    assert "ShowInfo was never published from here, and has what the catalogue has not" in refused.err
    assert (forced.code, rows_of(workbook)[:2]) == (0, [HEADER, cells(1)])


ODD = [
    "=IMPORTXML(A1)",
    "+49 171",
    "-1",
    "@home",
    "'quoted",
    '"quoted"',
    "A, B",
    "tab\there",
    "two\nlines",
    "😀👩‍👩‍👧",
    "00123",
    "1e5",
    "2024-01-02",
    "TRUE",
    "#N/A",
]


def test_no_name_is_read_as_anything_but_a_text(server: SheetsServer, workbook: Workbook) -> None:
    for number, name in enumerate(ODD, 1):
        a_show(number, name)

    assert run().code == 0

    tab = workbook.sheet("ShowInfo")
    assert tab is not None
    assert [tab.cell(number, 0) for number in range(1, len(ODD) + 1)] == ODD
    assert [tab.cell(1, column) for column in (2, 3, 4, 5)] == [3, 30, "tt0000001", "1"]
    server.clear()
    assert run().code == 0
    assert server.writes == 0, "and it is known again as it is"


# --- what goes wrong on the way


def test_a_google_that_is_away_is_exit_code_1_and_the_tab_is_as_it_was(
    three: SheetsServer, workbook: Workbook, settings: Any
) -> None:
    settings.SHEETS_BACKOFF = 0
    a_show(4)
    three.fail_always(Fault(status=503), from_call=3)

    done = run()

    assert done.code == 1
    assert "Google Sheets failed (HTTP 503): The service is currently unavailable. (8 tries)" in done.err
    assert rows_of(workbook) == old_rows()


def test_a_wait_is_told_meanwhile(three: SheetsServer) -> None:
    three.fail(1, Fault(status=429, retry_after="0"))

    done = run()

    assert done.code == 0
    assert "ShowInfo: the quota of Google Sheets is used up: Quota exceeded" in done.out


def test_a_protection_that_google_tells_of_is_told(three: SheetsServer) -> None:
    a_show(4)
    three.fail(6, Fault(status=400, message=PROTECTED))

    assert "let it edit under Data > Protected ranges" in run().err


def test_a_database_that_fails_before_is_one_line_and_exit_code_1(
    three: SheetsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> Any:
        raise OperationalError("the server closed the connection\nmore")

    monkeypatch.setattr("exports.export.tables_of", fail)

    done = run()

    assert done.code == 1
    assert done.err.endswith(" failed: the server closed the connection\n")
    assert three.calls == []


def test_a_database_that_fails_in_the_middle_is_one_line_and_the_next_run_makes_it_good(
    three: SheetsServer, workbook: Workbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_the_end(*args: Any, is_pending: bool = False) -> None:
        if not is_pending:
            raise OperationalError("disk I/O error")
        save_snapshot(*args, is_pending=True)

    a_show(4)
    monkeypatch.setattr("exports.export.save_snapshot", fail_at_the_end)

    done = run()

    assert (done.code, done.err.count("\n")) == (1, 1)
    assert rows_of(workbook) == [*old_rows(), cells(4)], "it had been published"
    last = ExportRun.objects.order_by("-pk")[0]
    assert (last.status, last.error) == ("failed", "it failed (OperationalError); the log says why")
    assert not last.exported.get().is_published
    monkeypatch.undo()
    done = run()
    assert (done.code, "somebody" in done.out) == (0, False), "nobody is accused of what we have published"
    assert last.exported.get().is_published
    assert last.exported.get().snapshot.title == "ShowInfo"


def test_what_was_published_although_it_was_told_as_failed_is_nobodys_edit(
    three: SheetsServer, workbook: Workbook
) -> None:
    a_show(4, "Fourth")
    three.fail(8, Fault(after=True, drop=True))
    three.fail_always(Fault(status=503), from_call=9)
    assert run().code == 1
    failed = ExportRun.objects.order_by("-pk")[0].exported.get()
    assert failed.error
    assert not failed.is_published
    three.clear()
    Show.objects.filter(name="Fourth").update(name="Renamed since")

    done = run()

    assert (done.code, "somebody" in done.out) == (0, False)
    assert rows_of(workbook)[-1][0] == "Renamed since"
    failed.refresh_from_db()
    assert failed.is_published


@pytest.mark.parametrize("call", range(1, 9))
def test_sigterm_at_any_call_is_exit_code_1_and_readers_have_the_old_tab_or_the_new_one(
    three: SheetsServer, workbook: Workbook, call: int
) -> None:
    def ask_to_stop(made: Call) -> None:
        if made.number == call:
            os.kill(os.getpid(), signal.SIGTERM)

    a_show(4)
    three.after_call = ask_to_stop

    done = run()

    three.after_call = None
    last = ExportRun.objects.order_by("-pk")[0]
    if call == 8:  # it was done
        assert (done.code, last.status) == (0, "succeeded")
        assert rows_of(workbook) == [*old_rows(), cells(4)]
    else:
        told = "stopped by a signal; readers see the old tab or the new one, whole"
        assert (done.code, done.err, last.status, last.error) == (1, f"CommandError: {told}\n", "failed", told)
        assert "nothing changed" not in done.out
        assert rows_of(workbook) == old_rows()
    assert not [sheet for sheet in workbook.sheets if STAGE.match(sheet.title)]


def test_a_second_tab_is_published_when_the_first_one_can_not_be(
    server: SheetsServer, workbook: Workbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from .test_files import TABS, Names

    monkeypatch.setitem(TABS, "Names", Names())
    a_show(1)
    workbook.add("ShowInfo", [["Something else"]])

    done = run()

    assert done.code == 1
    assert "the header of ShowInfo was edited by hand" in done.err
    assert workbook.values("Names") == [["Name", "Letters"], ["Show 1", 6]]
    last = ExportRun.objects.get()
    assert (last.status, last.exported.count()) == ("failed", 2)
    assert run("--tabs", "names").code == 0


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("export_sheets", "--help")

    text = capsys.readouterr().out
    options = "--tabs --filter --columns --restore --format --out --dry-run --force --legacy --json".split()
    assert [option for option in options if option not in text] == []
