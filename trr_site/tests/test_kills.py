"""An installation as plain processes, by the commands of its deployment, while each of its parts is killed in turn.

Web, WebSocket, two workers, PostgreSQL and Redis; a run goes on meanwhile, somebody listens to the changes and somebody
asks the API. What is killed is started again, as a supervisor would, and nothing else is done by hand.
"""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psycopg
import pytest
import redis
import websockets
from django.conf import settings

from catalog.tests.daphnes import ROOT, free_port
from demo.upstream import Upstream
from ingestion.tests.test_processes import KEY, environment
from ingestion.tests.worlds import FIRST_ID, csv_of, reply

from .deployment import of_image, services

SHOWS = 150
RATE = 8  # requests a second: the run lasts about 20 s, and longer by what is killed
PATIENCE = 60  # seconds until a condition counts as never met
REQUEST = "from ingestion.shared_runs import *; request_run(Options(skip_logos=True), 'sync_shows', None)"

pytestmark = pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="is run with the suite on PostgreSQL"
)


def wait_until(condition: Callable[[], Any], what: str) -> float:
    """Returns after how many seconds it held."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE, f"it never came to that: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


class Part:
    """A process of the installation, in a group of its own."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: dict[str, str], *, user: str = "") -> None:
        self.name, self.command, self.env, self.user = name, list(command), env, user
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd="/" if self.user else ROOT,
                env=self.env,
                stdout=out,
                stderr=out,
                start_new_session=True,
                user=self.user or None,
            )

    def kill(self) -> None:
        """As a kernel that is out of memory, or a power cut: all of it, at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Installation:
    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self.folder = folder
        database, redis_port, self.web_port, self.ws_port = (free_port() for _ in range(4))
        self.database_url = f"postgres://postgres@127.0.0.1:{database}/postgres"
        self.redis = redis.Redis(port=redis_port)
        self.env = environment(
            self.database_url,
            REDIS_URL=f"redis://127.0.0.1:{redis_port}/0",
            MEDIA_ROOT=str(folder / "media"),
            ALLOWED_HOSTS="127.0.0.1",
            TMDB_API_URL=upstream.api_url,
            TMDB_IMAGE_URL=upstream.image_url,
            TMDB_REQUESTS_PER_SECOND=str(RATE),
            WORKER_PROCESSES="1",
            LOG_FORMAT="line",
        )
        self.parts = {
            "postgresql": self.postgresql(database),
            "redis": Part("redis", redis_command(redis_port, folder), folder, {"PATH": os.environ["PATH"]}),
            "web": self.served("web", of_image("CMD")[-1].words, self.web_port),
            "ws": self.served("ws", services()["ws"]["command"], self.ws_port),
            "worker-1": Part("worker-1", [sys.executable, "manage.py", "run_worker"], folder, self.env),
            "worker-2": Part("worker-2", [sys.executable, "manage.py", "run_worker"], folder, self.env),
        }

    def postgresql(self, port: int) -> Part:
        binaries = Path(sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1])
        data, user = self.folder / "postgresql", "postgres" if os.getuid() == 0 else ""
        data.mkdir()
        if user:
            shutil.chown(data, user)
        init = [str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL, user=user or None, cwd="/")
        command = [str(binaries / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(data)]
        return Part("postgresql", command, self.folder, {"PATH": os.environ["PATH"]}, user=user)

    def served(self, name: str, words: Sequence[str], port: int) -> Part:
        moved = {"8000": str(port), "8001": str(port), "0.0.0.0": "127.0.0.1"}  # noqa: S104
        program, *options = [moved.get(word, word) for word in words]
        return Part(name, [str(Path(sys.executable).parent / program), *options], self.folder, self.env)

    def start(self) -> None:
        self.parts["postgresql"].start()
        self.parts["redis"].start()
        wait_until(self.database_answers, "PostgreSQL answers")
        wait_until(self.redis_answers, "Redis answers")
        self.manage("migrate", "-v0")
        self.manage("import_shows", "-", stdin=csv_of(SHOWS))
        for name in ("web", "ws", "worker-1", "worker-2"):
            self.parts[name].start()
        wait_until(lambda: self.get("/health") == 200, "the web answers")

    def kill_and_start(self, name: str) -> None:
        self.parts[name].kill()
        self.parts[name].start()

    def manage(self, *args: str, stdin: str = "") -> None:
        command = [sys.executable, "manage.py", *args]
        done = subprocess.run(command, cwd=ROOT, env=self.env, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def value(self, sql: str) -> Any:
        with psycopg.connect(self.database_url, connect_timeout=2) as connection:
            row = connection.execute(sql).fetchone()
            return row[0] if row else None

    def done(self) -> int:
        return int(self.value("SELECT count(*) FROM catalog_show WHERE tmdb_fetched_at IS NOT NULL"))

    def run_row(self) -> tuple[Any, ...]:
        with psycopg.connect(self.database_url, connect_timeout=2) as connection:
            columns = "status, total, done, (SELECT count(*) FROM ingestion_syncfailure)"
            rows = connection.execute(f"SELECT {columns} FROM ingestion_syncrun WHERE kind = 'sync_shows'")  # noqa: S608
            return tuple(rows.fetchone() or ())

    def database_answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            return bool(self.value("SELECT 1"))
        return False

    def redis_answers(self) -> bool:
        with suppress(redis.ConnectionError):
            return bool(self.redis.ping())
        return False

    def get(self, path: str) -> int:
        try:
            with urlopen(f"http://127.0.0.1:{self.web_port}{path}", timeout=15) as response:
                response.read()
                return int(response.status)
        except HTTPError as error:
            return error.code
        except (URLError, OSError):
            return 0

    def end(self) -> None:
        for part in reversed(self.parts.values()):
            part.kill()
        self.redis.close()


def redis_command(port: int, folder: Path) -> list[str]:
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    return ["redis-server", *where, "--save", "", "--appendonly", "yes"]


class Listener(threading.Thread):
    """Somebody who hears of every change, and comes again from where he was when he is cut off."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.heard, self.last, self.cut_off, self.over = port, [], 0, 0, False

    def run(self) -> None:
        asyncio.run(self.listen())

    async def listen(self) -> None:
        while not self.over:
            with suppress(OSError, websockets.WebSocketException, TimeoutError):
                async with websockets.connect(f"ws://127.0.0.1:{self.port}/api/v1/ws/shows?since={self.last}") as room:
                    while not self.over:
                        frame = json.loads(await asyncio.wait_for(room.recv(), 5))
                        if frame["type"].startswith("show_"):
                            self.last = frame["payload"]["event_id"]
                            self.heard.append(self.last)
            self.cut_off += 1
            await asyncio.sleep(0.2)


class Reader(threading.Thread):
    """Somebody who asks the API all the time, and notes what he is answered."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(daemon=True)
        self.installation, self.answers, self.over = installation, [], False

    def run(self) -> None:
        while not self.over:
            self.answers.append(self.installation.get("/api/v1/shows?limit=5"))
            time.sleep(0.1)


@pytest.fixture
def installation() -> Iterator[Installation]:
    if not list(Path("/usr/lib/postgresql").glob("*/bin")) or shutil.which("redis-server") is None:
        pytest.skip("needs PostgreSQL's and Redis' servers")
    if os.getuid() == 0 and "postgres" not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(f"/tmp/trr-kills-{os.getpid()}")  # noqa: S108  short and open: PostgreSQL's socket lies in it
    folder.mkdir(mode=0o755)
    shows = {tmdb_id: reply(tmdb_id) for tmdb_id in range(FIRST_ID, FIRST_ID + SHOWS)}
    with Upstream(shows=shows, key=KEY) as upstream:
        made = Installation(folder, upstream)
        try:
            made.start()
            yield made
        finally:
            made.end()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(400)
def test_no_show_and_no_event_is_lost_whatever_is_killed(installation):
    listener, reader = Listener(installation.ws_port), Reader(installation)
    listener.start()
    reader.start()
    installation.manage("shell", "-v0", "-c", REQUEST)
    table = []

    for number, name in enumerate(["worker-1", "redis", "web", "ws", "postgresql", "worker-2"], 1):
        share = number * SHOWS // 8
        wait_until(lambda share=share: installation.done() >= share, f"{share} shows are done")
        installation.kill_and_start(name)
        wait_until(installation.database_answers, "PostgreSQL answers again")
        before = installation.done()
        seconds = wait_until(lambda before=before: installation.done() > before, f"work goes on after {name}")
        table.append((name, before, round(seconds, 1)))

    wait_until(lambda: installation.run_row()[0] not in ("queued", "running"), "the run ends")
    assert installation.run_row() == ("succeeded", SHOWS, SHOWS, 0)
    assert installation.value("SELECT count(*) FROM ingestion_syncrun WHERE kind = 'sync_shows'") == 1
    updates = "SELECT count(*) FROM catalog_change WHERE kind = 'updated'"
    assert installation.value(updates) == SHOWS

    events = installation.value("SELECT count(*) FROM catalog_change")
    wait_until(lambda: len(listener.heard) >= events, "the listener has heard of every change")
    listener.over = reader.over = True
    reader.join(20)
    assert listener.heard == sorted(set(listener.heard))
    assert len(listener.heard) == events
    assert listener.cut_off >= 1
    wait_until(lambda: installation.get("/health/ready") == 200, "it is ready")
    # 0 is no connection: while the web was away. A database that is away is said, never a mistake of ours.
    assert set(reader.answers) <= {200, 0, 503}, reader.answers
    print("\nkilled        done by then   s until work went on")  # noqa: T201
    for name, done, seconds in table:
        print(f"{name:12}  {done:12}   {seconds:6.1f}")  # noqa: T201
