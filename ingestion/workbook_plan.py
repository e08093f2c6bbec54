"""What rows of ShowInfo ask of the catalogue: which show each means, and what is to be written. Without a query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from catalog.changes import Author, change_of, entity_label, plain, set_change, value_change
from catalog.edits import in_order, is_upstreams, lock_change
from catalog.locks import RESOLUTION_FLAGS
from catalog.models import Change, Show, ShowNetwork
from catalog.models.links import Source
from ingestion.exclusions import short_name
from ingestion.imports import EXCLUDED, LineError, show_of
from ingestion.links import LinkWrites
from ingestion.workbook_catalogue import AIR_DATE, Catalogue, Waits
from ingestion.workbook_edit import Edit, edit_known, edit_new
from ingestion.workbook_shows import TOTALS, SheetShow

Seen = dict[str | int | UUID, int]  # an id, or a show -> the good row that it stands on
DOUBTFUL: Final = "doubtful"
COLUMNS: Final = ("name", *RESOLUTION_FLAGS, *RESOLUTION_FLAGS.values(), *TOTALS, AIR_DATE, "override")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: `kind` is created, updated, unchanged, excluded or doubtful.

    fields: as in a Change row. notes: values that were not taken, in words. doubts: those of which a person has to
    decide, while the rest of the row is taken. older: how many totals TMDb has outgrown. waits: what has to come first
    before it can be told what of the row is TMDb's.
    """

    number: int
    kind: str
    name: str = ""
    show_id: UUID | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    older: int = 0
    waits: Waits = Waits.NOTHING

    @property
    def flaws(self) -> tuple[str, ...]:
        """What of it a person has to mend, empty as a rule."""
        return (self.reason,) if self.kind == DOUBTFUL else self.doubts


@dataclass(slots=True)
class Plan:
    """What a chunk of rows is to write; nothing of it is saved yet."""

    outcomes: list[Outcome] = field(default_factory=list)
    created: list[Show] = field(default_factory=list)
    updated: dict[UUID, Show] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)  # of `updated`
    links: LinkWrites = field(default_factory=LinkWrites)
    changes: list[Change] = field(default_factory=list)
    seen: Seen = field(default_factory=dict)


def plan_rows(rows: Iterable[SheetShow], catalogue: Catalogue, author: Author, seen: Seen) -> Plan:
    """Decides on each row in order; `seen` is the `Plan.seen` of earlier ones. Changes only the objects."""
    plan = Plan()
    by_id = {show_id: show for show in catalogue.shows for show_id in (show.imdb_id, show.tmdb_id) if show_id}
    for row in rows:
        try:
            outcome = plan_row(row, by_id, catalogue, plan, author, seen)
        except LineError as error:
            outcome = Outcome(row.number, DOUBTFUL, row.name, error.show_id, reason=str(error))
        plan.outcomes.append(outcome)
        if outcome.kind not in (EXCLUDED, DOUBTFUL):
            plan.seen.update(dict.fromkeys(filter(None, (*row.ids, outcome.show_id)), row.number))
    return plan


def plan_row(
    row: SheetShow,
    by_id: dict[str | int, Show],
    catalogue: Catalogue,
    plan: Plan,
    author: Author,
    seen: Seen,
) -> Outcome:
    for one in row.ids:
        if earlier := seen.get(one) or plan.seen.get(one):
            raise LineError(f"repeats row {earlier}")
    if removed := next((by_id[one] for one in row.ids if one in by_id and by_id[one].deleted_at), None):
        return Outcome(row.number, EXCLUDED, removed.name, removed.pk)
    show = show_of(row, by_id)
    if show is not None and (earlier := seen.get(show.pk) or plan.seen.get(show.pk)):
        raise LineError(f"it is the show of row {earlier} by its other id", show)
    edit = Edit(notes=list(row.notes))
    if show is None:
        refuse_corrected(row, catalogue)
        show, kind = Show(), Change.Kind.CREATED
        edit_new(row, catalogue, edit)
        plan.created.append(show)
    else:
        kind = Change.Kind.UPDATED
        edit_known(row, show, catalogue, edit)
    fields = apply(edit, show, catalogue, plan, is_new=kind == Change.Kind.CREATED)
    if fields:
        plan.changes.append(change_of(show.pk, kind, fields, author))
    return Outcome(
        row.number,
        str(kind) if fields else "unchanged",
        show.name,
        show.pk,
        fields,
        notes=tuple(edit.notes),
        doubts=tuple(edit.doubts),
        older=edit.older,
        waits=catalogue.waits(show),
    )


def refuse_corrected(row: SheetShow, catalogue: Catalogue) -> None:
    """Raises LineError where somebody has seen that an id of the row was not that of the show that had it."""
    for one in row.ids:
        if found := catalogue.decisions.corrections.get(one):
            now = f"changed it to {found.now}" if found.now is not None else "took it away"
            reason = f"{found.column} {one} was that of {short_name(found.show)} until {found.who} {now}: mend the row"
            raise LineError(reason, found.show)


def apply(edit: Edit, show: Show, catalogue: Catalogue, plan: Plan, *, is_new: bool) -> dict[str, Any]:
    """Changes the objects, and puts what is to be written into `plan`; what changed, as in a Change row."""
    before = {name: None if is_new else getattr(show, name) for name in COLUMNS}
    values = {name: value for name, value in edit.values.items() if (value or None) != (before[name] or None)}
    fields: dict[str, Any] = {name: value_change(before[name], values[name]) for name in COLUMNS if name in values}
    links = list(catalogue.links.get(show.pk, ()))
    if edit.network is not None:
        fields["networks"] = put_first(edit.network, show, links, catalogue, plan, by_editor="networks" in edit.locks)
    locks = in_order({*show.locked_fields, *edit.locks} - edit.unlocks)
    fields |= lock_change(show.locked_fields, locks)
    if not fields:
        return {}
    beside = {name: plain(before[name]) for name in edit.locks & set(COLUMNS) if is_upstreams(show, name)}
    if "networks" in edit.locks:
        beside["networks"] = [link.network_id for link in links if link.source == Source.TMDB]
    kept_aside = {name: value for name, value in show.upstream_values.items() if name not in edit.unlocks}
    show.locked_fields, show.upstream_values = locks, kept_aside | beside
    for name, value in values.items():
        setattr(show, name, value)
    if not is_new:
        show.set_search_keys()
        show.updated_at = timezone.now()  # a bulk update does not
        plan.updated[show.pk] = show
        plan.columns |= values.keys()
    return fields


def put_first(
    network_id: int, show: Show, links: Sequence[ShowNetwork], catalogue: Catalogue, plan: Plan, *, by_editor: bool
) -> Any:
    source = Source.EDITOR if by_editor else Source.TMDB  # the next sync may take away what TMDb does not know
    plan.links.created.append(ShowNetwork(show=show, network_id=network_id, position=0, source=source))
    for position, link in enumerate(links, start=1):
        if link.position != position:
            link.position = position
            plan.links.updated.append(link)
    labels = [entity_label(link.network.name, link.network_id) for link in links]
    return set_change(labels, [catalogue.networks.labels[network_id], *labels])
