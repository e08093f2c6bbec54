"""Real workers as real processes: what django-q2 alone would lose, repeat for ever or hang at, ours does not."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from django.conf import settings
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import Success
from django_q.monitor import save_task

from demo.upstream import Upstream
from ingestion.brokers import DatabaseBroker
from trr_site.processes import process_exists

from .test_processes import (
    KEY,
    POSTGRES,
    SHOWS,
    Database,
    assert_whole_shows_only,
    environment,
    fill,  # noqa: F401
    gated,  # noqa: F401
    manage,
    pointed_to,
    shows,
    template,  # noqa: F401
    wait_until,
)
from .test_processes import database as database
from .worlds import FIRST_ID, GatedUpstream

REDIS = "redis://127.0.0.1:6379"
ENQUEUE = """
from django.db import transaction
from django_q.tasks import async_task
with transaction.atomic():
    for arguments in {}:
        async_task(*arguments)
"""


class Stack:
    """Workers on one database, with what they are started with; `notes` is the file that chores write to."""

    def __init__(self, env: dict[str, str], database: Database, folder: Path) -> None:
        self.env, self.database, self.folder = env, database, folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.notes = folder / "notes"

    def start(self, **more: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as out:
            worker = subprocess.Popen(
                [sys.executable, "manage.py", "run_worker"],
                cwd=settings.BASE_DIR,
                env=self.env | more,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def started(self, **more: str) -> subprocess.Popen[bytes]:
        """A worker whose cluster is ready for tasks."""
        worker = self.start(**more)
        log = self.folder / f"worker-{len(self.workers) - 1}.log"
        wait_until(lambda: "running." in log.read_text(), worker)
        return worker

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))

    def enqueue(self, *tasks: tuple[Any, ...]) -> None:
        named = [(f"ingestion.tests.chores.{name}", str(self.notes), *rest) for name, *rest in tasks]
        done = manage(self.env, "shell", "-v0", "-c", ENQUEUE.format(named))
        assert done.returncode == 0, done.stderr

    def noted(self, line: str) -> int:
        return self.notes.read_text().splitlines().count(line) if self.notes.exists() else 0

    def processes(self) -> list[int]:
        """Of all clusters: those that have this stack's database in their environment, launchers apart."""
        mark = f"DATABASE_URL={self.database.url}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environ, command = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
            except OSError:
                continue
            pid = int(folder.name)
            if mark in environ.split(b"\0") and b"ingestion.cluster" in command and process_exists(pid):
                found.append(pid)
        return sorted(found)

    def idle_worker(self) -> int:
        """A process of the pool, as the log names it."""
        lines = [line for line in self.log().splitlines() if "ready for work at" in line]
        return int(lines[-1].rsplit(" ", 1)[-1])

    def end(self) -> None:
        pids = self.processes()
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        for pid in {*pids, *self.processes()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def queue(template: str) -> Iterator[dict[str, str]]:  # noqa: F811
    """The environment that says where the queue is: in Redis beside PostgreSQL, else in the database."""
    if template.endswith(".sqlite3"):
        yield {}
        return
    number = 10 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 5
    with redis.Redis.from_url(f"{REDIS}/{number}", socket_connect_timeout=1) as connection:
        try:
            connection.flushdb()
        except redis.ConnectionError:
            pytest.skip("needs a Redis: nothing answers on 127.0.0.1:6379")
        yield {"REDIS_URL": f"{REDIS}/{number}"}
        connection.flushdb()


@pytest.fixture
def stack_env(database: Database, gated: GatedUpstream, tmp_path: Path) -> dict[str, str]:  # noqa: F811
    env = environment(database.url, MEDIA_ROOT=str(tmp_path / "media"), LOG_FORMAT="line", WORKER_PROCESSES="2")
    return pointed_to(env, gated)


@pytest.fixture
def stack(database: Database, stack_env: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    made = Stack(stack_env, database, tmp_path)
    yield made
    made.end()


@pytest.fixture
def queued_stack(stack: Stack, queue: dict[str, str]) -> Stack:
    stack.env |= queue
    return stack


def sessions(database: Database) -> int:
    return int(database.value("SELECT sessions FROM pg_stat_database WHERE datname = current_database()"))


# --- the five traps of django-q2


def test_worker_does_its_tasks_even_where_the_environment_says_that_it_is_a_web_process(stack):
    """A connection pool that is opened before the fork would be shared by all processes, and break the queue."""
    stack.started(TRR_PROCESS="web")

    stack.enqueue(*[("note", f"task {number}") for number in range(30)])

    wait_until(lambda: all(stack.noted(f"end task {number}") == 1 for number in range(30)))


def test_worker_keeps_its_connections(stack):
    if stack.database.url.startswith("sqlite"):
        pytest.skip("SQLite has no sessions to count")
    stack.started()
    stack.enqueue(("note", "first"))
    wait_until(lambda: stack.noted("end first"))
    before = sessions(stack.database)

    stack.enqueue(*[("note", f"task {number}") for number in range(40)])
    wait_until(lambda: all(stack.noted(f"end task {number}") for number in range(40)))

    assert sessions(stack.database) - before < 15  # one a broker call would be over a hundred


@pytest.mark.django_db
def test_finished_task_locks_no_other_row(django_assert_max_num_queries):
    """django-q2 locks every row of a done task at each task where a limit is set to how many are kept."""
    for number in range(5):
        save_task(done_task(f"task {number}"), DatabaseBroker("x"))

    assert Conf.SAVE_LIMIT == 0
    with django_assert_max_num_queries(4) as queries:  # looks for the task, and creates it in a savepoint
        save_task(done_task("another"), DatabaseBroker("x"))
    assert Success.objects.count() == 6
    assert [query["sql"] for query in queries.captured_queries if "FOR UPDATE" in query["sql"]] == []


def done_task(name: str) -> dict[str, Any]:
    now = timezone.now()
    base = {"id": uuid4().hex, "name": name, "func": "x", "args": (), "kwargs": {}, "started": now, "stopped": now}
    return base | {"result": None, "success": True, "sync": True}


def test_task_that_kills_its_worker_is_tried_three_times_and_then_shown(queued_stack):
    stack = queued_stack
    stack.started()

    stack.enqueue(("kill_the_worker",), ("note", "after"))

    wait_until(lambda: stack.noted("end after"))
    wait_until(lambda: stack.database.value("SELECT count(*) FROM django_q_task WHERE success = '0'"))
    assert stack.noted("begin poison") == 3
    result = stack.database.value("SELECT result FROM django_q_task WHERE success = '0'")
    assert stack.database.value("SELECT attempt_count FROM django_q_task WHERE success = '0'") == 3, result


def test_worker_that_is_killed_while_it_waits_for_work_stops_nothing(queued_stack):
    stack = queued_stack
    stack.started()
    stack.enqueue(("note", "before"))
    wait_until(lambda: stack.noted("end before"))
    time.sleep(1.0)  # both wait now, one of them with the lock of the queue

    for pid in pool_of(stack):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: stack.database.value("SELECT restarts FROM ingestion_worker") == 1)
    stack.enqueue(*[("note", f"after {number}") for number in range(6)])

    wait_until(lambda: all(stack.noted(f"end after {number}") for number in range(6)))
    assert "while it waited: the cluster is started anew" in stack.log()


def pool_of(stack: Stack) -> list[int]:
    lines = [line for line in stack.log().splitlines() if "ready for work at" in line]
    return [int(line.rsplit(" ", 1)[-1]) for line in lines[-2:]]


# --- stopped in order, and not


def test_stopped_worker_ends_its_task_and_leaves_nothing_behind(queued_stack):
    stack = queued_stack
    worker = stack.started()
    stack.enqueue(("note", "long", 2.0))
    wait_until(lambda: stack.noted("begin long"))

    worker.terminate()

    assert worker.wait(30) == 0
    assert (stack.noted("end long"), stack.processes()) == (1, [])
    assert stack.database.value("SELECT count(*) FROM ingestion_worker") == 0


def test_cluster_ends_with_its_launcher_and_what_it_did_is_done_by_another(queued_stack):
    stack = queued_stack
    worker = stack.started()
    stack.enqueue(("note", "one", 1.0))
    wait_until(lambda: stack.noted("begin one"))

    worker.kill()
    wait_until(lambda: not stack.processes())

    assert stack.noted("end one") >= 1  # it was let come to its end
    stack.started()
    stack.enqueue(("note", "two"))
    wait_until(lambda: stack.noted("end two"))


def test_killed_cluster_is_started_again_and_its_task_done(queued_stack):
    stack = queued_stack
    stack.started()
    stack.enqueue(("note", "slow", 3.0))
    wait_until(lambda: stack.noted("begin slow"))

    for pid in stack.processes():
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: stack.noted("end slow") == 1)
    assert stack.noted("begin slow") == 2
    assert stack.database.value("SELECT restarts FROM ingestion_worker") >= 1


def test_worker_without_a_database_or_a_key_ends_with_code_2_and_one_line(tmp_path):
    env = environment(f"sqlite:///{tmp_path}/empty.sqlite3")

    not_migrated, keyless = manage(env, "run_worker"), manage(env | {"SECRET_KEY": ""}, "run_worker")

    assert (not_migrated.returncode, keyless.returncode) == (2, 2)
    assert "run `manage.py migrate`" in not_migrated.stderr
    assert "SECRET_KEY is not set" in keyless.stderr
    assert "Traceback" not in not_migrated.stderr + keyless.stderr


def test_worker_whose_database_is_newer_than_its_code_ends_with_code_2(stack):
    worker = stack.started()

    stack.database.write(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('ingestion', '9999_later', '2030-01-01')"
    )

    assert worker.wait(100) == 2
    note = stack.database.value("SELECT note FROM ingestion_worker")
    assert note == "the database is newer than this code (ingestion.9999_later): it has to be updated"
    assert stack.processes() == []


# --- a run, and workers that come and go


REQUEST = """
from ingestion.options import Options
from ingestion.shared_runs import request_run
print(request_run(Options(), "sync_shows", None).pk)
"""


CANCEL = """
from django.contrib.auth.models import User
from ingestion.models import SyncRun
from ingestion.runs import cancel
assert cancel(SyncRun.objects.first().pk, User.objects.create_user("anna"))
"""


def run_row(database: Database) -> tuple[Any, ...]:
    return database.rows("SELECT status, total, done FROM ingestion_syncrun ORDER BY id DESC")[0]


def test_run_goes_on_when_its_worker_is_killed_with_a_half_done_chunk(queued_stack, gated):  # noqa: F811
    stack, database = queued_stack, queued_stack.database
    stack.started()
    assert manage(stack.env, "shell", "-v0", "-c", REQUEST).returncode == 0
    wait_until(lambda: database.saved() >= 20 and gated.waiting)

    for pid in stack.processes():
        os.kill(pid, signal.SIGKILL)
    assert_whole_shows_only(database)
    gated.gate.set()

    wait_until(lambda: run_row(database)[0] == "succeeded")
    assert run_row(database) == ("succeeded", SHOWS, SHOWS)
    assert_whole_shows_only(database)
    assert database.saved() == SHOWS
    assert database.value("SELECT count(*) FROM ingestion_syncrun WHERE kind = 'sync_shows'") == 1


def test_run_makes_way_when_its_worker_is_stopped_and_the_next_goes_on(queued_stack, gated):  # noqa: F811
    stack, database = queued_stack, queued_stack.database
    worker = stack.started()
    assert manage(stack.env, "shell", "-v0", "-c", REQUEST).returncode == 0
    wait_until(lambda: database.saved() >= 20 and gated.waiting)

    worker.terminate()
    time.sleep(0.5)
    gated.gate.set()

    assert worker.wait(40) == 0
    assert_whole_shows_only(database)
    stack.started()
    wait_until(lambda: run_row(database)[0] == "succeeded")
    assert run_row(database) == ("succeeded", SHOWS, SHOWS)


def test_run_that_is_cancelled_ends_within_seconds(queued_stack, gated):  # noqa: F811
    stack, database = queued_stack, queued_stack.database
    gated.gated = {f"/3/tv/{FIRST_ID + number}" for number in range(30, SHOWS)}
    stack.started()
    assert manage(stack.env, "shell", "-v0", "-c", REQUEST).returncode == 0
    wait_until(lambda: database.saved() >= 20 and len(gated.waiting) == 16)

    cancelled = manage(stack.env, "shell", "-v0", "-c", CANCEL)
    assert cancelled.returncode == 0, cancelled.stderr
    time.sleep(3)
    gated.gate.set()

    wait_until(lambda: run_row(database)[0] == "cancelled")
    assert_whole_shows_only(database)
    assert 20 <= run_row(database)[2] < SHOWS


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a Redis of the test's own, again with what it had; its address is `own_redis.url`."""
    if shutil.which("redis-server") is None:
        pytest.skip("needs redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path)]
        command += ["--save", "", "--appendonly", "yes"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        started.append(server)
        with redis.Redis(port=port) as connection:
            wait_until(lambda: answers(connection))
        return server

    start.url = f"redis://127.0.0.1:{port}/0"  # type: ignore[attr-defined]
    yield start
    for server in started:
        server.kill()
        server.wait()


def answers(connection: "redis.Redis[bytes]") -> bool:
    try:
        return bool(connection.ping())
    except redis.ConnectionError:
        return False


def test_run_survives_a_redis_that_is_restarted_in_its_middle(stack, own_redis, gated):  # noqa: F811
    server = own_redis()
    stack.env["REDIS_URL"] = own_redis.url
    stack.started()
    assert manage(stack.env, "shell", "-v0", "-c", REQUEST).returncode == 0
    wait_until(lambda: stack.database.saved() >= 20 and gated.waiting)

    server.kill()
    server.wait()
    gated.gate.set()
    time.sleep(3)
    own_redis()

    wait_until(lambda: run_row(stack.database)[0] == "succeeded")
    assert run_row(stack.database) == ("succeeded", SHOWS, SHOWS)
    stack.enqueue(("note", "after"))
    wait_until(lambda: stack.noted("end after"))


def test_run_survives_a_postgresql_that_cuts_every_connection_in_its_middle(stack, gated):  # noqa: F811
    if stack.database.url.startswith("sqlite"):
        pytest.skip("SQLite has no server that could be restarted")
    stack.started()
    assert manage(stack.env, "shell", "-v0", "-c", REQUEST).returncode == 0
    wait_until(lambda: stack.database.saved() >= 20 and gated.waiting)

    name = stack.database.url.rpartition("/")[2]
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        gated.gate.set()
        time.sleep(2)
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    wait_until(lambda: run_row(stack.database)[0] == "succeeded")
    assert run_row(stack.database) == ("succeeded", SHOWS, SHOWS)
    assert_whole_shows_only(stack.database)
    stack.enqueue(("note", "after"))
    wait_until(lambda: stack.noted("end after"))


def test_two_workers_share_one_run_and_the_budget(queued_stack, database):
    with Upstream(shows=shows(), key=KEY, latency=0.05) as upstream:
        stack = queued_stack
        stack.env = pointed_to(stack.env, upstream) | {"TMDB_REQUESTS_PER_SECOND": "20"}
        stack.started()
        stack.started()
        assert manage(stack.env, "shell", "-v0", "-c", "import ingestion.shared_runs as s\ns.CHUNK = 10\n" + REQUEST)

        wait_until(lambda: run_row(database)[0] == "succeeded")

        assert upstream.count("/3/tv/") == SHOWS
        assert upstream.peak_rate() <= 25
    assert run_row(database) == ("succeeded", SHOWS, SHOWS)
