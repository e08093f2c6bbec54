"""Which of two shows' values is taken where they are merged, and what becomes of the locks."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from catalog.changes import plain, value_change
from catalog.edits import field_change, in_order, is_upstreams, lock_change
from catalog.links import RELATIONS, said_by_upstream
from catalog.locks import EDITABLE, LOCKABLE, RESOLUTION_FLAGS
from catalog.models import Show
from catalog.moving import NAMES, Moving, differ, told_of
from catalog.values import field_of, normal_list

LISTS: Final[tuple[str, ...]] = ("genres", "keywords", "tags", "listed_on")


def with_flags(picks: Mapping[str, str]) -> dict[str, str]:
    """Whether an id is in doubt is said of that id, and goes where it goes."""
    whole = dict(picks)
    for name, flag in RESOLUTION_FLAGS.items():
        if picks.get(name) == "source":
            whole.setdefault(flag, "source")
    return whole


def check_picks(picks: Mapping[str, str]) -> None:
    """Raises ValueError: a page offers no others."""
    for name, pick in picks.items():
        if name not in EDITABLE | NAMES or pick not in ("source", "target", "both"):
            raise ValueError(f"no such pick: {name}={pick}")
        if pick == "both" and name not in LISTS and name not in NAMES:
            raise ValueError(f"no such pick: {name}={pick}")


def pick_of(relation: Any, picks: Mapping[str, str]) -> str:
    """Rows of which no change tells are never picked: all go over."""
    told = told_of(relation)
    return picks.get(told.name, "both") if told else "both"


def upstream_of(name: str, source: Show, target: Show, picks: Mapping[str, str]) -> Show:
    """Which of the two upstream goes on speaking of, for this field: the one whose id the target ends up with."""
    key = "imdb_id" if name.startswith("imdb_") and name != "imdb_id" else "tmdb_id"
    return source if picks.get(key) == "source" and getattr(source, key) is not None else target


class Decided:
    """What becomes of the target's columns and locks; `undo` says it as JSON, in terms of before and after.

    An entry of `undo`: {"value": [before, after], "lock": [before, after], "said": [before, after]}, without
    a value for a relation; what upstream has said is a list of one, or null for nothing yet.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.locks: dict[str, bool] = {}
        self.said: dict[str, list[Any] | None] = {}
        self.undo: dict[str, dict[str, Any]] = {}

    def add(self, target: Show, name: str, lock: bool, said: list[Any] | None) -> None:
        self.locks[name], self.said[name] = lock, said
        before = [target.upstream_values[name]] if name in target.upstream_values else None
        self.undo[name] = {"lock": [target.is_locked(name), lock], "said": [before, said]}

    def add_value(self, target: Show, name: str, value: Any, lock: bool, said: list[Any] | None) -> None:
        self.add(target, name, lock, said)
        if value != getattr(target, name):
            self.values[name] = value
        self.undo[name]["value"] = value_change(getattr(target, name), value)

    def lock_relations(self, source: Show, target: Show, movings: Iterable[Moving], picks: Mapping[str, str]) -> None:
        """Before the rows are moved: what is picked and upstream would take back is locked, as of a column.

        Of both, the next sync takes those that upstream does not say, unless an editor had locked them: a set
        that is his stays his where it goes.
        """
        for moving in movings:
            if moving.told is None:
                continue
            name, pick = moving.told.name, pick_of(moving.relation, picks)
            upstream = upstream_of(name, source, target, picks)
            if pick == "both":
                lock = source.is_locked(name) and bool(moving.rows)
                if not lock or target.is_locked(name):
                    continue
            elif pick == "target" and upstream is target:
                continue
            else:
                chosen = source if pick == "source" else target
                lock = upstream.is_locked(name) or (chosen is not upstream and differ(moving))
            self.add(target, name, lock, set_said_of(upstream, name) if lock else None)

    def apply(self, target: Show) -> dict[str, Any]:
        """Sets it all on the row in hand; the changes, as a Change tells them."""
        changes = {name: field_change(getattr(target, name), value) for name, value in self.values.items()}
        for name, value in self.values.items():
            setattr(target, name, value)
        return changes | set_locks(target, self.locks, self.said)


def decide(source: Show, target: Show, picks: Mapping[str, str]) -> Decided:
    decided = Decided()
    for name, pick in picks.items():
        if name in NAMES:
            continue
        mine, theirs = getattr(target, name), getattr(source, name)
        upstream = upstream_of(name, source, target, picks)
        if mine == theirs or (pick == "target" and upstream is target):
            continue
        chosen = source if pick == "source" else target
        value = normal_list([*mine, *theirs]) if pick == "both" else getattr(chosen, name)
        if value == mine and upstream is target:
            continue
        # A value that upstream does not say would be gone with the next sync.
        lock = name in LOCKABLE and (value != getattr(upstream, name) or upstream.is_locked(name))
        said = said_of(upstream, name) if lock else kept_beside(upstream, name)
        if name in RESOLUTION_FLAGS and said == [value]:
            lock, said = chosen.is_locked(name), None  # upstream says this very id: it contradicts no more
        elif lock and said is None:
            said = kept_beside(chosen, name)
        decided.add_value(target, name, value, lock, said)
    return decided


def kept_beside(show: Show, name: str) -> list[Any] | None:
    return [show.upstream_values[name]] if name in show.upstream_values else None


def said_of(show: Show, name: str) -> list[Any] | None:
    """What upstream says of this show's field."""
    if name in show.upstream_values or show.is_locked(name) or not is_upstreams(show, name):
        return kept_beside(show, name)
    return [plain(getattr(show, name))]


def set_said_of(show: Show, name: str) -> list[Any] | None:
    """What upstream says of a set of this show; of offers nothing is kept."""
    if name in show.upstream_values or show.is_locked(name) or name not in RELATIONS:
        return kept_beside(show, name)
    ids = said_by_upstream(show, name)
    return None if ids is None else [ids]


def set_locks(show: Show, locks: Mapping[str, bool], said: Mapping[str, list[Any] | None]) -> dict[str, Any]:
    """Locks and unlocks; the change of the locks, if there is one."""
    former = show.locked_fields
    unlocked = {name for name, lock in locks.items() if not lock}
    latter = ({*former} - unlocked) | (locks.keys() - unlocked)
    if latter != {*former}:
        show.locked_fields = in_order(latter)
    beside = {name: value for name, value in show.upstream_values.items() if name not in said}
    show.upstream_values = beside | {name: entry[0] for name, entry in said.items() if entry is not None}
    return lock_change(former, show.locked_fields)


def put_back(
    target: Show, undo: Mapping[str, Mapping[str, Any]], swapped: Collection[str], back: Collection[str]
) -> tuple[Decided, list[str]]:
    """What `Decided.undo` of a merge says, the other way round; and the fields that somebody has changed since.

    Of the ids that had changed places (`swapped`) those come back that the target still has (`back`).
    """
    decided, changed = Decided(), []
    for name, entry in undo.items():
        if name not in back if name in swapped else changed_since(target, name, entry):
            changed.append(name)
            continue
        lock, (said, told), now = entry["lock"][0], entry["said"], kept_beside(target, name)
        # What upstream has said since is newer than what it said then, unless it spoke of another id.
        newer = entry["lock"][1] and now is not None and now != told and not swapped
        if newer and lock:
            said = now
        if "value" not in entry:
            decided.add(target, name, lock, said)
            continue
        value = now[0] if newer and not lock and now is not None else entry["value"][0]
        decided.add_value(target, name, field_of(name).to_python(value), lock, said)
    return decided, changed


def changed_since(target: Show, name: str, entry: Mapping[str, Any]) -> bool:
    """Whether a person has changed a field since the merge. One that follows upstream, nobody has."""
    lock = entry["lock"][1]
    if target.is_locked(name) != lock:
        return True
    follows = name in LOCKABLE and not lock
    return "value" in entry and not follows and plain(getattr(target, name)) != entry["value"][1]
