"""What workers that share one run cost: throughput beside the budget that they share, and that it is never exceeded.

A run of so many shows from a stand-in with 100 ms latency that answers 429 above 40 requests a second, done by
1, 2 and 4 workers of one process each, as operators start them (`manage.py run_worker`). The floor is the time that
the requests alone need at that rate. Before that, each worker starts and is idle: that is not measured.
"""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from bench.sync import LATENCY, RATE, ROOT, Row, database, upstream

WORKERS = (1, 2, 4)
PATIENCE = 600.0  # seconds
REDIS_URL = os.environ.get("REDIS_URL", "")

CREATE = "from bench.sync_once import create_shows; create_shows({}, 0.0)"
REQUEST = "from ingestion.shared_runs import *; request_run(Options(), 'sync_shows', None)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shows", type=int, default=2000)
    parser.add_argument("--regions", type=int, default=10, help="at most, for each show")
    options = parser.parse_args()
    rows = []
    for workers in WORKERS:
        with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as (url, engine):
            heard = "Redis" if REDIS_URL else "the database"
            print(f"{options.shows} shows, {workers} workers, on {engine}, queue and budget in {heard}", flush=True)
            measured = measure(workers, options.shows, options.regions, url, Path(folder))
            print("\n".join(map(str, measured)), flush=True)
            rows += measured
    return 0 if all(row.fits for row in rows) else 1


def measure(workers: int, shows: int, regions: int, url: str, folder: Path) -> list[Row]:
    arguments = ("--shows", str(shows), "--regions", str(regions), "--latency", str(LATENCY), "--rate", str(RATE))
    with upstream(*arguments) as ask:
        environment = ask.environment(url, folder, RATE) | {"WORKER_PROCESSES": "1", "LOG_FORMAT": "line"}
        if REDIS_URL:
            environment["REDIS_URL"] = REDIS_URL
        shell(environment, CREATE.format(shows))
        with running(workers, environment, folder):
            shell(environment, REQUEST)
            run = wait_for_the_end(url)
        seen = ask()
    assert run["status"] == "succeeded", run
    assert run["done"] == shows, run
    return [
        Row("API requests a show", seen["api"] / shows, 1),
        Row("seconds over the floor (requests / rate)", run["seconds"] / (seen["api"] / RATE), 1.15, "x"),
        Row("most API requests in any second", seen["peak"], RATE, "/s"),
        Row("refused with 429", seen["refused"], 0),
        Row("workers that did a part of it, of those there were", workers - run["workers"], 0, "less"),
    ]


@contextmanager
def running(workers: int, environment: dict[str, str], folder: Path) -> Iterator[None]:
    processes = []
    logs = [folder / f"worker-{number}.log" for number in range(workers)]
    try:
        for log in logs:
            with log.open("wb") as out:
                command = [sys.executable, "manage.py", "run_worker"]
                where: dict[str, Any] = {"cwd": ROOT, "env": environment, "stdout": out, "stderr": out}
                processes.append(subprocess.Popen(command, start_new_session=True, **where))
        until = time.monotonic() + 60
        while not all("running." in log.read_text() for log in logs):
            assert time.monotonic() < until, "a worker did not start:\n" + logs[0].read_text()
            time.sleep(0.1)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def shell(environment: dict[str, str], code: str) -> None:
    subprocess.run([sys.executable, "manage.py", "shell", "-v0", "-c", code], cwd=ROOT, env=environment, check=True)


def wait_for_the_end(url: str) -> dict[str, Any]:
    """Status, shows done, seconds from the first worker's begin to the end, and how many workers took part."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        rows = select(url, "SELECT status, done, started_at, finished_at FROM ingestion_syncrun")
        if rows and rows[0][3] is not None:
            status, done, started, finished = rows[0]
            took_part = select(url, "SELECT count(DISTINCT pid) FROM ingestion_syncchunk WHERE number > 0")[0][0]
            return {"status": status, "done": done, "seconds": seconds_between(started, finished), "workers": took_part}
        time.sleep(0.5)
    raise TimeoutError(f"the run did not end within {PATIENCE:.0f} s")


def select(url: str, statement: str) -> list[tuple[Any, ...]]:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20) as connection:
            return list(connection.execute(statement))
    with psycopg.connect(url.replace("postgres://", "postgresql://", 1)) as connection:
        return list(connection.execute(statement).fetchall())


def seconds_between(started: Any, finished: Any) -> float:
    first, last = (datetime.fromisoformat(one) if isinstance(one, str) else one for one in (started, finished))
    return float((last - first).total_seconds())


if __name__ == "__main__":
    sys.exit(main())
