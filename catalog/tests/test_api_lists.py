"""Lists of shows, networks, companies and providers: what is asked, pages, crawls, and what they cost."""

import uuid
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from catalog.models import Network, ProductionCompany, SavedView, Show, ShowNetwork, WatchProvider
from catalog.tests.api_rows import AT, BELOW_DECK, SHOWS, address, below_deck, offer, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def deck(db: None, settings: Any) -> Show:
    settings.AWS_CDN_BASE_URL = "https://cdn.test"
    return below_deck()


def names(client: Client, **asked: Any) -> list[str]:
    return [show["name"] for show in read(client, SHOWS, **asked)["results"]]


# --- lists


@pytest.fixture
def three(deck: Show) -> None:
    """Below Deck, and two that have nothing in common with it."""
    idol = Show.objects.create(name="Idôl", tmdb_status="Ended", premiere_date=date(2002, 6, 11), genres=["Talk", "é"])
    Show.objects.create(name="Zoo", needs_imdb_resolution=True, needs_tmdb_resolution=True, tmdb_id=7, override="3")
    ShowNetwork.objects.create(show=idol, network=Network.objects.create(id=6, name="ABC"), position=0)
    offer(idol, WatchProvider.objects.get(pk=223), "FR", "flatrate")
    owner = get_user_model().objects.create_user("owner")
    for name, shared in (("ended", True), ("mine", False)):
        SavedView.objects.create(slug=name, name=name, owner=owner, shared=shared, params={"status": "Ended"})


DECK, IDOL, ZOO = "Below Deck", "Idôl", "Zoo"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [DECK, IDOL, ZOO]),
        ({"search": "idol"}, [IDOL]),
        ({"search": "DECK below"}, [DECK]),
        ({"search": "tt23424"}, [DECK]),
        ({"search": "2d0d1d5e"}, [DECK]),
        ({"search": " "}, [DECK, IDOL, ZOO]),
        ({"id": f"{BELOW_DECK},{uuid.uuid4()}"}, [DECK]),
        ({"id": [str(BELOW_DECK), str(uuid.uuid4())]}, [DECK]),
        ({"imdb_id": "tt2342499"}, [DECK]),
        ({"imdb_id": "tt1"}, []),
        ({"tmdb_id": 7}, [ZOO]),
        ({"network": 74}, [DECK]),
        ({"network": "bravo"}, [DECK]),
        ({"provider": 223}, [DECK, IDOL]),
        ({"provider": "Hayu", "region": "us"}, [DECK]),
        ({"provider": 10, "region": "GB"}, []),
        ({"region": "FR"}, [IDOL]),
        ({"status": "ended"}, [IDOL]),
        ({"status": "none"}, [ZOO]),
        ({"genre": "Reality"}, [DECK]),
        ({"genre": "é"}, [IDOL]),
        ({"genre": "Real"}, []),
        ({"genre": '", "'}, []),
        ({"updated_since": "2026-01-02T03:04:06Z"}, [IDOL, ZOO]),
        ({"updated_since": "2026-01-02T05:04:05+02:00"}, [DECK, IDOL, ZOO]),
        ({"updated_since": "2026-01-03"}, [IDOL, ZOO]),
        ({"override": "y"}, [DECK]),
        ({"override": "number"}, [ZOO]),
        ({"needs": "imdb"}, [ZOO]),
        ({"gone": "yes"}, [ZOO]),
        ({"filter": "ended"}, [IDOL]),
        ({"filter": "", "network": ""}, [DECK, IDOL, ZOO]),
        ({"ordering": "-name"}, [ZOO, IDOL, DECK]),
        ({"ordering": "premiere_date"}, [IDOL, DECK, ZOO]),
        ({"ordering": "-premiere_date"}, [DECK, IDOL, ZOO]),
        ({"ordering": "-tmdb_popularity,-name"}, [DECK, ZOO, IDOL]),
        ({"ordering": "updated_at", "limit": 1}, [DECK]),
        ({"limit": 1, "offset": 1}, [IDOL]),
        ({"offset": 9}, []),
    ],
)
def test_a_list_has_what_was_asked_for(client: Client, three: None, asked: dict[str, Any], found: list[str]) -> None:
    assert names(client, **asked) == found


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"network": "No such"}, "network"),
        ({"provider": 99}, "provider"),
        ({"region": "USA"}, "region"),
        ({"status": "Over"}, "status"),
        ({"needs": "tvdb"}, "needs"),
        ({"gone": "perhaps"}, "gone"),
        ({"filter": "mine"}, "filter"),
        ({"filter": "no-such"}, "filter"),
        ({"tmdb_id": "tt1"}, "tmdb_id"),
        ({"id": "1,2"}, "id"),
        ({"id": ""}, "id"),
        ({"id": ",".join(str(uuid.uuid4()) for _ in range(101))}, "id"),
        ({"updated_since": "yesterday"}, "updated_since"),
        ({"ordering": "description"}, "ordering"),
        ({"fields": "secret"}, "fields"),
        ({"include": "tmdb_meta"}, "include"),
        ({"search": " ".join("abcdefghijklmnopqrstuvwxyz")}, "search"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "", "offset": 1}, "offset"),
    ],
)
def test_a_list_refuses_a_wrong_parameter_by_its_name(
    client: Client, three: None, asked: dict[str, Any], named: str
) -> None:
    response = client.get(SHOWS, asked)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [named]


def test_a_show_of_a_list_has_the_columns_of_its_row_and_what_include_adds(client: Client, deck: Show) -> None:
    (plain,) = read(client, SHOWS)["results"]
    whole = read(client, address(deck))
    assert plain == {name: whole[name] for name in plain}
    assert {"networks", "genres", "external_ids"}.isdisjoint(plain)
    (more,) = read(client, SHOWS, include="networks,genres,external_ids")["results"]
    assert more == plain | {name: whole[name] for name in ("networks", "genres", "external_ids")}
    assert read(client, SHOWS, fields="id,networks")["results"] == [
        {"id": str(BELOW_DECK), "networks": ["Peacock", "Bravo"]}
    ]


def test_pages_lead_to_each_other_and_count_honestly(client: Client, three: None) -> None:
    first = read(client, SHOWS, limit=2, status="", fields="name")
    assert (first["count"], first["previous"]) == (3, None)
    second = read(client, first["next"])
    assert (second["count"], second["next"], second["results"]) == (3, None, [{"name": ZOO}])
    assert read(client, second["previous"]) == first
    assert first["next"].startswith("http://testserver/api/v1/shows?")


@pytest.mark.parametrize(
    ("path", "model", "key"),
    [
        ("networks", Network, "id"),
        ("production-companies", ProductionCompany, "id"),
        ("watch-providers", WatchProvider, "provider_id"),
    ],
)
def test_entities_are_listed_searched_crawled_and_read(
    client: Client, deck: Show, path: str, model: Any, key: str
) -> None:
    path = f"/api/v1/{path}"
    every = read(client, path)
    name = "provider_name" if key == "provider_id" else "name"
    ids = [row[key] for row in every["results"]]
    assert every["count"] == len(ids) == model.objects.count()
    assert sorted(ids) == [row[key] for page in crawl(client, path, limit=1) for row in page]
    one = every["results"][0]
    assert read(client, f"{path}/{one[key]}") == one
    assert read(client, path, search=one[name].upper()[:6].strip())["results"] == [one]
    assert read(client, path, id=one[key], fields=name)["results"] == [{name: one[name]}]
    assert ids[::-1] == [row[key] for row in read(client, path, ordering=f"-{name}")["results"]]
    for wrong in ("0", "x", str(2**63), "1" * 30):
        assert client.get(f"{path}/{wrong}").status_code == 404


def test_a_network_that_was_merged_leads_to_the_other(client: Client, deck: Show) -> None:
    Network.objects.create(id=75, name="Bravo", merged_into_id=74)

    response = client.get("/api/v1/networks/75")
    assert (response.status_code, response["Location"]) == (301, "/api/v1/networks/74")
    assert [row["id"] for row in read(client, "/api/v1/networks")["results"]] == [74, 3353]


# --- crawling


def crawl(client: Client, path: str, **asked: Any) -> Iterator[list[dict[str, Any]]]:
    page = read(client, path, cursor="", **asked)
    while True:
        assert (page["count"], page["previous"]) == (None, None)
        yield page["results"]
        if page["next"] is None:
            return
        page = read(client, page["next"])


class TestCrawl(TestCase):
    @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def test_a_crawl_sees_what_was_there_all_the_time_exactly_once(self, data: st.DataObject) -> None:
        places = st.integers(0, 2**128 - 1).map(lambda number: uuid.UUID(int=number))
        at_first = data.draw(st.sets(places, min_size=1, max_size=8))
        Show.objects.bulk_create(Show(id=pk, name="x") for pk in sorted(at_first))
        staying, seen = set(at_first), []
        for page in crawl(Client(), SHOWS, limit=data.draw(st.integers(1, 3))):
            seen += [uuid.UUID(show["id"]) for show in page]
            if len(seen) < 20:
                added = data.draw(places.filter(lambda pk: pk not in at_first))
                Show.objects.get_or_create(id=added, defaults={"name": "a"})
            gone = data.draw(st.sampled_from(sorted(at_first)))
            Show.objects.filter(pk=gone).update(deleted_at=AT)
            staying.discard(gone)
            Show.objects.filter(pk=data.draw(st.sampled_from(sorted(at_first)))).update(name="z", updated_at=AT)
        assert len(seen) == len(set(seen))
        assert staying <= set(seen)


# --- what it costs


@pytest.mark.parametrize("shows", [2, 51])
def test_a_page_of_a_list_is_two_queries(client: Client, shows: int, django_assert_num_queries: Any) -> None:
    Show.objects.bulk_create(Show(name=f"Show {number}") for number in range(shows))

    with django_assert_num_queries(2):
        assert client.get(SHOWS, {"limit": shows // 2, "offset": 1}).status_code == 200


def test_a_genre_is_meant_as_it_is_written(client: Client, db: None) -> None:
    Show.objects.create(name="A", genres=["Reality"])
    Show.objects.create(name="B", genres=["reality", "Réalité"])
    Show.objects.create(name="C", genres=["Reality TV"])

    def found(genre: str) -> list[str]:
        return [row["name"] for row in client.get("/api/v1/shows", {"genre": genre}).json()["results"]]

    assert [found(genre) for genre in ("Reality", "reality", "Réalité", '"', "%")] == [["A"], ["B"], ["B"], [], []]
