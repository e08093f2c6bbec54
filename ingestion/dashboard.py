"""The figures of the dashboard about the syncs: the last run of each job, and how old the data of each stage is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from catalog.models import Show
from ingestion.models import Stage, SyncFailure, SyncRun, SyncState
from ingestion.runs import STALE_AFTER

PICKED = "sync_selected"  # runs of shows that somebody picked: each selection is a kind of its own
JOB = Case(When(kind__startswith=f"{PICKED} ", then=Value(PICKED)), default=F("kind"))  # ... and all of them one job
# Jobs that bring data from upstream; others (an import, a revert) are no run of a stage.
KINDS = ("sync_shows", "resolve_tmdb_ids", "backfill_tmdb_details", "sync_tmdb_entities", "sync_watch_providers")
RUNS_LOOKED_AT = 200
PART_ONLY = ["show_ids", "tmdb_ids", "imdb_ids", "limit", "retry_of"]  # of a run that did not go for all shows
TONES: Mapping[str, str] = {SyncRun.Status.SUCCEEDED: "good", SyncRun.Status.CANCELLED: "warn"}

STAGE_TITLES = {
    Stage.RESOLVE: "Matches with TMDb",
    Stage.DETAILS: "Details",
    Stage.ENTITIES: "Networks and companies",
    Stage.WATCH_PROVIDERS: "Where to watch",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a run or a stage, and in which colour: good, warn, bad or none."""

    text: str
    tone: str


def verdict_of(run: SyncRun, now: datetime) -> Verdict:
    if run.status == SyncRun.Status.RUNNING:
        if now - run.heartbeat_at > STALE_AFTER:
            return Verdict("no sign of life", "bad")
        return Verdict("running", "") if run.cancel_asked_at is None else Verdict("being cancelled", "warn")
    if run.status == SyncRun.Status.QUEUED:
        return Verdict(run.get_status_display(), "warn" if now - run.started_at > settings.ALERT_QUEUE_WAIT else "")
    return Verdict(run.get_status_display().lower(), TONES.get(run.status, "bad"))


def recent_runs() -> list[Any]:
    """All that the dashboard tells of runs, in one query, the latest first: the newest run of each job, and the newest
    ones over all shows. Each has its `job` and number of `failed` items."""
    newest = SyncRun.objects.order_by().annotate(job=JOB).values("job").annotate(newest=Max("pk")).values("newest")
    over_all = SyncRun.objects.filter(kind__in=KINDS).exclude(options__has_any_keys=PART_ONLY).order_by("-pk")
    failed = SyncFailure.objects.filter(run=OuterRef("pk")).order_by().values("run").annotate(n=Count("pk")).values("n")
    told = Q(pk__in=newest) | Q(pk__in=over_all.values("pk")[:RUNS_LOOKED_AT])
    runs: QuerySet[Any] = SyncRun.objects.filter(told).select_related("started_by")
    return list(runs.annotate(job=JOB, failed=Coalesce(Subquery(failed), 0)).order_by("-pk"))


def last_runs(recent: Sequence[Any]) -> list[Any]:
    """The newest of each job."""
    newest: dict[str, Any] = {}
    for run in recent:
        newest.setdefault(run.job, run)
    return list(newest.values())


def runs_over_all(recent: Sequence[Any]) -> list[Any]:
    """Those that went for all shows; one that waits has not gone for any."""
    jobs = [run for run in recent if run.kind in KINDS and run.status != SyncRun.Status.QUEUED]
    return [run for run in jobs if not set(PART_ONLY) & set(run.options)]


@dataclass(frozen=True, slots=True)
class StageState:
    """How one stage stands over all shows."""

    value: str  # of the stage
    title: str
    verdict: Verdict
    run: SyncRun | None  # the last one over all shows that had this stage
    newest: datetime | None
    oldest: datetime | None
    shows: int
    fresh: int
    failed: int

    @property
    def stale(self) -> int:
        return self.shows - self.fresh

    @property
    def stale_percent(self) -> int:
        """Rounded so that 0 means none and 100 all."""
        if self.stale in (0, self.shows):
            return 100 if self.stale else 0
        return min(99, max(1, round(100 * self.stale / self.shows)))


def stage_states(now: datetime, recent: Sequence[Any]) -> list[StageState]:
    """Each stage in the order of a run. Fresh is a show whose last success is within the stage's age, and stands."""
    runs, states = runs_over_all(recent), states_by_stage(now)
    shows = next(iter(states.values()))["shows"] if states else Show.objects.count()
    return [
        StageState(
            value=stage.value,
            title=STAGE_TITLES[stage],
            verdict=verdict_of_stage(stage, run, now),
            run=run,
            newest=state.get("newest"),
            oldest=state.get("oldest"),
            shows=shows,
            fresh=state.get("fresh", 0),
            failed=state.get("failed", 0),
        )
        for stage in Stage
        for run in (next((run for run in runs if stage in stages_of(run)), None),)
        for state in (states.get(stage, {}),)
    ]


def verdict_of_stage(stage: Stage, run: SyncRun | None, now: datetime) -> Verdict:
    """Bad where its last run went wrong, a warning where that was too long ago."""
    if run is None:
        return Verdict("not run yet", "warn")
    verdict = verdict_of(run, now)
    age = settings.SYNC_MAX_AGE.get(stage)
    if verdict.tone == "good" and age is not None and now - run.started_at > age:
        return Verdict(f"none for {in_words(now - run.started_at)}", "warn")
    return verdict


def in_words(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    number, unit = (hours, "hour") if hours < 48 else (hours // 24, "day")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def stages_of(run: SyncRun) -> list[str]:
    return list(run.options.get("stages", Stage.values))


def states_by_stage(now: datetime) -> dict[str, dict[str, Any]]:
    ok = Q(status=SyncState.Status.OK)
    fresh = Q()
    for stage in Stage:
        age = settings.SYNC_MAX_AGE.get(stage)
        fresh |= Q(stage=stage, last_success_at__gte=now - age) if age is not None else Q(stage=stage)
    living = SyncState.objects.filter(show__deleted_at__isnull=True).order_by()
    shows = Show.objects.order_by().values(one=Value(1)).annotate(n=Count("pk")).values("n")
    rows = living.values("stage").annotate(
        newest=Max("last_success_at"),
        oldest=Min("last_success_at"),
        fresh=Count("pk", filter=ok & fresh),
        failed=Count("pk", filter=Q(status=SyncState.Status.FAILED)),
        shows=Subquery(shows),  # living ones, tried or not
    )
    return {row["stage"]: dict(row) for row in rows}
