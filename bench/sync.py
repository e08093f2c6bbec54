"""What a sync costs: requests, database round trips, time over the floor, memory. `make bench` runs it.

The upstream is a stand-in with 100 ms latency that answers 429 above 40 requests a second. The floor is
the time that the requests alone need at that rate. Every figure stands beside its limit; a figure over
its limit ends the run with exit code 1.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
LATENCY, RATE = 0.1, 40.0  # seconds, requests a second
LOCAL_POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"


@dataclass
class Row:
    what: str
    figure: float
    limit: float
    unit: str = ""

    @property
    def fits(self) -> bool:
        return self.figure <= self.limit

    def __str__(self) -> str:
        mark = "" if self.fits else "   <- over its limit"
        return f"  {self.what:<58} {self.figure:>9.2f} {self.unit:<4} limit {self.limit:g}{mark}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shows", type=int, default=500)
    parser.add_argument("--regions", type=int, default=60, help="at most, for each show")
    parser.add_argument("--many", type=int, default=10_000, help="shows of the memory run; 0 leaves it out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as (url, engine):
        print(f"{options.shows} shows with up to {options.regions} regions each, on {engine}")
        rows = measure_sync(options.shows, options.regions, url, Path(folder))
        print("\n".join(map(str, rows)))
    if options.many:
        with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as (url, engine):
            print(f"{options.many} shows with up to 6 regions each, no latency, no rate limit, on {engine}")
            memory = measure_memory(options.many, url, Path(folder))
            print("\n".join(map(str, memory)))
            rows += memory
    return 0 if all(row.fits for row in rows) else 1


def measure_sync(shows: int, regions: int, url: str, folder: Path) -> list[Row]:
    find = 0.1  # of the shows are known by their IMDb id alone
    with upstream(
        "--shows", str(shows), "--regions", str(regions), "--latency", str(LATENCY), "--rate", str(RATE)
    ) as ask:
        environment = ask.environment(url, folder, RATE)
        first = sync_once(environment, "--create", str(shows), "--find", str(find))
        seen_first = ask()
        again = sync_once(environment, "--force")
        seen_again = ask()
        idle = sync_once(environment)
        seen_idle = ask()
    assert first["counts"]["updated"] == shows, first
    assert again["counts"]["unchanged"] == shows, again
    found = round(shows * find)
    return [
        Row("first run: API requests a show (and a /find where needed)", seen_first["api"] / (shows + found), 1),
        Row("first run: database round trips a show, logos included", first["round_trips"] / shows, 8),
        Row(
            "first run: seconds over the floor (requests / rate)",
            first["seconds"] / (seen_first["api"] / RATE),
            1.15,
            "x",
        ),
        Row("first run: most API requests in any second", seen_first["peak"], RATE, "/s"),
        Row("first run: refused with 429", seen_first["refused"], 0),
        Row("first run: images asked for, each logo once", seen_first["images"] / max(1, first["counts"]["logos"]), 1),
        Row("first run: peak memory", first["peak_mb"], 400, "MB"),
        Row("unchanged run (--force): API requests a show", seen_again["api"] / shows, 1),
        Row("unchanged run: database round trips a show", again["round_trips"] / shows, 2),
        Row("unchanged run: seconds over the floor", again["seconds"] / (seen_again["api"] / RATE), 1.15, "x"),
        Row("unchanged run: images asked for", seen_again["images"], 0),
        Row("fresh run: API requests (TMDb's list of changes)", seen_idle["api"], 1),
        Row("fresh run: database round trips in all", idle["round_trips"], 20),
        Row("fresh run: wall time", idle["seconds"], 1, "s"),
    ]


def measure_memory(shows: int, url: str, folder: Path) -> list[Row]:
    with upstream("--shows", str(shows), "--regions", "6") as ask:
        environment = ask.environment(url, folder, 100_000.0)
        first = sync_once(environment, "--create", str(shows))
        again = sync_once(environment, "--force")
    assert first["counts"]["updated"] == shows, first
    return [
        Row("first run: peak memory", first["peak_mb"], 400, "MB"),
        Row("unchanged run: peak memory", again["peak_mb"], 400, "MB"),
        Row("first run: ms a show without any waiting", first["seconds"] / shows * 1000, 1000 / RATE, "ms"),
        Row("unchanged run: ms a show without any waiting", again["seconds"] / shows * 1000, 1000 / RATE, "ms"),
    ]


class Ask:
    """The stand-in's process: call it for what it has seen since the last call."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.urls = self.read()

    def __call__(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def environment(self, database_url: str, folder: Path, rate: float) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "ENV_FILE": "",
            "SECRET_KEY": "bench",
            "DATABASE_URL": database_url,
            "MEDIA_ROOT": str(folder / "media"),
            "TMDB_API_KEY": "demo-key",
            "TMDB_API_URL": self.urls["api_url"],
            "TMDB_IMAGE_URL": self.urls["image_url"],
            "TMDB_REQUESTS_PER_SECOND": str(rate),
        }


@contextmanager
def upstream(*arguments: str) -> Iterator[Ask]:
    command = [sys.executable, "-m", "bench.upstream", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Ask(process)
    finally:
        process.kill()
        process.wait()


def sync_once(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.sync_once", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def database(folder: Path) -> Iterator[tuple[str, str]]:
    """A fresh, migrated database: in the PostgreSQL that DATABASE_URL names or that answers here, else SQLite."""
    server = os.environ.get("DATABASE_URL") or (LOCAL_POSTGRES if answers("127.0.0.1", 5432) else "")
    if not server.startswith("postgres"):
        url = f"sqlite:///{folder / 'bench.sqlite3'}"
        migrate(url)
        yield url, "SQLite"
        return
    name = f"trr_bench_{os.getpid()}"
    with psycopg.connect(server.replace("postgres://", "postgresql://", 1), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            url = urlsplit(server)._replace(path=f"/{name}").geturl()
            migrate(url)
            yield url, "PostgreSQL"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def migrate(url: str) -> None:
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": "", "SECRET_KEY": "bench", "DATABASE_URL": url}
    command = [sys.executable, "manage.py", "migrate", "-v0", "--skip-checks"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
