"""The work of a run: fetch shows side by side, save them in batches, mirror their logos, count.

Threads do nothing but HTTP and parsing, bounded by TMDB_CONNECTIONS and the one rate limit; this thread
alone touches the database.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from catalog.changes import Author
from ingestion.fetching import fetch_job
from ingestion.guard import Guard
from ingestion.logos import LogoMirror, LogoResult
from ingestion.models import Stage
from ingestion.options import Options
from ingestion.outcomes import Batch, Fetched, Outcome
from ingestion.persist import save_shows
from ingestion.report import Report, Reporter
from ingestion.selection import Job
from ingestion.sources.http import KeyRefused, Stopped
from ingestion.sources.tmdb import TmdbClient
from ingestion.traffic import save_traffic

STOPPED = "stopped by a signal; what was done is kept, the next run goes on"
BATCH = 20  # shows saved in one transaction
BATCH_WAIT = 1.0  # seconds after which a smaller batch is saved: a slow upstream must not keep results unsaved


class Ledger(Protocol):
    """Where work is recorded: the row of a run, or of a chunk of one. ending: why it is to end; empty, it is not."""

    ending: str

    def beat(self, **figures: Any) -> bool:
        """Says that the work goes on, now and then; whether it did so now. Raises RunLost when somebody closed it."""

    def fail(self, failures: Iterable[tuple[UUID | None, str, str]]) -> None: ...


class ShowWork:
    """Brings a stream of shows. `ledger` is None in a dry run, which writes nothing."""

    def __init__(
        self,
        options: Options,
        run_id: int | None,
        ledger: Ledger | None,
        reporter: Reporter,
        interrupt: threading.Event | None = None,
    ) -> None:
        self.options, self.ledger, self.reporter = options, ledger, reporter
        self.interrupt = interrupt or threading.Event()
        self.author = Author(run_id=run_id)
        self.report = Report(dry_run=options.dry_run)
        self.guard = Guard()
        self.stop = threading.Event()
        self.client = TmdbClient(self.stop)
        self.executor = ThreadPoolExecutor(settings.TMDB_CONNECTIONS, thread_name_prefix="tmdb")
        self.ready: list[Fetched] = []
        self.ready_since = 0.0
        # Logos come from another host, so they have connections of their own and keep no show waiting.
        self.mirror = LogoMirror(self.client, settings.TMDB_CONNECTIONS)
        self.with_logos = (Stage.ENTITIES in options.stages or Stage.WATCH_PROVIDERS in options.stages) and not (
            options.skip_logos or options.dry_run
        )

    def work(self, todo: Iterator[Job]) -> None:
        """Keeps the threads busy and saves what they bring, until nothing is left or the run has to stop."""
        pending: set[Future[Fetched]] = set()
        window = 4 * settings.TMDB_CONNECTIONS  # enough to fetch on while a batch is saved
        while True:
            while len(pending) < window and not self.report.error and (job := next(todo, None)):
                pending.add(self.executor.submit(fetch_job, self.client, job))
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
        batch = self.save(self.ready)
        self.ready = []
        self.note(batch)

    def save(self, fetched: list[Fetched]) -> Batch:
        return save_shows(fetched, self.author, hold_blanks=True, dry_run=self.options.dry_run)

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

    def look_around(self) -> None:
        """Ends the run when it has to end; shows how far it is."""
        limit = self.options.max_failures
        if not self.report.error and self.interrupt.is_set():
            self.report.error = STOPPED
            self.stop.set()
        if not self.report.error and self.ledger is not None and self.ledger.ending:
            self.report.error = self.ledger.ending
            self.stop.set()
        self.watch_the_guard()
        if not self.report.error and limit is not None and self.report.counts["failed"] >= limit:
            self.report.error = f"stopped after {self.report.counts['failed']} failures (--max-failures {limit})"
        self.report.requests = self.client.requests_made
        self.reporter.progress(self.report)
        self.beat()

    def watch_the_guard(self) -> None:
        if not self.report.error and (verdict := self.guard.verdict(final=False)):
            self.report.error, self.report.tripped = verdict, True

    def beat(self) -> None:
        if self.ledger is not None and self.ledger.beat(**self.figures()):
            save_traffic(self.client.traffic())

    def figures(self) -> dict[str, object]:
        return {
            "counts": dict(self.report.counts),
            "total": self.report.total,
            "done": self.report.done,
            "requests": self.client.requests_made,
        }

    def refuse(self, error: KeyRefused) -> None:
        self.report.error, self.report.refused = f"TMDb: {error}", True
        self.stop.set()

    def keep_failures(self, failures: list[tuple[UUID | None, str, str]]) -> None:
        self.report.failures += [(item, reason) for _, item, reason in failures]
        if self.ledger is not None and failures:
            self.ledger.fail(failures)

    def close(self) -> None:
        """Ends the threads; nothing is fetched after it."""
        self.stop.set()
        self.mirror.close()
        self.executor.shutdown(wait=True, cancel_futures=True)
        self.client.close()
