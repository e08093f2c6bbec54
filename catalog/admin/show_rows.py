"""The fields of the show page, one a row: what stands in it, where that comes from, and what upstream says."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.forms import BoundField
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, linebreaks
from django.utils.safestring import SafeString

from catalog.admin import desk
from catalog.admin.pick import entities_of
from catalog.admin.show_form import Conflict, ShowForm
from catalog.admin.text import NOTHING, age, joined, moment, short
from catalog.edits import upstream_value
from catalog.links import RELATIONS
from catalog.locks import LOCKABLE, RESOLUTION_FLAGS
from catalog.models import Show
from catalog.provenance import EDITOR, IMDB, RUN, TMDB, Provenance, provenance, source_of, telling_changes
from catalog.values import label

SOURCES = {TMDB: "TMDb", IMDB: "IMDb"}
# The sync's own figures, and what is derived: shown, not typed.
READ_ONLY = ("most_recent_episode", "tmdb_vote_average", "tmdb_vote_count", "tmdb_popularity")
WATCH = "watch_providers"
NEXT_SYNC = "comes back with the next sync"
# Fields that follow TMDb, and what IMDb says of the same.
AT_IMDB = {"name": "imdb_title", "premiere_date": "imdb_date_published"}


@dataclass(frozen=True, slots=True)
class Part:
    """A group of fields. A folded one is closed until somebody opens it, or something in it needs a look."""

    title: str
    names: tuple[str, ...]
    folded: bool = False


PARTS = (
    Part(
        "The show",
        (
            "name",
            "override",
            "premiere_date",
            "description",
            "networks",
            "production_companies",
            "genres",
            "keywords",
            "tags",
            "listed_on",
        ),
    ),
    Part("Match", ("imdb_id", "tmdb_id")),
    Part(
        "Episodes",
        (
            "most_recent_episode",
            "show_total_seasons",
            "show_total_episodes",
            "most_recent_episode_season",
            "most_recent_episode_number",
            "most_recent_episode_title",
            "most_recent_episode_air_date",
            "most_recent_episode_imdb_id",
        ),
    ),
    Part("Other ids", ("tvdb_id", "wikidata_id", "facebook_id", "instagram_id", "twitter_id"), folded=True),
    Part(
        "TMDb",
        (
            "tmdb_name",
            "tmdb_status",
            "tmdb_type",
            "tmdb_first_air_date",
            "tmdb_last_air_date",
            "tmdb_vote_average",
            "tmdb_vote_count",
            "tmdb_popularity",
        ),
        folded=True,
    ),
    Part(
        "IMDb",
        (
            "imdb_title",
            "imdb_content_rating",
            "imdb_rating_value",
            "imdb_rating_count",
            "imdb_date_published",
            "imdb_end_year",
        ),
        folded=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One field. `upstream` is what its source says where that is not what stands in it by itself: in words,
    with `can_take` where it can be taken; `other` what the other source says otherwise. `bound` is its input,
    None where it is only read as `text`."""

    name: str
    label: str
    text: SafeString | str
    bound: BoundField | None = None
    lockable: bool = False
    locked: bool = False
    lock_note: str = ""
    badge: str = ""
    badge_note: str = ""
    edited: bool = False
    source: str = ""
    upstream: str = ""
    can_take: bool = False
    other: str = ""
    conflict: Conflict | None = None
    link: tuple[str, str] | None = None  # (address, text)
    flags: list[str] = field(default_factory=list)


def checked(show: Show) -> dict[str, datetime]:
    """When each source was last asked about a show, as far as the apps know."""
    return {source: at for ask in desk.checked for source, at in ask(show).items() if at is not None}


class Rows:
    """Makes the rows of one show. What they need of the database is asked once, for all of them."""

    def __init__(self, show: Show, form: ShowForm, *, editable: bool) -> None:
        self.show, self.form, self.editable = show, form, editable
        self.now = timezone.now()
        self.provenance = provenance(show, checked(show), telling_changes(show))

    def parts(self) -> list[dict[str, Any]]:
        return [self.part(part) for part in PARTS]

    def part(self, part: Part) -> dict[str, Any]:
        new = self.show._state.adding  # its networks and companies are picked once it is there
        rows = [self.row(name) for name in part.names if not (new and name in RELATIONS)]
        return {
            "title": part.title,
            "rows": rows,
            "folded": part.folded,
            "open": any(row.bound is not None and row.bound.errors for row in rows),
            "locked": sum(row.locked for row in rows),
        }

    def row(self, name: str) -> Row:
        show, found = self.show, self.provenance.get(name, Provenance())
        locked = show.is_locked(name)
        upstream, can_take = self.upstream(name)
        return Row(
            name=name,
            label=label(name),
            text=self.text(name),
            bound=self.form[name] if self.editable and name in self.form.fields else None,
            lockable=name in LOCKABLE,
            locked=locked,
            lock_note=self.lock_note(found) if locked else "",
            badge=badge(found, self.now),
            badge_note=badge_note(found),
            edited=found.source == EDITOR,
            source=SOURCES[source_of(name)],
            upstream=upstream,
            can_take=can_take,
            other=self.other(name),
            conflict=self.form.conflicts.get(name),
            link=self.link(name),
            flags=["waits for an editor"] if getattr(show, RESOLUTION_FLAGS.get(name, ""), False) else [],
        )

    def text(self, name: str) -> SafeString | str:
        """The value to be read. A picked list that can be edited is drawn by its input."""
        if name in RELATIONS:
            if self.editable:
                return ""
            entities = entities_of(RELATIONS[name][2], self.form.initial.get(name, []))
            return SafeString(render_to_string("catalog/show_entities.html", {"entities": entities}))
        value = getattr(self.show, name, None)
        if name == "description" and value:
            return SafeString(linebreaks(value, autoescape=True))
        if value is None or value in ("", []):
            return format_html('<span class="desk-quiet">{}</span>', NOTHING)
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

    def upstream(self, name: str) -> tuple[str, bool]:
        """What upstream says beside the value, in words, and whether that can be taken."""
        show = self.show
        if not (show.is_locked(name) or name in takeable(show)) or name == "override":
            return "", False
        source = SOURCES[source_of(name)]
        if name not in show.upstream_values:
            return (f"{source}'s {NEXT_SYNC}" if name in (*RELATIONS, WATCH) else f"{source} says: nothing yet"), False
        value = upstream_value(show, name)
        if name in RELATIONS:
            ids = value or []
            if ids == self.form.initial.get(name):
                return f"{source} says the same", False
            return f"{source} says: {joined(entities_of(RELATIONS[name][2], ids)) or NOTHING}", True
        if value == getattr(show, name):
            return f"{source} says the same", False
        return f"{source} says: {short(value)}", True

    def other(self, name: str) -> str:
        """What IMDb says of a field that follows TMDb, where that is not what stands in it."""
        at_imdb = AT_IMDB.get(name)
        if at_imdb is None:
            return ""
        kept = self.show.is_locked(at_imdb) and at_imdb in self.show.upstream_values
        value = upstream_value(self.show, at_imdb) if kept else getattr(self.show, at_imdb)
        return "" if value in (None, "", getattr(self.show, name)) else f"IMDb says: {short(value)}"

    def lock_note(self, found: Provenance) -> str:
        act = found.locked_by
        if act is None:
            return "Locked"
        return f"Locked by {act.who or 'a job'}, {moment(act.at)}" + (f": {act.why}" if act.why else "")

    def link(self, name: str) -> tuple[str, str] | None:
        if name == "tmdb_id" and self.show.tmdb_id:
            return f"https://www.themoviedb.org/tv/{self.show.tmdb_id}", "on TMDb"
        if name == "imdb_id" and self.show.imdb_id:
            return f"https://www.imdb.com/title/{self.show.imdb_id}/", "on IMDb"
        return None


def badge(found: Provenance, now: datetime) -> str:
    """Like `TMDb · 2 d` or `Editor anna · 3 h`; empty where nothing is known."""
    if not found.source:
        return ""
    who = SOURCES.get(found.source, "")
    if not who:
        name = found.set_by.who if found.set_by else ""
        editor = name if name.lower() == EDITOR else f"Editor {name}".strip()
        who = editor if found.source == EDITOR else (name or RUN).capitalize()
    return f"{who} · {age(found.since, now)}" if found.since else who


def badge_note(found: Provenance) -> str:
    if found.since is None:
        return ""
    if found.set_by is None:
        return f"As {SOURCES.get(found.source, '')} said on {moment(found.since)}"
    by = f"Set by {found.set_by.who}, since" if found.source == EDITOR and found.set_by.who else "Since"
    return f"{by} {moment(found.since)}" + (f": {found.set_by.why}" if found.set_by.why else "")


def takeable(show: Show) -> list[str]:
    """The fields for which a value of upstream is kept aside: the locked ones, and ids that it contradicts."""
    return [name for name in show.upstream_values if show.is_locked(name) or name in RESOLUTION_FLAGS]


def side_of(row: Row, show: Show, *, editable: bool) -> SafeString:
    """The padlock, badge and upstream's word of one row, by themselves."""
    context = {"row": row, "editable": editable, **lock_urls(show)}
    return SafeString(render_to_string("catalog/show_side.html", context))


def input_of(row: Row) -> SafeString:
    return SafeString(render_to_string("catalog/show_input.html", {"row": row}))


def lock_urls(show: Show) -> dict[str, str]:
    names: Iterable[str] = ("lock", "unlock")
    return {f"{name}_url": reverse(f"admin:catalog_show_{name}", args=(show.pk,)) for name in names}
