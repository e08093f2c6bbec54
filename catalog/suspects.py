"""Shows that might be one and the same: for an editor to merge, or to tell apart."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations, groupby
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Q

from catalog.models import Show

# A name that more shows have than this pairs each with the oldest alone: all pairs would be too many to look at.
NAMESAKES: Final = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """Two shows that are suspected to be one, the smaller id first, and why."""

    a: UUID
    b: UUID
    reasons: tuple[str, ...]

    @property
    def key(self) -> str:
        return pair_key(self.a, self.b)


def pair_key(one: UUID, other: UUID) -> str:
    """The name of a pair, whichever is asked first: a decision about it sticks to this."""
    return ":".join(map(str, sorted((one, other))))


def ids_of(key: str) -> tuple[UUID, UUID]:
    """Raises ValueError for what is no key of a pair."""
    one, _, other = key.partition(":")
    return UUID(one), UUID(other)


def suspected_duplicates() -> list[Pair]:
    """Pairs of living shows, those with an id in common first, then by name.

    Shows of one name are a pair when their years are the same, one apart, or not known of both. The number
    of queries is the same for any number of shows.
    """
    reasons: dict[str, list[str]] = defaultdict(list)
    for one, other, why in (*sharing_an_id(), *namesakes()):
        found = reasons[pair_key(one, other)]
        if why not in found:
            found.append(why)
    return [Pair(*ids_of(key), tuple(why)) for key, why in reasons.items()]


def sharing_an_id() -> Iterator[tuple[UUID, UUID, str]]:
    """Shows of which upstream says an id that another show has."""
    said = Show.objects.filter(upstream_values__has_any_keys=["tmdb_id", "imdb_id"]).order_by("name", "pk")
    rows = list(said.values_list("pk", "upstream_values__tmdb_id", "upstream_values__imdb_id"))
    tmdb_ids = {tmdb_id for _, tmdb_id, _ in rows if isinstance(tmdb_id, int)}
    imdb_ids = {imdb_id for _, _, imdb_id in rows if isinstance(imdb_id, str)}
    holders: dict[tuple[str, Any], UUID] = {}
    having = Show.objects.filter(Q(tmdb_id__in=tmdb_ids) | Q(imdb_id__in=imdb_ids))
    for pk, tmdb_id, imdb_id in having.values_list("pk", "tmdb_id", "imdb_id"):
        holders |= {("TMDb", tmdb_id): pk, ("IMDb", imdb_id): pk}
    for pk, tmdb_id, imdb_id in rows:
        for label, value in (("TMDb", tmdb_id), ("IMDb", imdb_id)):
            holder = holders.get((label, value)) if isinstance(value, int | str) else None
            if holder is not None and holder != pk:
                yield pk, holder, f"{label} id {value} of the one is what upstream says of the other"


def namesakes() -> Iterator[tuple[UUID, UUID, str]]:
    shared = Show.objects.order_by().values("name_key").annotate(number=Count("pk")).filter(number__gt=1)
    rows = (
        Show.objects.filter(name_key__in=shared.values("name_key"))
        .order_by("name_key", "created_at", "pk")
        .values_list("name_key", "pk", "premiere_date", "tmdb_first_air_date", "imdb_date_published")
    )
    for _, group in groupby(rows, key=lambda row: row[0]):
        shows = [(row[1], year(row[2:])) for row in group]
        for (one, first), (other, second) in pairs(shows):
            if why := same_years(first, second):
                yield one, other, why


def pairs(shows: list[tuple[UUID, int | None]]) -> Iterable[tuple[tuple[UUID, int | None], tuple[UUID, int | None]]]:
    if len(shows) <= NAMESAKES:
        return combinations(shows, 2)
    return ((shows[0], other) for other in shows[1:])


def year(days: Iterable[date | None]) -> int | None:
    """The year a show began, by the first source that knows it."""
    return next((day.year for day in days if day is not None), None)


def same_years(one: int | None, other: int | None) -> str:
    """What the years of two shows of one name say for their being the same show; empty where they speak against it."""
    if one is None or other is None:
        known = one or other
        return f"the same name; the year of only one is known ({known})" if known else "the same name; no year is known"
    if one == other:
        return f"the same name and year ({one})"
    return f"the same name, a year apart ({one}, {other})" if abs(one - other) == 1 else ""
