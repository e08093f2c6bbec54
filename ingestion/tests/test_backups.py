"""Backup and restore on databases of their own, on both engines; the drill, and what kills, as real processes."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.utils import load_backend
from knox.models import AuthToken

from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Change, Network, Show
from demo.upstream import Upstream
from ingestion.backup_file import Failed, Refused, opened_backup, part_of, publish
from ingestion.backups import FILLED_BY_MIGRATE, check_backup
from ingestion.tests import test_processes
from ingestion.tests.test_processes import (
    KEY,
    LIMIT,
    POSTGRES,
    SHOWS,
    administer,
    environment,
    manage,
    plain,
    pointed_to,
    shows,
    wait_until,
)
from ingestion.tests.worlds import csv_of
from trr_site.settings import to_database
from trr_site.version import code_version

WRITER = """
from itertools import count, cycle
from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Show
for number, show_id in zip(count(), cycle(Show.objects.values_list("pk", flat=True)[:20])):
    edit_show(show_id, {"description": f"Words {number}."}, Author(reason="writer"))
"""
WRITTEN = "SELECT count(*) FROM catalog_change WHERE reason = 'writer'"

Run = Callable[..., tuple[int, str, str]]


class Database(test_processes.Database):
    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


@pytest.fixture(scope="module", params=[settings.DATABASES["default"]["ENGINE"].rpartition(".")[2].removesuffix("3")])
def engine(request: Any) -> str:
    if request.param == "postgresql":
        try:
            administer("SELECT 1")
        except psycopg.OperationalError as error:
            pytest.skip(f"no PostgreSQL on 127.0.0.1:5432 ({str(error).splitlines()[0]})")
        if shutil.which("pg_dump") is None:
            pytest.skip("no pg_dump: PostgreSQL's client programs are not installed")
    return str(request.param)


@contextmanager
def connected_to(database: Database) -> Iterator[None]:
    """Django's connection is one to this database, in place of the suite's own."""
    before = connections["default"]
    config = before.settings_dict | to_database(database.url) | {"OPTIONS": {}}
    if database.is_sqlite:
        config["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}
    connections["default"] = load_backend(config["ENGINE"]).DatabaseWrapper(config, "default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = before


@pytest.fixture(scope="module")
def command(django_db_blocker: Any) -> Run:
    """Runs a command of manage.py in this process, on a database of its own: exit code, stdout and stderr."""

    def run(database: Database, *args: Any) -> tuple[int, str, str]:
        out, err = StringIO(), StringIO()
        with django_db_blocker.unblock(), connected_to(database):
            try:
                call_command(*map(str, args), stdout=out, stderr=err)
            except CommandError as error:
                return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
        return 0, out.getvalue(), err.getvalue()

    return run


@pytest.fixture(scope="module")
def make_database(engine: str, tmp_path_factory: Any) -> Iterator[Callable[..., Database]]:
    """Databases: copies of another one, or empty; an empty one of SQLite is not even a file."""
    names = []

    def make(template: Database | None = None) -> Database:
        if engine == "sqlite":
            made = Database(f"sqlite:///{tmp_path_factory.mktemp('database')}/db.sqlite3")
            if template is not None:
                with closing(template.connect()) as content, closing(made.connect()) as copy:
                    content.backup(copy)
            return made
        names.append(f"trr_backup_{uuid4().hex[:12]}")
        of = f"TEMPLATE {template.name}" if template is not None else ""
        administer(f"CREATE DATABASE {names[-1]} {of}")
        return Database(f"{POSTGRES}/{names[-1]}")

    yield make
    for name in names:
        administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def schema_only(make_database: Callable[..., Database], command: Run) -> Database:
    database = make_database()
    assert command(database, "migrate", "--verbosity=0") == (0, "", "")
    return database


@pytest.fixture(scope="module")
def source(make_database: Callable[..., Database], schema_only: Database, django_db_blocker: Any) -> Database:
    """A catalogue after a day's work: shows, links, offers, runs, changes, users, tokens."""
    database = make_database(schema_only)
    with Upstream(shows=shows(), key=KEY) as upstream:
        env = pointed_to(environment(database.url), upstream)
        for args, stdin in (("import_shows", "-"), csv_of(SHOWS)), (("sync_shows", "--skip-logos"), ""):
            done = manage(env, *args, stdin=stdin)
            assert done.returncode == 0, done.stderr
    with django_db_blocker.unblock(), connected_to(database):
        editor = User.objects.create_user("editor", password="a-long-password")
        AuthToken.objects.create(editor)
        for show, words in zip(Show.objects.order_by("tmdb_id"), ("Ours.", "Gone."), strict=False):
            edit_show(show.pk, {"description": words}, Author(user=editor))
        Change.objects.latest("id").delete()  # its id is given out and gone
    return database


@pytest.fixture(scope="module")
def backup(source: Database, command: Run, tmp_path_factory: Any) -> Path:
    path = tmp_path_factory.mktemp("backups") / "trr.zip"
    assert command(source, "backup", path)[::2] == (0, "")
    return path


@pytest.fixture
def target(make_database: Callable[..., Database]) -> Database:
    """An empty one."""
    return make_database()


@pytest.fixture
def migrated(make_database: Callable[..., Database], schema_only: Database) -> Database:
    return make_database(schema_only)


def tables(database: Database) -> list[str]:
    if database.is_sqlite:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
    else:
        names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    return sorted(name for (name,) in database.rows(names))


def contents(database: Database) -> dict[str, list[str]]:
    """Every row of every table but that of where the feed begins: a restore has its readers begin anew."""
    names = [name for name in tables(database) if name != "catalog_feedstart"]
    return {name: sorted(map(repr, database.rows(f'SELECT * FROM "{name}"'))) for name in names}  # noqa: S608


def filled_tables(database: Database) -> set[str]:
    return {name for name, rows in contents(database).items() if rows}


def schema(database: Database) -> set[Any]:
    """All that stands beside the rows: columns, indexes, constraints, triggers, functions, where sequences go on."""
    if database.is_sqlite:
        statements = [
            "SELECT type, name, sql FROM sqlite_master",
            "SELECT name, seq FROM sqlite_sequence WHERE name NOT IN ('catalog_change', 'catalog_feedstart')",
        ]
    else:
        statements = [
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            # A condition is read back in other words than it was given in: of a check its name alone, and of a
            # trigger whether it has one.
            "SELECT conrelid::regclass::text, conname, CASE WHEN contype <> 'c' THEN pg_get_constraintdef(oid) END "
            "FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
            "SELECT tgrelid::regclass::text, tgname, tgtype, tgfoid::regproc::text, tgargs, tgenabled, tgdeferrable, "
            "tginitdeferred, tgoldtable, tgnewtable, tgqual IS NULL FROM pg_trigger WHERE NOT tgisinternal",
            "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
            "SELECT sequencename, last_value FROM pg_sequences "
            "WHERE schemaname = 'public' AND sequencename <> 'catalog_change_id_seq'",
            "SELECT table_name, column_name, data_type, column_default, is_nullable, is_identity "
            "FROM information_schema.columns WHERE table_schema = 'public'",
        ]
    return {row for statement in statements for row in database.rows(statement)}


def changed_copy(backup: Path, folder: Path, **values: Any) -> Path:
    """A whole backup whose manifest says something else."""
    path = folder / "changed.zip"
    with zipfile.ZipFile(backup) as archive, zipfile.ZipFile(path, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "manifest.json":
                content = json.dumps(json.loads(content) | values).encode()
            copy.writestr(name, content)
    return path


def manifest_of(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("manifest.json"))


@pytest.fixture
def pg_dump(tmp_path: Path, monkeypatch: Any) -> Callable[[str], None]:
    """Puts a program of the test's own before the real one, which still says its version."""

    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        real = shutil.which("pg_dump")
        (folder / "pg_dump").write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {real} --version\n{script}\n')
        (folder / "pg_dump").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


# --- The drill


def test_the_drill_a_backup_made_while_others_write_comes_back_whole_and_a_quiet_one_as_it_was(
    source, make_database, command, tmp_path
):
    live, first, second = make_database(source), make_database(), make_database()
    writer = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", WRITER],
        cwd=settings.BASE_DIR,
        env=environment(live.url),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: live.value(WRITTEN) >= 25, writer)
        before = live.value(WRITTEN)
        made = manage(environment(live.url), "backup", str(tmp_path / "busy.zip"))
        after = live.value(WRITTEN)
        wait_until(lambda: live.value(WRITTEN) > after, writer)
    finally:
        writer.kill()
        writer.communicate()
    assert (made.returncode, made.stderr) == (0, "")

    restored = manage(environment(first.url), "restore", str(tmp_path / "busy.zip"))

    assert (restored.returncode, restored.stderr) == (0, "")
    assert restored.stdout.startswith("restored, and each table has the rows that the backup says: ")
    assert before < after, "nothing was written during the backup"
    assert before <= first.value(WRITTEN) <= after
    # An edit writes the show and its change in one transaction: each show says what its last change says.
    edits = first.rows("SELECT show_id, fields FROM catalog_change WHERE reason = 'writer' ORDER BY id")
    last = {str(show_id): plain(fields)["description"][1] for show_id, fields in edits}
    said = {str(show_id): words for show_id, words in first.rows("SELECT id, description FROM catalog_show")}
    assert len(last) == 20
    assert {show_id: said[show_id] for show_id in last} == last

    assert command(live, "backup", tmp_path / "quiet.zip")[0] == 0
    assert command(second, "restore", tmp_path / "quiet.zip")[0] == 0

    assert contents(second) == contents(live)
    assert schema(second) == schema(live)
    told = manifest_of(tmp_path / "quiet.zip")["rows"]
    del told["catalog_feedstart"]
    assert {name: len(rows) for name, rows in contents(live).items()} == told


def test_the_restored_catalogue_has_everything_and_goes_on(source, backup, target, command, django_db_blocker):
    code, out, err = command(target, "restore", backup)

    assert (code, err, "migrate" in out) == (0, "", False)
    assert filled_tables(target) >= {
        "auth_user",
        "catalog_change",
        "catalog_network",
        "catalog_show",
        "catalog_shownetwork",
        "catalog_showproductioncompany",
        "catalog_showwatchprovider",
        "catalog_watchprovider",
        "ingestion_syncrun",
        "ingestion_syncstate",
        "knox_authtoken",
    }
    assert contents(target) == contents(source)
    assert schema(target) == schema(source)
    last_seen = source.value("SELECT max(id) FROM catalog_change") + 1  # of one that was deleted since
    tokens = dict(target.rows("SELECT key, token FROM catalog_revision"))
    with django_db_blocker.unblock(), connected_to(target):
        show = Show.objects.order_by("tmdb_id")[2]
        edit_show(show.pk, {"description": "After."}, Author(reason="after"))
    (start,), (after,) = (
        target.rows("SELECT pruned_through FROM catalog_feedstart")[0],
        target.rows("SELECT id FROM catalog_change WHERE reason = 'after'")[0],
    )
    assert after > start > last_seen + 1_000_000  # what readers have seen is not given out again
    drawn = {key for key, token in target.rows("SELECT key, token FROM catalog_revision") if tokens[key] != token}
    assert drawn == {f"show:{show.pk.hex}", "shows"}
    assert command(target, "migrate", "--check", "--verbosity=0") == (0, "", "")


def test_the_file_says_what_it_is(engine, source, backup, command):
    manifest = manifest_of(backup)

    assert (manifest["format"], manifest["engine"]) == (1, engine)
    assert manifest["rows"]["catalog_show"] == SHOWS
    assert sorted(manifest["rows"]) == tables(source)
    assert ["catalog", "0001_initial"] in manifest["migrations"]
    assert manifest["code_version"] == code_version()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert os.listdir(backup.parent) == [backup.name]
    code, out, err = command(Database("sqlite:////nowhere/at/all.sqlite3"), "restore", "--check", backup)
    assert (code, err) == (0, "")
    assert out.startswith(f"{backup} is whole: {engine} ")
    assert f"{len(manifest['rows'])} tables, {sum(manifest['rows'].values())} rows" in out


# --- Where it is restored to


def test_migrate_fills_the_tables_that_count_as_empty_and_no_others(migrated):
    assert filled_tables(migrated) == FILLED_BY_MIGRATE


def test_tables_of_migrate_are_replaced(source, backup, migrated, command):
    assert command(migrated, "restore", backup)[::2] == (0, "")

    assert contents(migrated) == contents(source)
    assert schema(migrated) == schema(source)


def test_database_with_rows_is_refused_with_their_tables_and_left_as_it_is(
    backup, migrated, command, django_db_blocker
):
    with django_db_blocker.unblock(), connected_to(migrated):
        Network.objects.create(id=1, name="Ours")
    migrated.write("CREATE TABLE of_others (id integer)")
    migrated.write("INSERT INTO of_others VALUES (1), (2)")
    before = contents(migrated)

    code, _, err = command(migrated, "restore", backup)

    assert code == 2
    assert "is not empty: catalog_network (1 row), of_others (2 rows). Restore into a new one" in err
    assert contents(migrated) == before


def test_database_that_others_use_is_refused(backup, migrated, command):
    with closing(migrated.connect()) as other:
        other.execute("SELECT count(*) FROM catalog_show").fetchall()
        code, _, err = command(migrated, "restore", backup)

    assert (code, "stop web and worker first" in err) == (2, True)
    assert filled_tables(migrated) == FILLED_BY_MIGRATE


def test_backup_of_the_other_engine_is_refused(engine, backup, tmp_path, command):
    other = f"sqlite:///{tmp_path}/db.sqlite3" if engine == "postgresql" else "postgres://nobody@127.0.0.1:9/none"

    code, _, err = command(Database(other), "restore", backup)

    others = {"sqlite": "postgresql", "postgresql": "sqlite"}[engine]
    assert (code, err) == (
        2,
        f"{backup} is a backup of {engine}, and DATABASE_URL names {others}",
    )
    assert not (tmp_path / "db.sqlite3").exists()


def test_backup_of_newer_code_is_refused(backup, target, tmp_path, command):
    migrations = [*manifest_of(backup)["migrations"], ["catalog", "9999_to_come"]]

    code, _, err = command(target, "restore", changed_copy(backup, tmp_path, migrations=migrations))

    assert code == 2
    assert "newer code" in err
    assert "catalog.9999_to_come. Restore it with that code" in err
    assert untouched(target)


def test_backup_of_older_code_is_restored_and_migrate_is_asked_for(migrated, target, command, tmp_path):
    assert command(migrated, "migrate", "--verbosity=0", "ingestion", "0003")[0] == 0
    assert command(migrated, "backup", tmp_path / "old.zip")[0] == 0

    code, out, err = command(target, "restore", tmp_path / "old.zip")

    assert (code, err) == (0, "")
    assert "run `manage.py migrate`" in out
    assert command(target, "migrate", "--verbosity=0")[0] == 0
    assert command(target, "migrate", "--check", "--verbosity=0")[0] == 0


def test_rows_that_differ_are_named_with_both_figures(backup, target, tmp_path, command):
    rows = manifest_of(backup)["rows"] | {"catalog_show": SHOWS + 7, "catalog_lost": 3}

    code, _, err = command(target, "restore", changed_copy(backup, tmp_path, rows=rows))

    assert (code, err.splitlines()) == (
        1,
        [
            f"catalog_show: {SHOWS + 7} rows in the backup, {SHOWS} here",
            "catalog_lost: 3 rows in the backup, no table here",
            "restored, but 2 tables differ from the backup",
        ],
    )


def untouched(database: Database) -> bool:
    if database.is_sqlite:
        return not os.listdir(database.path.parent)
    return tables(database) == []


# --- Files that are not whole


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def without_its_end(content: bytes) -> bytes:
    return content[:-1]


def with_a_wrong_byte(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def empty(content: bytes) -> bytes:
    return b""


def of_another_kind(content: bytes) -> bytes:
    return b"name,imdb_id\n" * 100


@pytest.mark.parametrize("damage", [cut, without_its_end, with_a_wrong_byte, empty, of_another_kind])
def test_file_that_is_not_whole_is_refused(backup, tmp_path, damage):
    path = tmp_path / "damaged.zip"
    path.write_bytes(damage(backup.read_bytes()))

    with pytest.raises(Refused, match="damaged"):
        check_backup(path)


def test_damaged_file_is_refused_before_anything_is_touched(backup, target, tmp_path, command):
    path = tmp_path / "damaged.zip"
    path.write_bytes(with_a_wrong_byte(backup.read_bytes()))

    for args in (("restore", path), ("restore", "--check", path)):
        code, _, err = command(target, *args)
        assert (code, err.startswith(f"{path} is damaged: ")) == (2, True)
    assert untouched(target)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"dump_sha256": "0" * 64}, "its dump is not the one that the manifest was written for"),
        ({"dump_bytes": 1}, "its dump is not the one"),
        ({"dump_name": "none"}, "There is no item named 'none'"),
        ({"rows": ["catalog_show"]}, "manifest.json is not one"),
        ({"rows": {"catalog_show": "many"}}, "manifest.json is not one"),
        ({"migrations": ["catalog"]}, "manifest.json is not one"),
        ({"server": 15}, "manifest.json is not one"),
        ({"more": 1}, "manifest.json is not one"),
        ({"format": "1"}, "manifest.json is not one"),
        ({"format": 2}, "the backup has the format 2, and this code knows 1: use newer code"),
        ({"engine": "oracle"}, "the backup is of 'oracle', which this code does not know"),
    ],
)
def test_manifest_that_does_not_fit_is_refused(backup, tmp_path, values, reason):
    with pytest.raises(Refused) as refused:
        check_backup(changed_copy(backup, tmp_path, **values))

    assert reason in str(refused.value)


def test_archive_without_manifest_and_file_that_is_not_there_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("dump.sqlite3", b"")

    for name, reason in (
        ("other.zip", "no item named 'manifest.json'"),
        ("none.zip", "No such file"),
        (".", "directory"),
    ):
        with pytest.raises(Refused, match=reason), opened_backup(tmp_path / name):
            pass


# --- Where it is written to


def test_file_that_is_there_is_never_overwritten(source, tmp_path, command):
    (tmp_path / "kept.zip").write_text("kept")

    code, _, err = command(source, "backup", tmp_path / "kept.zip")

    assert (code, "kept.zip is there already and is never overwritten" in err) == (2, True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


def test_file_that_came_meanwhile_is_not_overwritten_either(tmp_path):
    path = tmp_path / "trr.zip"
    with part_of(path) as part:
        part.write_text("later")
        path.write_text("sooner")
        with pytest.raises(Failed, match="never overwritten"):
            publish(part, path)

    assert [path.read_text() for path in tmp_path.iterdir()] == ["sooner"]


def test_folder_that_is_not_there_is_named(source, tmp_path, command):
    code, _, err = command(source, "backup", tmp_path / "none" / "trr.zip")

    assert (code, err) == (2, f"{tmp_path}/none is not a folder")


def test_full_disk_fails_the_backup_and_leaves_nothing(source, tmp_path):
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 80; exec "$0" manage.py backup "$1"', sys.executable, f"{tmp_path}/trr.zip"],
        cwd=settings.BASE_DIR,
        env=environment(source.url),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert list(tmp_path.iterdir()) == []


def test_database_without_a_catalogue_and_one_out_of_reach_are_refused(engine, target, tmp_path, command):
    far = Database("postgres://nobody@127.0.0.1:9/none" if engine == "postgresql" else "sqlite:////nowhere/db.sqlite3")
    if engine == "sqlite":
        target.write("CREATE TABLE of_others (id integer)")

    for database, reason in (target, "holds no catalogue"), (far, "no "):
        code, _, err = command(database, "backup", tmp_path / "trr.zip")
        assert (code, reason in err, err.count("\n")) == (2, True, 0)
    assert list(tmp_path.iterdir()) == []


@ON_SQLITE
def test_backup_makes_no_database_where_none_is(target, tmp_path, command):
    code, _, err = command(target, "backup", tmp_path / "trr.zip")

    assert (code, "there is no database" in err, untouched(target)) == (2, True, True)


@ON_SQLITE
def test_damaged_database_makes_no_backup(source, tmp_path, command):
    path = tmp_path / "broken.sqlite3"
    with closing(source.connect()) as database, closing(sqlite3.connect(path)) as copy:
        database.backup(copy)
    content = bytearray(path.read_bytes())
    page = content.index(b"What happens on island") // 4096 * 4096
    content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)

    code, _, err = command(Database(f"sqlite:///{path}"), "backup", tmp_path / "trr.zip")

    assert (code, "malformed" in err or "damaged" in err) == (1, True)
    assert not [one for one in os.listdir(tmp_path) if one.startswith("trr.zip")]


@ON_SQLITE
def test_leftovers_of_an_old_database_do_not_get_into_the_restored_one(source, backup, target, command):
    path = target.path
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode=WAL")
        old.execute("CREATE TABLE old (id integer)")
        kept = {name: Path(f"{path}{name}").read_bytes() for name in ("-wal", "-shm")}
    path.unlink()
    for name, content in kept.items():
        Path(f"{path}{name}").write_bytes(content)

    assert command(target, "restore", backup)[::2] == (0, "")

    assert contents(target) == contents(source)


# --- PostgreSQL's programs


@ON_POSTGRESQL
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_stopped_or_killed_backup_leaves_no_file_of_that_name(source, tmp_path, pg_dump, number):
    pg_dump(f"touch {tmp_path}/begun; while :; do echo; sleep 1; done")
    folder = tmp_path / "backups"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "backup", str(folder / "trr.zip")],
        cwd=settings.BASE_DIR,
        env=environment(source.url),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: (tmp_path / "begun").exists(), process)

    process.send_signal(number)

    _, err = process.communicate(timeout=LIMIT)
    if number == signal.SIGTERM:
        assert (process.returncode, err) == (1, "CommandError: stopped by a signal\n")
        assert list(folder.iterdir()) == []
    else:
        assert [path.suffix for path in folder.iterdir()] == [".part"]


@ON_POSTGRESQL
@pytest.mark.parametrize("version", ["9.6.24", "99.1"])
def test_pg_dump_of_another_version_is_refused_with_what_to_install(source, tmp_path, monkeypatch, command, version):
    (tmp_path / "pg_dump").write_text(f'#!/bin/sh\necho "pg_dump (PostgreSQL) {version} (Debian)"\n')
    (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    server = int(source.value("SHOW server_version_num")) // 10_000
    if version == "99.1" and server >= 17:
        pytest.skip("newer programs can dump such a server for its like")

    code, _, err = command(source, "backup", tmp_path / "trr.zip")

    major = version.partition(".")[0]
    assert (code, err) == (
        2,
        f"pg_dump is of PostgreSQL {major} and the server of {server}: install the client programs of {server} "
        f"(postgresql-client-{server})",
    )
    assert not list(tmp_path.glob("trr.zip*"))


@ON_POSTGRESQL
def test_missing_programs_are_named_with_what_to_install(source, backup, target, tmp_path, monkeypatch, command):
    monkeypatch.setenv("PATH", str(tmp_path))

    for args, name in (
        ((source, "backup", tmp_path / "trr.zip"), "pg_dump"),
        ((target, "restore", backup), "pg_restore"),
        ((target, "restore", "--check", backup), "pg_restore"),
    ):
        code, _, err = command(*args)
        assert (code, err) == (
            2,
            f"{name} is not installed: install PostgreSQL's client programs (postgresql-client)",
        )


@ON_POSTGRESQL
def test_password_reaches_pg_dump_by_the_environment_alone_and_no_error_tells_it(source, tmp_path, pg_dump):
    # The server here asks for no password: what the program would log in with is what it has.
    pg_dump(f'echo "$@" > {tmp_path}/arguments; echo "no entry for $PGUSER $PGPASSWORD at $PGHOST" >&2; exit 1')
    url = source.url.replace("postgres@", "postgres:pass%2Fword-0123@")

    done = manage(environment(url), "backup", str(tmp_path / "trr.zip"))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "CommandError: pg_dump ended with 1: no entry for postgres [secret] at 127.0.0.1\n"
    assert "word-0123" not in (tmp_path / "arguments").read_text()
    assert not list(tmp_path.glob("trr.zip*"))


@ON_POSTGRESQL
def test_failed_restore_is_taken_back_whole_and_can_be_repeated(source, backup, migrated, command):
    migrated.write("DROP TABLE ingestion_worker")
    migrated.write("CREATE TYPE ingestion_worker AS (id integer)")

    code, _, err = command(migrated, "restore", backup)

    assert (code, "nothing was restored, and the database is without tables: pg_restore ended with" in err) == (1, True)
    assert "ingestion_worker" in err
    assert tables(migrated) == []
    migrated.write("DROP TYPE ingestion_worker")
    assert command(migrated, "restore", backup)[::2] == (0, "")
    assert contents(migrated) == contents(source)


@ON_POSTGRESQL
def test_another_role_restores_and_owns_what_it_restored(source, backup, target, command):
    name = target.url.rpartition("/")[2]
    role = f"trr_role_{uuid4().hex[:12]}"
    administer(f"CREATE ROLE {role} LOGIN")
    try:
        administer(f"ALTER DATABASE {name} OWNER TO {role}")
        own = Database(target.url.replace("postgres@", f"{role}@"))

        assert command(own, "restore", backup)[::2] == (0, "")

        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert own.rows(owners) == [(role,)]
        assert contents(own) == contents(source)
    finally:
        administer(f"DROP DATABASE {name} WITH (FORCE)")
        administer(f"DROP ROLE {role}")
