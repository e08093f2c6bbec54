"""The one merge rule: what a column becomes when upstream speaks of it.

- A locked column keeps its value; what upstream says is kept beside it (`upstream_values`).
- An id (`tmdb_id`, `imdb_id`) is who a show is: upstream fills an empty one, and never changes one that
  is there; a contradiction is kept beside it for an editor.
- Every other column follows upstream, also to null: what upstream cleared is cleared here.
- A set follows upstream exactly, in upstream's order; what an editor added stays, after it.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from catalog.changes import plain

H = TypeVar("H", bound=Hashable)

FILLED_ONLY = frozenset({"tmdb_id", "imdb_id"})
REQUIRED = frozenset({"name"})  # a blank one upstream blanks nothing


@dataclass(frozen=True, slots=True)
class Merged:
    """values: columns that change, with their new value. beside: the new `upstream_values`."""

    values: dict[str, Any]
    beside: dict[str, Any]


def merge(
    upstream: Mapping[str, Any], current: Mapping[str, Any], locked: Collection[str], beside: Mapping[str, Any]
) -> Merged:
    """Merges what upstream says (columns it does not speak of are absent) into the current values."""
    values: dict[str, Any] = {}
    kept = dict(beside)
    for name, said in upstream.items():
        now = current[name]
        if name in locked:
            kept[name] = plain(said)
        elif name in FILLED_ONLY and now is not None:
            if said is None or said == now:
                kept.pop(name, None)
            else:
                kept[name] = plain(said)
        else:
            kept.pop(name, None)
            if said != now and not (said is None and name in REQUIRED):
                values[name] = said
    return Merged(values, kept)


def merge_set(upstream: Sequence[H], current: Sequence[H], by_editor: Collection[H], *, locked: bool) -> list[H]:
    """The members a set has afterwards, in order: upstream's, then those that an editor added."""
    if locked:
        return list(current)
    members = list(dict.fromkeys(upstream))
    return members + [member for member in current if member in by_editor and member not in set(members)]
