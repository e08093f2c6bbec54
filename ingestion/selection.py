"""Which shows a run takes, and which of their stages are due: the longest untried first."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from catalog.models import Show, ShowNetwork
from ingestion.matching import Known
from ingestion.models import Stage, SyncFailure, SyncRun, SyncState
from ingestion.options import Options

Status = SyncState.Status
RETURNING = "Returning Series"
UNRESOLVED_RETRY = timedelta(days=7)
# Tries after which a show that is gone upstream is looked for again: at the next run, then more and more rarely.
GONE_RETRY = (timedelta(0), *settings.SYNC_GONE_RETRY)
JOBS_AT_ONCE = 100
CONTINUES = "continues the run of"  # in a run's options


@dataclass(frozen=True, slots=True)
class StateFacts:
    status: str
    attempted_at: datetime
    last_success_at: datetime | None
    attempts: int
    asked_for: str


@dataclass(frozen=True, slots=True)
class ShowFacts:
    id: UUID
    tmdb_id: int | None
    imdb_id: str | None
    tmdb_status: str | None
    needs_tmdb_resolution: bool
    locked: Collection[str]


@dataclass(frozen=True, slots=True)
class Due:
    """A show and the stages to be done for it. find: look its TMDb id up by its IMDb id first."""

    show_id: UUID
    stages: frozenset[Stage]
    find: bool
    order: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs to know of a show; it asks the database nothing."""

    show_id: UUID
    known: Known
    tmdb_id: int | None
    imdb_id: str | None
    stages: frozenset[Stage]
    find: bool


@dataclass(frozen=True, slots=True)
class DueRule:
    """changed: TMDb ids that changed upstream, where their states could not be marked (a dry run).

    continued: start of the cut-off run that is taken up; what succeeded since then is done.
    """

    options: Options
    now: datetime
    changed: frozenset[int] = frozenset()
    continued: datetime | None = None

    def due(self, show: ShowFacts, states: Mapping[str, StateFacts]) -> tuple[frozenset[Stage], bool]:
        """The stages that are due, and whether the show's TMDb id has to be found first."""
        findable = show.imdb_id is not None and "tmdb_id" not in show.locked
        if show.tmdb_id is None:
            if (
                findable
                and Stage.RESOLVE in self.options.stages
                and self._unresolved_is_due(show, states.get(Stage.RESOLVE))
            ):
                return self.options.stages, True
            return frozenset(), False
        lost = [state for state in states.values() if state.status in (Status.GONE, Status.UNRESOLVED)]
        if lost and show.needs_tmdb_resolution:
            # Not by its old id, while that is gone: once /find was in doubt too, that is for an editor.
            last = max(lost, key=lambda state: (state.attempted_at, state.attempts))
            waited = self.now - last.attempted_at >= lost_retry(last)
            if self.options.force or waited or last.asked_for != (show.imdb_id or ""):
                return self.options.stages, findable and Stage.RESOLVE in self.options.stages
            return frozenset(), False
        return frozenset(stage for stage in self.options.stages if self._is_due(stage, show, states.get(stage))), False

    def _unresolved_is_due(self, show: ShowFacts, state: StateFacts | None) -> bool:
        if state is None or state.status != Status.UNRESOLVED:
            return state is None or self._may_retry(state)
        if self.options.takes_all or state.asked_for != show.imdb_id:
            return True
        return self.now - state.attempted_at >= UNRESOLVED_RETRY

    def _is_due(self, stage: Stage, show: ShowFacts, state: StateFacts | None) -> bool:
        if stage == Stage.RESOLVE and (show.imdb_id is not None or "imdb_id" in show.locked):
            return False  # both ids are there, or somebody decided that there is none
        if state is None:
            return True
        if self.options.takes_all:
            done = state.status == Status.OK and state.last_success_at is not None
            return not (self.continued and done and state.last_success_at >= self.continued)  # type: ignore[operator]
        if state.status == Status.FAILED:
            return self._may_retry(state)
        if state.status != Status.OK or state.last_success_at is None or state.asked_for != str(show.tmdb_id):
            return True  # the last one: an editor has corrected the match
        if stage != Stage.WATCH_PROVIDERS and show.tmdb_id in self.changed:
            return True
        return self.now - state.last_success_at > max_age(stage, show.tmdb_status)

    def _may_retry(self, state: StateFacts) -> bool:
        return self.options.resume is not False or self.options.takes_all


def lost_retry(state: StateFacts) -> timedelta:
    """How long to wait before a show with a TMDb id that is no longer there is looked for again."""
    if state.status == Status.UNRESOLVED:
        return UNRESOLVED_RETRY
    return GONE_RETRY[min(state.attempts, len(GONE_RETRY)) - 1]


def max_age(stage: Stage, tmdb_status: str | None) -> timedelta:
    if stage == Stage.RESOLVE:
        return UNRESOLVED_RETRY
    age: timedelta = settings.SYNC_MAX_AGE[stage]
    if stage == Stage.DETAILS and tmdb_status == RETURNING:
        return min(age, settings.SYNC_MAX_AGE_RETURNING)
    return age


def selected_shows(options: Options) -> QuerySet[Show]:
    shows: QuerySet[Show] = Show.objects.all()
    if not options.is_selection:
        return shows
    named = Q(pk__in=options.show_ids) | Q(tmdb_id__in=options.tmdb_ids) | Q(imdb_id__in=options.imdb_ids)
    if options.retry_of is not None:
        named |= Q(pk__in=SyncFailure.objects.filter(run=options.retry_of, show__isnull=False).values("show"))
    return shows.filter(named)


def unknown_ids(options: Options) -> list[str]:
    """Those of the named ids that no show has, as the operator wrote them."""
    shows = selected_shows(options)
    known = {str(value) for row in shows.values_list("pk", "tmdb_id", "imdb_id") for value in row}
    named = [*map(str, options.show_ids), *map(str, options.tmdb_ids), *options.imdb_ids]
    return [name for name in named if name not in known]


def select_due(rule: DueRule) -> list[Due]:
    """The shows to take, in order, cut at the limit."""
    states: dict[UUID, dict[str, StateFacts]] = defaultdict(dict)
    shows = selected_shows(rule.options)
    rows = SyncState.objects.order_by()
    if rule.options.is_selection:
        rows = rows.filter(show__in=shows)
    for row in rows.values_list(
        "show_id", "stage", "status", "attempted_at", "last_success_at", "attempts", "asked_for"
    ).iterator():
        states[row[0]][row[1]] = StateFacts(*row[2:])
    due: list[Due] = []
    columns = ("pk", "tmdb_id", "imdb_id", "tmdb_status", "needs_tmdb_resolution", "locked_fields")
    for *facts, created_at in shows.order_by().values_list(*columns, "created_at").iterator():
        show = ShowFacts(*facts)
        stages, find = rule.due(show, states[show.id])
        if stages:
            due.append(Due(show.id, stages, find, order_of(show.id, created_at, stages, states[show.id])))
    due.sort(key=lambda one: one.order)
    return due[: rule.options.limit]


def order_of(
    show_id: UUID, created_at: datetime, stages: frozenset[Stage], states: Mapping[str, StateFacts]
) -> tuple[Any, ...]:
    """Never tried first, then by the oldest try (not success: a show that always fails must not block the rest)."""
    tried = [states[stage].attempted_at for stage in stages if stage in states]
    never = not tried
    return (not never, min(tried, default=created_at), created_at, show_id.int)


def jobs(due: Sequence[Due]) -> Iterator[Job]:
    """The jobs of the due shows, read a hundred at a time."""
    for start in range(0, len(due), JOBS_AT_ONCE):
        part = due[start : start + JOBS_AT_ONCE]
        ids = [one.show_id for one in part]
        networks: dict[UUID, set[str]] = defaultdict(set)
        if any(one.find for one in part):
            for show_id, name in ShowNetwork.objects.filter(show_id__in=ids).values_list("show_id", "network__name"):
                networks[show_id].add(name)
        shows = Show.objects.filter(pk__in=ids).values_list("pk", "name", "premiere_date", "tmdb_id", "imdb_id")
        rows = {row[0]: row for row in shows.order_by()}
        for one in part:
            if one.show_id not in rows:
                continue  # deleted since
            _, name, premiere, tmdb_id, imdb_id = rows[one.show_id]
            known = Known(name, premiere.year if premiere else None, frozenset(networks[one.show_id]))
            yield Job(one.show_id, known, tmdb_id, imdb_id, one.stages, one.find)


def cut_off_since(kind: str) -> datetime | None:
    """The start of the last run of a kind, if it failed or was cut off; or of the one it went on with."""
    last = SyncRun.objects.filter(kind=kind).exclude(status=SyncRun.Status.RUNNING).first()
    if last is None or last.status == SyncRun.Status.SUCCEEDED:
        return None
    since = last.options.get(CONTINUES)
    return datetime.fromisoformat(since) if since else last.started_at
