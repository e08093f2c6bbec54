"""The syncs on the dashboard: how old the data is, and how the last run of each job went."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from catalog.admin import desk
from ingestion.dashboard import last_runs, stage_states, verdict_of
from ingestion.models import SyncRun


def syncs(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perms(("ingestion.view_syncrun", "ingestion.view_syncstate")):
        return {}
    now = timezone.now()
    rows = [
        {"run": run, "job": run.job, "verdict": verdict_of(run, now), "took": took(run.finished_at, run.started_at)}
        for run in last_runs()
    ]
    return {"stages": stage_states(now), "runs": rows}


def took(finished_at: Any, started_at: Any) -> str:
    """Like 1:02:03; nothing for a run that has not ended."""
    if finished_at is None:
        return ""
    return str(max(timedelta(), timedelta(seconds=round((finished_at - started_at).total_seconds()))))


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
desk.sections.append(desk.Section(20, "ingestion/dashboard_syncs.html", syncs))
