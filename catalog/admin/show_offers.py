"""Where a show can be watched, and could be: by region, as the show page shows it."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from catalog.models import PastWatchProvider, Show, WatchProvider

FEW_REGIONS = 3  # are shown open
MOST_PAST = 500  # ended offers that are listed, the newest first
KINDS = {"flatrate": "stream", "free": "free", "ads": "with ads", "rent": "rent", "buy": "buy"}


def where_to_watch(show: Show) -> dict[str, Any]:
    """What the template needs, in three queries whatever the number of regions."""
    offers: list[Any] = list(show.watch_providers.values("region", "offer_type", "provider_id", "link"))
    ended = PastWatchProvider.objects.filter(show=show).order_by("-last_seen_at", "region", "offer_type", "provider_id")
    past: list[Any] = list(
        ended.values("region", "offer_type", "provider_id", "first_seen_at", "last_seen_at")[: MOST_PAST + 1]
    )
    providers = providers_of({offer["provider_id"] for offer in [*offers, *past]})
    regions = [
        region_of(name, list(group), providers) for name, group in groupby(offers, key=lambda offer: offer["region"])
    ]
    return {
        "regions": regions,
        "few": len(regions) <= FEW_REGIONS,
        "offer_count": len(offers),
        "past": [
            {**offer, "kind": kind(offer["offer_type"]), "provider": providers[offer["provider_id"]]}
            for offer in past[:MOST_PAST]
        ],
        "past_is_cut": len(past) > MOST_PAST,
        "most_past": MOST_PAST,
    }


def providers_of(ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Name and logo of each; the address of a logo is made once, not once an offer."""
    rows = WatchProvider.objects.only("provider_id", "provider_name", "hosted_logo_key").in_bulk(list(ids))
    return {pk: {"name": str(row), "logo": row.hosted_logo_url} for pk, row in rows.items()}


def region_of(name: str, offers: list[dict[str, Any]], providers: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Offers come in the order of their type, then of upstream's priority."""
    kinds = [
        {"kind": kind(offer_type), "providers": [providers[offer["provider_id"]] for offer in group]}
        for offer_type, group in groupby(offers, key=lambda offer: offer["offer_type"])
    ]
    link = next((offer["link"] for offer in offers if is_web_address(offer["link"])), None)
    number = len({offer["provider_id"] for offer in offers})
    return {"name": name, "kinds": kinds, "link": link, "number": number}


def is_web_address(link: str | None) -> bool:
    """Upstream's links are shown as links only if they lead to the web: `javascript:` does not."""
    return link is not None and link.startswith(("https://", "http://"))


def kind(offer_type: str) -> str:
    return KINDS.get(offer_type, offer_type)
