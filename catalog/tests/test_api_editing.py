"""PATCH of a show: who may, what is locked and kept in the history, and what is refused without a trace."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from knox.models import AuthToken

from catalog.changes import Author
from catalog.edits import edit_show
from catalog.merging import merge_shows
from catalog.models import Change, ProductionCompany, Show
from catalog.tests.api_rows import AT, SHOWS, address, below_deck, read
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db


def bearer(user: Any, expiry: timedelta = timedelta(days=1)) -> dict[str, str]:
    return {"Authorization": f"Bearer {AuthToken.objects.create(user, expiry=expiry)[1]}"}


@pytest.fixture
def helper(django_user_model: Any) -> Any:
    """One who may change shows, and nothing else."""
    user = django_user_model.objects.create_user("helper", password="secret")
    user.user_permissions.add(Permission.objects.get(codename="change_show"))
    return user


@pytest.fixture
def token(helper: Any) -> dict[str, str]:
    return bearer(helper)


def patch(client: Client, show: Show, values: Any, headers: dict[str, str] | None = None) -> Any:
    return client.patch(address(show), values, "application/json", headers=headers or {})


def state(show: Show) -> tuple[Any, ...]:
    """All that an edit could leave behind."""
    row = Show.all_objects.filter(pk=show.pk).values().get()
    links = [*show.show_networks.values("network_id", "source"), *show.show_companies.values("company_id", "source")]
    return row, links, list(Change.objects.order_by("id").values())


# --- what an edit does


def test_an_editor_sets_fields_which_are_locked_and_stand_in_the_history(
    client: Client, show: Show, helper: Any, token: dict[str, str]
) -> None:
    values = {"name": "Below Deck Med", "genres": ["Reality", "Talk"], "premiere_date": "2016-05-03", "tags": ["sea"]}
    response = patch(client, show, values | {"reason": "As on its card."}, token)

    assert response.status_code == 200
    edited = response.json()
    assert {name: edited[name] for name in values} == values
    assert edited["locked_fields"] == ["name", "premiere_date", "genres"]  # no sync writes tags
    show.refresh_from_db()
    assert show.upstream_values == {"name": "Below Deck", "premiere_date": None, "genres": ["Reality"]}
    change = Change.objects.get()
    assert (change.kind, change.user, change.reason, change.batch_id) == ("updated", helper, "As on its card.", None)
    assert change.fields["name"] == ["Below Deck", "Below Deck Med"]
    assert change.fields["genres"] == {"added": ["Talk"], "removed": []}
    assert read(client, "/api/v1/changes")["results"][0]["changed"] == sorted([*values, "locked_fields"])


def test_an_edit_that_changes_nothing_writes_nothing(client: Client, show: Show, token: dict[str, str]) -> None:
    before = state(show)

    for values in ({}, {"name": "Below Deck"}, {"name": " Below Deck "}, {"reason": "none"}):
        assert patch(client, show, values, token).status_code == 200
    assert state(show) == before


def test_a_read_after_an_edit_is_never_old(client: Client, show: Show, token: dict[str, str]) -> None:
    for number in range(5):
        name = f"Deck {number}"
        edited = patch(client, show, {"name": name}, token)
        again = client.get(address(show), headers={"If-None-Match": edited["ETag"]})
        assert (edited.json()["name"], again.status_code) == (name, 304)
        assert read(client, address(show)) == edited.json()
        assert [one["name"] for one in read(client, SHOWS)["results"]] == [name]
        assert read(client, SHOWS, search=name)["count"] == 1


def test_networks_and_companies_are_set_by_their_ids_in_order(
    client: Client, token: dict[str, str], author: Author
) -> None:
    show = below_deck()
    ProductionCompany.objects.create(id=9, name="Other")
    values = {"tmdb_network_ids": [74, 3353], "tmdb_production_company_ids": [9, 1302]}
    edited = patch(client, show, values, token).json()

    assert {name: edited[name] for name in values} == values
    assert edited["networks"] == ["Bravo", "Peacock"]
    assert edited["locked_fields"] == ["name", "networks", "production_companies"]
    assert patch(client, show, {"tmdb_network_ids": []}, token).json()["networks"] == []


def test_an_empty_text_is_none(client: Client, show: Show, token: dict[str, str]) -> None:
    edited = patch(client, show, {"imdb_id": "", "description": ""}, token).json()

    assert (edited["imdb_id"], edited["description"]) == (None, None)


def test_an_id_that_is_set_takes_the_show_out_of_the_queue(client: Client, token: dict[str, str]) -> None:
    show = Show.objects.create(name="New", needs_tmdb_resolution=True, needs_imdb_resolution=True)
    edited = patch(client, show, {"tmdb_id": 12, "imdb_id": None}, token).json()

    assert (edited["tmdb_id"], edited["needs_tmdb_resolution"], edited["needs_imdb_resolution"]) == (12, False, True)


# --- who may


def test_a_session_edits_with_its_csrf_token_alone(show: Show, helper: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(helper)
    before = state(show)

    refused = patch(client, show, {"name": "Deck"})
    assert (refused.status_code, state(show)) == (403, before)
    assert "CSRF" in refused.json()["detail"]
    csrf = "a" * 32
    client.cookies["csrftoken"] = csrf
    assert patch(client, show, {"name": "Deck"}, {"X-CSRFToken": csrf}).json()["name"] == "Deck"
    assert Change.objects.get().user == helper


def test_a_token_needs_no_csrf_token(show: Show, token: dict[str, str]) -> None:
    assert patch(Client(enforce_csrf_checks=True), show, {"name": "Deck"}, token).status_code == 200


@pytest.mark.parametrize(
    ("who", "status"),
    [("nobody", 401), ("wrong", 401), ("odd", 401), ("expired", 401), ("deactivated", 401), ("without the right", 403)],
)
def test_who_may_not_edit_is_refused(
    client: Client, show: Show, helper: Any, django_user_model: Any, who: str, status: int
) -> None:
    headers = {
        "nobody": lambda: {},
        "wrong": lambda: {"Authorization": "Bearer trr_" + "0" * 60},
        "odd": lambda: {"Authorization": "Bearer t\xe9\x00"},
        "expired": lambda: bearer(helper, timedelta(days=-1)),
        "deactivated": lambda: bearer(helper),
        "without the right": lambda: bearer(django_user_model.objects.create_user("reader")),
    }[who]()
    if who == "deactivated":
        django_user_model.objects.filter(pk=helper.pk).update(is_active=False)
    before = state(show)

    response = patch(client, show, {"name": "Deck"}, headers)
    assert (response.status_code, state(show)) == (status, before)
    assert response.json()["detail"]
    assert response.has_header("WWW-Authenticate") == (status == 401)
    assert client.get(address(show), headers=headers).status_code == 200  # reading is for everybody


# --- what is refused


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"nme": "Deck"}, "nme"),
        ({"id": str(uuid.uuid4())}, "id"),
        ({"locked_fields": []}, "locked_fields"),
        ({"tmdb_popularity": 1}, "tmdb_popularity"),
        ({"deleted_at": None}, "deleted_at"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": ["a"]}, "name"),
        ({"imdb_id": "2342499"}, "imdb_id"),
        ({"tmdb_id": 0}, "tmdb_id"),
        ({"tmdb_id": -1}, "tmdb_id"),
        ({"tmdb_id": 2**63}, "tmdb_id"),
        ({"tmdb_id": 7}, "tmdb_id"),
        ({"imdb_id": "tt0000007"}, "imdb_id"),
        ({"tmdb_id": 8}, "tmdb_id"),
        ({"show_total_seasons": 2**40}, "show_total_seasons"),
        ({"premiere_date": "soon"}, "premiere_date"),
        ({"genres": "Reality"}, "genres"),
        ({"genres": [None]}, "genres"),
        ({"genres": ["a\x00"]}, "genres"),
        ({"genres": None}, "genres"),
        ({"override": "maybe"}, "override"),
        ({"override": None}, "override"),
        ({"needs_tmdb_resolution": None}, "needs_tmdb_resolution"),
        ({"tmdb_network_ids": [99]}, "tmdb_network_ids"),
        ({"tmdb_network_ids": [0]}, "tmdb_network_ids"),
        ({"tmdb_network_ids": ["x"]}, "tmdb_network_ids"),
        ({"tmdb_network_ids": [74] * 1001}, "tmdb_network_ids"),
        ({"tmdb_production_company_ids": [99]}, "tmdb_production_company_ids"),
        ({"tmdb_production_company_ids": None}, "tmdb_production_company_ids"),
        ({"reason": "a" * 501}, "reason"),
        ({"reason": "a\x00"}, "reason"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_field_and_nothing_is_written(
    client: Client, show: Show, token: dict[str, str], values: dict[str, Any], named: str
) -> None:
    Show.objects.create(name="Holder", tmdb_id=7, imdb_id="tt0000007")
    Show.objects.create(name="In the trash", tmdb_id=8, deleted_at=AT)
    before = state(show)

    response = patch(client, show, {"description": "Written?", **values}, token)
    assert (response.status_code, list(response.json()["errors"])) == (400, [named])
    assert response.json()["detail"].startswith(f"{named}: ")
    assert state(show) == before


def test_all_faults_are_named_at_once_and_the_holder_of_an_id_too(
    client: Client, show: Show, token: dict[str, str]
) -> None:
    Show.objects.create(name="Holder", tmdb_id=7)

    many = patch(client, show, {"premiere_date": "x", "tmdb_id": "y"}, token).json()
    assert many["errors"].keys() == {"premiere_date", "tmdb_id"}
    assert "Holder" in patch(client, show, {"tmdb_id": 7}, token).json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("null", "application/json", 400),
        ('"name"', "application/json", 400),
        ('{"tmdb_vote_average": NaN}', "application/json", 400),
        (b'{"name": "\xff"}', "application/json", 400),
        ('{"name": "\\ud800"}', "application/json", 400),
        ("name=Deck", "application/x-www-form-urlencoded", 415),
        ("[" * 100_000, "application/json", 400),
    ],
)
def test_a_body_that_is_no_object_of_json_is_refused(
    client: Client, show: Show, token: dict[str, str], body: Any, kind: str, status: int
) -> None:
    before = state(show)

    response = client.patch(address(show), body, kind, headers=token)
    assert (response.status_code, state(show)) == (status, before)
    assert response.json()["detail"]


def test_an_edit_of_a_show_that_is_gone_says_where_it_went(
    client: Client, show: Show, editor: Any, token: dict[str, str]
) -> None:
    merged, deleted = Show.objects.create(name="Below deck"), Show.objects.create(name="Other")
    why = Author(user=editor, reason="the same")
    merge_shows(merged.pk, show.pk, {}, why)
    delete_show(deleted.pk, why)
    before = state(show), state(merged), state(deleted)

    for headers in (token, token | {"If-Match": "*"}, token | {"If-Match": '"old"'}):
        moved = patch(client, merged, {"name": "Deck"}, headers)
        assert (moved.status_code, moved["Location"]) == (301, address(show))
        assert patch(client, deleted, {"name": "Deck"}, headers).status_code == 410
        assert client.patch(f"{SHOWS}/{uuid.uuid4()}", {}, "application/json", headers=headers).status_code == 404
    assert client.patch(f"{SHOWS}/1", {}, "application/json", headers=token).status_code == 404
    assert (state(show), state(merged), state(deleted)) == before


def test_an_edit_takes_no_parameters(client: Client, show: Show, token: dict[str, str]) -> None:
    response = client.patch(f"{address(show)}?fields=name", {"name": "Deck"}, "application/json", headers=token)

    assert (response.status_code, list(response.json()["errors"])) == (400, ["fields"])


# --- If-Match


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("{etag}", 200),
        ('"other", {etag}', 200),
        ("*", 200),
        ('"other"', 412),
        ("W/{etag}", 412),
        ("{bare}", 412),
        ("", 200),
        ('""', 412),
    ],
)
def test_an_edit_of_what_was_read_goes_by_its_strong_etag(
    client: Client, show: Show, token: dict[str, str], if_match: str, status: int
) -> None:
    etag, before = client.get(address(show))["ETag"], state(show)

    response = patch(
        client, show, {"name": "Deck"}, token | {"If-Match": if_match.format(etag=etag, bare=etag.strip('"'))}
    )
    assert response.status_code == status
    assert (state(show) == before) == (status == 412)


def test_an_edit_is_refused_when_another_came_first(
    client: Client, show: Show, author: Author, token: dict[str, str]
) -> None:
    etag = client.get(address(show), headers={"Accept-Encoding": "gzip"})["ETag"]
    edit_show(show.pk, {"description": "Ours"}, author)
    before = state(show)

    assert patch(client, show, {"name": "Deck"}, token | {"If-Match": etag}).status_code == 412
    assert state(show) == before
    fresh = client.get(address(show), headers={"Accept-Encoding": "gzip"})
    assert fresh["ETag"].endswith('-gzip"')
    assert patch(client, show, {"name": "Deck"}, token | {"If-Match": fresh["ETag"]}).status_code == 200


def test_what_is_written_is_answered_in_full_whatever_the_client_says_that_it_has(desk: Client, show: Show) -> None:
    reply = desk.patch(
        address(show),
        {"name": "Q"},
        content_type="application/json",
        headers={"If-None-Match": "*"},
    )

    assert (reply.status_code, reply.json()["name"], reply["Cache-Control"]) == (200, "Q", "no-store")
