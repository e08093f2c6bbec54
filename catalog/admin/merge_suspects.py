"""Suspected duplicates in the inbox, and two shows side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode

from catalog.admin import desk
from catalog.admin.author import user_of
from catalog.models import Network, Show, ShowNetwork
from catalog.review import dismiss
from catalog.search import name_key
from catalog.suspects import Pair, ids_of, suspected_duplicates, year

QUEUE = "duplicates"


@dataclass(frozen=True, slots=True)
class Side:
    """A show as it is told apart from another."""

    show: Show
    networks: list[Network]

    @property
    def url(self) -> str:
        return reverse("admin:catalog_show_change", args=(self.show.pk,))

    @property
    def year(self) -> int | None:
        return year((self.show.premiere_date, self.show.tmdb_first_air_date, self.show.imdb_date_published))


def side_by_side(shows: Sequence[Show]) -> list[Side]:
    """One query for the networks of all."""
    links: dict[UUID, list[Network]] = {show.pk: [] for show in shows}
    rows = ShowNetwork.objects.filter(show__in=links).select_related("network")
    for row in rows.only("show_id", "position", "network__name", "network__hosted_logo_key"):
        links[row.show_id].append(row.network)
    return [Side(show, links[show.pk]) for show in shows]


def names_apart(one: Side, other: Side) -> tuple[str, str]:
    """Two shows' names; namesakes with what tells them apart: the year, the networks, or an id."""
    if name_key(one.show.name) != name_key(other.show.name):
        return one.show.name, other.show.name
    for tell in TELLING:
        texts = tell(one), tell(other)
        if texts[0] != texts[1]:
            break
    return f"{one.show.name} ({texts[0]})", f"{other.show.name} ({texts[1]})"


# What is known of a show beside its name; the last is always another.
TELLING: Final[tuple[Callable[[Side], str], ...]] = (
    lambda side: str(side.year) if side.year else "year unknown",
    lambda side: ", ".join(network.name for network in side.networks) or "no network",
    lambda side: f"TMDb {side.show.tmdb_id}" if side.show.tmdb_id else "without TMDb id",
    lambda side: f"IMDb {side.show.imdb_id}" if side.show.imdb_id else "without IMDb id",
    lambda side: f"id {side.show.pk}",
)


def merge_url(*show_ids: UUID) -> str:
    """The page where the second goes into the first; where it is not given, the page asks for it."""
    return f"{reverse('admin:catalog_show_merge')}?{urlencode(dict(zip('ab', map(str, show_ids), strict=False)))}"


def keys() -> list[str]:
    return [pair.key for pair in suspected_duplicates()]


def items(keys: list[str]) -> list[desk.Item]:
    pairs = {pair.key: pair for pair in suspected_duplicates()}
    asked = [pairs[key] for key in keys if key in pairs]
    shows = Show.objects.defer("tmdb_meta", "imdb_meta").in_bulk({pk for pair in asked for pk in (pair.a, pair.b)})
    sides = {side.show.pk: side for side in side_by_side(list(shows.values()))}
    return [item(pair, [sides[pair.a], sides[pair.b]]) for pair in asked if {pair.a, pair.b} <= sides.keys()]


def item(pair: Pair, sides: list[Side]) -> desk.Item:
    sides = sorted(sides, key=lambda side: likelier_to_stay(side.show))
    url = merge_url(*(side.show.pk for side in sides))
    body = render_to_string("catalog/merge_suspects.html", {"pair": pair, "sides": sides, "merge_url": url})
    names = dict.fromkeys(side.show.name for side in sides)
    actions = (desk.Action("not_duplicates", "Not duplicates", key="n"),)
    return desk.Item(key=pair.key, title=" / ".join(names), url=url, body=body, actions=actions)


def likelier_to_stay(show: Show) -> Any:
    """Orders shows: one that is matched, and then the older one, is likelier to be known elsewhere."""
    return show.tmdb_id is None, show.imdb_id is None, show.created_at, show.pk


def act(key: str, action: str, request: HttpRequest) -> str:
    dismiss(QUEUE, key, user_of(request))
    shows = Show.objects.in_bulk(ids_of(key))
    return f"{' and '.join(show.name for show in shows.values())} are not duplicates: they are not asked about again."


SUSPECTS = desk.Queue(
    slug=QUEUE,
    title="Suspected duplicates",
    empty="No two shows look like one. Where you know better: the Merge… button of a show, or select two in the list.",
    permission="catalog.merge_show",
    keys=keys,
    items=items,
    act=act,
)
