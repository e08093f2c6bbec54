"""Answers that were given before: given again while they are true, and never when they are not."""

import asyncio
import gzip
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError, connection, connections
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.api import front, shows, throttle
from catalog.api.documents import documents_of, entity_rows, show_rows
from catalog.api.front import AsgiFront, WsgiFront, memory
from catalog.api.shows import read_show
from catalog.api.throttle import Turns
from catalog.models import Network, ProductionCompany, Show, ShowNetwork, ShowWatchProvider, WatchProvider
from catalog.tests.test_revisions import NOW

pytestmark = pytest.mark.django_db(transaction=True)

Reply = tuple[int, dict[str, str], bytes]
Ask = Callable[..., Reply]


@pytest.fixture(autouse=True)
def as_the_web(monkeypatch: Any) -> Iterator[None]:
    """An empty memory, and connections that end with their request, as under ASGI each has a thread of its own."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    memory.clear()
    yield
    memory.clear()


def over_wsgi() -> Ask:
    application = WsgiFront(WSGIHandler())

    def ask(path: str, **headers: str) -> Reply:
        seen: list[Any] = []
        names = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        environ = RequestFactory().get(path, **names).environ  # type: ignore[arg-type]
        body = b"".join(application(environ, lambda status, headers, exc_info=None: seen.extend((status, headers))))
        return int(seen[0][:3]), {name.lower(): value for name, value in seen[1]}, body

    return ask


def over_asgi() -> Ask:
    application = AsgiFront(ASGIHandler())

    def ask(path: str, **headers: str) -> Reply:
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                (b"host", b"testserver"),
                *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if sent and not sent[-1].get("more_body"):
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async def run() -> None:
            requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

            async def patient() -> dict[str, Any]:
                for request in requests:
                    return request
                await asyncio.Event().wait()
                raise AssertionError

            await application(scope, patient, send)

        asyncio.run(run())
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}, body

    return ask


@pytest.fixture(params=[over_wsgi, over_asgi], ids=["wsgi", "asgi"])
def ask(request: Any) -> Ask:
    made: Ask = request.param()
    return made


@pytest.fixture
def show() -> Show:
    show = Show.objects.create(name="Below Deck", tmdb_id=55555, description="Yachts. " * 200)
    ShowNetwork.objects.create(show=show, network=Network.objects.create(id=74, name="Bravo"), position=0)
    return show


@pytest.fixture
def asked_django(monkeypatch: Any) -> list[str]:
    """The paths that Django was asked for."""
    paths: list[str] = []
    for handler in (WSGIHandler, ASGIHandler):
        before = handler.create_request if handler is ASGIHandler else handler.get_response

        def noting(self: Any, *args: Any, before: Any = before, **kwargs: Any) -> Any:
            first = args[0]
            paths.append(first["path"] if isinstance(first, dict) else first.path)
            return before(self, *args, **kwargs)

        monkeypatch.setattr(handler, before.__name__, noting)
    return paths


def test_the_second_answer_is_given_without_django_and_is_the_same(
    ask: Ask, show: Show, asked_django: list[str]
) -> None:
    address = f"/api/v1/shows/{show.pk}"

    first, second = ask(address), ask(address)

    assert first[0] == second[0] == 200
    assert first[2] == second[2]
    for name in ("etag", "cache-control", "vary", "content-type", "content-length", "x-content-type-options"):
        assert first[1][name] == second[1][name]
    assert asked_django == [address]


def test_an_answer_that_is_known_costs_one_query(show: Show) -> None:
    ask = over_wsgi()
    address = f"/api/v1/shows/{show.pk}"
    etag = ask(address)[1]["etag"]

    with CaptureQueriesContext(connection) as queries:
        known = ask(address, if_none_match=etag)
        whole = ask(address)

    assert (known[0], whole[0]) == (304, 200)
    assert len(queries) == 2
    assert known[2] == b""
    assert "content-length" not in known[1]


def test_who_asks_with_an_etag_from_the_start_is_known_too(ask: Ask, show: Show, asked_django: list[str]) -> None:
    address = f"/api/v1/shows/{show.pk}"
    etag = ask(address)[1]["etag"]
    memory.clear()

    assert [ask(address, if_none_match=etag)[0] for _ in range(3)] == [304, 304, 304]
    assert ask(address)[0] == 200
    assert len(asked_django) == 2  # the very first, and the first after the process forgot


@pytest.mark.parametrize(
    "write",
    [
        lambda show: Show.objects.filter(pk=show.pk).update(name="Below Deck Med"),
        lambda show: Network.objects.update(name="Bravo TV"),
        lambda show: ShowNetwork.objects.all().delete(),
    ],
    ids=["the show", "an entity", "a link"],
)
def test_after_a_write_nothing_old_is_given(ask: Ask, show: Show, write: Callable[[Show], object]) -> None:
    addresses = (f"/api/v1/shows/{show.pk}", "/api/v1/shows?include=networks", "/api/v1/networks")
    before = {address: ask(address) for address in addresses}

    write(show)

    for address in addresses:
        etag = before[address][1]["etag"]
        status, _, body = ask(address, if_none_match=etag)
        memory.clear()
        fresh = ask(address)
        assert (status == 304) == (fresh[1]["etag"] == etag)
        assert status == 304 or body == fresh[2]


def test_what_was_built_while_it_was_written_is_not_given_again(show: Show, monkeypatch: Any) -> None:
    ask, address = over_wsgi(), f"/api/v1/shows/{show.pk}"
    original = front.keep

    def write_then_keep(*args: Any) -> None:
        Show.objects.filter(pk=show.pk).update(name="Written meanwhile")
        original(*args)

    monkeypatch.setattr(front, "keep", write_then_keep)
    ask(address)
    monkeypatch.setattr(front, "keep", original)

    assert orjson.loads(ask(address)[2])["name"] == "Written meanwhile"


def test_a_show_that_is_deleted_for_good_is_gone_at_once(ask: Ask, show: Show) -> None:
    address = f"/api/v1/shows/{show.pk}"
    ask(address)
    ShowNetwork.objects.all().delete()

    Show.objects.filter(pk=show.pk).delete()

    assert ask(address)[0] == 404


def test_a_look_up_is_not_given_again_when_another_show_has_the_id_too(ask: Ask, show: Show) -> None:
    Show.objects.filter(pk=show.pk).update(tvdb_id=5)
    assert ask("/api/v1/shows/lookup?tvdb=5")[0] == 200

    Show.objects.create(name="Below Deck Med", tvdb_id=5)

    assert ask("/api/v1/shows/lookup?tvdb=5")[0] == 409


def test_a_network_that_is_renamed_while_its_shows_are_read_leaves_no_wrong_list(show: Show, monkeypatch: Any) -> None:
    ask, original = over_wsgi(), shows.show_rows

    def rename_then_read(*args: Any, **kwargs: Any) -> Any:
        Network.objects.update(name="Bravo TV")
        Network.objects.create(id=2, name="Bravo")
        return original(*args, **kwargs)

    monkeypatch.setattr(shows, "show_rows", rename_then_read)
    ask("/api/v1/shows?network=Bravo")
    monkeypatch.setattr(shows, "show_rows", original)

    assert orjson.loads(ask("/api/v1/shows?network=Bravo")[2])["count"] == 0


def test_what_a_client_makes_the_server_believe_of_its_address_is_told_to_no_other(show: Show) -> None:
    application, key = AsgiFront(ASGIHandler()), "/api/v1/networks/74"

    async def get(root_path: str) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": key,
            "query_string": b"",
            "headers": [],
            "root_path": root_path,
        }
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def django(scope: Any, receive: Any, send: Any) -> None:
            asked.append(scope["root_path"])

        asked: list[str] = []
        application.application = django
        await application(scope, None, send)  # type: ignore[arg-type]
        answers.append((asked, bool(sent)))

    answers: list[Any] = []
    over_asgi()(key)
    asyncio.run(get("//evil.example"))

    assert answers == [(["//evil.example"], False)]  # Django was asked, and answered to this client alone


def test_hosts_origins_and_codings_have_answers_of_their_own(ask: Ask, show: Show, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.CORS_ALLOWED_ORIGINS = ["https://trr.example.org"]
    address = f"/api/v1/shows/{show.pk}"
    plain = ask(address)
    packed = ask(address, accept_encoding="gzip")
    known = ask(address, accept_encoding="gzip")

    assert gzip.decompress(packed[2]) == plain[2]
    assert known[2] == packed[2]
    assert plain[1]["etag"] != packed[1]["etag"]
    for _ in range(2):
        assert ask(address, origin="https://trr.example.org")[1]["access-control-allow-origin"]
        assert "access-control-allow-origin" not in ask(address, origin="https://elsewhere.example")[1]
        assert "access-control-allow-origin" not in ask(address)[1]


def test_nothing_is_kept_where_reading_needs_a_login(ask: Ask, show: Show, settings: Any) -> None:
    address = f"/api/v1/shows/{show.pk}"
    assert ask(address)[0] == 200
    memory.clear()
    settings.API_PUBLIC = False

    assert [ask(address)[0] for _ in range(2)] == [401, 401]


def test_who_asks_too_often_is_told_so_by_known_answers_too(ask: Ask, show: Show, monkeypatch: Any) -> None:
    turns = Turns(8)
    monkeypatch.setattr(throttle, "reads", turns)
    monkeypatch.setattr(front, "reads", turns)
    address = f"/api/v1/shows/{show.pk}"

    statuses = [ask(address) for _ in range(4)]

    assert [status for status, _, _ in statuses] == [200, 200, 429, 429]
    assert int(statuses[-1][1]["retry-after"]) >= 1


def test_a_database_that_is_away_leaves_it_to_django_to_say_so(show: Show, monkeypatch: Any) -> None:
    ask, address = over_wsgi(), f"/api/v1/shows/{show.pk}"
    ask(address)

    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("connection refused")

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", away)
    status, headers, body = ask(address)

    assert status == 503
    assert headers["retry-after"]
    assert "database" in orjson.loads(body)["detail"]


# --- the whole rule at once


def built_from_scratch(address: str) -> Any:
    if address.startswith("/api/v1/shows/"):
        document, _ = read_show(UUID(address.rpartition("/")[2]), ())
        return document
    if address == "/api/v1/shows":
        return show_rows(Show.objects.order_by("name", "id")[:50])
    model = {"/api/v1/networks": Network, "/api/v1/watch-providers": WatchProvider}[address]
    return documents_of(entity_rows(model))


def told(reply: Reply) -> Any:
    payload = orjson.loads(reply[2])
    return payload.get("results", payload)


WRITES: tuple[Callable[[list[Show], int], object], ...] = (
    lambda shows, n: Show.objects.filter(pk=shows[n % 2].pk).update(tmdb_vote_count=n),
    lambda shows, n: shows[n % 2].save(),
    lambda shows, n: Show.objects.create(name=f"New {n}"),
    lambda shows, n: Network.objects.filter(pk=1 + n % 2).update(name=f"Network {n % 3}"),
    lambda shows, n: WatchProvider.objects.update(hosted_logo_key=f"images/logos/{n % 3}.png"),
    lambda shows, n: ShowNetwork.objects.filter(show=shows[n % 2]).delete(),
    lambda shows, n: ShowNetwork.objects.get_or_create(show=shows[n % 2], network_id=1, defaults={"position": n}),
    lambda shows, n: ShowWatchProvider.objects.filter(show=shows[n % 2]).update(display_priority=n),
    lambda shows, n: ShowWatchProvider.objects.filter(show=shows[n % 2], region="US").delete(),
    lambda shows, n: ShowWatchProvider.objects.get_or_create(
        show=shows[n % 2],
        provider_id=8,
        region=("US", "GB", "AT")[n % 3],
        offer_type="flatrate",
        defaults={"first_seen_at": NOW, "fetched_at": NOW},
    ),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(range(len(WRITES))), st.integers(0, 9)), max_size=8))
def test_no_answer_is_ever_older_than_the_last_committed_write(steps: list[tuple[int, int]]) -> None:
    for model in (ShowWatchProvider, ShowNetwork, Show, Network, ProductionCompany, WatchProvider):
        model.objects.all().delete()
    shows = [Show.objects.create(name=f"Show {n}") for n in range(2)]
    for n in (1, 2):
        Network.objects.create(id=n, name=f"Network {n}")
    WatchProvider.objects.create(provider_id=8, provider_name="Netflix")
    ask = over_wsgi()
    addresses = [f"/api/v1/shows/{show.pk}" for show in shows]
    addresses += ["/api/v1/shows", "/api/v1/networks", "/api/v1/watch-providers"]
    etags = {address: ask(address)[1]["etag"] for address in addresses}

    for write, number in steps:
        WRITES[write](shows, number)
        for address in addresses:
            truth = orjson.loads(orjson.dumps(built_from_scratch(address), option=orjson.OPT_UTC_Z))
            reply = ask(address)
            assert told(reply) == truth
            assert (ask(address, if_none_match=etags[address])[0] == 304) == (reply[1]["etag"] == etags[address])
            etags[address] = reply[1]["etag"]
