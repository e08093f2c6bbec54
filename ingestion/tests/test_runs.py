import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from catalog.models import Show
from ingestion.models import SyncFailure, SyncRun
from ingestion.runs import STALE_AFTER, AlreadyRunning, RunLost, start_run
from trr_site.processes import process_exists

pytestmark = pytest.mark.django_db


def running(**values):
    facts = {"kind": "sync_shows", "host": socket.gethostname(), "pid": os.getpid()} | values
    return SyncRun.objects.create(**facts)


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)


def test_second_run_of_a_kind_is_refused_and_told_who_holds_it(django_user_model):
    first = start_run("sync_shows", {}, django_user_model.objects.create(username="operator"))
    SyncRun.objects.update(done=3, total=9)

    with pytest.raises(AlreadyRunning) as refused:
        start_run("sync_shows", {})

    assert str(refused.value) == (
        f"sync_shows is already running: run {first.id}, process {os.getpid()} on {socket.gethostname()} by operator, "
        f"since {first.row.started_at:%Y-%m-%d %H:%M:%S} UTC, 3 of 9 done"
    )


def test_run_of_another_kind_may_go_on():
    start_run("sync_shows", {})

    start_run("sync_watch_providers", {})

    assert SyncRun.objects.filter(status="running").count() == 2


def test_finished_run_makes_way():
    start_run("sync_shows", {}).finish(SyncRun.Status.SUCCEEDED, done=4)

    start_run("sync_shows", {})

    first = SyncRun.objects.last()
    assert (first.status, first.done) == ("succeeded", 4)
    assert first.finished_at is not None


def test_run_whose_process_is_dead_is_closed_by_the_next(dead_pid):
    dead = running(pid=dead_pid)

    start_run("sync_shows", {})

    dead.refresh_from_db()
    assert (dead.status, dead.error) == ("interrupted", "the process ended without a word")
    assert dead.finished_at is not None


def test_run_on_another_host_is_believed_while_its_heart_beats(dead_pid):
    running(host="another.example", pid=dead_pid, heartbeat_at=ago(STALE_AFTER.seconds - 10))

    with pytest.raises(AlreadyRunning, match=r"on another\.example"):
        start_run("sync_shows", {})


@pytest.mark.parametrize("host", ["another.example", socket.gethostname()])
def test_silent_run_is_closed_by_the_next(host):
    silent = running(host=host, heartbeat_at=ago(STALE_AFTER.seconds + 10))

    start_run("sync_shows", {})

    silent.refresh_from_db()
    assert silent.status == "interrupted"


def test_process_of_somebody_else_is_alive(monkeypatch):
    running(pid=1)

    def forbidden(pid, number):
        raise PermissionError

    monkeypatch.setattr("trr_site.processes.os.kill", forbidden)

    with pytest.raises(AlreadyRunning):
        start_run("sync_shows", {})


def test_run_that_beats_while_it_is_judged_is_left_alone(monkeypatch, dead_pid):
    row = running(pid=dead_pid, host=socket.gethostname())

    def beats_meanwhile(pid, since):
        SyncRun.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() + timedelta(seconds=1))
        return False

    monkeypatch.setattr("trr_site.processes.process_exists", beats_meanwhile)

    with pytest.raises(AlreadyRunning):
        start_run("sync_shows", {})

    row.refresh_from_db()
    assert row.status == "running"


def test_beat_is_written_every_few_seconds_only(django_assert_num_queries):
    run = start_run("sync_shows", {})

    with django_assert_num_queries(0):
        run.beat(done=1)
    run.last_beat -= 6
    with django_assert_num_queries(2):  # ... and a look whether somebody wants it to end
        run.beat(done=7)

    row = SyncRun.objects.get()
    assert row.done == 7
    assert row.heartbeat_at > row.started_at


@pytest.mark.parametrize(
    "write",
    [
        lambda run: run.finish(SyncRun.Status.SUCCEEDED),
        lambda run: run.mark_changes_until(timezone.now()),
        lambda run: (setattr(run, "last_beat", run.last_beat - 6), run.beat()),
    ],
    ids=["finish", "mark_changes_until", "beat"],
)
def test_run_whose_row_was_closed_may_not_write(write):
    run = start_run("sync_shows", {})
    SyncRun.objects.update(status="interrupted")

    with pytest.raises(RunLost, match=f"run {run.id} was closed by another process"):
        write(run)

    assert SyncRun.objects.get().status == "interrupted"


def test_failures_are_kept_with_their_show_where_it_still_exists():
    show, deleted = Show.objects.create(name="Survivor"), Show.objects.create(name="The Voice")
    deleted_id = deleted.pk
    deleted.delete()
    run = start_run("sync_shows", {})

    run.fail([(show.pk, "Survivor", "HTTP 500"), (deleted_id, "The Voice", "deleted"), (None, "logo", "HTTP 404")])

    assert list(SyncFailure.objects.values_list("run_id", "show_id", "item", "reason")) == [
        (run.id, show.pk, "Survivor", "HTTP 500"),
        (run.id, None, "The Voice", "deleted"),
        (run.id, None, "logo", "HTTP 404"),
    ]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_process_that_is_dead_but_not_yet_waited_for_does_not_hold_a_run():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)

    assert not process_exists(dead.pid)
    assert process_exists(os.getpid())
    dead.wait()
