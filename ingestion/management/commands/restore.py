from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.backup_file import Failed, Refused
from ingestion.backups import Restored, check_backup, restore


class Command(BaseCommand):
    help = (
        "Fill an empty database from a backup (`migrate` may have been run, or not), and count the rows of every table "
        "again. A database that holds anything is refused and left as it is. Stop web and worker before."
    )
    requires_system_checks = []  # what this needs is checked on the way, with exit code 2

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a file that `manage.py backup` has made")
        parser.add_argument(
            "--check", action="store_true", help="restore nothing, say whether the file is whole and can be restored"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            if options["check"]:
                self.stdout.write(f"{path} is whole: {check_backup(path)}")
                return
            restored = restore(path)
        except Refused as error:
            raise CommandError(str(error), returncode=2) from None
        except Failed as error:
            raise CommandError(str(error), returncode=1) from None
        self.tell(restored)

    def tell(self, restored: Restored) -> None:
        for name, (told, found) in restored.different.items():
            self.stderr.write(f"{name}: {told} rows in the backup, {'no table' if found is None else found} here")
        if restored.needs_migrate:
            self.stdout.write("the code is newer than the backup: run `manage.py migrate`")
        if restored.different:
            tables = "table differs" if len(restored.different) == 1 else "tables differ"
            raise CommandError(f"restored, but {len(restored.different)} {tables} from the backup", returncode=1)
        self.stdout.write(f"restored, and each table has the rows that the backup says: {restored.manifest}")
