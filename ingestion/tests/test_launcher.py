"""The launcher by itself: when it takes a cluster for hung, and what it leaves alone."""

import os
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task

from ingestion import launcher
from ingestion.launcher import Launcher
from ingestion.models import TaskAttempt, Worker
from ingestion.workers import alive_workers

pytestmark = pytest.mark.django_db


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Launcher]:
    """A launcher whose cluster is a process that does nothing."""
    monkeypatch.setattr(launcher, "COMMAND", ("sleep", "600"))
    monkeypatch.setattr(launcher, "HUNG_AFTER", 0.0)
    monkeypatch.setenv("TRR_WORKER", "")
    made = Launcher(threading.Event())
    made.start_cluster()
    yield made
    made.kill_group()


def attempt(pid: int) -> None:
    TaskAttempt.objects.create(
        message=str(pid), func="x", count=1, host=os.uname().nodename, pid=pid, started_at=timezone.now()
    )


def looks(started: Launcher, times: int) -> int:
    for _ in range(times):
        started.restart_if_hung()
    return Worker.objects.get().restarts


def test_cluster_that_begins_nothing_while_tasks_wait_is_started_anew(started: Launcher) -> None:
    async_task("ingestion.tests.chores.note", "/dev/null", "x")
    before = started.cluster

    assert looks(started, 3) >= 1
    assert started.cluster is not before
    assert before is not None
    assert before.poll() == -9
    assert "none was begun" in Worker.objects.get().note


def test_cluster_that_has_nothing_to_do_is_left_alone(started: Launcher) -> None:
    assert looks(started, 4) == 0


def test_cluster_all_of_whose_processes_are_busy_is_left_alone(started: Launcher, settings: Any) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "workers": 1}
    async_task("ingestion.tests.chores.note", "/dev/null", "x")
    assert started.cluster is not None
    attempt(started.cluster.pid)

    assert looks(started, 4) == 0


def test_process_of_another_cluster_does_not_make_this_one_busy(started: Launcher) -> None:
    async_task("ingestion.tests.chores.note", "/dev/null", "x")
    others = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2)]
    try:
        for other in others:
            attempt(other.pid)

        assert looks(started, 3) >= 1
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_cluster_that_goes_on_beginning_tasks_is_left_alone(started: Launcher) -> None:
    async_task("ingestion.tests.chores.note", "/dev/null", "x")
    for _ in range(4):
        Worker.objects.update(task_at=timezone.now())

        assert looks(started, 1) == 0


def test_cluster_that_no_longer_looks_for_schedules_is_started_anew(started: Launcher) -> None:
    schedule = Schedule.objects.create(
        name="x", func="y", schedule_type=Schedule.DAILY, next_run=timezone.now() - timedelta(minutes=3)
    )
    assert looks(started, 3) == 0

    Schedule.objects.filter(pk=schedule.pk).update(next_run=timezone.now() - timedelta(minutes=10))
    assert looks(started, 3) >= 1


def test_database_that_is_away_stops_no_duty_after_it(started: Launcher, caplog: pytest.LogCaptureFixture) -> None:
    done = []

    def away() -> None:
        raise OperationalError("gone")

    def mistaken() -> None:
        raise ValueError("a mistake")

    started.duties = [(1.0, away), (1.0, mistaken), (1.0, lambda: done.append(1))]
    started.due = [0.0] * 3

    started.do_duties()

    assert done == [1]
    assert "the database is out of reach (OperationalError)" in caplog.text
    assert "a mistake" in caplog.text


@pytest.mark.parametrize("days", [-1, 1])
def test_worker_whose_last_beat_is_far_away_in_either_direction_is_not_alive(days: int) -> None:
    Worker.objects.create(id="w", host="h", pid=1, beat_at=timezone.now() + timedelta(days=days))

    assert alive_workers() == []
