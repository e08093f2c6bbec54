"""The stand-in answers as TMDb does: routes, shapes, key and images."""

import io

import pytest
import requests
from PIL import Image

from demo.replies import demo_shows, named_logos
from demo.upstream import Upstream

pytestmark = pytest.mark.once

BEVERLY_HILLS, RUNNING_MAN, TOP_GEAR, NEW_JERSEY = 32390, 33238, 45, 18204
FIVE_LISTS = ("movie_results", "person_results", "tv_results", "tv_episode_results", "tv_season_results")


# /tv/{id}


def test_a_show_comes_without_what_was_not_asked_for(upstream: Upstream, session: requests.Session) -> None:
    show = session.get(f"{upstream.api_url}/tv/{BEVERLY_HILLS}").json()

    assert show["name"] == "The Real Housewives of Beverly Hills"
    assert show["networks"] == [
        {"id": 74, "logo_path": "/demo-network-74.png", "name": "Bravo", "origin_country": "US"}
    ]
    assert not {"external_ids", "keywords", "watch/providers"} & set(show)


def test_a_show_comes_with_what_was_appended(upstream: Upstream, session: requests.Session) -> None:
    wanted = {"append_to_response": "external_ids,watch/providers"}

    show = session.get(f"{upstream.api_url}/tv/{RUNNING_MAN}", params=wanted).json()

    assert show["external_ids"]["imdb_id"] is None
    assert show["watch/providers"]["results"]["DE"] == {
        "link": f"https://www.themoviedb.org/tv/{RUNNING_MAN}/watch?locale=DE",
        "ads": [_offer(344, "Rakuten Viki", 36)],
        "flatrate": [_offer(344, "Rakuten Viki", 36), _offer(464, "Kocowa", 196)],
    }
    assert "keywords" not in show


def _offer(provider_id: int, name: str, priority: int) -> dict[str, object]:
    return {
        "logo_path": f"/demo-provider-{provider_id}.png",
        "provider_id": provider_id,
        "provider_name": name,
        "display_priority": priority,
    }


def test_a_part_on_its_own_carries_the_id_of_the_show(upstream: Upstream, session: requests.Session) -> None:
    ids = session.get(f"{upstream.api_url}/tv/{BEVERLY_HILLS}/external_ids").json()
    watch = session.get(f"{upstream.api_url}/tv/{BEVERLY_HILLS}/watch/providers").json()

    assert (ids["id"], ids["imdb_id"]) == (BEVERLY_HILLS, "tt1720601")
    assert watch["id"] == BEVERLY_HILLS
    assert {"US", "GB"} <= set(watch["results"])


def test_more_than_twenty_appended_parts_are_refused(upstream: Upstream, session: requests.Session) -> None:
    many = ",".join(f"season/{number}" for number in range(21))

    answer = session.get(f"{upstream.api_url}/tv/{BEVERLY_HILLS}", params={"append_to_response": many})

    assert (answer.status_code, answer.json()["status_code"]) == (400, 27)


@pytest.mark.parametrize("path", ["tv/999999999", "tv/999999999/watch/providers", "tv/45/name", "movie/1", "tv/x"])
def test_what_is_not_there_gets_the_envelope_of_404(upstream: Upstream, session: requests.Session, path: str) -> None:
    answer = session.get(f"{upstream.api_url}/{path}")

    assert answer.status_code == 404
    assert answer.json() == {
        "success": False,
        "status_code": 34,
        "status_message": "The resource you requested could not be found.",
    }
    assert answer.headers["content-type"] == "application/json;charset=utf-8"


# /find


def test_find_of_a_show_answers_one_row_in_list_shape(upstream: Upstream, session: requests.Session) -> None:
    found = _find(upstream, session, "tt1720601")

    [row] = found["tv_results"]
    assert (row["id"], row["media_type"], row["genre_ids"]) == (BEVERLY_HILLS, "tv", [10764])
    assert not {"networks", "genres", "number_of_seasons", "external_ids"} & set(row)


def test_find_of_an_unknown_id_answers_five_empty_lists(upstream: Upstream, session: requests.Session) -> None:
    assert _find(upstream, session, "tt9999999") == {name: [] for name in FIVE_LISTS}


def test_find_of_an_episode_names_its_show_and_finds_no_show(upstream: Upstream, session: requests.Session) -> None:
    upstream.episodes["tt9999998"] = RUNNING_MAN

    found = _find(upstream, session, "tt9999998")

    assert found["tv_results"] == []
    assert [row["show_id"] for row in found["tv_episode_results"]] == [RUNNING_MAN]


def test_find_answers_every_show_that_has_the_id(session: requests.Session) -> None:
    shows = demo_shows()
    shows[NEW_JERSEY]["external_ids"]["imdb_id"] = "tt1628033"

    with Upstream(shows) as upstream:
        found = _find(upstream, session, "tt1628033")

    assert {row["id"] for row in found["tv_results"]} == {TOP_GEAR, NEW_JERSEY}


def test_find_uses_the_index_it_was_given(session: requests.Session) -> None:
    with Upstream(imdb_ids={"tt7777777": TOP_GEAR}) as upstream:
        found = _find(upstream, session, "tt7777777")

    assert [row["id"] for row in found["tv_results"]] == [TOP_GEAR]


def _find(upstream: Upstream, session: requests.Session, imdb_id: str) -> dict[str, list[dict[str, object]]]:
    answer = session.get(f"{upstream.api_url}/find/{imdb_id}", params={"external_source": "imdb_id"})
    assert answer.status_code == 200
    return answer.json()


# /search/tv


def _search(upstream: Upstream, session: requests.Session, **params: object) -> requests.Response:
    return session.get(f"{upstream.api_url}/search/tv", params=params)


def test_a_search_answers_a_page_of_rows_in_list_shape(upstream: Upstream, session: requests.Session) -> None:
    page = _search(upstream, session, query="real housewives beverly").json()

    assert (page["page"], page["total_pages"], page["total_results"]) == (1, 1, 1)
    [row] = page["results"]
    assert (row["id"], row["genre_ids"], row["first_air_date"]) == (BEVERLY_HILLS, [10764], "2010-10-14")
    assert not {"networks", "genres", "media_type", "external_ids"} & set(row)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("TOP GEAR", True),
        ("top ge", True),
        ("Tóp Gear", True),
        ("gear top", True),
        ("op gear", False),
        ("top gear us", False),
        ("%", False),
    ],
)
def test_a_search_goes_by_the_beginnings_of_words(
    upstream: Upstream, session: requests.Session, query: str, found: bool
) -> None:
    answer = _search(upstream, session, query=query)

    assert (TOP_GEAR in [row["id"] for row in answer.json().get("results", [])]) == found


def test_a_search_finds_the_original_name_and_prefers_the_very_name(session: requests.Session) -> None:
    shows = {
        1: {"id": 1, "name": "Island Again"},
        2: {"id": 2, "name": "Island"},
        3: {"id": 3, "name": "X", "original_name": "Island"},
    }

    with Upstream(shows) as upstream:
        page = _search(upstream, session, query="island").json()

    assert [row["id"] for row in page["results"]] == [2, 3, 1]


def test_a_search_is_held_to_a_year(upstream: Upstream, session: requests.Session) -> None:
    right, wrong = (
        _search(upstream, session, query="Beverly Hills", first_air_date_year=year).json() for year in (2010, 2011)
    )

    assert (right["total_results"], wrong["total_results"], wrong["total_pages"]) == (1, 0, 1)


def test_a_search_comes_twenty_to_a_page(session: requests.Session) -> None:
    with Upstream({number: {"id": number, "name": f"Island {number}"} for number in range(1, 46)}) as upstream:
        page = _search(upstream, session, query="island", page=3).json()

    assert (page["total_pages"], page["total_results"]) == (3, 45)
    assert [row["id"] for row in page["results"]] == list(range(41, 46))


@pytest.mark.parametrize(
    ("params", "status", "said"),
    [
        ({}, 422, {"errors": ["query must be provided"]}),
        ({"query": " "}, 422, {"errors": ["query must be provided"]}),
    ],
)
def test_a_search_for_nothing_is_refused(
    upstream: Upstream, session: requests.Session, params: dict[str, str], status: int, said: dict[str, object]
) -> None:
    answer = _search(upstream, session, **params)

    assert (answer.status_code, answer.json()) == (status, said)


@pytest.mark.parametrize("page", ["0", "501", "x"])
def test_a_search_refuses_a_wrong_page(upstream: Upstream, session: requests.Session, page: str) -> None:
    answer = _search(upstream, session, query="island", page=page)

    assert (answer.status_code, answer.json()["status_code"]) == (400, 22)


# /tv/changes and /configuration


def test_changes_come_a_hundred_to_a_page(upstream: Upstream, session: requests.Session) -> None:
    upstream.changed = list(range(1, 151))

    page = session.get(f"{upstream.api_url}/tv/changes", params={"page": 2}).json()

    assert (page["page"], page["total_pages"], page["total_results"]) == (2, 2, 150)
    assert [row["id"] for row in page["results"]] == list(range(101, 151))


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"start_date": "2026-01-01", "end_date": "2026-01-16"}, 422, 20),
        ({"start_date": "2026-01-01"}, 422, 20),
        ({"start_date": "yesterday"}, 400, 23),
        ({"page": "0"}, 400, 22),
        ({"page": "501"}, 400, 22),
        ({"start_date": "2026-01-01", "end_date": "2026-01-15"}, 200, None),
    ],
)
def test_changes_refuses_a_long_range_and_a_wrong_page(
    upstream: Upstream, session: requests.Session, params: dict[str, str], status: int, code: int | None
) -> None:
    answer = session.get(f"{upstream.api_url}/tv/changes", params=params)

    assert (answer.status_code, answer.json().get("status_code")) == (status, code)


def test_configuration_tells_where_the_images_are(upstream: Upstream, session: requests.Session) -> None:
    images = session.get(f"{upstream.api_url}/configuration").json()["images"]

    assert images["secure_base_url"] == f"{upstream.image_url}/"


# The key


@pytest.mark.parametrize(
    ("params", "headers"),
    [
        ({}, {}),
        ({"api_key": "wrong"}, {}),
        ({}, {"Authorization": "Bearer wrong"}),
        ({}, {"Authorization": "demo-bearer-token"}),
    ],
)
def test_without_the_right_key_it_answers_401(
    upstream: Upstream, params: dict[str, str], headers: dict[str, str]
) -> None:
    answer = requests.get(f"{upstream.api_url}/tv/45", params=params, headers=headers, timeout=5)

    assert answer.status_code == 401
    assert answer.json() == {
        "status_code": 7,
        "status_message": "Invalid API key: You must be granted a valid key.",
        "success": False,
    }


def test_the_key_may_travel_as_a_parameter(upstream: Upstream) -> None:
    answer = requests.get(f"{upstream.api_url}/tv/45", params={"api_key": "demo-key"}, timeout=5)

    assert answer.status_code == 200


# Images


def test_every_logo_is_a_real_png_and_needs_no_key(upstream: Upstream) -> None:
    paths = {path for path, _ in named_logos(upstream.shows)}

    with requests.Session() as session:
        for path in paths:
            answer = session.get(f"{upstream.image_url}/w500{path}", timeout=5)
            assert answer.headers["content-type"] == "image/png"
            with Image.open(io.BytesIO(answer.content)) as image:
                assert image.format == "PNG"


@pytest.mark.parametrize("size", ["w92", "w154", "w342", "original"])
def test_every_show_has_a_poster_of_its_own_at_any_size(
    upstream: Upstream, session: requests.Session, size: str
) -> None:
    paths = [show["poster_path"] for show in upstream.shows.values()]
    found = _find(upstream, session, "tt1720601")["tv_results"]
    assert found[0]["poster_path"] == upstream.shows[BEVERLY_HILLS]["poster_path"]

    posters = [session.get(f"{upstream.image_url}/{size}{path}") for path in paths]

    assert {answer.headers["content-type"] for answer in posters} == {"image/png"}
    assert len({answer.content for answer in posters}) == len(paths)
    with Image.open(io.BytesIO(posters[0].content)) as image:
        assert image.width * 3 == image.height * 2


def test_an_unknown_image_or_size_is_404(upstream: Upstream, session: requests.Session) -> None:
    assert session.get(f"{upstream.image_url}/w500/nothing.png").status_code == 404
    assert session.get(f"{upstream.image_url}/huge/demo-network-74.png").status_code == 404


def test_an_image_of_a_test_is_served_as_what_its_bytes_are(upstream: Upstream, session: requests.Session) -> None:
    upstream.images["/evil.png"] = b"<svg xmlns='http://www.w3.org/2000/svg'/>"

    answer = session.get(f"{upstream.image_url}/original/evil.png")

    assert answer.headers["content-type"] == "image/svg+xml"


def test_an_image_that_is_known_is_not_sent_again(upstream: Upstream, session: requests.Session) -> None:
    url = f"{upstream.image_url}/w500/demo-network-74.png"
    etag = session.get(url).headers["etag"]

    answer = session.get(url, headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_an_svg_logo_is_rendered_when_it_is_asked_for_as_png(session: requests.Session) -> None:
    shows = demo_shows()
    shows[TOP_GEAR]["networks"][0]["logo_path"] = "/drawn.svg"

    with Upstream(shows) as upstream:
        answer = session.get(f"{upstream.image_url}/w500/drawn.png")

    assert answer.headers["content-type"] == "image/png"
