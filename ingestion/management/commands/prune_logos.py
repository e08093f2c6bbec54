import json
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from catalog.alarms import problems_told
from catalog.logo_files import StoredFile, printable
from ingestion.prune_logos import PruneReport, prune_logos
from ingestion.runs import AlreadyRunning
from trr_site.command_line import check_database, signals_as_event


class Command(BaseCommand):
    help = (
        "Delete the stored logos that no row names and that are older than LOGO_GRACE_DAYS, in the media folder or in "
        "the bucket. Without --delete it only says what would go."
    )
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--delete", action="store_true", help="delete them")
        parser.add_argument("--dry-run", action="store_true", help="delete nothing, say what would go (the default)")
        parser.add_argument("--json", action="store_true", help="the closing report as one JSON object on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["delete"] and options["dry_run"]:
            raise CommandError("--delete and --dry-run exclude each other", returncode=2)
        check_database()
        with problems_told(dry_run=not options["delete"]), signals_as_event() as interrupt:
            try:
                report = prune_logos(delete=options["delete"], interrupt=interrupt)
            except ImproperlyConfigured as error:
                raise CommandError(str(error), returncode=2) from None
            except AlreadyRunning as error:
                raise CommandError(str(error), returncode=3) from None
            except KeyboardInterrupt:
                raise CommandError("stopped by a signal", returncode=1) from None
        for key, reason in report.failures:
            self.stderr.write(f"{printable(key)}: {reason}")
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        elif report.files or not report.error:
            self.tell(report, detailed=options["verbosity"] > 1)
        if report.error:
            raise CommandError(report.error, returncode=report.exit_code)
        if report.failures:
            count = len(report.failures)
            raise CommandError(
                f"{count} file{'' if count == 1 else 's'} could not be deleted; the next run tries again", returncode=1
            )

    def tell(self, report: PruneReport, *, detailed: bool) -> None:
        verb = "would delete" if report.dry_run else "deleted"
        gone = report.orphans if report.dry_run else report.deleted
        if detailed:
            for file in gone:
                self.stdout.write(f"{verb} {printable(file.key)}")
            for key in report.missing:
                self.stdout.write(f"not stored: {printable(key)}")
        self.stdout.write(
            f"{verb} {len(gone)} of {report.files} files, {size(gone)}; kept: {report.named} that rows name, "
            f"{report.young} younger than {settings.LOGO_GRACE.days} days"
        )
        if report.missing:
            self.stdout.write(
                f"logos that rows name and that are not stored: {len(report.missing)} (-v 2 lists them); "
                'select them in admin, "Mirror the logo again", and sync'
            )
        if report.dry_run:
            self.stdout.write("dry run: nothing was deleted; --delete does it")


def size(files: list[StoredFile]) -> str:
    return str(filesizeformat(sum(file.bytes for file in files))).replace("\xa0", " ")
