"""The feed of changes, as REST and WebSocket tell it: what happened to which show, and nothing of who or why.

An event is a Change row. Readers go by its id: `save_changes` gives ids out under a lock that is held until
the commit, so a row never becomes visible after one with a higher id has been read, and "all above the last id
that I have seen" misses nothing. Ids have gaps: a transaction that was rolled back takes its own along.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from catalog.models import Change, FeedStart
from catalog.models.change import Kind

# How events are called by both doors. A comment is a change of no field and of no interest outside.
TYPES: Final[dict[str, str]] = {
    Kind.CREATED: "show_created",
    Kind.UPDATED: "show_updated",
    Kind.DELETED: "show_deleted",
    Kind.MERGED: "show_merged",
}

IDS_LEFT_OUT: Final = 1_000_000_000  # more changes than were ever made between a backup and its restore


class Pruned(Exception):
    """Changes after this id may have been dropped since: the reader has to read everything anew."""


class NotYet(Exception):
    """No change has an id as high as this one: it is from another database, or was made up."""


@dataclass(frozen=True, slots=True)
class Event:
    """`changed`: the fields of the show that changed, by name. `merged_into`: of show_merged, where the show went."""

    id: int
    ts: datetime
    type: str
    show_id: UUID
    changed: tuple[str, ...]
    merged_into: UUID | None


def read_events(since: int, limit: int, show_id: UUID | None = None) -> list[Event]:
    """The events after the id `since`, oldest first, at most `limit`; with `show_id` of that show alone."""
    rows = Change.objects.filter(id__gt=since, kind__in=TYPES).order_by("id")
    if show_id is not None:
        rows = rows.filter(show_id=show_id)
    return [event_of(*row) for row in rows.values_list("id", "ts", "kind", "show_id", "fields")[:limit]]


def read_on(since: int, limit: int, show_id: UUID | None = None) -> list[Event]:
    """As `read_events`, for who reads on from an id that was good when it began; raises Pruned where it no longer is.

    The rows first: what was dropped before they were read, the start of the feed tells afterwards.
    """
    events = read_events(since, limit, show_id)
    if since < pruned_through():
        raise Pruned
    return events


def event_of(change_id: int, ts: datetime, kind: str, show_id: UUID, fields: dict[str, Any]) -> Event:
    merged_into = fields.get("merged_into") if kind == Kind.MERGED else None
    return Event(change_id, ts, TYPES[kind], show_id, in_api(fields), UUID(merged_into[1]) if merged_into else None)


def in_api(names: Iterable[str]) -> tuple[str, ...]:
    """The names of the fields as a show of the API has them."""
    return tuple(sorted(names))


def newest_id() -> int:
    """The id up to which changes were made, 0 for none: who reads everything now and then from here on misses nothing.

    Those that were pruned count, also where no later one is left.
    """
    return max(Change.objects.aggregate(newest=Max("id"))["newest"] or 0, pruned_through())


def pruned_through() -> int:
    return FeedStart.objects.values_list("pruned_through", flat=True).first() or 0


def check_since(since: int) -> None:
    """Raises Pruned or NotYet for an id from which nobody can read on."""
    if since < pruned_through():
        raise Pruned
    if since > newest_id():
        raise NotYet


def begin_anew() -> None:
    """Has every reader read everything anew: for a database that was set back to an earlier state.

    The changes that were lost had ids that readers have seen. Those are not given out again, and nobody reads on
    from one of them.
    """
    start = newest_id() + IDS_LEFT_OUT
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence('catalog_change', 'id'), %s)", [start])
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'catalog_change'")
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('catalog_change', %s)", [start])
        FeedStart.objects.update_or_create(id=1, defaults={"pruned_through": start})
