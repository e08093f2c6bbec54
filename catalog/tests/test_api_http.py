"""What the API is as HTTP: validators, codings, origins, limits, bad input, failures, and what it never tells."""

import gzip
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.utils.http import parse_http_date
from knox.models import AuthToken

from catalog.api import shows, throttle
from catalog.api.documents import DETAIL_EXTRAS, LIST_EXTRAS
from catalog.api.schema import document
from catalog.api.throttle import Turns
from catalog.changes import Author
from catalog.edits import edit_show
from catalog.merging import merge_shows
from catalog.models import Change, FeedStart, Network, Revision, Show
from catalog.revisions import ENTITIES, show_key
from catalog.tests.api_rows import BELOW_DECK, SHOWS, address, below_deck, read
from catalog.trash import comment_on_show, delete_show

pytestmark = pytest.mark.django_db

CHANGES = "/api/v1/changes"
GETS = (
    *(SHOWS, f"{SHOWS}?cursor=&limit=1", f"{SHOWS}/{BELOW_DECK}", f"{SHOWS}/lookup?tmdb=51838", CHANGES),
    *("/api/v1/networks", "/api/v1/networks/74", "/api/v1/production-companies", "/api/v1/production-companies/1302"),
    *("/api/v1/watch-providers", "/api/v1/watch-providers/386", "/api/v1/schema"),
)
NOTHING = "default-src 'none'; frame-ancestors 'none'"


@pytest.fixture
def deck(db: None) -> Show:
    return below_deck()


def bearer(user: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {AuthToken.objects.create(user)[1]}"}


# --- validators and codings


@pytest.mark.parametrize("path", GETS)
def test_every_get_has_an_etag_by_which_it_is_not_sent_again(client: Client, deck: Show, path: str) -> None:
    first = client.get(path)
    etag = first["ETag"]
    assert (first.status_code, first["Cache-Control"], first["Vary"]) == (
        200,
        "public, no-cache",
        "Accept-Encoding, origin",
    )
    assert first["Content-Security-Policy"] == NOTHING
    assert int(first["Content-Length"]) == len(first.content)

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        assert (again["Cache-Control"], again["Vary"]) == (first["Cache-Control"], first["Vary"])
        assert not again.has_header("Content-Type")
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content


@pytest.mark.parametrize("path", GETS)
def test_head_says_what_get_says_without_a_body(client: Client, deck: Show, path: str) -> None:
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):  # Last-Modified comes a second later
        head, get = client.head(path), client.get(path)

    assert (head.status_code, head.content, head.headers) == (200, b"", get.headers)


def test_an_etag_changes_with_what_is_told_and_with_nothing_else(client: Client, deck: Show, author: Author) -> None:
    before = client.get(address(deck))["ETag"], client.get(f"{address(deck)}?fields=name")["ETag"]
    assert before[0] != before[1]
    edit_show(deck.pk, {"description": "New"}, author)
    assert client.get(address(deck))["ETag"] != before[0]
    assert client.get(f"{address(deck)}?fields=name")["ETag"] == before[1]
    logo = client.get(address(deck))["ETag"]
    Network.objects.filter(pk=74).update(hosted_logo_key="logos/new.png")
    assert client.get(address(deck))["ETag"] != logo


def test_compressed_and_plain_bodies_have_etags_of_their_own_that_both_count(client: Client, deck: Show) -> None:
    plain = client.get(address(deck))
    packed = client.get(address(deck), headers={"Accept-Encoding": "br, gzip;q=0.5"})

    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert int(packed["Content-Length"]) == len(packed.content) < len(plain.content)
    assert not plain.has_header("Content-Encoding")
    assert packed["ETag"] != plain["ETag"]
    assert not packed["ETag"].startswith("W/")
    for coding in ("gzip", "identity"):
        for etag in (packed["ETag"], plain["ETag"]):
            headers = {"Accept-Encoding": coding, "If-None-Match": etag}
            assert client.get(address(deck), headers=headers).status_code == 304


@pytest.mark.parametrize("coding", ["", "identity", "gzip;q=0", "gzip; q=0.000", "br"])
def test_who_takes_no_gzip_gets_none(client: Client, deck: Show, coding: str) -> None:
    assert not client.get(address(deck), headers={"Accept-Encoding": coding}).has_header("Content-Encoding")


def test_a_date_is_given_once_its_second_is_over_and_is_no_proof_of_what_a_client_has(
    client: Client, show: Show, author: Author
) -> None:
    with time_machine.travel(datetime(2026, 5, 1, 12, tzinfo=UTC), tick=False) as clock:
        assert not client.get(address(show)).has_header("Last-Modified")
        clock.shift(timedelta(seconds=2))
        dated = client.get(address(show))
        since = {"If-Modified-Since": dated["Last-Modified"]}
        # What is undone has its former body again, and a date of before: only an ETag tells what the client has.
        assert client.get(address(show), headers=since).status_code == 200
        assert client.get(address(show), headers=since | {"If-None-Match": dated["ETag"]}).status_code == 304

        edit_show(show.pk, {"name": "In the same second"}, author)
        clock.shift(timedelta(seconds=2))
        client.get(address(show))
        clock.shift(timedelta(seconds=2))
        later = client.get(address(show))
        assert parse_http_date(later["Last-Modified"]) > parse_http_date(dated["Last-Modified"])


def test_an_answer_is_not_kept_that_no_token_would_tell_to_be_old(client: Client, show: Show) -> None:
    Revision.objects.filter(key=show_key(show.pk)).delete()  # as of a show that was there before the triggers

    document, tokens = shows.read_show(show.pk, ())
    assert document is not None
    assert tokens == {}
    show.save()
    assert shows.read_show(show.pk, ())[1].keys() == {show_key(show.pk), ENTITIES}


# --- origins


def test_no_other_origin_is_let_in_unless_it_is_configured(client: Client, deck: Show, settings: Any) -> None:
    origin = {"Origin": "https://app.test"}
    preflight = origin | {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
    for response in (client.get(SHOWS, headers=origin), client.options(SHOWS, headers=preflight)):
        assert not response.has_header("Access-Control-Allow-Origin")

    settings.CORS_ALLOWED_ORIGINS = ["https://app.test"]
    read_by_app = client.get(SHOWS, headers=origin)
    assert read_by_app["Access-Control-Allow-Origin"] == "https://app.test"
    assert "origin" in read_by_app["Vary"]
    assert "ETag" in read_by_app["Access-Control-Expose-Headers"]
    assert not read_by_app.has_header("Access-Control-Allow-Credentials")
    allowed = client.options(address(deck), headers=preflight)
    assert (allowed.status_code, allowed["Access-Control-Allow-Origin"]) == (200, "https://app.test")
    assert "PATCH" in allowed["Access-Control-Allow-Methods"]
    assert "if-match" in allowed["Access-Control-Allow-Headers"]
    other = client.get(SHOWS, headers={"Origin": "https://app.test.evil"})
    assert not other.has_header("Access-Control-Allow-Origin")
    admin = client.get("/admin/login/", headers=origin)
    assert not admin.has_header("Access-Control-Allow-Origin")


# --- who may read, and how often


def test_where_the_api_is_not_public_reading_needs_a_token_or_a_session(
    client: Client, deck: Show, editor: Any, django_user_model: Any, settings: Any
) -> None:
    settings.API_PUBLIC = False
    for path in GETS:
        refused = client.get(path)
        assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")
        assert refused["Cache-Control"] == "no-store"
    read_by_token = client.get(SHOWS, headers=bearer(django_user_model.objects.create_user("reader")))
    assert (read_by_token.status_code, read_by_token["Cache-Control"]) == (200, "private, no-cache")
    assert {"Authorization", "Cookie"} <= set(read_by_token["Vary"].split(", "))
    assert client.get(SHOWS, headers={"Authorization": "Bearer trr_wrong"}).status_code == 401
    client.force_login(editor)
    assert client.get(SHOWS).status_code == 200


@pytest.fixture
def one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address has one turn every fifteen seconds."""
    monkeypatch.setattr(throttle, "reads", Turns(4))


def test_who_asks_too_often_is_told_when_to_come_back(client: Client, deck: Show, one_turn: None) -> None:
    assert client.get(SHOWS).status_code == 200
    wrong = client.patch(address(deck), headers={"Authorization": "Bearer trr_guessed"})
    for refused in (client.get(address(deck)), wrong, client.get("/api/v1/nowhere")):
        assert (refused.status_code, refused["Retry-After"], refused["Cache-Control"]) == (429, "15", "no-store")
        assert "15 seconds" in refused.json()["detail"]
    assert client.get(SHOWS, REMOTE_ADDR="192.0.2.7").status_code == 200


@pytest.mark.parametrize(
    ("proxies", "first", "second", "status"),
    [
        (0, "192.0.2.1", "192.0.2.2", 429),  # anybody can send it
        (1, "192.0.2.1", "192.0.2.2", 200),
        (1, "192.0.2.9, 192.0.2.1", "192.0.2.8, 192.0.2.1", 429),
        (2, "192.0.2.1, 10.0.0.1", "192.0.2.2, 10.0.0.1", 200),
        (2, "192.0.2.1", "192.0.2.2", 429),  # it did not come through both
    ],
)
def test_an_address_that_is_forwarded_counts_behind_our_own_proxies_alone(
    client: Client, one_turn: None, settings: Any, proxies: int, first: str, second: str, status: int
) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert client.get(SHOWS, headers={"X-Forwarded-For": first}).status_code == 200
    assert client.get(SHOWS, headers={"X-Forwarded-For": second}).status_code == status


def test_turns_come_back_with_time_up_to_a_quarter_of_a_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now)
    turns = Turns(60)

    assert [turns.take("a") for _ in range(15)] == [0] * 15
    assert (turns.take("a"), turns.has_turn("a"), turns.has_turn("b")) == (1, False, True)
    now += 2
    assert [turns.take("a") == 0 for _ in range(3)] == [True, True, False]
    now += 1000
    assert [turns.take("a") == 0 for _ in range(16)].count(True) == 15
    assert [Turns(0).take("a"), Turns(0).has_turn("a")] == [0, True]


# --- bad input


@pytest.mark.parametrize(
    ("path", "named"),
    [
        *((f"{list_}?limit={limit}", "limit") for list_ in (SHOWS, "/api/v1/networks", CHANGES)
          for limit in ("0", "-1", "1000000000", "", "x", "1e1", "٣", "%00", "1" * 5000)),
        *((f"{SHOWS}?offset={offset}", "offset") for offset in ("-1", "x", "9223372036854775808")),
        (f"{SHOWS}?limit=1&limit=2", "limit"),
        (f"{SHOWS}?search=a&search=b", "search"),
        (f"{SHOWS}?nonsense=1", "nonsense"),
        (f"{SHOWS}?Limit=1", "Limit"),
        (f"{SHOWS}?search=%00", "search"),
        (f"{SHOWS}?search=%ff", "search"),
        (f"{SHOWS}?search={'a' * 501}", "search"),
        (f"{SHOWS}?network=%00", "network"),
        (f"{SHOWS}?id=%00", "id"),
        (f"{SHOWS}?genre=%00", "genre"),
        (f"{SHOWS}?imdb_id=%00", "imdb_id"),
        (f"{SHOWS}?filter=%00", "filter"),
        (f"{SHOWS}?updated_since=2026-13-01", "updated_since"),
        (f"{SHOWS}?updated_since=0001-01-01T00:00:00%2B14:00", "updated_since"),
        (f"{SHOWS}?ordering=name;drop", "ordering"),
        (f"{SHOWS}?ordering=name__id", "ordering"),
        (f"{SHOWS}/{BELOW_DECK}?fields=upstream_values", "fields"),
        (f"{SHOWS}/{BELOW_DECK}?include=", None),
        (f"{SHOWS}/{BELOW_DECK}?limit=1", "limit"),
        (f"{SHOWS}/lookup?imdb=%00", "imdb"),
        ("/api/v1/networks?search=%00", "search"),
        ("/api/v1/networks?id=0", "id"),
        ("/api/v1/networks/74?limit=1", "limit"),
        (f"{CHANGES}?since=-1", "since"),
        (f"{CHANGES}?since=x", "since"),
        (f"{CHANGES}?since=9223372036854775807", "since"),
        (f"{CHANGES}?since=", "since"),
        ("/api/v1/schema?format=json", "format"),
        (f"{SHOWS}?format=xml", "format"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_the_name_of_its_parameter(
    client: Client, deck: Show, path: str, named: str | None
) -> None:
    response = client.get(path)

    if named is None:
        assert response.status_code == 200
        return
    assert (response.status_code, list(response.json()["errors"])) == (400, [named])
    assert response.json()["detail"].startswith(f"{named}: ")
    assert (response["Cache-Control"], response["Content-Security-Policy"]) == ("no-store", NOTHING)


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/nowhere", f"{SHOWS}/", "/api/v1/shows/a/b", "/api/v1/%00"])
def test_an_address_that_is_none_is_404_in_json(client: Client, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.json()["detail"]


def test_an_id_of_changes_from_the_future_or_no_longer_kept_is_refused_with_advice(
    client: Client, show: Show, author: Author
) -> None:
    edit_show(show.pk, {"name": "a"}, author)
    newest = Change.objects.latest("id").pk
    assert client.get(CHANGES, {"since": newest}).json() == {"results": [], "next_since": newest}
    assert client.get(CHANGES, {"since": newest + 1}).status_code == 400
    assert client.get(CHANGES, {"since": "newest"}).json() == {"results": [], "next_since": newest}

    FeedStart.objects.update_or_create(id=1, defaults={"pruned_through": newest + 5})
    pruned = client.get(CHANGES, {"since": newest + 4})
    assert pruned.status_code == 410
    assert "since=newest" in pruned.json()["detail"]
    for since in (newest + 5, "newest"):  # also where no change is left at all
        assert client.get(CHANGES, {"since": since}).json() == {"results": [], "next_since": newest + 5}


def test_a_request_that_is_too_large_is_refused_in_json(client: Client, deck: Show, editor: Any) -> None:
    body = {"description": "a" * 3_000_000}
    many = {f"parameter{number}": "" for number in range(1001)}
    for refused in (
        client.patch(address(deck), body, "application/json", headers=bearer(editor)),
        client.get(SHOWS, many),
    ):
        assert (refused.status_code, "too large" in refused.json()["detail"]) == (400, True)


@pytest.mark.parametrize("accept", ["text/html", "text/csv, */*;q=0.1", "nonsense", ""])
def test_whatever_is_accepted_the_answer_is_json(client: Client, deck: Show, accept: str) -> None:
    response = client.get(address(deck), headers={"Accept": accept})

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


# --- failures


@contextmanager
def database_away() -> Iterator[None]:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("could not connect to server at 10.1.2.3")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", fail)
        yield


@pytest.mark.parametrize("path", [path for path in GETS if "schema" not in path])
def test_a_database_that_is_away_is_503_in_json(client: Client, deck: Show, editor: Any, path: str) -> None:
    headers = bearer(editor)
    with database_away():
        answers = [client.get(path), client.patch(address(deck), {}, "application/json", headers=headers)]
    for response in answers:
        assert (response.status_code, response["Retry-After"], response["Cache-Control"]) == (503, "5", "no-store")
        assert "10.1.2.3" not in response.content.decode()
        assert response.json()["detail"]
    assert client.get(path).status_code == 200


def test_what_nobody_foresaw_is_500_in_json_and_tells_nothing(
    client: Client, deck: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(shows, "read_show", fail)
    client.raise_request_exception = False
    response = client.get(address(deck))
    assert (response.status_code, response["Content-Type"]) == (500, "application/json")
    assert "secret" not in response.content.decode()


# --- what it never tells


def test_no_answer_names_people_or_their_reasons(client: Client, deck: Show, django_user_model: Any) -> None:
    user = django_user_model.objects.create_superuser("QQuser", "QQmail@test", first_name="QQfirst", last_name="QQlast")
    why = Author(user=user, reason="QQreason")
    merged, deleted = Show.objects.create(name="Below deck"), Show.objects.create(name="Other")
    edit_show(deck.pk, {"name": "Below Deck."}, why)
    comment_on_show(deck.pk, "QQcomment", why)
    merge_shows(merged.pk, deck.pk, {}, why)
    delete_show(deleted.pk, why)

    every = [
        *GETS,
        f"{SHOWS}?include={','.join(LIST_EXTRAS)}",
        f"{SHOWS}/{BELOW_DECK}?include={','.join(DETAIL_EXTRAS)}",
        *(f"{SHOWS}/{pk}" for pk in (merged.pk, deleted.pk, uuid.uuid4())),
        *("/api/v1/docs", f"{SHOWS}?nonsense=1", "/api/v1/nowhere"),
    ]
    for path in every:
        assert b"QQ" not in client.get(path).content, path
    events = read(client, CHANGES)["results"]
    assert [event["type"] for event in events] == ["show_updated", "show_merged", "show_deleted"]
    assert all(event.keys() == {"id", "ts", "type", "show_id", "changed", "merged_into"} for event in events)


@pytest.mark.parametrize("path", ["jobs", "runs", "sync", "sync-runs", "users", "tokens", "batches", "history"])
def test_jobs_and_people_have_no_address(client: Client, path: str) -> None:
    assert client.get(f"/api/v1/{path}").status_code == 404
    assert not [known for known in document()["paths"] if path in known]
