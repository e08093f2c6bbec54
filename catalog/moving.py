"""The rows that belong to a show, and how they go over to another one when two shows are merged.

Every table of the catalogue whose rows go with their show (CASCADE) is moved, also one that is added
later; each costs a constant number of queries. What goes back when a merge is undone is in catalog.returning.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.utils.text import capfirst

from catalog.changes import entity_label, plain, set_change, value_change
from catalog.models import Show
from catalog.models.links import OrderedLink


@dataclass(frozen=True, slots=True)
class Told:
    """How a change tells of a relation: its name there, and what a row is called; `entity` is selected with the row."""

    name: str
    entity: str
    entity_name: str  # the entity's column
    label: Callable[[Any], str]


# By the name under which a show has the rows.
TOLD: Final[dict[str, Told]] = {
    "show_networks": Told("networks", "network", "name", lambda row: entity_label(row.network.name, row.network_id)),
    "show_companies": Told(
        "production_companies", "company", "name", lambda row: entity_label(row.company.name, row.company_id)
    ),
    "watch_providers": Told(
        "watch_providers",
        "provider",
        "provider_name",
        lambda row: f"{row.region} {row.offer_type} {entity_label(row.provider.provider_name, row.provider_id)}",
    ),
}
# Moved, but no change of a show has ever told of them.
UNTOLD: Final[frozenset[str]] = frozenset({"past_watch_providers"})
# Not moved: the history stays with the id that it is of; shows that were merged before are given a new target.
STAYING: Final[frozenset[str]] = frozenset({"changes", "duplicates"})
NAMES: Final[frozenset[str]] = frozenset(told.name for told in TOLD.values())


@dataclass(slots=True)
class Moving:
    """The rows of one relation that go over, and those that stay because the other show has the like.

    `displaced` are those of the show they go to that give place: they go the other way.
    """

    relation: Any
    rows: list[Any]
    staying: list[Any]
    own: list[Any]  # all that the show has to which they go
    theirs: list[Any]  # all that the show has from which they go
    displaced: list[Any]

    @property
    def told(self) -> Told | None:
        return told_of(self.relation)


def told_of(relation: Any) -> Told | None:
    return TOLD.get(str(relation.get_accessor_name()))


def table(relation: Any) -> str:
    """The name under which a batch's plan keeps the rows of a relation."""
    return str(relation.related_model._meta.label)


def is_ordered(relation: Any) -> bool:
    return issubclass(relation.related_model, OrderedLink)


def noun(relation: Any) -> str:
    told = told_of(relation)
    return capfirst((told.name if told else str(relation.get_accessor_name())).replace("_", " "))


def labels(relation: Any, rows: Iterable[Any]) -> list[str]:
    told = told_of(relation)
    return [told.label(row) for row in rows] if told else []


def change_of_rows(relation: Any, before: Iterable[Any], after: Iterable[Any]) -> dict[str, Any]:
    """The change that is told of a show whose rows were these and are those, by its name; empty for none."""
    told = told_of(relation)
    if told is None:
        return {}
    old, new = labels(relation, before), labels(relation, after)
    if not is_ordered(relation):
        old, new = sorted(old), sorted(new)
    change: Any = set_change(old, new) or (value_change(old, new) if old != new else None)
    if isinstance(change, dict) and not is_ordered(relation):
        change.pop("at", None)
    return {told.name: change} if change else {}


def relations() -> list[Any]:
    """The relations of Show whose rows belong to a show, in a stable order."""
    return sorted(
        (
            relation
            for relation in Show._meta.related_objects
            if getattr(relation, "on_delete", None) is models.CASCADE
            and relation.related_model._meta.app_label == Show._meta.app_label
        ),
        key=lambda relation: str(relation.get_accessor_name()),
    )


def unique_columns(relation: Any) -> list[tuple[str, ...]]:
    """What no two rows of one show may share, as columns beside the show's.

    A constraint with a condition counts as if it had none: a row too many stays, and none is refused.
    """
    model, owner = relation.related_model, relation.field
    names = [tuple(group) for group in model._meta.unique_together]
    names += [
        tuple(constraint.fields)
        for constraint in model._meta.constraints
        if isinstance(constraint, models.UniqueConstraint)
    ]
    if owner.unique:
        names.append((owner.name,))
    return [
        tuple(model._meta.get_field(name).attname for name in group if name != owner.name)
        for group in names
        if owner.name in group
    ]


def rows_of(relation: Any, show_id: UUID) -> list[Any]:
    model = relation.related_model
    rows = model._base_manager.filter(**{relation.field.name: show_id}).order_by(*model._meta.ordering, "pk")
    told = told_of(relation)
    if told is None:
        return list(rows)
    # Of an entity the name alone: with it come raw replies.
    columns = [column.name for column in model._meta.concrete_fields]
    return list(rows.select_related(told.entity).only(*columns, f"{told.entity}__{told.entity_name}"))


def likeness(relation: Any) -> Callable[[Iterable[Any]], Callable[[Any], bool]]:
    """Makes, of rows that a show has, the question whether it has the like of another one."""
    groups = unique_columns(relation)

    def among(rows: Iterable[Any]) -> Callable[[Any], bool]:
        taken = {(group, key_of(row, group)) for row in rows for group in groups}
        return lambda row: any(None not in (key := key_of(row, group)) and (group, key) in taken for group in groups)

    return among


def key_of(row: Any, columns: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(getattr(row, column) for column in columns)


def rows_to_move(relation: Any, source_id: UUID, target_id: UUID, pick: str = "both") -> Moving:
    """What of `source_id` goes over to `target_id`.

    Of "both" it is all that the target has not the like of, of "source" all, in place of the target's own,
    and of "target" nothing.
    """
    own, theirs = rows_of(relation, target_id), rows_of(relation, source_id)
    if pick == "target":
        return Moving(relation, [], [], own, theirs, [])
    if pick == "source":
        return Moving(relation, theirs, [], own, theirs, own)
    has_like = likeness(relation)(own)
    staying = [row for row in theirs if has_like(row)]
    return Moving(relation, [row for row in theirs if not has_like(row)], staying, own, theirs, [])


def differ(moving: Moving) -> bool:
    """Whether the two shows have other rows, or have them in another order where it counts."""
    mine, theirs = labels(moving.relation, moving.own), labels(moving.relation, moving.theirs)
    return mine != theirs if is_ordered(moving.relation) else {*mine} != {*theirs}


def content(row: Any) -> dict[str, Any]:
    """Every column of a row as JSON."""
    return {column.attname: plain(getattr(row, column.attname)) for column in row._meta.concrete_fields}


def move(moving: Moving, source_id: UUID, target_id: UUID) -> None:
    """Gives the rows to the other show: ordered ones after its own; what gives place goes the other way."""
    model, owner = moving.relation.related_model, moving.relation.field
    manager = model._base_manager
    # Two rows of one show that are alike can't be, not even for a moment.
    manager.filter(pk__in=[row.pk for row in moving.displaced]).delete()
    if is_ordered(moving.relation):
        last = max((row.position for row in moving.own), default=-1) if not moving.displaced else -1
        for place, row in enumerate(moving.rows, last + 1):
            setattr(row, owner.attname, target_id)
            row.position = place
        manager.bulk_update(moving.rows, [owner.name, "position"], batch_size=500)
    else:
        manager.filter(pk__in=[row.pk for row in moving.rows]).update(**{owner.name: target_id})
    for row in moving.displaced:
        setattr(row, owner.attname, source_id)
    manager.bulk_create(moving.displaced, batch_size=500)
