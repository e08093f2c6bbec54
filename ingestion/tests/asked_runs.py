"""What a press of a button leaves behind: runs that wait, and the messages that tell workers of them."""

from typing import Any

from django_q.models import OrmQ

from ingestion.models import SyncRun


def waiting_runs() -> list[tuple[str, dict[str, Any], str | None]]:
    """Job, options and who asked, of each run that waits."""
    runs = SyncRun.objects.filter(status="queued").order_by("pk").select_related("started_by")
    return [(run.kind.split(" ")[0], run.options, run.started_by.username if run.started_by else None) for run in runs]


def messages_queued() -> list[tuple[str, Any]]:
    return [(row.task["func"], row.task["args"]) for row in OrmQ.objects.order_by("pk")]
