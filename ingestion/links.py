"""A show's networks, companies and offers: compared with what is stored, and replaced exactly."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from catalog.changes import entity_label, set_change
from catalog.models import (
    Network,
    PastWatchProvider,
    ProductionCompany,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)
from ingestion.merge import merge_set
from ingestion.records import OfferRecord

L = TypeVar("L", ShowNetwork, ShowProductionCompany)
OfferKey = tuple[str, str, int]  # region, offer type, provider id
OfferRow = tuple[int, int | None, str | None, datetime]  # id, priority, link, first seen


@dataclass
class LinkWrites:
    """Rows to write for a whole batch; `save` does it with at most one statement a kind and table."""

    created: list[Any] = field(default_factory=list)
    updated: list[Any] = field(default_factory=list)
    deleted: list[Any] = field(default_factory=list)
    past: list[PastWatchProvider] = field(default_factory=list)

    def add(self, other: "LinkWrites") -> None:
        self.created += other.created
        self.updated += other.updated
        self.deleted += other.deleted
        self.past += other.past

    def save(self, model: type[Any], fields: Sequence[str]) -> None:
        if self.deleted:
            model.objects.filter(pk__in=[row.pk for row in self.deleted]).delete()
        if self.past:
            PastWatchProvider.objects.bulk_create(self.past)
        if self.updated:
            model.objects.bulk_update(self.updated, fields)
        if self.created:
            model.objects.bulk_create(self.created)


def links_by_show(model: type[L], entity: str, show_ids: Collection[UUID]) -> dict[UUID, list[L]]:
    """Every link of the shows, in order, with its entity."""
    links: dict[UUID, list[L]] = defaultdict(list)
    for row in model.objects.filter(show_id__in=show_ids).select_related(entity).order_by("position", "id"):
        links[row.show_id].append(row)
    return links


def diff_networks(
    show_id: UUID,
    upstream: Sequence[int],
    stored: list[ShowNetwork],
    known: Mapping[int, Network],
    writes: LinkWrites,
    *,
    locked: bool,
) -> Any:
    """The change of a show's networks, None where there is none; its rows are put into `writes`.

    A network that was merged into another stands for that one.
    """
    members = [known[pk].merged_into or known[pk] for pk in upstream]
    return diff_links(ShowNetwork, "network", show_id, members, stored, writes, locked=locked)


def diff_companies(
    show_id: UUID,
    upstream: Sequence[int],
    stored: list[ShowProductionCompany],
    known: Mapping[int, ProductionCompany],
    writes: LinkWrites,
    *,
    locked: bool,
) -> Any:
    members = [known[pk] for pk in upstream]
    return diff_links(ShowProductionCompany, "company", show_id, members, stored, writes, locked=locked)


def diff_links(
    model: type[L],
    name: str,
    show_id: UUID,
    upstream: Sequence[Any],
    stored: Sequence[L],
    writes: LinkWrites,
    *,
    locked: bool,
) -> Any:
    rows = {getattr(row, f"{name}_id"): row for row in stored}
    entities = {pk: getattr(row, name) for pk, row in rows.items()} | {entity.pk: entity for entity in upstream}
    before = list(rows)
    by_editor = {pk for pk, row in rows.items() if row.source == "editor"}
    order = merge_set([entity.pk for entity in upstream], before, by_editor, locked=locked)
    for position, pk in enumerate(order):
        if pk not in rows:
            writes.created.append(model(show_id=show_id, position=position, **{f"{name}_id": pk}))
        elif rows[pk].position != position:
            rows[pk].position = position
            writes.updated.append(rows[pk])
    writes.deleted += [rows[pk] for pk in before if pk not in order]

    labels = {pk: entity_label(entity.name, pk) for pk, entity in entities.items()}
    old, new = [labels[pk] for pk in before], [labels[pk] for pk in order]
    return set_change(old, new) or ([old, new] if old != new else None)


def offers_by_show(show_ids: Collection[UUID]) -> dict[UUID, dict[OfferKey, OfferRow]]:
    """Every offer of the shows, by key: plain tuples, for there are thousands."""
    offers: dict[UUID, dict[OfferKey, OfferRow]] = defaultdict(dict)
    rows = ShowWatchProvider.objects.filter(show_id__in=show_ids).values_list(
        "show_id", "region", "offer_type", "provider_id", "pk", "display_priority", "link", "first_seen_at"
    )
    for row in rows.order_by():
        offers[row[0]][row[1], row[2], row[3]] = (row[4], row[5], row[6], row[7])
    return offers


def diff_offers(
    show_id: UUID,
    upstream: Iterable[OfferRecord],
    stored: Mapping[OfferKey, OfferRow],
    known: Mapping[int, WatchProvider],
    last_seen: datetime | None,
    now: datetime,
    writes: LinkWrites,
) -> Any:
    """The change of where a show can be watched, None where there is none; its rows are put into `writes`.

    An offer that has ended becomes a past one, seen until `last_seen` (the last time it was confirmed).
    """
    said = {(offer.region, offer.offer_type, offer.provider.provider_id): offer for offer in upstream}
    changed = []
    for key, offer in said.items():
        row = stored.get(key)
        if row is not None and row[1:3] == (offer.display_priority, offer.link):
            continue
        if row is not None:
            changed.append(key)
        target = writes.created if row is None else writes.updated
        target.append(
            ShowWatchProvider(
                pk=row[0] if row else None,
                show_id=show_id,
                region=key[0],
                offer_type=key[1],
                provider_id=key[2],
                display_priority=offer.display_priority,
                link=offer.link,
                first_seen_at=row[3] if row else now,
                fetched_at=now,
            )
        )
    ended = {key: row for key, row in stored.items() if key not in said}
    writes.deleted += [ShowWatchProvider(pk=row[0]) for row in ended.values()]
    writes.past += [
        PastWatchProvider(
            show_id=show_id,
            region=key[0],
            offer_type=key[1],
            provider_id=key[2],
            display_priority=row[1],
            link=row[2],
            first_seen_at=row[3],
            last_seen_at=max(last_seen or row[3], row[3]),
        )
        for key, row in ended.items()
    ]

    def label(key: OfferKey) -> str:
        return f"{key[0]} {key[1]} {entity_label(known[key[2]].provider_name, key[2])}"

    change = set_change([label(key) for key in sorted(stored)], [label(key) for key in sorted(said)])
    if change is not None:
        change.pop("at", None)  # offers have no order of their own
    if changed:
        change = (change or {"added": [], "removed": []}) | {"changed": [label(key) for key in sorted(changed)]}
    return change
