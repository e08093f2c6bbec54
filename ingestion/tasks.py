"""The worker's doors: each takes plain values and makes one call.

All of them may be called twice at once: a message is delivered at least once. A run of a kind that is going on
is no error of a task: the queue would try again and again.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth import get_user_model

from ingestion import prune_logos as logos
from ingestion import retention, shared_runs
from ingestion.models import Stage
from ingestion.options import Options
from ingestion.runs import AlreadyRunning


def work_on(run_id: int) -> dict[str, Any]:
    """Takes part in a run that workers share, for a while."""
    return shared_runs.work_on(run_id)


def sync_shows(show_ids: Sequence[str] = (), user_id: int | None = None) -> dict[str, Any]:
    """Syncs the named shows whatever their age, or all that are due."""
    user = get_user_model().objects.filter(pk=user_id).first() if user_id else None
    options, kind = shared_runs.options_of(show_ids), shared_runs.kind_of(show_ids)
    return unless_running(lambda: shared_runs.work_on(shared_runs.start_shared(options, kind, user).id))


def sync_watch_providers() -> dict[str, Any]:
    return sync_stage("sync_watch_providers", Stage.WATCH_PROVIDERS)


def sync_tmdb_entities() -> dict[str, Any]:
    """Networks and companies that are due, and every logo that is not mirrored yet."""
    return sync_stage("sync_tmdb_entities", Stage.ENTITIES)


def sync_stage(kind: str, stage: Stage) -> dict[str, Any]:
    options = Options(stages=frozenset({stage}))
    return unless_running(lambda: shared_runs.work_on(shared_runs.start_shared(options, kind).id))


def prune_logos() -> dict[str, Any]:
    """Deletes the stored logos that no row names."""
    return unless_running(lambda: logos.prune_logos(delete=True).as_json())


def prune_history() -> dict[str, Any]:
    """Drops what is no longer kept: changes, runs, done tasks, raw replies."""
    return unless_running(lambda: retention.prune_history().as_json())


def unless_running(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except AlreadyRunning as error:
        return {"error": str(error), "exit_code": 3}
