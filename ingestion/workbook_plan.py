"""What rows of ShowInfo ask of the catalogue, worked out without a query.

A row means the show that has its ids; an id is filled where it is missing and never changed. What else it says was
either written by the old scripts, once and never again, or by a person. A person's value becomes a locked one:

- Show: any name that is neither TMDb's nor IMDb's. Of a show that TMDb was not asked for yet, any name at all; when
  it turns out to be TMDb's own, the next import opens that lock again.
- OVERRIDE: always a person's.
- ShowTotalSeasons, ShowTotalEpisodes: more than TMDb says. Less is what TMDb said long ago, and is left out.
- Network: one that is none of TMDb's goes before these.
- Most Recent Episode: never.

Where TMDb was not asked yet, totals, network and date fill what is empty, unlocked: the next sync sets what is true,
and another import then tells what a person had written. What an editor has locked in the catalogue always stays.
"""

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
from catalog.search import name_key
from ingestion.imports import EXCLUDED, LineError, show_of
from ingestion.links import LinkWrites
from ingestion.shows_csv import shown
from ingestion.workbook_catalogue import AIR_DATE, Catalogue
from ingestion.workbook_shows import LISTED, NETWORK, TOTALS, SheetShow

Seen = dict[str | int | UUID, int]  # an id, or a show -> the good row that it stands on
DOUBTFUL: Final = "doubtful"
COLUMNS: Final = ("name", *RESOLUTION_FLAGS, *RESOLUTION_FLAGS.values(), *TOTALS, AIR_DATE, "override")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: `kind` is created, updated, unchanged, excluded or doubtful.

    fields: as in a Change row. notes: values that were not taken, in words. older: how many totals TMDb has outgrown.
    waits: TMDb was not asked for this show yet.
    """

    number: int
    kind: str
    name: str = ""
    show_id: UUID | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    notes: tuple[str, ...] = ()
    older: int = 0
    waits: bool = False


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


@dataclass(slots=True)
class Edit:
    """What a row changes of one show. network: the id of the one that goes before the others."""

    values: dict[str, Any] = field(default_factory=dict)
    locks: set[str] = field(default_factory=set)
    unlocks: set[str] = field(default_factory=set)
    network: int | None = None
    notes: list[str] = field(default_factory=list)
    older: int = 0


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
        older=edit.older,
        waits=show.tmdb_fetched_at is None,
    )


def edit_new(row: SheetShow, catalogue: Catalogue, edit: Edit) -> None:
    ids = {name: getattr(row, name) for name in RESOLUTION_FLAGS}
    flags = {flag: ids[name] is None for name, flag in RESOLUTION_FLAGS.items()}
    edit.values |= {"name": row.name, **ids, **flags, **dict(row.totals), AIR_DATE: row.aired, "override": row.override}
    edit.locks |= {"name", "override"} if row.override else {"name"}
    edit.network = network_of(row, catalogue, edit)


def edit_known(row: SheetShow, show: Show, catalogue: Catalogue, edit: Edit) -> None:
    fill_ids(row, show, edit)
    take_name(row, show, catalogue, edit)
    take_override(row, show, edit)
    for column, value in row.totals:
        take_total(column, value, show, edit)
    if row.aired and show.tmdb_fetched_at is None and getattr(show, AIR_DATE) is None and not show.is_locked(AIR_DATE):
        edit.values[AIR_DATE] = row.aired
    take_network(row, show, catalogue, edit)


def fill_ids(row: SheetShow, show: Show, edit: Edit) -> None:
    for name, flag in RESOLUTION_FLAGS.items():
        value = getattr(row, name)
        if value is None or getattr(show, name) is not None:
            continue
        if show.is_locked(name):
            edit.notes.append(kept(LISTED[name], value, None))
            continue
        edit.values[name] = value
        if getattr(show, flag):
            edit.values[flag] = False


def take_name(row: SheetShow, show: Show, catalogue: Catalogue, edit: Edit) -> None:
    locked = show.is_locked("name")
    said = [show.tmdb_name, show.imdb_title, show.upstream_values.get("name")]
    if show.tmdb_fetched_at is not None and not locked:
        said.append(show.name)
    if spaced(row.name) in {spaced(name) for name in said if name}:
        if locked and show.name == show.upstream_values.get("name") and show.pk in catalogue.imported:
            edit.unlocks.add("name")
    elif not locked:
        edit.values["name"] = row.name
        edit.locks.add("name")
    elif row.name != show.name:
        edit.notes.append(kept("Show", row.name, show.name))


def take_override(row: SheetShow, show: Show, edit: Edit) -> None:
    if not row.override or row.override == show.override:
        return
    if show.override or show.is_locked("override"):
        edit.notes.append(kept("OVERRIDE", row.override, show.override))
        return
    edit.values["override"] = row.override
    edit.locks.add("override")


def take_total(column: str, value: int, show: Show, edit: Edit) -> None:
    ours = getattr(show, column)
    if show.is_locked(column):
        said = show.upstream_values.get(column)
        if said is not None and value < said:
            edit.older += 1
        elif value not in (ours, said):
            edit.notes.append(kept(TOTALS[column], value, ours))
    elif show.tmdb_fetched_at is None:
        if not ours:
            edit.values[column] = value
    elif value > (ours or 0):
        edit.values[column] = value
        edit.locks.add(column)
    elif value < ours:
        edit.older += 1


def take_network(row: SheetShow, show: Show, catalogue: Catalogue, edit: Edit) -> None:
    links = catalogue.links.get(show.pk, ())
    ids = catalogue.networks.named(row.network)
    linked = {link.network_id for link in links}
    if not row.network or ids & linked or name_key(row.network) in {name_key(link.network.name) for link in links}:
        return
    if show.is_locked("networks"):
        if not ids & set(show.upstream_values.get("networks") or ()):
            edit.notes.append(kept(NETWORK, row.network, ", ".join(str(link.network) for link in links)))
    elif show.pk in catalogue.asked or not links:
        edit.network = network_of(row, catalogue, edit)
        if edit.network is not None and show.pk in catalogue.asked:
            edit.locks.add("networks")


def network_of(row: SheetShow, catalogue: Catalogue, edit: Edit) -> int | None:
    """The one network of the row's name; None with a note where there is not one."""
    ids = catalogue.networks.named(row.network)
    if row.network and len(ids) != 1:
        count = f"{len(ids)} networks are" if ids else "no network is yet"
        advice = "choose in admin" if ids else "sync, then import again"
        edit.notes.append(f"{NETWORK} {shown(row.network)}: {count} known by that name; {advice}")
    return next(iter(ids)) if len(ids) == 1 else None


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


def kept(heading: str, said: object, ours: object) -> str:
    return f"{heading} {quoted(said)}: kept, the catalogue says {'nothing' if ours in (None, '') else quoted(ours)}"


def quoted(value: object) -> str:
    return shown(value) if isinstance(value, str) else str(value)


def spaced(name: str) -> str:
    return " ".join(name.split())
