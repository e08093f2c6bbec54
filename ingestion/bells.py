"""The messages that tell workers of shared runs that there is work; what the work is stands in the rows."""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_q.tasks import async_task

from ingestion.models import SyncRun
from ingestion.progress import OPEN

TASK: Final = "ingestion.tasks.work_on"
RING_AGAIN = timedelta(seconds=20)  # without a sign of life of a run


def ring(run_id: int, times: int = 1) -> None:
    def tell() -> None:
        async_task(TASK, run_id, group=f"run {run_id}")

    for _ in range(times):
        # A queue that is out of reach costs nobody his work: `ring_again` rings when it is back.
        transaction.on_commit(tell, robust=True)


def ring_again() -> int:
    """Rings for runs that give no sign of life: their message was lost, or their worker; how many."""
    now = timezone.now()
    silent = Q(heartbeat_at__lt=now - RING_AGAIN) | Q(heartbeat_at__gt=now + RING_AGAIN)
    waiting = SyncRun.objects.filter(silent, shared=True, status__in=OPEN)
    run_ids = list(waiting.values_list("pk", flat=True))
    for run_id in run_ids:
        ring(run_id)
    return len(run_ids)
