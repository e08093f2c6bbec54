import io
import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from catalog.models import Show, ShowNetwork, ShowWatchProvider
from demo.upstream import Reply
from ingestion.command import check_configuration
from ingestion.models import SyncRun, SyncState
from ingestion.outcomes import Outcome, Saved
from ingestion.report import Report, TextReporter
from ingestion.runs import start_run
from trr_site.command_line import one_line_errors, signals_as_event

from .worlds import FIRST_ID, LEDGER, imdb_id_of, name_of, snapshot, world

pytestmark = pytest.mark.django_db

STAGE_COMMANDS = {
    "resolve_tmdb_ids": {"resolve"},
    "backfill_tmdb_details": {"resolve", "details"},  # external_ids of the same reply settles both ids
    "sync_tmdb_entities": {"entities"},
    "sync_watch_providers": {"watch_providers"},
}
COMMANDS = ("sync_shows", *STAGE_COMMANDS)
SHARED_OPTIONS = (
    "--all --show-id --tmdb-id --imdb-id --limit --incremental --no-incremental --resume --no-resume --force "
    "--since --dry-run --max-failures --json --retry-failed"
).split()


def run(*args, command="sync_shows"):
    """What a shell would see: output, errors and exit code."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command(command, *args, stdout=out, stderr=err)
    except CommandError as error:
        err.write(f"CommandError: {error}\n")
        code = error.returncode
    return SimpleNamespace(out=out.getvalue(), err=err.getvalue(), code=code)


def columns(text):
    """The closing table as a dictionary."""
    rows = [re.split(r"\s*[┃│]\s*", line)[1:-1] for line in text.splitlines() if line[:1] in "┃│"]
    return dict(zip(*rows, strict=True))


# What a command says, and its exit code


@pytest.mark.parametrize("command", COMMANDS)
def test_good_run_ends_with_its_figures_and_exit_code_0(upstream, command):
    world(upstream, 3, by_imdb=range(3) if command == "resolve_tmdb_ids" else ())

    done = run(command=command)

    table = columns(done.out)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("syncing 3 of 3 shows\n")
    assert float(table.pop("seconds")) >= 0
    table.pop("logos", None)
    assert table == {"created": "0", "updated": "3", "unchanged": "0", "failed": "0", "requests": "3"}


def test_failing_show_and_logo_are_named_on_stderr_and_in_the_closing_line(upstream):
    world(upstream, 10)
    upstream.always(f"/3/tv/{FIRST_ID + 4}", Reply(200, []))
    upstream.always("/t/p/*/network-2.png", Reply(404))

    done = run()

    lines = done.err.splitlines()
    assert done.code == 1
    assert any(line.startswith("Island 1005: the reply can't be used") for line in lines)
    assert any(line.startswith("logo of network Network 2 (2): HTTP 404") for line in lines)
    assert lines[-1] == "CommandError: 1 of 10 shows and 1 logo failed; the next run tries again"
    table = columns(done.out)
    assert (table["updated"], table["failed"], table["logos failed"]) == ("9", "1", "1")


def test_list_of_changes_that_fails_is_named_and_is_no_show(upstream):
    world(upstream, 2)
    run()
    upstream.always("/3/tv/changes", Reply(500))

    done = run()

    assert done.code == 1
    assert done.err.splitlines()[-1] == "CommandError: the list of changes failed; the next run tries again"
    assert columns(done.out)["failed"] == "0"


def test_gone_show_is_named_and_the_run_is_a_success(upstream):
    world(upstream, 2)
    upstream.shows.pop(FIRST_ID)

    done = run()

    assert done.code == 0
    assert done.err == "Island 1001: TMDb has no show 1001 any more (404)\n"
    assert columns(done.out)["gone"] == "1"


def test_refused_key_is_exit_code_2(upstream):
    world(upstream, 3)
    upstream.key = "another key"

    done = run()

    assert (done.code, upstream.count()) == (2, 1)
    assert "the key was refused (401): Invalid API key" in done.err
    assert django_settings.TMDB_API_KEY not in done.err + done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_second_run_of_a_kind_is_exit_code_3_and_names_the_holder(upstream, command):
    world(upstream, 1)
    holder = start_run(command, {})

    done = run(command=command)

    assert (done.code, upstream.count(), done.out) == (3, 0, "")
    assert done.err == (
        f"CommandError: {command} is already running: run {holder.id}, process {os.getpid()} on {holder.row.host}, "
        f"since {holder.row.started_at:%Y-%m-%d %H:%M:%S} UTC, 0 of ? done\n"
    )


def test_run_of_another_kind_may_go_on_beside_it(upstream):
    world(upstream, 1)
    start_run("sync_shows", {})

    assert run(command="sync_watch_providers").code == 0


def test_guard_says_what_it_kept_from_happening(upstream):
    world(upstream, 10)
    run()
    for one in upstream.shows.values():
        one["watch/providers"] = {"results": {}}

    done = run("--force")

    assert done.code == 1
    assert "10 of the 10 shows seen would lose their watch_providers (over 30%)" in done.err
    assert ShowWatchProvider.objects.count() == 20


# Which shows


@pytest.mark.parametrize("option", ["--show-id", "--tmdb-id", "--imdb-id"])
def test_shows_are_named_by_any_of_their_ids_more_than_once(upstream, option):
    shows = world(upstream, 5)
    Show.objects.filter(pk=shows[1].pk).update(imdb_id=imdb_id_of(FIRST_ID + 1))
    Show.objects.filter(pk=shows[3].pk).update(imdb_id=imdb_id_of(FIRST_ID + 3))
    value = {
        "--show-id": lambda number: shows[number].pk,
        "--tmdb-id": lambda number: FIRST_ID + number,
        "--imdb-id": lambda number: imdb_id_of(FIRST_ID + number),
    }[option]

    done = run(option, str(value(1)), option, str(value(3)))

    assert done.code == 0
    assert {request.path for request in upstream.requests if request.is_api} == {"/3/tv/1002", "/3/tv/1004"}


def test_options_for_ids_may_be_mixed(upstream):
    shows = world(upstream, 5)

    run("--show-id", str(shows[0].pk), "--tmdb-id", str(FIRST_ID + 4))

    assert upstream.count() == 2


@pytest.mark.parametrize(
    "args",
    [
        ("--show-id", "00000000-0000-0000-0000-000000000001"),
        ("--tmdb-id", "77"),
        ("--imdb-id", "tt7654321"),
        ("--tmdb-id", "1001", "--tmdb-id", "77"),
    ],
)
def test_unknown_id_is_exit_code_2_and_nothing_is_tried(upstream, args):
    world(upstream, 1)

    done = run(*args)

    assert (done.code, upstream.count(), SyncRun.objects.count()) == (2, 0, 0)
    assert f"no show has the id {args[-1]}: nothing was done" in done.err


def test_all_goes_without_ids(upstream):
    world(upstream, 1)

    done = run("--all", "--tmdb-id", "1001")

    assert (done.code, upstream.count()) == (2, 0)


def test_limit_counts_what_is_due(upstream):
    world(upstream, 6)
    run("--tmdb-id", str(FIRST_ID), "--tmdb-id", str(FIRST_ID + 1))
    upstream.clear()

    done = run("--limit", "3")

    assert done.out.startswith("syncing 3 of 6 shows\n")
    assert {"/3/tv/1001", "/3/tv/1002"}.isdisjoint(request.path for request in upstream.requests)


# How


@pytest.mark.parametrize("command", COMMANDS)
def test_dry_run_writes_nothing_and_says_what_would_change(upstream, command):
    world(upstream, 3, by_imdb=range(3) if command == "resolve_tmdb_ids" else ())
    before = snapshot()

    done = run("--dry-run", command=command)

    assert done.code == 0
    assert snapshot() == before
    assert upstream.count("/t/p/") == 0
    told = {line.partition(":")[0] for line in done.out.splitlines() if line.startswith("would")}
    assert told == {f"would update Island {FIRST_ID + number}" for number in range(3)}
    assert "dry run: nothing was written" in done.out


def test_dry_run_waits_for_no_lock(upstream):
    world(upstream, 1)
    start_run("sync_shows", {})

    assert run("--dry-run").code == 0


def test_dry_run_with_json_gives_each_field(upstream):
    show = world(upstream, 1)[0]

    done = run("--dry-run", "--json")

    report = json.loads(done.out)
    assert (report["dry_run"], report["counts"]["updated"], report["exit_code"]) == (True, 1, 0)
    assert [(change["id"], change["name"]) for change in report["changes"]] == [(str(show.pk), show.name)]
    assert report["changes"][0]["changes"]["premiere_date"] == [None, "2015-06-07"]
    assert report["changes"][0]["changes"]["networks"] == {"added": ["Network 1 (1)", "Network 2 (2)"], "removed": []}


def test_json_is_the_one_thing_on_stdout(upstream):
    world(upstream, 3)
    upstream.always(f"/3/tv/{FIRST_ID}", Reply(200, []))

    done = run("--json")

    report = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert (done.code, report["exit_code"], report["requests"]) == (1, 1, 3)
    assert report["counts"]["updated"] == 2
    assert [failure["item"] for failure in report["failures"]] == [name_of(FIRST_ID)]


def test_json_of_a_refused_key_says_why(upstream):
    world(upstream, 3)
    upstream.always("/3/*", Reply(403))

    done = run("--json")

    assert json.loads(done.out)["exit_code"] == done.code == 2
    assert "(403)" in json.loads(done.out)["error"]


def test_skip_logos_asks_for_no_image(upstream):
    world(upstream, 2)

    done = run("--skip-logos")

    assert (done.code, upstream.count("/t/p/")) == (0, 0)


def test_stages_are_named_in_a_list(upstream):
    world(upstream, 1)

    run("--stages", "details, watch_providers")

    assert set(SyncState.objects.values_list("stage", flat=True)) == {"resolve", "details", "watch_providers"}
    assert upstream.count() == 1
    assert not ShowNetwork.objects.exists()


@pytest.mark.parametrize(("days_ago", "read_from"), [(5, 5), (0, 1), (400, 14)])
def test_since_reads_changes_from_that_day_or_from_the_last_reading(upstream, days_ago, read_from):
    noon = datetime(2026, 11, 23, 11, tzinfo=UTC)
    world(upstream, 1)
    with time_machine.travel(noon, tick=False):
        run()
    upstream.clear()
    SyncState.objects.update(last_success_at=noon)

    with time_machine.travel(noon, tick=False):
        run("--since", (noon - timedelta(days=days_ago)).date().isoformat())

    assert upstream.requests[0].params["start_date"] == (noon - timedelta(days=read_from)).date().isoformat()


def test_max_failures_stops_the_run(upstream):
    world(upstream, 30)
    upstream.always("/3/tv/*", Reply(200, []))

    done = run("--max-failures", "1")

    assert done.code == 1
    assert "(--max-failures 1)" in done.err


@pytest.mark.parametrize(("command", "stages"), STAGE_COMMANDS.items())
def test_command_of_a_stage_writes_that_stage_alone(upstream, command, stages):
    show = world(upstream, 1)[0]

    run(command=command)

    show.refresh_from_db()
    assert set(SyncState.objects.values_list("stage", flat=True)) == stages
    assert upstream.count() == 1
    written = {
        "ids": show.imdb_id is not None,
        "details": show.description is not None,
        "networks": show.show_networks.exists() and show.show_companies.exists(),
        "offers": show.watch_providers.exists(),
    }
    assert written == {
        "ids": "resolve" in stages,
        "details": "details" in stages,
        "networks": "entities" in stages,
        "offers": "watch_providers" in stages,
    }


def test_stages_one_after_the_other_come_to_what_one_sync_does(upstream):
    world(upstream, 2, by_imdb=(1,))
    for command in STAGE_COMMANDS:
        assert run(command=command).code == 0
    before = snapshot(leave_out=LEDGER)
    upstream.clear()

    done = run()

    assert (done.code, upstream.count("/3/tv/1")) == (0, 0)
    assert snapshot(leave_out=LEDGER) == before


# Wrong usage and configuration, as a shell sees it


def shell(*args, **environment):
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    env |= {"DJANGO_SETTINGS_MODULE": "trr_site.settings", "ENV_FILE": "", "DATABASE_URL": "sqlite:////nowhere/x.db"}
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=django_settings.BASE_DIR,
        env=env | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("--limit", "0"), "argument --limit: '0' is not a whole number above 0"),
        (("--limit", "9" * 30), "is not a whole number above 0"),
        (("--tmdb-id", "tt1"), "argument --tmdb-id: 'tt1' is not a whole number above 0"),
        (("--imdb-id", "tt12"), "argument --imdb-id: 'tt12' is not tt and at least 7 digits"),
        (("--show-id", "7"), "argument --show-id: '7' is not a UUID"),
        (("--since", "yesterday"), "argument --since: 'yesterday' is not a date like 2026-11-23"),
        (("--max-failures", "-1"), "argument --max-failures: '-1' is not a whole number above 0"),
        (("--stages", "details,logos"), "argument --stages: 'details,logos' is not a list of resolve, details"),
        (("--stages", ""), "argument --stages: '' is not a list of"),
    ],
)
def test_wrong_value_is_refused_by_name(args, reason, capsys):
    with pytest.raises((SystemExit, CommandError)) as ended:
        call_command("sync_shows", *args)

    assert reason in str(ended.value) + capsys.readouterr().err


def test_wrong_usage_is_exit_code_2_in_a_shell():
    ended = shell("sync_shows", "--limit", "none")

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].endswith("error: argument --limit: 'none' is not a whole number above 0")


def test_missing_database_is_one_line_and_exit_code_2():
    ended = shell("sync_shows")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "CommandError: no connection to the database /nowhere/x.db (unable to open database file)\n"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"TMDB_API_KEY": ""}, "TMDB_API_KEY is not set, nor is TMDB_BEARER_TOKEN"),
        ({"TMDB_BEARER_TOKEN": "token"}, "TMDB_API_KEY and TMDB_BEARER_TOKEN are both set"),
        ({"ENVIRONMENT_ERRORS": ["TMDB_API_URL is malformed: expected an http(s) URL"]}, "TMDB_API_URL is malformed"),
        ({"ENVIRONMENT_ERRORS": ["DATABASE_URL is malformed: expected sqlite"]}, "DATABASE_URL is malformed"),
    ],
)
def test_wrong_configuration_is_one_line_and_exit_code_2(settings, changes, reason):
    for name, value in changes.items():
        setattr(settings, name, value)

    done = run()

    assert (done.code, len(done.err.splitlines()), SyncRun.objects.count()) == (2, 1, 0)
    assert reason in done.err


def test_database_that_is_not_migrated_is_named(monkeypatch):
    monkeypatch.setattr("django.db.migrations.executor.MigrationExecutor.migration_plan", lambda *args: [1])

    with pytest.raises(CommandError, match="the database is not up to date") as ended:
        check_configuration()

    assert ended.value.returncode == 2


def test_database_that_goes_away_is_one_line():
    with pytest.raises(CommandError) as ended, one_line_errors():
        raise OperationalError("the connection is lost\nLINE 1: SELECT")

    assert ended.value.returncode == 1
    assert str(ended.value).endswith(" failed: the connection is lost")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_asks_and_the_second_insists(number):
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), signals_as_event() as asked:  # noqa: PT012
        signal.raise_signal(number)
        assert asked.is_set()
        signal.raise_signal(number)

    assert signal.getsignal(number) is before


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_shared_option(command, capsys):
    with pytest.raises(SystemExit):
        call_command(command, "--help")

    text = capsys.readouterr().out
    assert [option for option in SHARED_OPTIONS if not re.search(rf"{option}\b", text)] == []


def test_every_command_has_a_test():
    folders = [django_settings.BASE_DIR / app / "management" / "commands" for app in ("ingestion", "exports")]
    commands = [path.stem for folder in folders for path in folder.glob("[!_]*.py")]
    tests = "".join(path.read_text() for path in django_settings.BASE_DIR.glob("*/tests/test_*.py"))

    assert len(commands) >= 7
    assert [name for name in commands if f'"{name}"' not in tests] == []


def test_check_is_exit_code_2_where_something_is_malformed():
    ended = shell("check", TMDB_API_URL="nonsense", SECRET_KEY="x")

    assert ended.returncode == 2
    assert "TMDB_API_URL is malformed" in ended.stderr


# What is shown meanwhile


class Terminal(io.StringIO):
    def isatty(self):
        return True


def some_report(**values):
    return Report(chosen=200, total=100, **values)


def test_log_gets_a_line_now_and_then(monkeypatch):
    out, clock = io.StringIO(), [0.0]
    monkeypatch.setattr("ingestion.report.time.monotonic", lambda: clock[0])
    reporter = TextReporter(out, io.StringIO())
    report = some_report()

    reporter.start(report)
    for second in range(60):
        clock[0], report.done, report.requests = float(second), second, second + 1
        reporter.progress(report)

    assert out.getvalue().splitlines() == [
        "syncing 100 of 200 shows",
        *(f"{second}/100 shows, 0 failed, {second + 1} requests" for second in range(10, 60, 10)),
    ]


def test_log_holds_no_control_characters():
    out = io.StringIO()
    reporter, report = TextReporter(out, io.StringIO()), some_report()

    reporter.start(report)
    reporter.progress(report)
    reporter.finish(report)

    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


@pytest.mark.usefixtures("terminal")
def test_terminal_gets_a_bar_that_stays_on_its_line():
    out = Terminal()
    reporter, report = TextReporter(out, io.StringIO()), some_report()

    reporter.start(report)
    for done in (25, 50, 75):
        report.done = done
        reporter.progress(report)
        reporter.bar.refresh()
    bar = out.getvalue().partition("shows\n")[2]
    reporter.finish(report)

    assert re.search(r"syncing .*━.* 75/100", bar)
    assert "\n" not in bar
    assert "seconds" in out.getvalue()


@pytest.mark.usefixtures("terminal")
def test_commands_own_wrapper_does_not_break_the_bar(upstream):
    world(upstream, 3)
    out = Terminal()

    call_command("sync_shows", stdout=out, stderr=io.StringIO(), no_color=True)

    lines = out.getvalue().splitlines()
    assert sum("syncing" in line for line in out.getvalue().split("\n")) == 2  # the heading and the bar
    assert any("seconds" in line for line in lines)


@pytest.mark.usefixtures("terminal")
def test_problem_is_a_line_of_its_own_beside_the_bar():
    both = Terminal()
    reporter, report = TextReporter(both, both), some_report()

    reporter.start(report)
    reporter.problem("Survivor", "HTTP 500")
    reporter.finish(report)

    line = next(line for line in both.getvalue().split("\n") if "Survivor" in line)
    # What the terminal shows of the line: what follows the last erasure.
    assert re.split(r"\x1b\[2K|\x1b\[\?25h", line)[-1] == "Survivor: HTTP 500"


def test_each_show_is_told_when_asked_for_more():
    out = io.StringIO()
    reporter = TextReporter(out, io.StringIO(), verbosity=2)
    changes = {
        "tmdb_vote_count": [1, 2],
        "networks": {"added": ["HBO (49)"], "removed": ["Bravo (74)"]},
        "watch_providers": {"added": list("abcde"), "removed": [], "changed": ["f"]},
    }

    reporter.show_saved(Saved(UUID(int=1), "Survivor", Outcome.UPDATED, "", changes), some_report())

    assert out.getvalue() == (
        "updated Survivor: tmdb_vote_count 1 -> 2; networks +HBO (49) -Bravo (74); "
        "watch_providers +a, b and 3 more ~f\n"
    )


def test_closing_table_has_every_figure():
    out = io.StringIO()
    report = some_report(requests=112, seconds=3.14)
    report.counts.update(updated=60, unchanged=35, failed=5, gone=1)

    TextReporter(out, io.StringIO()).finish(report)

    assert columns(out.getvalue()) == {
        "created": "0",
        "updated": "60",
        "unchanged": "35",
        "failed": "5",
        "gone": "1",
        "requests": "112",
        "seconds": "3.1",
    }


@pytest.fixture
def terminal(monkeypatch):
    """A terminal that can draw, whatever the one is that the tests run in."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
