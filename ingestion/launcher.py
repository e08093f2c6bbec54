"""The worker as operators start it: a cluster of django-q2 in a process group of its own, and who looks after it.

The launcher starts the cluster again when it ends or hangs, stops it in order on SIGTERM, and does each little while
what keeps the jobs going whatever happens to messages and processes: it rings for runs that stand still, sets
schedules aside that would stop all others, and has operators told of problems.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import Schedule

from catalog.queued import ringers
from ingestion import workers
from ingestion.alerts import check_problems
from ingestion.attempts import begun_here
from ingestion.leases import free_what_the_dead_had
from ingestion.models import Worker
from ingestion.queue import queue_depth
from ingestion.schedules import disable_broken_schedules
from trr_site.version import known_migrations

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "ingestion.cluster")
GRACE = 55.0  # seconds for the tasks that are being done when the worker is told to stop
HUNG_AFTER = 120.0  # seconds in which tasks waited, processes were idle and none was begun
OVERDUE = timedelta(minutes=5)  # a cluster looks for what is scheduled twice a minute
OURS = ("catalog", "ingestion", "exports")
RESTART_MAX = 30.0  # seconds between two starts of a cluster that ends at once


class Launcher:
    """Call `run`; set `stop` to end it."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.worker = workers.enlist()
        self.cluster: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.failures = 0  # starts in a row after which the cluster did not live long
        self.stuck_since: float | None = None
        self.exit_code = 0
        self.telling: threading.Thread | None = None
        self.duties: list[tuple[float, Callable[[], object]]] = [
            (5.0, lambda: disable_broken_schedules(timezone.now())),
            (10.0, lambda: workers.beat(self.worker)),
            (5.0, lambda: free_what_the_dead_had(get_broker().release)),
            (15.0, self.ring_again),
            (15.0, self.restart_if_hung),
            (60.0, self.tell_problems),
            (15.0, self.end_if_outdated),
        ]
        self.due = [0.0] * len(self.duties)

    def run(self) -> int:
        self.start_cluster()
        try:
            while not self.stop.wait(1.0):
                self.restart_if_ended()
                self.do_duties()
        finally:
            self.end()
        return self.exit_code

    def do_duties(self) -> None:
        now = time.monotonic()
        for number, (every, duty) in enumerate(self.duties):
            if now < self.due[number]:
                continue
            self.due[number] = now + every
            try:
                close_old_connections()
                duty()
            except DatabaseError as error:
                log.warning(
                    "the database is out of reach (%s); the worker goes on when it is back", type(error).__name__
                )
            except Exception:
                log.exception("the worker goes on")

    # --- the cluster

    def start_cluster(self) -> None:
        self.cluster = subprocess.Popen(COMMAND, cwd=settings.BASE_DIR, start_new_session=True)  # noqa: S603
        self.started_at, self.stuck_since = time.monotonic(), None

    def restart_if_ended(self) -> None:
        assert self.cluster is not None
        if self.cluster.poll() is None:
            return
        lived = time.monotonic() - self.started_at
        self.failures = 0 if lived > RESTART_MAX else self.failures + 1
        self.kill_group()  # what it has left behind would go on without a guard
        if self.failures > 1 and self.stop.wait(min(RESTART_MAX, 2.0**self.failures)):
            return
        self.note_restart(f"its cluster ended with code {self.cluster.returncode}")
        self.start_cluster()

    def restart_if_hung(self) -> None:
        if not self.is_stuck():
            self.stuck_since = None
            return
        now = time.monotonic()
        self.stuck_since = self.stuck_since or now
        if now - self.stuck_since > HUNG_AFTER:
            self.note_restart(f"tasks waited and none was begun for {HUNG_AFTER:.0f} s")
            self.kill_group()
            self.start_cluster()

    def is_stuck(self) -> bool:
        """Whether tasks wait though a process of ours is idle, and none was begun since the last look; or schedules."""
        if overdue_schedules(timezone.now()):
            return True
        began = Worker.objects.filter(pk=self.worker.pk).values_list("task_at", flat=True).first()
        if began != self.worker.task_at:
            self.worker.task_at = began
            return False
        assert self.cluster is not None
        busy = sum(in_group(attempt.pid, self.cluster.pid) for attempt in begun_here())
        return busy < settings.Q_CLUSTER["workers"] and queue_depth().waiting > 0

    def note_restart(self, why: str) -> None:
        log.error("the cluster of worker %s is started anew: %s", self.worker, why)
        self.worker.restarts += 1
        with suppress(DatabaseError):
            Worker.objects.filter(pk=self.worker.pk).update(restarts=self.worker.restarts, note=why)

    def kill_group(self) -> None:
        assert self.cluster is not None
        with suppress(ProcessLookupError):
            os.killpg(self.cluster.pid, signal.SIGKILL)
        self.cluster.wait()

    def end(self) -> None:
        """Lets the tasks that are being done come to an end: shared runs hear of it and make way."""
        assert self.cluster is not None
        with suppress(DatabaseError):
            close_old_connections()
            workers.say_stopping(self.worker)
        # To the cluster alone: it ends its processes in order. Told all at once, they hang.
        self.cluster.terminate()
        try:
            self.cluster.wait(GRACE)
        except subprocess.TimeoutExpired:
            log.error("tasks did not end within %.0f s: they are cut off, and done again by another worker", GRACE)
        self.kill_group()
        with suppress(DatabaseError):
            workers.leave(self.worker, self.worker.note if self.exit_code else "")

    # --- what keeps jobs going

    def ring_again(self) -> None:
        """One worker of all does, so that a run that waits is not rung for by each."""
        alive = workers.alive_workers()
        if alive and min(alive, key=lambda one: (one.started_at, one.pk)).pk == self.worker.pk:
            for ring in ringers:
                ring()

    def tell_problems(self) -> None:
        """In a thread of its own: a slow mail server must not keep the worker from being looked after."""
        if self.telling is None or not self.telling.is_alive():
            self.telling = threading.Thread(target=tell_problems, name="problems", daemon=True)
            self.telling.start()

    def end_if_outdated(self) -> None:
        """A database that newer code has migrated is not for this one to write: it ends, to be updated."""
        if unknown := unknown_migrations():
            self.worker.note = f"the database is newer than this code ({', '.join(unknown)}): it has to be updated"
            log.critical("worker %s ends: %s", self.worker, self.worker.note)
            self.exit_code = 2
            self.stop.set()


def in_group(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False


def tell_problems() -> None:
    try:
        check_problems()
    except DatabaseError as error:
        log.warning("problems could not be looked for: the database is out of reach (%s)", type(error).__name__)
    except Exception:
        log.exception("problems could not be told")
    finally:
        connection.close()


def overdue_schedules(now: datetime) -> bool:
    """Whether something should have been queued minutes ago: the process that does it hangs."""
    return bool(Schedule.objects.exclude(repeats=0).filter(next_run__lt=now - OVERDUE).exists())


def unknown_migrations() -> list[str]:
    """Migrations of our apps that the database has and the code does not know."""
    unknown = MigrationRecorder(connection).applied_migrations().keys() - known_migrations()
    return sorted(f"{app}.{name}" for app, name in unknown if app in OURS)
