"""The one place where a change of a show becomes a Change row.

Everything that writes a show (a sync, an editor, an import, a merge) makes its row here, in its own
transaction; history, feed and events are read from the rows alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection, transaction

from catalog import bell
from catalog.models import Change
from catalog.models.change import Kind

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Figures that move every day: a change of these alone is kept shorter and hidden from the history.
VOLATILE_FIELDS = frozenset({"tmdb_vote_average", "tmdb_vote_count", "tmdb_popularity"})


# PostgreSQL's advisory lock under which ids are given out, until the commit: without it a slower transaction's
# lower id would become visible after a higher one has been read, and a reader of the feed would miss it.
FEED_LOCK = 0x545252  # "TRR"


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change: a person, or a run of a job (by its id); why, and as part of which batch."""

    user: "User | None" = None
    run_id: int | None = None
    reason: str = ""
    batch_id: UUID | None = None


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
    """What was added to and removed from a set, each in a stable order; None when nothing was.

    `at` says where the removed ones had stood, so that a revert can put them back in their places; `order`
    how those that stayed had stood, where that changed too.
    """
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    added = [item for item in new if item not in old]
    removed = [item for item in old if item not in new]
    if not added and not removed:
        return None
    change = {"added": added, "removed": removed}
    if removed:
        change["at"] = [position for position, item in enumerate(old) if item not in new]
    stayed = [item for item in old if item in new]
    if stayed != [item for item in new if item in old]:
        change["order"] = stayed
    return change


def is_volatile(name: str, change: Any) -> bool:
    """Whether a change is one of figures alone; a set that keeps its members has only moved in its order."""
    if isinstance(change, dict):
        return not change["added"] and not change["removed"]
    return name in VOLATILE_FIELDS


def change_of(show_id: UUID, kind: Kind, fields: Mapping[str, Any], author: Author) -> Change:
    """An unsaved Change; save it in the transaction that makes the change."""
    return Change(
        show_id=show_id,
        kind=kind,
        fields=dict(fields),
        user=author.user,
        run_id=author.run_id,
        reason=author.reason,
        batch_id=author.batch_id,
        volatile=kind == Kind.UPDATED and bool(fields) and all(map(is_volatile, fields, fields.values())),
    )


def save_changes(changes: Iterable[Change]) -> None:
    """Writes Change rows whose ids are in the order in which readers come to see them.

    The last thing to do in a transaction: it lets one writer pass at a time, until that one's commit. (On
    SQLite there is never more than one writer.)
    """
    rows = list(changes)
    if not rows:
        return
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FEED_LOCK])
    Change.objects.bulk_create(rows, batch_size=500)
    transaction.on_commit(bell.ring, robust=True)
