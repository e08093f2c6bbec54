"""What counts as a problem of the jobs, and what does not."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
import time_machine
from django_q.models import OrmQ, Schedule, Task

from catalog.models import Show
from ingestion.models import Stage, SyncFailure, SyncRun, SyncState, Worker
from ingestion.problems import ask_queue, find_problems
from ingestion.queue import Depth

from .builders import NOW, make_show, make_state

pytestmark = pytest.mark.django_db

NOTHING_WAITS = Depth(0, 0)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def problems(asked: Depth | str = NOTHING_WAITS, now: datetime = NOW) -> dict[str, str]:
    return find_problems(now, asked)


def run(kind: str = "sync_shows", status: str = "succeeded", age: timedelta = DAY, **columns: Any) -> SyncRun:
    times = {"started_at": NOW - age, "heartbeat_at": NOW - age}
    return SyncRun.objects.create(**{"kind": kind, "status": status, "host": "here", "pid": 1} | times | columns)


def worker(**columns: Any) -> Worker:
    return Worker.objects.create(**{"id": "w", "host": "here", "pid": 1, "beat_at": NOW, "task_at": NOW} | columns)


def plan(**columns: Any) -> Schedule:
    default = {"name": "Mine", "func": "ingestion.tasks.sync_shows", "schedule_type": "C", "cron": "15 3 * * *"}
    [row] = Schedule.objects.bulk_create([Schedule(**default | {"next_run": NOW + DAY} | columns)])
    return row


def test_an_empty_installation_has_none() -> None:
    assert find_problems(NOW) == {}


# --- runs


@pytest.mark.parametrize(
    ("status", "words"),
    [("failed", "finished with failures"), ("stopped", "stopped before its end"), ("interrupted", "was cut off")],
)
def test_a_run_that_did_not_end_well_is_named_with_what_failed_and_where_to_look(
    settings: Any, status: str, words: str
) -> None:
    settings.SITE_URL = "https://trr.example.org"
    bad = run(status=status, total=20, error="TMDb: HTTP 500\nand more")
    for number in range(5):
        SyncFailure.objects.create(run=bad, item=f"Island {number}", reason="HTTP 500: no answer")

    assert problems() == {
        "run:sync_shows": f"sync_shows: run {bad.pk} {words}, 5 of 20 failed. TMDb: HTTP 500 and more. "
        "Island 0: HTTP 500: no answer; Island 1: HTTP 500: no answer; Island 2: HTTP 500: no answer; and 2 more. "
        f"https://trr.example.org/admin/ingestion/syncrun/{bad.pk}/change/"
    }


def test_a_later_run_of_the_same_job_makes_it_well_and_one_of_another_does_not() -> None:
    run(status="failed")
    run("sync_watch_providers")
    assert list(problems()) == ["run:sync_shows"]

    run()
    assert problems() == {}


@pytest.mark.parametrize("status", ["cancelled", "queued", "running"])
def test_a_run_that_was_cancelled_or_goes_on_says_nothing_of_the_one_before(status: str) -> None:
    run(status="failed")
    run(status=status, age=timedelta(0))

    assert list(problems()) == ["run:sync_shows"]


@pytest.mark.parametrize("kind", ["sync_selected 0123456789ab", "import_shows"])
def test_what_a_person_started_is_seen_by_that_person(kind: str) -> None:
    run(kind, "failed")

    assert problems() == {}


@pytest.mark.parametrize("option", ["show_ids", "tmdb_ids", "imdb_ids", "retry_of"])
def test_a_run_of_some_shows_neither_is_a_problem_nor_makes_one_well(option: str) -> None:
    run(status="failed", options={option: [1]})
    assert problems() == {}

    run(status="failed")
    run(options={option: [1]})
    assert list(problems()) == ["run:sync_shows"]


def test_a_retry_of_what_failed_speaks_for_the_run() -> None:
    bad = run(status="failed")
    again = run("sync_selected retry", "failed", retry_of=bad, options={"retry_of": bad.pk})
    assert f"run {again.pk} " in problems()["run:sync_shows"]

    run("sync_selected retry", "succeeded", retry_of=again, options={"retry_of": again.pk})
    assert problems() == {}


def test_a_run_without_a_sign_of_life_is_one_even_if_nobody_has_closed_it() -> None:
    silent = run(status="running", heartbeat_at=NOW - 11 * MINUTE)
    assert problems()["run:sync_shows"].startswith(
        f"sync_shows: run {silent.pk} gives no sign of life since 2026-03-01 11:49 UTC."
    )

    SyncRun.objects.update(heartbeat_at=NOW - 9 * MINUTE)
    assert problems() == {}


def test_a_guard_that_stopped_a_run_is_the_problem_instead_of_the_run() -> None:
    run(status="stopped", tripped=True, error="34 % of the shows would lose their watch providers")

    assert list(problems()) == ["guard:sync_shows"]
    assert "was stopped by its guard. 34 % of the shows would lose" in problems()["guard:sync_shows"]


def test_reasons_of_any_length_make_no_endless_message_and_no_second_line() -> None:
    bad = run(status="failed", error="x" * 100_000)
    for _ in range(3):
        SyncFailure.objects.create(run=bad, item="y" * 100_000, reason="a\r\nb" * 1000)

    text = problems()["run:sync_shows"]
    assert len(text) < 1200
    assert "\n" not in text


def test_no_secret_gets_into_a_text(settings: Any) -> None:
    settings.SECRETS = ["s3cret-of-the-house"]
    run(status="failed", error="could not log in with s3cret-of-the-house")

    assert "s3cret" not in problems()["run:sync_shows"]
    assert "[secret]" in problems()["run:sync_shows"]


# --- the age of the data


def shows_synced(ages: dict[str, int], stage: Stage = Stage.DETAILS) -> list[Show]:
    """Old shows, by name: how many days ago the stage had its last success."""
    shows = []
    for name, days in ages.items():
        show = make_show(name=name)
        for each in Stage:
            at = NOW - (days if each == stage else 0) * DAY
            make_state(show, each, last_success_at=at)
        shows.append(show)
    Show.objects.update(created_at=NOW - 400 * DAY)
    return shows


@pytest.mark.parametrize(("stage", "limit"), [("details", 10), ("entities", 10), ("watch_providers", 4)])
def test_data_of_too_many_shows_past_its_limit_is_a_problem(stage: str, limit: int) -> None:
    old = {"a": limit + 1, "b": limit + 1} | {f"fresh {number}": limit - 1 for number in range(8)}
    shows_synced(old, Stage(stage))

    assert list(problems()) == [f"stale:{stage}"]
    assert f": 2 of 10 shows were not synced within {limit} days." in problems()[f"stale:{stage}"]


def test_a_tenth_of_the_shows_is_none() -> None:
    shows_synced({"old": 11} | {f"fresh {number}": 0 for number in range(9)})
    assert problems() == {}

    Show.objects.filter(name="fresh 0").delete()
    assert list(problems()) == ["stale:details"]


def test_a_show_that_was_never_synced_counts_from_its_creation() -> None:
    make_show()
    Show.objects.update(created_at=NOW - 3 * DAY)
    assert problems() == {}

    Show.objects.update(created_at=NOW - 5 * DAY)
    assert list(problems()) == ["stale:watch_providers"]

    Show.objects.update(created_at=NOW - 11 * DAY)
    assert list(problems()) == ["stale:details", "stale:entities", "stale:watch_providers"]


def test_shows_in_the_trash_and_without_a_tmdb_id_are_not_counted() -> None:
    trashed, lost = shows_synced({"trashed": 100, "lost": 100})
    shows_synced({"fresh": 0})
    Show.all_objects.filter(pk=trashed.pk).update(deleted_at=NOW)
    Show.objects.filter(pk=lost.pk).update(tmdb_id=None)

    assert problems() == {}


def test_shows_that_are_gone_upstream_are_old_too_and_named() -> None:
    shows_synced({"gone": 100, "old": 100})
    SyncState.objects.filter(show__name="gone", stage="details").update(status="gone")

    assert "2 of 2 shows were not synced within 10 days. 1 is gone upstream." in problems()["stale:details"]


def test_the_age_costs_the_same_whatever_the_number_of_shows(django_assert_max_num_queries: Any) -> None:
    shows_synced({f"show {number}": number for number in range(40)})

    with django_assert_max_num_queries(12):
        problems()


# --- queue and workers


def test_messages_that_no_worker_takes_up_are_a_problem() -> None:
    worker(task_at=NOW - 11 * MINUTE)

    assert problems(Depth(3, 0))["queue"].startswith(
        "Tasks wait in the queue, and no worker takes them up: the last one was begun at 2026-03-01 11:49 UTC."
    )


@pytest.mark.parametrize(("depth", "began"), [(Depth(0, 2), 11), (Depth(3, 0), 9)])
def test_a_queue_that_is_empty_or_was_worked_on_lately_is_none(depth: Depth, began: int) -> None:
    worker(task_at=NOW - began * MINUTE)

    assert problems(depth) == {}


def test_a_run_that_waits_for_a_worker_too_long_is_one_even_if_its_message_is_lost() -> None:
    worker()
    waiting = run(status="queued", age=11 * MINUTE)
    assert f"Run {waiting.pk} of sync_shows waits since 2026-03-01 11:49 UTC." in problems()["queue"]

    SyncRun.objects.update(started_at=NOW - 9 * MINUTE)
    assert problems() == {}


def test_a_queue_that_is_out_of_reach_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broker:
        def queue_size(self) -> int:
            raise redis.ConnectionError("Error 111 connecting to :password@redis:6379")

    monkeypatch.setattr("ingestion.queue.get_broker", Broker)

    assert find_problems(NOW) == {
        "queue": "Nothing can be queued: the queue's Redis is out of reach (ConnectionError). "
        "Start it, or correct REDIS_URL."
    }


def test_what_waits_is_asked_of_the_real_queue() -> None:
    OrmQ.objects.create(key="trr", payload="x", lock=NOW - DAY)
    with time_machine.travel(NOW, tick=False):
        assert ask_queue() == Depth(1, 0)
        assert "none was ever begun" in find_problems(NOW)["queue"]


def test_schedules_without_a_worker_are_a_problem_and_it_is_the_only_one() -> None:
    plan()
    assert problems(Depth(5, 0)) == {
        "worker": "Schedules and queued tasks wait: no worker has ever run. Start `manage.py run_worker`."
    }

    worker(beat_at=NOW - 11 * MINUTE)
    assert "the last sign of life of a worker is of 2026-03-01 11:49 UTC" in problems()["worker"]

    Worker.objects.update(beat_at=NOW - 9 * MINUTE)
    assert problems() == {}


def test_who_has_no_schedule_that_is_on_needs_no_worker() -> None:
    plan(repeats=0)

    assert problems() == {}


# --- schedules


def test_a_schedule_that_can_not_be_worked_out_is_named_with_its_reason(settings: Any) -> None:
    settings.SITE_URL = "https://trr.example.org"
    row = plan(name="Nightly", cron="every night", repeats=0)

    assert problems() == {
        "schedule:Nightly": "The schedule “Nightly” is off, because it can't be worked out: cron line can't be read: "
        "“every night” has 2 fields, not 5: minute, hour, day of the month, month, day of the week. "
        f"Correct it and set its repeats to -1. https://trr.example.org/admin/django_q/schedule/{row.pk}/change/"
    }


def test_a_schedule_of_an_unknown_task_is_named() -> None:
    worker()
    row = plan(name=None, func="ingestion.tasks.nothing")

    assert problems() == {
        f"schedule:schedule {row.pk}": f"The schedule “schedule {row.pk}” runs nothing: no such task: "
        "ingestion.tasks.nothing. Choose another task, or update this installation."
    }


def test_schedules_of_one_name_share_a_problem() -> None:
    worker()
    plan(cron="a")
    plan(cron="b")

    assert list(problems()) == ["schedule:Mine"]
    assert problems()["schedule:Mine"].count("is off, because") == 2


def task(**columns: Any) -> Task:
    times = {"started": NOW - MINUTE, "stopped": NOW}
    return Task.objects.create(
        **{"id": "a" * 32, "name": "red", "func": "ingestion.tasks.sync_shows", "args": (), "kwargs": {}}
        | times
        | columns
    )


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ({"success": False, "result": "no disk : Traceback (most recent call last):\n  File"}, "no disk"),
        ({"success": False, "result": None}, "without a reason"),
        ({"success": True, "result": {"exit_code": 2, "error": "TMDB_API_KEY is not set"}}, "TMDB_API_KEY is not set"),
    ],
)
def test_a_task_that_came_to_nothing_before_its_run_began_is_one(outcome: dict[str, Any], reason: str) -> None:
    worker()
    plan(task=task(**outcome).pk)

    assert problems() == {"schedule:Mine": f"The schedule “Mine”: its last task failed: {reason}"}


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_task_that_did_its_part_is_none(code: int) -> None:
    worker()
    plan(task=task(success=True, result={"exit_code": code}).pk)

    assert problems() == {}


def test_what_the_row_of_a_run_says_is_not_said_twice() -> None:
    worker()
    run(status="stopped", age=MINUTE / 2)
    plan(task=task(success=False, result="boom").pk)

    assert list(problems()) == ["run:sync_shows"]


def test_a_clock_that_was_set_back_a_little_raises_nothing() -> None:
    ahead = NOW + timedelta(minutes=5)
    worker(beat_at=ahead, task_at=ahead)
    run(status="running", started_at=ahead, heartbeat_at=ahead)
    plan()

    assert problems(Depth(1, 0)) == {}


def test_a_worker_that_died_before_the_clock_was_set_back_a_day_is_no_sign_of_life() -> None:
    worker(beat_at=NOW + DAY, task_at=NOW + DAY)
    plan()

    assert problems(Depth(1, 0)).keys() == {"worker"}
