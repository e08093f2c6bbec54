import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError
from django.utils import timezone

from catalog.models import Show
from ingestion import imports
from ingestion.imports import KIND
from ingestion.models import SyncRun
from ingestion.runs import RunLost, cancel, start_run

pytestmark = [pytest.mark.django_db, pytest.mark.once]

COMMAND = "ingestion.management.commands.import_shows"


@pytest.fixture
def write(tmp_path):
    def write_file(text: str) -> str:
        path = tmp_path / "shows.csv"
        path.write_text(text, encoding="utf-8", newline="")
        return str(path)

    return write_file


def run(*args: str, **options) -> SimpleNamespace:
    """What a shell would see: output, errors and exit code."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("import_shows", *args, stdout=out, stderr=err, **options)
    except CommandError as error:
        err.write(f"CommandError: {error}\n")
        code = error.returncode
    return SimpleNamespace(out=out.getvalue(), err=err.getvalue(), code=code)


def test_good_file_ends_with_its_counts(write):
    done = run(write("name,imdb_id,tmdb_id\nSurvivor,tt0239195,14658\nThe Voice,tt1839337,\n"))

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("created 2, updated 0, unchanged 0, failed 0 in ")
    assert done.out.endswith(" s\n")


def test_bad_lines_are_named_on_stderr_and_the_good_ones_stay(write):
    done = run(write("name,imdb_id,tmdb_id\nSurvivor,tt12,\nThe Voice,tt1839337,\n,,5\n"))

    assert done.code == 1
    assert done.err.splitlines() == [
        "line 2: imdb_id 'tt12' is not tt and at least 7 digits",
        "line 4: no name",
        "CommandError: 2 of 3 lines are bad",
    ]
    assert Show.objects.get().name == "The Voice"


def test_wrong_header_imports_nothing(write):
    done = run(write("title,id\nSurvivor,tt0239195\n"))

    assert done.code == 1
    assert done.err.splitlines() == [
        "line 1: no column name and no column imdb_id or tmdb_id; found 'title', 'id'",
        "CommandError: 1 of 1 line is bad",
    ]
    assert not Show.objects.exists()


def test_columns_that_are_not_used_are_named_once(write):
    done = run(write("Show,Notes,IMDbSeriesID,Rank\nSurvivor,,tt0239195,\nThe Voice,,tt1839337,\n"))

    assert done.out.splitlines()[0] == "columns not used: 'Notes', 'Rank'"
    assert done.out.count("Notes") == 1


def test_json_is_one_object_on_stdout(write):
    done = run(write("name,tmdb_id,Rank\nSurvivor,14658,\nThe Voice,x,\n"), "--json")

    report = json.loads(done.out)
    assert done.code == 1
    assert report.pop("seconds") >= 0
    assert report == {
        "dry_run": False,
        "run_id": SyncRun.objects.get().pk,
        "status": "failed",
        "counts": {"created": 1, "updated": 0, "unchanged": 0, "failed": 1},
        "lines": 2,
        "unused_columns": ["Rank"],
        "error": "",
        "failures": [
            {"line": 3, "outcome": "failed", "reason": "tmdb_id 'x' is not a positive whole number below 2**63"}
        ],
    }


def test_dry_run_says_what_it_would_do(write):
    Show.objects.create(name="Survivor", tmdb_id=14658)
    path = write("name,imdb_id,tmdb_id\nSurvivor,tt0239195,14658\nThe Voice,tt1839337,\n")

    text, listed = run(path, "--dry-run"), run(path, "--dry-run", "--json")

    assert text.out.startswith("would create 1, would update 1, unchanged 0, failed 0 in ")
    assert json.loads(listed.out)["outcomes"] == [
        {"line": 2, "outcome": "updated", "name": "Survivor", "fields": ["imdb_id"]},
        {
            "line": 3,
            "outcome": "created",
            "name": "The Voice",
            "fields": ["name", "imdb_id", "needs_tmdb_resolution"],
        },
    ]
    assert Show.objects.count() == 1
    assert not SyncRun.objects.exists()


def test_limit_is_obeyed(write):
    run(write("name,tmdb_id\nA,1\nB,2\nC,3\n"), "--limit", "2")

    assert Show.objects.count() == 2


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_must_be_above_0(write, limit):
    done = run(write("name,tmdb_id\nA,1\n"), limit=limit)

    assert (done.code, done.err) == (2, f"CommandError: --limit {limit} is not a number above 0\n")


def test_standard_input_is_read_and_left_open(monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO("\ufeffname,tmdb_id\r\nSurvivor,14658\r\n".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)

    done = run("-")

    assert done.code == 0
    assert not stdin.buffer.closed
    assert Show.objects.get().name == "Survivor"


def test_closed_standard_input_is_exit_2(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)

    done = run("-")

    assert (done.code, done.err) == (2, "CommandError: -: the standard input is closed\n")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere/shows.csv", "No such file or directory"),
        ("/", "Is a directory"),
        ("a\x00b", "embedded null byte"),
        ("/proc/self/mem", "Input/output error"),
    ],
)
def test_file_that_can_not_be_read_is_exit_2(path, reason):
    if path.startswith("/proc") and not Path(path).exists():
        pytest.skip("no /proc on this system")

    done = run(path)

    assert (done.code, done.err) == (2, f"CommandError: {path}: the file can't be read: {reason}\n")
    assert not Show.objects.exists()


def test_second_run_at_once_is_exit_3_and_says_who_holds_it(write):
    holder = start_run(KIND, {})

    done = run(write("name,tmdb_id\nA,1\n"))

    assert done.code == 3
    assert f"import_shows is already running: run {holder.id}, process {os.getpid()}" in done.err
    assert not Show.objects.exists()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RunLost("run 7 was closed by another process"), "run 7 was closed by another process"),
        (OperationalError("server closed\nthe connection"), "the database failed: server closed"),
    ],
)
def test_run_that_is_cut_off_is_exit_1(write, monkeypatch, error, text):
    def cut_off(*args, **kwargs):
        raise error

    monkeypatch.setattr(f"{COMMAND}.import_shows", cut_off)

    done = run(write("name,tmdb_id\nA,1\n"))

    assert (done.code, done.err) == (1, f"CommandError: {text}\n")


def test_stop_by_hand_is_exit_1(write, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("ingestion.imports.save_lines", stop)

    done = run(write("name,tmdb_id\nA,1\n"))

    assert done.code == 1
    assert "stopped after 0 lines" in done.err
    assert SyncRun.objects.get().status == "stopped"


def test_cancelled_in_admin_is_exit_1(write, monkeypatch, django_user_model):
    monkeypatch.setattr("ingestion.runs.BEAT_EVERY", 0)
    anna = django_user_model.objects.create_user("anna")
    save_lines = imports.save_lines

    def cancelled_meanwhile(*args):
        cancel(SyncRun.objects.get().pk, anna)
        return save_lines(*args)

    monkeypatch.setattr(imports, "save_lines", cancelled_meanwhile)

    done = run(write("name,tmdb_id\nA,1\n"))

    words = "cancelled by anna; what was done is kept, after 1 line; run it again to import the rest"
    assert (done.code, done.err) == (1, f"CommandError: {words}\n")


def test_malformed_environment_is_exit_2(write, monkeypatch):
    monkeypatch.setattr(settings, "ENVIRONMENT_ERRORS", ["TMDB_API_URL is malformed", "DATABASE_URL is malformed"])

    done = run(write("name,tmdb_id\nA,1\n"))

    assert (done.code, done.err) == (2, "CommandError: DATABASE_URL is malformed\n")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OperationalError("connection refused\nis it running?"), "(connection refused)"),
        (ProgrammingError("permission denied for table django_migrations"), "(permission denied for table"),
    ],
)
def test_database_that_can_not_be_used_is_exit_2(write, monkeypatch, error, text):
    def fail(connection):
        raise error

    monkeypatch.setattr("trr_site.command_line.MigrationExecutor", fail)

    done = run(write("name,tmdb_id\nA,1\n"))

    assert done.code == 2
    assert text in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.sqlite3", "postgres://nobody@127.0.0.1:9/none", "mysql://host/name"]
)
def test_shell_sees_one_line_and_exit_2_without_a_database(url, tmp_path):
    path = tmp_path / "shows.csv"
    path.write_text("name,tmdb_id\nA,1\n")
    environment = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "trr_site.settings", "ENV_FILE": ""}

    done = subprocess.run(
        [sys.executable, "manage.py", "import_shows", str(path)],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_excluded_lines_are_told_and_are_no_failure(write):
    Show.objects.create(name="Survivor", tmdb_id=14658, deleted_at=timezone.now())
    path = write("name,tmdb_id\nSurvivor,14658\nThe Voice,41956\n")

    text, listed = run(path), run(path, "--json")

    assert (text.code, text.err, listed.code) == (0, "", 0)
    assert text.out.splitlines()[0] == "line 2: excluded: Survivor is in the trash"
    assert text.out.splitlines()[1].startswith("created 1, updated 0, unchanged 0, excluded 1, failed 0 in ")
    assert json.loads(listed.out)["excluded"] == [
        {"line": 2, "outcome": "excluded", "name": "Survivor", "reason": "Survivor is in the trash"}
    ]
