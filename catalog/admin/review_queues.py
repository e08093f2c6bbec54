"""The queues of the inbox that the catalogue has itself: gone upstream, failed logos, disagreements."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from catalog.admin import desk
from catalog.admin.author import author_of, user_of
from catalog.admin.text import NOTHING, short, table
from catalog.disagreements import IDS, Differences, differences_in, disagreeing_shows, fingerprint, take_differences
from catalog.edits import decide_no_match
from catalog.links import RELATIONS
from catalog.models import Change, Logo, Network, ProductionCompany, Show, WatchProvider
from catalog.review import dismiss
from catalog.values import label

GONE, LOGOS, DISAGREEMENTS = "gone", "logos", "disagreements"
LOGO_MODELS: Mapping[str, type[Logo]] = {
    "network": Network,
    "productioncompany": ProductionCompany,
    "watchprovider": WatchProvider,
}


def page_link(name: str, text: str, *args: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{name}", args=args), text)


def joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join(SafeString(" · "), "{}", ((part,) for part in parts if part))


def show_page(show: Show) -> str:
    return reverse("admin:catalog_show_change", args=(show.pk,))


def show_id_of(key: str) -> UUID:
    return UUID(key.partition(":")[0])


def shows_of(keys: Iterable[str], columns: Iterable[str]) -> dict[str, Show]:
    """The show of each key that begins with its id; one that is gone is left out."""
    ids = {key: show_id_of(key) for key in keys}
    shows = Show.objects.filter(pk__in=set(ids.values())).only("name", *columns).in_bulk()
    return {key: shows[show_id] for key, show_id in ids.items() if show_id in shows}


# --- gone upstream


def gone_keys() -> list[str]:
    """The change that said it is gone is part of the key: one that was kept comes back when TMDb loses it again."""
    gone = Show.objects.filter(needs_tmdb_resolution=True, tmdb_id__isnull=False).order_by("name", "id")
    lost = Change.objects.filter(show_id=OuterRef("pk"), fields__needs_tmdb_resolution__1=True).order_by("-id")
    rows = gone.annotate(lost=Subquery(lost.values("id")[:1])).values_list("pk", "tmdb_id", "lost")
    return [f"{pk}:{tmdb_id}:{change_id or 0}" for pk, tmdb_id, change_id in rows]


def gone_items(keys: list[str]) -> list[desk.Item]:
    columns = ("tmdb_id", "imdb_id", "premiere_date", "tmdb_fetched_at")
    return [
        desk.Item(
            key=key,
            title=str(show),
            url=show_page(show),
            body=gone_body(show),
            actions=(
                desk.Action("keep", "Keep the id and the data", key="e"),
                desk.Action("no_match", "No match on TMDb", key="n"),
            ),
        )
        for key, show in shows_of(keys, columns).items()
    ]


def gone_body(show: Show) -> SafeString:
    links = joined(
        (
            format_html('<a href="https://www.themoviedb.org/tv/{0}">TMDb {0}</a>', show.tmdb_id),
            format_html('<a href="https://www.imdb.com/title/{0}/">{0}</a>', show.imdb_id or "")
            if show.imdb_id
            else SafeString(""),
            page_link("catalog_show_identify", "Re-identify", show.pk),
        )
    )
    since = f"Its data is that of {show.tmdb_fetched_at:%Y-%m-%d}." if show.tmdb_fetched_at else ""
    return format_html(
        "<p>TMDb no longer knows its id, or another show is behind it now. {}</p><p>{}</p>", since, links
    )


def act_on_gone(key: str, action: str, request: HttpRequest) -> str:
    if action == "no_match":
        decide_no_match(show_id_of(key), author_of(request, "gone upstream"))
        return "It is decided that TMDb does not have it; its id is locked empty."
    dismiss(GONE, key, user_of(request))
    return "It keeps its id and its data; it comes back here under another id, or when TMDb loses it once more."


# --- logos that could not be mirrored


def failed_logos(model: type[Logo]) -> QuerySet[Any]:
    entities: QuerySet[Any] = model.objects.all()
    return entities.exclude(logo_error="").filter(logo_locked=False).defer("tmdb_meta").order_by("pk")


def logo_keys() -> list[str]:
    """The path is part of the key: what was left without a logo comes back when upstream has another one."""
    first, *others = (
        failed_logos(model)
        .order_by()
        .annotate(place=Value(place), kind=Value(kind))
        .values_list("place", "kind", "pk", "tmdb_logo_path")
        for place, (kind, model) in enumerate(LOGO_MODELS.items())
    )
    rows = first.union(*others, all=True).order_by("place", "pk")
    return [f"{kind}:{pk}:{path or ''}" for _, kind, pk, path in rows]


def logo_items(keys: list[str]) -> list[desk.Item]:
    ids: dict[str, list[int]] = {kind: [] for kind in LOGO_MODELS}
    for kind, pk in map(logo_of, keys):
        ids[kind].append(pk)
    rows = {kind: failed_logos(LOGO_MODELS[kind]).in_bulk(pks) for kind, pks in ids.items() if pks}
    return [logo_item(key, kind, rows[kind][pk]) for key in keys for kind, pk in (logo_of(key),) if pk in rows[kind]]


def logo_of(key: str) -> tuple[str, int]:
    kind, pk, _ = key.split(":", 2)
    return kind, int(pk)


def logo_item(key: str, kind: str, entity: Any) -> desk.Item:
    url = reverse(f"admin:catalog_{kind}_change", args=(entity.pk,))
    body = format_html(
        '<p><span class="desk-badge">{}</span> {}</p><p>Upstream\'s file: {} · <a href="{}">Upload a logo</a></p>',
        entity._meta.verbose_name,
        entity.logo_error,
        entity.tmdb_logo_path or NOTHING,
        url,
    )
    actions = (
        desk.Action("again", "Try again", primary=True, key="r"),
        desk.Action("without", "Leave it as it is", key="e"),
    )
    return desk.Item(key, f"{entity} ({entity.pk})", url, body, actions)


def act_on_logo(key: str, action: str, request: HttpRequest) -> str:
    kind, pk = logo_of(key)
    if action == "without":
        dismiss(LOGOS, key, user_of(request))
        return "It stays as it is until upstream has another logo."
    again = {"hosted_logo_path": None, "hosted_logo_sha256": None, "logo_error": ""}
    if not failed_logos(LOGO_MODELS[kind]).filter(pk=pk, tmdb_logo_path__isnull=False).update(**again):
        raise ValidationError("Upstream has no logo for it any more: upload one, or leave it as it is.")
    return "The next sync tries to mirror it again."


# --- upstream says otherwise


def disagreement_keys() -> list[str]:
    """What upstream says is part of the key: ours that was kept is asked about again when upstream has changed."""
    shows = disagreeing_shows().order_by("name", "id")
    differences = differences_in(shows)
    return [f"{show.pk}:{fingerprint(differences[show.pk])}" for show in shows if differences[show.pk]]


def disagreement_items(keys: list[str]) -> list[desk.Item]:
    shows = {show.pk: show for show in disagreeing_shows().filter(pk__in=set(map(show_id_of, keys)))}
    differences = differences_in(shows.values())
    names = entity_names(differences.values())
    holders = holders_of(differences)
    items = []
    for key in keys:
        show = shows.get(show_id_of(key))
        if show is None or not differences[show.pk]:
            continue
        rows = [
            (label(name), words(name, ours, names), words(name, upstreams, names), holders.get((name, upstreams), ""))
            if name not in RELATIONS
            else (label(name), words(name, ours, names), words(name, upstreams, names), "")
            for name, (ours, upstreams) in differences[show.pk].items()
        ]
        items.append(
            desk.Item(
                key=key,
                title=str(show),
                url=show_page(show),
                body=format_html(
                    "{}<p>{}</p>",
                    table(("Field", "Ours", "Upstream", ""), rows),
                    page_link("catalog_show_diff", "Field by field", show.pk),
                ),
                actions=(
                    desk.Action("keep", "Keep ours", primary=True, key="e"),
                    desk.Action("take", "Take upstream's", key="t"),
                ),
            )
        )
    return items


def words(name: str, value: Any, names: Mapping[tuple[str, int], str]) -> str:
    """A value in words; of a relation the names of its members."""
    if name in RELATIONS:
        value = [names.get((name, pk), str(pk)) for pk in value]
    return short(value)


def entity_names(differences: Iterable[Differences]) -> dict[tuple[str, int], str]:
    """The names behind the ids of relations, in a query each."""
    found: dict[tuple[str, int], str] = {}
    parts = list(differences)
    for relation, (_, _, model) in RELATIONS.items():
        ids = {pk for part in parts if relation in part for side in part[relation] for pk in side}
        if ids:
            found |= {(relation, pk): str(entity) for pk, entity in model.objects.only("name").in_bulk(ids).items()}
    return found


def holders_of(differences: Mapping[UUID, Differences]) -> dict[tuple[str, Any], SafeString]:
    """The shows that have the ids already which upstream tells of others, as links."""
    wanted: dict[str, set[Any]] = {
        name: {part[name][1] for part in differences.values() if name in part} for name in IDS
    }
    if not any(wanted.values()):
        return {}
    holders = Show.all_objects.filter(Q(tmdb_id__in=wanted["tmdb_id"]) | Q(imdb_id__in=wanted["imdb_id"]))
    told: dict[tuple[str, Any], SafeString] = {}
    for holder in holders.only("name", "tmdb_id", "imdb_id", "deleted_at"):
        for name in IDS:
            if holder.deleted_at:
                told[name, getattr(holder, name)] = format_html("that of {}, in the trash", holder)
            else:
                link = format_html('<a href="{}">{}</a>', show_page(holder), holder)
                told[name, getattr(holder, name)] = format_html("that of {}: duplicates?", link)
    return told


def act_on_disagreement(key: str, action: str, request: HttpRequest) -> str:
    if action == "take":
        author = author_of(request, "upstream's values taken from the inbox")
        taken = take_differences(show_id_of(key), author, fingerprint_seen=key.partition(":")[2])
        return f"Upstream's values are taken: {', '.join(map(label, taken))}."
    dismiss(DISAGREEMENTS, key, user_of(request))
    return "Ours are kept; it comes back when upstream says something else."


QUEUES: tuple[desk.Queue, ...] = (
    desk.Queue(
        slug=GONE,
        title="Gone upstream",
        empty="TMDb knows every id that the catalogue has.",
        permission="catalog.change_show",
        keys=gone_keys,
        items=gone_items,
        act=act_on_gone,
    ),
    desk.Queue(
        slug=DISAGREEMENTS,
        title="Disagreements",
        empty="Nothing that you have locked differs from what upstream says.",
        permission="catalog.change_show",
        keys=disagreement_keys,
        items=disagreement_items,
        act=act_on_disagreement,
    ),
    desk.Queue(
        slug=LOGOS,
        title="Failed logos",
        empty="Every logo that upstream has could be mirrored.",
        permission="catalog.change_network",
        keys=logo_keys,
        items=logo_items,
        act=act_on_logo,
    ),
)
