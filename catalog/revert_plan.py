"""What taking changes back would do to their shows: worked out in memory, from what the database holds now."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models import Max, QuerySet

from catalog.changes import VOLATILE_FIELDS
from catalog.locks import RESOLUTION_FLAGS
from catalog.models import Change, Show
from catalog.models.change import Kind
from catalog.revert_conflicts import Conflict, deed
from catalog.revert_fields import KEYS, REVERTIBLE, InTheWay, by_key, members_in, undone
from catalog.revert_state import Present, lock_names
from catalog.values import field_of, label

CHUNK: Final = 100  # shows read at once
SHOWN: Final = 100  # shows and conflicts of a plan that are kept to be looked at
UNIQUE: Final = ("tmdb_id", "imdb_id")


@dataclass(slots=True)
class ShowPlan:
    """What becomes of one show. now, then: fields that change, as Change rows hold them, sets by their keys.

    trashed: True when it is moved to the trash, False when it is taken out. notes: what can't be taken back.
    foreign: what TMDb is known to say is of an id that a run worked with and that the show gives up.
    """

    show_id: UUID
    name: str
    now: dict[str, Any] = field(default_factory=dict)
    then: dict[str, Any] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    trashed: bool | None = None
    foreign: bool = False
    conflicts: list[Conflict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: dict[str, dict[Any, str]] = field(default_factory=dict)

    @property
    def changes_fields(self) -> bool:
        return bool(self.then or self.opened or self.closed)

    @property
    def changes_anything(self) -> bool:
        return self.changes_fields or self.trashed is not None

    @property
    def what_stays(self) -> list[str]:
        """In words; votes and popularity, which move every day, are no news."""
        return [conflict.reason for conflict in self.conflicts if conflict.field not in VOLATILE_FIELDS]

    def text(self, name: str, value: Any) -> Any:
        """A value as people read it: the members of a set by their labels."""
        return [self.labels[name][key] for key in value] if name in KEYS else value


@dataclass(slots=True)
class RevertPlan:
    """What a revert would do: the first of its shows, its first conflicts, and the numbers of all."""

    shows: list[ShowPlan] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # (show, what can't be taken back)
    total: int = 0
    changed: int = 0
    conflict_count: int = 0
    moved_figures: int = 0  # votes and popularity that have moved again, and stay

    @property
    def left(self) -> int:
        return self.total - self.changed

    def add(self, plan: ShowPlan) -> None:
        self.total += 1
        self.changed += plan.changes_anything
        if plan.changes_anything and len(self.shows) < SHOWN:
            self.shows.append(plan)
        told = [conflict for conflict in plan.conflicts if conflict.field not in VOLATILE_FIELDS]
        self.moved_figures += len(plan.conflicts) - len(told)
        self.conflict_count += len(told)
        self.conflicts += told[: SHOWN - len(self.conflicts)]
        self.notes += [(plan.name, note) for note in plan.notes][: SHOWN - len(self.notes)]


def plan_revert(changes: QuerySet[Change]) -> RevertPlan:
    """What would happen if these changes were taken back now; nothing is written."""
    plan = RevertPlan()
    given_up: set[tuple[str, Any]] = set()
    for chunk in batched_shows(changes):
        present = Present(chunk)
        for show_id, some in chunk.items():
            one = plan_show(present, show_id, some, given_up)
            given_up |= {(name, one.now[name]) for name in UNIQUE if name in one.now}
            plan.add(one)
    return plan


def show_ids_of(changes: QuerySet[Change]) -> list[UUID]:
    """The shows that were changed, the last changed first: an id that one took from another goes back so."""
    newest = changes.order_by().values("show_id").annotate(newest=Max("id")).order_by("-newest")
    return [row["show_id"] for row in newest]


def batched_shows(changes: QuerySet[Change]) -> Iterator[dict[UUID, list[Change]]]:
    ids = show_ids_of(changes)
    for start in range(0, len(ids), CHUNK):
        yield changes_by_show(changes, ids[start : start + CHUNK])


def changes_by_show(changes: QuerySet[Change], show_ids: Sequence[UUID]) -> dict[UUID, list[Change]]:
    """The changes of these shows, newest first, the shows in the order given."""
    found: dict[UUID, list[Change]] = defaultdict(list)
    for change in changes.filter(show_id__in=show_ids).order_by("-pk"):
        found[change.show_id].append(change)
    return {show_id: found[show_id] for show_id in show_ids if show_id in found}


def plan_show(
    present: Present, show_id: UUID, changes: Sequence[Change], given_up: set[tuple[str, Any]] | None = None
) -> ShowPlan:
    """What taking `changes` (of one show, newest first) back does to it.

    given_up: ids that other shows lose in the same revert, before it is this show's turn.
    """
    show = present.shows.get(show_id)
    if show is None:
        plan = ShowPlan(show_id, last_name(changes) or str(show_id))
        plan.conflicts.append(Conflict(show_id, plan.name, "", "It is no longer in the database."))
        return plan
    undoing = Undoing(show, present)
    for change in changes:
        undoing.take_back(change)
    undoing.keep_taken_ids(given_up or set())
    return undoing.finish(synced=any(change.run_id is not None for change in changes))


class Undoing:
    """One show in memory, whose changes are taken back one by one, the newest first."""

    def __init__(self, show: Show, present: Present) -> None:
        self.show, self.present = show, present
        self.plan = ShowPlan(show.pk, show.name, labels=present.labels)
        self.values: dict[str, Any] = {}
        self.locked = set(show.locked_fields)
        self.live = show.deleted_at is None
        self.stopped: set[str] = set()

    def take_back(self, change: Change) -> None:
        if change.kind == Kind.COMMENTED:
            return
        if change.kind == Kind.MERGED or change.batch_id in self.present.merges:
            self.stop("", "It is part of a merge, which is undone, or made again, as a whole.", change)
        elif change.kind == Kind.CREATED:
            self.take_creation_back(change)
        elif change.kind == Kind.DELETED:
            self.take_deletion_back(change)
        elif not self.live:
            deletion = self.newer(change, kinds=(Kind.DELETED, Kind.MERGED))
            self.stop("", "It is in the trash: restore it first.", deletion)
        else:
            self.take_fields_back(change)

    def take_creation_back(self, change: Change) -> None:
        """What a person has done to it since keeps it, and so does a show that was merged into it."""
        edit = next((newer for newer in self.present.newer_changes(self.show.pk, change) if newer.user_id), None)
        if not self.live:
            return
        if (swallowed := self.present.swallowed.get(self.show.pk)) is not None:
            self.stop("", f"It stays: {swallowed} was merged into it; undo that first.", edit)
        elif edit is not None:
            self.stop("", f"It stays: {deed(edit, (set(edit.fields) & REVERTIBLE) | lock_names(edit))}.", edit)
        else:
            self.live = False

    def take_deletion_back(self, change: Change) -> None:
        if self.show.merged_into_id is not None:
            self.stop("", "It was merged into another show: undo the merge instead.", change)
        else:
            self.live = True

    def take_fields_back(self, change: Change) -> None:
        for name, delta in change.fields.items():
            if name != "locked_fields" and name not in self.stopped:
                self.take_field_back(change, name, delta)
        locks = change.fields.get("locked_fields") or {}
        for name in locks.get("added", ()):
            self.open_lock(change, name)
        for name in locks.get("removed", ()):
            if name not in self.stopped:
                self.locked.add(name)

    def take_field_back(self, change: Change, name: str, delta: Any) -> None:
        if name not in REVERTIBLE:
            self.plan.notes.append(f"{name}: such a change can't be taken back here.")
            return
        if isinstance(delta, Mapping) and delta.get("changed"):
            number = len(delta["changed"])
            what = "1 offer has" if number == 1 else f"{number} offers have"
            self.plan.notes.append(f"{label(name)}: {what} got another link or place, and the old one is not kept.")
        delta, now, newer = by_key(name, delta), self.value(name), self.present.standing(self.show.pk, change, name)
        lock = next((other for other in newer if self.locks_still(other, name)), None)
        edits = [other for other in newer if name in other.fields and name not in VOLATILE_FIELDS]
        kept = {member for edit in edits for member in members_in(by_key(name, edit.fields[name]))}
        try:
            value, alone = undone(now, delta, kept), undone(now, delta)
        except InTheWay:
            self.keep(name, edits[0] if edits else None)
            return
        if alone == now:
            return  # it is as before already
        if lock is not None or (edits and not isinstance(delta, Mapping)):
            self.keep(name, lock or edits[0])
            return
        if value != alone:
            self.conflict(name, f"{deed(edits[0], {name})}: what that changed stays.", edits[0])
        self.values[name] = self.without_aliases(value) if name == "networks" else value

    def locks_still(self, change: Change, name: str) -> bool:
        """Whether a person locked the field in this change, as it stood, and it is still locked."""
        added = (change.fields.get("locked_fields") or {}).get("added", ())
        return (
            change.user_id is not None
            and name in added
            and name in self.show.locked_fields
            and name not in change.fields
        )

    def keep(self, name: str, newer: Change | None) -> None:
        """A field stays; with an id what was decided with it."""
        self.stop(
            name, f"{deed(newer, {name}) if newer else f'{label(name)} has been changed since'}: it stays.", newer
        )
        if flag := RESOLUTION_FLAGS.get(name):
            self.stopped.add(flag)
            self.values.pop(flag, None)

    def open_lock(self, change: Change, name: str) -> None:
        """Not where upstream's value would then take the place of somebody's newer edit."""
        if name not in self.locked or name in self.stopped:
            return
        newer = next(iter(self.present.standing(self.show.pk, change, name)), None)
        if newer is None:
            self.locked.discard(name)
        else:
            self.stop(name, f"{label(name)} stays locked: {deed(newer, {name})}.", newer)

    def keep_taken_ids(self, given_up: set[tuple[str, Any]]) -> None:
        """An id that another show has meanwhile stays with it, and what was decided with it here stays too."""
        for name in UNIQUE:
            value = self.values.get(name)
            if value is None or value == self.present.value(self.show, name) or (name, value) in given_up:
                continue
            holder = (
                Show.all_objects.filter(**{name: value}).exclude(pk=self.show.pk).only("name", "deleted_at").first()
            )
            if holder is not None:
                where = " in the trash" if holder.deleted_at else ""
                self.stop(name, f"{label(name)} {value} is that of {holder.name}{where} now: it stays.", None)
                self.stopped.add(RESOLUTION_FLAGS[name])
                for stopped in (name, RESOLUTION_FLAGS[name]):
                    self.values.pop(stopped, None)
                self.locked = self.locked - {name} | ({name} & set(self.show.locked_fields))

    def finish(self, *, synced: bool) -> ShowPlan:
        before, plan = set(self.show.locked_fields), self.plan
        plan.opened, plan.closed = before - self.locked, self.locked - before
        plan.foreign = synced and self.value("tmdb_id") != self.show.tmdb_id
        for name in plan.opened & set(self.show.upstream_values):
            if plan.foreign and is_tmdbs(name):
                continue
            value = self.show.upstream_values[name]
            if value is not None or field_of(name).null:
                self.values[name] = value
        for name, value in self.values.items():
            now = self.present.value(self.show, name)
            if value != now:
                plan.now[name], plan.then[name] = now, value
                for key in [*now, *value] if name in KEYS else ():
                    self.present.label(name, key)
        if self.live != (self.show.deleted_at is None):
            plan.trashed = not self.live
        return plan

    def value(self, name: str) -> Any:
        return self.values[name] if name in self.values else self.present.value(self.show, name)

    def without_aliases(self, networks: list[int]) -> list[int]:
        """A network that was merged into another stands for that one."""
        return list(dict.fromkeys(self.present.aliases.get(pk, pk) for pk in networks))

    def newer(self, change: Change, kinds: tuple[Kind, ...]) -> Change | None:
        newer = self.present.newer_changes(self.show.pk, change)
        return next((other for other in newer if other.kind in kinds), None)

    def stop(self, name: str, reason: str, change: Change | None) -> None:
        if name not in self.stopped:
            self.stopped.add(name)
            self.conflict(name, reason, change)

    def conflict(self, name: str, reason: str, change: Change | None) -> None:
        self.plan.conflicts.append(Conflict(self.show.pk, self.show.name, name, reason, change))


def is_tmdbs(name: str) -> bool:
    """Whether it is TMDb that tells of a field, and not IMDb."""
    return name == "imdb_id" or not name.startswith("imdb_")


def last_name(changes: Sequence[Change]) -> str:
    """What a show was called that is gone, as far as its changes (newest first) say."""
    names = (change.fields.get("name") for change in changes)
    return next((str(side) for name in names if isinstance(name, list) for side in reversed(name) if side), "")
