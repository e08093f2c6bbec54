import json
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalog.alarms import problems_told
from ingestion.retention import prune_history
from ingestion.runs import AlreadyRunning
from trr_site.command_line import check_database, signals_as_event


class Command(BaseCommand):
    help = (
        "Drop what is no longer kept: changes from the history and the feed, runs, done tasks, raw replies. For how "
        "long is said by HISTORY_DAYS, VOLATILE_HISTORY_DAYS, RUNS_DAYS, TASKS_DAYS and RAW_REPLIES_DAYS. The newest "
        "change of each show, and of each job the newest run and the newest that succeeded, always stay."
    )
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def add_arguments(self, parser: CommandParser) -> None:
        days = settings.HISTORY_KEPT.days
        parser.add_argument("--days", type=int, metavar="N", help=f"keep changes for N days (default: {days})")
        parser.add_argument("--dry-run", action="store_true", help="drop nothing, say how much it would be")
        parser.add_argument("--json", action="store_true", help="the closing report as one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--days: a number from 1 to 36500 is expected", returncode=2)
        kept = timedelta(days=days) if days is not None else None
        check_database()
        with problems_told(dry_run=options["dry_run"]), signals_as_event() as interrupt:
            try:
                report = prune_history(kept, dry_run=options["dry_run"], interrupt=interrupt)
            except ImproperlyConfigured as error:
                raise CommandError(str(error), returncode=2) from None
            except AlreadyRunning as error:
                raise CommandError(str(error), returncode=3) from None
            except KeyboardInterrupt:
                raise CommandError("stopped by a signal", returncode=1) from None
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        else:
            verb = "would drop" if report.dry_run else "dropped"
            self.stdout.write(f"{verb} {', '.join(f'{count} {what}' for what, count in report.counts.items())}")
        if report.error:
            raise CommandError(report.error, returncode=report.exit_code)
