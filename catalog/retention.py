"""How long changes are kept: as history for people, and as the feed, which are the same rows.

A change of votes and popularity alone is dropped early, but only where a later change of the same show is
kept: who reads the feed hears of that show all the same and misses nothing. Every other change is kept until it is
older than HISTORY_KEPT; from then on who has not read so far is told to read everything anew (`feed.Pruned`).
The newest change of a show always stays.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from catalog.models import Change, FeedStart

AT_ONCE = 2_000  # rows of one transaction
# What other apps no longer keep: (what it is, its rows), parts before what they belong to.
droppable: list[Callable[[datetime], Iterable[tuple[str, QuerySet[Any]]]]] = []


@dataclass(frozen=True, slots=True)
class Pruned:
    volatile: int  # changes of votes and popularity alone
    old: int


def always() -> bool:
    return True


def prune_changes(
    now: datetime, kept: timedelta | None = None, *, dry_run: bool = False, go_on: Callable[[], bool] = always
) -> Pruned:
    """Drops what is no longer kept, and says how much; with `dry_run` how much it would be.

    `go_on` is asked before every batch: when it says no, the rest is left for another time.
    """
    volatile = superseded().filter(volatile=True, ts__lt=now - settings.VOLATILE_HISTORY_KEPT)
    old = superseded().filter(ts__lt=now - (kept or settings.HISTORY_KEPT))
    if dry_run:
        count = volatile.count()
        return Pruned(count, old.exclude(pk__in=volatile.values("pk")).count())
    return Pruned(drop(volatile, go_on, raises_start=False), drop(old, go_on, raises_start=True))


def superseded() -> QuerySet[Change]:
    """Changes after which there is another one of the same show that readers of the feed are told of."""
    later = Change.objects.filter(show_id=OuterRef("show_id"), id__gt=OuterRef("id")).exclude(kind="commented")
    return Change.objects.filter(Exists(later)).order_by("id")


def drop(changes: QuerySet[Change], go_on: Callable[[], bool], *, raises_start: bool) -> int:
    total = 0
    while go_on():
        with transaction.atomic():
            ids = list(changes.values_list("id", flat=True)[:AT_ONCE])
            if not ids:
                break
            if raises_start:
                raise_start(ids[-1])
            Change.objects.filter(pk__in=ids).delete()
        total += len(ids)
    return total


def raise_start(change_id: int) -> None:
    """Who has read less than this must read everything anew."""
    FeedStart.objects.get_or_create(id=1)
    FeedStart.objects.filter(id=1, pruned_through__lt=change_id).update(pruned_through=change_id)
