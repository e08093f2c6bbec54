"""Rows as a sync leaves them, for the tests of the API."""

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from django.test import Client

from catalog.models import (
    Network,
    PastWatchProvider,
    ProductionCompany,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)

SHOWS: Final = "/api/v1/shows"
BELOW_DECK: Final = UUID("2d0d1d5e-5c1b-4a0e-9d8f-0c6a2c1f7a11")
UNKNOWN: Final = UUID("00000000-0000-4000-8000-000000000000")  # no show has this id
AT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def address(show: Show) -> str:
    return f"{SHOWS}/{show.pk}"


def read(client: Client, path: str, **asked: Any) -> Any:
    """The payload of a GET that succeeds."""
    response = client.get(path, asked)
    assert response.status_code == 200, response.content
    return response.json()


def hosted(name: str) -> dict[str, Any]:
    """The columns of a logo that was mirrored."""
    return {
        "tmdb_logo_path": f"/{name}.png",
        "hosted_logo_key": f"logos/{name}.png",
        "hosted_logo_sha256": "ab" * 32,
        "hosted_logo_content_type": "image/png",
        "hosted_logo_bytes": 1234,
        "hosted_logo_etag": "0123456789abcdef",
        "hosted_logo_at": AT,
        "hosted_logo_path": f"/{name}.png",
    }


def offer(show: Show, provider: WatchProvider, region: str, kind: str, **columns: Any) -> ShowWatchProvider:
    return ShowWatchProvider.objects.create(
        show=show, provider=provider, region=region, offer_type=kind, first_seen_at=AT, fetched_at=AT, **columns
    )


def below_deck() -> Show:
    """A show with all that one can have."""
    show = Show.objects.create(
        id=BELOW_DECK,
        name="Below Deck",
        description="The crew of a yacht, for 8 weeks.\nSecond line.",
        premiere_date=date(2013, 7, 1),
        tmdb_id=51838,
        imdb_id="tt2342499",
        tvdb_id=270656,
        wikidata_id="Q16953393",
        facebook_id="BelowDeck",
        instagram_id="belowdeckbravo",
        twitter_id="BelowDeck",
        show_total_seasons=11,
        show_total_episodes=186,
        most_recent_episode_season=11,
        most_recent_episode_number=17,
        most_recent_episode_title="Plan Sea",
        most_recent_episode_air_date=date(2024, 5, 27),
        most_recent_episode_imdb_id="tt32135710",
        genres=["Reality", "Documentary"],
        keywords=["yacht", "crew"],
        tags=["bravo"],
        listed_on=["the-list"],
        tmdb_name="Below Deck",
        tmdb_status="Returning Series",
        tmdb_type="Reality",
        tmdb_first_air_date=date(2013, 7, 1),
        tmdb_last_air_date=date(2024, 5, 27),
        tmdb_vote_average=7.4,
        tmdb_vote_count=41,
        tmdb_popularity=58.125,
        imdb_title="Below Deck",
        imdb_content_rating="TV-14",
        imdb_rating_value=7.3,
        imdb_rating_count=6912,
        imdb_date_published=date(2013, 7, 1),
        imdb_end_year=2025,
        tmdb_meta={"id": 51838},
        imdb_meta={"@type": "TVSeries"},
        tmdb_fetched_at=AT,
        imdb_fetched_at=AT.replace(microsecond=250_000),
        override="Y",
        locked_fields=["name"],
        upstream_values={"name": "Below deck"},
    )
    Show.objects.filter(pk=show.pk).update(created_at=AT, updated_at=AT.replace(microsecond=1))
    bravo = Network.objects.create(id=74, name="Bravo", origin_country="US", tmdb_fetched_at=AT, **hosted("bravo"))
    peacock = Network.objects.create(id=3353, name="Peacock")
    for position, network in enumerate((peacock, bravo)):
        ShowNetwork.objects.create(show=show, network=network, position=position)
    minds = ProductionCompany.objects.create(id=1302, name="51 Minds Entertainment", tmdb_logo_path="/51.png")
    ShowProductionCompany.objects.create(show=show, company=minds, position=0)
    hayu = WatchProvider.objects.create(
        provider_id=223, provider_name="Hayu", display_priority=3, origin_country="GB", tmdb_fetched_at=AT
    )
    premium = WatchProvider.objects.create(provider_id=386, provider_name="Peacock  Premium ", **hosted("peacock"))
    amazon = WatchProvider.objects.create(provider_id=10, provider_name="Amazon Video", display_priority=1)
    fubo = WatchProvider.objects.create(provider_id=257, provider_name="fuboTV", display_priority=1)
    link = "https://www.themoviedb.org/tv/51838/watch?locale="
    offer(show, premium, "US", "flatrate", display_priority=9, link=link + "US")
    offer(show, fubo, "US", "flatrate", display_priority=9, link=link + "US")
    offer(show, hayu, "US", "flatrate", link=link + "US")
    offer(show, amazon, "US", "flatrate", display_priority=2, link=link + "US")
    offer(show, amazon, "US", "buy", display_priority=4, link=link + "US")
    offer(show, premium, "US", "ads", display_priority=8)
    offer(show, hayu, "GB", "flatrate", display_priority=0, link=link + "GB")
    PastWatchProvider.objects.create(
        show=show, region="DE", offer_type="rent", provider=hayu, first_seen_at=AT, last_seen_at=AT.replace(month=2)
    )
    return show
