"""The rows that belong to a show, and how they go over to another one when two shows are merged.

Every table of the catalogue whose rows go with their show (CASCADE) is moved, also one that is added
later; each costs a constant number of queries.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.db.models import Max
from django.utils.text import capfirst

from catalog.changes import entity_label, plain, set_change
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


@dataclass(slots=True)
class Moving:
    """The rows of one relation that go over, and those that stay because the other show has the like."""

    relation: Any
    rows: list[Any]
    staying: list[Any]
    before: list[Any]  # all that the show had

    @property
    def accessor(self) -> str:
        return str(self.relation.get_accessor_name())

    @property
    def label(self) -> str:
        return str(self.relation.related_model._meta.label)

    @property
    def is_ordered(self) -> bool:
        return issubclass(self.relation.related_model, OrderedLink)

    @property
    def noun(self) -> str:
        return capfirst((self.told.name if self.told else self.accessor).replace("_", " "))

    @property
    def told(self) -> Told | None:
        return TOLD.get(self.accessor)

    def taken_away(self) -> dict[str, Any] | None:
        """The change for the show that the rows leave; None where there is none to tell."""
        gone = {row.pk for row in self.rows}
        change = set_change(self.labels(self.before), self.labels([row for row in self.before if row.pk not in gone]))
        if change is not None and not self.is_ordered:
            change.pop("at", None)
        return change

    def labels(self, rows: Collection[Any]) -> list[str]:
        return [self.told.label(row) for row in rows] if self.told else []


@dataclass(slots=True)
class Moved:
    """What was moved, as a batch's plan keeps it: keys by model, and the places that ordered rows had."""

    rows: dict[str, list[Any]] = field(default_factory=dict)
    positions: dict[str, dict[str, int]] = field(default_factory=dict)


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
    told = TOLD.get(str(relation.get_accessor_name()))
    if told is None:
        return list(rows)
    # Of an entity the name alone: with it come raw replies.
    columns = [column.name for column in model._meta.concrete_fields]
    return list(rows.select_related(told.entity).only(*columns, f"{told.entity}__{told.entity_name}"))


def rows_to_move(relation: Any, source_id: UUID, target_id: UUID, only: Collection[Any] | None = None) -> Moving:
    """What of `source_id` goes over to `target_id`: all rows, or those of these keys, but what the other one has."""
    model, groups = relation.related_model, unique_columns(relation)
    columns = list(dict.fromkeys(column for group in groups for column in group))
    others = model._base_manager.filter(**{relation.field.name: target_id}).order_by().values("pk", *columns)
    others = list(others) if groups else []
    taken = [{tuple(row[column] for column in group) for row in others} for group in groups]
    moving = Moving(relation, [], [], [])
    keys = None if only is None else set(map(str, only))
    for row in rows_of(relation, source_id):
        moving.before.append(row)
        if keys is not None and str(row.pk) not in keys:
            continue
        if any(
            None not in (key := tuple(getattr(row, column) for column in group)) and key in has
            for group, has in zip(groups, taken, strict=True)
        ):
            moving.staying.append(row)
        else:
            moving.rows.append(row)
    return moving


def move(moving: Moving, target_id: UUID, moved: Moved, positions: Mapping[str, int] | None = None) -> None:
    """Gives the rows to the other show: ordered ones after its own, or at these places. `moved` keeps what was done."""
    if not moving.rows:
        return
    model, owner = moving.relation.related_model, moving.relation.field
    moved.rows[moving.label] = [plain(row.pk) for row in moving.rows]
    if not moving.is_ordered:
        model._base_manager.filter(pk__in=[row.pk for row in moving.rows]).update(**{owner.name: target_id})
        return
    moved.positions[moving.label] = {str(row.pk): row.position for row in moving.rows}
    last = model._base_manager.filter(**{owner.name: target_id}).aggregate(last=Max("position"))["last"]
    first = 0 if last is None else last + 1
    for place, row in enumerate(moving.rows, first):
        setattr(row, owner.attname, target_id)
        row.position = place if positions is None else positions.get(str(row.pk), place)
    model._base_manager.bulk_update(moving.rows, [owner.name, "position"], batch_size=500)
