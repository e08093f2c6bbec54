"""Real replies of TMDb, kept outside of the project; without that folder one test is skipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ingestion.parse import (
    parse_changes,
    parse_external_ids,
    parse_find,
    parse_search,
    parse_show,
    parse_watch_providers,
)
from ingestion.records import InvalidRecord

pytestmark = pytest.mark.once

Parser = Callable[[object], object]

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "upstream" / "recorded"
PARSERS: list[Parser] = [
    parse_show,
    parse_watch_providers,
    parse_external_ids,
    parse_find,
    parse_search,
    parse_changes,
]
SKIP = pytest.mark.skip(reason=f"no recordings of TMDb at {RECORDED}: nothing real was parsed")

# Hand-made and cut down by the predecessor: genres and companies are missing, which no real reply lacks.
REDUCED = "tv_details_sample.json"


def recordings() -> list[Any]:
    paths = sorted([*RECORDED.glob("tmdb/**/*.json"), *RECORDED.glob("trr_fixtures/tmdb/*.json")])
    return [pytest.param(path, id=str(path.relative_to(RECORDED))) for path in paths] or [
        pytest.param(None, id="no recordings", marks=SKIP)
    ]


def parser_for(path: Path, payload: object) -> Parser | None:
    """The function a recording is meant for, by its name; None where it is no reply that we ask for."""
    name = path.name
    if name == REDUCED or path.parent.name in ("errors", "headers") or not isinstance(payload, dict):
        return None
    if name.startswith(("tv_", "show-watch-provider")) and "watch" in name:
        return parse_watch_providers
    if name.startswith("find_"):
        return parse_find
    if name.startswith("search_tv"):
        return parse_search
    if name.endswith("_external_ids.json") and name.startswith("tv_"):
        return parse_external_ids
    if name.startswith("tv_changes"):
        return parse_changes
    if "number_of_seasons" in payload:
        return parse_show
    return None


def load(path: Path) -> Any:
    payload = json.loads(path.read_bytes())
    # Two recordings hold the block of one region only.
    return {"results": {"US": payload}} if path.name.startswith("show-watch-provider") else payload


def counted(path: Path) -> int:
    """Rows of a reply, counted without the parser."""
    payload = load(path)
    if "number_of_seasons" in payload:
        return len(payload["networks"]) + len(payload["production_companies"])
    if "changes" in path.name or path.name.startswith("search_tv"):
        return len({row["id"] for row in payload["results"]})
    if "watch" in path.name:
        blocks = payload["results"].values()
        return sum(len(rows) for block in blocks for key, rows in block.items() if key != "link")
    if path.name.startswith("find_"):
        behind = payload["tv_episode_results"] + payload["tv_season_results"]
        return len({row["id"] for row in payload["tv_results"]} | {row["show_id"] for row in behind})
    return sum(bool(payload.get(key)) for key in ("imdb_id", "tvdb_id", "wikidata_id"))


def in_record(record: Any) -> int:
    """Rows of a record, as `counted` counts them."""
    if isinstance(record, tuple):
        return len(record)
    names = {field.name for field in fields(record)}
    if "networks" in names:
        return len(record.networks) + len(record.production_companies)
    if "tmdb_ids" in names:
        return len(record.tmdb_ids)
    if "shows" in names:
        return len(record.shows)
    return sum(bool(value) for value in (record.imdb_id, record.tvdb_id, record.wikidata_id))


@pytest.mark.parametrize("path", recordings())
def test_a_recording_is_parsed_whole_by_its_own_parser_and_breaks_no_other(path: Path) -> None:
    payload = load(path)
    own = parser_for(path, payload)

    if own is not None:
        assert in_record(own(payload)) == counted(path)

    for parser in PARSERS:
        try:
            parser(payload)
        except InvalidRecord:
            assert parser is not own
        else:
            assert path.parent.name != "errors"
            assert parser is not parse_show or own is parse_show
