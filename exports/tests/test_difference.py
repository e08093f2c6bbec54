"""Which row is which, and what has changed: whatever the rows hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.difference import compare, match
from exports.tables import Row, Table, is_blank, same, same_row

pytestmark = pytest.mark.once

KEYS = (("TMDb",), ("IMDb",), ("Show",))
HEADER = ("Show", "IMDb", "TMDb", "Seasons")


def table(*rows: tuple[Any, ...]) -> Table:
    return Table("ShowInfo", HEADER, list(rows), KEYS)


def test_rows_are_known_by_the_first_key_that_both_have() -> None:
    ours = table(("A", "tt1", "1", 1), ("B", "tt2", "", 1), ("C", "", "", 1))
    theirs = [("C", "", "", 1), ("renamed", "tt2", "", 1), ("also renamed", "tt9", "1", 1)]

    assert match(ours, theirs) == {0: 2, 1: 1, 2: 0}


def test_a_show_that_gets_its_id_later_is_the_same_row() -> None:
    assert match(table(("B", "tt2", "2", 1)), [("B", "tt2", "", 1)]) == {0: 0}
    assert match(table(("B", "tt2", "2", 1)), [("B", "", "", 1)]) == {0: 0}


def test_shows_of_one_name_and_other_ids_are_two() -> None:
    assert match(table(("Big Brother", "tt1", "1", 1)), [("Big Brother", "tt2", "2", 1)]) == {}


def test_of_a_row_that_is_twice_there_the_first_counts() -> None:
    assert match(table(("A", "tt1", "1", 1)), [("x", "", "", ""), ("A", "", "1", 1), ("A", "", "1", 1)]) == {0: 1}


def test_an_id_that_is_a_number_in_the_sheet_is_the_same_row_and_is_changed_to_a_text() -> None:
    difference = compare(table(("A", "tt1", "12", 1)), [("A", "tt1", 12, 1)], HEADER)

    assert [(one.label, one.cells) for one in difference.changed] == [("12 A", {"TMDb": [12, "12"]})]


@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [(5, 5.0, True), (5, "5", False), (1, True, False), ("", 0, False), ("a", "a", True), (0, False, False)],
)
def test_a_text_a_number_and_a_truth_are_never_the_same(a: Any, b: Any, is_same: bool) -> None:
    assert same(a, b) is is_same


def test_what_is_new_gone_and_changed_is_told_by_key() -> None:
    ours = table(("A", "tt1", "1", 2), ("D", "tt4", "4", 1))
    theirs: list[Row] = [("A", "tt1", "1", 1), ("", "", "", ""), ("B", "tt2", "2", 1)]

    difference = compare(ours, theirs, HEADER)

    assert difference.added == ["4 D"]
    assert difference.removed == [{"row": 4, "label": "2 B", "cells": ["B", "tt2", "2", 1]}]
    assert [(one.number, one.label, one.cells) for one in difference.changed] == [(2, "1 A", {"Seasons": [1, 2]})]
    assert difference.order == [("A", "tt1", "1", 2), ("D", "tt4", "4", 1)]
    assert difference.pairs == [0, None]


def test_another_header_alone_is_a_difference() -> None:
    row = ("A", "tt1", "1", 1)

    assert compare(table(row), [row], HEADER).is_empty
    assert not compare(table(row), [row], []).is_empty


def test_edits_by_hand_are_what_is_neither_published_nor_will_be() -> None:
    published = table(("A", "tt1", "1", 1), ("B", "tt2", "2", 1))
    ours = table(("A", "tt1", "1", 2), ("B", "tt2", "2", 1))
    theirs: list[Row] = [("A", "tt1", "1", 1), ("B!", "tt2", "2", 9), ("New", "", "", ""), ("", "", "", "")]

    by_hand = compare(ours, theirs, HEADER, published).by_hand

    assert by_hand == [
        {"row": 3, "label": "2 B!", "column": "Show", "published": "B", "found": "B!"},
        {"row": 3, "label": "2 B!", "column": "Seasons", "published": 1, "found": 9},
        {"row": 4, "label": "New", "column": "", "published": "", "found": "a row that was added"},
    ]


cells = st.one_of(st.just(""), st.sampled_from(["1", "2", "tt1", "A", "a", " 1 ", "=1"]), st.integers(0, 3))
lines = st.lists(st.tuples(cells, cells, cells, cells), max_size=12)


@given(ours=lines, theirs=lines, published=lines)
def test_whatever_the_rows_hold_each_is_there_once_and_nothing_is_lost(
    ours: list[Row], theirs: list[Row], published: list[Row]
) -> None:
    wanted = table(*ours)

    difference = compare(wanted, theirs, HEADER, table(*published))

    assert sorted(map(repr, difference.order)) == sorted(map(repr, ours))
    places = [place for place in difference.pairs if place is not None]
    assert places == sorted(set(places)), "what is there keeps its order"
    assert [place is None for place in difference.pairs] == sorted(place is None for place in difference.pairs)
    gone = [one["cells"] for one in difference.removed]
    assert gone == [list(row) for place, row in enumerate(theirs) if place not in places and not is_blank(row)]
    changed = {one.number - 2 for one in difference.changed}
    assert changed == {
        place
        for row, place in zip(difference.order, difference.pairs, strict=True)
        if place is not None and not same_row(row, theirs[place])
    }


named = st.lists(st.tuples(st.sampled_from(["A", "B", "a b"]), cells, cells, cells), max_size=12)


@given(rows=named)
def test_once_published_nothing_differs_any_more(rows: list[Row]) -> None:
    wanted = table(*rows)
    stands = compare(wanted, [], HEADER).order

    again = compare(wanted, stands, HEADER, wanted)

    assert again.is_empty
    assert not again.by_hand
