import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError
from django.utils import timezone

from catalog.models import Network, Show
from demo.sheets import Fault, SheetsServer, Workbook
from ingestion import workbook as moving_in
from ingestion.models import SyncRun, SyncState, WorkbookRow
from ingestion.problems import newest_runs
from ingestion.runs import RunLost, start_run
from ingestion.workbook_tabs import LAYOUTS, SHOW_INFO

from .workbooks import CAST, SHOW_HEADER, SURVIVOR, VOICE, contents, show_row, write_csv, write_xlsx

pytestmark = [pytest.mark.django_db, pytest.mark.once]

COMMAND = "ingestion.management.commands.import_workbook"
BOOK = "1yXHRaUTFlGV-Axis4vLHtoPvGUj3C_-awA_5sLK8k6g"
CAST_HEADER = LAYOUTS["CastInfo"].headings


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A workbook with good rows, a doubtful one of each kind, a tab of others, and columns of others."""
    rows = [
        [*SHOW_HEADER, "My notes"],
        [*SURVIVOR, "Ask Dana"],
        show_row(name="Bad", tmdb_id="x"),
        VOICE,
    ]
    cast = [CAST_HEADER, CAST, [*CAST[:2], "nm1", *CAST[3:]]]
    path = write_xlsx(tmp_path / "old.xlsx", {SHOW_INFO: rows, "CastInfo": cast, "Overview": [["x"]]})
    return str(path)


@pytest.fixture
def good(tmp_path: Path) -> str:
    return str(write_xlsx(tmp_path / "good.xlsx", {SHOW_INFO: [SHOW_HEADER, SURVIVOR, VOICE]}))


def run(*args: str, **options: Any) -> SimpleNamespace:
    """What a shell would see: output, errors and exit code."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("import_workbook", *args, stdout=out, stderr=err, **options)
    except CommandError as error:
        err.write(f"CommandError: {error}\n")
        code = error.returncode
    return SimpleNamespace(out=out.getvalue(), err=err.getvalue(), code=code)


def test_without_write_it_says_what_it_would_do_and_writes_nothing(old):
    before = contents()

    done = run(old)

    assert done.code == 1
    assert done.out.splitlines() == [
        "ShowInfo row 2: Network 'CBS': no network is yet known by that name; sync, then import again",
        "ShowInfo row 4: Network 'NBC': no network is yet known by that name; sync, then import again",
        "ShowInfo: columns not used: 'My notes'",
        "tabs that are not there: RealiteaseInfo, WWHLinfo, FinalList",
        "tabs that are not read: 'Overview'",
        "ShowInfo: read 3, would create 2, would update 0, unchanged 0, excluded 0, doubtful 1",
        "CastInfo: read 2, would be kept 2, doubtful 1; nothing uses these rows yet",
        "not asked of TMDb yet: 2 shows; sync, then import again, to tell apart what people wrote",
        "dry run: nothing was written; --write does it",
    ]
    assert done.err.splitlines() == [
        "ShowInfo row 3: tmdb_id 'x' is not a positive whole number below 2**63",
        "CastInfo row 3: IMDbCastID 'nm1' is not nm and at least 7 digits",
        "CommandError: 2 of 5 rows are doubtful",
    ]
    assert contents() == before
    assert not SyncRun.objects.exists()
    assert run(old, "--dry-run").out == done.out


def test_with_write_the_good_rows_stay(old):
    done = run(old, "--write")

    assert done.code == 1
    assert "ShowInfo: read 3, created 2, updated 0, unchanged 0, excluded 0, doubtful 1" in done.out
    assert "CastInfo: read 2, kept 2, doubtful 1; nothing uses these rows yet" in done.out
    assert "dry run" not in done.out
    assert set(Show.objects.values_list("name", flat=True)) == {"Survivor", "The Voice"}
    assert WorkbookRow.objects.count() == 2
    ledger = SyncRun.objects.get()
    assert (ledger.kind, ledger.status, ledger.done, ledger.total) == ("import_workbook", "failed", 5, 5)
    assert ledger.options == {"workbook": f"old.xlsx ({old})"}


def test_a_second_time_nothing_is_to_do(old):
    run(old, "--write")
    before = contents()

    done = run(old, "--write")

    assert "created 0, updated 0, unchanged 2" in done.out
    assert "CastInfo: read 2, kept as they were 2" in done.out
    assert contents() == before


def test_a_workbook_without_doubts_ends_with_0(good):
    assert [run(good, *how).code for how in ([], ["--write"], ["--write"])] == [0, 0, 0]


def test_a_dry_run_says_which_values_it_would_set(good):
    Show.objects.create(name="Survivor", tmdb_name="Survivor", tmdb_id=14658, tmdb_fetched_at=timezone.now())

    done = run(good)

    assert done.out.splitlines()[0] == (
        "ShowInfo row 2: would update 'Survivor': imdb_id None -> 'tt0239195'; show_total_seasons None -> 45; "
        "show_total_episodes None -> 640; locked_fields +show_total_seasons, show_total_episodes"
    )
    assert "created" not in done.out


def test_in_detail_every_row_that_changes_is_told(good):
    done = run(good, "--write", "-v", "2")

    assert done.out.splitlines()[0].startswith("ShowInfo row 2: created 'Survivor': name None -> 'Survivor'; tmdb_id")


def test_what_is_told_of_many_rows_is_told_once_and_shortened(tmp_path):
    rows = [show_row(name=f"A {n}", tmdb_id=n, network="Bravo") for n in range(1, 10)]
    rows += [show_row(name=f"B {n}", tmdb_id=n, aired=f"day {n}") for n in range(10, 40)]
    path = str(write_xlsx(tmp_path / "old.xlsx", {SHOW_INFO: [SHOW_HEADER, *rows]}))

    lines = run(path).out.splitlines()

    assert lines[0].startswith("ShowInfo rows 2, 3, 4, 5, 6 and 4 more: Network 'Bravo': no network is yet known")
    assert lines[20] == "and 11 more values that are not taken; -v 2 lists all"
    assert len([line for line in run(path, "-v", "2").out.splitlines() if "is not a date" in line]) == 30


def test_excluded_rows_are_told_and_are_no_doubt(good):
    Show.objects.create(name="Survivor", tmdb_id=14658, deleted_at=timezone.now())

    done = run(good, "--write")

    assert done.code == 0
    assert "ShowInfo row 2: excluded: Survivor is in the trash" in done.out
    assert "created 1, updated 0, unchanged 0, excluded 1, doubtful 0" in done.out


def test_totals_that_tmdb_has_outgrown_are_counted(good):
    Network.objects.create(pk=16, name="CBS")
    columns = {"tmdb_name": "Survivor", "imdb_id": "tt0239195", "tmdb_fetched_at": timezone.now()}
    Show.objects.create(name="Survivor", tmdb_id=14658, show_total_seasons=50, show_total_episodes=700, **columns)

    assert "totals that TMDb has outgrown, left out: 2" in run(good).out


def test_a_doubtful_value_is_named_and_the_rest_of_its_row_is_taken(good):
    show = Show.objects.create(name="Survivor", tmdb_id=14658, tmdb_name="Survivor", tmdb_fetched_at=timezone.now())
    SyncState.objects.create(
        show=show, stage="entities", status="ok", attempted_at=timezone.now(), last_success_at=timezone.now()
    )
    doubt = "Network 'CBS': TMDb has no such network here: choose one in admin (the rest of the row is taken)"

    done = run(good, "--write")

    assert done.code == 1
    assert done.err.splitlines() == [
        f"ShowInfo row 2: {doubt}", "CommandError: 1 of 2 rows has a doubtful value",
    ]  # fmt: skip
    assert "created 1, updated 1, unchanged 0, excluded 0, doubtful 0" in done.out
    report = json.loads(run(good, "--json").out)
    assert report["doubtful_values"] == [{"tab": "ShowInfo", "row": 2, "reason": doubt}]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("gone", "not known to TMDb: 1 show; give them their id under Review in admin, sync, then import again"),
        ("failed", "not brought by the last sync: 1 show; see why under Runs in admin, sync, then import again"),
    ],
)
def test_shows_that_tmdb_was_asked_for_in_vain_are_told_apart(good, status, said):
    show = Show.objects.create(name="Survivor", tmdb_id=14658, needs_tmdb_resolution=True)
    SyncState.objects.create(show=show, stage="details", status=status, attempted_at=timezone.now())

    lines = run(good).out.splitlines()

    assert said in lines
    assert [line for line in lines if line.startswith("not asked of TMDb yet: 1 show;")]


def test_json_is_one_object_on_stdout(old):
    done = run(old, "--json")

    report = json.loads(done.out)
    assert done.code == 1
    assert report.pop("seconds") >= 0
    changes = report.pop("changes")
    assert [(change["row"], change["outcome"], change["name"]) for change in changes] == [
        (2, "created", "Survivor"), (4, "created", "The Voice"),
    ]  # fmt: skip
    assert report == {
        "dry_run": True,
        "run_id": None,
        "status": "failed",
        "workbook": "old.xlsx",
        "tabs": {
            "ShowInfo": {"read": 3, "created": 2, "updated": 0, "unchanged": 0, "excluded": 0, "doubtful": 1},
            "CastInfo": {"read": 2, "kept": 2, "doubtful": 1, "changed": True},
        },
        "missing_tabs": ["RealiteaseInfo", "WWHLinfo", "FinalList"],
        "older": 0,
        "waiting": {"sync": 2, "editor": 0, "upstream": 0},
        "not_read": ["Overview"],
        "unused_columns": ["My notes"],
        "doubtful": [
            {"tab": "ShowInfo", "row": 3, "reason": "tmdb_id 'x' is not a positive whole number below 2**63"},
            {"tab": "CastInfo", "row": 3, "reason": "IMDbCastID 'nm1' is not nm and at least 7 digits"},
        ],
        "doubtful_values": [],
        "notes": [
            {"rows": [2], "note": "Network 'CBS': no network is yet known by that name; sync, then import again"},
            {"rows": [4], "note": "Network 'NBC': no network is yet known by that name; sync, then import again"},
        ],
        "error": "",
    }


def test_a_long_import_says_from_time_to_time_how_far_it_is(good, monkeypatch):
    monkeypatch.setattr(f"{COMMAND}.LINE_EVERY", 0)

    assert run(good).out.splitlines()[:2] == ["ShowInfo: at row 2", "ShowInfo: at row 3"]
    assert "at row" not in run(good, "--json").out


# --- what is refused


def test_write_and_dry_run_exclude_each_other(good):
    done = run(good, "--write", "--dry-run")

    assert (done.code, done.err) == (2, "CommandError: --write and --dry-run exclude each other\n")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("nothing.xlsx", "There is no such file."),
        ("", "It has no tab ShowInfo"),  # the folder where it is called
        ("a\0b", "There is no such file."),
        ("y" * 300, "It can't be read: File name too long."),
    ],
)
def test_a_source_that_can_not_be_read_is_exit_2(source, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    done = run(source)

    assert done.code == 2
    assert done.err.startswith(f"CommandError: {source}: {reason}")


def test_a_list_of_shows_is_no_workbook(tmp_path):
    (tmp_path / "shows.csv").write_text("name,tmdb_id\nA,1\n")

    done = run(str(tmp_path / "shows.csv"), "--write")

    assert done.code == 2
    assert "a mere list of shows is for import_shows" in done.err


def test_a_folder_without_show_info_is_exit_2(tmp_path):
    write_csv(tmp_path / "CastInfo.csv", [CAST_HEADER, CAST])

    done = run(str(tmp_path), "--write")

    assert (done.code, done.err) == (2, f"CommandError: {tmp_path}: It has no tab ShowInfo; its tabs: 'CastInfo'.\n")
    assert not SyncRun.objects.exists()


def test_a_header_that_lacks_a_column_is_exit_2(tmp_path):
    write_csv(tmp_path / "ShowInfo.csv", [["Show", "IMDbSeriesID", "OVERRIDE"], ["A", "tt0239195", ""]])

    done = run(str(tmp_path), "--write")

    assert done.code == 2
    assert "ShowInfo row 1: no column TMDbSeriesID; it has 'Show', 'IMDbSeriesID', 'OVERRIDE', where Show, " in done.err
    assert not Show.objects.exists()


def test_a_second_run_at_once_is_exit_3_and_says_who_holds_it(good):
    holder = start_run("import_workbook", {})

    done = run(good, "--write")

    assert done.code == 3
    assert f"import_workbook is already running: run {holder.id}" in done.err
    assert run(good).code == 0


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RunLost("run 7 was closed by another process"), "run 7 was closed by another process"),
        (OperationalError("server closed\nthe connection"), "failed: server closed"),
    ],
)
def test_a_run_that_is_cut_off_is_exit_1(good, monkeypatch, error, text):
    def cut_off(*args, **options):
        raise error

    monkeypatch.setattr(f"{COMMAND}.import_workbook", cut_off)
    done = run(good, "--write")

    assert done.code == 1
    assert done.err.endswith(f"{text}\n")
    assert len(done.err.splitlines()) == 1


def test_a_stop_is_exit_1_and_says_what_to_do(good, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(moving_in, "save_changes", stop)
    done = run(good, "--write")

    assert (done.code, done.err) == (1, "CommandError: stopped by a signal; run it again to import the rest\n")
    assert not Show.objects.exists()


def test_a_malformed_environment_is_exit_2(good, monkeypatch):
    monkeypatch.setattr(configured, "ENVIRONMENT_ERRORS", ["DATABASE_URL is malformed"])

    assert (run(good).code, run(good).err) == (2, "CommandError: DATABASE_URL is malformed\n")


def test_a_shell_sees_one_line_and_exit_2_without_a_database(tmp_path):
    environment = os.environ | {
        "DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3",
        "DJANGO_SETTINGS_MODULE": "trr_site.settings",
        "ENV_FILE": "",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "import_workbook", str(tmp_path)],
        cwd=configured.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_nobody_is_alarmed_by_a_run_that_a_person_has_started(old):
    run(old, "--write")

    assert newest_runs(timezone.now()) == {}


# --- from Google


@pytest.fixture
def server(settings: Any) -> Iterator[SheetsServer]:
    book = Workbook("Realitease2025Data")
    book.add(SHOW_INFO, [SHOW_HEADER, SURVIVOR])
    with SheetsServer({BOOK: book}) as server:
        settings.GOOGLE_SHEETS_API_URL = server.url
        yield server


@pytest.mark.parametrize("source", ["google", BOOK, f"https://docs.google.com/spreadsheets/d/{BOOK}/edit#gid=0"])
def test_a_workbook_in_google_is_imported(server, settings, source):
    settings.SPREADSHEET_ID = BOOK if source == "google" else ""

    done = run(source, "--write")

    assert done.code == 0
    assert Show.objects.get().tmdb_id == 14658
    assert SyncRun.objects.get().options == {"workbook": f"Realitease2025Data ({source})"}


def test_without_an_id_there_is_nothing_to_ask_google_for(server):
    done = run("google")

    assert done.code == 2
    assert done.err.startswith("CommandError: SPREADSHEET_ID is not set")
    assert not server.calls


def test_without_credentials_google_is_not_asked(settings):
    settings.GOOGLE_SHEETS_API_URL = "https://sheets.googleapis.com"

    done = run(BOOK)

    assert done.code == 2
    assert done.err.startswith("CommandError: GOOGLE_APPLICATION_CREDENTIALS is not set")


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (404, 2, "There is no such workbook"),
        (403, 2, "No access: share the workbook with the stand-in's account"),
        (503, 1, "HTTP 503"),
    ],
)
def test_a_refusal_of_google_is_told_in_one_line(server, monkeypatch, status, code, reason):
    monkeypatch.setattr("ingestion.sources.google_workbook.TRIES", 1)
    server.fail_always(Fault(status=status))

    done = run(BOOK, "--write")

    assert done.code == code
    assert done.err.startswith(f"CommandError: {BOOK}: {reason}")
    assert len(done.err.splitlines()) == 1
    assert not SyncRun.objects.exists()


def test_a_signal_while_google_is_asked_ends_it(server, monkeypatch):
    class Set(threading.Event):
        def is_set(self) -> bool:
            return True

    monkeypatch.setattr(f"{COMMAND}.signals_as_event", lambda: Stopping())

    class Stopping:
        def __enter__(self) -> threading.Event:
            return Set()

        def __exit__(self, *args: object) -> None: ...

    done = run(BOOK, "--write")

    assert (done.code, done.err) == (1, "CommandError: stopped by a signal; nothing was tried\n")


def test_a_file_whose_name_looks_like_an_id_is_a_file(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_xlsx(tmp_path / BOOK, {SHOW_INFO: [SHOW_HEADER, VOICE]})

    assert run(BOOK).code == 0
    assert not server.calls
