"""What the API tells of a show, from rows to plain values; `serializers.py` says the same to the schema.

Rows are read by `values()`, as serializers would cost ten times the query.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import F, QuerySet

from catalog.models import (
    Logo,
    Network,
    PastWatchProvider,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)
from catalog.models.show import episode_text

ATTRIBUTION: Final = (
    "Where to watch: data by JustWatch, through TMDB. "
    "This product uses the TMDB API but is not endorsed or certified by TMDB."
)

EPISODE: Final = tuple(f"most_recent_episode_{part}" for part in ("season", "number", "title", "air_date"))
# A show of a list: columns of its own row alone.
SHOW_COLUMNS: Final[tuple[str, ...]] = (
    *("id", "name", "description", "premiere_date"),
    *("tmdb_id", "imdb_id", "tvdb_id", "wikidata_id", "facebook_id", "instagram_id", "twitter_id"),
    *("show_total_seasons", "show_total_episodes", *EPISODE, "most_recent_episode_imdb_id"),
    *("tmdb_status", "created_at", "updated_at"),
)
SHOW_FIELDS: Final[tuple[str, ...]] = (*SHOW_COLUMNS, "most_recent_episode")
# What a detail has beside: of the same row, and of others.
DETAIL_COLUMNS: Final[tuple[str, ...]] = (
    *("genres", "keywords", "tags", "listed_on"),
    *("tmdb_name", "tmdb_type", "tmdb_first_air_date", "tmdb_last_air_date"),
    *("tmdb_vote_average", "tmdb_vote_count", "tmdb_popularity", "tmdb_fetched_at"),
    *("imdb_title", "imdb_content_rating", "imdb_rating_value", "imdb_rating_count"),
    *("imdb_date_published", "imdb_end_year", "imdb_fetched_at"),
    *("needs_tmdb_resolution", "needs_imdb_resolution", "override", "locked_fields"),
)
DETAIL_FIELDS: Final[tuple[str, ...]] = (
    *SHOW_FIELDS,
    *DETAIL_COLUMNS,
    *("external_ids", "networks", "streaming_providers"),
    *("tmdb_network_ids", "tmdb_production_company_ids", "tmdb_networks", "tmdb_production_companies"),
    *("watch_providers", "attribution"),
)
# Only where `include` asks for it: the replies as TMDb and IMDb sent them, and offers that have ended.
RAW_REPLIES: Final[tuple[str, ...]] = ("tmdb_meta", "imdb_meta")
DETAIL_EXTRAS: Final[tuple[str, ...]] = (*RAW_REPLIES, "history")
LIST_EXTRAS: Final[tuple[str, ...]] = (*DETAIL_COLUMNS, "external_ids", "networks")

NAMESPACES: Final = ("tmdb", "imdb", "tvdb", "wikidata", "facebook", "instagram", "twitter")
STREAMING: Final = frozenset({"flatrate", "free", "ads"})  # offer types that are watched, not bought

LOGO_COLUMNS: Final[tuple[str, ...]] = tuple(
    f"hosted_logo_{part}" for part in ("key", "url", "sha256", "content_type", "bytes", "etag", "at")
)


# --- shows


def show_rows(shows: QuerySet[Show], extras: Collection[str] = (), **annotations: Any) -> list[dict[str, Any]]:
    """Shows of a list, in its order, with what `extras` (of LIST_EXTRAS) asks for; one query, networks one more."""
    columns = [*SHOW_COLUMNS, *(name for name in DETAIL_COLUMNS if name in extras)]
    rows = [with_episode(row) for row in shows.values(*columns, **annotations)]
    if "external_ids" in extras:
        for row in rows:
            row["external_ids"] = external_ids(row)
    if "networks" in extras:
        names: dict[UUID, list[str]] = {row["id"]: [] for row in rows}
        links = ShowNetwork.objects.filter(show__in=list(names)).order_by("position", "id")
        for show_id, name in links.values_list("show_id", "network__name"):
            names[show_id].append(name)
        for row in rows:
            row["networks"] = names[row["id"]]
    return rows


def show_document(show_id: UUID, row: Mapping[str, Any], extras: Collection[str] = ()) -> dict[str, Any]:
    """All of one show, `row` being its columns; four queries, and one more for the offers that have ended."""
    networks = linked(ShowNetwork, "network", show_id)
    companies = linked(ShowProductionCompany, "company", show_id)
    offers = offers_of(show_id)
    document = with_episode(dict(row)) | {
        "external_ids": external_ids(row),
        "networks": [network["name"] for network in networks],
        "streaming_providers": streaming_providers(offers, settings.DEFAULT_REGION),
        "tmdb_network_ids": [network["id"] for network in networks],
        "tmdb_production_company_ids": [company["id"] for company in companies],
        "tmdb_networks": networks,
        "tmdb_production_companies": companies,
        "watch_providers": offers,
        "attribution": ATTRIBUTION,
    }
    if "history" in extras:
        document["history"] = past_offers(show_id)
    return document


def with_episode(row: dict[str, Any]) -> dict[str, Any]:
    row["most_recent_episode"] = episode_text(*(row[name] for name in EPISODE))
    return row


def external_ids(row: Mapping[str, Any]) -> dict[str, Any]:
    return {namespace: row[f"{namespace}_id"] for namespace in NAMESPACES}


def linked(model: type[Any], entity: str, show_id: UUID) -> list[dict[str, Any]]:
    links = model.objects.filter(show_id=show_id).select_related(entity).defer(f"{entity}__tmdb_meta")
    return [entity_document(getattr(link, entity)) for link in links.order_by("position", "id")]


# --- networks, companies and providers


def entity_document(entity: Any) -> dict[str, Any]:
    """A network or a company."""
    return {
        "id": entity.pk,
        "name": entity.name,
        "origin_country": entity.origin_country,
        "tmdb_fetched_at": entity.tmdb_fetched_at,
        **logo_columns(entity),
    }


def provider_document(provider: WatchProvider) -> dict[str, Any]:
    return {
        "provider_id": provider.pk,
        "provider_name": provider.provider_name,
        "display_priority": provider.display_priority,
        "origin_country": provider.origin_country,
        "tmdb_fetched_at": provider.tmdb_fetched_at,
        **logo_columns(provider),
    }


def logo_columns(entity: Logo) -> dict[str, Any]:
    return {"tmdb_logo_path": entity.tmdb_logo_path} | {name: getattr(entity, name) for name in LOGO_COLUMNS}


def documents_of(entities: Iterable[Any]) -> list[dict[str, Any]]:
    return [provider_document(row) if isinstance(row, WatchProvider) else entity_document(row) for row in entities]


ENTITY_FIELDS: Final = ("id", "name", "origin_country", "tmdb_fetched_at", "tmdb_logo_path", *LOGO_COLUMNS)
PROVIDER_FIELDS: Final = (
    *("provider_id", "provider_name", "display_priority", "origin_country", "tmdb_fetched_at", "tmdb_logo_path"),
    *LOGO_COLUMNS,
)


def fields_of(model: type[Any]) -> tuple[str, ...]:
    return PROVIDER_FIELDS if model is WatchProvider else ENTITY_FIELDS


def entity_rows(model: type[Any]) -> QuerySet[Any]:
    """A network that was merged into another is not one of them: its id leads to that one."""
    rows: QuerySet[Any] = model.objects.defer("tmdb_meta")
    return rows.filter(merged_into__isnull=True) if model is Network else rows


# --- where to watch


def offers_of(show_id: UUID) -> list[dict[str, Any]]:
    """Groups by region and offer type; within one, providers by display_priority, then name."""
    rows = ShowWatchProvider.objects.filter(show_id=show_id).order_by()
    offers = rows.values_list("region", "offer_type", "provider_id", "display_priority", "link")
    providers = {
        row.pk: provider_document(row)
        for row in WatchProvider.objects.filter(offers__show=show_id).distinct().order_by().defer("tmdb_meta")
    }
    # A provider that came between the two queries is left out: whoever builds an answer sees that it was torn.
    known = [offer for offer in offers if offer[2] in providers]

    def place(offer: tuple[Any, ...]) -> tuple[Any, ...]:
        region, offer_type, provider_id, priority, _ = offer
        return region, offer_type, priority is None, priority, providers[provider_id]["provider_name"], provider_id

    # Sorted here and not by the databases, which have other ideas of the order of letters.
    return [
        group_document(region, offer_type, list(group), providers)
        for (region, offer_type), group in groupby(sorted(known, key=place), key=lambda offer: offer[:2])
    ]


def group_document(
    region: str, offer_type: str, offers: list[tuple[Any, ...]], providers: Mapping[int, dict[str, Any]]
) -> dict[str, Any]:
    return {
        "region": region,
        "offer_type": offer_type,
        "link": next((link for *_, link in offers if link), None),
        "providers": [
            providers[provider_id] | {"display_priority": priority} for _, _, provider_id, priority, _ in offers
        ],
    }


def streaming_providers(groups: Iterable[Mapping[str, Any]], region: str) -> list[str]:
    """The names of those who stream the show in a region, each once."""
    names: dict[str, tuple[Any, ...]] = {}
    for group in groups:
        if group["region"] == region and group["offer_type"] in STREAMING:
            for provider in group["providers"]:
                priority = provider["display_priority"]
                key = (priority is None, priority, provider["provider_name"])
                name = " ".join(provider["provider_name"].split())
                names[name] = min(key, names.get(name, key))
    return sorted(names, key=names.__getitem__)


def past_offers(show_id: UUID) -> list[dict[str, Any]]:
    """Offers that have ended, the last to end first."""
    rows = PastWatchProvider.objects.filter(show_id=show_id).order_by("-last_seen_at", "region", "offer_type", "id")
    name = F("provider__provider_name")
    return list(rows.values(*PAST_COLUMNS, provider_name=name))


PAST_COLUMNS: Final = ("region", "offer_type", "provider_id", "link", "first_seen_at", "last_seen_at")
