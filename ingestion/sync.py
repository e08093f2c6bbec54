"""The whole trip of a run: choose, fetch side by side, save in batches, mirror logos, report.

Threads do nothing but HTTP and parsing, bounded by TMDB_CONNECTIONS and the one rate limit; this thread
alone touches the database. Commands, tasks and buttons call `sync_shows` and nothing below it.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.utils import timezone

from catalog.changes import Author
from ingestion.fetching import fetch_job, quick_thread_switches
from ingestion.guard import Guard
from ingestion.logos import LogoMirror, LogoResult, pending_logos
from ingestion.models import Stage, SyncRun
from ingestion.options import Options
from ingestion.outcomes import Batch, Fetched, Outcome, pack, unpack
from ingestion.persist import save_shows
from ingestion.records import InvalidRecord
from ingestion.report import Report, Reporter, first_line
from ingestion.runs import Run, RunLost, start_run
from ingestion.selection import CONTINUES, DueRule, Job, cut_off_since, jobs, select_due, selected_shows
from ingestion.sources.http import KeyRefused, Stopped, UpstreamError
from ingestion.sources.tmdb import TmdbClient
from ingestion.upstream_changes import changes_start, fetch_changed_ids, mark_changed

log = logging.getLogger(__name__)

STOPPED = "stopped by a signal; what was done is kept, the next run goes on"
BATCH = 20  # shows saved in one transaction
BATCH_WAIT = 1.0  # seconds after which a smaller batch is saved: a slow upstream must not keep results unsaved


def sync_shows(
    options: Options,
    *,
    kind: str,
    user: User | None = None,
    reporter: Reporter | None = None,
    interrupt: threading.Event | None = None,
) -> Report:
    """Syncs what the options say and returns the report; nothing is raised for a show that fails.

    Set `interrupt` and the run ends early: what has arrived is saved, the run's row is closed. Raises
    AlreadyRunning when another run of the kind is going on. A dry run writes nothing: no row of a run, no lock.
    """
    run = None if options.dry_run else start_run(kind, options.as_json(), user)
    return ShowSync(options, kind, run, reporter or Reporter(), interrupt).run_to_end()


class ShowSync:
    """One run. Its parts are called in the order in which they stand here."""

    def __init__(
        self,
        options: Options,
        kind: str,
        run: Run | None,
        reporter: Reporter,
        interrupt: threading.Event | None = None,
    ) -> None:
        self.options, self.kind, self.run, self.reporter = options, kind, run, reporter
        self.interrupt = interrupt or threading.Event()
        self.started_at = run.row.started_at if run else timezone.now()
        self.author = Author(run_id=run.id if run else None)
        self.report = Report(dry_run=options.dry_run)
        self.guard = Guard()
        self.stop = threading.Event()
        self.client = TmdbClient(self.stop)
        self.ready: list[Fetched] = []
        self.ready_since = 0.0
        self.held: list[bytes] = []  # packed: up to 30 % of the shows wait here for the end of the run
        # Logos come from another host, so they have connections of their own and keep no show waiting.
        self.mirror = LogoMirror(self.client, settings.TMDB_CONNECTIONS)
        self.with_logos = (Stage.ENTITIES in options.stages or Stage.WATCH_PROVIDERS in options.stages) and not (
            options.skip_logos or options.dry_run
        )

    def run_to_end(self) -> Report:
        started = time.monotonic()
        status = SyncRun.Status.STOPPED
        try:
            with quick_thread_switches():
                self.sync()
            status = SyncRun.Status.FAILED if self.report.exit_code else SyncRun.Status.SUCCEEDED
            if self.report.error:
                status = SyncRun.Status.STOPPED
        except KeyboardInterrupt:
            self.report.error = STOPPED
        except RunLost as error:
            self.report.error = f"{error}; this one ends"
        except DatabaseError as error:
            self.report.error = f"the database is out of reach: {first_line(error)}"
            log.debug("run ended", exc_info=True)
        finally:
            self.stop.set()
            self.client.close()
            self.report.requests = self.client.requests_made
            self.report.seconds = time.monotonic() - started
            self.close_run(status)
            self.reporter.finish(self.report)
        return self.report

    def close_run(self, status: SyncRun.Status) -> None:
        if self.run is None:
            return
        try:
            self.run.finish(status, error=self.report.error, **self.figures())
        except (RunLost, DatabaseError):
            log.warning("the row of run %s could not be closed; the next run closes it", self.run.id)

    def figures(self) -> dict[str, object]:
        return {
            "counts": dict(self.report.counts),
            "total": self.report.total,
            "done": self.report.done,
            "requests": self.client.requests_made,
        }

    def sync(self) -> None:
        executor = ThreadPoolExecutor(settings.TMDB_CONNECTIONS, thread_name_prefix="tmdb")
        try:
            changed = self.read_changes(executor)
            due = select_due(DueRule(self.options, self.started_at, changed, self.continued()))
            self.report.chosen, self.report.total = selected_shows(self.options).count(), len(due)
            self.reporter.start(self.report)
            if self.with_logos and not self.options.is_selection:
                self.mirror.add(pending_logos())
            self.work(executor, jobs(due))
            self.settle_held()
            self.work(executor, iter(()))
            if not self.report.error and (left := self.report.total - self.report.done):
                self.report.error = f"{left} of {self.report.total} shows were not reached: deleted meanwhile?"
        except KeyRefused as error:  # by the list of changes; `take` sees to the shows
            self.refuse(error)
        except Stopped:  # while it was read
            pass
        finally:
            self.stop.set()
            self.mirror.close()
            executor.shutdown(wait=True, cancel_futures=True)

    def continued(self) -> datetime | None:
        """Start of the cut-off run to take up; only asked for by name, as `--force` alone means all."""
        if not (self.options.takes_all and self.options.resume):
            return None
        since = cut_off_since(self.kind)
        if since is not None and self.run is not None:
            self.run.add_option(CONTINUES, since.isoformat())
        return since

    def read_changes(self, executor: ThreadPoolExecutor) -> frozenset[int]:
        """Marks the shows that TMDb lists as changed; a dry run, which may not, gets their ids instead."""
        details = self.options.stages & {Stage.DETAILS, Stage.ENTITIES}
        if self.options.takes_all or self.options.is_selection or not details:
            return frozenset()
        start = changes_start(self.options, self.started_at)
        changed: frozenset[int] = frozenset()
        if start is not None:
            try:
                future = executor.submit(fetch_changed_ids, self.client, start, self.started_at)
                while not wait({future}, timeout=0.5).done:  # minutes, where upstream says Retry-After
                    self.look_around()
                changed = future.result()
            except KeyRefused:
                raise
            except (UpstreamError, InvalidRecord) as error:
                reason = f"{error}; shows go by their age in this run"
                self.reporter.problem("list of changes", reason)
                self.keep_failures([(None, "list of changes", reason)])
                return changed
        if self.run is None:
            return changed
        mark_changed(changed, self.started_at)
        self.run.mark_changes_until(self.started_at)
        return frozenset()

    def work(self, executor: ThreadPoolExecutor, todo: Iterator[Job]) -> None:
        """Keeps the threads busy and saves what they bring, until nothing is left or the run has to stop."""
        pending: set[Future[Fetched]] = set()
        window = 4 * settings.TMDB_CONNECTIONS  # enough to fetch on while a batch is saved
        while True:
            while len(pending) < window and not self.report.error and (job := next(todo, None)):
                pending.add(executor.submit(fetch_job, self.client, job))
            if not (pending or self.mirror.pending or self.ready):
                return
            working: list[Future[Any]] = [*pending, *self.mirror.pending]
            wait(working, timeout=0.5, return_when=FIRST_COMPLETED)
            done = {future for future in pending if future.done()}
            for future in done:
                self.take(future)
            pending -= done
            if not pending or len(self.ready) >= BATCH or self.waited_long():
                self.save_ready()
            self.note_logos(self.mirror.save_done())
            self.look_around()
            if self.report.error:
                self.mirror.cancel()
                pending = {future for future in pending if not future.cancel()}

    def take(self, future: Future[Fetched]) -> None:
        try:
            fetched = future.result()
        except (CancelledError, Stopped):
            return
        except KeyRefused as error:
            self.refuse(error)
            return
        if not self.ready:
            self.ready_since = time.monotonic()
        self.ready.append(fetched)

    def waited_long(self) -> bool:
        return bool(self.ready) and time.monotonic() - self.ready_since > BATCH_WAIT

    def save_ready(self) -> None:
        """Saves what is ready; the list is emptied only then, so that a signal in the middle loses nothing."""
        if not self.ready:
            return
        self.beat()  # a process that was suspended may have lost its row meanwhile
        batch = save_shows(self.ready, self.author, hold_blanks=True, dry_run=self.options.dry_run)
        self.ready = []
        self.held += map(pack, batch.held)
        self.note(batch)

    def note(self, batch: Batch) -> None:
        """Counts and tells what became of the shows; their logos are mirrored from now on."""
        self.guard.watch(batch.saved)
        failures: list[tuple[UUID | None, str, str]] = []
        for saved in batch.saved:
            if saved.outcome == Outcome.HELD:
                continue
            self.report.done += 1
            self.report.counts[saved.outcome] += 1
            if saved.reason:
                self.reporter.problem(saved.name, saved.reason)
            if saved.outcome == Outcome.FAILED:
                failures.append((saved.show_id, saved.name, saved.reason))
            elif self.options.dry_run and saved.changes:
                self.report.changes.append({"id": str(saved.show_id), "name": saved.name, "changes": saved.changes})
            self.reporter.show_saved(saved, self.report)
        self.keep_failures(failures)
        if self.with_logos:
            self.mirror.add(batch.logos)

    def note_logos(self, results: Iterable[LogoResult]) -> None:
        failures: list[tuple[UUID | None, str, str]] = []
        for result in results:
            self.report.counts["logos failed" if result.error else "logos"] += 1
            if result.error:
                self.reporter.problem(result.item, result.error)
                failures.append((None, result.item, result.error))
        self.keep_failures(failures)

    def settle_held(self) -> None:
        """Saves the shows that lose something, if they are few; else none of them, and says so."""
        verdict = self.guard.verdict(final=True)
        if verdict:
            self.report.error = verdict
        while self.held:
            self.beat()
            part = [unpack(packed) for packed in self.held[:BATCH]]
            if verdict:
                for one in part:
                    one.problem, one.reason = Outcome.FAILED, "held back: it would lose values, like too many others"
            batch = save_shows(part, self.author, dry_run=self.options.dry_run)
            self.held = self.held[BATCH:]
            self.note(batch)

    def look_around(self) -> None:
        """Ends the run when it has to end; shows how far it is."""
        limit = self.options.max_failures
        if not self.report.error and self.interrupt.is_set():
            self.report.error = STOPPED
            self.stop.set()
        if not self.report.error:
            self.report.error = self.guard.verdict(final=False)
        if not self.report.error and limit is not None and self.report.counts["failed"] >= limit:
            self.report.error = f"stopped after {self.report.counts['failed']} failures (--max-failures {limit})"
        self.report.requests = self.client.requests_made
        self.reporter.progress(self.report)
        self.beat()

    def beat(self) -> None:
        if self.run is not None:
            self.run.beat(**self.figures())

    def refuse(self, error: KeyRefused) -> None:
        self.report.error, self.report.refused = f"TMDb: {error}", True
        self.stop.set()

    def keep_failures(self, failures: list[tuple[UUID | None, str, str]]) -> None:
        self.report.failures += [(item, reason) for _, item, reason in failures]
        if self.run is not None and failures:
            self.run.fail(failures)
