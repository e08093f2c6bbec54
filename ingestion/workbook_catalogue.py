"""What the catalogue holds about rows of ShowInfo, in a constant number of queries."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db.models import Q

from catalog.changes import entity_label
from catalog.models import Change, Network, Show, ShowNetwork
from catalog.search import name_key
from ingestion.links import links_by_show
from ingestion.models import Stage, SyncRun, SyncState
from ingestion.workbook_shows import TOTALS, SheetShow

KIND: Final = "import_workbook"  # of a run
AIR_DATE: Final = "most_recent_episode_air_date"
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


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is about a chunk of rows: all shows with one of their ids, the trash too.

    links: a show's networks in order. asked: shows whose networks TMDb has told. imported: shows whose name was locked
    by an import of the workbook, and is TMDb's.
    """

    shows: Sequence[Show] = ()
    networks: Networks = field(default_factory=Networks)
    links: Mapping[UUID, Sequence[ShowNetwork]] = field(default_factory=dict)
    asked: Collection[UUID] = frozenset()
    imported: Collection[UUID] = frozenset()


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
    told = SyncState.objects.filter(show_id__in=pks, stage=Stage.ENTITIES, last_success_at__isnull=False)
    return Catalogue(
        shows,
        networks,
        links_by_show(ShowNetwork, "network", pks),
        frozenset(told.order_by().values_list("show_id", flat=True)),
        imported_names(shows),
    )


def imported_names(shows: Iterable[Show]) -> frozenset[UUID]:
    """The shows whose name is locked, though it is TMDb's, and whose lock an import of the workbook has set."""
    names = {show.pk for show in shows if show.is_locked("name") and show.upstream_values.get("name") == show.name}
    if not names:
        return frozenset()
    last: dict[UUID, int | None] = {}
    changes = Change.objects.filter(show_id__in=names, fields__has_key="locked_fields").order_by("id")
    for show_id, run_id, fields in changes.values_list("show_id", "run_id", "fields"):
        if "name" in fields["locked_fields"]["added"]:
            last[show_id] = run_id
    runs = SyncRun.objects.filter(kind=KIND, pk__in={run_id for run_id in last.values() if run_id})
    imports = set(runs.values_list("pk", flat=True))
    return frozenset(show_id for show_id, run_id in last.items() if run_id in imports)
