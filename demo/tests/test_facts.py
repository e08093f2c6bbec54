"""The facts hold together: ids well formed and unique, nothing named that is not known."""

import csv
import re
from pathlib import Path

import pytest

from demo.facts import GENRES, NETWORKS, PROVIDERS, SHOWS
from demo.logos import draw_logo

pytestmark = pytest.mark.once


def test_every_imdb_id_is_well_formed_and_unique() -> None:
    ids = [show.imdb_id for show in SHOWS if show.imdb_id]

    assert all(re.fullmatch(r"tt\d{7,8}", imdb_id) for imdb_id in ids)
    assert len(ids) == len(set(ids))


def test_there_are_at_least_sixteen_shows_with_ids_of_their_own() -> None:
    assert len({show.id for show in SHOWS}) == len(SHOWS) >= 16


def test_every_show_names_only_known_networks_genres_and_providers() -> None:
    for show in SHOWS:
        offered = {provider for offers in show.watch.values() for ids in offers.values() for provider in ids}
        assert set(show.networks) <= set(NETWORKS)
        assert set(show.genres) <= set(GENRES)
        assert offered <= set(PROVIDERS)


def test_no_provider_stands_twice_in_one_offer() -> None:
    for show in SHOWS:
        for offers in show.watch.values():
            assert all(len(ids) == len(set(ids)) for ids in offers.values())


def test_every_row_of_the_csv_is_about_a_show_of_the_facts() -> None:
    by_imdb, by_tmdb = {show.imdb_id: show for show in SHOWS}, {str(show.id): show for show in SHOWS}

    text = (Path(__file__).parent.parent / "shows.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))

    assert len(rows) >= 16
    for row in rows:
        found = [by_imdb[row["imdb_id"]]] if row["imdb_id"] else []
        found += [by_tmdb[row["tmdb_id"]]] if row["tmdb_id"] else []
        assert found
        wrong = {show.name for show in found} - {row["name"]}
        assert wrong == ({"Top Gear"} if row["imdb_id"] == "tt1628033" else set())


def test_a_logo_is_the_same_every_time_and_differs_by_seed() -> None:
    again = draw_logo.__wrapped__("Bravo", 74)

    assert draw_logo("Bravo", 74) == again != draw_logo("Bravo", 75)


def test_a_logo_can_be_drawn_of_any_text() -> None:
    for text in ("", "런닝맨", "Pongalo Amazon Channel  ", "x" * 500):
        assert draw_logo(text, 1).startswith(b"\x89PNG")
