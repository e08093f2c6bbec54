import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from catalog.alarms import problems_told
from ingestion.imports import EXCLUDED, Outcome, Report, import_shows
from ingestion.models import SyncRun
from ingestion.runs import AlreadyRunning, RunLost
from trr_site.command_line import check_database, first_line, signals_as_event


class Command(BaseCommand):
    help = (
        "Import shows from a CSV file with the columns name, imdb_id and tmdb_id (or the old sheet's Show, "
        "IMDbSeriesID, TMDbSeriesID) and, where there, premiere_date and override. A bad line is named by its "
        "number and its reason; the good ones stay. A show that is known gets what it lacks and keeps what it has. "
        "One that an editor has deleted or merged is excluded."
    )
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the CSV file, in UTF-8; - reads it from the standard input")
        parser.add_argument("--dry-run", action="store_true", help="write nothing, say what would be done")
        parser.add_argument("--limit", type=int, metavar="N", help="take at most N good lines")
        parser.add_argument("--json", action="store_true", help="print the closing report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        limit, dry_run = options["limit"], options["dry_run"]
        if limit is not None and limit < 1:
            raise CommandError(f"--limit {limit} is not a number above 0", returncode=2)
        check_database()
        with problems_told(dry_run=dry_run):
            self.import_file(options["file"], limit, dry_run=dry_run, as_object=options["json"])

    def import_file(self, path: str, limit: int | None, *, dry_run: bool, as_object: bool) -> None:
        listed: list[dict[str, Any]] = []
        excluded: list[Outcome] = []

        def tell(outcome: Outcome) -> None:
            if outcome.kind == "failed":
                self.stderr.write(f"line {outcome.line}: {outcome.reason}")
            if outcome.kind == EXCLUDED:
                excluded.append(outcome)
            if as_object and (dry_run or outcome.kind == "failed"):
                listed.append(as_json(outcome))

        try:
            with opened(path) as file, signals_as_event() as interrupt:
                report = import_shows(
                    file,
                    limit=limit,
                    dry_run=dry_run,
                    options={"file": path, "limit": limit},
                    on_outcome=tell,
                    interrupt=interrupt,
                )
        except AlreadyRunning as error:
            raise CommandError(str(error), returncode=3) from None
        except RunLost as error:
            raise CommandError(str(error), returncode=1) from None
        except OperationalError as error:
            raise CommandError(f"the database failed: {first_line(error)}", returncode=1) from None

        if as_object:
            closing = asdict(report) | {"lines": report.lines, "seconds": round(report.seconds, 3)}
            if excluded:
                closing["excluded"] = [as_json(outcome) for outcome in excluded]
            self.stdout.write(json.dumps(closing | {"outcomes" if dry_run else "failures": listed}))
        else:
            if report.unused_columns:
                self.stdout.write(f"columns not used: {', '.join(map(repr, report.unused_columns))}")
            for outcome in excluded:
                self.stdout.write(f"line {outcome.line}: excluded: {outcome.reason}")
            self.stdout.write(closing_line(report))
        end(report, path)


def end(report: Report, path: str) -> None:
    """Raises what makes the command's exit code."""
    lines = "line" if report.lines == 1 else "lines"
    rest = f"after {report.lines} {lines}; run it again to import the rest"
    if report.status == SyncRun.Status.CANCELLED:
        raise CommandError(f"{report.error}, {rest}", returncode=1)
    if report.error:
        raise CommandError(f"{path}: {report.error}", returncode=1 if report.lines else 2)
    if report.status == SyncRun.Status.STOPPED:
        raise CommandError(f"stopped {rest}", returncode=1)
    if report.failed:
        verb = "is" if report.failed == 1 else "are"
        raise CommandError(f"{report.failed} of {report.lines} {lines} {verb} bad", returncode=1)


def closing_line(report: Report) -> str:
    words = ("would create", "would update") if report.dry_run else ("created", "updated")
    counts = report.counts
    excluded = f"excluded {counts[EXCLUDED]}, " if counts.get(EXCLUDED) else ""
    return (
        f"{words[0]} {counts['created']}, {words[1]} {counts['updated']}, unchanged {counts['unchanged']}, "
        f"{excluded}failed {counts['failed']} in {report.seconds:.1f} s"
    )


def as_json(outcome: Outcome) -> dict[str, Any]:
    if outcome.kind == "failed":
        return {"line": outcome.line, "outcome": "failed", "reason": outcome.reason}
    if outcome.kind == EXCLUDED:
        return {"line": outcome.line, "outcome": EXCLUDED, "name": outcome.name, "reason": outcome.reason}
    return {"line": outcome.line, "outcome": outcome.kind, "name": outcome.name, "fields": list(outcome.fields)}


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        if sys.stdin is None:  # closed by the shell
            raise CommandError("-: the standard input is closed", returncode=2)
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below, where an error is not one of opening
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise CommandError(f"{path}: the file can't be read: {reason}", returncode=2) from None
    with file:
        yield file
