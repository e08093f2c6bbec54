"""How old what we hold is: in words, when the next sync takes it up, and as conditions on shows."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.timesince import timesince

from catalog.models import Show
from ingestion.models import Stage, SyncState
from ingestion.options import Options
from ingestion.selection import (
    RETURNING,
    UNRESOLVED_RETRY,
    DueRule,
    ShowFacts,
    StateFacts,
    lost_retry,
    max_age,
)

Status = SyncState.Status
STAGE_LABELS: Mapping[str, str] = {
    Stage.RESOLVE: "Ids",
    Stage.DETAILS: "Details",
    Stage.ENTITIES: "Networks and companies",
    Stage.WATCH_PROVIDERS: "Where to watch",
}
NEXT_RUN = "at the next sync"


def age(moment: datetime | None, now: datetime | None = None) -> str:
    """`3 days`, `2 hours`: the largest unit alone; "never" for None."""
    if moment is None:
        return "never"
    now = now or timezone.now()
    if now - moment < timedelta(minutes=1):
        return "just now"
    return timesince(moment, now, depth=1).replace("\xa0", " ")


def next_due(show: Show, stage: str, states: Mapping[str, SyncState], now: datetime) -> str:
    """When a sync takes this stage of a show up, in words; by the rules that choose the shows of a run."""
    facts = ShowFacts(
        show.pk, show.tmdb_id, show.imdb_id, show.tmdb_status, show.needs_tmdb_resolution, show.locked_fields
    )
    told = {name: facts_of(state) for name, state in states.items()}
    due, _ = DueRule(Options(), now).due(facts, told)
    if stage in due:
        return NEXT_RUN
    if show.tmdb_id is None:
        findable = show.imdb_id is not None and not show.is_locked("tmdb_id")
        state = states.get(Stage.RESOLVE)
        return when(state.attempted_at + UNRESOLVED_RETRY, now) if findable and state else "when it has a TMDb id"
    lost = [state for state in told.values() if state.status in (Status.GONE, Status.UNRESOLVED)]
    if lost and show.needs_tmdb_resolution:
        last = max(lost, key=lambda state: (state.attempted_at, state.attempts))
        return when(last.attempted_at + lost_retry(last), now)
    state = states.get(stage)
    if stage == Stage.RESOLVE or state is None or state.last_success_at is None:
        return "not needed: both ids are there, or decided"
    return when(state.last_success_at + max_age(Stage(stage), show.tmdb_status), now)


def facts_of(state: SyncState) -> StateFacts:
    return StateFacts(state.status, state.attempted_at, state.last_success_at, state.attempts, state.asked_for)


def when(moment: datetime, now: datetime) -> str:
    return f"in {age(now, moment)}" if moment - now >= timedelta(minutes=1) else NEXT_RUN


# --- conditions on shows


def with_details_age(shows: QuerySet[Show]) -> QuerySet[Show]:
    """The shows with `details_synced_at`, when their details last came from TMDb."""
    synced = SyncState.objects.filter(show=OuterRef("pk"), stage=Stage.DETAILS).order_by()
    return shows.annotate(details_synced_at=Subquery(synced.values("last_success_at")[:1]))


def of_freshness(shows: QuerySet[Show], answer: str) -> QuerySet[Show]:
    """Those of the shows that are stale, never, failed or fresh; all of them for any other answer."""
    if answer == "never":
        return shows.filter(~some_state(stage=Stage.DETAILS, last_success_at__isnull=False))
    if answer == "failed":
        return shows.filter(some_state(status=Status.FAILED))
    if answer == "stale":
        return shows.filter(Exists(too_old()))
    if answer == "fresh":
        succeeded = some_state(stage=Stage.DETAILS, last_success_at__isnull=False)
        return shows.filter(succeeded, ~some_state(status=Status.FAILED), ~Exists(too_old()))
    return shows


def some_state(**conditions: object) -> Exists:
    return Exists(SyncState.objects.filter(show=OuterRef("pk"), **conditions).order_by())


def too_old() -> QuerySet[SyncState]:
    """States of the outer show that are past their age, or that TMDb has named as changed."""
    now = timezone.now()
    old = Q(status=Status.STALE)
    for stage, most in settings.SYNC_MAX_AGE.items():
        old |= Q(stage=stage, last_success_at__lt=now - most)
    returning = now - min(settings.SYNC_MAX_AGE[Stage.DETAILS], settings.SYNC_MAX_AGE_RETURNING)
    old |= Q(stage=Stage.DETAILS, last_success_at__lt=returning, show__tmdb_status=RETURNING)
    return SyncState.objects.filter(old, show=OuterRef("pk")).order_by()
