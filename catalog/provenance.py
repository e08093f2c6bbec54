"""Where what stands in a field comes from: which source, since when, by whom, and why.

The Change rows are the only record of people and jobs; how old a source's word is, its own stamps say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from catalog.locks import EDITORIAL_FIELDS, LOCKABLE_RELATIONS, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models import Change, Show

# More would only be read for a show that people have edited as often; then its oldest locks name nobody.
MOST_CHANGES = 500
EDITOR, RUN, TMDB, IMDB = "editor", "run", "tmdb", "imdb"
# Not upstream's word: what a person types, and which title the show is matched with.
OURS: Final[frozenset[str]] = frozenset(EDITORIAL_FIELDS) | frozenset(RESOLUTION_FLAGS)


@dataclass(frozen=True, slots=True)
class Act:
    """One deed of a person or a job: who, when, why."""

    who: str
    at: datetime
    why: str
    by_person: bool


@dataclass(frozen=True, slots=True)
class Provenance:
    """Of one field. `source` is `editor`, `run`, `tmdb` or `imdb`, empty where nothing is known of it.

    `set_by` is who gave it its value, None where a source did; `locked_by` who locked it, None where
    it is not locked or nothing tells.
    """

    source: str = ""
    since: datetime | None = None
    set_by: Act | None = None
    locked_by: Act | None = None


def source_of(name: str) -> str:
    """Which source an unlocked field follows."""
    return IMDB if name.startswith("imdb_") or name == "most_recent_episode_imdb_id" else TMDB


def provenance(show: Show, checked: Mapping[str, datetime], changes: Iterable[Change]) -> dict[str, Provenance]:
    """Of every field of `show`. `checked` says when each source was last asked; `changes` are the newest
    first, as `telling_changes` gives them. Asks the database nothing."""
    stamps = {TMDB: show.tmdb_fetched_at, IMDB: show.imdb_fetched_at, **checked}
    set_by, locked_by = acts(changes)
    found = {}
    for name in (*UPSTREAM_FIELDS, *LOCKABLE_RELATIONS, *EDITORIAL_FIELDS):
        locked = show.is_locked(name)
        source, since, act = source_of(name), stamps.get(source_of(name)), set_by.get(name)
        if locked:
            by_person = act if act and act.by_person else locked_by.get(name)
            found[name] = Provenance(EDITOR, by_person.at if by_person else None, by_person, locked_by.get(name))
        elif name not in OURS and since is not None:
            found[name] = Provenance(source, since)
        elif act is not None:
            found[name] = Provenance(EDITOR if act.by_person else RUN, act.at, act)
        else:
            found[name] = Provenance()
    return found


def acts(changes: Iterable[Change]) -> tuple[dict[str, Act], dict[str, Act]]:
    """By field: who touched its value last, and who locked it last."""
    set_by: dict[str, Act] = {}
    locked_by: dict[str, Act] = {}
    for change in changes:
        act = act_of(change)
        for name, what in change.fields.items():
            if name == "locked_fields":
                for locked in added(what):
                    locked_by.setdefault(locked, act)
            else:
                set_by.setdefault(name, act)
    return set_by, locked_by


def act_of(change: Change) -> Act:
    """The user must have been selected with the change."""
    if change.user is not None:
        return Act(change.user.get_username(), change.ts, change.reason, by_person=True)
    return Act(f"run {change.run_id}" if change.run_id else "", change.ts, change.reason, by_person=False)


def added(what: Any) -> list[str]:
    return list(what.get("added", ())) if isinstance(what, Mapping) else []


def telling_changes(show: Show) -> list[Change]:
    """The changes that `provenance` needs, the newest first: one query, whatever the show's history."""
    names = {*show.locked_fields, *OURS}
    for source, fetched in ((TMDB, show.tmdb_fetched_at), (IMDB, show.imdb_fetched_at)):
        if fetched is None:
            names |= {name for name in UPSTREAM_FIELDS if source_of(name) == source}
    if show.tmdb_fetched_at is None:
        names |= set(LOCKABLE_RELATIONS)
    telling = Q(fields__has_any_keys=sorted(names)) | Q(fields__has_key="locked_fields")
    changes = Change.objects.filter(telling, show_id=show.pk, volatile=False).exclude(kind=Change.Kind.COMMENTED)
    return list(changes.select_related("user").order_by("-id")[:MOST_CHANGES])
