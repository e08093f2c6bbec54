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
    assert Found(2, rows=ROWS, typed=[["Show", "Seasons"], *typed]).is_as_typed() is is_same
