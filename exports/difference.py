"""What readers of a tab have, beside what they are to have: which row is which, what is new, gone, changed. Pure."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from exports.tables import HEADER, Cell, Row, Table, is_blank, is_known, row_of, same, same_row, text

MOST_KEPT: Final = 1_000  # rows of each kind that a ledger keeps; all are counted


@dataclass(frozen=True, slots=True)
class Changed:
    """A row whose cells change: {column: [before, after]}. number: of the row in the sheet as it is now."""

    number: int
    label: str
    cells: dict[str, list[Cell]]


@dataclass(slots=True)
class Difference:
    """How a tab changes by being published.

    order: the rows as they will stand: those that are there keep their order, new ones come last. pairs: for each of
    them the position of the row that it is among those of the sheet, None for a new one. by_hand: what somebody had
    edited in the sheet since it was last published, and what is undone by this.
    """

    order: list[Row] = field(default_factory=list)
    pairs: list[int | None] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)  # {row, label, cells, beside: what readers wrote}
    changed: list[Changed] = field(default_factory=list)
    by_hand: list[dict[str, Any]] = field(default_factory=list)  # {row, label, column, published, found}
    header: list[str] | None = None  # that of the sheet, where it is another

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed) and self.header is None

    def as_json(self) -> dict[str, Any]:
        changed = [{"row": one.number, "label": one.label, "cells": one.cells} for one in self.changed[:MOST_KEPT]]
        return {
            "added": self.added[:MOST_KEPT],
            "removed": self.removed[:MOST_KEPT],
            "changed": changed,
            "by_hand": self.by_hand[:MOST_KEPT],
            "header": self.header,
        }


def match(table: Table, theirs: Sequence[Row]) -> dict[int, int]:
    """Which row of the table is which of theirs, by position. Pure.

    Rows are the same when they agree in an id, the first one first. The last of several keys is a name, and counts
    where no id speaks against it: of two shows with one name and two ids neither is the other. Of rows that are
    twice there the first counts.
    """
    found: dict[int, int] = {}
    free = set(range(len(theirs)))
    keys = table.places()
    for number, key in enumerate(keys):
        known: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for position in sorted(free, reverse=True):
            if is_known(theirs[position], key):
                known[key_of(theirs[position], key)].append(position)  # the first one stands last
        for position, row in enumerate(table.rows):
            if position in found or not is_known(row, key):
                continue
            candidates = known[key_of(row, key)]
            ids = keys[:number] if number == len(keys) - 1 else []
            fitting = [one for one in candidates if not contradict(row, theirs[one], ids)]
            if fitting:
                found[position] = fitting[-1]
                candidates.remove(fitting[-1])
                free.discard(fitting[-1])
    return found


def distance(table: Table | None, cells: Sequence[Sequence[Any]]) -> float:
    """In how many rows the cells of a tab, its header among them, are not what the table says."""
    if table is None or not cells or [str(cell) for cell in cells[0][: table.width]] != list(table.header):
        return math.inf
    found = compare(table, [row_of(row, table.width) for row in cells[HEADER:]], table.header)
    return len(found.added) + len(found.removed) + len(found.changed)


def key_of(row: Row, key: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(text(row[place]).strip() for place in key)


def contradict(a: Row, b: Row, keys: Sequence[tuple[int, ...]]) -> bool:
    return any(is_known(a, key) and is_known(b, key) and key_of(a, key) != key_of(b, key) for key in keys)


def compare(table: Table, theirs: Sequence[Row], header: Sequence[str], published: Table | None = None) -> Difference:
    """What publishing `table` changes in a tab that has `theirs` below `header`; `published` is what it last was."""
    result = Difference(header=None if list(header) == list(table.header) else list(header))
    pairs = match(table, theirs)
    by_place = {theirs_at: ours_at for ours_at, theirs_at in pairs.items()}
    kept = [(by_place[place], place) for place in sorted(by_place)]
    new = [(position, None) for position in range(len(table.rows)) if position not in pairs]
    for position, place in [*kept, *new]:
        row = table.rows[position]
        result.order.append(row)
        result.pairs.append(place)
        if place is None:
            result.added.append(table.label(row))
        elif not same_row(row, theirs[place]):
            result.changed.append(
                Changed(place + HEADER + 1, table.label(row), cell_changes(table, theirs[place], row))
            )
    for place, row in enumerate(theirs):
        if place not in by_place and not is_blank(row):
            result.removed.append({"row": place + HEADER + 1, "label": table.label(row), "cells": list(row)})
    if published is not None and published.header == table.header:
        result.by_hand = edited_by_hand(table, theirs, published, by_place)
    return result


def cell_changes(table: Table, before: Row, after: Row) -> dict[str, list[Cell]]:
    return {name: [old, new] for name, old, new in zip(table.header, before, after, strict=True) if not same(old, new)}


def edited_by_hand(
    table: Table, theirs: Sequence[Row], published: Table, by_place: dict[int, int]
) -> list[dict[str, Any]]:
    """Cells of the sheet that are neither what was published nor what will be, and rows that somebody added."""
    was = {place: published.rows[position] for position, place in match(published, theirs).items()}
    found: list[dict[str, Any]] = []
    for place, row in enumerate(theirs):
        if is_blank(row):
            continue
        here = {"row": place + HEADER + 1, "label": table.label(row)}
        if place not in was:
            if place not in by_place:
                found.append({**here, "column": "", "published": "", "found": "a row that was added"})
            continue
        will_be = table.rows[by_place[place]] if place in by_place else None
        for column, (name, cell) in enumerate(zip(table.header, row, strict=True)):
            is_undone = will_be is None or not same(cell, will_be[column])
            if not same(cell, was[place][column]) and is_undone:
                found.append({**here, "column": name, "published": was[place][column], "found": cell})
    return found
