"""What a file of shows would change: each row found, compared and checked, as edits for a batch. Nothing is written."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q

from catalog.batches import at
from catalog.changes import plain
from catalog.edits import version_subquery
from catalog.file_headings import IDS, Headings, printable
from catalog.models import Change, Show
from catalog.provenance import act_of
from catalog.revert_fields import without
from catalog.search import name_key
from catalog.sheet import FileRow, Sheet, Unreadable
from catalog.show_resource import KEYS, ShowResource, as_integer, cell_of, text_of
from catalog.values import label, normal

ROWS_AT_ONCE: Final = 500  # that are looked up together, in three queries
UUID_TEXT: Final = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\Z", re.IGNORECASE)

FIELDS: Final = ShowResource().fields


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a row or a cell can't be taken: its number, the column (empty for the row as such), what stands there."""

    row: int
    column: str
    value: str
    reason: str


@dataclass(slots=True)
class Comparison:
    """Edits for a batch, each with its `line`, with `shown` ({field: [before, after]}) and, for a new show, the
    id of one that there is of its name as `namesake`; how many rows change nothing; what is wrong with the bad ones.

    `namesakes` are edits too, of rows without any id that name a show which there is: they may mean that one.
    `conflicts` are cells that are left out, as somebody else has changed them since the export, too;
    `conflicting` rows have nothing beside them.
    """

    edits: list[dict[str, Any]] = field(default_factory=list)
    namesakes: list[dict[str, Any]] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    conflicts: list[Flaw] = field(default_factory=list)
    conflicting: int = 0
    unchanged: int = 0
    bad: int = 0
    new: int = 0

    @property
    def rows(self) -> int:
        return len(self.edits) + len(self.namesakes) + self.conflicting + self.unchanged + self.bad


@dataclass(slots=True)
class Row:
    """A row that is being compared. `ids` holds those of its ids that could be one; `version` is that of the
    export it comes from, None where it does not say; `show` the living one that it means, None for a new one."""

    number: int
    cells: dict[str, Any]
    show_id: UUID | None = None
    version: int | None = None
    ids: dict[str, Any] = field(default_factory=dict)
    show: Any = None
    flaws: list[Flaw] = field(default_factory=list)
    conflicts: list[Flaw] = field(default_factory=list)

    def refuse(self, column: str, reason: str) -> None:
        self.flaws.append(self.flaw(column, reason))

    def flaw(self, column: str, reason: str) -> Flaw:
        return Flaw(self.number, column and label(column), printable(self.cells.get(column)), reason)


@dataclass(slots=True)
class Known:
    """The shows that some rows may mean, those in the trash too."""

    by_id: dict[UUID, Any]
    by_ids: dict[tuple[str, Any], Any]


# --- rows


def compare(sheet: Sheet, headings: Headings, *, may_add: bool) -> Comparison:
    """At most three queries for every 500 rows. Raises FileProblem for a file that breaks off."""
    result = Comparison()
    taken: dict[Any, int] = {}  # shows and ids that a row above has, and its number
    while chunk := list(islice(sheet.rows, ROWS_AT_ONCE)):
        rows = [parsed(row, headings.places) for row in chunk]
        known = look_up(rows, headings.places)
        for row in rows:
            row.show = None if row.flaws else found_show(row, known)
        newer = newer_changes(rows)
        edits = []
        for row in rows:
            changes = newer.get(row.show.pk, []) if row.show else []
            edit = None if row.flaws else compared(row, known, taken, changes, may_add=may_add)
            if row.flaws:
                result.bad += 1
                result.flaws += row.flaws
                continue
            result.conflicts += row.conflicts
            if edit is not None:
                edits.append(edit)
            elif row.conflicts:
                result.conflicting += 1
            else:
                result.unchanged += 1
        mark_namesakes([edit for edit in edits if edit["id"] is None])
        for edit in edits:
            unsure = edit.get("namesake") and not any(edit["values"].get(name) for name in IDS)
            (result.namesakes if unsure else result.edits).append(edit)
            result.new += edit["id"] is None and not unsure
    return result


def parsed(file_row: FileRow, places: Mapping[str, int]) -> Row:
    """A row's cells by our names, with the ids that it gives. Flaws are noted, not raised."""
    if file_row.problem:
        row = Row(file_row.number, {"": file_row.cells[0]})
        row.refuse("", file_row.problem)
        return row
    row = Row(file_row.number, {name: file_row.cells[place] for name, place in places.items()})
    cell = row.cells.get("id")
    text = text_of(cell)
    if isinstance(cell, Unreadable):
        row.refuse("id", cell.reason)
    elif UUID_TEXT.match(text):
        row.show_id = UUID(text)
    elif text:
        row.refuse("id", "This is no id of a show. Take it from an export, or leave it empty.")
    if text_of(row.cells.get("version")):
        try:
            row.version = as_integer(row.cells["version"])
        except ValidationError:
            row.refuse("version", "Leave the version as the export wrote it, or empty the cell.")
    for name in IDS:
        try:
            value = FIELDS[name].widget.clean(row.cells.get(name))
        except ValidationError:
            continue  # told when it is compared: one that stands in the show already is no flaw
        if value is not None:
            row.ids[name] = value
    return row


def look_up(rows: Iterable[Row], columns: Iterable[str]) -> Known:
    wanted: dict[str, set[Any]] = {"pk": set(), "tmdb_id": set(), "imdb_id": set()}
    for row in rows:
        if row.show_id:
            wanted["pk"].add(row.show_id)
        for name, value in row.ids.items():
            wanted[name].add(value)
    condition = Q(pk__in=wanted["pk"]) | Q(tmdb_id__in=wanted["tmdb_id"]) | Q(imdb_id__in=wanted["imdb_id"])
    shows = (
        Show.all_objects.filter(condition)
        .only(*{"pk", "name", *IDS, *columns, "deleted_at", "merged_into"} - {"version"})
        .annotate(version=version_subquery())
        .order_by()
    )
    known = Known({}, {})
    for show in shows:
        known.by_id[show.pk] = show
        known.by_ids |= {(name, getattr(show, name)): show for name in IDS if getattr(show, name) is not None}
    return known


def newer_changes(rows: Iterable[Row]) -> dict[UUID, list[Change]]:
    """What others have done to shows since the export that the rows come from, newest first. One query or none."""
    old = {
        row.show.pk: row.version
        for row in rows
        if row.show is not None and row.version is not None and row.version < (row.show.version or 0)
    }
    found: dict[UUID, list[Change]] = {}
    if old:
        newer = Q(*(Q(show_id=pk, id__gt=version) for pk, version in old.items()), _connector=Q.OR)
        changes = Change.objects.filter(newer, volatile=False).exclude(kind=Change.Kind.COMMENTED)
        for change in changes.select_related("user").order_by("-id"):
            found.setdefault(change.show_id, []).append(change)
    return found


def compared(
    row: Row, known: Known, taken: dict[Any, int], newer: Sequence[Change], *, may_add: bool
) -> dict[str, Any] | None:
    """The edit that a row asks for; None for one that changes nothing, and for one that gets flaws here."""
    show = row.show
    if show is None:
        refuse_new(row, may_add=may_add)
    elif (first := taken.setdefault(show.pk, row.number)) != row.number:
        row.refuse("id" if row.show_id else "", f"This is the show of row {first} again.")
    current = show or Show()
    values = changed_values(row, current, known, taken, newer)
    if row.flaws or (show is not None and not values):
        return None
    for name in IDS:
        if values.get(name) is not None:
            taken[name, values[name]] = row.number
    return {
        "id": str(show.pk) if show else None,
        "name": show.name if show else values["name"],
        "values": {name: plain(value) for name, value in values.items()},
        "version": (show.version or 0) if show else None,
        "line": row.number,
        "shown": {name: [plain(getattr(current, name)), plain(value)] for name, value in values.items()},
    }


def found_show(row: Row, known: Known) -> Any:
    """The living show that a row means; None for a new one, and where the row gets a flaw."""
    if row.show_id is not None:
        show = known.by_id.get(row.show_id)
        if show is None:
            row.refuse("id", "There is no show with this id.")
        elif show.merged_into_id is not None:
            row.refuse("id", f"This show was merged into another: {show.merged_into_id}.")
        elif show.deleted_at is not None:
            row.refuse("id", "This show is in the trash. Restore it first.")
        return None if row.flaws else show
    holders = {name: known.by_ids[name, value] for name, value in row.ids.items() if (name, value) in known.by_ids}
    for name, holder in holders.items():
        if holder.deleted_at is not None:
            row.refuse(name, f"This is the id of {holder.name}, which is in the trash.")
    if len({holder.pk for holder in holders.values()}) > 1:
        row.refuse("imdb_id", f"This is the id of {holders['imdb_id']}, the TMDb id that of {holders['tmdb_id']}.")
    return None if row.flaws else next(iter(holders.values()), None)


def refuse_new(row: Row, *, may_add: bool) -> None:
    if not may_add:
        row.refuse("id", "It names no show that there is, and you may not add any.")
    elif not text_of(row.cells.get("name")):
        row.refuse("name", "No show has this id, and a new one needs a name.")


def changed_values(
    row: Row, current: Show, known: Known, taken: Mapping[Any, int], newer: Sequence[Change]
) -> dict[str, Any]:
    """What the row says otherwise than `current`, in normal form. A cell that is as an export writes it is not
    even read: what stands in the database already is no flaw of the file.

    Of a field that others have changed since the export, a cell that says what the export did says nothing, and
    one that says a third thing is a conflict.
    """
    values: dict[str, Any] = {}
    for name, cell in row.cells.items():
        if name in KEYS or (name == "name" and row.show is not None and not text_of(cell)):
            continue
        before = getattr(current, name)
        theirs = [change for change in newer if name in change.fields]
        exported = without(before, [change.fields[name] for change in theirs])
        if text_of(cell) in (text_of(cell_of(name, before)), text_of(cell_of(name, exported))):
            continue
        try:
            value = FIELDS[name].widget.clean(cell)
        except ValidationError as error:
            row.refuse(name, " ".join(error.messages))
            continue
        if value in (normal(name, before), normal(name, exported)):
            continue
        if normal(name, exported) != normal(name, before):
            row.conflicts.append(row.flaw(name, told(theirs[0], cell_of(name, before))))
            continue
        holder = known.by_ids.get((name, value)) if name in IDS else None
        if holder is not None and holder is not row.show:
            where = ", which is in the trash" if holder.deleted_at else ""
            row.refuse(name, f"This is the id of {holder.name}{where}.")
        elif name in IDS and (name, value) in taken:
            row.refuse(name, f"Row {taken[name, value]} has this id already.")
        else:
            values[name] = value
    return values


def told(change: Change, now: Any) -> str:
    """Like `anna changed it to “SKIP” at 12:03 UTC`."""
    who = act_of(change).who or "a job"
    return f"{who} changed it to {f'“{printable(now)}”' if text_of(now) else 'nothing'} {at(change.ts)}."


def mark_namesakes(edits: list[dict[str, Any]]) -> None:
    """Says of new shows which one there is of the same name: the row may have lost its id."""
    if not edits:
        return
    keys = {name_key(edit["name"]) for edit in edits}
    there = dict(Show.objects.filter(name_key__in=keys).order_by("-pk").values_list("name_key", "pk"))
    for edit in edits:
        pk = there.get(name_key(edit["name"]))
        edit["namesake"] = None if pk is None else str(pk)
