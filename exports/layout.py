"""Where the rows of a tab go, so that what readers have written beside a row stays beside it. Pure.

Columns to the right of ours belong to the readers: notes, formulas. So a row of theirs is never deleted, and never
gets another show: rows of shows that left are moved below the last one, and new shows get rows without notes.
All positions count from 0, the header being 0.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from exports.tables import HEADER, Row, is_blank


@dataclass(slots=True)
class Layout:
    """What has to be done to the rows of the sheet before the values are put into them, in this order.

    insert_at, insert: rows to put in. append: rows to add at the end of the grid. moves: (first row, row behind the
    last, row before which they go), as `moveDimension` takes them.
    """

    insert_at: int = 0
    insert: int = 0
    append: int = 0
    moves: list[tuple[int, int, int]] = field(default_factory=list)


def layout_of(theirs: Sequence[Row], pairs: Sequence[int | None], beside: Sequence[Sequence[Any]], rows: int) -> Layout:
    """theirs: the rows below the header as they are now, up to the last that is not blank. pairs: as in Difference.

    beside: the cells to the right of ours in each row of the sheet, the header's first. rows: of the sheet's grid.
    """
    end = HEADER + len(theirs)
    added = sum(place is None for place in pairs)
    layout = Layout()
    free = free_rows(beside, end, rows)
    if added > free:
        if end + free < rows:  # a note stands there
            layout.insert_at, layout.insert = end + free, added - free
        else:
            layout.append = added - free
    kept = {place for place in pairs if place is not None}
    target = end + added
    for first, behind in reversed(stretches([place for place in range(len(theirs)) if place not in kept])):
        if HEADER + behind != target:
            layout.moves.append((HEADER + first, HEADER + behind, target))
        target -= behind - first
    return layout


def free_rows(beside: Sequence[Sequence[Any]], start: int, rows: int) -> int:
    """How many rows from `start` on hold no note."""
    for position in range(start, min(len(beside), rows)):
        if any(is_note(cell, position + 1) for cell in beside[position]):
            return position - start
    return max(0, rows - start)


def is_note(cell: Any, number: int) -> bool:
    """Whether a reader's cell says something of its own. A formula that asks the row it stands in (number) does not:
    it is there for whatever show comes."""
    if is_blank([cell]):
        return False
    is_formula = isinstance(cell, str) and cell.startswith("=")
    return not (is_formula and re.search(rf"(?<![A-Za-z0-9_])\$?[A-Za-z]{{1,3}}\$?{number}(?![0-9(])", cell))


def stretches(places: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers in a row as (first, one behind the last)."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found
