"""Delivered at least once, and soon: messages of the queue are leased by the cluster that took them.

django-q2 alone takes a message for the time of its longest task, or with Redis for good, so what a killed worker had is
done hours later or never. Here a message is taken for two minutes, and the cluster that has it renews that as
long as somebody works on it. When a worker is killed its message is free at once, when a host is lost
after these two minutes. How often a task was begun is counted before it is (ingestion.attempts), so one that
kills its workers is given up and shown as failed.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import close_old_connections
from django.utils import timezone

from ingestion.attempts import MAX_ATTEMPTS, attempts_of, begun_here, forget, give_up
from ingestion.models import TaskAttempt
from trr_site.processes import process_exists

log = logging.getLogger(__name__)

LEASE = 130.0  # seconds; above runs.STALE_AFTER: who gets it again finds the run of a lost host to be over
RENEW_EVERY = 5.0
HELD_UNBEGUN = 120.0  # seconds that a message may wait inside a cluster: one that hangs must not keep it


@dataclass(slots=True)
class Taken:
    """A message that this cluster has: how often it had been begun when it was taken, and since when it has it."""

    count: int
    since: float  # by the monotonic clock


class Leases:
    """What the pusher of a cluster has taken, kept alive by a thread.

    renew, release: of messages. present: which of them are in the queue, taken or not.
    """

    def __init__(
        self,
        renew: Callable[[list[Any]], None],
        release: Callable[[list[Any]], None],
        present: Callable[[list[Any]], set[Any]],
    ) -> None:
        self.renew, self.release, self.present = renew, release, present
        self.taken: dict[Any, Taken] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def take(self, message: Any, package: Any, delete: Callable[[Any], None]) -> bool:
        """Whether it may be begun: what was begun too often is shown as failed, and gone from the queue."""
        attempt = attempts_of([message]).get(str(message))
        if attempt is not None and attempt.count >= MAX_ATTEMPTS:
            give_up(attempt, package)
            delete(message)
            forget(message)
            return False
        with self._lock:
            self.taken[message] = Taken(attempt.count if attempt else 0, time.monotonic())
        return True

    def keep(self) -> None:
        """Sees to it that the thread runs: in the pusher, which alone takes messages."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)
            self._thread.start()

    def are_enough(self, processes: int) -> bool:
        """Whether there is a task for each process already: one more would wait here while another cluster is idle."""
        if len(self.taken) < processes:
            return False
        self.forget_done()
        return len(self.taken) >= processes

    def forget_done(self) -> dict[Any, Taken]:
        """Drops what is no longer in the queue, or has come to its end; returns what is left."""
        with self._lock:
            taken = dict(self.taken)
        there, attempts = self.present(list(taken)), attempts_of(taken)
        for message, one in taken.items():
            attempt = attempts.get(str(message))
            ended = attempt is not None and attempt.count > one.count and attempt.ended_at is not None
            if ended or message not in there:  # failed ones are due again when their lease ends
                self.drop(message)
        with self._lock:
            return dict(self.taken)

    def drop(self, message: Any) -> None:
        with self._lock:
            self.taken.pop(message, None)

    def _keep(self) -> None:
        while True:
            time.sleep(RENEW_EVERY)
            try:
                close_old_connections()
                self.look()
            except Exception:
                log.exception("leases of queued tasks could not be renewed; those that end are delivered again")

    def look(self) -> None:
        """Renews what is worked on, and lets go of what nobody works on."""
        renewed: list[Any] = at_work_here()  # also what a pusher had taken that has died since
        released: list[Any] = []
        taken = self.forget_done()
        attempts = attempts_of(taken)
        for message, one in taken.items():
            attempt = attempts.get(str(message))
            if attempt is not None and attempt.count > one.count:
                if attempt.host != socket.gethostname():
                    self.drop(message)  # its lease had ended, and another host has it
            elif time.monotonic() - one.since < HELD_UNBEGUN:
                renewed.append(message)
            else:
                released.append(message)
                self.drop(message)
        if renewed:
            self.renew(renewed)
        if released:
            self.release(released)


def at_work_here() -> list[str]:
    return [attempt.message for attempt in begun_here() if process_exists(attempt.pid, attempt.started_at)]


def free_what_the_dead_had(release: Callable[[list[Any]], None]) -> None:
    """Has tasks of this host whose process is gone delivered again at once, and not when their lease ends."""
    for attempt in [one for one in begun_here() if not process_exists(one.pid, one.started_at)]:
        same = TaskAttempt.objects.filter(pk=attempt.pk, count=attempt.count, ended_at=None)
        if same.update(ended_at=timezone.now()):  # else it was taken up meanwhile
            log.error("%s: its process %s is gone; it is delivered again", attempt, attempt.pid)
            release([attempt.message])
