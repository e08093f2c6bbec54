"""Where upstream says otherwise than a show: of fields that are locked, and of ids, which are never changed unasked."""

import json
from collections.abc import Collection, Iterable
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from catalog.changes import Author, plain
from catalog.edits import edit_show, locked_row, unlock_show, upstream_value
from catalog.links import RELATIONS
from catalog.models import Show

IDS = ("tmdb_id", "imdb_id")

Differences = dict[str, tuple[Any, Any]]  # field: ours and upstream's; of a relation the ids of both


def disagreeing_shows() -> QuerySet[Show]:
    """Shows about which upstream says something that is kept aside: it may differ from ours, or not (any more)."""
    shows: QuerySet[Show] = Show.objects.exclude(upstream_values={}).defer("tmdb_meta", "imdb_meta")
    return shows


def differences_in(shows: Iterable[Show]) -> dict[UUID, Differences]:
    """The differences of each of the shows, in at most one query a relation."""
    shows = list(shows)
    linked = linked_ids(shows)
    return {show.pk: differences_of(show, linked) for show in shows}


def differences_of(show: Show, linked: dict[tuple[UUID, str], list[int]]) -> Differences:
    """What upstream says otherwise. Where it says nothing it contradicts nothing."""
    found: Differences = {}
    for name, said in show.upstream_values.items():
        if said in (None, "", []) or not (show.is_locked(name) or name in IDS):
            continue
        if name in RELATIONS:
            ours = linked.get((show.pk, name), [])
            if set(ours) != set(said):
                found[name] = (ours, said)
        elif plain(getattr(show, name)) != said:
            found[name] = (getattr(show, name), upstream_value(show, name))
    return found


def linked_ids(shows: Iterable[Show]) -> dict[tuple[UUID, str], list[int]]:
    """The members of the relations that upstream speaks of, in order."""
    shows = list(shows)
    linked: dict[tuple[UUID, str], list[int]] = {}
    for relation, (model, entity, _) in RELATIONS.items():
        wanted = [show.pk for show in shows if relation in show.upstream_values]
        if not wanted:
            continue
        rows = model.objects.filter(show_id__in=wanted).order_by("position", "id")
        for show_id, entity_id in rows.values_list("show_id", f"{entity}_id"):
            linked.setdefault((show_id, relation), []).append(entity_id)
    return linked


def fingerprint(differences: Differences) -> str:
    """Names what upstream says: the same as long as it says the same, whatever is ours."""
    said = {name: plain(upstreams) for name, (_, upstreams) in differences.items()}
    return sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


@transaction.atomic
def take_upstream(show: Show, names: Collection[str], author: Author) -> list[str]:
    """Gives locked fields back to upstream. An id that is not locked, but which upstream contradicts, becomes
    upstream's: that is an editor's decision, and stays his.

    `show` is as `locked_row` gave it, and stays as it was. Returns these ids. Raises what the edits raise.
    """
    locked = [name for name in names if show.is_locked(name)]
    ids = {name: upstream_value(show, name) for name in names if name in show.upstream_values and name not in locked}
    unlock_show(show.pk, locked, author)
    if ids:
        edit_show(show.pk, ids, author)
    return list(ids)


@transaction.atomic
def take_differences(show_id: UUID, author: Author, *, fingerprint_seen: str) -> list[str]:
    """Takes all that upstream says otherwise, and returns the fields.

    Raises ValidationError when upstream says something else than was seen by now, and what the edits raise.
    """
    show = locked_row(show_id)
    differences = differences_in([show])[show.pk]
    if fingerprint(differences) != fingerprint_seen:
        raise ValidationError("Upstream says something else by now: look again.")
    take_upstream(show, differences, author)
    return list(differences)
