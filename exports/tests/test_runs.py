"""One export into the workbook at a time, whoever starts it and whoever dies; one that waits is never forgotten."""

import os
import socket
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from demo.sheets import SheetsServer, Workbook
from exports.export import export_tabs
from exports.models import ExportRun
from exports.options import Options
from exports.publish import STAGE
from exports.report import Reporter
from exports.runs import (
    STALE_AFTER,
    AlreadyRunning,
    RunLost,
    calls_of_last_minute,
    finish,
    queue_export,
    ring_again,
    start_run,
    take_queued,
    update,
)
from ingestion.tests.conftest import dead_pid as dead_pid

from .conftest import HEADER, a_show, cells

pytestmark = pytest.mark.django_db

CLOSED = "the process ended without a word; readers see the old tab or the new one, whole"


def running(**values: Any) -> ExportRun:
    facts = {"format": "google", "status": "running", "host": socket.gethostname(), "pid": os.getpid()}
    return ExportRun.objects.create(**facts | {"started_at": timezone.now()} | values)


def ago(seconds: float) -> Any:
    return timezone.now() - timedelta(seconds=seconds)


def messages() -> list[tuple[str, Any]]:
    return [(row.task["func"], row.task["args"]) for row in OrmQ.objects.order_by("pk")]


# --- one at a time


def test_a_second_export_is_refused_and_told_who_holds_the_workbook(django_user_model: Any) -> None:
    first = start_run(Options(), django_user_model.objects.create(username="anna"))

    with pytest.raises(AlreadyRunning) as refused:
        start_run(Options(view="ended"))

    assert str(refused.value) == (
        f"another export is going on: export {first.pk}, process {os.getpid()} on {socket.gethostname()} by anna, "
        f"since {first.started_at:%Y-%m-%d %H:%M:%S} UTC"
    )


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_files_are_written_beside_it(format: str) -> None:
    start_run(Options())

    start_run(Options(format))
    start_run(Options(format))

    assert ExportRun.objects.filter(status="running").count() == 3


def test_one_that_has_ended_makes_way() -> None:
    finish(start_run(Options()), "succeeded", writes=3)

    start_run(Options())

    first = ExportRun.objects.order_by("pk")[0]
    assert (first.status, first.writes, first.finished_at is not None) == ("succeeded", 3, True)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_begin_at_once_one_does() -> None:
    gate, outcomes = threading.Barrier(5), []

    def claim() -> None:
        gate.wait()
        try:
            start_run(Options())
            outcomes.append("started")
        except AlreadyRunning:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["refused"] * 4 + ["started"]
    assert ExportRun.objects.count() == 1


# --- who dies


def test_one_whose_process_is_dead_is_closed_by_the_next(dead_pid: int) -> None:
    dead = running(pid=dead_pid)

    start_run(Options())

    dead.refresh_from_db()
    assert (dead.status, dead.error, dead.step) == ("interrupted", CLOSED, "")
    assert dead.finished_at is not None


def test_one_on_another_host_is_believed_while_it_gives_signs_of_life(dead_pid: int) -> None:
    running(host="another.example", pid=dead_pid, heartbeat_at=ago(STALE_AFTER.seconds - 10))

    with pytest.raises(AlreadyRunning, match=r"on another\.example"):
        start_run(Options())


@pytest.mark.parametrize("host", ["another.example", socket.gethostname()])
@pytest.mark.parametrize("seconds", [STALE_AFTER.seconds + 10, -STALE_AFTER.seconds - 10], ids=["silent", "ahead"])
def test_one_without_a_sign_of_life_is_closed_by_the_next(host: str, seconds: float) -> None:
    silent = running(host=host, heartbeat_at=ago(seconds))

    start_run(Options())

    silent.refresh_from_db()
    assert silent.status == "interrupted"


def test_one_that_gives_a_sign_of_life_while_it_is_judged_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, dead_pid: int
) -> None:
    row = running(pid=dead_pid)

    def beats_meanwhile(pid: int, since: Any) -> bool:
        ExportRun.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now(), pid=os.getpid())
        return pid != dead_pid

    monkeypatch.setattr("trr_site.processes.process_exists", beats_meanwhile)

    with pytest.raises(AlreadyRunning):
        start_run(Options())

    row.refresh_from_db()
    assert row.status == "running"


@pytest.mark.parametrize(
    "write", [lambda run: update(run, step="x"), lambda run: finish(run, "succeeded")], ids=["update", "finish"]
)
def test_one_that_was_closed_may_not_write(write: Any) -> None:
    run = start_run(Options())
    ExportRun.objects.update(status="interrupted")

    with pytest.raises(RunLost, match=f"export {run.pk} was closed by another process"):
        write(run)

    assert ExportRun.objects.get().status == "interrupted"


class TakenForDead(Reporter):
    """Somebody else closes the run when it comes to a step."""

    def __init__(self, step: str) -> None:
        self.fatal = step

    def step(self, title: str, words: str) -> None:
        if words.startswith(self.fatal):
            ExportRun.objects.filter(status="running").update(status="interrupted", finished_at=timezone.now())


@pytest.mark.parametrize("step", ["reading the workbook", "sending rows", "checking what was sent", "publishing"])
def test_one_that_was_taken_for_dead_ends_at_its_next_step_and_the_next_puts_all_in_order(
    server: SheetsServer, workbook: Workbook, step: str
) -> None:
    a_show(1)
    export_tabs(Options())
    a_show(2)

    report = export_tabs(Options(), reporter=TakenForDead(step))

    lost = ExportRun.objects.order_by("-pk")[0]
    assert report.error == report.tabs[0].error == f"export {lost.pk} was closed by another process; this one ends"
    assert (report.exit_code, lost.status) == (1, "interrupted")
    assert [row[:1] for row in workbook.values("ShowInfo")] == [["Show"], ["Show 1"]]
    assert export_tabs(Options()).exit_code == 0
    assert workbook.values("ShowInfo") == [HEADER, cells(1)[:7], cells(2)[:7]]
    assert not [sheet for sheet in workbook.sheets if STAGE.match(sheet.title)]


# --- the quota


def test_calls_of_the_last_minute_count_whoever_made_them() -> None:
    now = timezone.now()
    for seconds, reads, writes in ((10, 5, 3), (59, 7, 2), (61, 100, 100)):
        running(status="failed", finished_at=now - timedelta(seconds=seconds), reads=reads, writes=writes)
    running(reads=50, writes=50)

    assert calls_of_last_minute(now) == (12, 5)


# --- who waits


def test_pressed_twice_one_waits(django_user_model: Any, django_capture_on_commit_callbacks: Any) -> None:
    anna = django_user_model.objects.create(username="anna")

    with django_capture_on_commit_callbacks(execute=True):
        first, second = queue_export(Options(), anna), queue_export(Options(), anna)

    assert first == second == ExportRun.objects.get()
    assert (first.status, first.started_by, first.started_at) == ("queued", anna, None)
    assert set(map(repr, messages())) == {repr(("exports.tasks.export_queued", (first.pk,)))}


def test_one_may_wait_behind_one_that_runs_and_is_rung_for_when_that_ends(
    django_capture_on_commit_callbacks: Any,
) -> None:
    run = start_run(Options())
    with django_capture_on_commit_callbacks(execute=True):
        waiting = queue_export(Options())
    with pytest.raises(AlreadyRunning):
        take_queued(waiting.pk)
    OrmQ.objects.all().delete()  # the message is done with
    waiting.refresh_from_db()
    assert waiting.status == "queued"

    with django_capture_on_commit_callbacks(execute=True):
        finish(run, "succeeded")

    assert messages() == [("exports.tasks.export_queued", (waiting.pk,))]
    taken = take_queued(waiting.pk)
    assert taken is not None
    assert (taken.status, taken.pid) == ("running", os.getpid())


def test_what_is_asked_for_in_a_transaction_that_fails_is_not_queued(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        queue_export(Options())

    assert messages() == []
    assert len(callbacks) == 1


def test_a_queue_that_is_out_of_reach_costs_nobody_an_export(
    server: SheetsServer, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionError

    a_show(1)
    queue_export(Options())
    monkeypatch.setattr("exports.runs.async_task", refuse)

    with django_capture_on_commit_callbacks(execute=True):
        report = export_tabs(Options())

    assert report.exit_code == 0
    assert list(ExportRun.objects.order_by("pk").values_list("status", flat=True)) == ["queued", "succeeded"]


def test_one_that_waits_behind_a_dead_one_is_taken_all_the_same(dead_pid: int) -> None:
    dead = running(pid=dead_pid)
    waiting = queue_export(Options())

    taken = take_queued(waiting.pk)

    assert taken == waiting
    dead.refresh_from_db()
    assert dead.status == "interrupted"


def test_one_that_was_carried_out_or_never_asked_for_is_not_taken() -> None:
    done = start_run(Options())
    finish(done, "failed")

    assert take_queued(done.pk) is None
    assert take_queued(done.pk + 1) is None


def test_one_that_goes_on_is_not_taken_a_second_time() -> None:
    run = start_run(Options())

    assert take_queued(run.pk) is None


def test_one_that_a_dead_process_has_left_is_taken_over_by_one(dead_pid: int) -> None:
    left = running(pid=dead_pid)

    assert take_queued(left.pk) == left
    assert take_queued(left.pk) is None

    left.refresh_from_db()
    assert (left.status, left.pid) == ("running", os.getpid())


# --- a message that was lost


@pytest.mark.django_db(transaction=True)
def test_an_export_whose_message_was_lost_is_rung_for_again_and_not_more_than_once_a_minute() -> None:
    run = queue_export(Options())
    OrmQ.objects.all().delete()
    assert ring_again() == 0, "it was asked for just now"

    ExportRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=2))

    assert ring_again() == 1
    assert OrmQ.objects.count() == 1
    assert ring_again() == 0


@pytest.mark.django_db(transaction=True)
def test_an_export_that_waits_behind_another_is_not_rung_for_until_that_is_over_or_dead() -> None:
    running = start_run(Options())
    waiting = queue_export(Options())
    ExportRun.objects.filter(pk=waiting.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=2))
    assert ring_again() == 0

    ExportRun.objects.filter(pk=running.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))

    assert ring_again() == 1
