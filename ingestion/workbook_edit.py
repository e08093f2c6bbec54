"""What a row of ShowInfo asks of a show, without a query.

A row means the show that has its ids; an id is filled where it is missing and never changed. What else it says was
either written by the old scripts, once and never again, or by a person. A person's value becomes a locked one:

- Show: any name that is neither TMDb's nor IMDb's. Of a show that TMDb was not asked for yet, any name at all; when
  it turns out to be TMDb's own, the next import opens that lock again.
- OVERRIDE: always a person's.
- ShowTotalSeasons, ShowTotalEpisodes: more than TMDb says. Less is what TMDb said long ago, and is left out.
- Network: one that is none of TMDb's goes before these.
- Most Recent Episode: never.

Where TMDb was not asked yet, totals, network and date fill what is empty, unlocked: the next sync sets what is true,
and another import then tells what a person had written. What an editor has locked in the catalogue always stays, and
so does what an editor has given back to TMDb.
"""

from dataclasses import dataclass, field
from typing import Any

from catalog.locks import RESOLUTION_FLAGS
from catalog.models import Show
from catalog.search import name_key
from ingestion.shows_csv import shown
from ingestion.workbook_catalogue import AIR_DATE, Catalogue, Waits
from ingestion.workbook_shows import LISTED, NETWORK, TOTALS, SheetShow


@dataclass(slots=True)
class Edit:
    """What a row changes of one show. network: the id of the one that goes before the others.

    notes: values that were not taken, in words. doubts: those of which a person has to decide.
    """

    values: dict[str, Any] = field(default_factory=dict)
    locks: set[str] = field(default_factory=set)
    unlocks: set[str] = field(default_factory=set)
    network: int | None = None
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    older: int = 0


def edit_new(row: SheetShow, catalogue: Catalogue, edit: Edit) -> None:
    ids = {name: getattr(row, name) for name in RESOLUTION_FLAGS}
    flags = {flag: ids[name] is None for name, flag in RESOLUTION_FLAGS.items()}
    edit.values |= {"name": row.name, **ids, **flags, **dict(row.totals), AIR_DATE: row.aired, "override": row.override}
    edit.locks |= {"name", "override"} if row.override else {"name"}
    edit.network = network_of(row, catalogue, edit, Waits.SYNC)


def edit_known(row: SheetShow, show: Show, catalogue: Catalogue, edit: Edit) -> None:
    fill_ids(row, show, edit)
    take_name(row, show, catalogue, edit)
    take_override(row, show, catalogue, edit)
    for column, value in row.totals:
        take_total(column, value, show, catalogue, edit)
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
        is_imported = (show.pk, "name") in catalogue.decisions.imported
        if locked and show.name == show.upstream_values.get("name") and is_imported:
            edit.unlocks.add("name")
    elif locked:
        if row.name != show.name:
            edit.notes.append(kept("Show", row.name, show.name))
    elif who := catalogue.decisions.given_back.get((show.pk, "name")):
        if spaced(row.name) != spaced(show.name):
            edit.notes.append(kept("Show", row.name, show.name, who))
    else:
        edit.values["name"] = row.name
        edit.locks.add("name")


def take_override(row: SheetShow, show: Show, catalogue: Catalogue, edit: Edit) -> None:
    if not row.override and show.override and show.pk in catalogue.decisions.overrides:
        emptied = f"OVERRIDE: emptied since the last import: kept, the catalogue says {quoted(show.override)}"
        edit.notes.append(f"{emptied}; empty it in admin if that is right")
    if not row.override or row.override == show.override:
        return
    if show.override or show.is_locked("override"):
        edit.notes.append(kept("OVERRIDE", row.override, show.override))
        return
    edit.values["override"] = row.override
    edit.locks.add("override")


def take_total(column: str, value: int, show: Show, catalogue: Catalogue, edit: Edit) -> None:
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
    elif value > (ours or 0) and (who := catalogue.decisions.given_back.get((show.pk, column))):
        edit.notes.append(kept(TOTALS[column], value, ours, who))
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
    names = ", ".join(str(link.network) for link in links)
    if show.is_locked("networks"):
        if not ids & set(show.upstream_values.get("networks") or ()):
            edit.notes.append(kept(NETWORK, row.network, names))
    elif who := catalogue.decisions.given_back.get((show.pk, "networks")):
        edit.notes.append(kept(NETWORK, row.network, names, who))
    elif show.pk in catalogue.asked:
        edit.network = network_of(row, catalogue, edit, Waits.NOTHING)
        edit.locks |= set() if edit.network is None else {"networks"}
    elif not links:
        # A show whose details alone were asked for waits for its networks.
        waits = Waits.SYNC if show.tmdb_fetched_at is not None else catalogue.waits(show)
        edit.network = network_of(row, catalogue, edit, waits)


def network_of(row: SheetShow, catalogue: Catalogue, edit: Edit, waits: Waits) -> int | None:
    """The one network of the row's name; None where there is not one, with a note, or with a doubt if all is told."""
    ids = catalogue.networks.named(row.network)
    if not row.network or len(ids) == 1:
        return next(iter(ids), None)
    said = f"{NETWORK} {shown(row.network)}"
    if waits == Waits.NOTHING:
        why = f"{len(ids)} networks are known by that name" if ids else "TMDb has no such network here"
        edit.doubts.append(f"{said}: {why}: choose one in admin (the rest of the row is taken)")
    elif ids:
        edit.notes.append(f"{said}: {len(ids)} networks are known by that name; choose in admin")
    else:
        advice = "sync, then import again" if waits == Waits.SYNC else "import again once TMDb has told of the show"
        edit.notes.append(f"{said}: no network is yet known by that name; {advice}")
    return None


def kept(heading: str, said: object, ours: object, who: str = "") -> str:
    """That the catalogue's value stays; `who` has decided that it is TMDb's."""
    why = f", as {who} gave it back to TMDb" if who else ""
    return (
        f"{heading} {quoted(said)}: kept, the catalogue says {'nothing' if ours in (None, '') else quoted(ours)}{why}"
    )


def quoted(value: object) -> str:
    return shown(value) if isinstance(value, str) else str(value)


def spaced(name: str) -> str:
    return " ".join(name.split())
