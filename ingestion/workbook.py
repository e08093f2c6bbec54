"""Moving in: the old workbook into the catalogue. ShowInfo's rows become shows; the other tabs' rows are kept.

A chunk of rows is one transaction, and so is a tab that is kept: killed at any point, the next import does the rest,
and one more changes nothing.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from catalog.changes import Author, save_changes
from catalog.models import Show, ShowNetwork
from catalog.sheet import FileProblem
from ingestion.exclusions import exclusion_reasons
from ingestion.imports import CHUNK, EXCLUDED, UPDATE_BATCH
from ingestion.models import SyncRun
from ingestion.runs import Run, RunLost, start_run
from ingestion.shows_csv import BadLine
from ingestion.workbook_catalogue import Networks, Waits, read_catalogue, read_networks
from ingestion.workbook_decisions import KIND
from ingestion.workbook_plan import DOUBTFUL, Outcome, Seen, plan_rows
from ingestion.workbook_rows import KeptRow, count_rows, differ, parse_rows, save_rows, series_ids
from ingestion.workbook_shows import SheetShow, parse_show
from ingestion.workbook_tabs import LAYOUTS, SHOW_INFO, Tab, Workbook
from trr_site.command_line import first_line

KEPT: Final = "kept"


@dataclass(slots=True)
class TabReport:
    """read: rows of the tab. counts: what became of them. changed: whether what is kept of it is new."""

    read: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    changed: bool = False

    def count(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1


@dataclass(slots=True)
class Report:
    """How an import went. `error` is set when it ended before its end.

    doubts: rows of which a value is doubtful and the rest is taken. older: totals that TMDb has outgrown. waiting:
    rows by what has to come first before it can be told what of them is TMDb's.
    """

    name: str
    dry_run: bool = False
    run_id: int | None = None
    status: str = SyncRun.Status.RUNNING
    tabs: dict[str, TabReport] = field(default_factory=dict)
    doubts: int = 0
    older: int = 0
    waiting: Counter[Waits] = field(default_factory=Counter)
    seconds: float = 0.0
    error: str = ""

    @property
    def rows(self) -> int:
        return sum(tab.read for tab in self.tabs.values())

    @property
    def doubtful(self) -> int:
        return self.total(DOUBTFUL)

    def total(self, kind: str) -> int:
        return sum(tab.counts.get(kind, 0) for tab in self.tabs.values())


class Told:
    """Whom an import tells of each row, and where it counts them. Without a run nothing is written of either."""

    def __init__(self, report: Report, run: Run | None, on_outcome: Callable[[str, Outcome], object] | None) -> None:
        self.report, self.run, self.on_outcome = report, run, on_outcome
        self.done = 0

    def tell(self, tab: str, outcomes: Iterable[Outcome]) -> None:
        failures = []
        for outcome in outcomes:
            self.report.tabs[tab].count(outcome.kind)
            self.report.older += outcome.older
            self.report.doubts += bool(outcome.doubts)
            self.report.waiting[outcome.waits] += outcome.kind not in (EXCLUDED, DOUBTFUL)
            failures += [(outcome.show_id, f"{tab} row {outcome.number}", reason) for reason in outcome.flaws]
            if self.on_outcome is not None:
                self.on_outcome(tab, outcome)
        if self.run is not None and failures:
            self.run.fail(failures)

    def beat(self, rows: int) -> str:
        """Says that so many rows more are done; why the run is to end, empty as a rule."""
        self.done += rows
        if self.run is None:
            return ""
        self.run.beat(**self.progress())
        return self.run.ending

    def progress(self) -> dict[str, Any]:
        counts = {kind: self.report.total(kind) for kind in ("created", "updated", "unchanged")}
        counts |= {"failed": self.report.doubtful + self.report.doubts}
        counts |= {kind: count for kind in (EXCLUDED, KEPT) if (count := self.report.total(kind))}
        return {"done": self.done, "total": self.report.rows, "counts": counts}


def check_workbook(workbook: Workbook) -> Tab:
    """ShowInfo, if rows of it can be read at all; raises FileProblem."""
    tab = workbook.tabs.get(SHOW_INFO)
    if tab is None:
        there = ", ".join(map(repr, [*workbook.tabs, *workbook.not_read][:20])) or "none"
        raise FileProblem(f"It has no tab {SHOW_INFO}; its tabs: {there}.")
    if not tab.header:
        raise FileProblem(f"The tab {SHOW_INFO} is empty.")
    if tab.flaws:
        raise FileProblem(f"{SHOW_INFO} row {tab.header}: {'; '.join(tab.flaws)}.")
    return tab


def import_workbook(
    workbook: Workbook,
    *,
    write: bool,
    options: dict[str, Any] | None = None,
    user: User | None = None,
    on_outcome: Callable[[str, Outcome], object] | None = None,
    interrupt: threading.Event | None = None,
) -> Report:
    """Imports a workbook, and tells `on_outcome` of every row with its tab; without `write`, as it would.

    Set `interrupt` and it ends after the chunk at hand; the report's status is then `stopped`. So it does when
    somebody cancels the run: `cancelled`. Raises FileProblem when nothing can be tried, AlreadyRunning, and RunLost
    when another process has taken the run for dead.
    """
    show_info = check_workbook(workbook)
    report = Report(workbook.name, dry_run=not write)
    report.tabs = {title: TabReport(len(tab.rows)) for title, tab in workbook.tabs.items()}
    started = time.monotonic()
    run = start_run(KIND, options or {}, user) if write else None
    if run is not None:
        report.run_id = run.id
    told = Told(report, run, on_outcome)
    with ending(report, told):
        stop = interrupt or threading.Event()
        import_show_info(show_info, told, stop)
        series = series_ids(show_info)
        for title in LAYOUTS:
            if title != SHOW_INFO and title in workbook.tabs and report.status == SyncRun.Status.RUNNING:
                keep_tab(workbook.tabs[title], series, told, stop)
    report.seconds = time.monotonic() - started
    if run is not None:
        run.finish(SyncRun.Status(report.status), error=report.error, **told.progress())
    return report


@contextmanager
def ending(report: Report, told: Told) -> Iterator[None]:
    """Gives the report its status; an error of ours closes the run before it goes on."""
    try:
        yield
    except KeyboardInterrupt:  # the second signal: the chunk at hand is rolled back
        report.status = SyncRun.Status.STOPPED
    except RunLost:
        raise
    except Exception as error:
        # An open row of a living process would hold the lock.
        with suppress(DatabaseError, RunLost):
            if told.run is not None:
                reason = f"{type(error).__name__}: {first_line(error)}"
                told.run.finish(SyncRun.Status.FAILED, error=reason, **told.progress())
        raise
    else:
        if report.status == SyncRun.Status.RUNNING:
            flawed = report.doubtful or report.doubts
            report.status = SyncRun.Status.FAILED if flawed else SyncRun.Status.SUCCEEDED


def import_show_info(tab: Tab, told: Told, stop: threading.Event) -> None:
    seen: Seen = {}
    networks, rows = read_networks(), iter(tab.rows)
    while chunk := list(islice(rows, CHUNK)):
        parsed = [parse_show(row) for row in chunk]
        good = [row for row in parsed if isinstance(row, SheetShow)]
        bad = [Outcome(row.number, DOUBTFUL, reason=row.reason) for row in parsed if isinstance(row, BadLine)]
        if told.run is not None:
            done = save_shows(good, networks, Author(run_id=told.run.id), seen)
        else:
            plan = plan_rows(good, read_catalogue(good, networks, lock=False), Author(), seen)
            seen |= plan.seen
            done = explained(plan.outcomes)
        told.tell(SHOW_INFO, sorted([*bad, *done], key=lambda outcome: outcome.number))
        if has_ended(told, len(chunk), stop):
            return


def keep_tab(tab: Tab, series: set[str], told: Told, stop: threading.Event) -> None:
    rows = parse_rows(tab, series)
    whole = [row for row in rows if row.cells]
    report = told.report.tabs[tab.title]
    if lost := loss_of(tab, whole):
        report.counts[KEPT], doubts = count_rows(tab.title), [(tab.header or 1, lost)]
    else:
        report.changed = differ(tab.title, whole) if told.run is None else save_rows(tab.title, whole, told.run.id)
        report.counts[KEPT] = len(whole)
        doubts = [(tab.header, flaw) for flaw in tab.flaws]
        doubts += [(row.number, row.doubts) for row in rows if row.doubts]
    told.tell(tab.title, [Outcome(number, DOUBTFUL, reason=reason) for number, reason in doubts])
    has_ended(told, len(rows), stop)


def loss_of(tab: Tab, rows: Sequence[KeptRow]) -> str:
    """Why what is kept of a tab is worth more than what it holds now; empty as a rule."""
    if rows and not tab.flaws:
        return ""
    kept = count_rows(tab.title)
    if not kept or not differ(tab.title, rows):
        return ""
    what = "; ".join(tab.flaws) if tab.flaws else "no row below the headings" if tab.header else "it is empty"
    return f"{what}: {'the row that was kept before stays' if kept == 1 else f'the {kept:,} rows kept before stay'}"


def has_ended(told: Told, rows: int, stop: threading.Event) -> bool:
    """Tells how far the import is, and gives the report its status where it is to end before its end.

    Whether it is: somebody has cancelled the run, or asked the process to end.
    """
    if words := told.beat(rows):
        told.report.status, told.report.error = SyncRun.Status.CANCELLED, words
    elif stop.is_set():
        told.report.status = SyncRun.Status.STOPPED
    return told.report.status != SyncRun.Status.RUNNING


def save_shows(rows: Sequence[SheetShow], networks: Networks, author: Author, seen: Seen) -> list[Outcome]:
    """Saves a chunk of rows in one transaction, or each in its own where the database refuses the chunk.

    `seen` are the ids and shows of earlier good rows; those of this chunk are added.
    """
    try:
        return save(rows, networks, author, seen)
    except DatabaseError:  # somebody saved the same id since we looked, or a deadlock
        if not connection.is_usable():
            raise
    outcomes = []
    for row in rows:
        try:
            outcomes += save([row], networks, author, seen)
        except (IntegrityError, DataError) as error:
            reason = f"the database refused it: {first_line(error)}"
            outcomes.append(Outcome(row.number, DOUBTFUL, row.name, reason=reason))
    return outcomes


def save(rows: Sequence[SheetShow], networks: Networks, author: Author, seen: Seen) -> list[Outcome]:
    if not rows:
        return []
    with transaction.atomic():
        plan = plan_rows(rows, read_catalogue(rows, networks, lock=True), author, seen)
        create(plan.created)
        columns = {*plan.columns, "name_key", "alias_keys", "locked_fields", "upstream_values", "updated_at"}
        Show.objects.bulk_update(plan.updated.values(), columns, batch_size=UPDATE_BATCH)
        plan.links.save(ShowNetwork, ("position",))
        save_changes(plan.changes)
    seen |= plan.seen  # not before: a chunk that was rolled back has no good rows
    return explained(plan.outcomes)


def create(shows: Sequence[Show]) -> None:
    """New shows, the later in the tab the younger: exports keep the order of the rows."""
    if not shows:
        return
    youngest = Show.all_objects.aggregate(at=Max("created_at"))["at"]
    Show.objects.bulk_create(shows)
    tick = timedelta(microseconds=1)
    start = max(timezone.now(), youngest + tick) if youngest else timezone.now()
    for place, show in enumerate(shows):
        show.created_at = start + place * tick
    Show.objects.bulk_update(shows, ["created_at"], batch_size=UPDATE_BATCH)


def explained(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, those of excluded rows with the reason."""
    reasons = exclusion_reasons(o.show_id for o in outcomes if o.kind == EXCLUDED and o.show_id is not None)
    return [replace(o, reason=reasons.get(o.show_id, "")) if o.show_id in reasons else o for o in outcomes]
