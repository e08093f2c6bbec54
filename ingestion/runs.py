"""The run ledger: who runs what, since when, and that no two runs of a kind overlap.

The row is the lock. A partial unique index lets one `running` row of a kind exist; the run beats its
heart into it. A row whose process is dead (same host: no such process; any host: no beat for
STALE_AFTER) is closed as `interrupted` by whoever comes next, by a filtered UPDATE whose row count
says whether it won. A run that was taken for dead and was not finds its row closed at its next beat
and ends.
"""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from catalog.models import Show
from ingestion.models import SyncFailure, SyncRun
from trr_site.processes import here, is_gone

BEAT_EVERY = 2.0  # seconds; a run that is cancelled hears of it then
STALE_AFTER = timedelta(seconds=120)
SHARED_STALE_AFTER = timedelta(hours=1)  # nobody has gone on with it for so long: there is no worker


class AlreadyRunning(Exception):
    """Another run of the same kind is going on; the message says who holds it."""


class RunLost(Exception):
    """Somebody closed this run's row: it may no longer write."""


class Run:
    """An open run. Leave it with `finish`; a crash leaves the row for the next run to close."""

    def __init__(self, row: SyncRun) -> None:
        self.row = row
        self.last_beat = time.monotonic()
        self.ending = ""  # why it is to end, as somebody asked for that
        self.cancelled = False

    @property
    def id(self) -> int:
        return self.row.pk

    def beat(self, **progress: Any) -> bool:
        """Says that the run lives, at most every BEAT_EVERY seconds; whether it did. Raises RunLost when it was closed.

        When somebody has cancelled the run, `ending` says so from then on.
        """
        now = time.monotonic()
        if now - self.last_beat < BEAT_EVERY:
            return False
        self.last_beat = now
        self._update(heartbeat_at=timezone.now(), **progress)
        if not self.ending and (words := cancelled_words(self.row.pk)):
            self.ending, self.cancelled = words, True
        return True

    def fail(self, failures: Iterable[tuple[UUID | None, str, str]]) -> None:
        """Keeps failures: (show id or None, item, reason). A show that was deleted meanwhile has no id any more."""
        failures = list(failures)
        ids = [show_id for show_id, _, _ in failures if show_id]
        with transaction.atomic():
            shows = Show.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
            there = set(shows.values_list("pk", flat=True)) if ids else set()
            SyncFailure.objects.bulk_create(
                SyncFailure(run_id=self.row.pk, show_id=show_id if show_id in there else None, item=item, reason=reason)
                for show_id, item, reason in failures
            )

    def add_option(self, name: str, value: str) -> None:
        self.row.options |= {name: value}
        self._update(options=self.row.options)

    def mark_changes_until(self, moment: Any) -> None:
        self._update(changes_until=moment)

    def finish(self, status: SyncRun.Status, **values: Any) -> None:
        self._update(status=status, finished_at=timezone.now(), **values)

    def _update(self, **values: Any) -> None:
        running = SyncRun.objects.filter(pk=self.row.pk, status=SyncRun.Status.RUNNING)
        if not running.update(**values):
            raise RunLost(f"run {self.row.pk} was closed by another process")


def start_run(kind: str, options: dict[str, Any], user: User | None = None, *, shared: bool = False) -> Run:
    """Opens a run of a kind; raises AlreadyRunning when one is going on."""
    for _ in range(2):
        try:
            with transaction.atomic():
                return Run(
                    SyncRun.objects.create(
                        kind=kind,
                        options=options,
                        retry_of_id=options.get("retry_of"),
                        shared=shared,
                        started_by=user,
                        **here(),
                    )
                )
        except IntegrityError:
            holder = SyncRun.objects.filter(kind=kind, status=SyncRun.Status.RUNNING).first()
            if holder is not None and not close_if_dead(holder):
                raise AlreadyRunning(describe(holder)) from None
    raise AlreadyRunning(f"another {kind} has just started")


def cancel(run_id: int, user: User) -> bool:
    """Asks a run to end; whether there was one to ask. It saves what it has and ends within seconds.

    One that no worker has begun ends here.
    """
    now = timezone.now()
    asked = {"cancel_asked_at": now, "cancel_asked_by": user}
    run = SyncRun.objects.filter(pk=run_id)
    ended = {"status": SyncRun.Status.CANCELLED, "finished_at": now, "error": f"cancelled by {user}"}
    if run.filter(status=SyncRun.Status.QUEUED).update(**asked, **ended):
        return True
    return bool(run.filter(status=SyncRun.Status.RUNNING, cancel_asked_at=None).update(**asked))


def cancelled_words(run_id: int) -> str:
    """Who has cancelled a run, as the reason for its end; empty when nobody has."""
    asked = SyncRun.objects.filter(pk=run_id, cancel_asked_at__isnull=False)
    names = list(asked.values_list("cancel_asked_by__username", flat=True))
    return f"cancelled by {names[0] or 'somebody'}; what was done is kept" if names else ""


def describe(row: SyncRun) -> str:
    who = f" by {row.started_by}" if row.started_by else ""
    return (
        f"{row.kind} is already running: run {row.pk}, process {row.pid} on {row.host}{who}, "
        f"since {row.started_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"{row.done} of {'?' if row.total is None else row.total} done"
    )


def close_if_dead(row: SyncRun) -> bool:
    """Closes the row of a run whose process is gone; whether the way is free now."""
    silent = is_silent(row.heartbeat_at, SHARED_STALE_AFTER if row.shared else STALE_AFTER)
    # A shared run does not hang on one process: its next worker goes on with it.
    ended = not row.shared and is_gone(row.host, row.pid, row.started_at)
    if not silent and not ended:
        return False
    SyncRun.objects.filter(pk=row.pk, status=SyncRun.Status.RUNNING, heartbeat_at=row.heartbeat_at).update(
        status=SyncRun.Status.INTERRUPTED, finished_at=timezone.now(), error="the process ended without a word"
    )
    return True


def is_silent(heartbeat_at: datetime, after: timedelta = STALE_AFTER) -> bool:
    """Whether the last beat is too long ago, or as far in the future: then a clock was set."""
    return abs(timezone.now() - heartbeat_at) > after
