"""The syncs on the dashboard: who works, how old the data is, and how the last run of each job went."""

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from catalog.admin import desk
from catalog.admin.text import age
from ingestion import health
from ingestion.admin import run_words as words
from ingestion.dashboard import Verdict, last_runs, recent_runs, stage_states, verdict_of
from ingestion.models import SyncRun, Worker
from ingestion.progress import OPEN
from ingestion.workers import ALIVE
from trr_site.version import code_version

SEE_SYNCS: Final = ("ingestion.view_syncrun", "ingestion.view_syncstate")
SEE_WORKERS: Final = (*SEE_SYNCS, "ingestion.view_worker")  # the panel of runs brings the script of both
TOLD_FOR: Final = timedelta(days=1)  # a worker that gives no sign of life
QUEUE_PATIENCE: Final = 5.0  # seconds


def syncs(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perms(SEE_SYNCS):
        return {}
    now = timezone.now()
    recent = recent_runs()
    rows = [
        {
            "run": run,
            "job": run.job,
            "verdict": verdict_of(run, now),
            "open_mark": words.open_mark(run),
            "progress": words.progress(run),
            "left": words.left(run),
            "took": took(run, now),
            "who": words.who(run),
        }
        for run in last_runs(recent)
    ]
    return {"stages": stage_states(now, recent), "runs": rows}


def took(run: SyncRun, now: datetime) -> str:
    """Nothing for a run that was cut off: nobody knows when."""
    return words.duration(run, now) if run.finished_at or run.status in OPEN else ""


def workers(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perms(SEE_WORKERS):
        return {}
    now, ours = timezone.now(), code_version()
    rows = [
        {
            "worker": one,
            "verdict": verdict_of_worker(one, now),
            "is_other": one.version != ours,
            "runs_for": age(one.started_at, one.beat_at),
            "beat": ago(one.beat_at, now),
            "task": ago(one.task_at, now) if one.task_at else "",
        }
        for one in Worker.objects.filter(beat_at__gt=now - TOLD_FOR)
    ]
    return {
        "workers": rows,
        "is_any_alive": any(row["verdict"] is WORKS for row in rows),
        "has_other_version": any(row["is_other"] for row in rows),
        "version": ours,
    }


def ago(then: datetime, now: datetime) -> str:
    passed = age(then, now)
    return passed if passed == "now" else f"{passed} ago"


WORKS: Final = Verdict("works", "good")


def verdict_of_worker(worker: Worker, now: datetime) -> Verdict:
    if worker.beat_at <= now - ALIVE:
        return Verdict("stopped", "warn") if worker.stopping else Verdict("no sign of life", "bad")
    return Verdict("stopping", "warn") if worker.stopping else WORKS


def queue(request: HttpRequest) -> JsonResponse:
    """How much waits in the queue: a request of its own, so that a queue that is away keeps no page waiting."""
    if not request.user.has_perms(SEE_WORKERS):
        raise PermissionDenied
    look = health.LOOKS["queue"].begin()
    return JsonResponse(health.answer_of(look, time.monotonic() + QUEUE_PATIENCE))


def kinds_of_runs(run_ids: Collection[int]) -> dict[int, str]:
    return dict(SyncRun.objects.filter(pk__in=run_ids).order_by().values_list("pk", "kind"))


def jobs() -> dict[str, Any]:
    """Each job by the first word of its kind: a sync of a selection has the selection's hash behind it."""
    kinds = SyncRun.objects.order_by("kind").values_list("kind", flat=True).distinct()
    names = dict.fromkeys(kind.split(" ")[0] for kind in kinds)
    return {
        name: SyncRun.objects.filter(Q(kind=name) | Q(kind__startswith=f"{name} ")).order_by().values("pk")
        for name in names
    }


desk.run_names.append(kinds_of_runs)
desk.jobs.append(jobs)
desk.sections.append(desk.Section(15, "ingestion/dashboard_workers.html", workers))
desk.sections.append(desk.Section(20, "ingestion/dashboard_syncs.html", syncs))
