from collections.abc import Callable
from datetime import date

import orjson
import pytest

from demo.upstream import Reply, Upstream
from ingestion.checks import tmdb_problems
from ingestion.sources.http import KeyRefused, NotFound, UpstreamError
from ingestion.sources.tmdb import MAX_LOGO, TmdbClient, decode_json


@pytest.fixture
def client(upstream: Upstream):
    client = TmdbClient()
    yield client
    client.close()


QUESTIONS: dict[str, tuple[Callable[[TmdbClient], object], str, dict[str, str]]] = {
    "find": (
        lambda client: client.fetch_find("tt0239195"),
        "/3/find/tt0239195",
        {"external_source": "imdb_id"},
    ),
    "search": (
        lambda client: client.fetch_search("Réal & Co", 2006),
        "/3/search/tv",
        {"query": "Réal & Co", "first_air_date_year": "2006", "page": "1"},
    ),
    "search in any year": (
        lambda client: client.fetch_search("Survivor", page=2),
        "/3/search/tv",
        {"query": "Survivor", "page": "2"},
    ),
    "show with blocks": (
        lambda client: client.fetch_show(14658, ("external_ids", "watch/providers")),
        "/3/tv/14658",
        {"append_to_response": "external_ids,watch/providers"},
    ),
    "where to watch": (
        lambda client: client.fetch_watch_providers(14658),
        "/3/tv/14658/watch/providers",
        {},
    ),
    "changes": (
        lambda client: client.fetch_changes(date(2026, 11, 9), date(2026, 11, 23), 3),
        "/3/tv/changes",
        {"start_date": "2026-11-09", "end_date": "2026-11-23", "page": "3"},
    ),
}


@pytest.mark.parametrize(("ask", "path", "params"), QUESTIONS.values(), ids=QUESTIONS)
def test_question_goes_to_its_path_with_its_parameters_and_the_key(client, upstream, ask, path, params):
    upstream.answer(path, Reply(body={"answer": 1}))

    assert ask(client) == {"answer": 1}

    request = upstream.requests[0]
    assert (request.method, request.path) == ("GET", path)
    assert request.params == params | {"api_key": upstream.key}
    assert "authorization" not in request.headers
    assert client.requests_made == 1


@pytest.mark.parametrize(("ask", "path", "params"), QUESTIONS.values(), ids=QUESTIONS)
def test_bearer_token_travels_in_the_header_and_nowhere_else(settings, upstream, ask, path, params):
    settings.TMDB_API_KEY, settings.TMDB_BEARER_TOKEN = "", upstream.bearer
    upstream.answer(path, Reply(body={}))
    client = TmdbClient()

    ask(client)
    client.close()

    request = upstream.requests[0]
    assert request.params == params
    assert request.headers["authorization"] == f"Bearer {upstream.bearer}"


def test_stand_in_refuses_a_wrong_key_and_no_request_follows(settings, upstream):
    settings.TMDB_API_KEY = "wrong"
    client = TmdbClient()

    for _ in range(2):
        with pytest.raises(KeyRefused, match=r"the key was refused \(401\): Invalid API key"):
            client.fetch_show(1, ())
    client.close()

    assert upstream.count() == 1


def test_unknown_show_is_not_found(client):
    with pytest.raises(NotFound):
        client.fetch_show(14658, ())


def test_both_kinds_of_key_are_a_configuration_error(settings):
    settings.TMDB_BEARER_TOKEN = "token"

    assert tmdb_problems() == ["TMDB_API_KEY and TMDB_BEARER_TOKEN are both set: keep one of them"]


def test_client_of_a_page_tries_less_often(upstream):
    upstream.always("/3/search/tv", Reply(500))
    client = TmdbClient(tries=2)

    with pytest.raises(UpstreamError, match=r"\(2 tries\)"):
        client.fetch_search("Survivor")
    client.close()

    assert upstream.count() == 2


# Images

PATHS = {
    "/a.png": "/t/p/original/a.png",
    "/a.jpg": "/t/p/original/a.jpg",
    "/a.svg": "/t/p/original/a.png",
    "/a.SVG": "/t/p/original/a.png",
    "/svg": "/t/p/original/svg",
    "/a.svg.png": "/t/p/original/a.svg.png",
    "/with blank.svg": "/t/p/original/with blank.png",
}


@pytest.mark.parametrize(("path", "asked"), PATHS.items())
def test_image_is_asked_for_in_its_original_size_and_svg_as_png(client, upstream, path, asked):
    upstream.answer(asked, Reply(body=b"image"))

    assert client.fetch_image(path) == b"image"

    assert [request.path for request in upstream.requests] == [asked]
    assert client.requests_made == 0  # of the API


@pytest.mark.parametrize(
    "path", ["@127.0.0.2/a.png", "//127.0.0.2/a.png", "http://127.0.0.2/a.png", "/../../a.png", ":1/a.png", "\\a.png"]
)
def test_image_never_comes_from_another_host_and_never_gets_the_key(client, upstream, path):
    upstream.always("/*", Reply(body=b"image"))

    assert client.fetch_image(path) == b"image"

    (request,) = upstream.requests
    assert request.headers["host"] == upstream.url.removeprefix("http://")
    assert request.params == {}
    assert "authorization" not in request.headers


def test_image_redirected_to_another_host_is_not_fetched(client, upstream):
    with Upstream(shows={}) as other:
        upstream.always("/t/p/original/a.png", Reply(302, b"", {"location": f"{other.image_url}/original/a.png"}))

        with pytest.raises(UpstreamError, match="HTTP 302"):
            client.fetch_image("/a.png")

        assert other.requests == []


def test_refused_image_stops_neither_other_images_nor_the_api(client, upstream):
    upstream.answer("/t/p/original/a.png", Reply(403, b"no"))
    upstream.always("/t/p/original/b.png", Reply(body=b"image"))
    upstream.always("/3/tv/1", Reply(body={}))

    with pytest.raises(UpstreamError, match="HTTP 403: no"):
        client.fetch_image("/a.png")

    assert client.fetch_image("/b.png") == b"image"
    assert client.fetch_show(1, ()) == {}


def test_image_that_fails_is_tried_three_times(client, upstream):
    upstream.always("/t/p/original/a.png", Reply(503, b""))

    with pytest.raises(UpstreamError, match=r"HTTP 503: empty reply \(3 tries\)"):
        client.fetch_image("/a.png")

    assert upstream.count("/t/p/") == 3


def test_image_that_is_too_large_is_refused(client, upstream):
    upstream.always("/t/p/original/a.png", Reply(body=bytes(MAX_LOGO + 1)))

    with pytest.raises(UpstreamError, match="the reply is larger than 5120 KiB"):
        client.fetch_image("/a.png")


# JSON

NUL = {
    "in a text": (b'{"name": "a\\u0000b"}', {"name": "ab"}),
    "in a key": (b'{"a\\u0000b": 1}', {"ab": 1}),
    "deep": (b'[{"a": ["\\u0000", {"b": "c\\u0000"}]}, null, 1.5, true]', [{"a": ["", {"b": "c"}]}, None, 1.5, True]),
    "a backslash and u0000, which is no NUL": (b'["a\\\\u0000"]', ["a\\u0000"]),
    "none": (b'["a"]', ["a"]),
}


@pytest.mark.parametrize(("body", "value"), NUL.values(), ids=NUL)
def test_nul_characters_are_taken_out(body, value):
    assert decode_json(body) == value


def test_reply_without_nul_characters_arrives(client, upstream):
    upstream.always("/3/tv/1", Reply(body=orjson.dumps({"name": "Surv\0ivor"})))

    assert client.fetch_show(1, ()) == {"name": "Survivor"}


NO_JSON = {
    "HTML": (b"<html>\n <b>", "the reply is not JSON: it starts with '<html> <b>'"),
    "empty": (b"", "the reply is not JSON: it starts with ''"),
    "cut off": (b'{"a": 1', """the reply is not JSON: it starts with '{"a": 1'"""),
    "not UTF-8": (b'"\xff"', "the reply is not JSON: it starts with '\"\ufffd\"'"),
    "NaN": (b"[NaN]", "the reply is not JSON: it starts with '[NaN]'"),
    "half a surrogate pair": (rb'"\ud800"', r"""the reply is not JSON: it starts with '"\\ud800"'"""),
    "nested without end": (b"[" * 100_000, f"the reply is not JSON: it starts with '{'[' * 80}'"),
    "nested deeply, with a NUL": (b"[" * 900 + b'"\\u0000"' + b"]" * 900, "the reply is nested too deeply"),
}


@pytest.mark.parametrize(("body", "reason"), NO_JSON.values(), ids=NO_JSON)
def test_body_that_is_no_json_is_refused_with_a_reason(body, reason):
    with pytest.raises(ValueError) as caught:
        decode_json(body)

    assert str(caught.value) == reason
