"""`--retry-failed`: what a run failed at is done again, alone and whatever its age; and who is told after a command."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError

from catalog.changes import Author
from catalog.models import Network, Show
from catalog.trash import delete_show
from demo.upstream import Reply, Upstream
from ingestion.models import Problem, SyncFailure, SyncRun
from ingestion.retries import last_to_retry
from ingestion.tests.builders import make_show
from ingestion.tests.test_commands import COMMANDS, run
from ingestion.tests.worlds import FIRST_ID, world

pytestmark = pytest.mark.django_db


@pytest.fixture
def failed(upstream: Upstream) -> SimpleNamespace:
    """A run over five shows that failed at two; by now upstream is well again."""
    shows = world(upstream, 5)
    paths = [f"/3/tv/{FIRST_ID + number}" for number in (1, 3)]
    for path in paths:
        upstream.always(path, Reply(200, []))
    assert run("--skip-logos").code == 1
    upstream.clear()
    return SimpleNamespace(run=SyncRun.objects.get(), shows=[shows[1], shows[3]])


def make_run(kind: str = "sync_shows", status: str = "failed", **columns: Any) -> SyncRun:
    return SyncRun.objects.create(**{"kind": kind, "status": status, "host": "here", "pid": 1} | columns)


def fail(run: SyncRun, show: Show | None = None) -> SyncRun:
    SyncFailure.objects.create(run=run, show=show, item="it", reason="HTTP 500")
    return run


def asked_for(upstream: Upstream) -> set[str]:
    return {request.path for request in upstream.requests}


@pytest.mark.parametrize("named", [True, False])
def test_the_shows_that_a_run_failed_at_are_synced_and_no_others(
    upstream: Upstream, failed: SimpleNamespace, named: bool
) -> None:
    done = run("--retry-failed", *([str(failed.run.pk)] if named else []), "--skip-logos")

    again = SyncRun.objects.latest("pk")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("syncing 2 of 2 shows\n")
    assert asked_for(upstream) == {f"/3/tv/{show.tmdb_id}" for show in failed.shows}
    assert (again.kind, again.retry_of, again.status) == ("sync_shows", failed.run, "succeeded")


def test_a_dry_run_tells_what_it_would_do_and_keeps_it_for_later(failed: SimpleNamespace) -> None:
    assert run("--retry-failed", "--dry-run", "--skip-logos").code == 0

    assert last_to_retry("sync_shows") == failed.run


@pytest.mark.parametrize("command", COMMANDS)
def test_where_nothing_has_failed_there_is_nothing_to_do(upstream: Upstream, command: str) -> None:
    done = run("--retry-failed", command=command)

    assert (done.code, done.err) == (0, "")
    assert done.out == f"no run of {command} has left failures: there is nothing to do\n"
    assert not SyncRun.objects.exists()
    report = run("--retry-failed", "--json", command=command)
    assert json.loads(report.out)["exit_code"] == 0
    assert "nothing to do" in report.err


def test_what_a_retry_has_done_is_not_retried_for_ever(failed: SimpleNamespace) -> None:
    run("--retry-failed", "--skip-logos")

    assert "nothing to do" in run("--retry-failed").out


def test_what_a_retry_has_left_is_retried_next() -> None:
    show = make_show()
    first = fail(make_run(), show)
    second = fail(make_run("sync_selected retry of run 1", retry_of=first), show)
    make_run("sync_selected retry of run 2", "cancelled", retry_of=second)

    assert last_to_retry("sync_shows") == second
    assert last_to_retry("sync_watch_providers") is None


def test_a_run_that_failed_at_logos_alone_can_be_retried(upstream: Upstream) -> None:
    world(upstream, 1)
    Network.objects.create(id=1, name="Bravo", tmdb_logo_path="/network-1.png")
    logos = fail(make_run(counts={"logos failed": 1}))

    done = run("--retry-failed")

    assert done.code == 0
    [path] = asked_for(upstream)
    assert path.endswith("/network-1.png")
    assert SyncRun.objects.latest("pk").retry_of == logos


def test_a_run_that_can_not_be_retried_is_refused_in_words(upstream: Upstream) -> None:
    show, gone = make_show(), make_show()
    delete_show(gone.pk, Author())
    refused = {
        fail(
            make_run("import_shows"), show
        ).pk: "is one of import_shows: only what a sync failed at can be tried again",
        fail(make_run("sync_selected 1a", "running"), show).pk: "has not ended yet",
        make_run(status="succeeded").pk: "failed at no show that is still there, and at no logo",
        fail(make_run(), gone).pk: "failed at no show that is still there, and at no logo",
    }
    for pk, words in refused.items():
        done = run("--retry-failed", str(pk))
        assert (done.code, done.err) == (2, f"CommandError: run {pk} {words}: nothing was done\n")
    assert run("--retry-failed", "999999").err == "CommandError: there is no run 999999: nothing was done\n"
    assert SyncRun.objects.count() == len(refused)
    assert upstream.requests == []


@pytest.mark.parametrize(
    "other",
    [
        ["--all"],
        ["--show-id", str(UUID(int=1))],
        ["--tmdb-id", "1"],
        ["--imdb-id", "tt1234567"],
        ["--since", "2026-01-01"],
    ],
)
def test_shows_are_chosen_in_one_way(upstream: Upstream, other: list[str]) -> None:
    done = run("--retry-failed", "5", *other)

    assert done.code == 2
    assert "--retry-failed goes without" in done.err


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63)])
def test_what_is_no_number_of_a_run_is_refused(upstream: Upstream, number: str) -> None:
    assert run(f"--retry-failed={number}").code == 1  # argparse's own error: 2 in a shell
    assert not SyncRun.objects.exists()


# --- who is told at the end


def test_a_command_that_failed_opens_a_problem_where_no_worker_does(upstream: Upstream) -> None:
    world(upstream, 2)
    upstream.always(f"/3/tv/{FIRST_ID}", Reply(200, []))

    done = run("--skip-logos")

    assert done.code == 1
    assert Problem.objects.get(key="run:sync_shows").text.startswith("sync_shows: run ")


@pytest.mark.parametrize(
    ("command", "for_real", "dry"),
    [("prune_logos", ["--delete"], []), ("prune_history", [], ["--dry-run"])],
)
def test_other_jobs_tell_too(settings: Any, tmp_path: Path, command: str, for_real: list[str], dry: list[str]) -> None:
    settings.MEDIA_ROOT = tmp_path
    fail(make_run())

    run(*dry, command=command)
    assert not Problem.objects.exists()
    run(*for_real, command=command)
    assert Problem.objects.filter(key="run:sync_shows").exists()


def test_a_dry_run_tells_nobody(upstream: Upstream) -> None:
    fail(make_run())
    world(upstream, 1)

    run("--dry-run")

    assert not Problem.objects.exists()


def test_wrong_usage_tells_nobody(upstream: Upstream) -> None:
    fail(make_run())

    assert run("--tmdb-id", "404").code == 2

    assert not Problem.objects.exists()


def test_that_nobody_can_be_told_changes_no_exit_code(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world(upstream, 1)

    def away() -> None:
        raise DatabaseError("secret")

    monkeypatch.setattr("ingestion.alerts.check_problems", away)

    assert run("--skip-logos").code == 0
    assert "it could not be told whether there are problems: DatabaseError" in caplog.text
    assert "secret" not in caplog.text
