"""The tabs of the workbook: each is its header, and how shows become its rows.

Readers and their formulas depend on every byte of them: the order of the columns, which cells are numbers, how a date
is written. What is known of a show is told as it stands in the catalogue, so that an editor's value wins.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery

from catalog.models import Show, ShowNetwork
from catalog.show_filters import VIEW, filtered_shows
from exports.tables import Row, Table, plain

ROWS_AT_ONCE: Final = 2_000  # that are read from the database


class Tab(ABC):
    """title, header: as they stand in the workbook.

    keys: by which columns a row is known, the first choice first; the last of several is a name.
    listed: columns whose texts this or other tabs put into lists that readers split at commas.
    """

    title: ClassVar[str]
    header: ClassVar[tuple[str, ...]]
    keys: ClassVar[tuple[tuple[str, ...], ...]]
    listed: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def rows(self, shows: QuerySet[Show]) -> Iterator[Row]:
        """What these shows give, in an order in which new rows come last. Numbers are numbers; ids and dates texts."""


class ShowInfo(Tab):
    title = "ShowInfo"
    header = (
        "Show",
        "Network",
        "ShowTotalSeasons",
        "ShowTotalEpisodes",
        "IMDbSeriesID",
        "TMDbSeriesID",
        "Most Recent Episode",
        "OVERRIDE",
    )
    keys = (("TMDbSeriesID",), ("IMDbSeriesID",), ("Show",))
    listed = ("Show",)

    def rows(self, shows: QuerySet[Show]) -> Iterator[Row]:
        networks = ShowNetwork.objects.filter(show=OuterRef("pk")).order_by("position", "pk")
        found = shows.order_by("created_at", "pk").values_list(
            "name",
            Subquery(networks.values("network__name")[:1]),
            "show_total_seasons",
            "show_total_episodes",
            "imdb_id",
            "tmdb_id",
            "most_recent_episode_air_date",
            "override",
        )
        for name, network, seasons, episodes, imdb_id, tmdb_id, aired, override in found.iterator(ROWS_AT_ONCE):
            yield (
                name,
                network or "",
                seasons or "",  # 0 is as unknown as none
                episodes or "",
                imdb_id or "",
                str(tmdb_id or ""),
                aired.isoformat() if aired else "",
                override,
            )


TABS: Final[dict[str, Tab]] = {tab.title: tab for tab in (ShowInfo(),)}


def exported_shows(view: str = "") -> QuerySet[Show]:
    """The living shows, or those of a saved view; one with the override SKIP is in no tab.

    Raises ValidationError for a view that there is not.
    """
    shows: QuerySet[Show] = Show.objects.exclude(override="SKIP")
    if view:
        shows = shows.filter(pk__in=filtered_shows({VIEW: view}).order_by().values("pk"))
    return shows


def table_of(tab: Tab, view: str = "", columns: Iterable[str] = ()) -> Table:
    """The tab as it is published now. With a view or with chosen columns it is another tab, and is named so.

    Raises ValidationError for a view or a column that there is not, and for columns that name no row.
    """
    chosen = chosen_columns(tab, columns)
    places = [tab.header.index(name) for name in chosen]
    rows = [tuple(plain(row[place]) for place in places) for row in tab.rows(exported_shows(view))]
    keys = tuple(key for key in tab.keys if set(key) <= set(chosen))
    return Table(title_of(tab, view, chosen), chosen, rows, keys)


def chosen_columns(tab: Tab, columns: Iterable[str]) -> tuple[str, ...]:
    """The columns of the tab's order; all of them where none is named. Upper and lower case are the same."""
    wanted = {name.strip().casefold() for name in columns if name.strip()}
    if not wanted:
        return tab.header
    if unknown := sorted(wanted - {name.casefold() for name in tab.header}):
        raise ValidationError(f"{tab.title} has no column {', '.join(unknown)}; it has {', '.join(tab.header)}.")
    chosen = tuple(name for name in tab.header if name.casefold() in wanted)
    if not any(set(key) <= set(chosen) for key in tab.keys):
        ways = " or ".join(" and ".join(key) for key in tab.keys)
        raise ValidationError(f"Choose {ways} as well: by that a row of {tab.title} is known.")
    return chosen


def title_of(tab: Tab, view: str, chosen: tuple[str, ...]) -> str:
    """A part of a tab never takes the place of the whole one."""
    parts = [tab.title, view, "" if chosen == tab.header else "(columns)"]  # no slug has parentheses
    return " ".join(part for part in parts if part)


def comma_warnings(tab: Tab, table: Table) -> list[str]:
    """Names that readers will take apart."""
    warnings = []
    for column in set(tab.listed) & set(table.header):
        place = table.header.index(column)
        names = [str(row[place]) for row in table.rows if "," in str(row[place])]
        if names:
            some = ", ".join(f"“{name}”" for name in names[:3]) + (" and others" if len(names) > 3 else "")
            count = f"{len(names)} name{'' if len(names) == 1 else 's'}"
            warnings.append(f"{count} in {column} with a comma, at which readers of lists split: {some}")
    return warnings
