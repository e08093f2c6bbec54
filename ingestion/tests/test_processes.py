"""Real commands as real processes on real databases: what a kill, a stop, a second run and an editor do to a run."""

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings

from demo.upstream import Upstream

from .worlds import FIRST_ID, GatedUpstream, csv_of, name_of, reply

SHOWS = 60
# Held back at the gate. Not the first ones: until one reply shows that the key is good, nothing else is asked.
SLOW_ID = FIRST_ID + 40
SLOW = [f"/3/tv/{SLOW_ID + number}" for number in range(5)]
POSTGRES = "postgres://postgres@127.0.0.1:5432"
LIMIT = 40  # seconds until a condition counts as never met
KEY = "a-key-for-processes"

START_AT_ONCE = """
import threading
from django.db import connection
from ingestion.runs import AlreadyRunning, start_run

gate, outcomes = threading.Barrier(6), []

def claim():
    gate.wait()
    try:
        start_run("sync_shows", {})
        outcomes.append("started")
    except AlreadyRunning:
        outcomes.append("refused")
    finally:
        connection.close()

threads = [threading.Thread(target=claim) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*sorted(outcomes))
"""

EDIT = """
from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Show
edit_show(Show.objects.get(tmdb_id={}).pk, {{"description": "Our own words."}}, Author(reason="by hand"))
"""


class Database:
    """A database of its own for the processes of one test, asked by plain SQL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def connect(self) -> Any:
        if self.url.startswith("sqlite"):
            return sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20)
        return psycopg.connect(self.url)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection:
            return list(connection.execute(sql).fetchall())

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]

    def write(self, sql: str) -> None:
        with closing(self.connect()) as connection:
            connection.execute(sql)
            connection.commit()

    def somebody_waits(self) -> bool:
        """Whether a process waits for a lock; SQLite can't tell, so there it always may."""
        if self.url.startswith("sqlite"):
            return True
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(self.value(waiting))

    def saved(self) -> int:
        return int(self.value("SELECT count(*) FROM catalog_show WHERE tmdb_fetched_at IS NOT NULL"))


def environment(database_url: str, **more: str) -> dict[str, str]:
    dropped = ("REDIS_URL", "TMDB_BEARER_TOKEN", "AWS_S3_BUCKET", "TRR_PROCESS", "DEBUG")
    return {
        **{name: value for name, value in os.environ.items() if name not in dropped},
        "DJANGO_SETTINGS_MODULE": "trr_site.settings",
        "ENV_FILE": "",
        "SECRET_KEY": "a-secret-for-processes",
        "DATABASE_URL": database_url,
        "TMDB_API_KEY": KEY,
        "TMDB_REQUESTS_PER_SECOND": "1000",
        "TMDB_CONNECTIONS": "16",
        **more,
    }


def manage(env: dict[str, str], *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=settings.BASE_DIR,
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def fill(url: str) -> None:
    """The schema, and shows that were never synced."""
    for args, stdin in (("migrate", "--verbosity=0"), ""), (("import_shows", "-"), csv_of(SHOWS)):
        done = manage(environment(url), *args, stdin=stdin)
        assert done.returncode == 0, done.stderr


def administer(sql: str) -> None:
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True, connect_timeout=3) as connection:
        connection.execute(sql)


# Of the suite's own kind: it is run on both. One for all processes of the suite, as it takes many seconds.
@pytest.fixture(scope="session", params=[settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]])
def template(request: Any, tmp_path_factory: Any) -> Iterator[str]:
    """Path or name of a filled database that each test gets a copy of."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = file_template(folder) if request.param == "sqlite3" else postgres_template(folder)
    yield made
    if request.param != "sqlite3" and not os.environ.get("PYTEST_XDIST_WORKER"):
        administer(f"DROP DATABASE IF EXISTS {made} WITH (FORCE)")


def file_template(folder: Path) -> str:
    path = folder / "template.sqlite3"
    if not path.exists():
        new = folder / "new.sqlite3"
        fill(f"sqlite:///{new}")
        with closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        new.rename(path)
    return str(path)


def postgres_template(folder: Path) -> str:
    """Left there for the other processes of the suite; those of earlier suites are dropped."""
    name = f"trr_template_{folder.name.replace('-', '_')}"
    made = folder / "template.made"
    if made.exists():
        return name
    try:
        with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True, connect_timeout=3) as connection:
            old = "SELECT datname FROM pg_database WHERE datname LIKE 'trr\\_template\\_%'"
            for (leftover,) in connection.execute(old).fetchall():
                with suppress(psycopg.Error):  # in use by a suite beside this one
                    connection.execute(f'DROP DATABASE "{leftover}"')
            connection.execute(f"CREATE DATABASE {name}")
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL on 127.0.0.1:5432 ({str(error).splitlines()[0]})")
    fill(f"{POSTGRES}/{name}")
    made.touch()
    return name


@pytest.fixture
def database(template: str, tmp_path: Path) -> Iterator[Database]:
    if template.endswith(".sqlite3"):
        path = tmp_path / "copy.sqlite3"
        shutil.copy(template, path)
        yield Database(f"sqlite:///{path}")
        return
    name = f"trr_test_{uuid4().hex[:12]}"
    with Path(f"{tempfile.gettempdir()}/{template}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two copies at once are refused
        administer(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield Database(f"{POSTGRES}/{name}")
    finally:
        administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def gated() -> Iterator[GatedUpstream]:
    """An upstream that answers for all shows but five, which wait until the gate is opened."""
    with GatedUpstream(shows=shows(), key=KEY) as server:
        server.gated = set(SLOW)
        yield server


@pytest.fixture
def fresh() -> Iterator[Upstream]:
    """An upstream for the next run, which counts that run's requests alone."""
    with Upstream(shows=shows(), key=KEY) as server:
        yield server


def shows() -> dict[int, Any]:
    return {tmdb_id: reply(tmdb_id, ("DE", "US")) for tmdb_id in range(FIRST_ID, FIRST_ID + SHOWS)}


def pointed_to(env: dict[str, str], upstream: Upstream) -> dict[str, str]:
    return {**env, "TMDB_API_URL": upstream.api_url, "TMDB_IMAGE_URL": upstream.image_url}


@pytest.fixture
def env(database: Database, gated: GatedUpstream, tmp_path: Path) -> dict[str, str]:
    return pointed_to(environment(database.url, MEDIA_ROOT=str(tmp_path / "media")), gated)


@pytest.fixture
def start(env: dict[str, str]) -> Iterator[Any]:
    """Starts commands that are ended with the test, whatever becomes of it."""
    processes = []

    def start_command(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *args],
            cwd=settings.BASE_DIR,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start_command
    for process in processes:
        process.kill()
        process.communicate()


def wait_until(condition: Any, process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        if process is not None and process.poll() is not None:
            pytest.fail(f"the process ended too soon: {process.communicate()}")
        time.sleep(0.05)


def assert_whole_shows_only(database: Database) -> None:
    """A show is saved with its columns, links, offers, change and states, or it is as it was before."""
    shows = database.rows(
        """
        SELECT tmdb_fetched_at IS NOT NULL, description IS NOT NULL, imdb_id IS NOT NULL,
            (SELECT count(*) FROM catalog_shownetwork WHERE show_id = s.id),
            (SELECT count(*) FROM catalog_showproductioncompany WHERE show_id = s.id),
            (SELECT count(*) FROM catalog_showwatchprovider WHERE show_id = s.id),
            (SELECT count(*) FROM catalog_change WHERE show_id = s.id AND kind = 'updated'),
            (SELECT count(*) FROM ingestion_syncstate WHERE show_id = s.id AND status = 'ok')
        FROM catalog_show s
        """
    )
    whole, untouched = (True, True, True, 2, 1, 4, 1, 4), (False, False, False, 0, 0, 0, 0, 0)
    assert len(shows) == SHOWS
    assert [show for show in shows if show not in (whole, untouched)] == []


def last_run(database: Database) -> tuple[Any, ...]:
    return database.rows("SELECT status, done, error FROM ingestion_syncrun WHERE kind = 'sync_shows' ORDER BY id")[-1]


def test_killed_run_leaves_whole_shows_only_and_the_next_one_does_the_rest(database, gated, fresh, env, start):
    run = start("sync_shows")
    wait_until(lambda: gated.count("/3/tv/") >= 20 and database.saved() >= 20, run)

    os.kill(run.pid, signal.SIGKILL)
    run.wait(LIMIT)

    saved = database.saved()
    assert 20 <= saved <= SHOWS - len(SLOW)
    assert_whole_shows_only(database)
    rest = manage(pointed_to(env, fresh), "sync_shows")
    assert (rest.returncode, fresh.count("/3/tv/1")) == (0, SHOWS - saved)
    assert database.saved() == SHOWS
    assert_whole_shows_only(database)
    statuses = [row[0] for row in database.rows("SELECT status FROM ingestion_syncrun WHERE kind = 'sync_shows'")]
    assert sorted(statuses) == ["interrupted", "succeeded"]
    logos = "SELECT count(*) FROM {} WHERE hosted_logo_key IS NULL"
    assert [database.value(logos.format(f"catalog_{name}")) for name in ("network", "watchprovider")] == [0, 0]


def test_stopped_run_saves_what_had_arrived_and_the_next_one_goes_on(database, gated, fresh, env, start):
    run = start("sync_shows")
    wait_until(lambda: len(gated.waiting) == 5 and gated.count("/3/tv/") >= SHOWS - 5, run)

    run.send_signal(signal.SIGTERM)
    wait_until(lambda: database.saved() == SHOWS - len(SLOW), run)
    gated.gate.set()
    out, err = run.communicate(timeout=LIMIT)

    saved = database.saved()
    assert run.returncode == 1
    assert err == "CommandError: stopped by a signal; what was done is kept, the next run goes on\n"
    assert "seconds" in out
    assert_whole_shows_only(database)
    status, done, error = last_run(database)
    assert (status, done) == ("stopped", saved)
    assert error.startswith("stopped by a signal")
    rest = manage(pointed_to(env, fresh), "sync_shows")
    assert (rest.returncode, fresh.count("/3/tv/1"), database.saved()) == (0, SHOWS - saved, SHOWS)


def test_second_run_ends_with_3_and_the_first_finishes(database, gated, env, start):
    first = start("sync_shows")
    wait_until(lambda: len(gated.waiting) == 5, first)

    second = manage(env, "sync_shows")
    another_kind = manage(env, "sync_watch_providers", "--tmdb-id", str(FIRST_ID + 20))

    gated.gate.set()
    _, err = first.communicate(timeout=LIMIT)
    assert (second.returncode, second.stdout) == (3, "")
    assert f"sync_shows is already running: run 2, process {first.pid} on " in second.stderr
    assert another_kind.returncode == 0
    assert (first.returncode, err, database.saved()) == (0, "", SHOWS)
    assert last_run(database)[:2] == ("succeeded", SHOWS)


def test_of_two_processes_started_at_once_one_runs(database, gated, start):
    both = [start("sync_shows"), start("sync_shows")]
    wait_until(lambda: any(process.poll() is not None for process in both) and len(gated.waiting) == 5)
    gated.gate.set()
    for process in both:
        process.communicate(timeout=LIMIT)

    assert sorted(process.returncode for process in both) == [0, 3]
    assert gated.count("/3/tv/1") == SHOWS
    assert_whole_shows_only(database)


@pytest.mark.parametrize("after_a_dead_run", [False, True])
def test_of_many_claims_at_once_exactly_one_wins(database, env, after_a_dead_run):
    if after_a_dead_run:
        database.write(
            "INSERT INTO ingestion_syncrun (kind, status, host, pid, options, counts, done, requests, error, "
            "shared, tripped, version, started_at, heartbeat_at) VALUES ('sync_shows', 'running', 'gone.example', 7, "
            "'{}', '{}', 0, 0, '', false, false, '', '2020-01-01 00:00:00', '2020-01-01 00:00:00')"
        )

    done = manage(env, "shell", "--verbosity=0", "-c", START_AT_ONCE)

    assert done.stdout.split() == ["refused"] * 5 + ["started"], done.stderr
    running = "SELECT count(*) FROM ingestion_syncrun WHERE kind = 'sync_shows' AND status = 'running'"
    assert database.value(running) == 1


def test_edit_made_while_its_show_is_fetched_survives(database, gated, env, start):
    run = start("sync_shows")
    wait_until(lambda: len(gated.waiting) == 5, run)

    edited = manage(env, "shell", "--verbosity=0", "-c", EDIT.format(SLOW_ID))
    gated.gate.set()
    run.communicate(timeout=LIMIT)

    assert (edited.returncode, run.returncode) == (0, 0)
    description, beside, locked, genres = database.rows(
        f"SELECT description, upstream_values, locked_fields, genres FROM catalog_show WHERE tmdb_id = {SLOW_ID}"  # noqa: S608
    )[0]
    assert description == "Our own words."
    assert plain(beside) == {"description": f"What happens on island {SLOW_ID}."}
    assert (plain(locked), plain(genres)) == (["description"], ["Reality"])


def test_edit_that_is_not_committed_yet_is_waited_for(database, gated, start):
    run = start("sync_shows", "--tmdb-id", str(SLOW_ID))
    wait_until(lambda: gated.waiting, run)

    with closing(database.connect()) as editor:
        editor.execute(
            f"UPDATE catalog_show SET name = 'Our Island', locked_fields = '[\"name\"]' WHERE tmdb_id = {SLOW_ID}"  # noqa: S608
        )
        gated.gate.set()
        wait_until(lambda: gated.count() == 1 and database.somebody_waits(), run)
        editor.commit()
    run.communicate(timeout=LIMIT)

    row = f"SELECT name, tmdb_name FROM catalog_show WHERE tmdb_id = {SLOW_ID}"  # noqa: S608
    name, tmdb_name = database.rows(row)[0]
    assert run.returncode == 0
    assert (name, tmdb_name) == ("Our Island", name_of(SLOW_ID))


def plain(value: Any) -> Any:
    """A JSON column as SQLite (text) or PostgreSQL gives it."""
    return json.loads(value) if isinstance(value, str) else value
