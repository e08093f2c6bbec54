import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from catalog import show_filters
from catalog.models import Network, SavedView, Show, ShowNetwork, ShowWatchProvider, WatchProvider
from catalog.show_filters import ContributedFilter, Filter, ShowFilter, filtered_shows
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MADE: dict[str, dict[str, Any]] = {
    "Gone": {"tmdb_id": 9, "needs_tmdb_resolution": True, "tmdb_status": "Ended"},
    "Waiting": {"needs_tmdb_resolution": True, "needs_imdb_resolution": True, "override": "4"},
    "Locked": {"locked_fields": ["name", "watch_providers"], "override": "SKIP", "tmdb_status": "Canceled"},
    "Plain": {"tmdb_id": 10, "tmdb_status": "Ended", "locked_fields": ["tmdb_name"], "override": "Y"},
}


def found(**params: str) -> set[str]:
    return set(filtered_shows(params).values_list("name", flat=True))


def refused(**params: str) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as error:
        filtered_shows(params)
    return dict(error.value.message_dict)


@pytest.fixture
def shows() -> dict[str, Show]:
    return {name: Show.objects.create(name=name, **columns) for name, columns in MADE.items()}


@pytest.mark.parametrize(
    ("parameter", "value", "names"),
    [
        ("status", "Ended", {"Gone", "Plain"}),
        ("status", " ended ", {"Gone", "Plain"}),
        ("status", "none", {"Waiting"}),
        ("override", "none", {"Gone"}),
        ("override", "any", {"Waiting", "Locked", "Plain"}),
        ("override", "skip", {"Locked"}),
        ("override", "y", {"Plain"}),
        ("override", "number", {"Waiting"}),
        ("needs", "any", {"Gone", "Waiting"}),
        ("needs", "tmdb", {"Gone", "Waiting"}),
        ("needs", "imdb", {"Waiting"}),
        ("needs", "none", {"Locked", "Plain"}),
        ("locked", "yes", {"Locked", "Plain"}),
        ("locked", "no", {"Gone", "Waiting"}),
        ("locked", "name", {"Locked"}),
        ("locked", "tmdb_name", {"Plain"}),
        ("locked", "watch_providers", {"Locked"}),
        ("gone", "yes", {"Gone"}),
        ("gone", "no", {"Waiting", "Locked", "Plain"}),
        ("gone", "", set(MADE)),
    ],
)
def test_a_filter_finds_the_shows_that_answer_it(
    shows: dict[str, Show], parameter: str, value: str, names: set[str]
) -> None:
    assert found(**{parameter: value}) == names


@pytest.mark.parametrize("filter", show_filters.show_filters(), ids=lambda each: each.parameter)
def test_every_offered_answer_can_be_asked(shows: dict[str, Show], filter: ShowFilter) -> None:
    for value, label in filter.answers():
        assert label
        assert found(**{filter.parameter: value}) <= set(MADE)


def test_filters_narrow_each_other(shows: dict[str, Show]) -> None:
    assert found(status="Ended", override="none") == {"Gone"}


def test_the_trash_is_not_searched(shows: dict[str, Show], author: Any) -> None:
    delete_show(shows["Gone"].pk, author)

    assert found(status="Ended") == {"Plain"}
    assert found(q="gone") == set()


@pytest.mark.parametrize("value", ["74", "Bravo (74)", "bravo", "Bravo"])
def test_a_network_is_named_by_id_or_by_name(
    shows: dict[str, Show], make_network: Callable[..., Network], value: str
) -> None:
    bravo, other = make_network(74, "Bravo"), make_network(7, "E!")
    ShowNetwork.objects.create(show=shows["Plain"], network=bravo, position=1)
    ShowNetwork.objects.create(show=shows["Plain"], network=other, position=0)
    ShowNetwork.objects.create(show=shows["Gone"], network=other, position=0)

    assert found(network=value) == {"Plain"}


def test_a_name_that_two_networks_have_means_both(shows: dict[str, Show], make_network: Callable[..., Network]) -> None:
    ShowNetwork.objects.create(show=shows["Plain"], network=make_network(74, "Bravo"), position=1)
    ShowNetwork.objects.create(show=shows["Gone"], network=make_network(75, "BRAVO"), position=1)

    assert found(network="bravo") == {"Plain", "Gone"}


def offer(show: Show, provider: WatchProvider, region: str, offer_type: str = "flatrate") -> None:
    ShowWatchProvider.objects.create(
        show=show, provider=provider, region=region, offer_type=offer_type, first_seen_at=NOW, fetched_at=NOW
    )


@pytest.fixture
def offers(shows: dict[str, Show]) -> None:
    hulu = WatchProvider.objects.create(provider_id=15, provider_name="Hulu")
    peacock = WatchProvider.objects.create(provider_id=386, provider_name="Peacock Premium")
    offer(shows["Plain"], hulu, "US")
    offer(shows["Plain"], hulu, "US", "buy")
    offer(shows["Plain"], peacock, "DE")
    offer(shows["Gone"], hulu, "DE")


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"provider": "15"}, {"Plain", "Gone"}),
        ({"provider": "Peacock Premium (386)"}, {"Plain"}),
        ({"provider": "hulu", "region": ""}, {"Plain", "Gone"}),
        ({"region": "us"}, {"Plain"}),
        ({"region": "DE"}, {"Plain", "Gone"}),
        ({"provider": "15", "region": "US"}, {"Plain"}),
        ({"provider": "15", "region": "DE"}, {"Gone"}),  # Plain has both, but in two offers
        ({"region": "FR"}, set()),
    ],
)
def test_provider_and_region_ask_for_one_offer_that_is_both(
    offers: None, params: dict[str, str], names: set[str]
) -> None:
    assert found(**params) == names
    assert filtered_shows(params).count() == len(names)


@pytest.mark.parametrize(
    ("parameter", "value", "words"),
    [
        ("override", "nonsense", "none, any, skip, y, number"),
        ("status", "Never heard of", "Returning Series"),
        ("needs", "1", "any, tmdb, imdb, none"),
        ("gone", "maybe", "yes, no"),
        ("locked", "password", "yes, no"),
        ("network", "74", "There is no network"),
        ("network", "9" * 40, "There is no network"),
        ("network", "x\x00", "can't be stored"),
        ("provider", "-1", "There is no watch provider"),
        ("region", "USA", "two letters"),
        ("region", "U1", "two letters"),
        ("region", "ÄÖ", "two letters"),
        ("filter", "never-saved", "There is no saved view"),
        ("filter", "\x00", "There is no saved view"),
        ("q", "\x00", "can't be stored"),
        ("q", "\ud800", "can't be stored"),
        ("q", "a " * 21, "At most 20 words"),
        ("networks__id__exact", "74", "not filtered by"),
        ("password", "x", "not filtered by"),
    ],
)
def test_what_is_asked_wrongly_is_refused_by_name(
    shows: dict[str, Show], parameter: str, value: str, words: str
) -> None:
    errors = refused(**{parameter: value})

    assert list(errors) == [parameter]
    assert words in errors[parameter][0]


def test_all_wrong_questions_are_told_at_once(shows: dict[str, Show]) -> None:
    assert set(refused(region="USA", gone="maybe", status="Ended")) == {"region", "gone"}


# --- saved views


@pytest.fixture
def ended(editor: Any) -> SavedView:
    params = {"status": "Ended", "override": "none", "o": "-updated"}
    return SavedView.objects.create(slug="ended", name="Ended", owner=editor, params=params)


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({}, {"Gone"}),
        ({"override": "y"}, {"Plain"}),
        ({"override": ""}, {"Gone", "Plain"}),
        ({"gone": "no"}, set()),
        ({"q": "go"}, {"Gone"}),
    ],
)
def test_a_saved_view_composes_with_further_filters(
    shows: dict[str, Show], ended: SavedView, more: dict[str, str], names: set[str]
) -> None:
    assert found(filter="ended", **more) == names


def test_a_saved_view_finds_what_its_parameters_find(shows: dict[str, Show], ended: SavedView) -> None:
    assert found(filter="ended") == found(status="Ended", override="none")


def test_a_view_that_became_impossible_names_the_parameter(shows: dict[str, Show], ended: SavedView) -> None:
    SavedView.objects.update(params={"network": "74"})

    assert list(refused(filter="ended")) == ["network"]


# --- filters of other apps


@pytest.fixture
def contributed(monkeypatch: pytest.MonkeyPatch) -> list[Filter]:
    mine: list[Filter] = []
    monkeypatch.setattr(show_filters, "contributed", mine)
    return mine


def test_a_filter_of_another_app_is_asked_like_ours(shows: dict[str, Show], contributed: list[Filter]) -> None:
    def apply(found: Any, value: str) -> Any:
        return found.filter(tmdb_id__isnull=value == "no")

    contributed.append(ContributedFilter("matched", "Matched", lambda: [("yes", "Yes"), ("no", "No")], apply))

    assert found(matched="yes") == {"Gone", "Plain"}
    assert found(matched="no", status="none") == {"Waiting"}
    assert "yes, no" in refused(matched="perhaps")["matched"][0]


# --- search


@pytest.fixture
def housewives(db: None) -> Show:
    return Show.objects.create(
        name="The Réal Housewives of Köln",
        tmdb_name="RHOK",
        imdb_title="Hausfrauen",
        imdb_id="tt1134567",
        tmdb_id=2710,
        tvdb_id=3000000000,
        wikidata_id="Q1234",
        instagram_id="real.wives",
        id=uuid.UUID("0a1b2c3d-0000-4000-8000-000000000001"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "real housewives",
        "HOUSEWIVES köln",
        "koln the",
        "  wives ",
        "rhok",
        "hausfrauen koln",
        "tt1134567",
        "tt113",
        "TT113",
        "2710",
        "3000000000",
        "q1234",
        "Real.Wives",
        "0a1b2c3d-0000-4000-8000-000000000001",
        "0A1B2C3D000040008000000000000001",
        "0a1b2c3d",
        "0a1b2c3d-00",
        "housewives tt113 2710",
    ],
)
def test_every_word_is_part_of_a_name_or_an_id(housewives: Show, text: str) -> None:
    Show.objects.create(name="Below Deck", tmdb_id=27100, imdb_id="tt2342499", tvdb_id=1)

    assert found(q=text) == {housewives.name}


@pytest.mark.parametrize(
    "text", ["housewives deck", "tt114", "271", "q123", "real%", "_eal", "'\"", "0a1b2c3e", "9" * 30, "\\"]
)
def test_what_no_show_has_finds_none(housewives: Show, text: str) -> None:
    assert found(q=text) == set()


def test_signs_that_mean_something_to_a_database_are_searched_as_they_are(db: None) -> None:
    Show.objects.create(name="100% Hotter_")
    Show.objects.create(name="1000 Hotter")

    assert found(q="100%") == {"100% Hotter_"}
    assert found(q="hotter_") == {"100% Hotter_"}


@pytest.mark.parametrize("text", ["tipsy", "tt7654321", "777", "housewives tipsy", "tipsy girls"])
def test_a_merged_show_is_found_under_the_one_that_stands_for_it(housewives: Show, text: str) -> None:
    Show.all_objects.create(
        name="Tipsy Girls", imdb_id="tt7654321", tmdb_id=777, merged_into=housewives, deleted_at=timezone.now()
    )

    assert found(q=text) == {housewives.name}


def test_a_search_costs_one_query(housewives: Show, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert found(q="real housewives tt113", status="", needs="none") == {housewives.name}


def test_a_status_that_tmdb_or_some_show_has_is_known(db: None) -> None:
    odd = Show.objects.create(name="Odd", tmdb_status="Between seasons")

    assert list(filtered_shows({"status": "between Seasons"})) == [odd]
    assert list(filtered_shows({"status": "planned"})) == []
