"""`manage.py prune_history`: drops changes that are no longer kept."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from catalog.retention import prune_changes


class Command(BaseCommand):
    help = "Drop old changes from the history and the feed. The newest change of each show always stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        days = settings.HISTORY_KEPT.days
        parser.add_argument("--days", type=int, help=f"keep changes for so many days (default: {days})")
        parser.add_argument("--dry-run", action="store_true", help="drop nothing, say how much it would be")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--days: a number from 1 to 36500 is expected", returncode=2)
        kept = timedelta(days=days) if days is not None else None
        try:
            pruned = prune_changes(timezone.now(), kept, dry_run=options["dry_run"])
        except DatabaseError as error:
            raise CommandError(f"the database is out of reach: {type(error).__name__}", returncode=1) from error
        verb = "would drop" if options["dry_run"] else "dropped"
        self.stdout.write(f"{verb} {pruned.volatile} changes of votes and popularity, {pruned.old} others")
