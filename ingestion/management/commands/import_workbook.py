import json
import threading
import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.alarms import problems_told
from catalog.sheet import FileProblem
from ingestion.models import SyncRun
from ingestion.report import LINE_EVERY
from ingestion.runs import AlreadyRunning, RunLost
from ingestion.sources.google_workbook import fetch_workbook, workbook_id
from ingestion.sources.http import Stopped, UpstreamError
from ingestion.workbook import Report, import_workbook
from ingestion.workbook_file import read_workbook
from ingestion.workbook_plan import Outcome
from ingestion.workbook_report import Listing, as_json, text_of
from ingestion.workbook_tabs import SHOW_INFO, Workbook
from trr_site.command_line import check_database, one_line_errors, signals_as_event
from trr_site.google_account import google_problems

GOOGLE: Final = "google"


class Command(BaseCommand):
    help = (
        "Move in: read the old workbook from Google Sheets, an XLSX file or a folder of CSVs. The rows of ShowInfo "
        "become shows with their ids; overrides, and what people have changed by hand, become locked values. The rows "
        "of the other tabs are kept. Without --write it only says what it would do. A doubtful row is named by its "
        "tab, its number and the reason; the good ones stay."
    )
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source",
            metavar="SOURCE",
            help=f"an XLSX file; a folder with {SHOW_INFO}.csv; {GOOGLE}, the workbook of SPREADSHEET_ID; or the id or "
            "the address of another workbook in Google Sheets",
        )
        parser.add_argument("--write", action="store_true", help="write it")
        parser.add_argument("--dry-run", action="store_true", help="write nothing, say what would be (the default)")
        parser.add_argument("--json", action="store_true", help="the closing report as one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["write"] and options["dry_run"]:
            raise CommandError("--write and --dry-run exclude each other", returncode=2)
        check_database()
        with problems_told(dry_run=not options["write"]), one_line_errors(), signals_as_event() as interrupt:
            workbook = self.read(options["source"], interrupt)
            listing = Listing()
            report = self.import_it(workbook, listing, interrupt, options)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(workbook, report, listing)))
        else:
            for line in text_of(workbook, report, listing, detailed=options["verbosity"] > 1):
                self.stdout.write(line)
        end(report)

    def read(self, source: str, interrupt: threading.Event) -> Workbook:
        try:
            if (spreadsheet_id := google_id(source)) is None:
                return read_workbook(Path(source))
            return fetch_workbook(spreadsheet_id, interrupt)
        except FileProblem as error:
            raise CommandError(f"{source}: {error}", returncode=2) from None
        except UpstreamError as error:
            raise CommandError(f"{source}: {error}", returncode=1) from None
        except (Stopped, KeyboardInterrupt):
            raise CommandError("stopped by a signal; nothing was tried", returncode=1) from None

    def import_it(
        self, workbook: Workbook, listing: Listing, interrupt: threading.Event, options: dict[str, Any]
    ) -> Report:
        said = time.monotonic()

        def tell(tab: str, outcome: Outcome) -> None:
            nonlocal said
            if not options["json"] and time.monotonic() - said >= LINE_EVERY:
                said = time.monotonic()
                self.stdout.write(f"{tab}: at row {outcome.number:,}")
            for flaw in outcome.flaws:
                self.stderr.write(f"{tab} row {outcome.number}: {flaw}")
            listing.add(tab, outcome)

        try:
            return import_workbook(
                workbook,
                write=options["write"],
                options={"workbook": f"{workbook.name} ({options['source']})"},
                on_outcome=tell,
                interrupt=interrupt,
            )
        except FileProblem as error:
            raise CommandError(f"{options['source']}: {error}", returncode=2) from None
        except AlreadyRunning as error:
            raise CommandError(str(error), returncode=3) from None
        except RunLost as error:
            raise CommandError(str(error), returncode=1) from None


def google_id(source: str) -> str | None:
    """The id of a workbook in Google Sheets; None where a file or a folder is meant."""
    if source == GOOGLE:
        problems, named = google_problems(), str(settings.SPREADSHEET_ID)
    elif (found := workbook_id(source)) is None or Path(source).exists():
        return None
    else:
        problems, named = google_problems(workbook=False), found
    if problems:
        raise CommandError("\n".join(problems), returncode=2)
    return named


def end(report: Report) -> None:
    """Raises what makes the command's exit code."""
    if report.status == SyncRun.Status.CANCELLED:
        raise CommandError(f"{report.error}; run it again to import the rest", returncode=1)
    if report.status == SyncRun.Status.STOPPED:
        raise CommandError("stopped by a signal; run it again to import the rest", returncode=1)
    rows, are = ("row", "is") if report.rows == 1 else ("rows", "are")
    have = "has" if report.doubts == 1 else "have"
    parts = [f"{report.doubtful:,} of {report.rows:,} {rows} {are} doubtful"] if report.doubtful else []
    parts += [f"{report.doubts:,} of {report.rows:,} {rows} {have} a doubtful value"] if report.doubts else []
    if parts:
        raise CommandError(" and ".join(parts), returncode=1)
