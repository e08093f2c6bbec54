from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.changes import Author
from catalog.models import Show
from catalog.suspects import NAMESAKES, ids_of, pair_key, same_years, suspected_duplicates
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db


def make(name: str, **columns: Any) -> Show:
    return Show.objects.create(name=name, **columns)


def found() -> dict[str, tuple[str, ...]]:
    return {pair.key: pair.reasons for pair in suspected_duplicates()}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (2013, 2013, "the same name and year (2013)"),
        (2013, 2014, "the same name, a year apart (2013, 2014)"),
        (2014, 2013, "the same name, a year apart (2014, 2013)"),
        (2013, None, "the same name; the year of only one is known (2013)"),
        (None, 2013, "the same name; the year of only one is known (2013)"),
        (None, None, "the same name; no year is known"),
        (2013, 2015, ""),
    ],
)
def test_shows_of_one_name_are_suspected_unless_their_years_are_apart(
    first: int | None, second: int | None, reason: str
) -> None:
    one = make("Below Deck", premiere_date=date(first, 7, 1) if first else None)
    two = make("  BELOW  Déck ", tmdb_first_air_date=date(second, 1, 1) if second else None)

    assert found() == ({pair_key(one.pk, two.pk): (reason,)} if reason else {})


def test_other_names_are_not_suspected() -> None:
    make("Below Deck")
    make("Below Deck Sailing Yacht")

    assert found() == {}


@pytest.mark.parametrize(
    ("ids", "said", "reason"),
    [
        ({"tmdb_id": 7}, {"tmdb_id": 7}, "TMDb id 7 of the one is what upstream says of the other"),
        ({"imdb_id": "tt0000007"}, {"imdb_id": "tt0000007"}, "IMDb id tt0000007 of the one is what upstream says"),
    ],
)
def test_an_id_that_was_kept_aside_and_is_another_shows_is_suspected(
    ids: dict[str, Any], said: dict[str, Any], reason: str
) -> None:
    one = make("A", **ids)
    two = make("B", upstream_values={**said, "name": "B!"})
    make("C", upstream_values={"name": "A", "tmdb_id": 9, "imdb_id": None})

    ((key, (told,)),) = found().items()

    assert key == pair_key(one.pk, two.pk)
    assert told.startswith(reason)


def test_a_pair_is_told_once_with_all_its_reasons() -> None:
    make("A", tmdb_id=7, imdb_id="tt0000007")
    make("A", tmdb_id=8, upstream_values={"tmdb_id": 7, "imdb_id": "tt0000007"})

    (reasons,) = found().values()

    assert [reason.split()[0] for reason in reasons] == ["TMDb", "IMDb", "the"]


def test_nothing_but_ids_is_compared_with_ids() -> None:
    """Whatever an older version has put there."""
    one = make("A", tmdb_id=7)
    make("B", upstream_values={"tmdb_id": [7], "imdb_id": {"a": 1}})
    make("C", upstream_values={"tmdb_id": 7.5, "imdb_id": 7})
    Show.objects.filter(pk=one.pk).update(upstream_values={"tmdb_id": 7})

    assert found() == {}


def test_shows_in_the_trash_are_not_suspected(author: Author) -> None:
    one, two = make("A", tmdb_id=7), make("A", upstream_values={"tmdb_id": 7})
    assert len(found()) == 1

    delete_show(one.pk, author)
    assert found() == {}
    Show.all_objects.filter(pk=one.pk).update(merged_into=two)
    assert found() == {}


def test_a_name_of_many_shows_pairs_each_with_the_oldest() -> None:
    oldest, *others = [make("Untitled") for _ in range(NAMESAKES + 1)]

    assert set(found()) == {pair_key(oldest.pk, other.pk) for other in others}


@pytest.mark.parametrize("number", [2, 30])
def test_the_number_of_queries_is_the_same_for_any_number_of_shows(number: int, django_assert_num_queries: Any) -> None:
    for position in range(number):
        make(f"A{position % 5}", tmdb_id=position + 1, upstream_values={"tmdb_id": position + 2})

    with django_assert_num_queries(3):
        assert found()


@given(one=st.uuids(), other=st.uuids())
def test_the_key_of_a_pair_is_the_same_from_both_sides(one: Any, other: Any) -> None:
    assert pair_key(one, other) == pair_key(other, one)
    assert set(ids_of(pair_key(one, other))) == {one, other}


@pytest.mark.parametrize("key", ["", ":", "a:b", "00000000-0000-0000-0000-000000000000"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        ids_of(key)


@given(one=st.none() | st.integers(1900, 2100), other=st.none() | st.integers(1900, 2100))
def test_years_speak_the_same_from_both_sides(one: int | None, other: int | None) -> None:
    assert bool(same_years(one, other)) == bool(same_years(other, one))
    assert bool(same_years(one, other)) == (one is None or other is None or abs(one - other) <= 1)
