"""How often each queued task was begun: counted before the work, so that one that kills its worker is counted too."""

import logging
import os
import socket
from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError
from django.db.models import F, QuerySet
from django.utils import timezone
from django_q.models import Task
from django_q.signing import SignedPackage

from ingestion.models import TaskAttempt
from ingestion.workers import note_task_began

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3  # as Q_CLUSTER's, which counts those that came to an end


def on_begin(task: dict[str, Any], **kwargs: Any) -> None:
    """In the worker, before a task. Raises nothing: that would end the worker."""
    if (message := task.get("ack_id")) is None:
        return
    where = {"host": socket.gethostname(), "pid": os.getpid(), "started_at": timezone.now(), "ended_at": None}
    try:
        note_task_began()
        if not TaskAttempt.objects.filter(pk=str(message)).update(count=F("count") + 1, **where):
            func = task["func"]
            name = func if isinstance(func, str) else getattr(func, "__qualname__", "a function")
            TaskAttempt.objects.create(message=str(message), func=name, count=1, **where)
    except DatabaseError:
        log.warning("the attempt at task %s could not be counted", task["id"], exc_info=True)


def on_end(task: dict[str, Any], **kwargs: Any) -> None:
    """In the worker, after a task that came to its end, well or not."""
    if (message := task.get("ack_id")) is None:
        return
    try:
        TaskAttempt.objects.filter(pk=str(message)).update(ended_at=timezone.now())
    except DatabaseError:
        log.warning("the end of task %s could not be noted: it may be done again", task["id"], exc_info=True)


def attempts_of(messages: Iterable[Any]) -> dict[str, TaskAttempt]:
    return TaskAttempt.objects.in_bulk([str(message) for message in messages])


def begun_here() -> QuerySet[TaskAttempt]:
    """Those at which processes of this host are, or were until they died."""
    return TaskAttempt.objects.filter(host=socket.gethostname(), ended_at=None)


def forget(message: Any) -> None:
    TaskAttempt.objects.filter(pk=str(message)).delete()


def give_up(attempt: TaskAttempt, package: Any) -> None:
    """Leaves a task that no worker survived among the failed ones, from where people can have it done again."""
    try:
        task = SignedPackage.loads(package)
    except Exception:  # another key signed it, or another version of the code
        log.exception("task %s is given up and can't be read", attempt.message)
        return
    ended = f"given up: begun {attempt.count} times, and none came to its end. Was its worker killed, or out of memory?"
    log.error("task %s (%s) is %s", task["name"], attempt.func, ended)
    Task.objects.get_or_create(
        id=task["id"],
        defaults={
            "name": task["name"],
            "func": attempt.func,
            "args": task["args"],
            "kwargs": task["kwargs"],
            "group": task.get("group"),
            "started": task["started"],
            "stopped": timezone.now(),
            "result": ended,
            "success": False,
            "attempt_count": attempt.count,
        },
    )
