"""The page of a run: how it goes, what it could not do and why, who works on it, and what can be done about it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from catalog.models import Change
from ingestion.admin import run_words as words
from ingestion.chunks import PLAN
from ingestion.dashboard import verdict_of
from ingestion.models import SyncChunk, SyncFailure, SyncRun
from ingestion.progress import OPEN, figures_of
from ingestion.retries import retry_problem
from ingestion.runs import close_if_dead

VIEW, CANCEL = "ingestion.view_syncrun", "ingestion.cancel_syncrun"
SYNC, REVERT = "catalog.sync_show", "catalog.revert_run"
REASONS_TOLD = 20
CHUNKS_TOLD = 100
LONGEST_NUMBER = 18  # digits
CHUNK_TONES = {"done": "good", "failed": "bad"}


def number_in(text: str) -> int | None:
    """The number of a row that an address names; None when it can be none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def run_of(text: str) -> SyncRun | None:
    runs = SyncRun.objects.select_related("started_by", "cancel_asked_by", "retry_of")
    number = number_in(text)
    return None if number is None else runs.filter(pk=number).first()


def page_context(request: HttpRequest, run: SyncRun) -> dict[str, Any]:
    now = timezone.now()
    retries = list(run.retries.order_by("pk"))
    return {
        "run": run,
        "open_mark": words.open_mark(run),
        "is_open": run.status in OPEN,
        "is_queued": run.status == SyncRun.Status.QUEUED,
        "verdict": verdict_of(run, now),
        "job": words.job(run),
        "who": words.who(run),
        "asked": words.asked(run),
        "took": words.duration(run, now),
        "progress": words.progress(run),
        "left": words.left(run),
        "figures": words.figures(run),
        "failed": figures_of(run)["failed"],
        "reasons": reasons_of(run),
        "listed": listed(request, run),
        "chunks": chunks_of(run) if run.shared else [],
        "retries": retries,
        "links": links(request, run.pk),
        "may_cancel": run.status in OPEN and run.cancel_asked_at is None and request.user.has_perm(CANCEL),
        "may_retry": may_retry(request, run, retries),
    }


def may_retry(request: HttpRequest, run: SyncRun, retries: list[SyncRun]) -> bool:
    """Whether the button makes sense: not while another press is being seen to."""
    is_going_on = any(again.status in OPEN for again in retries)
    return not is_going_on and request.user.has_perm(SYNC) and not retry_problem(run)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why so many things failed; `example` is one of these failures."""

    text: str
    count: int
    example: int


def reasons_of(run: SyncRun) -> list[Reason]:
    """The most frequent first."""
    rows = run.failures.order_by().values("reason").annotate(count=Count("pk"), example=Min("pk"))
    return [
        Reason(row["reason"], row["count"], row["example"]) for row in rows.order_by("-count", "example")[:REASONS_TOLD]
    ]


def alike(request: HttpRequest, failures: QuerySet[SyncFailure]) -> QuerySet[SyncFailure]:
    """Of the failures those with the reason that was asked for, by one of them (`?like=`); all where none was."""
    like = number_in(request.GET.get("like", ""))
    if like is None:
        return failures
    return failures.filter(reason__in=SyncFailure.objects.filter(pk=like).values("reason"))


def listed(request: HttpRequest, run: SyncRun) -> str:
    """The reason whose failures alone are listed; empty when all are."""
    like = number_in(request.GET.get("like", ""))
    reasons = run.failures.filter(pk=like).values_list("reason", flat=True) if like is not None else ()
    return next(iter(reasons), "")


def chunks_of(run: SyncRun) -> list[dict[str, Any]]:
    """The parts of a run that workers share: those at work first."""
    rows = run.chunks.defer("work", "held", "seen", "blanked").order_by("number")
    chunks = sorted(rows, key=lambda chunk: chunk.status != SyncChunk.Status.RUNNING)
    return [
        {
            "chunk": chunk,
            "name": "choice of the shows, and logos" if chunk.number == PLAN else chunk.number,
            "tone": CHUNK_TONES.get(chunk.status, ""),
            "figures": words.figures(chunk),
        }
        for chunk in chunks[:CHUNKS_TOLD]
    ]


def links(request: HttpRequest, run_id: int) -> list[dict[str, str]]:
    """Where a run's page leads: to the changes it made, and to their revert for those who may."""
    changes = Change.objects.filter(run_id=run_id).count()
    if not changes:
        return []
    history = reverse("admin:catalog_change_changelist")
    found = [{"label": f"Changes of this run ({changes:,})", "url": f"{history}?run_id={run_id}"}]
    if request.user.has_perm(REVERT) and not still_runs(run_id):
        found.append({"label": "Revert this run", "url": reverse("admin:catalog_run_revert", args=(run_id,))})
    return found


def still_runs(run_id: int) -> bool:
    run = SyncRun.objects.filter(pk=run_id, status__in=OPEN).first()
    return run is not None and not (run.status == SyncRun.Status.RUNNING and close_if_dead(run))
