"""The figures of the dashboard about the catalogue itself: each in one query, whatever its size."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from catalog.models import Change, Show, ShowNetwork, ShowWatchProvider

WINDOW = 20_000  # the newest changes that are looked at: there is no index on their time
NEWEST = 8  # changes by people
NEWEST_RUNS = 5


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    label: str
    part: int
    whole: int

    @property
    def percent(self) -> int:
        """Rounded so that 100 means all of them, and 0 none."""
        if not self.whole:
            return 0
        if self.part in (0, self.whole):
            return 100 * self.part // self.whole
        return min(99, max(1, round(100 * self.part / self.whole)))


def coverage() -> list[Share]:
    """How many of the living shows have what they need; the first share is of all of them."""
    offered = ShowWatchProvider.objects.filter(show=OuterRef("pk"))
    figures = Show.objects.order_by().aggregate(
        shows=Count("pk"),
        tmdb=Count("pk", filter=Q(tmdb_id__isnull=False)),
        imdb=Count("pk", filter=Q(imdb_id__isnull=False)),
        offered=Count("pk", filter=Exists(offered)),
    )
    shows = figures["shows"]
    return [
        Share("Shows with a TMDb id", figures["tmdb"], shows),
        Share("Shows with an IMDb id", figures["imdb"], shows),
        Share("Shows with somewhere to watch", figures["offered"], shows),
    ]


def networks_with_shows() -> list[dict[str, Any]]:
    """All networks of living shows, those with the most first: their id, name, number of shows, and logo's key."""
    links = ShowNetwork.objects.filter(show__deleted_at__isnull=True).order_by()
    counts = links.values("network_id").annotate(
        shows=Count("show_id"), name=Max("network__name"), logo=Max("network__hosted_logo_key")
    )
    return [dict(row) for row in counts.order_by("-shows", "name", "network_id")]


@dataclass(frozen=True, slots=True)
class Activity:
    """What was changed in a time, of more than votes and popularity: by people (the busiest first), and by runs."""

    people: list[tuple[str, int]]
    by_runs: int
    more: bool  # there may be older ones that were not looked at

    @property
    def by_people(self) -> int:
        return sum(count for _, count in self.people)


def window() -> QuerySet[Change]:
    floor = Change.objects.order_by("-pk").values("pk")[WINDOW : WINDOW + 1]
    return Change.objects.filter(pk__gt=Coalesce(Subquery(floor), 0))


def activity(since: datetime) -> Activity:
    groups = window().filter(ts__gte=since).order_by().values("user_id")
    rows = groups.annotate(name=Max("user__username"), told=Count("pk", filter=Q(volatile=False)), all=Count("pk"))
    people = [(row["name"], row["told"]) for row in rows if row["user_id"] is not None and row["told"]]
    return Activity(
        people=sorted(people, key=lambda row: (-row[1], row[0])),
        by_runs=sum(row["told"] for row in rows if row["user_id"] is None),
        more=sum(row["all"] for row in rows) >= WINDOW,
    )


def newest_changes() -> list[Any]:
    """Those by no run, of more than votes and popularity: a sync of one night would push out all that people did.

    With the `show_name` (None where the show is gone for good) and `show_deleted_at` of the show.
    """
    show = Show.all_objects.filter(pk=OuterRef("show_id")).order_by()
    changes = window().filter(volatile=False, run_id__isnull=True).select_related("user")
    named = changes.annotate(
        show_name=Subquery(show.values("name")[:1]), show_deleted_at=Subquery(show.values("deleted_at")[:1])
    )
    return list(named.order_by("-pk")[:NEWEST])


def newest_runs() -> list[dict[str, Any]]:
    """The runs that changed more than votes and popularity, the last first: their id, when, and how much."""
    runs = window().filter(volatile=False, run_id__isnull=False).order_by().values("run_id")
    counted = runs.annotate(
        last=Max("pk"),
        ts=Max("ts"),
        changes=Count("pk"),
        shows=Count("show_id", distinct=True),
        created=Count("pk", filter=Q(kind=Change.Kind.CREATED)),
    )
    return [dict(row) for row in counted.order_by("-last")[:NEWEST_RUNS]]
