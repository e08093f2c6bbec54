"""Payloads in TMDb's documented shape, with made-up values."""

from __future__ import annotations

import copy
import json
import string
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.parse import (
    parse_changes,
    parse_external_ids,
    parse_find,
    parse_search,
    parse_show,
    parse_watch_providers,
)
from ingestion.records import (
    ChangedIds,
    EntityRecord,
    EpisodeRecord,
    ExternalIds,
    FoundShow,
    InvalidRecord,
    OfferRecord,
    ProviderRecord,
    ShowRecord,
)

pytestmark = pytest.mark.once

Parser = Callable[[object], object]

PARSERS: list[Parser] = [
    parse_show,
    parse_watch_providers,
    parse_external_ids,
    parse_find,
    parse_search,
    parse_changes,
]
FIND_LISTS = ["movie_results", "person_results", "tv_results", "tv_episode_results", "tv_season_results"]
NEVER: Any = object()  # as a value: take the key out

SHOW: dict[str, Any] = {
    "adult": False,
    "backdrop_path": None,
    "created_by": [{"id": 5, "credit_id": "52", "name": "A. Maker", "gender": 3, "profile_path": None}],
    "episode_run_time": [],
    "first_air_date": "2019-03-04",
    "genres": [{"id": 10764, "name": "Reality"}, {"id": 35, "name": "Comedy"}],
    "homepage": "",
    "id": 4711,
    "in_production": True,
    "languages": ["en"],
    "last_air_date": "2024-04-19",
    "last_episode_to_air": {
        "id": 62161,
        "name": "Reunion",
        "overview": "",
        "vote_average": 9.3,
        "vote_count": 150,
        "air_date": "2024-04-19",
        "episode_number": 16,
        "episode_type": "finale",
        "production_code": "",
        "runtime": None,
        "season_number": 5,
        "show_id": 4711,
        "still_path": None,
    },
    "name": "Lake House Rules",
    "next_episode_to_air": None,
    "networks": [{"id": 74, "logo_path": "/bravo.png", "name": "Bravo", "origin_country": "US"}],
    "number_of_episodes": 62,
    "number_of_seasons": 5,
    "origin_country": ["US"],
    "original_language": "en",
    "original_name": "Lake House Rules (US)",
    "overview": "Eight people share a house.",
    "popularity": 123.003,
    "poster_path": "/poster.jpg",
    "production_companies": [{"id": 900, "logo_path": None, "name": "Shed Media", "origin_country": ""}],
    "production_countries": [{"iso_3166_1": "US", "name": "United States of America"}],
    "seasons": [
        {
            "air_date": None,
            "episode_count": 286,
            "id": 3627,
            "name": "Specials",
            "overview": "",
            "poster_path": None,
            "season_number": 0,
            "vote_average": 0.0,
        },
        {"air_date": "2019-03-04", "episode_count": 10, "id": 3624, "season_number": 1},
    ],
    "softcore": False,
    "spoken_languages": [{"english_name": "Tagalog", "iso_639_1": "tl", "name": ""}],
    "status": "Returning Series",
    "tagline": "",
    "type": "Reality",
    "vote_average": 8.456,
    "vote_count": 512,
}
EXTERNAL_IDS: dict[str, Any] = {
    "imdb_id": "tt0844441",
    "freebase_mid": "/m/0524b41",
    "freebase_id": None,
    "tvdb_id": 121361,
    "tvrage_id": None,
    "wikidata_id": "Q23572",
    "facebook_id": "LakeHouse",
    "instagram_id": "lakehouse",
    "twitter_id": "LakeHouse",
}
PEACOCK: dict[str, Any] = {
    "display_priority": 3,
    "logo_path": "/peacock.jpg",
    "provider_id": 386,
    "provider_name": "Peacock Premium",
}
HULU: dict[str, Any] = {
    "display_priority": 1,
    "logo_path": "/hulu.jpg",
    "provider_id": 15,
    "provider_name": "Hulu",
}
LINK = "https://www.themoviedb.org/tv/4711/watch?locale=US"


def show_with(**changes: Any) -> dict[str, Any]:
    """SHOW with some keys set, or taken out where the value is NEVER."""
    payload = copy.deepcopy(SHOW) | changes
    return {key: value for key, value in payload.items() if value is not NEVER}


def entity(**changes: Any) -> dict[str, Any]:
    row = {"id": 74, "logo_path": "/bravo.png", "name": "Bravo", "origin_country": "US"} | changes
    return {key: value for key, value in row.items() if value is not NEVER}


def offers_of(**block: Any) -> tuple[OfferRecord, ...]:
    return parse_watch_providers({"id": 4711, "results": {"US": block}})


def found(**lists: Any) -> dict[str, Any]:
    return {key: [] for key in FIND_LISTS} | lists


def reason(parser: Parser, payload: object) -> str:
    with pytest.raises(InvalidRecord) as caught:
        parser(payload)
    return str(caught.value)


# A whole reply


def test_a_full_reply_fills_every_field() -> None:
    payload = show_with(
        **{
            "keywords": {"results": [{"name": "vacation", "id": 818}, {"name": "house", "id": 4152}]},
            "external_ids": EXTERNAL_IDS,
            "watch/providers": {"results": {"US": {"link": LINK, "flatrate": [PEACOCK]}}},
        }
    )

    assert parse_show(payload) == ShowRecord(
        tmdb_id=4711,
        name="Lake House Rules",
        original_name="Lake House Rules (US)",
        overview="Eight people share a house.",
        first_air_date=date(2019, 3, 4),
        last_air_date=date(2024, 4, 19),
        status="Returning Series",
        type="Reality",
        number_of_seasons=5,
        number_of_episodes=62,
        last_episode=EpisodeRecord(5, 16, "Reunion", date(2024, 4, 19)),
        genres=("Reality", "Comedy"),
        keywords=("vacation", "house"),
        vote_average=8.456,
        vote_count=512,
        popularity=123.003,
        networks=(EntityRecord(74, "Bravo", "US", "/bravo.png"),),
        production_companies=(EntityRecord(900, "Shed Media", None, None),),
        external_ids=ExternalIds("tt0844441", 121361, "Q23572", "LakeHouse", "lakehouse", "LakeHouse"),
        watch_providers=(
            OfferRecord("US", "flatrate", ProviderRecord(386, "Peacock Premium", "/peacock.jpg"), 3, LINK),
        ),
    )


def test_a_newborn_record_with_nothing_but_id_and_name_parses() -> None:
    newborn: dict[str, Any] = dict.fromkeys(SHOW) | {key: [] for key, value in SHOW.items() if isinstance(value, list)}
    record = parse_show(newborn | {"id": 330998, "name": "Selection Night"})

    assert record == ShowRecord(
        tmdb_id=330998,
        name="Selection Night",
        original_name=None,
        overview=None,
        first_air_date=None,
        last_air_date=None,
        status=None,
        type=None,
        number_of_seasons=None,
        number_of_episodes=None,
        last_episode=None,
        genres=(),
        keywords=None,
        vote_average=None,
        vote_count=None,
        popularity=None,
        networks=(),
        production_companies=(),
        external_ids=None,
        watch_providers=None,
    )


def test_an_old_record_with_fewer_keys_and_ints_for_floats_parses() -> None:
    record = parse_show(
        {
            "id": 67625,
            "name": "You Can Try",
            "overview": None,
            "first_air_date": "2016-08-23",
            "genres": [{"id": 10764, "name": "Reality"}],
            "networks": [{"id": 364, "name": "truTV"}],
            "production_companies": [],
            "seasons": [{"air_date": "2016-08-23", "episode_count": 2, "id": 79695, "season_number": 1}],
            "popularity": 0,
            "vote_average": 10,
            "vote_count": 1,
        }
    )

    assert record.networks == (EntityRecord(364, "truTV", None, None),)
    assert (record.popularity, record.vote_average, record.overview) == (0.0, 10.0, None)
    assert isinstance(record.vote_average, float)
    assert (record.last_episode, record.number_of_seasons) == (None, None)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        pytest.param({"softcore": NEVER}, "tmdb_id", 4711, id="softcore key is absent before 2026"),
        pytest.param({"softcore": None, "adult": None}, "tmdb_id", 4711, id="softcore and adult null"),
        pytest.param({"brand_new": [1]}, "tmdb_id", 4711, id="a key nobody knows yet"),
        pytest.param({"_id": "52", "networks": []}, "tmdb_id", 4711, id="_id beside id"),
        pytest.param({"homepage": None}, "tmdb_id", 4711, id="homepage null"),
        pytest.param({"tagline": None}, "tmdb_id", 4711, id="tagline null"),
        pytest.param({"episode_run_time": [60]}, "tmdb_id", 4711, id="episode_run_time of old records"),
        pytest.param({"origin_country": []}, "tmdb_id", 4711, id="origin_country of a show is a list"),
        pytest.param({"next_episode_to_air": {"runtime": None}}, "tmdb_id", 4711, id="a next episode"),
        pytest.param({"created_by": [{"gender": 0}]}, "tmdb_id", 4711, id="gender unset, no original_name"),
        pytest.param(
            {"videos": {"results": [{"published_at": "2023-10-06 14:00:15 UTC"}]}},
            "tmdb_id",
            4711,
            id="a video date that is not ISO",
        ),
        pytest.param(
            {"content_ratings": {"results": [{"descriptors": [], "iso_3166_1": "US", "rating": "TV-14"}]}},
            "tmdb_id",
            4711,
            id="a block not asked about",
        ),
        pytest.param({"season/1": {"_id": "52", "id": 3624}}, "tmdb_id", 4711, id="an appended season"),
        pytest.param({"number_of_episodes": None}, "number_of_episodes", None, id="episodes null"),
        pytest.param({"number_of_seasons": None}, "number_of_seasons", None, id="seasons null"),
        pytest.param({"number_of_seasons": NEVER}, "number_of_seasons", None, id="seasons missing"),
        pytest.param({"number_of_seasons": 8}, "number_of_seasons", 8, id="season 0 is not counted in"),
        pytest.param({"seasons": NEVER}, "number_of_seasons", 5, id="no list of seasons"),
        pytest.param({"genres": []}, "genres", (), id="type Reality without a genre"),
        pytest.param({"genres": []}, "type", "Reality", id="type does not hang on the genres"),
        pytest.param(
            {"genres": [{"id": 1, "name": "Talk"}, {"id": 2, "name": "News"}, {"id": 3, "name": " Talk"}]},
            "genres",
            ("Talk", "News"),
            id="a genre twice",
        ),
        pytest.param({"last_air_date": None}, "last_air_date", None, id="last_air_date null"),
        pytest.param({"first_air_date": ""}, "first_air_date", None, id="first_air_date empty"),
        pytest.param({"first_air_date": "  "}, "first_air_date", None, id="first_air_date blank"),
        pytest.param({"first_air_date": NEVER}, "first_air_date", None, id="first_air_date missing"),
        pytest.param({"first_air_date": "0001-01-01"}, "first_air_date", date(1, 1, 1), id="year 1"),
        pytest.param({"last_episode_to_air": None}, "last_episode", None, id="nothing aired yet"),
        pytest.param({"last_episode_to_air": NEVER}, "last_episode", None, id="no last episode key"),
        pytest.param({"overview": ""}, "overview", None, id="overview empty"),
        pytest.param({"overview": None}, "overview", None, id="overview null"),
        pytest.param({"overview": " \n "}, "overview", None, id="overview blank"),
        pytest.param({"overview": " Two  blanks\n"}, "overview", "Two  blanks", id="inner blanks kept"),
        pytest.param({"overview": "nul\x00 here"}, "overview", "nul here", id="NUL removed"),
        pytest.param({"overview": "half \ud83d pair"}, "overview", "half  pair", id="half a surrogate"),
        pytest.param({"overview": "\x00"}, "overview", None, id="nothing but NUL"),
        pytest.param({"name": " Дуэты "}, "name", "Дуэты", id="name stripped"),
        pytest.param({"name": ""}, "name", "Lake House Rules (US)", id="name falls back to the original"),
        pytest.param({"name": None}, "name", "Lake House Rules (US)", id="null name falls back as well"),
        pytest.param({"original_name": NEVER}, "original_name", None, id="original_name missing"),
        pytest.param({"vote_average": 8}, "vote_average", 8.0, id="vote as int"),
        pytest.param({"vote_average": 0}, "vote_average", 0.0, id="vote as int zero"),
        pytest.param({"vote_average": None}, "vote_average", None, id="vote null"),
        pytest.param({"vote_count": NEVER}, "vote_count", None, id="vote count missing"),
        pytest.param({"popularity": 585.275}, "popularity", 585.275, id="popularity on the old scale"),
        pytest.param({"popularity": 2.2255}, "popularity", 2.2255, id="popularity with four decimals"),
        pytest.param({"popularity": 0}, "popularity", 0.0, id="popularity as int"),
        pytest.param({"networks": []}, "networks", (), id="no network"),
        pytest.param(
            {"networks": [entity(logo_path=NEVER, origin_country=NEVER)]},
            "networks",
            (EntityRecord(74, "Bravo", None, None),),
            id="network without logo and country keys",
        ),
        pytest.param(
            {"networks": [entity(id=213, name="Netflix", origin_country="", logo_path=None)]},
            "networks",
            (EntityRecord(213, "Netflix", None, None),),
            id="network with empty country and null logo",
        ),
        pytest.param(
            {"networks": [entity(logo_path="")]},
            "networks",
            (EntityRecord(74, "Bravo", "US", None),),
            id="network with empty logo",
        ),
        pytest.param(
            {"networks": [entity(id=619, name="Youtoo TV\t")]},
            "networks",
            (EntityRecord(619, "Youtoo TV\t", "US", "/bravo.png"),),
            id="network name with a trailing tab kept",
        ),
        pytest.param(
            {"networks": [entity(id=2, name="Disney Channel"), entity(id=1, name="Disney Channel")]},
            "networks",
            (
                EntityRecord(2, "Disney Channel", "US", "/bravo.png"),
                EntityRecord(1, "Disney Channel", "US", "/bravo.png"),
            ),
            id="two networks of one name in upstream's order",
        ),
        pytest.param(
            {"networks": [entity(), entity(id=8), entity(name="Again")]},
            "networks",
            (EntityRecord(74, "Bravo", "US", "/bravo.png"), EntityRecord(8, "Bravo", "US", "/bravo.png")),
            id="a network twice: the first wins",
        ),
        pytest.param(
            {"production_companies": [entity(parent_company=None, description="")]},
            "production_companies",
            (EntityRecord(74, "Bravo", "US", "/bravo.png"),),
            id="a company with the id of a network is another thing",
        ),
        pytest.param(
            {"networks": [entity(logo_path="/A-b_9.SVG")]},
            "networks",
            (EntityRecord(74, "Bravo", "US", "/A-b_9.SVG"),),
            id="svg logo in capitals",
        ),
    ],
)
def test_an_oddity_of_a_show_is_read_as_meant(changes: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(parse_show(show_with(**changes)), field) == expected


@pytest.mark.parametrize(
    "kind",
    ["Scripted", "Reality", "Documentary", "News", "Talk Show", "Miniseries", "Video", "Not Yet Known"],
)
def test_every_type_is_kept_as_sent(kind: str) -> None:
    assert parse_show(show_with(type=kind)).type == kind


@pytest.mark.parametrize(
    "status", ["Returning Series", "Planned", "In Production", "Ended", "Canceled", "Pilot", "Not Yet Known"]
)
def test_every_status_is_kept_as_sent(status: str) -> None:
    assert parse_show(show_with(status=status)).status == status


@pytest.mark.parametrize(
    ("episode", "expected"),
    [
        pytest.param({"air_date": ""}, EpisodeRecord(5, 16, "Reunion", None), id="empty air_date"),
        pytest.param({"air_date": None}, EpisodeRecord(5, 16, "Reunion", None), id="null air_date"),
        pytest.param({"name": ""}, EpisodeRecord(5, 16, None, date(2024, 4, 19)), id="no title"),
        pytest.param(
            {"name": "Folge 7"},
            EpisodeRecord(5, 16, "Folge 7", date(2024, 4, 19)),
            id="placeholder title kept",
        ),
        pytest.param(
            {"season_number": 0, "episode_number": 0},
            EpisodeRecord(0, 0, "Reunion", date(2024, 4, 19)),
            id="a special",
        ),
        pytest.param(
            {"episode_type": "mid_season", "runtime": 80, "vote_average": 4},
            EpisodeRecord(5, 16, "Reunion", date(2024, 4, 19)),
            id="other keys do not matter",
        ),
    ],
)
def test_the_last_episode_is_read(episode: dict[str, Any], expected: EpisodeRecord) -> None:
    payload = show_with(last_episode_to_air=SHOW["last_episode_to_air"] | episode)

    assert parse_show(payload).last_episode == expected


def test_the_last_episode_needs_only_its_two_numbers() -> None:
    episode = {"season_number": 1, "episode_number": 2}

    assert parse_show(show_with(last_episode_to_air=episode)).last_episode == EpisodeRecord(1, 2, None, None)


# Blocks: absent is not empty


def test_blocks_that_were_not_asked_for_are_none() -> None:
    record = parse_show(SHOW)

    assert (record.keywords, record.external_ids, record.watch_providers) == (None, None, None)


def test_blocks_that_came_empty_are_empty() -> None:
    record = parse_show(
        show_with(
            **{
                "keywords": {"results": []},
                "external_ids": {"imdb_id": None},
                "watch/providers": {"results": {}},
            }
        )
    )

    assert (record.keywords, record.watch_providers) == ((), ())
    assert record.external_ids == ExternalIds(None, None, None, None, None, None)


def test_keywords_come_once_each_in_order() -> None:
    names = ["queen", "drag", "queen", " drag "]
    payload = show_with(keywords={"results": [{"id": n, "name": name} for n, name in enumerate(names, 1)]})

    assert parse_show(payload).keywords == ("queen", "drag")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param({"keywords": None}, "keywords is null, not an object", id="null keywords"),
        pytest.param({"keywords": []}, "keywords is [] (list), not an object", id="list of keywords"),
        pytest.param({"keywords": {"keywords": []}}, "keywords.results is missing, not a list", id="the key of movies"),
        pytest.param(
            {"keywords": {"results": [{"id": 1, "name": 7}]}},
            "keywords.results[0].name is 7 (int), not a text that is not blank",
            id="keyword a number",
        ),
        pytest.param({"external_ids": None}, "external_ids is null, not an object", id="null ids"),
        pytest.param(
            {"external_ids": {"success": False, "status_code": 34, "status_message": "Not found."}},
            "external_ids is TMDb's error 34: Not found.",
            id="an error in place of a block",
        ),
        pytest.param({"watch/providers": None}, "watch/providers is null, not an object", id="null offers"),
        pytest.param(
            {"watch/providers": {"results": {"US": {"buy": [{"provider_id": "8"}]}}}},
            "watch/providers.results.US.buy[0].provider_id is '8' (str), not a positive integer below 2**63",
            id="the path begins at the block",
        ),
    ],
)
def test_a_wrong_block_refuses_the_show(block: dict[str, Any], expected: str) -> None:
    assert reason(parse_show, show_with(**block)) == expected


# What is refused, and why


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": NEVER}, "id is missing, not a positive integer below 2**63"),
        ({"id": None}, "id is null, not a positive integer below 2**63"),
        ({"id": "4711"}, "id is '4711' (str), not a positive integer below 2**63"),
        ({"id": 4711.0}, "id is 4711.0 (float), not a positive integer below 2**63"),
        ({"id": True}, "id is True (bool), not a positive integer below 2**63"),
        ({"id": 0}, "id is 0 (int), not a positive integer below 2**63"),
        ({"id": -1}, "id is -1 (int), not a positive integer below 2**63"),
        ({"id": 2**63}, "id is 9223372036854775808 (int), not a positive integer below 2**63"),
        ({"name": "", "original_name": ""}, "name is '' (str), not a text that is not blank"),
        ({"name": NEVER, "original_name": None}, "name is missing, not a text that is not blank"),
        ({"name": 90210}, "name is 90210 (int), not a text, or null"),
        ({"overview": ["a"]}, "overview is ['a'] (list), not a text, or null"),
        ({"status": False}, "status is False (bool), not a text, or null"),
        ({"networks": None}, "networks is null, not a list"),
        ({"networks": NEVER}, "networks is missing, not a list"),
        ({"networks": {}}, "networks is {} (dict), not a list"),
        ({"networks": [None]}, "networks[0] is null, not an object"),
        ({"networks": ["HBO"]}, "networks[0] is 'HBO' (str), not an object"),
        (
            {"networks": [entity(), entity(id=2), entity(id="abc")]},
            "networks[2].id is 'abc' (str), not a positive integer below 2**63",
        ),
        (
            {"networks": [entity(name=" \t")]},
            "networks[0].name is ' \\t' (str), not a text that is not blank",
        ),
        ({"networks": [entity(name=None)]}, "networks[0].name is null, not a text that is not blank"),
        ({"networks": [entity(name=NEVER)]}, "networks[0].name is missing, not a text that is not blank"),
        (
            {"networks": [entity(origin_country=["US"])]},
            "networks[0].origin_country is ['US'] (list), not a text, or null",
        ),
        ({"production_companies": None}, "production_companies is null, not a list"),
        ({"production_companies": NEVER}, "production_companies is missing, not a list"),
        (
            {"production_companies": [entity(id=False)]},
            "production_companies[0].id is False (bool), not a positive integer below 2**63",
        ),
        ({"genres": None}, "genres is null, not a list"),
        ({"genres": NEVER}, "genres is missing, not a list"),
        ({"genres": ["Reality"]}, "genres[0] is 'Reality' (str), not an object"),
        ({"genres": [{"id": 18}]}, "genres[0].name is missing, not a text that is not blank"),
        ({"seasons": None}, "seasons is null, not a list"),
        ({"seasons": [{"id": "52"}]}, "seasons[0].id is '52' (str), not a positive integer below 2**63"),
        ({"last_episode_to_air": []}, "last_episode_to_air is [] (list), not an object"),
        (
            {"last_episode_to_air": {"season_number": 1}},
            "last_episode_to_air.episode_number is missing, not an integer from 0 to 2**31-1",
        ),
        (
            {"last_episode_to_air": {"season_number": -1, "episode_number": 1}},
            "last_episode_to_air.season_number is -1 (int), not an integer from 0 to 2**31-1",
        ),
        (
            {"last_episode_to_air": {"season_number": None, "episode_number": 1}},
            "last_episode_to_air.season_number is null, not an integer from 0 to 2**31-1",
        ),
        ({"number_of_seasons": "5"}, "number_of_seasons is '5' (str), not an integer from 0 to 2**31-1"),
        ({"number_of_seasons": True}, "number_of_seasons is True (bool), not an integer from 0 to 2**31-1"),
        (
            {"number_of_episodes": 2**31},
            "number_of_episodes is 2147483648 (int), not an integer from 0 to 2**31-1",
        ),
        ({"vote_count": -1}, "vote_count is -1 (int), not an integer from 0 to 2**31-1"),
        ({"vote_average": "8.4"}, "vote_average is '8.4' (str), not a finite number, or null"),
        ({"vote_average": True}, "vote_average is True (bool), not a finite number, or null"),
        ({"popularity": float("nan")}, "popularity is nan (float), not a finite number, or null"),
        ({"popularity": float("inf")}, "popularity is inf (float), not a finite number, or null"),
        (
            {"first_air_date": "2023-02-30"},
            "first_air_date is '2023-02-30' (str), not a date of the calendar",
        ),
        ({"first_air_date": 20190304}, "first_air_date is 20190304 (int), not a date as YYYY-MM-DD, or null"),
    ],
)
def test_a_wrong_shape_is_refused_with_its_path_value_and_what_was_expected(
    changes: dict[str, Any], expected: str
) -> None:
    assert reason(parse_show, show_with(**changes)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "20190304",
        "2019-3-4",
        "2019-03-04T00:00:00Z",
        "2019-03-04 ",
        "2023-10-06 14:00:15 UTC",
        "2019-W10-1",
        "2019",
        "04/03/2019",
        "0000-00-00",
        "２０１９-03-04",
        "soon",
    ],
)
def test_a_date_in_another_form_is_refused(text: str) -> None:
    assert "last_air_date is" in reason(parse_show, show_with(last_air_date=text))


@pytest.mark.parametrize(
    "path",
    [
        "http://169.254.169.254/x.png",
        "//evil/x.png",
        "/../x.png",
        "/a/b.png",
        "x.png",
        "/x",
        "/x.exe",
        "/x.png?size=1",
        "/x.png#",
        "/x.png\n",
        "/%2e%2e.png",
        "/.png\\..\\x.png",
        "/\u017f.png",
        5,
        True,
        ["/x.png"],
    ],
)
def test_a_logo_path_that_is_no_path_is_refused(path: object) -> None:
    expected = "logo_path is "

    assert expected in reason(parse_show, show_with(networks=[entity(logo_path=path)]))
    assert expected in reason(parse_show, show_with(production_companies=[entity(logo_path=path)]))
    offers = {"results": {"US": {"buy": [PEACOCK | {"logo_path": path}]}}}
    assert expected in reason(parse_watch_providers, offers)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (None, "the reply is null, not an object"),
        ([], "the reply is [] (list), not an object"),
        ([{"id": 1}], "the reply is [{'id': 1}] (list), not an object"),
        ("<html>", "the reply is '<html>' (str), not an object"),
        (7, "the reply is 7 (int), not an object"),
        (True, "the reply is True (bool), not an object"),
    ],
)
def test_a_reply_that_is_no_object_is_refused(parser: Parser, payload: object, expected: str) -> None:
    assert reason(parser, payload) == expected


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        pytest.param(
            {"success": False, "status_code": 21, "status_message": "Entry not found."},
            "the reply is TMDb's error 21: Entry not found.",
            id="code 21, which comes with HTTP 200",
        ),
        pytest.param(
            {"status_code": 34, "status_message": "Could not be found."},
            "the reply is TMDb's error 34: Could not be found.",
            id="without success",
        ),
        pytest.param(
            {"success": False, "failure": True, "status_code": 17, "status_message": "Session denied."},
            "the reply is TMDb's error 17: Session denied.",
            id="with failure",
        ),
        pytest.param(
            {"success": True, "status_code": 40, "status_message": "Nothing to update."},
            "the reply is TMDb's error 40: Nothing to update.",
            id="success true, which is no record either",
        ),
        pytest.param(
            {"errors": ["query must be provided"]},
            "the reply is TMDb's error None: ['query must be provided']",
            id="a validation error without code",
        ),
        pytest.param({"success": False}, "the reply is TMDb's error None: None", id="success false alone"),
        pytest.param(
            {"status_code": {}, "status_message": "a\nb\x00" + "c" * 999},
            "the reply is TMDb's error {}: a b" + "c" * 196,
            id="a message that is long and dirty",
        ),
    ],
)
def test_an_error_envelope_is_refused_with_its_message_and_code(
    parser: Parser, envelope: dict[str, Any], expected: str
) -> None:
    assert reason(parser, envelope) == expected


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 10_000_000, id="a long text"),
        pytest.param(["x"] * 1_000_000, id="a long list"),
        pytest.param(nested(100_000), id="a deep list"),
        pytest.param(10**10_000, id="an int of 10,000 digits"),
        pytest.param("\x00\ud800\n", id="characters a database can't hold"),
    ],
)
def test_the_reason_stays_short_and_storable_whatever_the_value(value: object) -> None:
    text = reason(parse_show, show_with(id=value))

    assert text.startswith("id is ")
    assert len(text) < 130
    assert not {"\x00", "\n"} & set(text)
    text.encode()


def test_a_number_beyond_the_floats_is_refused() -> None:
    assert reason(parse_show, show_with(popularity=10**400)).startswith("popularity is 1000")


# Watch providers


def test_the_stand_alone_and_the_appended_body_give_the_same_offers() -> None:
    results = {"US": {"link": LINK, "flatrate": [PEACOCK, HULU]}, "GB": {"link": LINK, "ads": [HULU]}}

    alone = parse_watch_providers({"id": 4711, "results": results})

    assert [(o.region, o.offer_type, o.provider.provider_id) for o in alone] == [
        ("US", "flatrate", 386),
        ("US", "flatrate", 15),
        ("GB", "ads", 15),
    ]
    assert parse_show(show_with(**{"watch/providers": {"results": results}})).watch_providers == alone


@pytest.mark.parametrize("offer_type", ["flatrate", "buy", "rent", "ads", "free", "cinema_2030", "Über Abo"])
def test_every_offer_type_is_kept_known_or_not(offer_type: str) -> None:
    assert [offer.offer_type for offer in offers_of(**{offer_type: [HULU]})] == [offer_type]


def test_an_offer_type_is_freed_of_what_no_database_holds_and_then_counts_as_the_same() -> None:
    assert [offer.offer_type for offer in offers_of(**{"buy": [HULU], "bu\x00y": [HULU]})] == ["buy"]


def test_a_long_offer_type_does_not_lengthen_the_reason() -> None:
    assert len(reason(parse_watch_providers, {"results": {"US": {"x" * 10_000: None}}})) < 300


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param({"link": LINK}, LINK, id="link"),
        pytest.param({"link": None}, None, id="null link"),
        pytest.param({"link": ""}, None, id="empty link"),
        pytest.param({"link": "  "}, None, id="blank link"),
        pytest.param({}, None, id="no link"),
    ],
)
def test_a_link_may_be_absent(block: dict[str, Any], expected: str | None) -> None:
    assert [offer.link for offer in offers_of(**block, flatrate=[HULU])] == [expected]


@pytest.mark.parametrize(
    "block",
    [{}, {"link": LINK}, {"link": LINK, "flatrate": []}],
    ids=["empty", "link alone", "a type without offers"],
)
def test_a_region_may_have_no_offers(block: dict[str, Any]) -> None:
    assert offers_of(**block) == ()


def test_one_provider_stands_once_in_each_type_but_in_many_types() -> None:
    again = PEACOCK | {"display_priority": 99}

    offers = offers_of(flatrate=[PEACOCK, again, HULU], buy=[PEACOCK])

    assert [(o.offer_type, o.provider.provider_id, o.display_priority) for o in offers] == [
        ("flatrate", 386, 3),
        ("flatrate", 15, 1),
        ("buy", 386, 3),
    ]


@pytest.mark.parametrize(
    "name", ["VIX ", "AMC Plus Apple TV Channel ", "Toei Animation Channel  Amazon Channel", " Pongalo  "]
)
def test_a_dirty_provider_name_is_kept_as_sent(name: str) -> None:
    assert offers_of(free=[HULU | {"provider_name": name}])[0].provider.provider_name == name


def test_two_providers_of_one_name_are_two() -> None:
    offers = offers_of(
        flatrate=[HULU | {"provider_name": "WeTV"}, PEACOCK | {"provider_name": "WeTV"}],
    )

    assert [offer.provider.provider_id for offer in offers] == [15, 386]


def test_a_provider_named_in_two_ways_in_one_reply_is_one_by_its_first_name() -> None:
    renamed = HULU | {"provider_name": "Hulu on Disney+"}

    offers = parse_watch_providers({"results": {"US": {"buy": [HULU]}, "GB": {"buy": [renamed, PEACOCK]}}})

    assert [offer.provider.provider_name for offer in offers] == ["Hulu", "Hulu", "Peacock Premium"]
    assert offers[0].provider is offers[1].provider


def test_a_provider_id_that_is_also_a_network_id_is_another_thing() -> None:
    payload = show_with(
        **{
            "networks": [entity(id=386, name="Somewhere")],
            "watch/providers": {"results": {"US": {"buy": [PEACOCK]}}},
        }
    )
    record = parse_show(payload)

    assert record.networks[0].name == "Somewhere"
    assert record.watch_providers is not None
    assert record.watch_providers[0].provider.provider_name == "Peacock Premium"


@pytest.mark.parametrize(
    ("row", "priority", "logo_path"),
    [
        pytest.param({"provider_id": 8, "provider_name": "Netflix"}, None, None, id="two keys only"),
        pytest.param(HULU | {"display_priority": None}, None, "/hulu.jpg", id="null priority"),
        pytest.param(HULU | {"display_priority": 0}, 0, "/hulu.jpg", id="priority zero"),
        pytest.param(HULU | {"logo_path": None}, 1, None, id="null logo"),
        pytest.param(HULU | {"logo_path": ""}, 1, None, id="empty logo"),
        pytest.param(HULU | {"logo_path": "/a.svg"}, 1, "/a.svg", id="svg logo"),
        pytest.param(HULU | {"display_priorities": {"US": 1}}, 1, "/hulu.jpg", id="row of the catalogue"),
    ],
)
def test_an_offer_needs_only_id_and_name(row: dict[str, Any], priority: int | None, logo_path: str | None) -> None:
    (offer,) = offers_of(flatrate=[row])

    assert (offer.display_priority, offer.provider.logo_path) == (priority, logo_path)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, "results is missing, not an object"),
        ({"results": None}, "results is null, not an object"),
        ({"results": []}, "results is [] (list), not an object"),
        ({"results": [{"US": {}}]}, "results is [{'US': {}}] (list), not an object"),
        ({"id": "4711", "results": {}}, "id is '4711' (str), not a positive integer below 2**63"),
        ({"results": {"us": {}}}, "a region in results is 'us' (str), not two capital letters"),
        ({"results": {"USA": {}}}, "a region in results is 'USA' (str), not two capital letters"),
        ({"results": {"": {}}}, "a region in results is '' (str), not two capital letters"),
        ({"results": {"US\n": {}}}, "a region in results is 'US\\n' (str), not two capital letters"),
        ({"results": {"US": None}}, "results.US is null, not an object"),
        ({"results": {"US": []}}, "results.US is [] (list), not an object"),
        ({"results": {"US": {"link": 5}}}, "results.US.link is 5 (int), not a text, or null"),
        ({"results": {"US": {"flatrate": None}}}, "results.US.flatrate is null, not a list"),
        ({"results": {"US": {"flatrate": {}}}}, "results.US.flatrate is {} (dict), not a list"),
        ({"results": {"US": {"note": "hi"}}}, "results.US.note is 'hi' (str), not a list"),
        (
            {"results": {"US": {" ": []}}},
            "an offer type in results.US is ' ' (str), not a text that is not blank",
        ),
        ({"results": {"US": {"buy": [None]}}}, "results.US.buy[0] is null, not an object"),
        (
            {"results": {"US": {"buy": [HULU | {"provider_id": "15"}]}}},
            "results.US.buy[0].provider_id is '15' (str), not a positive integer below 2**63",
        ),
        (
            {"results": {"US": {"buy": [HULU, HULU | {"provider_name": None}]}}},
            "results.US.buy[1].provider_name is null, not a text that is not blank",
        ),
        (
            {"results": {"US": {"buy": [HULU | {"provider_name": "  "}]}}},
            "results.US.buy[0].provider_name is '  ' (str), not a text that is not blank",
        ),
        (
            {"results": {"US": {"buy": [HULU | {"display_priority": -1}]}}},
            "results.US.buy[0].display_priority is -1 (int), not an integer from 0 to 2**31-1",
        ),
    ],
)
def test_wrong_watch_providers_are_refused(payload: object, expected: str) -> None:
    assert reason(parse_watch_providers, payload) == expected


# External ids


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        pytest.param({"imdb_id": ""}, "imdb_id", None, id="imdb empty"),
        pytest.param({"imdb_id": None}, "imdb_id", None, id="imdb null"),
        pytest.param({"imdb_id": NEVER}, "imdb_id", None, id="imdb missing, as for a season"),
        pytest.param({"imdb_id": "tt32857063"}, "imdb_id", "tt32857063", id="imdb with eight digits"),
        pytest.param({"imdb_id": " tt0844441 "}, "imdb_id", "tt0844441", id="imdb with blanks around"),
        pytest.param({"imdb_id": "tt123456"}, "imdb_id", None, id="imdb too short"),
        pytest.param({"imdb_id": "nm0000184"}, "imdb_id", None, id="imdb id of a person"),
        pytest.param({"imdb_id": "tt0844441/"}, "imdb_id", None, id="imdb with a tail"),
        pytest.param({"imdb_id": "TT0844441"}, "imdb_id", None, id="imdb in capitals"),
        pytest.param(
            {"imdb_id": "tt\u0660\u0668\u0664\u0664\u0664\u0664\u0661"},
            "imdb_id",
            None,
            id="imdb in other digits",
        ),
        pytest.param({"imdb_id": 844441}, "imdb_id", None, id="imdb a number"),
        pytest.param({"tvdb_id": 0}, "tvdb_id", None, id="tvdb zero"),
        pytest.param({"tvdb_id": None}, "tvdb_id", None, id="tvdb null"),
        pytest.param({"tvdb_id": "121361"}, "tvdb_id", None, id="tvdb a text"),
        pytest.param({"tvdb_id": True}, "tvdb_id", None, id="tvdb a bool"),
        pytest.param({"tvdb_id": 2**63}, "tvdb_id", None, id="tvdb beyond a bigint"),
        pytest.param({"wikidata_id": NEVER}, "wikidata_id", None, id="wikidata missing, as of old"),
        pytest.param({"wikidata_id": "23572"}, "wikidata_id", None, id="wikidata without Q"),
        pytest.param({"wikidata_id": "Q0"}, "wikidata_id", None, id="wikidata zero"),
        pytest.param({"twitter_id": ""}, "twitter_id", None, id="twitter empty"),
        pytest.param({"twitter_id": "a\x00b"}, "twitter_id", "ab", id="twitter with NUL"),
        pytest.param({"twitter_id": "a\nb"}, "twitter_id", "a\nb", id="twitter of two lines"),
        pytest.param({"facebook_id": 12}, "facebook_id", None, id="facebook a number"),
        pytest.param({"instagram_id": {}}, "instagram_id", None, id="instagram an object"),
        pytest.param({"id": 4711}, "imdb_id", "tt0844441", id="the stand-alone body has an id"),
    ],
)
def test_an_external_id_that_cannot_be_right_is_none(changes: dict[str, Any], field: str, expected: object) -> None:
    payload = {key: value for key, value in (EXTERNAL_IDS | changes).items() if value is not NEVER}

    assert getattr(parse_external_ids(payload), field) == expected
    record = parse_show(show_with(external_ids=payload))
    assert getattr(record.external_ids, field) == expected


def test_external_ids_of_a_wrong_own_id_are_refused() -> None:
    assert reason(parse_external_ids, EXTERNAL_IDS | {"id": "4711"}).startswith("id is '4711' (str)")


# Find


TV_ROW: dict[str, Any] = {
    "adult": False,
    "id": 4711,
    "name": "Lake House Rules",
    "original_name": "Lake House Rules (US)",
    "poster_path": "/poster.jpg",
    "media_type": "tv",
    "genre_ids": [10764],
    "popularity": 2,
    "first_air_date": "2019-03-04",
    "vote_average": 8,
    "vote_count": 1,
    "origin_country": ["US"],
}
EPISODE_ROW: dict[str, Any] = {
    "id": 62085,
    "name": "Pilot",
    "media_type": "tv_episode",
    "air_date": "2008-01-20",
    "episode_number": 1,
    "season_number": 1,
    "show_id": 1396,
    "still_path": None,
}
DIRECT = FoundShow(4711, "Lake House Rules", "Lake House Rules (US)", date(2019, 3, 4), "/poster.jpg", False)
BEHIND = FoundShow(1396, None, None, None, None, True)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(found(), [], id="an id nobody knows: five empty lists"),
        pytest.param(found(tv_results=[TV_ROW]), [DIRECT], id="one show"),
        pytest.param(found(tv_episode_results=[EPISODE_ROW]), [BEHIND], id="the id of an episode"),
        pytest.param(
            found(tv_season_results=[{"id": 3624, "name": "Season 1", "season_number": 1, "show_id": 1396}]),
            [BEHIND],
            id="the id of a season",
        ),
        pytest.param(
            found(tv_results=[TV_ROW], tv_episode_results=[EPISODE_ROW]),
            [DIRECT, BEHIND],
            id="a tvdb id that is a show and an episode of another",
        ),
        pytest.param(
            found(tv_results=[TV_ROW], tv_episode_results=[EPISODE_ROW | {"show_id": 4711}]),
            [DIRECT],
            id="a show and its own episode: the direct hit wins",
        ),
        pytest.param(
            found(tv_results=[TV_ROW | {"id": 9}, TV_ROW, TV_ROW | {"id": 9, "name": "Again"}]),
            [
                FoundShow(9, "Lake House Rules", "Lake House Rules (US)", date(2019, 3, 4), "/poster.jpg", False),
                DIRECT,
            ],
            id="several shows in order, each once",
        ),
        pytest.param(found(person_results=[{"id": 1, "name": "P"}]), [], id="a person"),
        pytest.param(found(movie_results=[{"id": 2, "title": "M"}]), [], id="a movie"),
        pytest.param(
            found(tv_results=[{"id": 5}]),
            [FoundShow(5, None, None, None, None, False)],
            id="nothing but an id",
        ),
        pytest.param(
            found(tv_results=[TV_ROW | {"name": None, "original_name": "", "first_air_date": "", "poster_path": None}]),
            [FoundShow(4711, None, None, None, None, False)],
            id="null name, empty date",
        ),
    ],
)
def test_found_shows_are_distinct_and_direct_hits_come_first(
    payload: dict[str, Any], expected: list[FoundShow]
) -> None:
    assert list(parse_find(payload).shows) == expected


@pytest.mark.parametrize("key", FIND_LISTS)
@pytest.mark.parametrize("value", [NEVER, None, {}, "x"], ids=["missing", "null", "object", "text"])
def test_each_of_the_five_lists_must_be_there(key: str, value: object) -> None:
    payload = {name: rows for name, rows in found(**{key: value}).items() if rows is not NEVER}

    assert reason(parse_find, payload).startswith(f"{key} is ")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            found(tv_results=[TV_ROW | {"id": "1"}]),
            "tv_results[0].id is '1' (str), not a positive integer below 2**63",
        ),
        (found(tv_results=[TV_ROW | {"name": 1}]), "tv_results[0].name is 1 (int), not a text, or null"),
        (
            found(tv_episode_results=[{"id": 62085}]),
            "tv_episode_results[0].show_id is missing, not a positive integer below 2**63",
        ),
        (
            found(tv_season_results=[{"id": 3624, "show_id": None}]),
            "tv_season_results[0].show_id is null, not a positive integer below 2**63",
        ),
        (found(tv_results=[4711]), "tv_results[0] is 4711 (int), not an object"),
    ],
)
def test_a_wrong_row_of_find_is_refused(payload: object, expected: str) -> None:
    assert reason(parse_find, payload) == expected


# Search


def search_page(*rows: object, **values: object) -> dict[str, Any]:
    return {"page": 1, "results": list(rows), "total_pages": 1, "total_results": len(rows)} | values


def test_a_search_finds_shows_in_upstreams_order_each_once() -> None:
    rows = [TV_ROW | {"id": 9}, TV_ROW, TV_ROW | {"id": 9, "name": "Again"}]

    assert [show.tmdb_id for show in parse_search(search_page(*rows)).shows] == [9, 4711]
    assert parse_search(search_page(TV_ROW)).shows == (DIRECT,)
    assert parse_search(search_page()).shows == ()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (search_page(TV_ROW | {"id": 0}), "results[0].id is 0 (int), not a positive integer below 2**63"),
        (search_page(TV_ROW, None), "results[1] is null, not an object"),
        (
            search_page(TV_ROW | {"poster_path": "//x.org/a.png"}),
            "results[0].poster_path is '//x.org/a.png' (str), not an image path such as /abc.png, or null",
        ),
        (search_page(results=None), "results is null, not a list"),
        ({"page": 1}, "results is missing, not a list"),
        ({"errors": ["query must be provided"]}, "the reply is TMDb's error None: ['query must be provided']"),
    ],
)
def test_a_wrong_page_of_a_search_is_refused(payload: object, expected: str) -> None:
    assert reason(parse_search, payload) == expected


# Changes


def test_changed_ids_come_once_each_in_order() -> None:
    rows = [
        {"id": 31153, "adult": False, "softcore": False},
        {"id": 329971, "adult": None, "softcore": None},
        {"id": 8514},
        {"id": 31153, "adult": False},
    ]
    payload = {"results": rows, "page": 1, "total_pages": 27, "total_results": 2661}

    assert parse_changes(payload) == ChangedIds((31153, 329971, 8514), 1, 27)


def test_a_day_without_changes_is_an_empty_page() -> None:
    assert parse_changes({"results": [], "page": 1, "total_pages": 0}) == ChangedIds((), 1, 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"results": None}, "results is null, not a list"),
        ({"results": {}}, "results is {} (dict), not a list"),
        ({"results": [{"adult": False}]}, "results[0].id is missing, not a positive integer below 2**63"),
        ({"results": [{"id": None}]}, "results[0].id is null, not a positive integer below 2**63"),
        ({"results": [{"id": 1}, 2]}, "results[1] is 2 (int), not an object"),
        ({"page": None}, "page is null, not an integer from 0 to 2**31-1"),
        ({"total_pages": "27"}, "total_pages is '27' (str), not an integer from 0 to 2**31-1"),
    ],
)
def test_wrong_changes_are_refused(changes: dict[str, Any], expected: str) -> None:
    assert reason(parse_changes, {"results": [], "page": 1, "total_pages": 1} | changes) == expected


def test_the_changes_of_one_show_are_another_shape_and_refused() -> None:
    assert reason(parse_changes, {"changes": []}) == "results is missing, not a list"


# Properties

# A slow machine is no failure: no test of this project depends on a clock.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
BLOCK_KEYS = ["results", "keywords", "external_ids", "watch/providers", "link", "flatrate", "US"]
ROWS = [SHOW, EXTERNAL_IDS, HULU, TV_ROW, EPISODE_ROW]
KNOWN_KEYS = [*BLOCK_KEYS, *FIND_LISTS, "page", "total_pages", *sorted(set().union(*ROWS))]
ANY_TEXT = st.text(st.characters(), max_size=8)  # half surrogates included
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KNOWN_KEYS) | ANY_TEXT, inner, max_size=6)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@unhurried
@given(payload=JSON)
def test_any_json_is_parsed_or_refused(parser: Parser, payload: object) -> None:
    try:
        parser(payload)
    except InvalidRecord as error:
        str(error).encode()


def holes(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value inside a JSON value."""
    inside: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [path] * bool(path) + [hole for key, item in inside for hole in holes(item, (*path, key))]


FULL_SHOW = show_with(
    **{
        "keywords": {"results": [{"id": 1, "name": "vacation"}]},
        "external_ids": EXTERNAL_IDS,
        "watch/providers": {"results": {"US": {"link": LINK, "flatrate": [PEACOCK, HULU]}}},
    }
)


@unhurried
@given(hole=st.sampled_from(holes(FULL_SHOW)), value=JSON)
def test_any_one_value_of_a_good_reply_may_be_anything(hole: tuple[str | int, ...], value: object) -> None:
    payload = copy.deepcopy(FULL_SHOW)
    parent: Any = payload
    for key in hole[:-1]:
        parent = parent[key]
    parent[hole[-1]] = value

    try:
        record = parse_show(payload)
    except InvalidRecord:
        return

    repr(record).encode()  # what is let through can be stored
    assert record.tmdb_id > 0
    assert record.name.strip()


NAMES = st.sampled_from(["Hulu", "VIX ", " WeTV", "Duo  TV", "Дуэты"])
OFFER_ROWS = st.fixed_dictionaries(
    {"provider_id": st.integers(1, 5), "provider_name": NAMES},
    optional={
        "logo_path": st.none() | st.just("/x.jpg"),
        "display_priority": st.none() | st.integers(0, 2**31 - 1),
    },
)
BLOCKS = st.dictionaries(
    st.sampled_from(["flatrate", "buy", "rent", "ads", "free", "new"]), st.lists(OFFER_ROWS, max_size=4)
)
REGIONS = st.dictionaries(st.text(string.ascii_uppercase, min_size=2, max_size=2), BLOCKS, max_size=4)


@unhurried
@given(regions=REGIONS)
def test_there_are_as_many_offers_as_distinct_keys(
    regions: dict[str, dict[str, list[dict[str, Any]]]],
) -> None:
    keys = {
        (region, offer_type, row["provider_id"])
        for region, block in regions.items()
        for offer_type, rows in block.items()
        for row in rows
    }

    offers = parse_watch_providers(json.loads(json.dumps({"results": regions})))

    assert len(offers) == len(keys)
    assert {(o.region, o.offer_type, o.provider.provider_id) for o in offers} == keys
