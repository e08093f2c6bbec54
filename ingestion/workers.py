"""Which workers there are, by the rows into which they beat their hearts."""

import os
import secrets
import socket
from datetime import datetime, timedelta

from django.utils import timezone

from ingestion.models import Worker
from trr_site.processes import here

ALIVE = timedelta(seconds=60)  # since the last beat
STOPPING = "its worker is being stopped: another goes on"
VARIABLE = "TRR_WORKER"  # names the worker to the processes of its cluster


def enlist() -> Worker:
    """The row of this process, the launcher of a cluster; its children know it by the environment."""
    name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
    worker = Worker.objects.create(id=name, **here())
    os.environ[VARIABLE] = name
    return worker


def beat(worker: Worker) -> None:
    worker.beat_at = timezone.now()
    if not Worker.objects.filter(pk=worker.pk).update(beat_at=worker.beat_at):
        worker.save(force_insert=True)  # a restored or pruned database


def say_stopping(worker: Worker) -> None:
    Worker.objects.filter(pk=worker.pk).update(stopping=True)


def leave(worker: Worker, note: str = "") -> None:
    """Takes the row away when the worker ends as it should; with a note it stays, for people to read."""
    if note:
        Worker.objects.filter(pk=worker.pk).update(stopping=True, note=note)
    else:
        Worker.objects.filter(pk=worker.pk).delete()


def worker_is_stopping() -> bool:
    """Whether the worker whose cluster this process belongs to has been told to stop."""
    name = os.environ.get(VARIABLE)
    return bool(name) and Worker.objects.filter(pk=name, stopping=True).exists()


def note_task_began() -> None:
    if name := os.environ.get(VARIABLE):
        Worker.objects.filter(pk=name).update(task_at=timezone.now())


def alive_workers(now: datetime | None = None) -> list[Worker]:
    """Those that have beaten lately; one whose beat lies ahead has died before a clock was set back."""
    now = now or timezone.now()
    return list(Worker.objects.filter(beat_at__range=(now - ALIVE, now + ALIVE), stopping=False))
