"""Backup and restore: one file that holds the whole database and says how many rows of each table must be in it.

Files (local logos) are not in it.
"""

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from catalog.feed import begin_anew
from catalog.models import FeedStart, Show
from ingestion import backup_postgresql, backup_sqlite
from ingestion.backup_file import Backup, Contents, Failed, Manifest, Refused, check_new, opened_backup, save_backup
from trr_site.command_line import database_name, database_problems, first_line, has_pending_migrations
from trr_site.version import code_version

# What `migrate` itself writes: a database with rows in these alone is empty.
FILLED_BY_MIGRATE: Final = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "catalog_revision",
    "django_content_type",
    "django_migrations",
}


class Engine(Protocol):
    DUMP: str

    def check_source(self) -> None: ...
    def dump(self, file: Any, backup: Path) -> Contents: ...
    def check_dump(self, dump: IO[bytes]) -> None: ...
    def restore(self, dump: IO[bytes], manifest: Manifest, check_empty: Callable[[dict[str, int]], None]) -> None: ...
    def read_rows(self) -> dict[str, int]: ...


ENGINES: Final[dict[str, Engine]] = {"sqlite": backup_sqlite, "postgresql": backup_postgresql}


FEED_START: Final = FeedStart._meta.db_table


@dataclass(frozen=True, slots=True)
class Restored:
    """`different`: tables whose number of rows is not that of the backup, as (backup, database); None: no table."""

    manifest: Manifest
    different: dict[str, tuple[int, int | None]]
    needs_migrate: bool


def back_up(path: Path) -> Manifest:
    """Writes the whole database, as it is in one moment, to a new file. Raises Refused and Failed."""
    engine = configured_engine()
    check_new(path)
    try:
        engine.check_source()
        if Show._meta.db_table not in connection.introspection.table_names():
            raise Refused(f"the database {database_name()} holds no catalogue: there is nothing to back up")
    except DatabaseError as error:
        raise Refused(f"no connection to the database {database_name()} ({first_line(error)})") from None
    try:
        with stoppable():
            return save_backup(
                path, connection.vendor, code_version(), engine.DUMP, lambda file: engine.dump(file, path)
            )
    except (DatabaseError, sqlite3.Error) as error:
        raise Failed(f"the database {database_name()} failed: {first_line(error)}") from None
    except OSError as error:
        raise Failed(f"{path} can't be written: {error.strerror or error}") from None


def check_backup(path: Path) -> Manifest:
    """Reads all of a backup and no database. Raises Refused for one that could not be restored."""
    with opened_backup(path) as backup:
        check_dump(backup)
        return backup.manifest


def restore(path: Path) -> Restored:
    """Fills an empty database from a backup, then counts every table again. Raises Refused and Failed.

    Readers of the change feed are told to read all anew: it is not the past that they have seen.
    """
    engine = configured_engine()
    with opened_backup(path) as backup:
        manifest = backup.manifest
        if manifest.engine != connection.vendor:
            raise Refused(f"{path} is a backup of {manifest.engine}, and DATABASE_URL names {connection.vendor}")
        check_migrations(manifest)
        check_dump(backup)
        try:
            with stoppable(), backup.dump() as dump:
                engine.restore(dump, manifest, check_empty)
                if FEED_START in manifest.rows:
                    begin_anew()
            rows = engine.read_rows()
            needs_migrate = has_pending_migrations()
        except (DatabaseError, sqlite3.Error) as error:
            raise Failed(f"the database {database_name()} failed: {first_line(error)}") from None
        except OSError as error:
            raise Failed(f"the database {database_name()} can't be written: {error.strerror or error}") from None
    expected = manifest.rows | ({FEED_START: 1} if FEED_START in manifest.rows else {})
    different = {name: (told, rows.get(name)) for name, told in expected.items() if rows.get(name) != told}
    return Restored(manifest, different, needs_migrate)


def configured_engine() -> Engine:
    if problems := database_problems():
        raise Refused("\n".join(problems))
    return ENGINES[connection.vendor]


def check_dump(backup: Backup) -> None:
    engine = ENGINES.get(backup.manifest.engine)
    if engine is None:
        raise Refused(f"the backup is of {backup.manifest.engine!r}, which this code does not know")
    with backup.dump() as dump:
        engine.check_dump(dump)


def check_migrations(manifest: Manifest) -> None:
    """Raises Refused for a backup of newer code: nobody could take its migrations back."""
    known = MigrationLoader(None).disk_migrations
    if unknown := [f"{app}.{name}" for app, name in manifest.migrations if (app, name) not in known]:
        by = f" ({manifest.code_version})" if manifest.code_version else ""
        raise Refused(
            f"the backup was made by newer code{by}, with migrations that this code does not know: "
            f"{', '.join(unknown)}. Restore it with that code"
        )


def check_empty(rows: dict[str, int]) -> None:
    """Raises Refused for a database in which anything would be lost."""
    if filled := {name: count for name, count in rows.items() if count and name not in FILLED_BY_MIGRATE}:
        named = ", ".join(f"{name} ({count} row{'s' if count > 1 else ''})" for name, count in filled.items())
        raise Refused(f"the database {database_name()} is not empty: {named}. Restore into a new one")


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that neither part of a file nor a child is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise Failed("stopped by a signal") from None
    finally:
        signal.signal(signal.SIGTERM, before)
