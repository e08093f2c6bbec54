"""The OpenAPI document is true: of real answers, of what schemathesis makes up, and for a client made from it."""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import jsonschema
import openapi_python_client
import pytest
import schemathesis
from django.contrib.staticfiles import finders
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from knox.models import AuthToken
from openapi_python_client.config import Config, ConfigFile, MetaType
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from catalog.api.documents import DETAIL_EXTRAS, LIST_EXTRAS
from catalog.api.front import WsgiFront
from catalog.api.schema import document
from catalog.api.urls import urlpatterns
from catalog.changes import Author
from catalog.edits import edit_show
from catalog.merging import merge_shows
from catalog.models import Network, Show
from catalog.tests.api_rows import BELOW_DECK, SHOWS, UNKNOWN, below_deck
from catalog.trash import delete_show

SCHEMA = "/api/v1/schema"
MERGED, DELETED = UUID("00000000-0000-4000-8000-000000000001"), UUID("00000000-0000-4000-8000-000000000002")


def bearer(user: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {AuthToken.objects.create(user)[1]}"}


@pytest.fixture
def rows(db: None, editor: Any) -> Show:
    """Below Deck with all that one can have; one that was merged into it, one that was deleted, a network merged."""
    show, why = below_deck(), Author(user=editor, reason="the same")
    for pk in (MERGED, DELETED):
        Show.objects.create(id=pk, name="Below deck", tvdb_id=5, imdb_id="tt0000005" if pk == MERGED else None)
    Show.objects.create(name="Other", tvdb_id=270656)
    edit_show(BELOW_DECK, {"description": None}, why)
    merge_shows(MERGED, BELOW_DECK, {}, why)
    delete_show(DELETED, why)
    Network.objects.create(id=75, name="Bravo", merged_into_id=74)
    return show


# --- real answers


@cache
def exact_document() -> dict[str, Any]:
    """The document for jsonschema, with every property that it does not name an error."""
    exact: dict[str, Any] = exactly(json.loads(json.dumps(document())))
    return exact


def exactly(part: Any) -> Any:
    if isinstance(part, list):
        return [exactly(one) for one in part]
    if not isinstance(part, dict):
        return part
    part = {name: exactly(one) for name, one in part.items()}
    if part.get("type") == "object" and isinstance(part.get("properties"), dict):
        part.setdefault("additionalProperties", False)
    if part.pop("nullable", None):
        part["type"] = [part["type"], "null"]
    return part


def validate(response: Any, path: str, method: str = "get") -> None:
    """Holds an answer against what the document says of this status."""
    answers = document()["paths"][path][method]["responses"]
    assert "503" in answers
    assert str(response.status_code) in answers, f"{response.status_code} is not in the document"
    content = answers[str(response.status_code)].get("content")
    if content is not None:
        assert response["Content-Type"] == "application/json"
        schema = exact_document()["paths"][path][method]["responses"][str(response.status_code)]["content"]
        check_against(schema["application/json"]["schema"], response.json())


def check_against(schema: dict[str, Any], value: Any) -> None:
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    root = schema | {"components": exact_document()["components"]} if "$ref" not in schema else None
    root = root or {"allOf": [schema], "components": exact_document()["components"]}
    jsonschema.Draft4Validator(root, format_checker=checker).validate(value)


SHOW, LOOKUP, ENTITY = f"{SHOWS}/{{show_id}}", f"{SHOWS}/lookup", "/api/v1/networks/{id}"
EVERYTHING = ",".join(DETAIL_EXTRAS)


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        (SHOWS, "", 200),
        (SHOWS, f"?include={','.join(LIST_EXTRAS)}", 200),
        (SHOWS, "?cursor=&limit=1", 200),
        (SHOWS, "?limit=1&offset=1", 200),
        (SHOWS, "?fields=id", 200),
        (SHOWS, "?limit=0&nonsense=1", 400),
        (SHOW, f"/{BELOW_DECK}", 200),
        (SHOW, f"/{BELOW_DECK}?include={EVERYTHING}", 200),
        (SHOW, f"/{BELOW_DECK}?include=x", 400),
        (SHOW, f"/{MERGED}", 301),
        (SHOW, f"/{DELETED}", 410),
        (SHOW, f"/{UNKNOWN}", 404),
        (LOOKUP, "?imdb=tt2342499", 200),
        (LOOKUP, "?imdb=tt0000005", 301),
        (LOOKUP, "?tvdb=270656", 409),
        (LOOKUP, "", 400),
        ("/api/v1/networks", "", 200),
        ("/api/v1/production-companies", "?cursor=", 200),
        ("/api/v1/watch-providers", "?limit=2", 200),
        ("/api/v1/watch-providers", "?limit=x", 400),
        (ENTITY, "/74", 200),
        (ENTITY, "/75", 301),
        (ENTITY, "/9", 404),
        ("/api/v1/production-companies/{id}", "/1302", 200),
        ("/api/v1/watch-providers/{id}", "/386", 200),
        ("/api/v1/changes", "", 200),
        ("/api/v1/changes", "?since=newest", 200),
        ("/api/v1/changes", "?since=99999999999", 400),
        (SCHEMA, "", 200),
    ],
)
def test_an_answer_is_as_the_document_says(client: Client, rows: Show, path: str, asked: str, status: int) -> None:
    response = client.get(path.split("/{")[0] + asked)

    assert response.status_code == status
    validate(response, path)
    etag = response.get("ETag")
    if status == 200:
        again = client.get(path.split("/{")[0] + asked, headers={"If-None-Match": etag})
        assert again.status_code == 304
        validate(again, path)


@pytest.mark.parametrize(
    ("pk", "body", "headers", "status"),
    [
        (BELOW_DECK, {"name": "Deck", "tags": ["a"], "tmdb_network_ids": [74]}, {}, 200),
        (BELOW_DECK, {"imdb_id": "x", "no_such": 1}, {}, 400),
        (BELOW_DECK, {"name": "Deck"}, {"If-Match": '"other"'}, 412),
        (BELOW_DECK, {"name": "Deck"}, {"Authorization": "Bearer wrong"}, 401),
        (MERGED, {"name": "Deck"}, {}, 301),
        (DELETED, {"name": "Deck"}, {}, 410),
        (UNKNOWN, {"name": "Deck"}, {}, 404),
    ],
)
def test_an_answer_to_an_editor_is_as_the_document_says(
    client: Client, rows: Show, editor: Any, pk: Any, body: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    response = client.patch(f"{SHOWS}/{pk}", body, "application/json", headers=bearer(editor) | headers)

    assert response.status_code == status
    validate(response, SHOW, "patch")


@pytest.mark.parametrize(
    ("schema", "path", "extras"),
    [("Show", f"{SHOWS}?id={BELOW_DECK}", LIST_EXTRAS), ("ShowDetail", f"{SHOWS}/{BELOW_DECK}", DETAIL_EXTRAS)],
)
def test_every_field_of_the_document_is_sent(
    client: Client, rows: Show, schema: str, path: str, extras: tuple[str, ...]
) -> None:
    response = client.get(f"{path}{'&' if '?' in path else '?'}include={','.join(extras)}").json()

    (show,) = response.get("results", [response])
    assert show.keys() == document()["components"]["schemas"][schema]["properties"].keys()


def examples(part: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """(schema, value) of every example in the document."""
    if isinstance(part, dict):
        for example in part.get("examples", {}).values() if isinstance(part.get("examples"), dict) else ():
            yield part["schema"], example["value"]
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from examples(one)


def test_the_examples_are_what_they_are_examples_of() -> None:
    found = list(examples(exact_document()))

    assert len(found) >= 2
    for schema, value in found:
        check_against(schema, value)


def test_no_operation_is_left_out_of_the_document() -> None:
    routes = {"/api/v1/" + str(route.pattern) for route in urlpatterns} - {"/api/v1/docs", r"/api/v1/[\s\S]*"}

    assert {route.replace("<str:pk>", "{id}").replace("<str:", "{").replace(">", "}") for route in routes} == set(
        document()["paths"]
    )


@pytest.mark.django_db
def test_the_docs_page_takes_everything_from_us(client: Client) -> None:
    response = client.get("/api/v1/docs")

    assert response.status_code == 200
    assert "http://" not in response.content.decode().replace("http://testserver", "")
    assert "https://" not in response.content.decode()
    assert "'self'" in response["Content-Security-Policy"]
    assets = re.findall(r'(?:src|href)="/static/([^"?]+)', response.content.decode())
    assert len(assets) >= 3
    assert [asset for asset in assets if finders.find(asset) is None] == []


# --- what schemathesis makes up

REFUSALS: Final = ("400", "401", "403", "404", "409", "410", "412")
made_up = schemathesis.openapi.from_wsgi(
    SCHEMA,
    WsgiFront(WSGIHandler()),
    config=SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "suppress-health-check": ["all"],
            "generation": {"max-examples": 15, "deterministic": True, "database": "none", "no-shrink": True},
            # A value may be of the right form and still be refused: for the rows there are, or for another parameter.
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", *REFUSALS]}},
        }
    ),
)
REAL: Final = {"shows": str(BELOW_DECK), "networks": "74", "production-companies": "1302", "watch-providers": "386"}


@pytest.fixture
def headers(rows: Show, editor: Any) -> Iterator[Callable[[str], dict[str, str]]]:
    """By who asks. Connections stay open between requests, as Django's own test client has it."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    plain = {"Accept-Encoding": "identity"}
    yield lambda who: plain | (bearer(editor) if who == "editor" else {})
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.once
@made_up.parametrize()
@pytest.mark.parametrize("who", ["anybody", "editor"])
def test_schemathesis_finds_nothing(case: Any, who: str, headers: Callable[[str], dict[str, str]]) -> None:
    if who == "editor" and case.path_parameters and case.meta.generation.mode is GenerationMode.POSITIVE:
        case.path_parameters = dict.fromkeys(case.path_parameters, REAL[case.path.split("/")[3]])
    case.call_and_validate(headers=headers(who))


# --- a client made from it


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the package of a client, generated and importable."""
    source = tmp_path / "schema.json"
    source.write_text(json.dumps(document()))
    config = Config.from_sources(
        ConfigFile(post_hooks=[]), MetaType.NONE, source, "utf-8", True, tmp_path / "trr_api_client"
    )
    assert [error.detail for error in openapi_python_client.generate(config=config)] == []
    monkeypatch.syspath_prepend(tmp_path)
    return "trr_api_client"


@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_a_typed_client_can_be_made_of_it_and_reads_and_edits_shows(
    live_server: Any, package: str, rows: Show, editor: Any
) -> None:
    api = {
        name: importlib.import_module(f"{package}.api.shows.{name}") for name in ("list_shows", "get_show", "edit_show")
    }
    models, client_module = importlib.import_module(f"{package}.models"), importlib.import_module(f"{package}.client")
    with client_module.Client(base_url=live_server.url) as client:
        page = api["list_shows"].sync(client=client, search="below", include="networks")
        assert [(show.id, show.name, show.networks) for show in page.results] == [
            (BELOW_DECK, "Below Deck", ["Peacock", "Bravo"])
        ]
        show = api["get_show"].sync(str(BELOW_DECK), client=client)
        assert isinstance(show, models.ShowDetail)
        assert (show.premiere_date.year, show.external_ids.imdb, show.description) == (2013, "tt2342499", None)
        first = show.watch_providers[0]
        assert (first.region, first.providers[0].provider_name) == ("GB", "Hayu")
        assert isinstance(api["get_show"].sync(str(DELETED), client=client), models.Error)
    token = bearer(editor)["Authorization"].removeprefix("Bearer ")
    with client_module.AuthenticatedClient(base_url=live_server.url, token=token) as client:
        body = models.PatchedShowPatchRequest(name="Deck, Below", reason="As on its card")
        edited = api["edit_show"].sync(str(BELOW_DECK), client=client, body=body)
        assert (edited.name, edited.locked_fields) == ("Deck, Below", ["name", "description"])
