from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from ingestion.alerts import check_problems
from trr_site.command_line import check_database, database_name, environment_problems, first_line

NEEDED = ("SITE_URL", "ALERT_", "EMAIL_URL", "REDIS_URL")


class Command(BaseCommand):
    help = (
        "Look for problems of the jobs, tell those that are new or over by mail and webhook, and print the open ones. "
        "Exit code 1 if any is open. The worker does the same each minute."
    )
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def handle(self, *args: Any, **options: Any) -> None:
        if wrong := environment_problems(*NEEDED):
            raise CommandError("\n".join(wrong), returncode=2)
        check_database()
        reason = ""
        try:
            problems = check_problems()
        except DatabaseError as error:
            reason = f"the database {database_name()} failed: {first_line(error)}"
        if reason:
            raise CommandError(reason, returncode=2)
        for problem in problems:
            self.stdout.write(f"{problem.key}, since {problem.since:%Y-%m-%d %H:%M} UTC: {problem.text}")
            if problem.telling_error:
                self.stderr.write(f"{problem.key} was not told everywhere: {problem.telling_error}")
        if problems:
            count = len(problems)
            raise CommandError(f"{count} problem{'' if count == 1 else 's'}", returncode=1)
