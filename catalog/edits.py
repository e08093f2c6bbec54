"""The one path by which people write shows; a sync has its own in ingestion.

Each function is one transaction: the row is locked, compared as it is in the database now, saved with
the columns that differ and no others (a sync may be writing the rest), and leaves one Change.
Each raises Show.DoesNotExist for a show that is gone, and ValidationError, keyed by field, for values
that can't be.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from catalog.changes import Author, change_of, plain, save_changes, set_change, value_change
from catalog.locks import LOCKABLE, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models import Change, Show
from catalog.models.change import Kind
from catalog.values import differing, field_of

NAMING_FIELDS = ("name", "tmdb_id", "imdb_id", "tvdb_id", "wikidata_id")


@transaction.atomic
def create_show(values: Mapping[str, Any], author: Author) -> Show:
    """A new show. What its maker gave is locked at once: a later sync fills the rest and keeps that."""
    show = Show()
    given = differing(show, values)
    for name, value in given.items():
        setattr(show, name, value)
    show.locked_fields = in_order(name for name in given if name in UPSTREAM_FIELDS)
    show.full_clean()
    save(show, None)
    fields = {name: value_change(None, value) for name, value in given.items()}
    record(show, Kind.CREATED, fields | lock_change([], show.locked_fields), author)
    return show


@transaction.atomic
def edit_show(show_id: UUID, values: Mapping[str, Any], author: Author) -> Change | None:
    """Sets `values` and locks those that a sync could overwrite; None, and nothing written, when none differs.

    An id that is set by hand, to none as well, is a decision: the show leaves the queue of those that need one.
    """
    show = locked_row(show_id)
    return write(show, differing(show, values), author)


@transaction.atomic
def decide_no_match(show_id: UUID, author: Author) -> Change | None:
    """Decides that TMDb does not have this show: its id is locked empty until it is unlocked."""
    show = locked_row(show_id)
    values = differing(show, {"tmdb_id": None, "needs_tmdb_resolution": False})
    return write(show, values, author, lock=("tmdb_id",))


@transaction.atomic
def unlock_show(show_id: UUID, fields: Iterable[str], author: Author) -> Change | None:
    """Gives locked fields back to upstream, with upstream's values at once; None when none of them is locked.

    Where upstream has said nothing yet (and for networks, companies and offers) the value stays until
    the next sync. An id that another show has meanwhile raises ValidationError. A show that waits for no
    id is not put back into the queue here: the next sync tries to resolve it and says so when it can't.
    """
    names = set(fields)
    if not names <= LOCKABLE:
        raise ValueError(f"not lockable: {', '.join(sorted(names - LOCKABLE))}")
    show = locked_row(show_id)
    unlocked = [name for name in show.locked_fields if name in names]
    if not unlocked:
        return None
    kept = [name for name in show.locked_fields if name not in names]
    changes: dict[str, Any] = {}
    for name in unlocked:
        if name in show.upstream_values:
            value = upstream_value(show, name)
            if value != getattr(show, name) and not (value is None and not field_of(name).null):
                changes[name] = field_change(getattr(show, name), value)
                setattr(show, name, value)
    validate(show, changes)
    changes |= lock_change(show.locked_fields, kept)
    show.locked_fields = kept
    show.upstream_values = {name: value for name, value in show.upstream_values.items() if name not in names}
    save(show, [name for name in changes if name != "locked_fields"])
    return record(show, Kind.UPDATED, changes, author)


@transaction.atomic
def delete_show(show_id: UUID, author: Author) -> Change:
    """Deletes a show and all that hangs on it; its Change rows stay, the last one with its name and ids."""
    show = locked_row(show_id)
    fields = {
        name: value_change(getattr(show, name), None) for name in NAMING_FIELDS if getattr(show, name) is not None
    }
    change = record(show, Kind.DELETED, fields, author)
    show.delete()
    return change


def upstream_value(show: Show, name: str) -> Any:
    """What upstream says of a locked field, as the column holds it; None when it has said nothing."""
    value = show.upstream_values.get(name)
    return None if value is None else field_of(name).to_python(value)


def locked_row(show_id: UUID) -> Show:
    """The row for writing. On SQLite the transaction itself (IMMEDIATE) keeps other writers out."""
    return Show.objects.select_for_update().get(pk=show_id)


def write(show: Show, values: Mapping[str, Any], author: Author, lock: Iterable[str] = ()) -> Change | None:
    """Sets values that differ, locks them and `lock`, decides flags, saves; None when nothing is left to do."""
    values = dict(values)
    for field, flag in RESOLUTION_FLAGS.items():
        if field in values and getattr(show, flag):
            values.setdefault(flag, False)
    before = {name: getattr(show, name) for name in values}
    changes: dict[str, Any] = {name: field_change(before[name], value) for name, value in values.items()}
    new_locks = {name for name in {*values, *lock} if name in UPSTREAM_FIELDS and not show.is_locked(name)}
    if not changes and not new_locks:
        return None
    locks = in_order({*show.locked_fields, *new_locks})
    changes |= lock_change(show.locked_fields, locks)
    said = {name: plain(getattr(show, name)) for name in new_locks if is_upstreams(show, name)}
    show.upstream_values = show.upstream_values | said
    show.locked_fields = locks
    for name, value in values.items():
        setattr(show, name, value)
    validate(show, values)
    save(show, values)
    return record(show, Kind.UPDATED, changes, author)


def is_upstreams(show: Show, name: str) -> bool:
    """Whether the value of an unlocked column is what upstream says. Ids are a match of ours, and never are."""
    if name in RESOLUTION_FLAGS or name == "most_recent_episode_imdb_id":
        return False
    return (show.imdb_fetched_at if name.startswith("imdb_") else show.tmdb_fetched_at) is not None


def validate(show: Show, names: Iterable[str]) -> None:
    """Holds the changed fields, and only those, against the model: an old row's other flaws stop no edit."""
    changed = set(names)
    show.full_clean(exclude={field.name for field in Show._meta.get_fields() if field.name not in changed})


def save(show: Show, names: Iterable[str] | None) -> None:
    """Saves these columns with the locks, or a new row for None; an id taken in a race is a ValidationError."""
    try:
        with transaction.atomic():
            if names is None:
                show.save(force_insert=True)
            else:
                show.save(update_fields={*names, "locked_fields", "upstream_values", "updated_at"})
    except IntegrityError as error:
        raise ValidationError("Another show has just been given the same id.") from error


def record(show: Show, kind: Kind, fields: Mapping[str, Any], author: Author) -> Change:
    change = change_of(show.pk, kind, fields, author)
    change.volatile = False  # what a person did is kept, votes and popularity too
    save_changes([change])
    return change


def field_change(before: Any, after: Any) -> Any:
    """Sets as added and removed; a mere change of their order, and every other value, as before and after."""
    if isinstance(before, list) and isinstance(after, list):
        return set_change(before, after) or value_change(before, after)
    return value_change(before, after)


def lock_change(before: Iterable[str], after: Iterable[str]) -> dict[str, Any]:
    change = set_change(before, after)
    return {"locked_fields": change} if change else {}


def in_order(names: Iterable[str]) -> list[str]:
    """Names of lockable fields in the order of UPSTREAM_FIELDS, the relations last."""
    order = {name: position for position, name in enumerate(UPSTREAM_FIELDS)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))
