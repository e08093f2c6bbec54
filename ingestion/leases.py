"""Delivered at least once, and soon: messages of the queue are leased by the cluster that took them.

django-q2 alone takes a message for the time of its longest task, or with Redis for good, so what a killed worker had is
done hours later or never. Here a message is taken for a minute, and the cluster that has it renews that as
long as somebody works on it. When a worker is killed its message is free at once, when a host is lost
after a minute. How often a task was begun is counted before it is (ingestion.attempts), so one that
kills its workers is given up and shown as failed.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from ingestion.attempts import MAX_ATTEMPTS, attempts_of, forget, give_up
from ingestion.runs import process_exists

log = logging.getLogger(__name__)

LEASE = 60.0  # seconds
RENEW_EVERY = 5.0
HELD_UNBEGUN = 120.0  # seconds that a message may wait inside a cluster: one that hangs must not keep it


@dataclass(slots=True)
class Taken:
    at: datetime
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

    def take(self, message: Any) -> None:
        with self._lock:
            self.taken[message] = Taken(timezone.now(), time.monotonic())
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
            ended = attempt is not None and attempt.ended_at is not None and attempt.started_at >= one.at
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
        """Renews what is worked on, lets go of what nobody works on."""
        taken = self.forget_done()
        attempts = attempts_of(taken)
        renewed: list[Any] = []
        released: list[Any] = []
        for message, one in taken.items():
            attempt = attempts.get(str(message))
            if attempt is None or attempt.started_at < one.at:  # not begun yet
                lives = time.monotonic() - one.since < HELD_UNBEGUN
            else:
                lives = attempt.ended_at is not None or process_exists(attempt.pid)
                if not lives:
                    log.error("%s: its process %s is gone; it is delivered again", attempt, attempt.pid)
            (renewed if lives else released).append(message)
        for message in released:
            self.drop(message)
        if renewed:
            self.renew(renewed)
        if released:
            self.release(released)


def refused(messages: Iterable[tuple[Any, Any]], delete: Callable[[Any], None]) -> list[tuple[Any, Any]]:
    """The messages (id, package) that may be begun; one that was begun too often is given up and shown as failed."""
    messages = list(messages)
    try:
        attempts = attempts_of(message for message, _ in messages)
    except DatabaseError:
        return messages
    good = []
    for message, package in messages:
        attempt = attempts.get(str(message))
        if attempt is not None and attempt.count >= MAX_ATTEMPTS:
            give_up(attempt, package)
            delete(message)
            forget(message)
        else:
            good.append((message, package))
    return good
