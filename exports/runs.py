"""The ledger of exports: who publishes what, and that no two exports into the workbook overlap.

The row is the lock. A partial unique index lets one running row of Google's format exist, and one that waits for a
worker. A row whose process is dead (same host: no such process; any host: no sign for STALE_AFTER) is closed by
whoever comes next. One that was taken for dead and was not finds its row closed at its next step, and ends.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from exports.models import ExportedTab, ExportRun
from exports.options import Options, options_of
from exports.tables import Table
from exports.tabs import Tab
from trr_site.processes import here, is_gone

Status = ExportRun.Status
Format = ExportRun.Format

STALE_AFTER: Final = timedelta(minutes=10)  # a call and its retries may take some of them
TASK: Final = "exports.tasks.export_queued"
MINUTE: Final = timedelta(minutes=1)


class AlreadyRunning(Exception):
    """Another export into the workbook is going on; the message says who holds it."""


class RunLost(Exception):
    """Somebody closed this run's row: it may no longer write."""


def start_run(options: Options, user: User | None = None) -> ExportRun:
    """Opens a run in this process. Raises AlreadyRunning."""
    run: ExportRun = opened(lambda: ExportRun.objects.create(**options.row(), started_by=user, **begun()))
    return run


def take_queued(run_id: int) -> ExportRun | None:
    """The run that waits under this number, or that a dead process has left, as ours now; None where there is none.

    Raises AlreadyRunning while another one goes on.
    """
    run = ExportRun.objects.filter(pk=run_id).first()
    if run is None or run.finished_at is not None:
        return None
    if run.status == Status.RUNNING:
        return taken_over(run)

    def take() -> ExportRun | None:
        row = ExportRun.objects.filter(pk=run_id, status=Status.QUEUED)
        return ExportRun.objects.get(pk=run_id) if row.update(status=Status.RUNNING, **begun()) else None

    taken: ExportRun | None = opened(take)
    return taken


def taken_over(run: ExportRun) -> ExportRun | None:
    """A run whose message was delivered again, if its process is dead."""
    if not is_dead(run):
        return None
    row = ExportRun.objects.filter(pk=run.pk, status=Status.RUNNING, heartbeat_at=run.heartbeat_at)
    return ExportRun.objects.get(pk=run.pk) if row.update(**begun()) else None


def opened(make: Any) -> Any:
    """What `make` gives, after a dead run was closed that stood in its way."""
    for _ in range(2):
        try:
            with transaction.atomic():
                return make()
        except IntegrityError:
            holder = ExportRun.objects.filter(format=Format.GOOGLE, status=Status.RUNNING).first()
            if holder is not None and not close_if_dead(holder):
                raise AlreadyRunning(describe(holder)) from None
    raise AlreadyRunning("another export has just started")


def begun() -> dict[str, Any]:
    now = timezone.now()
    return {**here(), "started_at": now, "heartbeat_at": now}


def queue_export(options: Options, user: User | None = None) -> ExportRun:
    """The run that waits for a worker, once this is committed: a new one, or the one of the same that waits already.

    Raises AlreadyRunning where another one waits: it is not dropped for this.
    """
    with transaction.atomic():
        try:
            with transaction.atomic():
                run = ExportRun.objects.create(**options.row(), started_by=user, status=Status.QUEUED)
        except IntegrityError:
            waiting = ExportRun.objects.filter(format=options.format, status=Status.QUEUED).first()
            if waiting is None:  # a worker has just taken it
                return queue_export(options, user)
            if options_of(waiting) != options:
                raise AlreadyRunning(describe(waiting)) from None
            run = waiting
        ring(run.pk)
    return run


def ring(run_id: int) -> None:
    """Tells a worker, once this is committed. A queue that is out of reach costs nobody the work that is done."""
    transaction.on_commit(lambda: async_task(TASK, run_id, group="exports"), robust=True)


def ring_again() -> int:
    """Rings for an export that waits although none goes on: its message was lost, or the one before it was killed."""
    now = timezone.now()
    running = ExportRun.objects.filter(format=Format.GOOGLE, status=Status.RUNNING).first()
    if running is not None and not is_dead(running):
        return 0
    waiting = ExportRun.objects.filter(status=Status.QUEUED, heartbeat_at__lt=now - MINUTE)
    run_ids = list(waiting.values_list("pk", flat=True))
    for run_id in run_ids:
        waiting.filter(pk=run_id).update(heartbeat_at=now)  # not again within a minute
        ring(run_id)
    return len(run_ids)


def update(run: ExportRun, **values: Any) -> None:
    """Writes columns of a run that goes on, with a sign of life. Raises RunLost when it was closed."""
    row = ExportRun.objects.filter(pk=run.pk, status=Status.RUNNING)
    if not row.update(**values, heartbeat_at=timezone.now()):
        raise RunLost(f"export {run.pk} was closed by another process")


def finish(run: ExportRun, status: str, **values: Any) -> None:
    """Closes the run, and rings for one that waits behind it. Raises RunLost."""
    update(run, status=status, finished_at=timezone.now(), step="", **values)
    waiting = ExportRun.objects.filter(status=Status.QUEUED).values_list("pk", flat=True).first()
    if waiting is not None:
        ring(waiting)


def old_runs(now: datetime) -> Iterator[tuple[str, QuerySet[Any]]]:
    """What is no longer kept: but for the newest of each format, the newest that succeeded, and what has snapshots."""
    over = ExportRun.objects.exclude(status__in=(Status.QUEUED, Status.RUNNING))
    newest = over.order_by().values("format").annotate(newest=Max("pk")).values("newest")
    good = over.filter(status=Status.SUCCEEDED).order_by().values("format").annotate(newest=Max("pk")).values("newest")
    old = over.filter(asked_at__lt=now - settings.RUNS_KEPT).exclude(Q(pk__in=newest) | Q(pk__in=good))
    yield "exports", old.exclude(exported__snapshot__isnull=False)


def is_dead(run: ExportRun) -> bool:
    if abs(timezone.now() - run.heartbeat_at) > STALE_AFTER:  # in the future: a clock was set
        return True
    return is_gone(run.host, run.pid or 0, run.started_at or run.heartbeat_at)


def close_if_dead(run: ExportRun) -> bool:
    """Closes the row of a run whose process is gone; whether the way is free now."""
    if not is_dead(run):
        return False
    row = ExportRun.objects.filter(pk=run.pk, status=Status.RUNNING, heartbeat_at=run.heartbeat_at)
    words = "the process ended without a word; readers see the old tab or the new one, whole"
    row.update(status=Status.INTERRUPTED, finished_at=timezone.now(), step="", error=words)
    return True


def describe(run: ExportRun) -> str:
    who = f" by {run.started_by}" if run.started_by else ""
    if run.status == Status.QUEUED:
        return f"another export waits for a worker: export {run.pk}{who}, since {run.asked_at:%Y-%m-%d %H:%M:%S} UTC"
    since = f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC" if run.started_at else "just now"
    return f"another export is going on: export {run.pk}, process {run.pid} on {run.host}{who}, since {since}"


def calls_of_last_minute(now: datetime) -> tuple[int, int]:
    """Reads and writes of runs that have ended within the last minute: the quota is one for all of them."""
    rows = ExportRun.objects.filter(finished_at__gt=now - MINUTE).values_list("reads", "writes")
    return sum(reads for reads, _ in rows), sum(writes for _, writes in rows)


def noted_download(user: User, options: Options, tables: Mapping[Tab, Table]) -> ExportRun:
    """Writes down that somebody took these tables as a file."""
    now = timezone.now()
    with transaction.atomic():
        done = {"status": Status.SUCCEEDED, "started_at": now, "finished_at": now}
        run = ExportRun.objects.create(**options.row(), started_by=user, **done)
        for table in tables.values():
            ExportedTab.objects.create(run=run, title=table.title, rows=len(table.rows), is_published=True)
    return run
