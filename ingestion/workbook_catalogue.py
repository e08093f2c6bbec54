"""What the catalogue holds about rows of ShowInfo, in a constant number of queries."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db.models import Q

from catalog.changes import entity_label
from catalog.models import Network, Show, ShowNetwork
from catalog.search import name_key
from ingestion.links import links_by_show
from ingestion.models import Stage, SyncState
from ingestion.workbook_decisions import Decisions, read_decisions
from ingestion.workbook_shows import TOTALS, SheetShow

AIR_DATE: Final = "most_recent_episode_air_date"
NOTHING_TOLD: Final = (SyncState.Status.FAILED, SyncState.Status.GONE, SyncState.Status.UNRESOLVED)
READ: Final = (  # raw replies are large: not these
    *("name", "tmdb_name", "imdb_title", "name_key", "alias_keys"),
    *("tmdb_id", "imdb_id", "needs_tmdb_resolution", "needs_imdb_resolution", "tmdb_fetched_at", "imdb_fetched_at"),
    *(*TOTALS, AIR_DATE, "override", "locked_fields", "upstream_values", "deleted_at"),
)


@dataclass(frozen=True, slots=True)
class Networks:
    """ids: the networks of a name, by its search key; for a merged one stands what it was merged into.

    labels: how changes call each.
    """

    ids: Mapping[str, frozenset[int]] = field(default_factory=dict)
    labels: Mapping[int, str] = field(default_factory=dict)

    def named(self, name: str) -> frozenset[int]:
        return self.ids.get(name_key(name), frozenset()) if name else frozenset()


class Waits(StrEnum):
    """What has to come before it can be told what of a row is TMDb's."""

    NOTHING = ""
    SYNC = "sync"
    EDITOR = "editor"  # TMDb does not know the show by its ids
    UPSTREAM = "upstream"  # TMDb was asked, and the show failed


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is about a chunk of rows: all shows with one of their ids, the trash too.

    links: a show's networks in order. asked: shows whose networks TMDb has told. tried: how the last try to ask TMDb
    for a show has ended, where it brought nothing.
    """

    shows: Sequence[Show] = ()
    networks: Networks = field(default_factory=Networks)
    links: Mapping[UUID, Sequence[ShowNetwork]] = field(default_factory=dict)
    asked: Collection[UUID] = frozenset()
    tried: Mapping[UUID, SyncState.Status] = field(default_factory=dict)
    decisions: Decisions = field(default_factory=Decisions)

    def waits(self, show: Show) -> Waits:
        tried = self.tried.get(show.pk)
        if show.tmdb_fetched_at is not None or (show.tmdb_id is None and show.is_locked("tmdb_id")):
            return Waits.NOTHING  # told, or decided: TMDb does not have it
        if tried == SyncState.Status.FAILED:
            return Waits.UPSTREAM
        # An editor who gives it another id takes the mark away.
        return Waits.EDITOR if tried is not None and show.needs_tmdb_resolution else Waits.SYNC


def read_networks() -> Networks:
    rows = list(Network.objects.order_by("pk").values_list("pk", "name", "merged_into_id"))
    merged = {pk: target for pk, _, target in rows if target is not None}
    found: dict[str, set[int]] = defaultdict(set)
    for pk, name, _ in rows:
        found[name_key(name)].add(merged.get(pk, pk))
    return Networks(
        {key: frozenset(ids) for key, ids in found.items()}, {pk: entity_label(name, pk) for pk, name, _ in rows}
    )


def read_catalogue(rows: Iterable[SheetShow], networks: Networks, *, lock: bool) -> Catalogue:
    """With `lock` the shows are locked against an editor's save until the end of the transaction."""
    ids = [one for row in rows for one in row.ids]
    wanted = Q(imdb_id__in=[i for i in ids if isinstance(i, str)]) | Q(
        tmdb_id__in=[i for i in ids if isinstance(i, int)]
    )
    query = Show.all_objects.filter(wanted).only(*READ).order_by("pk")
    shows = list(query.select_for_update() if lock else query)
    pks = [show.pk for show in shows]
    known = {one for show in shows for one in (show.imdb_id, show.tmdb_id)}
    asked, tried = read_states(pks)
    return Catalogue(
        shows,
        networks,
        links_by_show(ShowNetwork, "network", pks),
        asked,
        tried,
        read_decisions(shows, {one for one in ids if one not in known}),
    )


def read_states(pks: Collection[UUID]) -> tuple[set[UUID], dict[UUID, SyncState.Status]]:
    """The shows whose networks TMDb has told, and how those ended of which it has told nothing at the last try."""
    states = SyncState.objects.filter(show_id__in=pks).exclude(stage=Stage.WATCH_PROVIDERS).order_by("attempted_at")
    asked: set[UUID] = set()
    tried: dict[UUID, SyncState.Status] = {}
    for show_id, stage, status, told_at in states.values_list("show_id", "stage", "status", "last_success_at"):
        if stage == Stage.ENTITIES and told_at is not None:
            asked.add(show_id)
        if status in NOTHING_TOLD:
            tried[show_id] = SyncState.Status(status)
    return asked, tried
