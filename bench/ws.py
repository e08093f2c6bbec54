"""What the WebSocket rooms cost: how soon 1,000 clients hear of a change, and what a client costs that only listens.

The ceiling, measured in the same run with the same clients, is an application under the same server that sends a
text it has ready to all, without Django and without a database. Every figure stands beside its limit; a figure
over its limit ends the run with exit code 1. `make bench` runs it.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.sync import ROOT, Row, answers, database

ROOM = "/api/v1/ws/shows"
DELIVERY_MS, IDLE_KB = 1000, 60
FIRST_CLIENTS = 50  # with these the server has loaded all that it needs once: what comes then is for clients alone
PATIENCE = 60  # seconds

Arrivals = dict[int, list[float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--pace", type=float, default=5.0, help="changes a second")
    parser.add_argument("--burst", type=int, default=1000, help="shows that change one after the other")
    parser.add_argument("--burst-batch", type=int, default=20, help="of them in one transaction")
    parser.add_argument("--burst-clients", type=int, default=50)
    parser.add_argument("--without-redis", action="store_true", help="changes are heard by the poll alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as (url, engine):
        redis = "" if options.without_redis else redis_here()
        bell = "over Redis" if redis else "by the poll"
        print(
            f"{options.clients} WebSocket clients of one daphne, {options.changes} changes at {options.pace:g}/s",
            end="",
        )
        print(f" of another process, on {engine}, heard {bell}")
        environment = environment_of(url, redis, Path(folder))
        rows = ceiling(options, environment) + steady(options, environment) + burst(options, environment)
        print("\n".join(map(str, rows)))
    return 0 if all(row.fits for row in rows) else 1


def redis_here() -> str:
    return os.environ.get("REDIS_URL") or ("redis://127.0.0.1:6379/9" if answers("127.0.0.1", 6379) else "")


def environment_of(url: str, redis: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "trr_site.settings",
        "ENV_FILE": "",
        "SECRET_KEY": "bench",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": url,
        "REDIS_URL": redis,
        "MEDIA_ROOT": str(folder / "media"),
    }


def ceiling(options: argparse.Namespace, environment: dict[str, str]) -> list[Row]:
    with daphne("bench.ws_ceiling:application", environment) as (port, _), clients(port) as ask:
        ask(f"open {options.clients}")
        sent: dict[int, float] = {}
        for _ in range(options.changes // 8):  # it has no tail that more would show
            number, at = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/", data=b""))
            sent[number] = at
            time.sleep(1 / options.pace)
        ask(f"wait {len(sent)}")
        waits = delays(sent, taken(ask))
    return [
        Row("ceiling, a ready text: delivery, p50", percentile(waits, 0.5), DELIVERY_MS, "ms"),
        Row("ceiling, a ready text: delivery, p99", percentile(waits, 0.99), DELIVERY_MS, "ms"),
        Row("ceiling, a ready text: delivery, last", max(waits), DELIVERY_MS, "ms"),
    ]


def steady(options: argparse.Namespace, environment: dict[str, str]) -> list[Row]:
    with daphne("trr_site.asgi:application", environment) as (port, pid), clients(port) as ask:
        ask(f"open {FIRST_CLIENTS}")
        before = resident(pid)
        ask(f"open {options.clients}")
        time.sleep(1)
        idle = (resident(pid) - before) / (options.clients - FIRST_CLIENTS)
        sent = writes(environment, "--changes", str(options.changes), "--pace", str(options.pace))
        seen = ask(f"wait {len(sent)}")
        arrivals = taken(ask)
    waits = delays(sent, arrivals)
    expected = len(sent) * options.clients
    return [
        Row("a client that only listens: memory of the server", idle, IDLE_KB, "kB"),
        Row("a change: from its commit to a client, p50", percentile(waits, 0.5), DELIVERY_MS, "ms"),
        Row("a change: from its commit to a client, p99", percentile(waits, 0.99), DELIVERY_MS, "ms"),
        Row("a change: from its commit to the last client", max(waits), DELIVERY_MS, "ms"),
        Row("frames lost", expected - len(waits) + seen["lost"], 0),
        Row("frames that came twice", sum(map(len, arrivals.values())) - len(waits), 0),
    ]


def burst(options: argparse.Namespace, environment: dict[str, str]) -> list[Row]:
    with daphne("trr_site.asgi:application", environment) as (port, _), clients(port) as ask:
        ask(f"open {options.burst_clients}")
        sent = writes(environment, "--changes", str(options.burst), "--pace", "0", "--batch", str(options.burst_batch))
        seen = ask(f"wait {len(sent)}")
        arrivals = taken(ask)
    last = max(at for times in arrivals.values() for at in times)
    return [
        Row("burst: frames a show and client", seen["events"] / options.burst_clients / options.burst, 1),
        Row("burst: shows that a client was not told of", options.burst * options.burst_clients - seen["events"], 0),
        Row("burst: from its last commit until the last client has all", (last - max(sent.values())) * 1e3,
            DELIVERY_MS, "ms"),
    ]  # fmt: skip


def writes(environment: dict[str, str], *arguments: str) -> dict[int, float]:
    """The moment of the commit by event, as another process edited shows."""
    command = [sys.executable, "-m", "bench.ws_writer", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return {int(event): at for event, at in json.loads(done.stdout.splitlines()[-1]).items()}


def taken(ask: Any) -> Arrivals:
    return {int(event): times for event, times in ask("take").items()}


def delays(sent: dict[int, float], arrivals: Arrivals) -> list[float]:
    """Milliseconds, of all that came."""
    return [max(0.0, at - sent[event]) * 1e3 for event, times in arrivals.items() if event in sent for at in times]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def resident(pid: int) -> float:
    """kB"""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return float(line.split()[1])
    raise RuntimeError("no VmRSS")


@contextmanager
def daphne(application: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "daphne", "-v0", "-b", "127.0.0.1", "-p", str(port), application]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        until = time.monotonic() + PATIENCE
        while not answers("127.0.0.1", port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"daphne with {application} did not start")
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def clients(port: int) -> Iterator[Any]:
    command = [sys.executable, "-m", "bench.ws_clients", f"ws://127.0.0.1:{port}{ROOM}"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(line: str) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    try:
        yield ask
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
