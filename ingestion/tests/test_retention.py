"""`prune_history`: what goes, what stays whatever its age, and that a killed or stopped run loses nothing else."""

import json
import threading
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.conf import settings as current
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule, Task
from knox.models import AuthToken

from catalog.changes import Author, change_of, save_changes
from catalog.models import Change, Network, Show, WatchProvider
from demo.upstream import Upstream
from ingestion import retention
from ingestion.models import Problem, Stage, SyncChunk, SyncFailure, SyncRun, SyncState, TaskAttempt, Worker
from ingestion.retention import KIND, prune_history
from ingestion.runs import start_run

from .worlds import world

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOTHING = {
    "changes of votes and popularity": 0,
    "other changes": 0,
    "failures of runs": 0,
    "chunks of runs": 0,
    "runs": 0,
    "problems": 0,
    "tasks": 0,
    "attempts at tasks": 0,
    "sessions": 0,
    "API tokens": 0,
    "exports": 0,
    "workers": 0,
    "raw replies": 0,
}


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def run(kind: str = "sync_shows", status: str = "succeeded", days: float = 200, **columns: Any) -> SyncRun:
    at = {"started_at": ago(days), "heartbeat_at": ago(days)}
    if status not in ("queued", "running"):
        at["finished_at"] = ago(days)
    return SyncRun.objects.create(kind=kind, status=status, host="here", pid=1, **at | columns)


def task(number: int, days: float, success: bool = True) -> Task:
    return Task.objects.create(
        id=f"{number:032}", name="t", func="f", started=ago(days), stopped=ago(days), success=success, result="x" * 50
    )


def change(show: Show, days: float, *, volatile: bool = False) -> Change:
    row = change_of(show.pk, Change.Kind.UPDATED, {"tmdb_popularity" if volatile else "name": [1, 2]}, Author())
    row.ts = ago(days)
    save_changes([row])
    return row


def counts(**dropped: int) -> dict[str, int]:
    names = {name.replace(" ", "_"): name for name in NOTHING}
    return NOTHING | {names[name]: count for name, count in dropped.items()}


def runs_left() -> set[int]:
    return set(SyncRun.objects.exclude(kind=KIND).values_list("pk", flat=True))


# --- runs


def test_old_runs_go_with_their_failures_and_chunks() -> None:
    old, young = run(), run(days=100)
    for one in (old, young):
        SyncFailure.objects.bulk_create(SyncFailure(run=one, item=str(n), reason="r") for n in range(3))
        SyncChunk.objects.bulk_create(SyncChunk(run=one, number=n) for n in range(2))

    report = prune_history()

    assert report.counts == counts(runs=1, failures_of_runs=3, chunks_of_runs=2)
    assert runs_left() == {young.pk}
    assert (SyncFailure.objects.count(), SyncChunk.objects.count()) == (3, 2)


def test_of_each_job_the_newest_run_and_the_newest_that_succeeded_stay_however_old() -> None:
    run(days=600)
    succeeded, failed = run(days=500), run(status="failed", days=400)
    other = run("import_shows", days=900)

    prune_history()

    assert runs_left() == {succeeded.pk, failed.pk, other.pk}


def test_selections_are_one_job_so_that_not_each_of_them_keeps_a_run() -> None:
    kept = [run(f"sync_selected {n:012x}", days=300 - n) for n in range(5)][-1]

    prune_history()

    assert runs_left() == {kept.pk}


def test_the_run_up_to_which_the_changes_were_read_stays() -> None:
    read = run(days=500, changes_until=ago(500))
    run(days=450, changes_until=ago(501))
    run(days=400)

    prune_history()

    assert SyncRun.objects.filter(pk=read.pk).exists()
    assert SyncRun.objects.exclude(kind=KIND).count() == 2


def test_what_waits_or_runs_stays() -> None:
    waiting, running = run(status="queued"), run(status="running")
    run(days=190)
    newest = run(days=1)

    prune_history()

    assert runs_left() == {waiting.pk, running.pk, newest.pk}


def test_the_run_that_a_problem_is_told_of_stays_with_what_it_retried() -> None:
    failed = run(status="failed", days=400)
    again = run(status="failed", days=399, retry_of=failed, options={"retry_of": failed.pk})
    run(days=398, options={"limit": 5, "tmdb_ids": [1]})
    newest = run(days=300, options={"show_ids": ["x"]})  # of some shows alone: it says nothing of the job

    prune_history()

    assert runs_left() == {failed.pk, again.pk, newest.pk}


def test_a_younger_retry_forgets_what_it_retried() -> None:
    failed = run(status="failed", days=400)
    run(days=300)
    again = run(status="failed", days=1, retry_of=failed, options={"retry_of": failed.pk})

    prune_history()

    again.refresh_from_db()
    assert again.retry_of is None
    assert not SyncRun.objects.filter(pk=failed.pk).exists()


# --- tasks, workers, problems


def test_done_tasks_go_after_their_time_but_for_the_last_one_of_each_schedule() -> None:
    task(1, 40), task(2, 31, success=False)
    named, young = task(3, 300, success=False), task(4, 29)
    Schedule.objects.create(func="f", task=named.pk)
    Schedule.objects.create(func="g")

    assert prune_history().counts == counts(tasks=2)

    assert set(Task.objects.values_list("pk", flat=True)) == {named.pk, young.pk}


def test_counts_of_attempts_go_by_their_end_or_where_nobody_saw_one_by_their_begin() -> None:
    where = {"func": "f", "host": "h", "pid": 1}
    TaskAttempt.objects.create(message="ended", started_at=ago(90), ended_at=ago(31), **where)
    TaskAttempt.objects.create(message="killed", started_at=ago(31), **where)
    TaskAttempt.objects.create(message="ended late", started_at=ago(31), ended_at=ago(29), **where)
    TaskAttempt.objects.create(message="at work", started_at=ago(0), **where)

    assert prune_history().counts == counts(attempts_at_tasks=2)

    assert set(TaskAttempt.objects.values_list("pk", flat=True)) == {"ended late", "at work"}


def test_workers_go_a_week_after_their_last_sign_of_life() -> None:
    for name, days in (("gone", 8), ("away", 6), ("alive", 0)):
        Worker.objects.create(id=name, host="h", pid=1, beat_at=ago(days))

    assert prune_history().counts == counts(workers=1)

    assert set(Worker.objects.values_list("pk", flat=True)) == {"away", "alive"}


def test_problems_go_when_they_have_been_over_for_as_long_as_runs_are_kept() -> None:
    Problem.objects.create(key="a", text="over", since=ago(300), ended_at=ago(200))
    Problem.objects.create(key="b", text="over lately", since=ago(300), ended_at=ago(20))
    Problem.objects.create(key="c", text="goes on", since=ago(300))

    assert prune_history().counts == counts(problems=1)

    assert set(Problem.objects.values_list("key", flat=True)) == {"b", "c"}


# --- raw replies


def test_old_replies_are_emptied_and_nothing_else_of_the_row_changes(upstream: Upstream) -> None:
    old, young = world(upstream, 2)
    Show.objects.filter(pk=old.pk).update(tmdb_meta={"a": 1}, tmdb_fetched_at=ago(181), updated_at=ago(181))
    Show.objects.filter(pk=young.pk).update(tmdb_meta={"a": 2}, tmdb_fetched_at=ago(179), updated_at=ago(179))
    before = dict(Show.objects.values_list("pk", "updated_at"))

    assert prune_history().counts == counts(raw_replies=1)

    old.refresh_from_db(), young.refresh_from_db()
    assert (old.tmdb_meta, young.tmdb_meta) == (None, {"a": 2})
    assert old.tmdb_fetched_at == ago(181)
    assert dict(Show.objects.values_list("pk", "updated_at")) == before
    assert not Change.objects.exists()
    assert Show.objects.filter(tmdb_meta__isnull=True).count() == 1  # a null of SQL, not of JSON


def test_a_reply_that_was_emptied_is_stored_again_by_the_next_sync_which_changes_nothing_else(
    upstream: Upstream,
) -> None:
    (show,) = world(upstream, 1)
    call_command("sync_shows", "--skip-logos", stdout=StringIO())
    show.refresh_from_db()
    stored, changes = show.tmdb_meta, Change.objects.count()
    assert stored is not None

    with time_machine.travel(NOW + timedelta(days=181), tick=False):
        assert prune_history().counts["raw replies"] == 4  # its own, those of two networks and a company
        show.refresh_from_db()
        assert show.tmdb_meta is None
        assert SyncState.objects.get(show=show, stage=Stage.DETAILS).marker == ""
        updated_at = show.updated_at
        call_command("sync_shows", "--skip-logos", stdout=StringIO())
        again = timezone.now()

    show.refresh_from_db()
    assert (show.tmdb_meta, show.tmdb_fetched_at, show.updated_at) == (stored, again, updated_at)
    assert Change.objects.count() == changes
    assert not Network.objects.filter(tmdb_meta__isnull=True).exists()
    assert set(Network.objects.values_list("tmdb_fetched_at", flat=True)) == {again}


def test_replies_of_imdb_of_entities_and_of_shows_in_the_trash_go_too() -> None:
    Show.objects.create(name="A", imdb_meta={}, imdb_fetched_at=ago(200), tmdb_meta={}, tmdb_fetched_at=ago(1))
    Show.objects.create(name="B", tmdb_meta={}, tmdb_fetched_at=ago(200), deleted_at=ago(190))
    Network.objects.create(id=1, name="N", tmdb_meta={}, tmdb_fetched_at=ago(200))
    WatchProvider.objects.create(provider_id=1, provider_name="P", tmdb_meta={}, tmdb_fetched_at=ago(200))

    assert prune_history().counts == counts(raw_replies=4)

    shows = Show.all_objects.order_by("name").values_list("tmdb_meta", "imdb_meta")
    assert list(shows) == [({}, None), (None, None)]


def test_a_reply_of_unknown_age_stays() -> None:
    Show.objects.create(name="A", tmdb_meta={"a": 1})

    assert prune_history().counts == counts()


# --- the run


def everything_old() -> None:
    shows = [Show.objects.create(name=str(n), tmdb_meta={}, tmdb_fetched_at=ago(200)) for n in range(5)]
    for days in (500, 400, 300, 40, 1):
        change(shows[0], days, volatile=days == 40)
    SyncFailure.objects.bulk_create(SyncFailure(run=run(), item=str(n), reason="r") for n in range(5))
    run(days=1)
    for number in range(7):
        task(number, 40)


EVERYTHING = counts(
    other_changes=2, changes_of_votes_and_popularity=1, failures_of_runs=5, runs=5, tasks=7, raw_replies=5
)


def test_a_dry_run_counts_what_a_run_then_drops_and_writes_nothing() -> None:
    everything_old()

    with CaptureQueriesContext(
        connection,
    ) as queries:
        would = prune_history(dry_run=True)

    assert not [query for query in queries if not query["sql"].startswith(("SELECT", "EXPLAIN"))]
    assert not SyncRun.objects.filter(kind=KIND).exists()
    assert would.counts == EVERYTHING == prune_history().counts
    assert prune_history().counts == counts()


def test_it_goes_in_batches_each_in_a_transaction_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    everything_old()

    with CaptureQueriesContext(connection) as queries:
        assert prune_history().counts == EVERYTHING

    deletes = [query["sql"] for query in queries if query["sql"].startswith('DELETE FROM "django_q_task"')]
    assert len(deletes) == 4  # 2, 2, 2, 1


def test_its_run_tells_how_much_went() -> None:
    everything_old()

    prune_history(timedelta(days=350))

    row = SyncRun.objects.get(kind=KIND)
    assert (row.status, row.counts, row.done, row.options) == ("succeeded", EVERYTHING, 25, {"days": 350})


def test_told_to_stop_it_ends_after_the_batch_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    everything_old()
    interrupt = threading.Event()
    drop = retention.drop

    def drop_and_interrupt(rows: Any) -> int:
        interrupt.set()
        return drop(rows)

    monkeypatch.setattr(retention, "AT_ONCE", 2)
    monkeypatch.setattr(retention, "drop", drop_and_interrupt)

    report = prune_history(interrupt=interrupt)

    assert report.error == retention.STOPPED
    assert report.counts == counts(other_changes=2, changes_of_votes_and_popularity=1, failures_of_runs=2)
    assert SyncRun.objects.get(kind=KIND).status == SyncRun.Status.STOPPED


def test_cancelled_by_somebody_it_ends_too(monkeypatch: pytest.MonkeyPatch, django_user_model: Any) -> None:
    monkeypatch.setattr("ingestion.runs.BEAT_EVERY", 0)
    everything_old()
    user = django_user_model.objects.create(username="olga")
    old_rows = retention.old_rows

    def old_rows_after_a_cancel(now: datetime) -> Any:
        SyncRun.objects.filter(kind=KIND).update(cancel_asked_at=now, cancel_asked_by=user)
        return old_rows(now)

    monkeypatch.setattr(retention, "old_rows", old_rows_after_a_cancel)

    report = prune_history()

    assert report.error == "cancelled by olga; what was done is kept"
    assert report.counts == counts(other_changes=2, changes_of_votes_and_popularity=1)
    assert SyncRun.objects.get(kind=KIND).status == SyncRun.Status.CANCELLED


def test_a_database_that_goes_away_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(now: datetime) -> Any:
        raise DatabaseError("server closed the connection\nand more")

    monkeypatch.setattr(retention, "old_rows", gone)

    report = prune_history()

    assert (report.error, report.exit_code) == ("the database is out of reach: server closed the connection", 1)


# --- the command


def command(*arguments: str) -> tuple[str, CommandError | None]:
    out = StringIO()
    try:
        call_command("prune_history", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), error
    return out.getvalue(), None


def test_the_command_says_what_it_dropped() -> None:
    everything_old()

    assert command("--dry-run", "--days", "200")[0].startswith(
        "would drop 1 changes of votes and popularity, 3 other changes, 5 failures of runs, 0 chunks of runs, 5 runs, "
    )
    assert command() == (f"dropped {', '.join(f'{n} {what}' for what, n in EVERYTHING.items())}\n", None)


def test_the_command_tells_it_as_json() -> None:
    everything_old()

    out, _ = command("--json")

    assert json.loads(out) == {"dry_run": False, "counts": EVERYTHING, "error": "", "exit_code": 0}


@pytest.mark.parametrize("days", [0, -1, 100_000])
def test_the_command_refuses_days_that_can_not_be_meant(days: int) -> None:
    out, error = command(f"--days={days}")

    assert error is not None
    assert (out, error.returncode) == ("", 2)


def test_a_second_one_ends_with_3_and_a_dry_run_goes_beside() -> None:
    start_run(KIND, {})

    out, error = command()

    assert error is not None
    assert (out, error.returncode) == ("", 3)
    assert "prune_history is already running" in str(error)
    assert command("--dry-run")[1] is None


@pytest.mark.parametrize("name", ["HISTORY_DAYS", "RAW_REPLIES_DAYS", "TASKS_DAYS", "ENV_FILE"])
def test_with_a_malformed_setting_nothing_goes(settings: Any, name: str) -> None:
    everything_old()
    settings.ENVIRONMENT_ERRORS = [f"{name} is malformed: expected a number of days above 0", "TMDB_X is malformed"]

    out, error = command()

    assert error is not None
    assert (out, error.returncode) == ("", 2)
    assert str(error) == f"{name} is malformed: expected a number of days above 0"
    with pytest.raises(ImproperlyConfigured):
        prune_history()
    assert Task.objects.count() == 7
    assert not SyncRun.objects.filter(kind=KIND).exists()


def test_what_is_kept_is_set_by_the_environment(settings: Any) -> None:
    settings.TASKS_KEPT = timedelta(days=50)
    everything_old()

    assert prune_history().counts == EVERYTHING | {"tasks": 0}
    assert current.RUNS_KEPT.days == 180


def test_sessions_and_tokens_go_when_they_have_expired(django_user_model: Any) -> None:
    user = django_user_model.objects.create(username="anna")
    for number, days in enumerate((-40, -1, 1)):
        at = NOW + timedelta(days=days)
        Session.objects.create(session_key=f"key {number}", session_data="", expire_date=at)
        token, _ = AuthToken.objects.create(user)
        AuthToken.objects.filter(pk=token.pk).update(expiry=at)

    counts = prune_history().counts

    assert (counts["sessions"], counts["API tokens"]) == (2, 1)
    assert (Session.objects.count(), AuthToken.objects.count()) == (1, 2)
