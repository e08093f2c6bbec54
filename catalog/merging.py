"""Two rows that are one show: the one goes into the other, its id leads there ever after, and it can be undone.

The one that goes (the source) stays as a row in the trash that says where it went. It keeps the ids that
were not taken from it, so that an import of them still finds out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from catalog.changes import Author, change_of, save_changes, value_change
from catalog.edits import ChangedMeanwhile, save, validate
from catalog.models import Batch, Change, Show
from catalog.models.change import Kind
from catalog.moving import NAMES, change_of_rows, content, move, relations, rows_of, rows_to_move, table
from catalog.picks import Decided, check_picks, decide, pick_of, put_back, with_flags
from catalog.returning import Returning, bring_back, rows_to_return
from catalog.trash import naming
from catalog.values import field_of, label

# An id that no two shows may have -> what was fetched by it, and goes where it goes.
FETCHED: Final[dict[str, tuple[str, str]]] = {
    "tmdb_id": ("tmdb_meta", "tmdb_fetched_at"),
    "imdb_id": ("imdb_meta", "imdb_fetched_at"),
}


@transaction.atomic
def merge_shows(
    source_id: UUID,
    target_id: UUID,
    picks: Mapping[str, str],
    author: Author,
    *,
    versions: Mapping[UUID, int] | None = None,
) -> Batch:
    """Merges the source into the target, which keeps its own fields but for those that `picks` takes elsewhere.

    A pick is "source", "target", or for a list "both" (the target's first). What was picked and is not what
    upstream says of the target's id is locked, so that no sync takes it back; a picked value whose TMDb id
    comes along follows upstream as it did. An id that is picked changes places with the target's own.
    Networks, companies and offers are picked as a whole, "both" where nothing is said: the rows of the
    source go over unless the target has the like, and are locked if they were. Shows that were merged into
    the source follow. With `versions` (both shows' `version_of`, as the editor was shown them) raises ChangedMeanwhile
    when either has changed since. Raises ValidationError, in words, for a merge that can't be, and
    Show.DoesNotExist.
    """
    if not author.reason.strip():
        raise ValidationError({"reason": "Say why these are one show: the history keeps it."})
    if author.user is None:
        raise ValueError("a merge is a person's")
    check_picks(picks)
    if source_id == target_id:
        raise ValidationError("A show can't be merged into itself.")
    source, target = pair(source_id, target_id, for_writing=True)
    refuse_merge(source, target)
    refuse_stale(versions or {})

    batch = Batch(kind=Batch.Kind.MERGE, user=author.user, reason=author.reason.strip())
    by = Author(user=author.user, reason=batch.reason, batch_id=batch.pk)
    picks = with_flags(picks)
    decided = decide(source, target, picks)
    swapped = {name: [getattr(source, name), getattr(target, name)] for name in FETCHED if name in decided.values}
    movings = [rows_to_move(one, source.pk, target.pk, pick_of(one, picks)) for one in relations()]
    decided.lock_relations(source, target, movings, picks)

    changes = decided.apply(target)
    moved = {table(one.relation): [content(row) for row in one.rows] for one in movings if one.rows}
    displaced = {table(one.relation): [content(row) for row in one.displaced] for one in movings if one.displaced}
    for moving in movings:
        if moving.rows or moving.displaced:
            move(moving, source.pk, target.pk)
            changes |= change_of_rows(moving.relation, moving.own, rows_of(moving.relation, target.pk))
    followers = list(Show.all_objects.filter(merged_into=source).order_by("pk").values_list("pk", flat=True))
    if followers:
        Show.all_objects.filter(pk__in=followers).update(merged_into=target)
    source.deleted_at, source.merged_into = timezone.now(), target
    columns = swap_fetched(source, target, swapped)
    former = {name: ids[1] for name, ids in swapped.items()}
    save_pair(source, target, former, columns, decided.values, told=bool(changes))

    batch.plan = {
        "source": str(source.pk),
        "target": str(target.pk),
        "picks": dict(picks),
        "moved": moved,
        "displaced": displaced,
        "fields": decided.undo,
        "ids": swapped,
        "duplicates": [str(pk) for pk in followers],
    }
    close(batch, 2 if changes else 1)
    told = {"merged_into": [None, str(target.pk)]} | {name: value_change(*ids) for name, ids in swapped.items()}
    tell([(source, Kind.MERGED, told), (target, Kind.UPDATED, changes)], by)
    return batch


@transaction.atomic
def unmerge(batch: Batch, author: Author) -> list[str]:
    """Undoes a merge; what was left as it is, in words, as somebody has changed it since.

    The source lives again with its ids and its rows, also those that a sync has taken away since; the target
    gets back what the merge changed. Raises ValidationError, in words and with nothing undone, when it can't
    be: it was undone already, the target is gone or was merged itself, or a third show has one of the ids
    meanwhile.
    """
    if author.user is None:
        raise ValueError("an undo is a person's")
    undoing = plan_undo(batch, for_writing=True)
    source, target, decided = undoing.source, undoing.target, undoing.decided
    undo = Batch(kind=Batch.Kind.REVERT, user=author.user, plan={"batch": str(batch.pk), "left": undoing.left})
    undo.reason = author.reason.strip() or f"Undo of the merge: {batch.reason}"

    changes = decided.apply(target)
    for returning in undoing.returnings:
        bring_back(returning, source.pk, target.pk)
        if returning.before or returning.own:
            changes |= change_of_rows(returning.relation, returning.before, rows_of(returning.relation, target.pk))
    Show.all_objects.filter(pk__in=batch.plan["duplicates"], merged_into=target).update(merged_into=source)
    source.deleted_at = source.merged_into = None
    columns = swap_fetched(source, target, undoing.back)
    columns += part_fetched(source, target, {k: v for k, v in undoing.was.items() if k not in undoing.back}, batch)
    save_pair(source, target, undoing.was, columns, decided.values, told=bool(changes))

    close(undo, 2 if changes else 1)
    told: dict[str, Any] = {name: value_change(None, value) for name, value in naming(source).items()}
    told["merged_into"] = [str(target.pk), None]
    by = Author(user=author.user, reason=undo.reason, batch_id=undo.pk)
    tell([(source, Kind.CREATED, told), (target, Kind.UPDATED, changes)], by)
    return undoing.left


@dataclass(frozen=True, slots=True)
class Undoing:
    """What the undo of a merge would do now; nothing of it is done yet."""

    source: Show
    target: Show
    was: dict[str, Any]  # the ids that the source gets back
    back: list[str]  # those that the target gives for it, and gets its own
    decided: Decided
    returnings: list[Returning]
    left: list[str]  # what does not go back, in words


def plan_undo(batch: Batch, *, for_writing: bool = False) -> Undoing:
    """Raises ValidationError, in words, when the merge can't be undone."""
    source, target = merged_pair(batch, for_writing=for_writing)
    was = {name: field_of(name).to_python(ids[0]) for name, ids in batch.plan["ids"].items()}
    back = [name for name, value in was.items() if getattr(target, name) == value]
    decided, changed = put_back(target, batch.plan["fields"], was, back)
    left = [
        f"{f'Whether {label(name)} is locked' if name in NAMES else label(name)}"
        " was changed since the merge and stays as it is."
        for name in changed
    ]
    left += [
        f"{label(name)} {ids[1]}, which {target} had before the merge, is that of no show afterwards."
        for name, ids in batch.plan["ids"].items()
        if name not in back and ids[1] is not None
    ]
    returnings = [rows_to_return(relation, source.pk, target.pk, batch.plan) for relation in relations()]
    left += [told for returning in returnings for told in returning.left]
    return Undoing(source, target, was, back, decided, returnings, left)


def merged_pair(batch: Batch, *, for_writing: bool = False) -> tuple[Show, Show]:
    """The source and the target of a merge that can be undone; ValidationError, in words, where it can't be."""
    if batch.kind != Batch.Kind.MERGE or batch.status != Batch.Status.DONE:
        raise ValidationError("This is no merge of shows.")
    try:
        source, target = pair(UUID(batch.plan["source"]), UUID(batch.plan["target"]), for_writing=for_writing)
    except Show.DoesNotExist:
        raise ValidationError("One of the two shows was deleted for good; the merge can't be undone.") from None
    merges = Change.objects.filter(show_id=source.pk, kind=Kind.MERGED).order_by("-id")
    if source.merged_into_id is None or merges.values_list("batch_id", flat=True).first() != batch.pk:
        raise ValidationError(f"This merge of {source} was undone already.")
    if target.merged_into_id is not None:
        into = Show.all_objects.only("name").get(pk=target.merged_into_id)
        raise ValidationError(f"{target} itself was merged into {into} since; undo that first.")
    if target.deleted_at is not None:
        raise ValidationError(f"{target} is in the trash; restore it first.")
    for name, (value, _) in batch.plan["ids"].items():
        others = Show.all_objects.exclude(pk__in=(source.pk, target.pk))
        holder = others.filter(**{name: value}).only("name").first() if value is not None else None
        if holder is not None:
            raise ValidationError(
                f"{label(name)} {value} of {source} is that of {holder} meanwhile; take it from there first."
            )
    return source, target


def resolve_merged(show_id: UUID) -> UUID | None:
    """The living show that an id leads to: its own, or that of the show it was merged into; None when it is gone."""
    seen: set[UUID] = set()
    while show_id not in seen:
        seen.add(show_id)
        row = Show.all_objects.filter(pk=show_id).values_list("deleted_at", "merged_into_id").first()
        if row is None or (row[0] is not None and row[1] is None):
            return None
        if row[1] is None:
            return show_id
        show_id = row[1]
    return None


def pair(source_id: UUID, target_id: UUID, *, for_writing: bool) -> tuple[Show, Show]:
    """Both rows; for writing they are locked in the order of their keys, as every writer of several shows does."""
    chosen = Show.all_objects.filter(pk__in=(source_id, target_id))
    if for_writing:
        chosen = chosen.select_for_update(of=("self",))
    rows = {show.pk: show for show in chosen.order_by("pk")}
    if len(rows) < 2:
        raise Show.DoesNotExist("one of the two shows no longer exists")
    return rows[source_id], rows[target_id]


def refuse_merge(source: Show, target: Show) -> None:
    for show in (source, target):
        if show.merged_into_id is not None:
            into = Show.all_objects.only("name").get(pk=show.merged_into_id)
            raise ValidationError(f"{show} was already merged into {into}.")
        if show.deleted_at is not None:
            raise ValidationError(f"{show} is in the trash; restore it first.")


def refuse_stale(versions: Mapping[UUID, int]) -> None:
    condition = Q(pk__in=())
    for show_id, version in versions.items():
        condition |= Q(show_id=show_id, id__gt=version)
    newer = Change.objects.filter(condition, volatile=False).exclude(kind=Kind.COMMENTED)
    if versions and (changes := list(newer.select_related("user").order_by("-id"))):
        raise ChangedMeanwhile(changes)


def swap_fetched(source: Show, target: Show, ids: Iterable[str]) -> list[str]:
    """What was fetched by an id changes places with it; the names of these columns."""
    columns = [column for name in ids for column in FETCHED[name]]
    for column in columns:
        mine, theirs = getattr(target, column), getattr(source, column)
        setattr(target, column, theirs)
        setattr(source, column, mine)
    return columns


def part_fetched(source: Show, target: Show, ids: Mapping[str, Any], merge: Batch) -> list[str]:
    """Of ids that the target has changed since the merge, the source gets back what was fetched by its own.

    What it holds was fetched by the target's former id, and is of neither show now.
    """
    columns = [column for name in ids for column in FETCHED[name]]
    for name, value in ids.items():
        reply, at = FETCHED[name]
        fetched, held = getattr(target, at), getattr(target, reply)
        by_this = isinstance(held, dict) and value is not None and held.get("id") == value
        theirs = fetched is not None and (by_this or fetched <= merge.created_at)
        for column in FETCHED[name]:
            setattr(source, column, getattr(target, column) if theirs else None)
            if theirs:
                setattr(target, column, None)
    return columns


def save_pair(
    source: Show,
    target: Show,
    ids: Mapping[str, Any],
    columns: Iterable[str],
    values: Iterable[str],
    *,
    told: bool,
) -> None:
    """Saves both, with these columns of each: the source gets `ids`, after it let go of those that the target takes.

    A target of which there is no change to be told keeps its `updated_at`: else who follows the feed would have
    another one. Raises ValidationError for an id that a third show has.
    """
    if ids:
        Show.all_objects.filter(pk=source.pk).update(**dict.fromkeys(ids))
    validate(target, values)
    if told:
        save(target, {*values, *columns})
    else:
        target.save(update_fields=["locked_fields", "upstream_values", *columns])
    for name, value in ids.items():
        setattr(source, name, value)
    save(source, {*ids, *columns, "deleted_at", "merged_into"})


def close(batch: Batch, changed: int) -> None:
    batch.status, batch.total, batch.done = Batch.Status.DONE, 2, 2
    batch.counts = {"changed": changed, "unchanged": 2 - changed}
    batch.finished_at = timezone.now()
    batch.save(force_insert=True)


def tell(stories: Iterable[tuple[Show, Kind, Mapping[str, Any]]], author: Author) -> None:
    """One Change for each show of which there is something to tell."""
    changes = [change_of(show.pk, kind, fields, author) for show, kind, fields in stories if fields]
    for change in changes:
        change.volatile = False  # what a person did is kept
    save_changes(changes)
