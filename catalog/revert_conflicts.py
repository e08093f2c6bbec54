"""What stands in the way of a revert, in words."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from catalog.batches import at, theirs
from catalog.models import Change
from catalog.models.change import Kind
from catalog.values import label


@dataclass(frozen=True, slots=True)
class Conflict:
    """What stays as it is, and why; `change` is the newer edit that stands in the way, where there is one."""

    show_id: UUID
    show: str
    field: str  # empty: the show as such
    reason: str
    change: Change | None = None


DEEDS = {Kind.DELETED: "deleted", Kind.CREATED: "restored", Kind.MERGED: "merged"}


def deed(change: Change, names: Collection[str]) -> str:
    """What a newer change did, to these fields: like `anna locked Name at 12:03 UTC`."""
    if change.kind == Kind.UPDATED and not change.fields.keys().isdisjoint(names):
        return theirs(change, set(names))
    who = change.user.get_username() if change.user else "a sync" if change.run_id else "somebody"
    if change.kind in DEEDS:
        return f"{who} {DEEDS[Kind(change.kind)]} it {at(change.ts)}"
    locks = change.fields.get("locked_fields") or {}
    told = []
    for part, verb in (("added", "locked"), ("removed", "unlocked")):
        if of_part := [label(name) for name in locks.get(part, ()) if name in names]:
            told.append(f"{verb} {', '.join(of_part)}")
    return f"{who} {' and '.join(told) or 'changed it'} {at(change.ts)}"
