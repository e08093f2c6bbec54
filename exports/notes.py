"""What readers wrote beside the rows of a tab: kept in sight when a row goes, looked for after a publication. Pure."""

from collections.abc import Sequence
from typing import Any

from exports.difference import Difference
from exports.found import Found, are_as_typed
from exports.layout import is_note
from exports.tables import HEADER, text


def with_beside(difference: Difference, found: Found) -> Difference:
    """With the notes beside the rows that go: nobody could tell afterwards whose they were."""
    for one in difference.removed:
        one["beside"] = [text(cell) for cell in notes_at(found.typed, one["row"] - 1, found.width)]
    return difference


def odd_after(found: Found, difference: Difference, typed: Sequence[Sequence[Any]], width: int) -> list[str]:
    """Cells that are not as they were sent, and notes that do not stand beside their shows, in words.

    found: the tab as it was before, typed: all its cells as they are now, of which the first `width` are ours.
    """
    odd = []
    rows = typed[HEADER : HEADER + len(difference.order)]
    if not are_as_typed(difference.order, rows, len(difference.order[0])):
        odd.append("somebody has edited it since, or Google made something else of a cell: export again to see which")
    were = [[] if place is None else notes_at(found.typed, HEADER + place, found.width) for place in difference.pairs]
    now = [notes_at(typed, HEADER + place, width) for place in range(len(rows))]
    if any(note and note != was and note in were for note, was in zip(now, were, strict=False)):
        odd.append(
            "somebody has moved or sorted rows in the moment of publishing, so notes may stand beside other shows: in "
            "the workbook, File > Version history has them as they were"
        )
    return odd


def notes_at(cells: Sequence[Sequence[Any]], place: int, width: int) -> list[Any]:
    """Of one row, 0 being the header's."""
    row = cells[place] if place < len(cells) else ()
    return [cell for cell in row[width:] if is_note(cell, place + 1)]
