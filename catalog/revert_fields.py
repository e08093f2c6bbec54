"""Taking one entry of `Change.fields` back, on a value that may have changed since. No query is made here.

Networks, companies and offers stand here by their keys, as their names may have changed since too.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from catalog.links import RELATIONS, label_id
from catalog.locks import EDITABLE

OFFERS: Final = "watch_providers"
OfferKey = tuple[str, str, int]  # region, offer type, provider id

SET_PARTS: Final = ("added", "removed", "order")
REVERTIBLE: Final[frozenset[str]] = EDITABLE | {*RELATIONS, OFFERS}


class InTheWay(Exception):
    """The value is not what the change left: something newer stands there."""


@lru_cache(maxsize=2**16)  # thousands of shows are on the same few hundred offers
def offer_key(label: str) -> OfferKey:
    """The key in an offer's label, like `US flatrate Netflix (8)`."""
    region, offer_type, provider = label.split(" ", 2)
    return region, offer_type, label_id(provider)


KEYS: Final[dict[str, Callable[[str], Any]]] = {**dict.fromkeys(RELATIONS, label_id), OFFERS: offer_key}


def by_key(name: str, change: Any) -> Any:
    """`change` with keys in the place of labels; a column's is as it was. Raises ValueError for no label."""
    key = KEYS.get(name)
    if key is None:
        return change
    if isinstance(change, Mapping):
        return {**change, **{part: [*map(key, change[part])] for part in SET_PARTS if part in change}}
    return [[*map(key, side)] for side in change]


def labels_in(name: str, change: Any) -> dict[Any, str]:
    """Key -> label of all whom a change of a relation or of offers names."""
    if isinstance(change, Mapping):
        return {KEYS[name](label): label for part in ("added", "removed") for label in change[part]}
    return {KEYS[name](label): label for side in change for label in side}


def undone(now: Any, change: Any, kept: Collection[Hashable] = ()) -> Any:
    """What `now` was before the change. Raises InTheWay where it is neither what the change left nor what it found.

    In a set each member stands for itself: those that newer changes brought stay, those that they took stay away,
    and so do those in `kept`, of which a newer change decided.
    """
    if isinstance(change, Mapping):
        return undone_set(now, change, kept)
    before, after = change
    if now not in (before, after):
        raise InTheWay
    return before


def undone_set(now: Sequence[Hashable], change: Mapping[str, Any], kept: Collection[Hashable] = ()) -> list[Any]:
    """Without those that were added, and with those that were removed, in their places as far as these are known.

    `order` is that of the members which stayed, where the change turned it.
    """
    added = set(change["added"]).difference(kept)
    members = [member for member in now if member not in added]
    if turned := [member for member in change.get("order", ()) if member in members]:
        next_one = iter(turned)
        members = [next(next_one) if member in turned else member for member in members]
    places = change.get("at") or [len(members) + len(change["removed"])] * len(change["removed"])
    there = set(members)
    for place, member in zip(places, change["removed"], strict=True):
        if member not in there and member not in kept:
            members.insert(place, member)
    return members


def members_in(change: Any) -> set[Any]:
    """Those whom a change of a set brought or took; a change of a column, or of an order, has none."""
    return {*change["added"], *change["removed"]} if isinstance(change, Mapping) else set()


def without(now: Any, changes: Sequence[Any]) -> Any:
    """What `now` would be without these changes of it, newest first, whatever stood in their way."""
    for change in changes:
        now = undone_set(now, change) if isinstance(change, Mapping) else change[0]
    return now
