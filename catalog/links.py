"""A show's networks and production companies, as an editor orders them."""

import re
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError

from catalog.changes import entity_label, set_change, value_change
from catalog.models import Network, ProductionCompany, Show, ShowNetwork, ShowProductionCompany
from catalog.models.links import Source

# Relation -> the model of its rows, the entity's name in it, and the entity's model.
RELATIONS: Final[dict[str, tuple[type[Any], str, type[Any]]]] = {
    "networks": (ShowNetwork, "network", Network),
    "production_companies": (ShowProductionCompany, "company", ProductionCompany),
}


def links_of(show: Show, relation: str) -> list[Any]:
    """The rows of a relation in order, each with its entity."""
    model, entity, _ = RELATIONS[relation]
    return list(model.objects.filter(show=show).select_related(entity).order_by("position", "id"))


def linked_ids(show_id: UUID, relation: str) -> list[int]:
    """The ids of a relation's entities in order."""
    model, entity, _ = RELATIONS[relation]
    return list(model.objects.filter(show_id=show_id).order_by("position", "id").values_list(f"{entity}_id", flat=True))


def label_id(label: str) -> int:
    """The id in an `entity_label`, like 74 of `Bravo (74)`."""
    match = re.search(r"\((\d+)\)\Z", label)
    if match is None:
        raise ValueError(f"{label!r} names no entity")
    return int(match[1])


def said_by_upstream(show: Show, relation: str) -> list[int] | None:
    """The ids that the last sync brought; None when there was none."""
    if show.tmdb_fetched_at is None:
        return None
    _, entity, _ = RELATIONS[relation]
    return [getattr(row, f"{entity}_id") for row in links_of(show, relation) if row.source == Source.TMDB]


def replace_links(show: Show, relation: str, ids: Sequence[int] | None, *, by_editor: bool) -> Any:
    """Makes these the relation's members, in this order; the change, None where there is none.

    None for `ids` keeps the members. New rows are an editor's or upstream's; when all go back to upstream
    (`by_editor` is false) so do the rows that stay, so that the next sync may take them away.
    Raises ValidationError for an id that no entity has.
    """
    model, entity, entity_model = RELATIONS[relation]
    rows = {getattr(row, f"{entity}_id"): row for row in links_of(show, relation)}
    order = list(rows) if ids is None else list(dict.fromkeys(ids))
    entities = {pk: getattr(row, entity) for pk, row in rows.items()}
    entities |= entity_model.objects.filter(pk__in=[pk for pk in order if pk not in rows]).only("name").in_bulk()
    if unknown := [str(pk) for pk in order if pk not in entities]:
        raise ValidationError({relation: f"There is none with the id {', '.join(unknown)}."})
    source = Source.EDITOR if by_editor else Source.TMDB
    model.objects.filter(pk__in=[row.pk for pk, row in rows.items() if pk not in order]).delete()
    for position, pk in enumerate(order):
        row = rows.get(pk)
        if row is None:
            model.objects.create(show=show, position=position, source=source, **{f"{entity}_id": pk})
        elif row.position != position or (row.source != source and not by_editor):
            row.position, row.source = position, row.source if by_editor else source
            row.save(update_fields=["position", "source"])
    old, new = ([entity_label(entities[pk].name, pk) for pk in keys] for keys in (rows, order))
    return set_change(old, new) or (value_change(old, new) if old != new else None)
