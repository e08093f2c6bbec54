"""Operations on many shows, as the edit that each show needs: what is previewed here is what a batch applies."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Prefetch

from catalog.changes import entity_label, plain
from catalog.edits import upstream_value, version_subquery
from catalog.links import RELATIONS
from catalog.locks import EDITABLE, LOCKABLE, RESOLUTION_FLAGS
from catalog.models import Show
from catalog.search import name_key
from catalog.values import check, field_of, label, normal, normal_list

SET, ADD, REMOVE, LOCK, UNLOCK = "set", "add", "remove", "lock", "unlock"
ACTIONS: Final[dict[str, str]] = {SET: "set to", ADD: "add", REMOVE: "remove", LOCK: "lock", UNLOCK: "unlock"}
LISTS: Final = ("genres", "keywords", "tags", "listed_on")
IDS_OF_ONE_SHOW: Final = ("tmdb_id", "imdb_id")
LINKS: Final = {"networks": "show_networks", "production_companies": "show_companies"}
YES_OR_NO: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
SETTABLE: Final = EDITABLE | set(RELATIONS)
FIELDS: Final = SETTABLE | LOCKABLE


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do to every show; `value` is in normal form, a list for what is added or removed."""

    action: str
    field: str
    value: Any = None


# What two actions of the list come to.
UNLOCK_ALL: Final = tuple(Operation(UNLOCK, name) for name in sorted(LOCKABLE))
NO_MATCH: Final = (
    Operation(SET, "tmdb_id", None),
    Operation(SET, "needs_tmdb_resolution", False),
    Operation(LOCK, "tmdb_id"),
)


class BulkPlan(NamedTuple):
    """Edits for a batch, each with `shown` ({field: [before, after]}) and `locks` (all that it will lock) for
    people; how many shows need none; and [id, name, reason] of those that can't be edited so."""

    edits: list[dict[str, Any]]
    unchanged: int
    errors: list[list[str]]


# --- what is asked for


def actions_of(field: str) -> list[str]:
    """What can be done to this field."""
    return [
        action
        for action, fields in (
            (SET, SETTABLE),
            (ADD, {*LISTS, *RELATIONS}),
            (REMOVE, {*LISTS, *RELATIONS}),
            (LOCK, LOCKABLE),
            (UNLOCK, LOCKABLE),
        )
        if field in fields
    ]


def parse_operation(action: str, field: str, text: str, shows: int) -> Operation:
    """What a person chose and typed, for this many shows. Raises ValidationError, keyed by action, field or value."""
    if field not in FIELDS:
        raise ValidationError({"field": "Choose a field."})
    if action not in ACTIONS:
        raise ValidationError({"action": "Choose what to do."})
    if action not in (possible := actions_of(field)):
        words = ", ".join(ACTIONS[one] for one in possible)
        raise ValidationError({"action": f"This field can't do that. Possible: {words}."})
    if action in (LOCK, UNLOCK):
        return Operation(action, field)
    try:
        value = parse_value(field, text)
        if action == SET:
            check_value(field, value, shows)
        elif not value:
            raise ValidationError(f"Write what to {ACTIONS[action]}.")
    except ValidationError as error:
        raise ValidationError({"value": error.messages}) from error
    return Operation(action, field, plain(value))


def parse_value(field: str, text: str) -> Any:
    """The text as the field holds it, in normal form."""
    if field in RELATIONS:
        return entity_ids(field, text)
    if field in LISTS:
        value = normal_list(text.splitlines())
    elif isinstance(field_of(field), models.BooleanField):
        if (value := YES_OR_NO.get(text.strip().lower())) is None:
            raise ValidationError("Write yes or no.")
    else:
        value = normal(field, text.strip())
    check(field, value)
    return value


def check_value(field: str, value: Any, shows: int) -> None:
    if field in IDS_OF_ONE_SHOW and value is not None and shows > 1:
        raise ValidationError(f"An id belongs to one show alone, and {shows} are selected.")
    if field not in RELATIONS:
        others = {column.name for column in Show._meta.get_fields() if column.name != field}
        try:
            Show(**{"name": "any", field: value}).clean_fields(exclude=others)
        except ValidationError as error:
            raise ValidationError(error.messages) from error


def entity_ids(relation: str, text: str) -> list[int]:
    """The ids of networks or companies given one a line, by id, by name, or like `Bravo (74)`."""
    lines = normal_list(text.splitlines())
    if not lines:
        return []
    names = dict(RELATIONS[relation][2].objects.values_list("pk", "name"))
    by_key: dict[str, list[int]] = {}
    for pk, name in names.items():
        by_key.setdefault(name_key(name), []).append(pk)
    ids, errors = [], []
    for line in lines:
        found = found_entities(line, names, by_key)
        if len(found) == 1:
            ids.append(found[0])
        elif found:
            several = ", ".join(entity_label(names[pk], pk) for pk in sorted(found)[:10])
            errors.append(f"Several have the name {line}; give the id: {several}.")
        else:
            errors.append(f"There is none with the id or name {line}.")
    if errors:
        raise ValidationError(errors)
    return list(dict.fromkeys(ids))


def found_entities(line: str, names: Mapping[int, str], by_key: Mapping[str, list[int]]) -> list[int]:
    if re.fullmatch(r"[0-9]{1,18}", line) and int(line) in names:
        return [int(line)]
    labelled = re.fullmatch(r"(.+) \(([0-9]{1,18})\)", line)
    if labelled and name_key(names.get(int(labelled[2]), "")) == name_key(labelled[1]):
        return [int(labelled[2])]
    return by_key.get(name_key(line), [])


def check_together(operations: Sequence[Operation]) -> None:
    """Raises ValidationError for operations that contradict each other."""
    errors = []
    for field in dict.fromkeys(operation.field for operation in operations):
        actions = [operation.action for operation in operations if operation.field == field]
        if UNLOCK in actions and set(actions) != {UNLOCK}:
            errors.append(f"{label(field)}: unlocking brings upstream's value back, so nothing else can be done to it.")
        if actions.count(SET) > 1:
            errors.append(f"{label(field)}: it is set twice.")
    if errors:
        raise ValidationError(errors)


# --- what it comes to


def shows_to_edit(show_ids: Iterable[UUID], operations: Sequence[Operation]) -> list[Show]:
    """The shows that still live, in this order, with what `plan_bulk` needs and no more."""
    fields = {operation.field for operation in operations}
    columns = {*fields, *(RESOLUTION_FLAGS[name] for name in fields & RESOLUTION_FLAGS.keys())} & EDITABLE
    shows = Show.objects.only("name", "locked_fields", "upstream_values", *columns).annotate(version=version_subquery())
    for relation in fields & RELATIONS.keys():
        model, entity, _ = RELATIONS[relation]
        rows = model.objects.select_related(entity).only("show_id", "position", f"{entity}__name")
        shows = shows.prefetch_related(Prefetch(LINKS[relation], queryset=rows))
    order = list(show_ids)
    found = shows.in_bulk(order)
    return [found[pk] for pk in order if pk in found]


def plan_bulk(shows: Sequence[Show], operations: Sequence[Operation]) -> BulkPlan:
    """What the operations, in their order, come to for each show, which is annotated with its `version`."""
    labels = {relation: entity_labels(relation, shows, operations) for relation in RELATIONS}
    edits: list[dict[str, Any]] = []
    errors: list[list[str]] = []
    unchanged = 0
    for show in shows:
        try:
            edit = plan_show(show, operations, labels)
        except ValidationError as error:
            errors.append([str(show.pk), show.name, " ".join(error.messages)])
            continue
        if edit["shown"] or edit["lock"] or edit["unlock"]:
            edits.append(edit)
        else:
            unchanged += 1
    taken = taken_ids(edits)
    errors += [[edit["id"], edit["name"], taken[edit["id"]]] for edit in edits if edit["id"] in taken]
    return BulkPlan([edit for edit in edits if edit["id"] not in taken], unchanged, errors)


def plan_no_match(shows: Sequence[Show]) -> BulkPlan:
    """Decides that TMDb does not have these shows; one with an id that is not in question is left out."""
    kept, rest = [], []
    for show in shows:
        if show.tmdb_id is not None and not show.needs_tmdb_resolution:
            kept.append([str(show.pk), show.name, f"It has the TMDb id {show.tmdb_id}, which nobody doubts."])
        else:
            rest.append(show)
    plan = plan_bulk(rest, NO_MATCH)
    return plan._replace(errors=[*kept, *plan.errors])


def plan_show(show: Show, operations: Sequence[Operation], labels: Mapping[str, Mapping[int, str]]) -> dict[str, Any]:
    after: dict[str, Any] = {}
    for operation in operations:
        if operation.action in (SET, ADD, REMOVE):
            name = operation.field
            after[name] = applied(operation, after[name] if name in after else held(show, name))
    values = {name: value for name, value in after.items() if value != held(show, name)}
    for name, flag in RESOLUTION_FLAGS.items():
        if name in values and getattr(show, flag):
            values[flag] = False  # an id that is set by hand is a decision: `edit_show` takes it as one
    chosen = {
        action: [operation.field for operation in operations if operation.action == action] for action in (LOCK, UNLOCK)
    }
    lock = [name for name in dict.fromkeys(chosen[LOCK]) if not show.is_locked(name) and name not in values]
    unlock = [name for name in dict.fromkeys(chosen[UNLOCK]) if show.is_locked(name)]
    returned = {name: value for name in unlock for value in returns(show, name)}
    return {
        "id": str(show.pk),
        "name": show.name,
        "values": {name: plain(value) for name, value in values.items()},
        "lock": lock,
        "unlock": unlock,
        "version": getattr(show, "version", None) or 0,
        "locks": [name for name in values if name in LOCKABLE and not show.is_locked(name)] + lock,
        "shown": {
            name: [in_labels(name, side, labels) for side in (held(show, name), value)]
            for name, value in (values | returned).items()
        },
    }


def held(show: Show, name: str) -> Any:
    """What the show has, in normal form: a column's value, or the ids of a relation in order."""
    if name not in RELATIONS:
        return normal(name, getattr(show, name))
    entity = RELATIONS[name][1]
    return [getattr(row, f"{entity}_id") for row in getattr(show, LINKS[name]).all()]


def applied(operation: Operation, before: Any) -> Any:
    value = operation.value
    if operation.action == SET:
        return value if operation.field in RELATIONS else normal(operation.field, value)
    if not isinstance(before, list):
        raise ValidationError(f"{label(operation.field)} holds no list.")
    if operation.action == ADD:
        return [*before, *(item for item in value if item not in before)]
    return [item for item in before if item not in value]


def returns(show: Show, name: str) -> list[Any]:
    """The value that unlocking brings back, as `unlock_show` does; empty where the present one stays."""
    if name not in show.upstream_values:
        return []
    if name in RELATIONS:
        ids = show.upstream_values[name]
        value = None if ids is None else list(dict.fromkeys(ids))
        return [] if value is None or value == held(show, name) else [value]
    value = upstream_value(show, name)
    if value == getattr(show, name) or (value is None and not field_of(name).null):
        return []
    return [value]


def entity_labels(relation: str, shows: Sequence[Show], operations: Sequence[Operation]) -> dict[int, str]:
    """The labels of all entities of a relation that the plan may name."""
    mine = [operation for operation in operations if operation.field == relation]
    if not mine:
        return {}
    _, entity, entity_model = RELATIONS[relation]
    ids = {pk for operation in mine for pk in operation.value or ()}
    ids |= {pk for show in shows for pk in show.upstream_values.get(relation) or ()}
    names = {pk: found.name for pk, found in entity_model.objects.only("name").in_bulk(ids).items()}
    for show in shows:
        for row in getattr(show, LINKS[relation]).all():
            found = getattr(row, entity)
            names[found.pk] = found.name
    return {pk: entity_label(name, pk) for pk, name in names.items()}


def in_labels(name: str, value: Any, labels: Mapping[str, Mapping[int, str]]) -> Any:
    if name not in RELATIONS:
        return plain(value)
    if unknown := [str(pk) for pk in value if pk not in labels[name]]:
        raise ValidationError(f"There is none with the id {', '.join(unknown)} any more.")
    return [labels[name][pk] for pk in value]


def taken_ids(edits: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Why edits would give a show an id of another show, by the show's id."""
    reasons: dict[str, str] = {}
    for field in IDS_OF_ONE_SHOW:
        wanted = {edit["id"]: edit["shown"][field][1] for edit in edits if edit["shown"].get(field, [0, None])[1]}
        if not wanted:
            continue
        rows = Show.all_objects.filter(**{f"{field}__in": set(wanted.values())}).values_list(field, "pk", "name")
        holders = {value: (str(pk), name) for value, pk, name in rows}
        for edit in edits:
            if edit["id"] in wanted:
                value = wanted[edit["id"]]
                holder, name = holders.setdefault(value, (edit["id"], edit["name"]))
                if holder != edit["id"]:
                    reasons[edit["id"]] = f"{label(field)} {value} is already that of {name}."
    return reasons
