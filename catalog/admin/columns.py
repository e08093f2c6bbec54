"""The columns of the list of shows: what each cell shows, and by what it is sorted.

A cell is made some thousand times a page, so cells are joined strings; what comes from data goes through `escape`.
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import F, OrderBy, OuterRef, Prefetch, QuerySet, Subquery
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString

from catalog.admin import desk
from catalog.models import Network, Show, ShowNetwork
from catalog.values import label as field_label

LONGEST_TAGS = 100_000  # characters; the reader of quoted tags takes a little more
EDITABLE: Final = ("name", "override", "tags")


@dataclass(frozen=True, slots=True)
class GridColumn:
    """`html` gives a cell's escaped content. One without `order_by` is not sorted by."""

    name: str
    label: str
    html: Callable[[Any], str]
    order_by: tuple[str, ...] = ()
    annotate: Callable[[QuerySet[Show]], QuerySet[Show]] | None = None  # what `html` needs
    annotate_order: Callable[[QuerySet[Show]], QuerySet[Show]] | None = None  # what `order_by` needs
    usual: bool = True
    number: bool = False

    @property
    def editable(self) -> bool:
        return self.name in EDITABLE

    def ordered(self, *, descending: bool) -> list[OrderBy]:
        """Empty cells last, whichever way: the databases do not agree on where they belong."""
        return [F(name).desc(nulls_last=True) if descending else F(name).asc(nulls_last=True) for name in self.order_by]


# --- what is typed into a cell


def tags_text(tags: Iterable[str]) -> str:
    """Tags as a cell holds them, like `new, pilot`; one with a comma is quoted."""
    return ", ".join('"' + tag.replace('"', '""') + '"' if set(tag) & set(',"') else tag for tag in tags)


def text_tags(text: str) -> list[str]:
    """The tags of a cell's text. Raises ValueError for one that is too long to be one."""
    if len(text) > LONGEST_TAGS:
        raise ValueError(f"At most {LONGEST_TAGS:,} characters.")
    rows = csv.reader([" ".join(text.splitlines())], skipinitialspace=True)
    return [tag.strip() for row in rows for tag in row if tag.strip()]


def cell_text(show: Show, name: str) -> str:
    """What an editor finds in a cell when he begins to type."""
    value = getattr(show, name)
    return tags_text(value) if isinstance(value, list) else str(value or "")


# --- what is shown


def plain(name: str) -> Callable[[Any], str]:
    def html(show: Any) -> str:
        value = getattr(show, name)
        if value is None:
            return ""
        if isinstance(value, list):
            value = tags_text(value)
        return escape(value)

    return html


def stamp(name: str) -> Callable[[Any], str]:
    def html(show: Any) -> str:
        value = getattr(show, name)
        return f"{value:%Y-%m-%d %H:%M}" if value else ""

    return html


def link_to(address: str, name: str) -> Callable[[Any], str]:
    """The id `name` as a link to its page elsewhere."""

    def html(show: Any) -> str:
        value = getattr(show, name)
        if value is None:
            return ""
        text = escape(value)
        return f'<a href="{address}{text}" target="_blank" rel="noopener">{text}</a>'

    return html


def networks(show: Any) -> str:
    """The first network's logo, and the names of all."""
    links = show.show_networks.all()
    if not links:
        return ""
    logo = links[0].network.hosted_logo_url
    image = f'<img class="desk-logo" src="{escape(logo)}" alt="" loading="lazy"> ' if logo else ""
    return image + escape(", ".join(str(link.network) for link in links))


def needs(show: Any) -> str:
    if show.needs_tmdb_resolution:
        gone = show.tmdb_id is not None
        tmdb = f'<span class="desk-badge bad">{"Gone from TMDb" if gone else "TMDb id"}</span>'
    else:
        tmdb = ""
    imdb = '<span class="desk-badge warn">IMDb id</span>' if show.needs_imdb_resolution else ""
    return f"{tmdb} {imdb}".strip()


def locks(show: Any) -> str:
    """A padlock, how many fields it stands for, and which ones."""
    names = show.locked_fields
    if not names:
        return ""
    listed = escape(", ".join(map(field_label, names)))
    return (
        f'<span class="grid-locks" title="{listed}"><span class="material-symbols-outlined" aria-hidden="true">lock'
        f'</span>{len(names)}<span class="grid-said"> locked: {listed}</span></span>'
    )


def with_networks(shows: QuerySet[Show]) -> QuerySet[Show]:
    links = ShowNetwork.objects.select_related("network")
    columns = ("show_id", "position", "network__name", "network__hosted_logo_key")
    return shows.prefetch_related(Prefetch("show_networks", queryset=links.only(*columns)))


def first_network(shows: QuerySet[Show]) -> QuerySet[Show]:
    """Brings the first network's name. Its id first: PostgreSQL would join all networks for every show."""
    links = ShowNetwork.objects.filter(show=OuterRef("pk")).order_by("position", "id").values("network_id")
    name = Network.objects.filter(pk=OuterRef("first_network_id")).order_by().values("name")
    return shows.annotate(first_network_id=Subquery(links[:1])).annotate(first_network=Subquery(name[:1]))


def column(name: str, label: str, **options: Any) -> GridColumn:
    """A column of Show, sorted by itself."""
    given: dict[str, Any] = {"html": plain(name), "order_by": (name,)} | options
    return GridColumn(name, label, **given)


OURS: Final[tuple[GridColumn, ...]] = (
    column("name", "Name", order_by=("name_key",)),
    GridColumn("network", "Network", networks, ("first_network",), with_networks, first_network),
    column("override", "Override"),
    column("tags", "Tags", order_by=()),
    GridColumn("status", "Status", plain("tmdb_status"), ("tmdb_status",)),
    GridColumn("seasons", "Seasons", plain("show_total_seasons"), ("show_total_seasons",), number=True),
    GridColumn("episodes", "Episodes", plain("show_total_episodes"), ("show_total_episodes",), number=True),
    column("imdb_id", "IMDb id", html=link_to("https://www.imdb.com/title/", "imdb_id")),
    column("tmdb_id", "TMDb id", html=link_to("https://www.themoviedb.org/tv/", "tmdb_id")),
    GridColumn(
        "recent",
        "Most recent episode",
        plain("most_recent_episode"),
        ("most_recent_episode_air_date", "most_recent_episode_season", "most_recent_episode_number"),
    ),
    GridColumn("needs", "Needs", needs, ("needs_tmdb_resolution", "needs_imdb_resolution")),
    GridColumn("locked", "Locked", locks),
    GridColumn("updated", "Updated (UTC)", stamp("updated_at"), ("updated_at",)),
    column("premiere_date", "Premiere", usual=False),
    column("genres", "Genres", order_by=(), usual=False),
    column("listed_on", "Listed on", order_by=(), usual=False),
    column("tmdb_type", "Type", usual=False),
    column("tmdb_name", "TMDb's name", usual=False),
    column("tmdb_popularity", "Popularity", usual=False, number=True),
    column("imdb_title", "IMDb's title", usual=False),
    column("imdb_rating_value", "IMDb rating", usual=False, number=True),
    column("tvdb_id", "TVDB id", usual=False),
    column("wikidata_id", "Wikidata id", usual=False),
    GridColumn("created", "Created (UTC)", stamp("created_at"), ("created_at",), usual=False),
)


def all_columns() -> dict[str, GridColumn]:
    """Ours, with those of other apps before the last usual one."""
    others = [
        GridColumn(
            each.name,
            each.label,
            contributed(each.text),
            (each.order_by,) if each.order_by else (),
            annotate=each.annotate,
            annotate_order=each.annotate,
        )
        for each in desk.columns
    ]
    last = next(position for position, each in enumerate(OURS) if each.name == "locked")
    return {each.name: each for each in (*OURS[:last], *others, *OURS[last:])}


def contributed(text: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda show: conditional_escape(text(show))


# --- rows


def row_html(show: Any, columns: Iterable[GridColumn], url: str, *, editable: bool, selectable: bool) -> SafeString:
    """The row of a show. `url` is its page; `show.version` is what an edit of the row is compared with."""
    cells = []
    if selectable:
        cells.append(
            f'<td class="column-select"><input type="checkbox" name="_selected_action" value="{show.pk}" '
            f'class="action-select" aria-label="Select {escape(show.name)}"></td>'
        )
    for each in columns:
        inner, tag = each.html(show), "td"
        if each.name == "name":
            inner, tag = f'<a href="{escape(url)}">{inner}</a>', 'th scope="row"'
        kind = f"column-{each.name}{' desk-number' if each.number else ''}"
        if editable and each.editable:
            value = escape(cell_text(show, each.name))
            locked = " is-locked" if each.name in show.locked_fields else ""
            data = f' data-id="{show.pk}" data-field="{each.name}" data-value="{value}"'
            cells.append(f'<{tag} class="{kind} is-editable{locked}"{data}>{inner}</{tag[:2]}>')
        else:
            cells.append(f'<{tag} class="{kind}">{inner}</{tag[:2]}>')
    return SafeString(f'<tr data-row="{show.pk}" data-version="{show.version or 0}">{"".join(cells)}</tr>')
