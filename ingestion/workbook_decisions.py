"""What people, and earlier imports of the workbook, have decided about shows: read from their Change rows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db.models import Q

from catalog.locks import RESOLUTION_FLAGS
from catalog.models import Change, Show
from ingestion.models import SyncRun

KIND: Final = "import_workbook"  # of a run


@dataclass(frozen=True, slots=True)
class Correction:
    """An id that a living show had until a person changed it. now: what it has instead."""

    show: Show
    column: str
    now: str | int | None
    who: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """given_back: who took the last lock away from a field of a show, where that was a person.

    imported: fields of shows that an import of the workbook was the last to lock. overrides: shows whose override an
    import was the last to set. corrections: by the id that is no show's any more.
    """

    given_back: Mapping[tuple[UUID, str], str] = field(default_factory=dict)
    imported: Collection[tuple[UUID, str]] = frozenset()
    overrides: Collection[UUID] = frozenset()
    corrections: Mapping[str | int, Correction] = field(default_factory=dict)


def read_decisions(shows: Iterable[Show], unknown: Collection[str | int]) -> Decisions:
    """About these shows, and ids that no show has; in three queries, however many these are."""
    given_back: dict[tuple[UUID, str], str] = {}
    locked_by: dict[tuple[UUID, str], int | None] = {}
    set_by: dict[UUID, int | None] = {}
    changes = Change.objects.filter(
        show_id__in=[show.pk for show in shows], fields__has_any_keys=["locked_fields", "override"]
    )
    told = changes.order_by("id").values_list("show_id", "user__username", "run_id", "fields")
    for show_id, who, run_id, fields in told:
        if "override" in fields:
            set_by[show_id] = run_id
        locks = fields.get("locked_fields") or {}
        for name in locks.get("added", ()):
            given_back.pop((show_id, name), None)
            locked_by[show_id, name] = run_id
        for name in locks.get("removed", ()):
            given_back.pop((show_id, name), None)
            if who is not None:
                given_back[show_id, name] = who
    run_ids = {run_id for run_id in (*locked_by.values(), *set_by.values()) if run_id is not None}
    imports = set(SyncRun.objects.filter(kind=KIND, pk__in=run_ids).values_list("pk", flat=True))
    return Decisions(
        given_back,
        frozenset(key for key, run_id in locked_by.items() if run_id in imports),
        frozenset(show_id for show_id, run_id in set_by.items() if run_id in imports),
        read_corrections(unknown) if unknown else {},
    )


def read_corrections(ids: Collection[str | int]) -> dict[str | int, Correction]:
    """People change few ids: all of these changes are read, as no index leads from an id to them."""
    changed = Q()
    for column in RESOLUTION_FLAGS:
        changed |= Q(fields__has_key=column)
    changes = Change.objects.filter(changed, user__isnull=False, show_id__in=Show.objects.values("pk")).order_by("id")
    found: dict[str | int, Correction] = {}
    for change in changes.select_related("show", "user").only("fields", "show__name", "user__username"):
        for column in RESOLUTION_FLAGS.keys() & change.fields.keys():
            before, after = change.fields[column]
            if before in ids and change.user is not None:
                found[before] = Correction(change.show, column, after, change.user.get_username())
    return found
