"""The one place where a change of a show becomes a Change row.

Everything that writes a show (a sync, an editor, an import, a merge) makes its row here, in its own
transaction; history, feed and events are read from the rows alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from catalog.models import Change
from catalog.models.change import Kind

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Figures that move every day: a change of these alone is kept shorter and hidden from the history.
VOLATILE_FIELDS = frozenset({"tmdb_vote_average", "tmdb_vote_count", "tmdb_popularity"})


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change: a person, or a run of a job (by its id)."""

    user: "User | None" = None
    run_id: int | None = None
    reason: str = ""


def plain(value: Any) -> Any:
    """`value` as JSON holds it: dates and ids as text."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value


def entity_label(name: str, pk: int) -> str:
    """How a change names a network, company or provider: `Bravo (74)`, as names repeat and ids do not."""
    return f"{' '.join(name.split())} ({pk})"


def value_change(before: Any, after: Any) -> list[Any]:
    return [plain(before), plain(after)]


def set_change(before: Iterable[Any], after: Iterable[Any]) -> dict[str, list[Any]] | None:
    """What was added to and removed from a set, each in a stable order; None when nothing was."""
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    added = [item for item in new if item not in old]
    removed = [item for item in old if item not in new]
    return {"added": added, "removed": removed} if added or removed else None


def change_of(show_id: UUID, kind: Kind, fields: Mapping[str, Any], author: Author) -> Change:
    """An unsaved Change; save it in the transaction that makes the change."""
    return Change(
        show_id=show_id,
        kind=kind,
        fields=dict(fields),
        user=author.user,
        run_id=author.run_id,
        reason=author.reason,
        volatile=kind == Kind.UPDATED and bool(fields) and VOLATILE_FIELDS.issuperset(fields),
    )
