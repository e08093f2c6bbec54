"""A dump of SQLite: a copy of the file, made and put back by SQLite itself, so that neither misses the WAL."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Final

from django.db import connection

from ingestion.backup_file import BLOCK, Contents, Failed, Manifest, Refused, check_folder, part_of

DUMP: Final = "dump.sqlite3"
WAIT: Final = 5.0  # seconds for whoever has the database open to be done


def database_path() -> Path:
    return Path(connection.settings_dict["NAME"])


def check_source() -> None:
    """Raises Refused where there is no database: to connect would make an empty one."""
    if not database_path().is_file():
        raise Refused(f"there is no database {database_path()}")


def dump(file: Any, backup: Path) -> Contents:
    """Writes a copy of the database as it is in one moment; writers go on meanwhile."""
    with part_of(backup) as copy:
        with connection.cursor() as cursor:
            # In one read transaction, into a file that holds what is in use and no page that was freed. (The backup
            # API copies page by page, and begins anew whenever another process has written.)
            cursor.execute("VACUUM INTO %s", [str(copy)])
            # Asked over Django's connection, which knows the functions that our constraints call.
            cursor.execute("ATTACH DATABASE %s AS copy", [str(copy)])
            try:
                check_integrity(cursor)
                contents = Contents(sqlite3.sqlite_version, "", applied_migrations(cursor), count_rows(cursor, "copy"))
            finally:
                cursor.execute("DETACH DATABASE copy")
        with copy.open("rb") as source:
            shutil.copyfileobj(source, file, BLOCK)
    return contents


def check_integrity(cursor: Any) -> None:
    cursor.execute("PRAGMA copy.integrity_check(1)")
    problem = cursor.fetchone()[0]
    if problem != "ok":
        raise Failed(f"the database is damaged, no backup was made: {problem}")


def check_dump(dump: IO[bytes]) -> None:
    """Its sum says all: any SQLite reads what another has written."""


def restore(dump: IO[bytes], manifest: Manifest, check_empty: Callable[[dict[str, int]], None]) -> None:
    """Puts the dump in the place of a database without rows of ours, or of none, whole or not at all."""
    path = database_path()
    check_folder(path.parent)
    existed = path.exists()
    try:
        with part_of(path) as copy:
            with copy.open("wb") as file:
                shutil.copyfileobj(dump, file, BLOCK)
            with closing(sqlite3.connect(copy)) as source, alone_with(path) as target:
                check_empty(count_rows(target.cursor()))
                source.backup(target)
    except BaseException:
        if not existed:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def alone_with(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, locked for all others until the end; Refused while another process has it open."""
    try:
        database = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise Refused(f"{path}: {error}") from None
    with closing(database):
        try:
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("COMMIT")  # which keeps the lock, in this mode
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise Refused(f"another process has {path} open: stop web and worker first") from None
            raise Refused(f"{path}: {error}") from None
        yield database


def read_rows() -> dict[str, int]:
    with closing(sqlite3.connect(database_path(), timeout=WAIT)) as database:
        return count_rows(database.cursor())


def count_rows(cursor: Any, schema: str = "main") -> dict[str, int]:
    """`cursor`: Django's or SQLite's. The names are the database's own."""
    cursor.execute(
        f"SELECT name FROM {schema}.sqlite_master "  # noqa: S608
        "WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
    )
    rows = {}
    for (name,) in cursor.fetchall():
        cursor.execute(f'SELECT count(*) FROM {schema}."{name}"')  # noqa: S608
        rows[name] = cursor.fetchone()[0]
    return rows


def applied_migrations(cursor: Any) -> list[list[str]]:
    cursor.execute("SELECT app, name FROM copy.django_migrations ORDER BY id")
    return [list(row) for row in cursor.fetchall()]
