"""The run ledger: who runs what, since when, and that no two runs of a kind overlap.

The row is the lock. A partial unique index lets one `running` row of a kind exist; the run beats its
heart into it. A row whose process is dead (same host: no such process; any host: no beat for
STALE_AFTER) is closed as `interrupted` by whoever comes next, by a filtered UPDATE whose row count
says whether it won. A run that was taken for dead and was not finds its row closed at its next beat
and ends.
"""

import os
import socket
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from catalog.models import Show
from ingestion.models import SyncFailure, SyncRun

BEAT_EVERY = 5.0  # seconds
STALE_AFTER = timedelta(seconds=120)


class AlreadyRunning(Exception):
    """Another run of the same kind is going on; the message says who holds it."""


class RunLost(Exception):
    """Somebody closed this run's row: it may no longer write."""


class Run:
    """An open run. Leave it with `finish`; a crash leaves the row for the next run to close."""

    def __init__(self, row: SyncRun) -> None:
        self.row = row
        self.last_beat = time.monotonic()

    @property
    def id(self) -> int:
        return self.row.pk

    def beat(self, **progress: Any) -> None:
        """Says that the run lives, at most every BEAT_EVERY seconds. Raises RunLost when it was closed."""
        now = time.monotonic()
        if now - self.last_beat < BEAT_EVERY:
            return
        self.last_beat = now
        self._update(heartbeat_at=timezone.now(), **progress)

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


def start_run(kind: str, options: dict[str, Any], user: User | None = None) -> Run:
    """Opens a run of a kind; raises AlreadyRunning when one is going on."""
    for _ in range(2):
        try:
            with transaction.atomic():
                return Run(
                    SyncRun.objects.create(
                        kind=kind, options=options, started_by=user, host=socket.gethostname(), pid=os.getpid()
                    )
                )
        except IntegrityError:
            holder = SyncRun.objects.filter(kind=kind, status=SyncRun.Status.RUNNING).first()
            if holder is not None and not close_if_dead(holder):
                raise AlreadyRunning(describe(holder)) from None
    raise AlreadyRunning(f"another {kind} has just started")


def describe(row: SyncRun) -> str:
    who = f" by {row.started_by}" if row.started_by else ""
    return (
        f"{row.kind} is already running: run {row.pk}, process {row.pid} on {row.host}{who}, "
        f"since {row.started_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"{row.done} of {'?' if row.total is None else row.total} done"
    )


def close_if_dead(row: SyncRun) -> bool:
    """Closes the row of a run whose process is gone; whether the way is free now."""
    silent = timezone.now() - row.heartbeat_at > STALE_AFTER
    if not silent and not (row.host == socket.gethostname() and not process_exists(row.pid)):
        return False
    SyncRun.objects.filter(pk=row.pk, status=SyncRun.Status.RUNNING, heartbeat_at=row.heartbeat_at).update(
        status=SyncRun.Status.INTERRUPTED, finished_at=timezone.now(), error="the process ended without a word"
    )
    return True


def process_exists(pid: int) -> bool:
    """Whether a process of this host runs; one that is dead but not yet waited for by its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # no /proc here
        return True
    return state != "Z"
