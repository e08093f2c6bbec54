"""What every command of a sync has in common: its options, its exit codes, and that it never ends in a traceback.

Exit codes: 0 all done; 1 some items failed, each named on stderr; 2 wrong usage or configuration, nothing
was tried; 3 another run of the same kind is going on.
"""

import json
import threading
from argparse import BooleanOptionalAction
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.alarms import problems_told
from catalog.models.show import is_imdb_id
from ingestion.checks import tmdb_problems
from ingestion.models import Stage, SyncRun
from ingestion.options import Options
from ingestion.report import Report, Reporter, TextReporter
from ingestion.retries import last_to_retry, retry_problem
from ingestion.runs import AlreadyRunning
from ingestion.selection import unknown_ids
from ingestion.sync import sync_shows
from trr_site.command_line import (
    argument,
    check_database,
    database_problems,
    one_line_errors,
    positive,
    signals_as_event,
)

LAST = 0  # no number of a run


class SyncCommand(BaseCommand):
    """Syncs `stages` of the chosen shows; a subclass says which and describes itself."""

    stages: ClassVar[frozenset[Stage]]
    kind: ClassVar[str]
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_argument_group("which shows (all that are due, when none is named)")
        which.add_argument("--all", action="store_true", help="every show that is due (the default)")
        which.add_argument("--show-id", type=uuid, action="append", default=[], metavar="UUID", help="repeatable")
        which.add_argument("--tmdb-id", type=positive, action="append", default=[], metavar="N", help="repeatable")
        which.add_argument("--imdb-id", type=imdb_id, action="append", default=[], metavar="tt...", help="repeatable")
        which.add_argument(
            "--limit", type=positive, metavar="N", help="at most N of the shows that are due, the longest untried first"
        )
        which.add_argument(
            "--retry-failed",
            type=positive,
            nargs="?",
            const=LAST,
            metavar="RUN",
            help="what run RUN failed at, whatever its age; without a number: the last one of this command",
        )
        due = parser.add_argument_group("what is due")
        due.add_argument(
            "--incremental",
            action=BooleanOptionalAction,
            default=True,
            help="skip what is fresh (the default); --no-incremental takes fresh shows too",
        )
        due.add_argument(
            "--resume",
            action=BooleanOptionalAction,
            default=None,
            help="retry what failed (the default); with --force or --no-incremental: go on with the run that was cut "
            "off, leaving out what it had done. --no-resume leaves failed shows for another time",
        )
        due.add_argument("--force", action="store_true", help="all shows, also those found gone upstream")
        due.add_argument(
            "--since", type=day, metavar="DATE", help="read TMDb's list of changes from DATE (14 days back at most)"
        )
        how = parser.add_argument_group("how")
        how.add_argument("--dry-run", action="store_true", help="write nothing; say what would change")
        how.add_argument("--max-failures", type=positive, metavar="N", help="stop after N failures")
        how.add_argument("--json", action="store_true", help="the closing report as one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        check_configuration()
        chosen = self.options_of(options)
        if chosen.is_selection and options["all"]:
            raise CommandError("--all goes without --show-id, --tmdb-id and --imdb-id", returncode=2)
        if (retried := options["retry_failed"]) is not None:
            if chosen.is_selection or options["all"] or options["since"]:
                others = "--all, --show-id, --tmdb-id, --imdb-id and --since"
                raise CommandError(f"--retry-failed goes without {others}", returncode=2)
            with one_line_errors():
                run = self.run_to_retry(retried)
            if run is None:
                self.reporter(options).out.write(f"no run of {self.kind} has left failures: there is nothing to do\n")
                self.close(Report(dry_run=chosen.dry_run), options)
                return
            chosen = replace(chosen, retry_of=run.pk)
        with one_line_errors():
            if unknown := unknown_ids(chosen) if chosen.is_selection else []:
                raise CommandError(f"no show has the id {', '.join(unknown)}: nothing was done", returncode=2)
        with problems_told(dry_run=chosen.dry_run):
            with one_line_errors(), signals_as_event() as interrupt:
                report = self.run(chosen, self.reporter(options), interrupt)
            self.close(report, options)

    def close(self, report: Report, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        if report.exit_code:
            raise CommandError(closing_error(report), returncode=report.exit_code)

    def run_to_retry(self, named: int) -> SyncRun | None:
        """The run that is named, or the last one with failures. Raises CommandError for one that can't be retried."""
        if named == LAST:
            return last_to_retry(self.kind)
        run = SyncRun.objects.filter(pk=named).first()
        problem = retry_problem(run) if run else f"there is no run {named}"
        if problem:
            raise CommandError(f"{problem}: nothing was done", returncode=2)
        return run

    def options_of(self, options: dict[str, Any]) -> Options:
        names = ("limit", "dry_run", "incremental", "resume", "force", "since", "max_failures")
        return Options(
            stages=options.get("stages") or self.stages,
            show_ids=tuple(options["show_id"]),
            tmdb_ids=tuple(options["tmdb_id"]),
            imdb_ids=tuple(options["imdb_id"]),
            skip_logos=options.get("skip_logos", False),
            **{name: options[name] for name in names},
        )

    def reporter(self, options: dict[str, Any]) -> TextReporter:
        # With --json stdout holds the one object and nothing else.
        out = self.stderr if options["json"] else self.stdout
        return TextReporter(out, self.stderr, verbosity=options["verbosity"])

    def run(self, options: Options, reporter: Reporter, interrupt: threading.Event) -> Report:
        try:
            return sync_shows(options, kind=self.kind, reporter=reporter, interrupt=interrupt)
        except AlreadyRunning as error:
            raise CommandError(str(error), returncode=3) from None
        except KeyboardInterrupt:
            raise CommandError("stopped by a signal", returncode=1) from None


def closing_error(report: Report) -> str:
    if report.error:
        return report.error
    shows, logos = report.counts["failed"], report.counts["logos failed"]
    parts = [f"{shows} of {report.total} shows"] if shows else []
    parts += [f"{logos} logo{'' if logos == 1 else 's'}"] if logos else []
    parts += ["the list of changes"] if len(report.failures) > shows + logos else []
    return f"{' and '.join(parts)} failed; the next run tries again"


def check_configuration() -> None:
    """Raises CommandError with exit code 2, one line a problem, when nothing could be done."""
    if problems := list(dict.fromkeys([*database_problems(), *tmdb_problems()])):
        raise CommandError("\n".join(problems), returncode=2)
    check_redis()
    check_database()


def check_redis() -> None:
    """Raises CommandError with exit code 2 when the shared request budget is configured and out of reach."""
    if not settings.REDIS_URL:
        return
    reason = ""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5, socket_timeout=5) as connection:
            connection.ping()
    except redis.RedisError as error:
        reason = f"no connection to the Redis of REDIS_URL ({type(error).__name__})"
    if reason:
        raise CommandError(reason, returncode=2)


def read_imdb_id(text: str) -> str:
    if not is_imdb_id(text):
        raise ValueError
    return text


uuid = argument(UUID, "a UUID")
imdb_id = argument(read_imdb_id, "tt and at least 7 digits")
day = argument(date.fromisoformat, "a date like 2026-11-23")
