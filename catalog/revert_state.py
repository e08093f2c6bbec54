"""What the database holds now of the shows whose changes are to be taken back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from catalog.changes import entity_label, plain
from catalog.links import RELATIONS
from catalog.models import Batch, Change, Network, Show, ShowWatchProvider
from catalog.models.change import Kind
from catalog.revert_fields import KEYS, OFFERS, labels_in
from catalog.revert_scope import took


class Present:
    """Some shows as they are now, read with a constant number of queries, and locked `for_update`.

    newer: of each show the changes after the oldest of those that are to be taken back, without these,
    newest first; votes and popularity alone and comments are left out. undoings: what those of them took
    back that are reverts. merges: the batches that are the merge of two shows, or the undoing of one.
    swallowed: a show that was merged into each, where there is one.
    """

    def __init__(self, changes: Mapping[UUID, Sequence[Change]], *, for_update: bool = False) -> None:
        shows = Show.all_objects.filter(pk__in=list(changes)).defer("tmdb_meta", "imdb_meta").order_by("pk")
        self.shows = {show.pk: show for show in (shows.select_for_update(of=("self",)) if for_update else shows)}
        self.labels: dict[str, dict[Any, str]] = {name: {} for name in KEYS}
        self.members: dict[tuple[UUID, str], list[Any]] = defaultdict(list)
        self.newer = newer_than(changes)
        self.undoings = undoings_in(self.newer)
        self.merges = merges_in(changes)
        self.swallowed = swallowed_by(changes)
        concerned = {name: shows_with(name, changes) for name in KEYS}
        for name, show_ids in concerned.items():
            if show_ids:
                self.load(name, show_ids, changes)
        self.aliases: dict[int, int] = {}
        if concerned["networks"]:
            merged = Network.objects.filter(merged_into__isnull=False)
            self.aliases = dict(merged.values_list("pk", "merged_into_id"))

    def value(self, show: Show, name: str) -> Any:
        """A column as a Change holds it; of a relation and of offers the keys, in order."""
        return list(self.members[show.pk, name]) if name in KEYS else plain(getattr(show, name))

    def label(self, name: str, key: Any) -> str:
        if key not in self.labels[name] and name in RELATIONS:
            entity = RELATIONS[name][2].objects.filter(pk=key).first()
            self.labels[name][key] = entity_label(entity.name if entity else "unknown", key)
        return self.labels[name][key]

    def load(self, name: str, show_ids: list[UUID], changes: Mapping[UUID, Sequence[Change]]) -> None:
        for show_id in show_ids:
            for change in changes[show_id]:
                if name in change.fields:
                    self.labels[name] |= labels_in(name, change.fields[name])
        for show_id, key, label in offer_rows(show_ids) if name == OFFERS else link_rows(name, show_ids):
            self.members[show_id, name].append(key)
            self.labels[name][key] = label

    def newer_changes(self, show_id: UUID, change: Change) -> list[Change]:
        return [newer for newer in self.newer[show_id] if newer.pk > change.pk]

    def standing(self, show_id: UUID, change: Change, name: str) -> list[Change]:
        """Newer changes of a field or of its lock, newest first, without what was reverted, and its reverts."""
        newer = [
            other
            for other in self.newer_changes(show_id, change)
            if other.kind == Kind.UPDATED and (name in other.fields or name in lock_names(other))
        ]
        stand, undone = [], set()
        for place, other in enumerate(newer):
            if other.pk in undone:
                continue
            of = self.undoings.get(other.batch_id) if other.batch_id else None
            taken = {older.pk for older in newer[place + 1 :] if of and older.pk not in undone and took(of, older)}
            undone |= taken
            if not taken:
                stand.append(other)
        return stand


def newer_than(changes: Mapping[UUID, Sequence[Change]]) -> dict[UUID, list[Change]]:
    taken = {change.pk for some in changes.values() for change in some}
    newer: dict[UUID, list[Change]] = defaultdict(list)
    if taken:
        rows = Change.objects.filter(show_id__in=list(changes), pk__gt=min(taken), volatile=False)
        for change in rows.exclude(kind=Kind.COMMENTED).select_related("user").order_by("-pk"):
            if change.pk not in taken:
                newer[change.show_id].append(change)
    return newer


def undoings_in(newer: Mapping[UUID, Sequence[Change]]) -> dict[UUID, Mapping[str, Any]]:
    """Of each revert what it took back. One that locked what it brought back is a decision of its own, and left out."""
    batches = {change.batch_id for some in newer.values() for change in some if change.batch_id is not None}
    if not batches:
        return {}
    found = Batch.objects.filter(pk__in=batches, kind=Batch.Kind.REVERT).order_by()
    plans = found.values_list("pk", "plan__of", "plan__batch", "plan__lock")
    return {pk: of or {"batch": merge} for pk, of, merge, lock in plans if not lock}


def swallowed_by(changes: Mapping[UUID, Sequence[Change]]) -> dict[UUID, str]:
    """The names of shows that were merged into those whose creation is to be taken back."""
    created = [show_id for show_id, some in changes.items() if any(change.kind == Kind.CREATED for change in some)]
    merged = Show.all_objects.filter(merged_into__in=created).order_by() if created else Show.objects.none()
    return {into: name for into, name in merged.values_list("merged_into_id", "name") if into is not None}


def merges_in(changes: Mapping[UUID, Sequence[Change]]) -> set[UUID]:
    batches = {change.batch_id for some in changes.values() for change in some if change.batch_id is not None}
    if not batches:
        return set()
    is_merge = Q(kind=Batch.Kind.MERGE) | Q(kind=Batch.Kind.REVERT, plan__has_key="batch")
    return set(Batch.objects.filter(is_merge, pk__in=batches).order_by().values_list("pk", flat=True))


def shows_with(name: str, changes: Mapping[UUID, Sequence[Change]]) -> list[UUID]:
    """The shows in whose changes a field, or its lock, has a part."""
    return [
        show_id
        for show_id, some in changes.items()
        if any(name in change.fields or name in lock_names(change) for change in some)
    ]


def lock_names(change: Change) -> set[str]:
    locks = change.fields.get("locked_fields") or {}
    return {*locks.get("added", ()), *locks.get("removed", ())}


def link_rows(relation: str, show_ids: list[UUID]) -> list[tuple[UUID, Any, str]]:
    model, entity, _ = RELATIONS[relation]
    rows = model.objects.filter(show_id__in=show_ids).order_by("position", "id")
    links = rows.values_list("show_id", f"{entity}_id", f"{entity}__name")
    return [(show_id, pk, entity_label(name, pk)) for show_id, pk, name in links]


def offer_rows(show_ids: list[UUID]) -> list[tuple[UUID, Any, str]]:
    rows = ShowWatchProvider.objects.filter(show_id__in=show_ids).order_by("region", "offer_type", "provider_id")
    return [
        (show_id, (region, kind, pk), f"{region} {kind} {entity_label(name, pk)}")
        for show_id, region, kind, pk, name in rows.values_list(
            "show_id", "region", "offer_type", "provider_id", "provider__provider_name"
        )
    ]
