import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.changes import VOLATILE_FIELDS
from catalog.file_formats import read_sheet
from catalog.locks import EDITABLE
from catalog.models import Network, ProductionCompany, Show, ShowNetwork, ShowProductionCompany
from catalog.sheet import FileProblem, Unreadable
from catalog.show_resource import (
    COLUMNS,
    KEYS,
    READ_ONLY,
    WRITABLE,
    ShowResource,
    cell_of,
    exported,
    in_file_order,
    joined,
    split,
    value_of,
)
from catalog.values import normal

ITEM = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(st.sampled_from("\\; ab\n"), max_size=8)


# --- cells


@settings(deadline=None)
@given(st.lists(ITEM))
def test_any_list_comes_back_from_its_cell(items: list[str]) -> None:
    assert normal("tags", split(joined(items))) == normal("tags", items)


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], ""),
        (["Reality", "Drama"], "Reality; Drama"),
        (["a;b", "c\\"], "a\\;b; c\\\\"),
    ],
)
def test_a_list_is_one_cell(items: list[str], text: str) -> None:
    assert joined(items) == text
    assert value_of("tags", text) == items


@pytest.mark.parametrize(("typed", "items"), [("a;b;;", ["a", "b"]), ("C:\\new", ["C:\\new"]), ("a\\", ["a\\"])])
def test_a_list_is_read_as_people_type_it(typed: str, items: list[str]) -> None:
    assert value_of("tags", typed) == items


@pytest.mark.parametrize(
    ("name", "value", "cell"),
    [
        ("name", "Below Deck", "Below Deck"),
        ("description", None, ""),
        ("tmdb_id", 55555, "55555"),
        ("tvdb_id", 7, "7"),
        ("show_total_seasons", 12, 12),
        ("tmdb_popularity", 7.25, 7.25),
        ("premiere_date", date(2013, 7, 1), "2013-07-01"),
        ("needs_tmdb_resolution", True, "yes"),
        ("needs_imdb_resolution", False, "no"),
    ],
)
def test_a_value_is_written_and_read_back(name: str, value: Any, cell: Any) -> None:
    assert cell_of(name, value) == cell
    assert type(cell_of(name, value)) is type(cell)
    assert value_of(name, cell) == value
    assert value_of(name, str(cell)) == value  # as a CSV gives it


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("tmdb_id", 55555.0, 55555),
        ("tmdb_id", "55555.0", 55555),
        ("tmdb_id", " 55555 ", 55555),
        ("imdb_id", " tt2342499", "tt2342499"),
        ("imdb_id", "https://www.imdb.com/title/tt0239195/?ref_=fn_al", "tt0239195"),
        ("imdb_id", "m.imdb.com/de/title/tt0239195", "tt0239195"),
        ("tmdb_id", "https://www.themoviedb.org/tv/14658-survivor", 14658),
        ("wikidata_id", "Q239195", "Q239195"),
        ("instagram_id", "a_b.c-1", "a_b.c-1"),
        ("override", 3, "3"),
        ("override", 3.0, "3"),
        ("override", "3.0", "3"),
        ("override", "skip", "SKIP"),
        ("override", None, ""),
        ("twitter_id", 12345.0, "12345"),
        ("name", 1000.0, "1000"),
        ("name", date(2020, 1, 2), "2020-01-02"),
        ("premiere_date", date(2020, 1, 2), date(2020, 1, 2)),
        ("premiere_date", "2020-01-02 00:00:00", date(2020, 1, 2)),
        ("needs_tmdb_resolution", True, True),
        ("needs_tmdb_resolution", "FALSE", False),
        ("needs_tmdb_resolution", 1, True),
        ("needs_tmdb_resolution", None, False),
        ("show_total_seasons", None, None),
        ("show_total_seasons", "  ", None),
        ("tmdb_popularity", "1e2", 100.0),
        ("description", "a\r\nb", "a\nb"),
        ("tags", None, []),
    ],
)
def test_what_spreadsheets_make_of_values_is_read_right(name: str, cell: Any, value: Any) -> None:
    assert value_of(name, cell) == value
    assert type(value_of(name, cell)) is type(value)


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        ("name", "", "A show needs a name."),
        ("name", "a" * 501, "501 characters; 500 are allowed"),
        ("name", "a\x00b", "can't be stored"),
        ("tags", "a; b\x00", "can't be stored"),
        ("description", "a" * 32_768, "32,768 characters"),
        ("tmdb_id", "0", "a number from 1"),
        ("tmdb_id", "-5", "a number from 1"),
        ("tmdb_id", "x1", "a number from 1"),
        ("tmdb_id", 5.5, "a number from 1"),
        ("tmdb_id", True, "a number from 1"),
        ("tmdb_id", "1.2E+05", "a number from 1"),
        ("tmdb_id", "9" * 19, "a number from 1"),
        ("tmdb_id", "9" * 30, "a number from 1"),
        ("tmdb_id", "9" * 5000, "a number from 1"),
        ("tvdb_id", 5.5, "Write a whole number"),
        ("tvdb_id", True, "Write a whole number"),
        ("imdb_rating_value", 11, "At most 10"),
        ("imdb_rating_value", "-1", "At least 0"),
        ("imdb_rating_count", -1, "At least 0"),
        ("show_total_episodes", 100_001, "At most 100,000"),
        ("wikidata_id", "239195", "Q and digits"),
        ("twitter_id", "https://x.com/cbs", "the account alone"),
        ("facebook_id", "a b", "the account alone"),
        ("instagram_id", "a" * 101, "the account alone"),
        ("show_total_seasons", "3000000000", "At most|less than or equal"),
        ("imdb_id", "1234567", "An IMDb title id is"),
        ("imdb_id", "tt" + "1" * 30, "32 characters; 22 are allowed"),
        ("override", "maybe", "Empty, SKIP, Y"),
        ("override", 3.5, "Empty, SKIP, Y"),
        ("premiere_date", "31.05.2000", "Write a date like 2026-01-31"),
        ("premiere_date", "2021-02-30", "Write a date like 2026-01-31"),
        ("premiere_date", 36677, "Write a date like 2026-01-31"),
        ("premiere_date", datetime(2020, 1, 2, 12), "Write a date like 2026-01-31"),
        ("tmdb_popularity", "7,5", "Write a number with a point"),
        ("tmdb_popularity", "nan", "Write a number with a point"),
        ("tmdb_popularity", "1e999", "finite"),
        ("needs_tmdb_resolution", "maybe", "Write yes or no"),
        ("name", Unreadable("=1+1", "A formula."), "A formula."),
    ],
)
def test_what_a_field_can_not_hold_is_refused_with_its_reason(name: str, cell: Any, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        value_of(name, cell)


def test_every_editable_field_is_a_column_once() -> None:
    assert {*WRITABLE, *VOLATILE_FIELDS} == EDITABLE
    assert set(READ_ONLY) >= VOLATILE_FIELDS
    assert len(COLUMNS) == len(set(COLUMNS)) == len(KEYS) + len(WRITABLE) + len(READ_ONLY)
    assert set(ShowResource().fields) == set(COLUMNS)


# --- columns


def test_chosen_columns_stand_in_the_order_of_the_file_after_the_id() -> None:
    assert in_file_order(["tags", "name"]) == ["id", "version", "name", "tags"]
    assert in_file_order([]) == list(COLUMNS)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(ValidationError, match="There is no column tmdb_meta"):
        in_file_order(["name", "tmdb_meta"])


# --- files


def table(data: bytes) -> list[dict[str, Any]]:
    sheet = read_sheet(data)
    return [dict(zip(sheet.header, row.cells, strict=True)) for row in sheet.rows]


@pytest.mark.parametrize("format_name", ["csv", "xlsx"])
def test_a_show_is_a_row_with_its_networks_and_locks(
    show: Show, make_network: Callable[..., Network], format_name: str
) -> None:
    for position, network in enumerate([make_network(74, "Bravo"), make_network(3, "a; b")]):
        ShowNetwork.objects.create(show=show, network=network, position=position)
    company = ProductionCompany.objects.create(id=5, name="51 Minds")
    ShowProductionCompany.objects.create(show=show, company=company, position=0)
    Show.objects.update(locked_fields=["name", "tags"], updated_at=datetime(2026, 1, 2, 3, tzinfo=UTC))

    [row] = table(exported(Show.objects.all(), COLUMNS, format_name))

    assert list(row) == list(COLUMNS)
    assert (row["id"], row["name"], row["tmdb_id"], row["genres"]) == (str(show.pk), "Below Deck", "55555", "Reality")
    assert (row["networks"], row["production_companies"]) == ("Bravo (74); a\\; b (3)", "51 Minds (5)")
    assert (row["locked_fields"], row["updated_at"]) == ("name; tags", "2026-01-02T03:00:00+00:00")
    assert row["override"] in ("", None)


@pytest.mark.parametrize("format_name", ["csv", "xlsx"])
def test_a_formula_in_a_name_is_neutralised(show: Show, format_name: str) -> None:
    Show.objects.update(name="=HYPERLINK(1)")

    data = exported(Show.objects.all(), ["id", "name"], format_name)

    if format_name == "csv":
        assert b'"\'=HYPERLINK(1)"' in data
    assert table(data) == [{"id": str(show.pk), "name": "=HYPERLINK(1)"}]


def test_no_show_is_a_file_of_headings(db: None) -> None:
    for format_name in ("csv", "xlsx"):
        assert read_sheet(exported(Show.objects.all(), ["id", "name"], format_name)).header == ["id", "name"]


def test_what_xlsx_can_not_hold_is_refused(show: Show) -> None:
    Show.objects.update(description="a" * 40_000)

    with pytest.raises(FileProblem, match="Choose CSV"):
        exported(Show.objects.all(), COLUMNS, "xlsx")


@pytest.mark.parametrize("count", [1, 30])
def test_an_export_costs_three_queries_whatever_the_number_of_shows(
    make_network: Callable[..., Network], django_assert_num_queries: Any, count: int
) -> None:
    network = make_network(74)
    shows = Show.objects.bulk_create([Show(name=f"Show {number}") for number in range(count)])
    ShowNetwork.objects.bulk_create([ShowNetwork(show=show, network=network, position=0) for show in shows])

    with django_assert_num_queries(3):
        exported(Show.objects.order_by("pk"), COLUMNS, "csv")
    with django_assert_num_queries(1):
        exported(Show.objects.order_by("pk"), ["id", "name", "locked_fields"], "csv")


def test_raw_replies_are_not_read(show: Show, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3) as queries:
        exported(Show.objects.all(), COLUMNS, "csv")

    assert not any("tmdb_meta" in query["sql"] for query in queries)


def test_the_ids_of_a_file_are_whole_uuids(show: Show) -> None:
    [row] = table(exported(Show.objects.all(), ["id"], "xlsx"))

    assert uuid.UUID(row["id"]) == show.pk
