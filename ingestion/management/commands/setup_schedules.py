from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from ingestion.schedules import create_missing
from trr_site.command_line import check_database, one_line_errors


class Command(BaseCommand):
    help = (
        "Create the schedules that are not there yet. One that is there stays as it is; to be rid of one, set its "
        "repeats to 0 in admin: one that is deleted is created again."
    )
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def handle(self, *args: Any, **options: Any) -> None:
        check_database()
        with one_line_errors():
            created, left = create_missing(timezone.now())
        for schedule in created:
            moment = f"{schedule.next_run:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(f"created: {schedule.name} ({schedule.cron}), first at {moment}")
        for name in left:
            self.stdout.write(f"left alone: {name}")
