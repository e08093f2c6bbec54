"""Whether a tab, read twice, is still the one that was compared."""

from typing import Any

import pytest

from exports.found import Found

pytestmark = pytest.mark.once

ROWS = [("A", 1), ("B", "")]


@pytest.mark.parametrize(
    ("typed", "is_same"),
    [
        ([["A", 1], ["B"]], True),
        ([["A", 1], ["B"], [], ["", ""]], True),
        ([["A", 1, "a note"], ["B", "", "another"], ["", "", "a note below"]], True),
        ([["A", "=0+1"], ["B"]], True),
        ([["A", 1], ["B"], ["", '=IF(A1="","x","")']], True),  # it shows nothing, so the values end above it
        ([["A", 1], ["'B"]], True),
        ([["A", 2], ["B"]], False),
        ([["A", "1"], ["B"]], False),
        ([["A", 1]], False),
        ([["A", 1], ["B"], ["C"]], False),
        ([["A", 1], [], ["B"]], False),
        ([["B"], ["A", 1]], False),
    ],
)
def test_our_cells_are_the_same_whatever_was_typed_to_give_them(typed: list[list[Any]], is_same: bool) -> None:
    whole = [["Show", "Seasons"], *typed]
    assert Found(2, rows=ROWS, typed=whole).is_as(whole) is is_same


@pytest.mark.parametrize(
    ("below", "is_same"),
    [([], True), (["", "", "a note"], False), (["", "", "=A4&1"], True), (["", "", '=HYPERLINK("x")'], False)],
)
def test_what_stands_below_our_rows_is_the_same_as_long_as_no_row_gets_a_note(below: list[Any], is_same: bool) -> None:
    before = [["Show", "Seasons"], ["A", 1], ["B"]]

    assert Found(2, rows=ROWS, typed=before).is_as([*before, below]) is is_same
