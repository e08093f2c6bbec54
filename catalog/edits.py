"""The one path by which people write the columns of shows; a sync has its own in ingestion.

Each function is one transaction: the row is locked, compared as it is in the database now, saved with
the columns that differ and no others (a sync may be writing the rest), and leaves one Change.
Each raises Show.DoesNotExist for a show that is gone, ValidationError, keyed by field, for values
that can't be, and ChangedMeanwhile where the caller says what the editor had seen.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery

from catalog.changes import Author, change_of, plain, save_changes, set_change, value_change
from catalog.links import RELATIONS, replace_links, said_by_upstream
from catalog.locks import LOCKABLE, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models import Change, Show
from catalog.models.change import Kind
from catalog.values import differing, field_of, label

UNIQUE = ("tmdb_id", "imdb_id")  # no two shows share one


class ChangedMeanwhile(Exception):
    """Somebody has changed what an editor was about to change; `changes` are theirs, newest first."""

    def __init__(self, changes: list[Change]) -> None:
        super().__init__("somebody else has changed this show meanwhile")
        self.changes = changes


@transaction.atomic
def create_show(values: Mapping[str, Any], author: Author) -> Show:
    """A new show. What its maker gave is locked at once: a later sync fills the rest and keeps that."""
    show = Show()
    given = differing(show, values)
    for name, value in given.items():
        setattr(show, name, value)
    show.locked_fields = in_order(name for name in given if name in LOCKABLE)
    validate(show, None)
    save(show, None)
    fields = {name: value_change(None, value) for name, value in given.items()}
    record(show, Kind.CREATED, fields | lock_change([], show.locked_fields), author)
    return show


@transaction.atomic
def edit_show(
    show_id: UUID,
    values: Mapping[str, Any],
    author: Author,
    *,
    version: int | None = None,
    whole_row: bool = False,
) -> Change | None:
    """Sets `values` and locks those that a sync could overwrite; None, and nothing written, when none differs.

    A value is that of a column, or for `networks` and `production_companies` the ids in order. An id that is
    set by hand, to none as well, is a decision: the show leaves the queue of those that need one. With
    `version` (what `version_of` gave when the editor was shown the show) raises ChangedMeanwhile when
    one of these fields was changed since; with `whole_row` also when a person has changed any other.
    """
    show = locked_row(show_id)
    links = {name: list(ids) for name, ids in values.items() if name in RELATIONS}
    columns = differing(show, {name: value for name, value in values.items() if name not in RELATIONS})
    if version is not None:
        refuse_stale(show, version, {*columns, *links}, whole_row=whole_row)
    return write(show, columns, author, links=links)


@transaction.atomic
def decide_no_match(show_id: UUID, author: Author) -> Change | None:
    """Decides that TMDb does not have this show: its id is locked empty until it is unlocked."""
    show = locked_row(show_id)
    values = differing(show, {"tmdb_id": None, "needs_tmdb_resolution": False})
    return write(show, values, author, lock=("tmdb_id",))


@transaction.atomic
def lock_show(show_id: UUID, fields: Iterable[str], author: Author) -> Change | None:
    """Locks fields as they stand; None when all of them are locked already."""
    names = lockable(fields)
    return write(locked_row(show_id), {}, author, lock=names)


@transaction.atomic
def unlock_show(show_id: UUID, fields: Iterable[str], author: Author) -> Change | None:
    """Gives locked fields back to upstream, with upstream's values at once; None when none of them is locked.

    Where upstream has said nothing yet (and for offers) the value stays until the next sync. An id that
    another show has meanwhile raises ValidationError. A show that waits for no id is not put back into
    the queue here: the next sync tries to resolve it and says so when it can't.
    """
    names = lockable(fields)
    show = locked_row(show_id)
    unlocked = [name for name in show.locked_fields if name in names]
    if not unlocked:
        return None
    changes: dict[str, Any] = {}
    for name in unlocked:
        if name in RELATIONS:
            change = replace_links(show, name, show.upstream_values.get(name), by_editor=False)
            changes |= {name: change} if change else {}
        elif name in show.upstream_values:
            value = upstream_value(show, name)
            if value != getattr(show, name) and not (value is None and not field_of(name).null):
                changes[name] = field_change(getattr(show, name), value)
                setattr(show, name, value)
    validate(show, changes)
    kept = [name for name in show.locked_fields if name not in names]
    changes |= lock_change(show.locked_fields, kept)
    show.locked_fields = kept
    show.upstream_values = {name: value for name, value in show.upstream_values.items() if name not in names}
    save(show, changes)
    return record(show, Kind.UPDATED, changes, author)


def version_of(show_id: UUID) -> int:
    """What `version` of edit_show is compared with: the id of the newest change that counts, 0 for none."""
    return newest_changes(show_id).values_list("id", flat=True).first() or 0


def version_subquery() -> Subquery:
    """`version_of` for every row of a queryset of shows; null for 0."""
    return Subquery(newest_changes(OuterRef("pk")).values("id")[:1])


def newest_changes(show_id: Any) -> Any:
    return Change.objects.filter(show_id=show_id, volatile=False).exclude(kind=Kind.COMMENTED).order_by("-id")


def refuse_stale(show: Show, version: int, names: Collection[str], *, whole_row: bool) -> None:
    """Raises ChangedMeanwhile. A sync that wrote other fields is in nobody's way: it writes every night."""
    newer = [
        change
        for change in newest_changes(show.pk).filter(id__gt=version).select_related("user")
        if (whole_row and change.user_id is not None) or not set(names).isdisjoint(change.fields)
    ]
    if newer:
        raise ChangedMeanwhile(newer)


def upstream_value(show: Show, name: str) -> Any:
    """What upstream says of a locked column, as it holds it (of a relation: the ids); None when it has said nothing."""
    value = show.upstream_values.get(name)
    return value if value is None or name in RELATIONS else field_of(name).to_python(value)


def locked_row(show_id: UUID) -> Show:
    """The row for writing, without the raw replies. On SQLite the transaction (IMMEDIATE) keeps other writers out."""
    show: Show = Show.objects.defer("tmdb_meta", "imdb_meta").select_for_update(of=("self",)).get(pk=show_id)
    return show


def write(
    show: Show,
    values: Mapping[str, Any],
    author: Author,
    lock: Iterable[str] = (),
    links: Mapping[str, list[int]] | None = None,
) -> Change | None:
    """Sets values that differ, locks them and `lock`, decides flags, saves; None when nothing is left to do."""
    values = dict(values)
    for field, flag in RESOLUTION_FLAGS.items():
        if field in values and getattr(show, flag):
            values.setdefault(flag, False)
    touched = {*(links or {}), *lock}
    said = {name: said_by_upstream(show, name) for name in RELATIONS if name in touched and not show.is_locked(name)}
    changes: dict[str, Any] = {name: field_change(getattr(show, name), value) for name, value in values.items()}
    for name, ids in (links or {}).items():
        if change := replace_links(show, name, ids, by_editor=True):
            changes[name] = change
    new_locks = {name for name in {*changes, *lock} if name in LOCKABLE and not show.is_locked(name)}
    if not changes and not new_locks:
        return None
    said |= {name: plain(getattr(show, name)) for name in new_locks - said.keys() if is_upstreams(show, name)}
    show.upstream_values = show.upstream_values | {
        name: value
        for name, value in said.items()
        if name in new_locks and (name not in RELATIONS or value is not None)
    }
    changes |= lock_change(show.locked_fields, locks := in_order({*show.locked_fields, *new_locks}))
    show.locked_fields = locks
    for name, value in values.items():
        setattr(show, name, value)
    validate(show, values)
    save(show, changes)
    return record(show, Kind.UPDATED, changes, author)


def is_upstreams(show: Show, name: str) -> bool:
    """Whether the value of an unlocked column is what upstream says. Ids are a match of ours, and never are."""
    if name in RESOLUTION_FLAGS or name in ("most_recent_episode_imdb_id", "watch_providers", "override"):
        return False
    return (show.imdb_fetched_at if name.startswith("imdb_") else show.tmdb_fetched_at) is not None


def lockable(fields: Iterable[str]) -> set[str]:
    names = set(fields)
    if not names <= LOCKABLE:
        raise ValueError(f"not lockable: {', '.join(sorted(names - LOCKABLE))}")
    return names


def validate(show: Show, names: Iterable[str] | None) -> None:
    """Holds the changed columns, and only those, against the model: an old row's other flaws stop no edit.

    An id that another show has is an error which names that show, also when it is in the trash.
    """
    changed = None if names is None else set(names)
    exclude = (
        set() if changed is None else {field.name for field in Show._meta.get_fields() if field.name not in changed}
    )
    show.full_clean(exclude=exclude, validate_unique=False)
    errors = {}
    for name in UNIQUE:
        value = getattr(show, name)
        if value is None or not (changed is None or name in changed):
            continue
        holder = Show.all_objects.filter(**{name: value}).exclude(pk=show.pk).only("name", "deleted_at").first()
        if holder is not None:
            where = " in the trash" if holder.deleted_at else ""
            errors[name] = f"{label(name)} {value} is already that of {holder.name}{where}."
    if errors:
        raise ValidationError(errors)


def save(show: Show, names: Iterable[str] | None) -> None:
    """Saves these columns with the locks, or a new row for None; an id taken in a race is a ValidationError."""
    columns = None if names is None else {*names, "locked_fields", "upstream_values", "updated_at"} - RELATIONS.keys()
    if columns is not None and columns.isdisjoint(UNIQUE):
        show.save(update_fields=columns)
        return
    try:
        with transaction.atomic():
            show.save(force_insert=columns is None, update_fields=columns)
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
    if change is None:
        return {}
    # Locks have an order of their own.
    return {"locked_fields": {part: change[part] for part in ("added", "removed")}}


def in_order(names: Iterable[str]) -> list[str]:
    """Names of lockable fields in the order of UPSTREAM_FIELDS, the relations last."""
    order = {name: position for position, name in enumerate(UPSTREAM_FIELDS)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))
