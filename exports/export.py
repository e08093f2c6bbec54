"""The whole trip of an export: rows of the catalogue (or a snapshot) into the workbook or into files, and the ledger.

One tab that fails does not stop the others. What was wrong before anything was tried raises ImproperlyConfigured.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.utils import timezone

from catalog.sheet import FileProblem
from exports.difference import Difference
from exports.files import file_difference, file_of, places_of, save_file
from exports.found import Confirmed, GuardTripped, refuse_long_cells, refuse_none
from exports.models import ExportedTab, ExportRun
from exports.options import Format, Options, options_of, tables_of
from exports.publish import Publication, Published
from exports.report import Report, Reporter, TabReport
from exports.runs import RunLost, Status, calls_of_last_minute, finish, start_run, update
from exports.sheets import Sheets
from exports.sheets_errors import ExportProblem, Stopped
from exports.snapshots import last_published, save_snapshot, settle, tables_of_run
from exports.tables import Table
from exports.tabs import comma_warnings
from trr_site.google_account import google_problems
from trr_site.logs import mask_secrets

log = logging.getLogger(__name__)

STOPPED = "stopped by a signal; readers see the old tab or the new one, whole"


def export_tabs(
    options: Options,
    *,
    out: Path | None = None,
    legacy: bool = False,
    dry_run: bool = False,
    user: User | None = None,
    reporter: Reporter | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Exports in this process and returns the report. out: the folder or file of CSV and XLSX.

    Raises ImproperlyConfigured, one problem a line, when nothing could be tried, and AlreadyRunning. A dry run
    writes nothing: no row of a run, no lock.
    """
    tables = wanted_tables(options)
    places = {} if options.format == Format.GOOGLE else wanted_places(options, tables, out or Path())
    run = None if dry_run else start_run(options, user)
    return Export(run, options, tables, places, legacy, reporter or Reporter(), stop or threading.Event()).run_to_end()


def export_run(run: ExportRun) -> Report:
    """Carries out a run that waited for a worker."""
    options = options_of(run)
    try:
        if options.row()["workbook"] != run.workbook:
            raise ImproperlyConfigured("it was asked for another workbook: SPREADSHEET_ID was changed since")
        tables = wanted_tables(options)
    except ImproperlyConfigured as error:
        finish(run, Status.FAILED, error=str(error))
        return Report(format=options.format, run_id=run.pk, error=str(error), refused=True)
    except Exception as error:
        finish(run, Status.FAILED, error=failed_words(error))
        raise
    return Export(run, options, tables, {}, False, Reporter(), threading.Event()).run_to_end()


def failed_words(error: Exception) -> str:
    return f"it failed ({type(error).__name__}); the log says why"


def wanted_tables(options: Options) -> list[tuple[Table, list[str]]]:
    """What is to be exported, with its warnings. Raises ImproperlyConfigured."""
    problems = google_problems() if options.format == Format.GOOGLE else []
    if problems:
        raise ImproperlyConfigured("\n".join(problems))
    try:
        if options.restore is not None:
            return [(table, []) for table in tables_of_run(options.restore)]
        return [(table, comma_warnings(tab, table)) for tab, table in tables_of(options).items()]
    except ValidationError as error:
        raise ImproperlyConfigured(" ".join(error.messages)) from None
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None


def wanted_places(options: Options, tables: list[tuple[Table, list[str]]], out: Path) -> dict[Path, list[Table]]:
    """Which file gets which tables. Raises ImproperlyConfigured."""
    try:
        return places_of([table for table, _ in tables], options.format, out)
    except FileProblem as error:
        raise ImproperlyConfigured(str(error)) from None


class Export:
    """One export. `run` is None for a dry run."""

    def __init__(
        self,
        run: ExportRun | None,
        options: Options,
        tables: list[tuple[Table, list[str]]],
        places: dict[Path, list[Table]],
        legacy: bool,
        reporter: Reporter,
        stop: threading.Event,
    ) -> None:
        self.run, self.options, self.tables = run, options, tables
        self.places, self.legacy, self.reporter, self.stop = places, legacy, reporter, stop
        self.report = Report(dry_run=run is None, format=options.format, run_id=run.pk if run else None)
        self.sheets: Sheets | None = None

    def run_to_end(self) -> Report:
        started = time.monotonic()
        status = Status.FAILED
        try:
            if self.options.format == Format.GOOGLE:
                self.export_google()
            else:
                self.export_files()
            if not self.report.error and not self.report.failures:
                status = Status.SUCCEEDED
        except (Stopped, KeyboardInterrupt):
            self.report.break_off(STOPPED)
        except RunLost as error:
            self.report.break_off(f"{error}; this one ends")
        except Exception as error:
            self.report.error = failed_words(error)
            raise
        finally:
            self.report.seconds = time.monotonic() - started
            self.count_calls()
            self.close_run(status)
        self.reporter.finish(self.report)
        return self.report

    # --- Google

    def export_google(self) -> None:
        with self.opened_sheets() as sheets:
            for table, warnings in self.tables:
                tab = TabReport(table.title, len(table.rows), warnings=warnings)
                self.report.tabs.append(tab)
                try:
                    published = self.publish(sheets, table, tab)
                except ExportProblem as error:
                    tab.error = str(error) if error.refused else with_title(table.title, str(error))
                    if isinstance(error, GuardTripped):
                        self.report.tripped, tab.difference = True, error.difference
                    self.save_tab(tab)
                    if error.refused:
                        self.report.refused = True
                        return
                else:
                    tab.difference, tab.is_sent, tab.link = published.difference, published.is_sent, published.link
                    tab.warnings = [*warnings, *published.warnings]
                    tab.guard = published.guard
                    self.save_tab(tab, published)

    @contextmanager
    def opened_sheets(self) -> Iterator[Sheets]:
        self.sheets = Sheets(
            settings.SPREADSHEET_ID,
            earlier=calls_of_last_minute(timezone.now()),
            stop=self.stop,
            on_wait=lambda words: self.step(self.report.tabs[-1].title if self.report.tabs else "", words),
        )
        try:
            yield self.sheets
        finally:
            self.sheets.close()

    def publish(self, sheets: Sheets, table: Table, tab: TabReport) -> Published:
        refuse_none(table)
        refuse_long_cells(table)
        last = last_published(table.title)
        publication = Publication(
            sheets,
            table,
            last,
            force=self.options.force,
            confirmed=self.confirmed(table.title),
            step=lambda words: self.step(table.title, words),
            on_swap=lambda difference, sheet_id: self.save_intent(tab, difference, table, sheet_id),
        )
        if self.run is None:
            return publication.dry_run()
        published = publication.run()
        if publication.was_pending and last.exported_id is not None:
            settle(last.exported_id)
        return published

    def confirmed(self, title: str) -> Confirmed | None:
        """What somebody had looked at before he let this run go on."""
        rows = ExportedTab.objects.filter(run_id=self.options.confirms, title=title).values_list("removed", "changed")
        return None if self.options.confirms is None else Confirmed(*(rows.first() or (0, 0)))

    # --- files

    def export_files(self) -> None:
        by_table = {table.title: warnings for table, warnings in self.tables}
        for path, tables in self.places.items():
            for table in tables:
                tab = TabReport(table.title, len(table.rows), link=str(path), warnings=by_table[table.title])
                self.report.tabs.append(tab)
            self.export_file(path, tables, self.report.tabs[-len(tables) :])

    def export_file(self, path: Path, tables: list[Table], tabs: list[TabReport]) -> None:
        try:
            for table, tab in zip(tables, tabs, strict=True):
                refuse_none(table)
                tab.difference = file_difference(path, table)
            data = file_of(tables, self.options.format, legacy=self.legacy)
            if self.run is not None:
                save_file(path, data)
        except (ExportProblem, FileProblem) as error:
            for tab in tabs:
                tab.error = str(error)
        for tab in tabs:
            tab.is_sent = self.run is not None and not tab.error
            self.save_tab(tab)

    # --- the ledger

    def step(self, title: str, words: str) -> None:
        self.reporter.step(title, words)
        if self.run is not None:
            self.count_calls()
            update(self.run, step=f"{title}: {words}" if title else words, **self.calls())

    def count_calls(self) -> None:
        if self.sheets is not None:
            self.report.reads, self.report.writes = self.sheets.reads, self.sheets.writes
            self.report.bytes_sent = self.sheets.bytes_sent

    def calls(self) -> Mapping[str, int]:
        return {"reads": self.report.reads, "writes": self.report.writes, "bytes_sent": self.report.bytes_sent}

    def save_intent(self, tab: TabReport, difference: Difference, table: Table, sheet_id: int) -> None:
        """What is about to be published, so that it is known also where we are killed in that moment."""
        assert self.run is not None
        with transaction.atomic():
            update(self.run)  # whoever was taken for dead publishes nothing
            exported = self.replaced_tab(replace(tab, difference=difference), sheet_id)
            save_snapshot(exported, replace(table, rows=difference.order), is_pending=True)

    def replaced_tab(self, tab: TabReport, sheet_id: int | None = None) -> ExportedTab:
        """The row of a tab, in the place of what this run has written of it so far."""
        assert self.run is not None
        self.run.exported.filter(title=tab.title).delete()
        return ExportedTab.objects.create(
            run=self.run,
            title=tab.title,
            **tab.counts(),
            difference=tab.difference.as_json(),
            warnings=tab.warnings,
            error=mask_secrets(tab.error),
            is_published=tab.is_sent,
            link=tab.link if sheet_id is not None else "",
            sheet_id=sheet_id,
        )

    def save_tab(self, tab: TabReport, published: Published | None = None) -> None:
        """What was found and done, with what readers see now: also where it was right already, but not known to be."""
        if self.run is None:
            return
        with transaction.atomic():
            update(self.run)
            before = self.run.exported.filter(title=tab.title)  # by a process of this run that was killed
            if not tab.is_sent and before.filter(is_published=True).exists():
                return
            if tab.error and before.filter(snapshot__is_pending=True).exists():
                # It failed at the one call, which may have been done all the same: the next run looks.
                before.update(error=mask_secrets(tab.error))
                return
            exported = self.replaced_tab(tab, published.sheet_id if published else None)
            if published is not None:
                now = published.as_it_stands()
                if published.is_sent or last_published(tab.title).table != now:
                    save_snapshot(exported, now)

    def close_run(self, status: str) -> None:
        if self.run is None:
            return
        error = self.report.error or "\n".join(tab.error for tab in self.report.failures)
        link = next((tab.link.split("#")[0] for tab in self.report.tabs if tab.link), "")
        try:
            finish(
                self.run,
                status,
                error=mask_secrets(error),
                tripped=self.report.tripped,
                link=link if self.options.format == Format.GOOGLE else "",
                **self.calls(),
            )
        except RunLost:
            log.warning("the row of export %s could not be closed: somebody has", self.run.pk)


def with_title(title: str, words: str) -> str:
    """Which tab it is about, where the words do not say so."""
    return words if title in words else f"{title}: {words}"
