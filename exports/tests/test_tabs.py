"""ShowInfo, byte for byte; and what a filter and chosen columns make of a tab."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Network, SavedView, Show, ShowNetwork
from exports.tabs import TABS, ShowInfo, comma_warnings, exported_shows, table_of

from .conftest import a_show

pytestmark = pytest.mark.django_db

SHOW_INFO = TABS["ShowInfo"]


def rows() -> list[tuple[Any, ...]]:
    return table_of(SHOW_INFO).rows


def test_the_header_is_that_of_the_old_workbook() -> None:
    assert "\t".join(ShowInfo.header) == (
        "Show\tNetwork\tShowTotalSeasons\tShowTotalEpisodes\tIMDbSeriesID\tTMDbSeriesID\tMost Recent Episode\tOVERRIDE"
    )


def test_counts_are_numbers_and_ids_and_dates_are_texts() -> None:
    a_show(14658, "Survivor", imdb_id="tt0239195", show_total_seasons=47, override="6")

    row = rows()[0]

    assert row == ("Survivor", "Bravo", 47, 30, "tt0239195", "14658", "2024-01-02", "6")
    assert [type(cell) for cell in row] == [str, str, int, int, str, str, str, str]


def test_what_is_not_known_is_blank() -> None:
    Show.objects.create(name="Nothing is known", show_total_seasons=0)

    assert rows() == [("Nothing is known", "", "", "", "", "", "", "")]


@pytest.mark.parametrize("override", ["", "Y", "6"])
def test_a_show_with_any_other_override_than_skip_is_told(override: str) -> None:
    a_show(1, override=override)
    a_show(2, override="SKIP")

    assert [(row[0], row[7]) for row in rows()] == [("Show 1", override)]


def test_a_show_in_the_trash_or_merged_away_is_in_no_tab(django_user_model: type[User]) -> None:
    a_show(1)
    a_show(2, deleted_at="2026-01-01T00:00Z")

    assert [row[0] for row in rows()] == ["Show 1"]


def test_the_network_is_the_first_one() -> None:
    show = a_show(1)
    hbo, mtv = (Network.objects.create(id=number, name=name) for number, name in ((49, "HBO"), (33, "MTV")))
    ShowNetwork.objects.create(show=show, network=mtv, position=2)
    ShowNetwork.objects.create(show=show, network=hbo, position=1)

    assert rows()[0][1] == "Bravo"


def test_an_editors_value_wins(django_user_model: type[User]) -> None:
    show = a_show(1, "What TMDb says", tmdb_name="What TMDb says")
    anna = django_user_model.objects.create_user("anna")
    edit_show(show.pk, {"name": "What anna says", "show_total_seasons": 9}, Author(user=anna))

    assert rows()[0][:3] == ("What anna says", "Bravo", 9)


def test_shows_stand_in_the_order_in_which_they_came() -> None:
    for number in (3, 1, 2):
        a_show(number)

    assert [row[0] for row in rows()] == ["Show 3", "Show 1", "Show 2"]


def test_a_tab_costs_one_query(django_assert_num_queries: Any) -> None:
    for number in range(1, 6):
        a_show(number)

    with django_assert_num_queries(1):
        assert len(rows()) == 5


def test_a_saved_view_makes_a_tab_of_its_own(django_user_model: type[User]) -> None:
    a_show(1, tmdb_status="Ended")
    a_show(2, tmdb_status="Ended", override="SKIP")
    a_show(3, tmdb_status="Returning Series")
    owner = django_user_model.objects.create_user("anna")
    SavedView.objects.create(slug="ended", name="Ended", owner=owner, params={"status": "Ended", "o": "name"})

    table = table_of(SHOW_INFO, view="ended")

    assert (table.title, [row[0] for row in table.rows]) == ("ShowInfo ended", ["Show 1"])
    with pytest.raises(ValidationError, match="no saved view “nosuch”"):
        exported_shows("nosuch")


def test_chosen_columns_stand_in_the_tabs_order_and_make_a_tab_of_their_own() -> None:
    a_show(1)

    table = table_of(SHOW_INFO, columns=["override", "TMDbSeriesID", " Show "])

    assert (table.title, table.header) == ("ShowInfo (columns)", ("Show", "TMDbSeriesID", "OVERRIDE"))
    assert table.rows == [("Show 1", "1", "")]
    assert table.keys == (("TMDbSeriesID",), ("Show",))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["Show", "Rating"], "ShowInfo has no column rating; it has Show, Network, .*OVERRIDE"),
        (["Network", "OVERRIDE"], "Choose TMDbSeriesID or IMDbSeriesID or Show as well: by that a row of ShowInfo"),
    ],
)
def test_columns_that_there_are_not_or_that_name_no_row_are_told(columns: list[str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        table_of(SHOW_INFO, columns=columns)


def test_a_name_with_a_comma_is_told_as_readers_will_split_it() -> None:
    a_show(1, "Love, Lust or Run")
    a_show(2, "Survivor")

    (warning,) = comma_warnings(SHOW_INFO, table_of(SHOW_INFO))

    assert warning == "1 name in Show with a comma, at which readers of lists split: “Love, Lust or Run”"
