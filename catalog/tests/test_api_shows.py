"""GET of a show: field for field, by its id or another's, and what is said of one that is gone."""

from typing import Any

import pytest
from django.test import Client

from catalog.api.documents import ATTRIBUTION
from catalog.changes import Author
from catalog.merging import merge_shows, unmerge
from catalog.models import Show, WatchProvider
from catalog.tests.api_rows import BELOW_DECK, SHOWS, UNKNOWN, address, below_deck, offer, read
from catalog.trash import delete_show, restore_show

pytestmark = pytest.mark.django_db

NO_LOGO = dict.fromkeys(
    (
        *("tmdb_logo_path", "hosted_logo_key", "hosted_logo_url", "hosted_logo_sha256", "hosted_logo_content_type"),
        *("hosted_logo_bytes", "hosted_logo_etag", "hosted_logo_at"),
    )
)


def logo(name: str) -> dict[str, Any]:
    return {
        "tmdb_logo_path": f"/{name}.png",
        "hosted_logo_key": f"logos/{name}.png",
        "hosted_logo_url": f"https://cdn.test/logos/{name}.png",
        "hosted_logo_sha256": "ab" * 32,
        "hosted_logo_content_type": "image/png",
        "hosted_logo_bytes": 1234,
        "hosted_logo_etag": "0123456789abcdef",
        "hosted_logo_at": "2026-01-02T03:04:05Z",
    }


def provider(
    pk: int, name: str, priority: int | None, logo: dict[str, Any] = NO_LOGO, **columns: Any
) -> dict[str, Any]:
    known = {"origin_country": None, "tmdb_fetched_at": None} | columns
    return {"provider_id": pk, "provider_name": name, "display_priority": priority, **known, **logo}


@pytest.fixture
def deck(db: None, settings: Any) -> Show:
    settings.AWS_CDN_BASE_URL = "https://cdn.test"
    return below_deck()


# --- one show

LINK = "https://www.themoviedb.org/tv/51838/watch?locale="
HAYU = {"origin_country": "GB", "tmdb_fetched_at": "2026-01-02T03:04:05Z"}
GOLDEN = {
    "id": "2d0d1d5e-5c1b-4a0e-9d8f-0c6a2c1f7a11",
    "name": "Below Deck",
    "description": "The crew of a yacht, for 8 weeks.\nSecond line.",
    "premiere_date": "2013-07-01",
    "tmdb_id": 51838,
    "imdb_id": "tt2342499",
    "tvdb_id": 270656,
    "wikidata_id": "Q16953393",
    "facebook_id": "BelowDeck",
    "instagram_id": "belowdeckbravo",
    "twitter_id": "BelowDeck",
    "external_ids": {
        "tmdb": 51838,
        "imdb": "tt2342499",
        "tvdb": 270656,
        "wikidata": "Q16953393",
        "facebook": "BelowDeck",
        "instagram": "belowdeckbravo",
        "twitter": "BelowDeck",
    },
    "show_total_seasons": 11,
    "show_total_episodes": 186,
    "most_recent_episode": "S11.E17 - Plan Sea (2024-05-27)",
    "most_recent_episode_season": 11,
    "most_recent_episode_number": 17,
    "most_recent_episode_title": "Plan Sea",
    "most_recent_episode_air_date": "2024-05-27",
    "most_recent_episode_imdb_id": "tt32135710",
    "genres": ["Reality", "Documentary"],
    "keywords": ["yacht", "crew"],
    "tags": ["bravo"],
    "listed_on": ["the-list"],
    "tmdb_name": "Below Deck",
    "tmdb_status": "Returning Series",
    "tmdb_type": "Reality",
    "tmdb_first_air_date": "2013-07-01",
    "tmdb_last_air_date": "2024-05-27",
    "tmdb_vote_average": 7.4,
    "tmdb_vote_count": 41,
    "tmdb_popularity": 58.125,
    "tmdb_fetched_at": "2026-01-02T03:04:05Z",
    "imdb_title": "Below Deck",
    "imdb_content_rating": "TV-14",
    "imdb_rating_value": 7.3,
    "imdb_rating_count": 6912,
    "imdb_date_published": "2013-07-01",
    "imdb_end_year": 2025,
    "imdb_fetched_at": "2026-01-02T03:04:05.250000Z",
    "needs_tmdb_resolution": False,
    "needs_imdb_resolution": False,
    "override": "Y",
    "locked_fields": ["name"],
    "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:04:05.000001Z",
    "networks": ["Peacock", "Bravo"],
    "streaming_providers": ["Amazon Video", "Peacock Premium", "fuboTV", "Hayu"],
    "tmdb_network_ids": [3353, 74],
    "tmdb_production_company_ids": [1302],
    "tmdb_networks": [
        {"id": 3353, "name": "Peacock", "origin_country": None, "tmdb_fetched_at": None, **NO_LOGO},
        {
            "id": 74,
            "name": "Bravo",
            "origin_country": "US",
            "tmdb_fetched_at": "2026-01-02T03:04:05Z",
            **logo("bravo"),
        },
    ],
    "tmdb_production_companies": [
        {
            "id": 1302,
            "name": "51 Minds Entertainment",
            "origin_country": None,
            "tmdb_fetched_at": None,
            **NO_LOGO,
            "tmdb_logo_path": "/51.png",
        }
    ],
    "watch_providers": [
        {
            "region": "GB",
            "offer_type": "flatrate",
            "link": LINK + "GB",
            "providers": [provider(223, "Hayu", 0, **HAYU)],
        },
        {
            "region": "US",
            "offer_type": "ads",
            "link": None,
            "providers": [provider(386, "Peacock  Premium ", 8, logo("peacock"))],
        },
        {
            "region": "US",
            "offer_type": "buy",
            "link": LINK + "US",
            "providers": [provider(10, "Amazon Video", 4)],
        },
        {
            "region": "US",
            "offer_type": "flatrate",
            "link": LINK + "US",
            "providers": [
                provider(10, "Amazon Video", 2),
                provider(386, "Peacock  Premium ", 9, logo("peacock")),
                provider(257, "fuboTV", 9),
                provider(223, "Hayu", None, **HAYU),
            ],
        },
    ],
    "attribution": ATTRIBUTION,
}


def test_a_show_is_told_field_for_field(client: Client, deck: Show) -> None:
    assert read(client, address(deck)) == GOLDEN
    assert "JustWatch" in ATTRIBUTION


def test_a_show_of_which_nothing_is_known_has_every_field(client: Client) -> None:
    show = read(client, address(Show.objects.create(name="New")))

    assert show.keys() == GOLDEN.keys()
    assert (show["tmdb_id"], show["most_recent_episode"], show["genres"], show["watch_providers"]) == (
        None,
        None,
        [],
        [],
    )


def test_streaming_providers_are_those_of_the_default_region(client: Client, deck: Show, settings: Any) -> None:
    settings.DEFAULT_REGION = "GB"

    assert read(client, address(deck))["streaming_providers"] == ["Hayu"]


def test_fields_chooses_and_include_adds(client: Client, deck: Show) -> None:
    assert read(client, address(deck), fields="name,networks") == {
        "name": "Below Deck",
        "networks": ["Peacock", "Bravo"],
    }
    more = read(client, address(deck), include="tmdb_meta,imdb_meta,history")
    assert {name: more[name] for name in more.keys() - GOLDEN.keys()} == {
        "tmdb_meta": {"id": 51838},
        "imdb_meta": {"@type": "TVSeries"},
        "history": [
            {
                "region": "DE",
                "offer_type": "rent",
                "provider_id": 223,
                "provider_name": "Hayu",
                "link": None,
                "first_seen_at": "2026-01-02T03:04:05Z",
                "last_seen_at": "2026-02-02T03:04:05Z",
            }
        ],
    }
    assert read(client, address(deck), fields="history") == {"history": more["history"]}


def test_a_show_that_was_merged_leads_to_the_other(client: Client, deck: Show, author: Author) -> None:
    double, third = Show.objects.create(name="Below deck"), Show.objects.create(name="below deck")
    why = Author(user=author.user, reason="the same")
    merge_shows(third.pk, double.pk, {}, why)
    batch = merge_shows(double.pk, deck.pk, {}, why)

    for gone in (double, third):
        response = client.get(address(gone), {"fields": "name"})
        assert (response.status_code, response["Location"]) == (301, f"{address(deck)}?fields=name")
        assert response.json()["id"] == str(BELOW_DECK)
        assert (response["Cache-Control"], response["Content-Type"]) == ("no-cache", "application/json")
    unmerge(batch, why)
    assert read(client, address(double), fields="name") == {"name": "Below deck"}


def test_a_show_that_was_deleted_is_gone_until_it_is_restored(client: Client, show: Show, author: Author) -> None:
    delete_show(show.pk, author)
    response = client.get(address(show))
    assert (response.status_code, response.json()) == (410, {"detail": "This show was deleted."})
    assert read(client, SHOWS)["results"] == []

    restore_show(show.pk, author)
    assert read(client, address(show))["name"] == "Below Deck"


@pytest.mark.parametrize("pk", [UNKNOWN, "no-uuid", "1", "%00", "2d0d1d5e-5c1b-4a0e-9d8f-0c6a2c1f7a1", "a/b", "é"])
def test_an_id_that_no_show_has_is_404(client: Client, deck: Show, pk: Any) -> None:
    response = client.get(f"{SHOWS}/{pk}")

    assert response.status_code == 404
    assert response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        (SHOWS, "post", "GET, HEAD, OPTIONS"),
        (SHOWS, "patch", "GET, HEAD, OPTIONS"),
        (f"{SHOWS}/{BELOW_DECK}", "delete", "GET, PATCH, HEAD, OPTIONS"),
        (f"{SHOWS}/{BELOW_DECK}", "put", "GET, PATCH, HEAD, OPTIONS"),
        (f"{SHOWS}/lookup", "post", "GET, HEAD, OPTIONS"),
        ("/api/v1/networks/74", "delete", "GET, HEAD, OPTIONS"),
        ("/api/v1/changes", "post", "GET, HEAD, OPTIONS"),
    ],
)
def test_what_cannot_be_done_is_405_and_says_what_can(
    client: Client, desk: Client, deck: Show, path: str, method: str, allowed: str
) -> None:
    response = getattr(desk, method)(path)

    assert (response.status_code, response["Allow"]) == (405, allowed)
    assert response.json()["detail"]


# --- look-up


@pytest.mark.parametrize("asked", [{"imdb": "tt2342499"}, {"tmdb": 51838}, {"tvdb": 270656}, {"wikidata": "Q16953393"}])
def test_a_show_is_looked_up_by_an_id_that_it_has_elsewhere(client: Client, deck: Show, asked: dict[str, Any]) -> None:
    response = client.get(f"{SHOWS}/lookup", asked)

    assert (response.status_code, response.json()) == (200, GOLDEN)
    assert response["Content-Location"] == address(deck)


@pytest.mark.parametrize(
    ("asked", "status", "named"),
    [
        ({"imdb": "tt0000001"}, 404, None),
        ({"tmdb": 1}, 404, None),
        ({"tmdb": "x"}, 400, "tmdb"),
        ({"tvdb": 2**63}, 400, "tvdb"),
        ({}, 400, "imdb"),
        ({"imdb": "tt2342499", "tmdb": 51838}, 400, "tmdb"),
        ({"name": "Below Deck"}, 400, "name"),
    ],
)
def test_a_look_up_of_nothing_is_refused(
    client: Client, deck: Show, asked: dict[str, Any], status: int, named: str | None
) -> None:
    response = client.get(f"{SHOWS}/lookup", asked)

    assert response.status_code == status
    assert list(response.json().get("errors", {})) == ([named] if named else [])


def test_a_look_up_says_that_several_have_the_id_or_where_it_went(client: Client, deck: Show, author: Author) -> None:
    double = Show.objects.create(name="Below Deck", tvdb_id=270656, imdb_id="tt7654321")
    response = client.get(f"{SHOWS}/lookup", {"tvdb": 270656})
    assert response.status_code == 409
    assert str(double.pk) in response.json()["detail"]

    merge_shows(double.pk, deck.pk, {}, Author(user=author.user, reason="the same"))
    moved = client.get(f"{SHOWS}/lookup", {"imdb": "tt7654321"})
    assert (moved.status_code, moved["Location"]) == (301, address(deck))
    assert client.get(f"{SHOWS}/lookup", {"tvdb": 270656}).status_code == 200
    delete_show(deck.pk, author)
    assert client.get(f"{SHOWS}/lookup", {"imdb": "tt2342499"}).status_code == 410


# --- what it costs


@pytest.mark.parametrize("regions", [1, 100])
def test_a_show_is_at_most_six_queries(
    client: Client, show: Show, regions: int, django_assert_max_num_queries: Any
) -> None:
    provider = WatchProvider.objects.create(provider_id=1, provider_name="Netflix")
    for number in range(regions):
        offer(show, provider, f"{chr(65 + number // 26)}{chr(65 + number % 26)}", "flatrate")

    with django_assert_max_num_queries(6):
        assert len(read(client, address(show))["watch_providers"]) == regions


def test_a_look_up_prefers_the_living_whatever_lies_in_the_trash(client: Client, author: Author) -> None:
    for number in range(2):
        delete_show(Show.objects.create(name=f"Gone {number}", tvdb_id=5).pk, author)
    living = Show.objects.create(name="Below Deck", tvdb_id=5)
    assert client.get("/api/v1/shows/lookup?tvdb=5").json()["id"] == str(living.pk)

    Show.objects.create(name="Below Deck", tvdb_id=5)

    assert client.get("/api/v1/shows/lookup?tvdb=5").status_code == 409
