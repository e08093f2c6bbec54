"""A dump of PostgreSQL: made and put back by pg_dump and pg_restore, which are given the password in their environment.

What is dumped is the schema that our tables are in. The rows are counted in the transaction whose snapshot
pg_dump reads.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final

from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.errors import LockNotAvailable

from catalog import revisions
from ingestion.backup_file import BLOCK, Contents, Failed, Manifest, Refused
from trr_site.command_line import first_line
from trr_site.logs import mask_secrets

DUMP: Final = "dump.pgdump"
# Their SQL sets transaction_timeout, which older servers refuse: a backup that can't be put back is none.
FIRST_WITH_TIMEOUT: Final = 17
TOLD: Final = 500  # characters of what a program wrote before it ended

TABLES: Final = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT 1 FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'  -- of an extension
)
ORDER BY 1
"""


def check_source() -> None:
    """Raises Refused where pg_dump is not there, or can't dump this server."""
    check_tool("pg_dump", at_least=server_major())


def dump(file: Any, backup: object) -> Contents:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # The transaction waits, idle, for as long as pg_dump takes.
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        snapshot = value(cursor, "SELECT pg_export_snapshot()")
        contents = Contents(
            server=value(cursor, "SHOW server_version").split()[0],
            schema=value(cursor, "SELECT current_schema()"),
            migrations=applied_migrations(cursor),
            rows=count_rows(cursor, table_names(cursor)),
        )
        command = (
            "pg_dump",
            "--format=custom",
            "--compress=0",  # the file that it is written to is compressed
            "--no-password",
            f"--snapshot={snapshot}",
            f"--schema={connection.ops.quote_name(contents.schema)}",
        )
        with running(*command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            shutil.copyfileobj(process.stdout, file, BLOCK)
    return contents


def check_dump(dump: IO[bytes]) -> None:
    """Raises Refused for a dump whose list of contents this pg_restore can't read."""
    check_tool("pg_restore")
    try:
        feed(dump, "pg_restore", "--list")
    except Failed as error:
        raise Refused(f"pg_restore can't read the dump, is it of a newer version? {error}") from None


def restore(dump: IO[bytes], manifest: Manifest, check_empty: Callable[[dict[str, int]], None]) -> None:
    """Puts the dump in the place of tables without rows of ours, or of none, whole or not at all."""
    if (major := check_tool("pg_restore")) >= FIRST_WITH_TIMEOUT > server_major():
        raise wrong_version("pg_restore", major)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            make_room(cursor, manifest, check_empty)
    except DatabaseError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise Refused("the tables are in use: stop web and worker first") from None
        raise Refused(f"what `migrate` has made can't be replaced: {first_line(error)}") from None
    try:
        feed(
            dump,
            "pg_restore",
            f"--dbname={make_conninfo(dbname=connection.settings_dict['NAME'])}",
            f"--schema={manifest.schema}",
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
            "--no-password",
        )
    except Failed as error:
        raise Failed(f"nothing was restored, and the database is without tables: {error}") from None
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # a dump has nothing of what the planner goes by


def make_room(cursor: CursorWrapper, manifest: Manifest, check_empty: Callable[[dict[str, int]], None]) -> None:
    """Drops what `migrate` has made, locked before it is counted; the tables of others stay."""
    schema = value(cursor, "SELECT current_schema()")
    if schema != manifest.schema:
        raise Refused(f"the backup is of the schema {manifest.schema}, and the database uses {schema}")
    tables = table_names(cursor)
    known = {*connection.introspection.django_table_names(), *manifest.rows}
    ours = ", ".join(connection.ops.quote_name(name) for name in tables if name in known)
    if ours:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute(f"LOCK TABLE {ours} IN ACCESS EXCLUSIVE MODE")
    check_empty(count_rows(cursor, tables))
    if ours:
        cursor.execute(f"DROP TABLE {ours}")
    for statement in revisions.uninstall("postgresql"):
        cursor.execute(statement)


def read_rows() -> dict[str, int]:
    with connection.cursor() as cursor:
        return count_rows(cursor, table_names(cursor))


def table_names(cursor: CursorWrapper) -> list[str]:
    cursor.execute(TABLES)
    return [name for (name,) in cursor.fetchall()]


def count_rows(cursor: CursorWrapper, tables: Collection[str]) -> dict[str, int]:
    # The names are the database's own.
    return {name: value(cursor, f"SELECT count(*) FROM {connection.ops.quote_name(name)}") for name in tables}  # noqa: S608


def applied_migrations(cursor: CursorWrapper) -> list[list[str]]:
    cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
    return [list(row) for row in cursor.fetchall()]


def value(cursor: CursorWrapper, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()[0]


# --- pg_dump and pg_restore


def server_major() -> int:
    with connection.cursor() as cursor:
        return int(value(cursor, "SHOW server_version_num")) // 10_000


def check_tool(name: str, at_least: int = 0) -> int:
    """The major version of a program that is there; raises Refused for none, or one that is of no use here."""
    if shutil.which(name) is None:
        raise Refused(f"{name} is not installed: install PostgreSQL's client programs (postgresql-client)")
    done = subprocess.run([name, "--version"], env=environment(), capture_output=True, text=True, check=False)  # noqa: S603
    match = re.search(r"\) (\d+)", done.stdout)
    if done.returncode or match is None:
        raise Refused(f"{name} does not run: {told(done.stderr)}")
    major = int(match[1])
    if at_least and (major < at_least or major >= FIRST_WITH_TIMEOUT > at_least):
        raise wrong_version(name, major)
    return major


def wrong_version(name: str, major: int) -> Refused:
    server = server_major()
    return Refused(
        f"{name} is of PostgreSQL {major} and the server of {server}: install the client programs "
        f"of {server} (postgresql-client-{server})"
    )


def environment() -> dict[str, str]:
    """Where the database is and how to log in, as libpq reads it: an argument could be seen by all users."""
    names = {one.keyword.decode(): one.envvar.decode() for one in pq.Conninfo.get_defaults() if one.envvar}
    config = connection.get_connection_params()
    given = {names[key]: str(value) for key, value in config.items() if key in names and value is not None}
    return {**os.environ, **given}


@contextmanager
def running(*command: str, **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is ended with the block; raises Failed when it did not end well by itself."""
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, env=environment(), stderr=errors, **pipes) as process:  # noqa: S603
            try:
                yield process
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            said = told(errors.read().decode(errors="replace"))
            raise Failed(f"{command[0]} ended with {process.returncode}: {said}")


def feed(dump: IO[bytes], *command: str) -> None:
    with running(*command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has read enough; or it failed, and its exit code says so
            shutil.copyfileobj(dump, process.stdin, BLOCK)
        with suppress(BrokenPipeError):
            process.stdin.close()


def told(errors: str) -> str:
    lines = [line.strip() for line in mask_secrets(errors).splitlines() if line.strip()]
    return "; ".join(lines)[:TOLD] or "it said nothing"
