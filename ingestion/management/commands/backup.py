from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.backup_file import Failed, Refused
from ingestion.backups import back_up


class Command(BaseCommand):
    help = (
        "Write the whole database, as it is in one moment, to one new file, while all else goes on. The file has its "
        "name only when it is whole; one that is there is never overwritten. Logos in a local folder are not in it."
    )
    requires_system_checks = []  # what this needs is checked on the way, with exit code 2

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the file to make, like trr-2026-11-23.zip")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            manifest = back_up(path)
        except Refused as error:
            raise CommandError(str(error), returncode=2) from None
        except Failed as error:
            raise CommandError(str(error), returncode=1) from None
        size = path.stat().st_size
        self.stdout.write(f"backed up {len(manifest.rows)} tables, {manifest.total} rows: {path}, {size:,} bytes")
