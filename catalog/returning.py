"""What goes back to a show when its merge into another is undone, and what can't.

A merge keeps the content of every row that it moves: a sync that came after it takes away what upstream does
not say of the other show, and its own show's sync would not bring these back before they are due.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from catalog.models import PastWatchProvider, ShowWatchProvider
from catalog.moving import is_ordered, likeness, noun, rows_of, table

Contents = Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Returning:
    """The rows of one relation that an undo writes; `source` is the show that had gone, `target` the other one."""

    relation: Any
    before: list[Any]  # all that the target has
    moved: list[Any] = field(default_factory=list)  # of the target, to the source
    made: list[Any] = field(default_factory=list)  # gone since: made again for the source
    parked: list[Any] = field(default_factory=list)  # of the source: they had given place
    own: list[Any] = field(default_factory=list)  # the same, made again for the target
    left: list[str] = field(default_factory=list)  # what does not come back, in words


def rows_to_return(relation: Any, source_id: UUID, target_id: UUID, plan: Mapping[str, Any]) -> Returning:
    gone_over: Contents = plan["moved"].get(table(relation), ())
    gave_place: Contents = plan["displaced"].get(table(relation), ())
    returning = Returning(relation, rows_of(relation, target_id) if gone_over or gave_place else [])
    if not gone_over and not gave_place:
        return returning
    model, owner, pk = relation.related_model, relation.field.attname, relation.related_model._meta.pk.attname
    at_target = {row.pk: row for row in returning.before}
    aside = {one[pk] for one in gave_place}
    at_source = rows_of(relation, source_id)
    returning.parked = [row for row in at_source if row.pk in aside]
    at_source = [row for row in at_source if row.pk not in aside]

    among, staying = likeness(relation), 0
    has_like, here = among(at_source), {row.pk for row in at_source}
    for one in gone_over:
        row = at_target.get(one[pk])
        if has_like(row or row_of(model, one)):
            staying += row is not None
        elif row is None:
            if one[pk] not in here:
                returning.made.append(row_of(model, {**one, owner: source_id}))
        else:
            setattr(row, owner, source_id)
            if is_ordered(relation):
                row.position = one["position"]
            returning.moved.append(row)
    leaving = {row.pk for row in returning.moved}
    has_like = among(row for row in returning.before if row.pk not in leaving)
    returning.own = [row for one in gave_place if not has_like(row := row_of(model, {**one, owner: target_id}))]
    gone = drop_orphans(returning.made, relation)
    tell(returning, len(gone_over), staying, gone)
    drop_orphans(returning.own, relation)
    renumber([*returning.made, *returning.own], {row.pk for row in returning.parked}, model)
    return returning


def row_of(model: Any, content: Mapping[str, Any]) -> Any:
    columns = [column for column in model._meta.concrete_fields if column.attname in content]
    return model(**{column.attname: column.to_python(content[column.attname]) for column in columns})


def drop_orphans(rows: list[Any], relation: Any) -> int:
    """Takes out the rows whose network, company or provider was deleted since; how many these are."""
    number = len(rows)
    for column in relation.related_model._meta.concrete_fields:
        if rows and column.remote_field is not None and column != relation.field:
            named = {getattr(row, column.attname) for row in rows}
            there = set(column.related_model._base_manager.filter(pk__in=named).values_list("pk", flat=True))
            rows[:] = [row for row in rows if getattr(row, column.attname) in there]
    return number - len(rows)


def renumber(rows: Sequence[Any], freed: Collection[Any], model: Any) -> None:
    """A row keeps the key that it had, unless it lives on at another show."""
    asked = [row.pk for row in rows if row.pk not in freed]
    taken = set(model._base_manager.filter(pk__in=asked).values_list("pk", flat=True)) if asked else set()
    for row in rows:
        if row.pk in taken:
            row.pk = None


def tell(returning: Returning, moved: int, staying: int, gone: int) -> None:
    what = noun(returning.relation)
    if staying:
        returning.left.append(f"{what}: {staying} of the {moved} that had gone over stay, as both shows have them now.")
    if gone:
        returning.left.append(
            f"{what}: {gone} of the {moved} that had gone over are lost, as what they name was deleted."
        )


def bring_back(returning: Returning, source_id: UUID, target_id: UUID) -> None:
    model, owner = returning.relation.related_model, returning.relation.field
    manager = model._base_manager
    manager.filter(pk__in=[row.pk for row in returning.parked]).delete()
    if is_ordered(returning.relation):
        manager.bulk_update(returning.moved, [owner.name, "position"], batch_size=500)
    else:
        manager.filter(pk__in=[row.pk for row in returning.moved]).update(**{owner.name: source_id})
    manager.bulk_create([*returning.made, *returning.own], batch_size=500)
    if model is ShowWatchProvider and returning.made:
        forget_ended(returning.made, target_id)


def forget_ended(offers: Sequence[ShowWatchProvider], target_id: UUID) -> None:
    """For the target these offers never were: takes away the past ones that a sync has made of them."""
    ended = {ended_key(offer) for offer in offers}
    past = PastWatchProvider.objects.filter(show_id=target_id).order_by("pk")
    newest = {key: row.pk for row in past if (key := ended_key(row)) in ended}
    PastWatchProvider.objects.filter(pk__in=newest.values()).delete()


def ended_key(offer: ShowWatchProvider | PastWatchProvider) -> tuple[Any, ...]:
    return (offer.region, offer.offer_type, offer.provider_id, offer.display_priority, offer.link, offer.first_seen_at)
