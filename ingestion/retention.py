"""The whole trip of `prune_history`: drops what is no longer kept, in batches of AT_ONCE rows, each a transaction.

| what                                    | is kept for                          | and always                    |
|-----------------------------------------|--------------------------------------|-------------------------------|
| changes: the history and the feed       | HISTORY_KEPT, VOLATILE_HISTORY_KEPT  | the newest of each show       |
| runs, with their failures and chunks    | RUNS_KEPT                            | see `runs_that_stay`          |
| problems that are over                  | RUNS_KEPT                            |                               |
| done tasks, and counts of attempts      | TASKS_KEPT                           | the last one of each schedule |
| workers without a sign of life          | SILENT_WORKERS_KEPT                  |                               |
| sessions; API tokens                    | until they expire; and TASKS_KEPT    |                               |
| raw replies of upstreams                | RAW_REPLIES_KEPT                     | the rest of their row         |

A raw reply that was dropped is stored again by the next sync that gets one: its hash is forgotten with it.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_q.models import Schedule, Task
from knox.models import AuthToken

from catalog.models import Network, ProductionCompany, Show, WatchProvider
from catalog.retention import droppable, prune_changes
from ingestion.dashboard import JOB
from ingestion.models import Problem, Stage, SyncChunk, SyncFailure, SyncRun, SyncState, TaskAttempt, Worker
from ingestion.problems import newest_runs
from ingestion.progress import OPEN
from ingestion.runs import Run, RunLost, start_run
from trr_site.command_line import environment_problems, first_line

log = logging.getLogger(__name__)

KIND: Final = "prune_history"
AT_ONCE: Final = 1_000  # rows of one transaction
SILENT_WORKERS_KEPT: Final = timedelta(days=7)
STOPPED: Final = "stopped by a signal; what was dropped is gone, the next run drops the rest"
SETTINGS: Final = ("HISTORY_", "VOLATILE_", "RUNS_", "TASKS_", "RAW_REPLIES_", "DATABASE_URL", "ENV_FILE")


@dataclass
class PruneReport:
    """counts: rows that were dropped, or would be, by what they are. error: why the run ended before its end."""

    dry_run: bool
    counts: dict[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def exit_code(self) -> int:
        return 1 if self.error else 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def as_json(self) -> dict[str, Any]:
        return {"dry_run": self.dry_run, "counts": self.counts, "error": self.error, "exit_code": self.exit_code}


def prune_history(
    kept: timedelta | None = None,
    *,
    dry_run: bool = False,
    user: User | None = None,
    interrupt: threading.Event | None = None,
) -> PruneReport:
    """Drops what is no longer kept and returns how much that was; `kept` replaces HISTORY_KEPT.

    Set `interrupt` and the run ends after the batch at hand. Raises ImproperlyConfigured, one problem a line, when
    nothing was tried, and AlreadyRunning when another one is going on. A dry run has no row of a run, and no lock.
    """
    if problems := environment_problems(*SETTINGS):
        raise ImproperlyConfigured("\n".join(problems))  # by a default more might go than is meant
    run = None if dry_run else start_run(KIND, {"days": kept.days} if kept else {}, user)
    return HistoryPrune(run, kept, interrupt or threading.Event()).run_to_end()


class HistoryPrune:
    """One run; without a row of one it only counts."""

    def __init__(self, run: Run | None, kept: timedelta | None, interrupt: threading.Event) -> None:
        self.run, self.kept, self.interrupt = run, kept, interrupt
        self.now = timezone.now()
        self.report = PruneReport(dry_run=run is None)

    def run_to_end(self) -> PruneReport:
        status = SyncRun.Status.STOPPED
        try:
            self.prune()
            if not self.report.error:
                status = SyncRun.Status.SUCCEEDED
            elif self.run is not None and self.run.cancelled:
                status = SyncRun.Status.CANCELLED
        except KeyboardInterrupt:
            self.report.error = STOPPED
        except RunLost as error:
            self.report.error = f"{error}; this one ends"
        except DatabaseError as error:
            self.report.error = f"the database is out of reach: {first_line(error)}"
            log.debug("run ended", exc_info=True)
        finally:
            self.close_run(status)
        return self.report

    def close_run(self, status: SyncRun.Status) -> None:
        if self.run is None:
            return
        try:
            self.run.finish(status, error=self.report.error, **self.figures())
        except (RunLost, DatabaseError):
            log.warning("the row of run %s could not be closed; the next run closes it", self.run.id)

    def figures(self) -> dict[str, Any]:
        return {"counts": self.report.counts, "done": self.report.total}

    def prune(self) -> None:
        changes = prune_changes(self.now, self.kept, dry_run=self.report.dry_run, go_on=self.go_on)
        self.report.counts |= {"changes of votes and popularity": changes.volatile, "other changes": changes.old}
        for what, rows in old_rows(self.now):
            self.in_batches(what, rows, partial(drop, rows))
        for rows, column in old_replies(self.now):
            self.in_batches("raw replies", rows, partial(empty, rows, column))

    def in_batches(self, what: str, rows: QuerySet[Any], step: Callable[[], int]) -> None:
        counts = self.report.counts
        counts.setdefault(what, 0)
        if self.report.dry_run:
            counts[what] += rows.count()
            return
        while self.go_on() and (count := step()):
            counts[what] += count

    def go_on(self) -> bool:
        """Beats the run's heart; False when the run has to end."""
        if self.interrupt.is_set():
            self.report.error = STOPPED
        elif self.run is not None:
            self.run.beat(**self.figures())
            self.report.error = self.run.ending
        return not self.report.error


# --- what goes


def old_rows(now: datetime) -> Iterator[tuple[str, QuerySet[Any]]]:
    """What is dropped whole; parts before what they belong to, so that no statement is large."""
    over = SyncRun.objects.exclude(status__in=OPEN)
    runs = over.filter(started_at__lt=now - settings.RUNS_KEPT).exclude(pk__in=runs_that_stay(now))
    yield "failures of runs", SyncFailure.objects.filter(run__in=runs.values("pk"))
    yield "chunks of runs", SyncChunk.objects.filter(run__in=runs.values("pk"))
    yield "runs", runs
    yield "problems", Problem.objects.filter(ended_at__lt=now - settings.RUNS_KEPT)
    last_ones = Schedule.objects.filter(task__isnull=False).values("task")  # what admin and alerts tell of a schedule
    yield "tasks", Task.objects.filter(stopped__lt=now - settings.TASKS_KEPT).exclude(pk__in=last_ones)
    attempts = TaskAttempt.objects.annotate(last_at=Coalesce("ended_at", "started_at"))
    yield "attempts at tasks", attempts.filter(last_at__lt=now - settings.TASKS_KEPT)
    yield "sessions", Session.objects.filter(expire_date__lt=now)
    yield "API tokens", AuthToken.objects.filter(expiry__lt=now - settings.TASKS_KEPT)
    for found in droppable:
        yield from found(now)
    yield "workers", Worker.objects.filter(beat_at__lt=now - SILENT_WORKERS_KEPT)


def runs_that_stay(now: datetime) -> set[int]:
    """Of every job the newest run, the newest that succeeded, and the one that says how the job stands, with those
    that it retried; and the run up to which TMDb's list of changes was read."""
    of_jobs = SyncRun.objects.order_by().annotate(job=JOB).values("job")
    newest = of_jobs.annotate(newest=Max("pk"), succeeded=Max("pk", filter=Q(status=SyncRun.Status.SUCCEEDED)))
    stay = {pk for row in newest for pk in (row["newest"], row["succeeded"]) if pk}
    read = SyncRun.objects.filter(changes_until__isnull=False).order_by("-changes_until", "-pk")
    stay.update(read.values_list("pk", flat=True)[:1])
    run: SyncRun | None
    for run in newest_runs(now).values():
        while run is not None:
            stay.add(run.pk)
            run = run.retry_of
    return stay


def drop(rows: QuerySet[Any]) -> int:
    """One batch of them; how many went."""
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    with transaction.atomic():
        rows.filter(pk__in=ids).delete()  # still by their conditions: one may have come to life
    return len(ids)


# --- raw replies


def old_replies(now: datetime) -> Iterator[tuple[QuerySet[Any], str]]:
    """Rows with an old reply, and the column that it stands in."""
    until = now - settings.RAW_REPLIES_KEPT
    for model in (Show, Network, ProductionCompany, WatchProvider):
        yield rows_of(model).filter(tmdb_meta__isnull=False, tmdb_fetched_at__lt=until), "tmdb_meta"
    yield rows_of(Show).filter(imdb_meta__isnull=False, imdb_fetched_at__lt=until), "imdb_meta"


def rows_of(model: type[Any]) -> QuerySet[Any]:
    rows: QuerySet[Any] = Show.all_objects.all() if model is Show else model.objects.all()
    return rows


def empty(rows: QuerySet[Any], column: str) -> int:
    """One batch of them, locked as a sync locks what it saves; nothing else of the row changes."""
    with transaction.atomic():
        locked = rows.select_for_update(no_key=True).order_by("pk")
        ids = list(locked.values_list("pk", flat=True)[:AT_ONCE])
        rows_of(rows.model).filter(pk__in=ids).update(**{column: None})
        if rows.model is Show and column == "tmdb_meta":
            SyncState.objects.filter(show__in=ids, stage=Stage.DETAILS).update(marker="")
    return len(ids)
