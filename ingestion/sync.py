"""The whole trip of a run in one process: choose, fetch side by side, save in batches, mirror logos, report.

Commands call `sync_shows` and nothing below it; runs that several workers share are in `shared_runs`.
"""

import logging
import threading
import time
from concurrent.futures import wait
from datetime import datetime

from django.contrib.auth.models import User
from django.db import DatabaseError
from django.utils import timezone

from ingestion.fetching import quick_thread_switches
from ingestion.logos import pending_logos
from ingestion.models import Stage, SyncRun
from ingestion.options import Options
from ingestion.outcomes import Batch, Fetched, Outcome, pack, unpack
from ingestion.persist import save_shows
from ingestion.records import InvalidRecord
from ingestion.report import Report, Reporter
from ingestion.runs import Run, RunLost, start_run
from ingestion.selection import CONTINUES, Due, DueRule, cut_off_since, jobs, select_due, selected_shows
from ingestion.sources.http import KeyRefused, Stopped, UpstreamError
from ingestion.traffic import save_traffic
from ingestion.upstream_changes import changes_start, fetch_changed_ids, mark_changed
from ingestion.work import BATCH, STOPPED, ShowWork
from trr_site.command_line import first_line

log = logging.getLogger(__name__)


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


class ShowSync(ShowWork):
    """One run. Its parts are called in the order in which they stand here."""

    def __init__(
        self,
        options: Options,
        kind: str,
        run: Run | None,
        reporter: Reporter,
        interrupt: threading.Event | None = None,
    ) -> None:
        super().__init__(options, run.id if run else None, run, reporter, interrupt)
        self.kind, self.run = kind, run
        self.started_at = run.row.started_at if run else timezone.now()
        self.held: list[bytes] = []  # packed: up to 30 % of the shows wait here for the end of the run

    def run_to_end(self) -> Report:
        started = time.monotonic()
        status = SyncRun.Status.STOPPED
        try:
            with quick_thread_switches():
                self.sync()
            status = SyncRun.Status.FAILED if self.report.exit_code else SyncRun.Status.SUCCEEDED
            if self.report.error:
                cancelled = self.run is not None and self.run.cancelled
                status = SyncRun.Status.CANCELLED if cancelled else SyncRun.Status.STOPPED
        except KeyboardInterrupt:
            self.report.error = STOPPED
        except RunLost as error:
            self.report.error = f"{error}; this one ends"
        except DatabaseError as error:
            self.report.error = f"the database is out of reach: {first_line(error)}"
            log.debug("run ended", exc_info=True)
        finally:
            self.close()
            self.report.requests = self.client.requests_made
            self.report.seconds = time.monotonic() - started
            self.close_run(status)
            self.reporter.finish(self.report)
        return self.report

    def close_run(self, status: SyncRun.Status) -> None:
        if self.run is None:
            return
        try:
            self.run.finish(status, error=self.report.error, tripped=self.report.tripped, **self.figures())
            save_traffic(self.client.traffic())
        except (RunLost, DatabaseError):
            log.warning("the row of run %s could not be closed; the next run closes it", self.run.id)

    def sync(self) -> None:
        try:
            due = self.choose()
            self.report.chosen, self.report.total = selected_shows(self.options).count(), len(due)
            self.reporter.start(self.report)
            self.mirror_pending()
            self.work(jobs(due))
            self.settle_held()
            self.work(iter(()))
            if not self.report.error and (left := self.report.total - self.report.done):
                self.report.error = f"{left} of {self.report.total} shows were not reached: deleted meanwhile?"
        except KeyRefused as error:  # by the list of changes; `take` sees to the shows
            self.refuse(error)
        except Stopped:  # while it was read
            pass

    def choose(self) -> list[Due]:
        """The shows that are due, in their order. Raises KeyRefused and Stopped."""
        changed = self.read_changes()
        return select_due(DueRule(self.options, self.started_at, changed, self.continued()))

    def mirror_pending(self) -> None:
        """Begins with the logos that earlier runs could not mirror."""
        if self.with_logos and (self.options.retry_of is not None or not self.options.is_selection):
            self.mirror.add(pending_logos())

    def continued(self) -> datetime | None:
        """Start of the cut-off run to take up; only asked for by name, as `--force` alone means all."""
        if not (self.options.takes_all and self.options.resume):
            return None
        since = cut_off_since(self.kind)
        if since is not None and self.run is not None:
            self.run.add_option(CONTINUES, since.isoformat())
        return since

    def read_changes(self) -> frozenset[int]:
        """Marks the shows that TMDb lists as changed; a dry run, which may not, gets their ids instead."""
        details = self.options.stages & {Stage.DETAILS, Stage.ENTITIES}
        if self.options.takes_all or self.options.is_selection or not details:
            return frozenset()
        start = changes_start(self.options, self.started_at)
        changed: frozenset[int] = frozenset()
        if start is not None:
            try:
                future = self.executor.submit(fetch_changed_ids, self.client, start, self.started_at)
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

    def save(self, fetched: list[Fetched]) -> Batch:
        batch = super().save(fetched)
        self.held += map(pack, batch.held)
        return batch

    def settle_held(self) -> None:
        """Saves the shows that lose something, if they are few; else none of them, and says so."""
        verdict = self.guard.verdict(final=True)
        if verdict:
            self.report.error, self.report.tripped = verdict, True
        while self.held:
            self.beat()
            part = [unpack(packed) for packed in self.held[:BATCH]]
            if verdict:
                for one in part:
                    one.problem, one.reason = Outcome.FAILED, "held back: it would lose values, like too many others"
            batch = save_shows(part, self.author, dry_run=self.options.dry_run)
            self.held = self.held[BATCH:]
            self.note(batch)
