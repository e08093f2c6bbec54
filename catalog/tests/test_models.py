"""The constraints, past every form: what is wrong can't be stored, on SQLite and on PostgreSQL alike."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from catalog.models import (
    Change,
    Network,
    ProductionCompany,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BAD_IMDB_IDS = [
    "",
    "tt",
    "tt123456",
    "1234567",
    "TT1234567",
    " tt1234567",
    "tt1234567 ",
    "tt1234567\n",
    "tt12345a7",
    "nm1234567",
    "tt\u0661234567",
]


def refused() -> Any:
    return pytest.raises(IntegrityError)


@pytest.mark.parametrize("imdb_id", BAD_IMDB_IDS)
@pytest.mark.parametrize("column", ["imdb_id", "most_recent_episode_imdb_id"])
def test_show_refuses_what_is_no_imdb_id(show: Show, column: str, imdb_id: str) -> None:
    with refused(), transaction.atomic():
        Show.objects.filter(pk=show.pk).update(**{column: imdb_id})


@pytest.mark.parametrize("imdb_id", ["tt0000001", "tt1720601", "tt12345678", "tt123456789"])
def test_show_takes_imdb_ids_of_seven_digits_and_more(show: Show, imdb_id: str) -> None:
    Show.objects.filter(pk=show.pk).update(imdb_id=imdb_id)


@pytest.mark.parametrize("tmdb_id", [0, -1])
def test_show_refuses_a_tmdb_id_below_one(tmdb_id: int) -> None:
    with refused(), transaction.atomic():
        Show.objects.bulk_create([Show(name="A", tmdb_id=tmdb_id)])


def test_show_refuses_an_empty_name() -> None:
    with refused(), transaction.atomic():
        Show.objects.bulk_create([Show(name="")])


@pytest.mark.parametrize("override", ["skip", "abc", "y", "12345", "-1", "1.5", "Y\n", "SKIP ", " ", "SKIPY"])
def test_show_refuses_an_unknown_override(show: Show, override: str) -> None:
    with refused(), transaction.atomic():
        Show.objects.filter(pk=show.pk).update(override=override)


@pytest.mark.parametrize("override", ["", "SKIP", "Y", "0", "4", "9999"])
def test_show_takes_every_override_of_the_workbook(show: Show, override: str) -> None:
    Show.objects.filter(pk=show.pk).update(override=override)


@pytest.mark.parametrize("ids", [{"tmdb_id": 55555}, {"imdb_id": "tt2342499"}])
def test_two_shows_never_share_an_id(show: Show, ids: dict[str, Any]) -> None:
    with refused(), transaction.atomic():
        Show.objects.bulk_create([Show(name="B", **ids)])


def test_many_shows_may_have_no_id() -> None:
    Show.objects.bulk_create([Show(name=f"Show {number}") for number in range(3)])

    assert Show.objects.filter(tmdb_id=None, imdb_id=None).count() == 3


def test_a_typed_override_is_told_to_the_editor(show: Show) -> None:
    show.override = "perhaps"

    with pytest.raises(ValidationError, match="SKIP"):
        show.full_clean()


@pytest.mark.parametrize(
    "row", [Network(id=0, name="A"), ProductionCompany(id=0, name="A"), WatchProvider(provider_id=0, provider_name="A")]
)
def test_entities_refuse_the_id_zero(row: Any) -> None:
    with refused(), transaction.atomic():
        type(row).objects.bulk_create([row])


def offer(show: Show, **values: Any) -> ShowWatchProvider:
    columns = {"region": "US", "offer_type": "flatrate", "provider_id": 386, "first_seen_at": NOW, "fetched_at": NOW}
    return ShowWatchProvider(show=show, **columns | values)


@pytest.fixture
def peacock() -> WatchProvider:
    return WatchProvider.objects.create(provider_id=386, provider_name="Peacock ")


def test_an_offer_stands_once(show: Show, peacock: WatchProvider) -> None:
    ShowWatchProvider.objects.bulk_create([offer(show), offer(show, region="CA"), offer(show, offer_type="buy")])

    with refused(), transaction.atomic():
        ShowWatchProvider.objects.bulk_create([offer(show)])


@pytest.mark.parametrize("blank", [{"region": ""}, {"offer_type": ""}])
def test_an_offer_has_a_region_and_a_type(show: Show, peacock: WatchProvider, blank: dict[str, str]) -> None:
    with refused(), transaction.atomic():
        ShowWatchProvider.objects.bulk_create([offer(show, **blank)])


def test_a_show_links_to_an_entity_once_and_from_a_known_source(show: Show) -> None:
    bravo = Network.objects.create(id=74, name="Bravo")
    company = ProductionCompany.objects.create(id=5, name="51 Minds")
    ShowNetwork.objects.create(show=show, network=bravo, position=0)
    ShowProductionCompany.objects.create(show=show, company=company, position=0)

    for wrong in (
        ShowNetwork(show=show, network=bravo, position=1),
        ShowProductionCompany(show=show, company=company, position=1),
    ):
        with refused(), transaction.atomic():
            type(wrong).objects.bulk_create([wrong])
    for model in (ShowNetwork, ShowProductionCompany):
        with refused(), transaction.atomic():
            model.objects.update(source="guess")


def test_a_network_with_shows_can_not_be_deleted(show: Show) -> None:
    bravo = Network.objects.create(id=74, name="Bravo")
    ShowNetwork.objects.create(show=show, network=bravo, position=0)

    with pytest.raises(ProtectedError):
        bravo.delete()
    with refused(), transaction.atomic():  # nor past the models
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM catalog_network WHERE id = 74")
        connection.check_constraints()


def test_a_provider_with_offers_and_a_company_with_shows_can_not_be_deleted(show: Show, peacock: WatchProvider) -> None:
    ShowWatchProvider.objects.bulk_create([offer(show)])
    company = ProductionCompany.objects.create(id=5, name="51 Minds")
    ShowProductionCompany.objects.create(show=show, company=company, position=0)

    for row in (peacock, company):
        with pytest.raises(ProtectedError):
            row.delete()


def test_a_change_has_a_known_kind_and_at_most_one_author(show: Show, editor: Any) -> None:
    for wrong in (Change(show=show, kind="guessed"), Change(show=show, kind="updated", user=editor, run_id=1)):
        with refused(), transaction.atomic():
            Change.objects.bulk_create([wrong])


def test_the_changes_of_a_deleted_show_stay(show: Show) -> None:
    change = Change.objects.create(show=show, kind="updated")

    show.delete()
    connection.check_constraints()

    assert Change.objects.filter(pk=change.pk).exists()


def test_names_are_shown_without_stray_blanks(peacock: WatchProvider) -> None:
    assert str(peacock) == "Peacock"


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({}, None),
        ({"most_recent_episode_season": 2, "most_recent_episode_number": 3}, "S2.E3"),
        (
            {"most_recent_episode_season": 2, "most_recent_episode_number": 3, "most_recent_episode_title": "Pilot"},
            "S2.E3 - Pilot",
        ),
    ],
)
def test_the_most_recent_episode_is_told_as_far_as_it_is_known(columns: dict[str, Any], text: str | None) -> None:
    assert Show(name="A", **columns).most_recent_episode == text


def test_the_logo_address_follows_the_cdn_and_needs_no_write(settings: Any, media: Any) -> None:
    network = Network(id=1, name="A", hosted_logo_key="images/logos/networks/1/ab.png")

    assert network.hosted_logo_url == "/media/images/logos/networks/1/ab.png"
    settings.AWS_CDN_BASE_URL = "https://cdn.example"
    assert network.hosted_logo_url == "https://cdn.example/images/logos/networks/1/ab.png"
    assert Network(id=1, name="A").hosted_logo_url is None


@pytest.mark.parametrize(
    ("columns", "needed"),
    [
        ({"tmdb_logo_path": None}, False),
        ({"tmdb_logo_path": "/a.png"}, True),
        ({"tmdb_logo_path": "/a.png", "hosted_logo_key": "k", "hosted_logo_path": "/a.png"}, False),
        ({"tmdb_logo_path": "/b.png", "hosted_logo_key": "k", "hosted_logo_path": "/a.png"}, True),
        ({"tmdb_logo_path": "/b.png", "hosted_logo_key": "k", "logo_locked": True}, False),
        ({"tmdb_logo_path": "/b.png", "hosted_logo_key": "k"}, True),
    ],
)
def test_a_logo_is_needed_when_its_path_is_not_the_mirrored_one(columns: dict[str, Any], needed: bool) -> None:
    Network.objects.create(id=1, name="A", **columns)

    assert Network.objects.needing_logo().exists() is needed
