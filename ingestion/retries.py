"""Which runs can be retried: those of syncs that have ended and failed at something that a sync can try again."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from ingestion.dashboard import KINDS, PICKED
from ingestion.models import SyncFailure, SyncRun
from ingestion.progress import OPEN

Status = SyncRun.Status


def retry_problem(run: SyncRun) -> str:
    """Why what a run failed at can't be tried again; empty when it can."""
    if run.kind not in KINDS and not run.kind.startswith(f"{PICKED} "):
        return f"run {run.pk} is one of {run.kind}: only what a sync failed at can be tried again"
    if run.status in OPEN:
        return f"run {run.pk} has not ended yet"
    if not with_failures().filter(pk=run.pk).exists():
        return f"run {run.pk} failed at no show that is still there, and at no logo"
    return ""


def with_failures() -> QuerySet[SyncRun]:
    """Ended runs that failed at shows that are still there, or at logos: these have no show."""
    at_shows = SyncFailure.objects.filter(run=OuterRef("pk"), show__deleted_at=None, show__isnull=False)
    ended = SyncRun.objects.exclude(status__in=OPEN)
    return ended.filter(Exists(at_shows) | Q(**{"counts__logos failed__gt": 0}))


def last_to_retry(kind: str) -> SyncRun | None:
    """The last run of a kind with failures, or the retry of it that has left some; None when one has left none."""
    run = with_failures().filter(kind=kind).order_by("-pk").first()
    while run is not None:
        again = run.retries.filter(status__in=(Status.SUCCEEDED, Status.FAILED)).order_by("-pk").first()
        if again is None:
            return run  # or those retries were cut off
        run = again if not retry_problem(again) else None
    return None
