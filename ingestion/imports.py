"""Shows from a CSV file into the catalogue: a line makes a show, fills what one lacks, or is refused with a reason.

What the catalogue holds is never changed by a file: it may fill an empty column that no editor has locked.
A show in the trash, or one that was merged into another, is not brought back: its line is excluded.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, BinaryIO
from uuid import UUID

from django.contrib.auth.models import User
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from catalog.changes import Author, change_of, save_changes, value_change
from catalog.edits import lock_change
from catalog.models import Change, Show
from ingestion.exclusions import exclusion_reasons, short_name
from ingestion.matching import same_name
from ingestion.models import SyncRun
from ingestion.runs import Run, RunLost, start_run
from ingestion.shows_csv import BadLine, FileError, GoodLine, Header, read_rows
from trr_site.command_line import first_line

KIND = "import_shows"
CHUNK = 1000  # lines in one transaction
UPDATE_BATCH = 200  # rows in one UPDATE: its CASE grows with the square

EXCLUDED = "excluded"

FILLED = ("imdb_id", "tmdb_id", "premiere_date", "override")
FLAGS = {"imdb_id": "needs_imdb_resolution", "tmdb_id": "needs_tmdb_resolution"}
READ = ("name", *FILLED, *FLAGS.values(), "locked_fields", "deleted_at")  # raw replies are large: not these


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one line: `kind` is created, updated, unchanged, excluded or failed."""

    line: int
    kind: str
    name: str = ""
    show_id: UUID | None = None
    fields: tuple[str, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class Report:
    """How an import went. `error` is set when the file could not be read to its end, or the run was cancelled.

    `counts` names excluded lines only where there are some.
    """

    dry_run: bool = False
    run_id: int | None = None
    status: str = SyncRun.Status.RUNNING
    counts: dict[str, int] = field(default_factory=lambda: {"created": 0, "updated": 0, "unchanged": 0, "failed": 0})
    unused_columns: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""

    @property
    def lines(self) -> int:
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        return self.counts["failed"]

    def take_header(self, header: Header) -> None:
        self.unused_columns = header.unused


@dataclass(slots=True)
class Plan:
    """What a chunk of lines asks of the database; nothing of it is saved yet."""

    outcomes: list[Outcome] = field(default_factory=list)
    created: list[Show] = field(default_factory=list)
    updated: dict[UUID, Show] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)  # columns of `updated`
    changes: list[Change] = field(default_factory=list)
    seen: dict[str | int, int] = field(default_factory=dict)  # id -> the good line that it stands on


class LineError(Exception):
    """A line that contradicts the file or the catalogue; `str(error)` is the reason."""

    def __init__(self, reason: str, show: Show | None = None) -> None:
        super().__init__(reason)
        self.show_id = show.pk if show is not None else None


def import_shows(
    file: BinaryIO,
    *,
    limit: int | None = None,
    dry_run: bool = False,
    options: dict[str, Any] | None = None,
    user: User | None = None,
    on_outcome: Callable[[Outcome], object] | None = None,
    interrupt: threading.Event | None = None,
) -> Report:
    """Imports a CSV file, at most `limit` good lines of it, and tells `on_outcome` of every line in its order.

    Set `interrupt` and the import ends after the chunk at hand; the report's status is then `stopped`. So it does
    when somebody cancels the run: `cancelled`.
    Raises AlreadyRunning, and RunLost when another process has taken the run for dead.
    """
    report = Report(dry_run=dry_run)
    started = time.monotonic()
    run = None if dry_run else start_run(KIND, options or {}, user)
    if run is not None:
        report.run_id = run.id
    try:
        with closing(read_rows(file, report.take_header)) as rows:
            _import_lines(rows, limit, run, report, on_outcome, interrupt or threading.Event())
    except KeyboardInterrupt:  # the second signal: the chunk at hand is rolled back
        report.status = SyncRun.Status.STOPPED
    except FileError as error:
        report.status, report.error = SyncRun.Status.FAILED, f"the file can't be read: {error}"
    except RunLost:
        raise
    except Exception as error:
        # An open row of a living process would hold the lock.
        with suppress(DatabaseError, RunLost):
            if run is not None:
                _finish(run, report, SyncRun.Status.FAILED, f"{type(error).__name__}: {first_line(error)}")
        raise
    else:
        if report.status == SyncRun.Status.RUNNING:
            report.status = SyncRun.Status.FAILED if report.failed else SyncRun.Status.SUCCEEDED
    report.seconds = time.monotonic() - started
    if run is not None:
        _finish(run, report, SyncRun.Status(report.status), report.error)
    return report


def save_lines(lines: Sequence[GoodLine], author: Author, seen: dict[str | int, int]) -> list[Outcome]:
    """Saves a chunk of lines in one transaction, or each in its own where the database refuses the chunk.

    `seen` maps the ids of earlier good lines to their line; those of this chunk are added.
    """
    try:
        return _save(lines, author, seen)
    except DatabaseError:  # somebody saved the same id since we looked, or a deadlock
        if not connection.is_usable():
            raise
    outcomes = []
    for line in lines:
        try:
            outcomes += _save([line], author, seen)
        except (IntegrityError, DataError) as error:
            outcomes.append(_failed(line, f"the database refused it: {first_line(error)}"))
    return outcomes


def plan_lines(lines: Iterable[GoodLine], shows: Iterable[Show], author: Author, seen: dict[str | int, int]) -> Plan:
    """Decides on each line in order, given all shows that have one of the lines' ids. Changes only the objects."""
    plan = Plan()
    # Ids that a line gives to a show need not be added: whoever names them again repeats that line.
    by_id = {show_id: show for show in shows for show_id in (show.imdb_id, show.tmdb_id) if show_id is not None}
    for line in lines:
        try:
            plan.outcomes.append(_plan_line(line, by_id, plan, author, seen))
        except LineError as error:
            plan.outcomes.append(_failed(line, str(error), error.show_id))
        else:
            if plan.outcomes[-1].kind != EXCLUDED:
                plan.seen.update(dict.fromkeys(line.ids, line.number))
    return plan


def explained(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, those of excluded lines with the reason."""
    reasons = exclusion_reasons(o.show_id for o in outcomes if o.kind == EXCLUDED and o.show_id is not None)
    return [replace(o, reason=reasons.get(o.show_id, "")) if o.show_id in reasons else o for o in outcomes]


def _import_lines(
    rows: Iterator[GoodLine | BadLine],
    limit: int | None,
    run: Run | None,
    report: Report,
    on_outcome: Callable[[Outcome], object] | None,
    interrupt: threading.Event,
) -> None:
    seen: dict[str | int, int] = {}
    while chunk := _next_chunk(rows, CHUNK if limit is None else limit - (report.lines - report.failed)):
        good = [line for line in chunk if isinstance(line, GoodLine)]
        bad = [Outcome(line.number, "failed", reason=line.reason) for line in chunk if isinstance(line, BadLine)]
        if run is not None:
            done = save_lines(good, Author(run_id=run.id), seen)
        else:
            plan = plan_lines(good, _find_shows(good, lock=False), Author(), seen)
            seen |= plan.seen
            done = explained(plan.outcomes)
        outcomes = sorted(chain(bad, done), key=lambda outcome: outcome.line)
        for outcome in outcomes:
            report.counts[outcome.kind] = report.counts.get(outcome.kind, 0) + 1
            if on_outcome is not None:
                on_outcome(outcome)
        if run is not None:
            failures = [(o.show_id, f"line {o.line}", o.reason) for o in outcomes if o.kind == "failed"]
            if failures:
                run.fail(failures)
            run.beat(done=report.lines, counts=report.counts)
            if run.ending:
                report.status, report.error = SyncRun.Status.CANCELLED, run.ending
                return
        if interrupt.is_set():
            report.status = SyncRun.Status.STOPPED
            return


def _next_chunk(rows: Iterator[GoodLine | BadLine], most: int) -> list[GoodLine | BadLine]:
    """The next lines, with at most `most` good ones; no line is read that is not given."""
    chunk: list[GoodLine | BadLine] = []
    while most > 0 and len(chunk) < CHUNK and (line := next(rows, None)) is not None:
        chunk.append(line)
        most -= isinstance(line, GoodLine)
    return chunk


def _finish(run: Run, report: Report, status: SyncRun.Status, error: str) -> None:
    run.finish(status, done=report.lines, total=report.lines, counts=report.counts, error=error)


def _save(lines: Sequence[GoodLine], author: Author, seen: dict[str | int, int]) -> list[Outcome]:
    if not lines:
        return []
    with transaction.atomic():
        plan = plan_lines(lines, _find_shows(lines, lock=True), author, seen)
        Show.objects.bulk_create(plan.created)
        columns = {*plan.filled, "locked_fields", "updated_at"}
        Show.objects.bulk_update(plan.updated.values(), columns, batch_size=UPDATE_BATCH)
        save_changes(plan.changes)
    seen |= plan.seen  # not before: a chunk that was rolled back has no good lines
    return explained(plan.outcomes)


def _find_shows(lines: Iterable[GoodLine], *, lock: bool) -> list[Show]:
    """The shows with one of the lines' ids, the trash too; locked against an editor's save where asked for."""
    ids = [line_id for line in lines for line_id in line.ids]
    wanted = Q(imdb_id__in=[i for i in ids if isinstance(i, str)]) | Q(
        tmdb_id__in=[i for i in ids if isinstance(i, int)]
    )
    shows = Show.all_objects.filter(wanted).only(*READ).order_by("pk")
    return list(shows.select_for_update() if lock else shows)


def _plan_line(
    line: GoodLine, by_id: dict[str | int, Show], plan: Plan, author: Author, seen: dict[str | int, int]
) -> Outcome:
    for line_id in line.ids:
        if earlier := seen.get(line_id) or plan.seen.get(line_id):
            raise LineError(f"repeats line {earlier}")
    if removed := next((by_id[one] for one in line.ids if one in by_id and by_id[one].deleted_at), None):
        return Outcome(line.number, EXCLUDED, removed.name, removed.pk)
    show = show_of(line, by_id)
    if show is None:
        show = _new_show(line)
        plan.created.append(show)
        kind = Change.Kind.CREATED
        locks = lock_change([], show.locked_fields)
        fields = {
            name: value_change(None, value)
            for name in ("name", *FILLED, *FLAGS.values())
            if (value := getattr(show, name))
        }
    else:
        kind = Change.Kind.UPDATED
        locked = show.locked_fields
        fields = _fill(show, line)
        locks = lock_change(locked, show.locked_fields)
        if not fields:
            return Outcome(line.number, "unchanged", show.name, show.pk)
        plan.updated[show.pk] = show
        plan.filled |= fields.keys()
    plan.changes.append(change_of(show.pk, kind, fields | locks, author))
    return Outcome(line.number, kind.value, show.name, show.pk, tuple(fields))


def show_of(line: GoodLine, by_id: dict[str | int, Show]) -> Show | None:
    """The show that a line speaks of; raises LineError when its ids contradict the catalogue."""
    found = [by_id[line_id] for line_id in line.ids if line_id in by_id]
    if not found:
        return None
    show = found[0]
    if found[-1].pk != show.pk:
        raise LineError(f"imdb_id is {short_name(show)}'s and tmdb_id is {short_name(found[-1])}'s", show)
    for name in FLAGS:
        ours, theirs = getattr(show, name), getattr(line, name)
        if None not in (ours, theirs) and ours != theirs:
            raise LineError(f"{name} {theirs} differs from the catalogue's {ours} of {short_name(show)}", show)
        if ours is None and theirs is not None and not same_name(show.name, line.name):
            # Lists found in the wild give one show's id to another: an id is filled only under the same name.
            raise LineError(f"its id is that of {short_name(show)!r}, another name, so its {name} is not taken", show)
    return show


def _new_show(line: GoodLine) -> Show:
    return Show(
        name=line.name,
        imdb_id=line.imdb_id,
        tmdb_id=line.tmdb_id,
        premiere_date=line.premiere_date,
        override=line.override,
        locked_fields=["override"] if line.override else [],  # the file speaks for an editor
        needs_imdb_resolution=line.imdb_id is None,
        needs_tmdb_resolution=line.tmdb_id is None,
    )


def _fill(show: Show, line: GoodLine) -> dict[str, list[Any]]:
    """Fills the columns that are empty and not locked; returns what changed."""
    fields = {}
    for name in FILLED:
        before, after = getattr(show, name), getattr(line, name)
        if before or not after or show.is_locked(name):
            continue
        setattr(show, name, after)
        fields[name] = value_change(before, after)
        flag = FLAGS.get(name)
        if flag is not None and getattr(show, flag):
            setattr(show, flag, False)
            fields[flag] = value_change(True, False)
        if name == "override":
            show.locked_fields = [*show.locked_fields, "override"]
    if fields:
        show.updated_at = timezone.now()  # a bulk update does not
    return fields


def _failed(line: GoodLine, reason: str, show_id: UUID | None = None) -> Outcome:
    return Outcome(line.number, "failed", line.name, show_id, reason=reason)
