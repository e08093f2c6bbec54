from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.changes import plain
from ingestion.merge import FILLED_ONLY, REQUIRED, merge, merge_set

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": st.none() | st.sampled_from(["Below Deck", "Below Deck Down Under"]),
    "description": st.none() | st.text(max_size=3),
    "premiere_date": st.none() | st.dates(),
    "tmdb_id": st.none() | st.integers(1, 3),
    "imdb_id": st.none() | st.sampled_from(["tt0000001", "tt0000002"]),
    "genres": st.lists(st.sampled_from(["Reality", "Drama"]), unique=True),
    "tmdb_vote_count": st.none() | st.integers(0, 3),
}
CURRENT = VALUES | {"name": st.just("Ours")}
spoken = st.fixed_dictionaries({}, optional=VALUES)
current_rows = st.fixed_dictionaries(CURRENT)
locks = st.sets(st.sampled_from(sorted(VALUES)))
besides = st.fixed_dictionaries({}, optional={name: values.map(plain) for name, values in VALUES.items()})
merges = {"upstream": spoken, "current": current_rows, "locked": locks, "beside": besides}


@given(**merges)
def test_a_locked_column_never_changes(upstream: Any, current: Any, locked: Any, beside: Any) -> None:
    assert not set(merge(upstream, current, locked, beside).values) & locked


@given(**merges)
def test_an_unlocked_column_equals_upstream_but_for_a_set_id_and_a_blank_name(
    upstream: Any, current: Any, locked: Any, beside: Any
) -> None:
    after = current | merge(upstream, current, locked, beside).values

    for name in set(upstream) - locked:
        is_set_id = name in FILLED_ONLY and current[name] is not None
        is_blank_name = name in REQUIRED and upstream[name] is None
        assert after[name] == (current if is_set_id or is_blank_name else upstream)[name]


@given(**merges)
def test_only_what_differs_is_written(upstream: Any, current: Any, locked: Any, beside: Any) -> None:
    values = merge(upstream, current, locked, beside).values

    assert set(values) <= set(upstream)
    assert all(current[name] != value for name, value in values.items())


@given(**merges)
def test_merging_twice_changes_nothing_more(upstream: Any, current: Any, locked: Any, beside: Any) -> None:
    once = merge(upstream, current, locked, beside)

    twice = merge(upstream, current | once.values, locked, once.beside)

    assert twice.values == {}
    assert twice.beside == once.beside


@given(**merges)
def test_beside_holds_what_upstream_says_of_locked_columns_and_contradicted_ids(
    upstream: Any, current: Any, locked: Any, beside: Any
) -> None:
    after = merge(upstream, current, locked, beside).beside

    unsaid = {name: value for name, value in beside.items() if name not in upstream}
    kept = {name: plain(said) for name, said in upstream.items() if name in locked}
    contradicted = {
        name: upstream[name]
        for name in FILLED_ONLY & set(upstream) - locked
        if upstream[name] is not None and current[name] is not None and upstream[name] != current[name]
    }
    assert after == unsaid | kept | contradicted


@given(**merges)
def test_what_is_given_is_left_as_it_was(upstream: Any, current: Any, locked: Any, beside: Any) -> None:
    before = repr((upstream, current, beside))

    merge(upstream, current, locked, beside)

    assert repr((upstream, current, beside)) == before


def test_a_date_beside_is_kept_as_json_holds_it() -> None:
    merged = merge({"premiere_date": date(2013, 7, 1)}, {"premiere_date": None}, ["premiere_date"], {})

    assert merged.values == {}
    assert merged.beside == {"premiere_date": "2013-07-01"}


def test_upstream_null_clears_an_unlocked_column() -> None:
    merged = merge({"tmdb_last_air_date": None}, {"tmdb_last_air_date": date(2025, 1, 1)}, [], {})

    assert merged.values == {"tmdb_last_air_date": None}


def test_upstream_null_of_a_locked_column_is_kept_beside() -> None:
    assert merge({"description": None}, {"description": "Ours"}, ["description"], {}).beside == {"description": None}


def test_an_unlocked_column_loses_what_was_kept_beside() -> None:
    assert merge({"description": "A"}, {"description": "A"}, [], {"description": "B"}).beside == {}


def test_an_empty_id_is_filled() -> None:
    assert merge({"imdb_id": "tt2342499"}, {"imdb_id": None}, [], {}).values == {"imdb_id": "tt2342499"}


def test_a_contradicted_id_stays_until_upstream_agrees() -> None:
    contradicted = merge({"imdb_id": "tt0000002"}, {"imdb_id": "tt0000001"}, [], {})
    agreed = merge({"imdb_id": "tt0000001"}, {"imdb_id": "tt0000001"}, [], contradicted.beside)

    assert (contradicted.values, contradicted.beside) == ({}, {"imdb_id": "tt0000002"})
    assert (agreed.values, agreed.beside) == ({}, {})


def test_upstream_null_never_takes_an_id_away() -> None:
    assert merge({"imdb_id": None}, {"imdb_id": "tt0000001"}, [], {}).values == {}


members = st.lists(st.integers(1, 8))
stored_members = st.lists(st.integers(1, 8), unique=True)


@given(upstream=members, current=stored_members, by_editor=st.sets(st.integers(1, 8)))
def test_a_set_is_upstreams_in_its_order_then_the_editors_own(upstream: Any, current: Any, by_editor: Any) -> None:
    after = merge_set(upstream, current, by_editor, locked=False)

    said = list(dict.fromkeys(upstream))
    assert after[: len(said)] == said
    assert after[len(said) :] == [member for member in current if member in by_editor and member not in said]
    assert len(after) == len(set(after))


@given(upstream=members, current=stored_members, by_editor=st.sets(st.integers(1, 8)))
def test_merging_a_set_twice_changes_nothing_more(upstream: Any, current: Any, by_editor: Any) -> None:
    once = merge_set(upstream, current, by_editor, locked=False)

    assert merge_set(upstream, once, by_editor, locked=False) == once


@given(upstream=members, current=stored_members, by_editor=st.sets(st.integers(1, 8)))
def test_a_locked_set_stays(upstream: Any, current: Any, by_editor: Any) -> None:
    assert merge_set(upstream, current, by_editor, locked=True) == current


@pytest.mark.parametrize(
    ("upstream", "current", "by_editor", "after"),
    [
        (["HBO"], ["Bravo"], [], ["HBO"]),
        (["HBO"], ["Bravo", "Peacock"], ["Peacock"], ["HBO", "Peacock"]),
        ([], ["Bravo"], [], []),
        ([], ["Bravo"], ["Bravo"], ["Bravo"]),
        (["Bravo", "Bravo"], [], [], ["Bravo"]),
        (["B", "A"], ["A", "B"], [], ["B", "A"]),
    ],
)
def test_examples_of_sets(upstream: Any, current: Any, by_editor: Any, after: Any) -> None:
    assert merge_set(upstream, current, by_editor, locked=False) == after
