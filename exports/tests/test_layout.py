"""What readers wrote beside a row stays beside it: the moves, carried out on plain lists."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.layout import Layout, free_rows, layout_of, stretches

pytestmark = pytest.mark.once


def carried_out(layout: Layout, grid: list[Any]) -> list[Any]:
    """As Google does it: rows are put in, added, and moved, each index as it is at that moment before the move."""
    rows = [*grid, *["free"] * layout.append]
    rows[layout.insert_at : layout.insert_at] = ["free"] * layout.insert
    for first, behind, target in layout.moves:
        moved = rows[first:behind]
        rest = rows[:first] + rows[behind:]
        place = target - len(moved) if target > first else target
        rows = rest[:place] + moved + rest[place:]
    return rows


def test_a_row_that_leaves_goes_below_the_last_and_new_ones_come_between() -> None:
    theirs: list[Any] = [("a",), ("b",), ("c",)]
    beside = [[], ["note of a"], ["note of b"], ["note of c"]]

    layout = layout_of(theirs, [0, 2, None], beside, rows=10)

    assert carried_out(layout, ["header", "a", "b", "c", *["free"] * 6])[:5] == ["header", "a", "c", "free", "b"]
    assert (layout.insert, layout.append) == (0, 0)


def test_rows_are_put_in_where_a_note_stands_below() -> None:
    layout = layout_of([("a",)], [0, None, None], [[], [], [], ["a note"]], rows=10)

    assert (layout.insert_at, layout.insert, layout.append) == (3, 1, 0)


def test_a_formula_below_is_no_note_and_a_short_grid_grows() -> None:
    layout = layout_of([("a",)], [0, None, None], [[], [], ["=A3&1"]], rows=3)

    assert (layout.insert, layout.append, layout.moves) == (0, 1, [])


def test_nothing_moves_when_nothing_leaves() -> None:
    assert layout_of([("a",), ("b",)], [0, 1], [], rows=3) == Layout()


@pytest.mark.parametrize(
    ("places", "found"), [([], []), ([3], [(3, 4)]), ([0, 1, 2, 5, 7, 8], [(0, 3), (5, 6), (7, 9)])]
)
def test_places_that_follow_one_another_are_one_stretch(places: list[int], found: list[tuple[int, int]]) -> None:
    assert stretches(places) == found


def test_free_rows_end_where_the_grid_does() -> None:
    assert free_rows([[], [], ["note"]], 1, rows=10) == 1
    assert free_rows([], 4, rows=3) == 0


@given(
    kept=st.lists(st.booleans(), max_size=15),
    added=st.integers(0, 8),
    notes_below=st.lists(st.booleans(), max_size=6),
    spare=st.integers(0, 4),
)
def test_each_row_keeps_what_stands_beside_it_whatever_comes_and_goes(
    kept: list[bool], added: int, notes_below: list[bool], spare: int
) -> None:
    """`grid` is what readers wrote beside each row of the sheet; afterwards it must stand beside the same shows."""
    own = [f"beside {number}" for number in range(len(kept))]
    below = [f"below {number}" if note else "free" for number, note in enumerate(notes_below)]
    grid = ["header", *own, *below, *["free"] * spare]
    beside = [[] if text == "free" else [text] for text in grid]
    pairs: list[int | None] = [number for number, stays in enumerate(kept) if stays]

    layout = layout_of([("x",)] * len(kept), [*pairs, *[None] * added], beside, rows=len(grid))
    rows = carried_out(layout, grid)

    staying = [own[number] for number in pairs if number is not None]
    assert rows[: 1 + len(staying)] == ["header", *staying]
    new = rows[1 + len(staying) : 1 + len(staying) + added]
    assert new == ["free"] * added, "no new show gets a note"
    assert sorted(text for text in rows if text != "free") == sorted(text for text in grid if text != "free")
    leaving = [text for text, stays in zip(own, kept, strict=True) if not stays]
    assert [text for text in rows if text in leaving] == leaving, "those that left keep their order"
