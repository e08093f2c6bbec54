"""What the REST API serves, against a ceiling that is measured in the same run. `make bench` runs it.

5,000 shows; the one that is asked for is available in 60 regions (540 offers). The ceiling is a bare application
without Django that reads the same rows by one hand-written statement (`bench.api_ceiling`), under the same server
with the same number of workers; both are asked in turn, and medians are compared.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.sync import ROOT, Row, database

ROUNDS, SECONDS = 3, 1.2
GRANIAN = ("granian", "--interface", "wsgi", "--workers", "1", "--blocking-threads", "1", "--no-ws")
BIN = Path(sys.executable).parent


@dataclass
class AtLeast(Row):
    @property
    def fits(self) -> bool:
        return self.figure >= self.limit

    def __str__(self) -> str:
        mark = "" if self.fits else "   <- under its limit"
        return f"  {self.what:<58} {self.figure:>9.2f} {self.unit:<4} at least {self.limit:g}{mark}"


@dataclass
class Figure(Row):
    """For information."""

    limit: float = float("inf")

    def __str__(self) -> str:
        return f"  {self.what:<58} {self.figure:>9.2f} {self.unit}"


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as (url, engine):
        if engine != "PostgreSQL":
            print("REST: not measured, as no PostgreSQL answers (DATABASE_URL, or 127.0.0.1:5432)")
            return 0
        print(f"REST with 5000 shows, one of them in 60 regions, on {engine}")
        rows = measure(environment(url, Path(folder)))
        print("\n".join(map(str, rows)))
    return 0 if all(row.fits for row in rows) else 1


def environment(url: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "trr_site.settings",
        "ENV_FILE": "",
        "SECRET_KEY": "bench",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": url,
        "MEDIA_ROOT": str(folder / "media"),
        "TMDB_API_KEY": "bench",
        "API_REQUESTS_PER_MINUTE": "1000000000",  # the limiter works, and lets all through
    }


def measure(env: dict[str, str]) -> list[Row]:
    made = subprocess.run(
        [sys.executable, "-m", "bench.api_once"], cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True
    )
    facts = json.loads(made.stdout.splitlines()[-1])
    counts = facts["queries"]
    rows: list[Row] = [
        Row("list page: queries", counts["list page"], 2),
        Row("detail, 1 region: queries", counts["detail, 1 region"], 6),
        Row("detail, 100 regions: queries", counts["detail, 100 regions"], 6),
    ]
    return rows + measure_wsgi(env, facts) + measure_daphne(env, facts["show"])


def measure_wsgi(env: dict[str, str], facts: dict[str, Any]) -> list[Row]:
    show = facts["show"]
    with (
        granian("trr_site.wsgi:application", env) as ours,
        granian("bench.api_ceiling:wsgi", env) as bare,
        granian("bench.api_plain:application", env) as plain,
    ):
        assert_equal(f"{ours.site}/api/v1/shows/{show}", f"{bare.site}/show/{show}")
        cold = statistics.median(milliseconds(f"{ours.site}/api/v1/shows/{pk}") for pk in facts["some"])
        etag = etag_of(f"{ours.site}/api/v1/shows/{show}")
        address = f"/api/v1/shows/{show}"
        detail, ceiling, drf = in_turn(
            f"{ours.site}{address}", f"{bare.site}/show/{show}", f"{plain.site}/plain/{show}"
        )
        known, narrow = in_turn((f"{ours.site}{address}", f"If-None-Match: {etag}"), f"{bare.site}/narrow")
        page, bare_page = in_turn(f"{ours.site}/api/v1/shows", f"{bare.site}/list")
        memory = ours.megabytes()
    return [
        *pair("WSGI: detail", detail, "ceiling", ceiling, 1.5),
        AtLeast("WSGI: detail / plain DRF serializers", detail.rate / drf.rate, 15, "x"),
        *pair("WSGI: 304", known, "a bare narrow query", narrow, 0.7),
        *pair("WSGI: list of 50", page, "ceiling", bare_page, 0.5),
        Figure("WSGI: a detail that nobody asked for before", cold, unit="ms"),
        Figure(f"WSGI: memory of the process, {len(facts['some'])} answers kept", memory, unit="MB"),
    ]


def measure_daphne(env: dict[str, str], show: str) -> list[Row]:
    with daphne("trr_site.asgi:application", env) as ours, daphne("bench.api_ceiling:asgi", env) as bare:
        assert_equal(f"{ours.site}/api/v1/shows/{show}", f"{bare.site}/show/{show}")
        address = f"{ours.site}/api/v1/shows/{show}"
        detail, ceiling = in_turn(address, f"{bare.site}/show/{show}")
        known, narrow = in_turn((address, f"If-None-Match: {etag_of(address)}"), f"{bare.site}/narrow")
        page, bare_page = in_turn(f"{ours.site}/api/v1/shows", f"{bare.site}/list")
    return [
        *pair("daphne: detail", detail, "ceiling", ceiling, 0.5),
        *pair("daphne: 304", known, "a bare narrow query", narrow, 0),
        *pair("daphne: list of 50", page, "ceiling", bare_page, 0.5),
    ]


def pair(what: str, ours: "Load", than: str, bare: "Load", limit: float) -> list[Row]:
    rows: list[Row] = [
        Figure(f"{what}", ours.rate, unit="/s"),
        Figure(f"{what}: {than}", bare.rate, unit="/s"),
        Figure(f"{what}: p50 with 8 connections", ours.p50, unit="ms"),
        Figure(f"{what}: p99", ours.p99, unit="ms"),
    ]
    ratio = ours.rate / bare.rate
    return [
        AtLeast(f"{what} / {than}", ratio, limit, "x") if limit else Figure(f"{what} / {than}", ratio, unit="x"),
        *rows,
    ]


# --- servers and load


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    site: str

    def megabytes(self) -> float:
        """Resident memory of it and its workers."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parts = stat.read_text().rpartition(")")[2].split()
                if int(stat.parent.name) == self.process.pid or int(parts[1]) == self.process.pid:
                    total += int(parts[21]) * os.sysconf("SC_PAGE_SIZE")
            except (OSError, IndexError):
                continue
        return total / 1024 / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], port: int, env: dict[str, str]) -> Iterator[Server]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                time.sleep(0.1)
        yield Server(process, f"http://127.0.0.1:{port}")
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def granian(target: str, env: dict[str, str]) -> Any:
    port = free_port()
    name, *options = GRANIAN
    return serving([str(BIN / name), *options, "--host", "127.0.0.1", "--port", str(port), target], port, env)


def daphne(target: str, env: dict[str, str]) -> Any:
    port = free_port()
    return serving([sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(port), target], port, env)


@dataclass
class Load:
    rate: float
    p50: float
    p99: float


def in_turn(*targets: str | tuple[str, str]) -> list[Load]:
    """Each asked ROUNDS times, in turn, after a round that does not count."""
    seen: list[list[dict[str, Any]]] = [[] for _ in targets]
    for number in range(ROUNDS + 1):
        for figures, target in zip(seen, targets, strict=True):
            url, header = target if isinstance(target, tuple) else (target, "")
            figure = load(url, header, SECONDS if number else 0.5)
            if number:
                figures.append(figure)
    return [
        Load(*(statistics.median(figure[name] for figure in figures) for name in ("rate", "p50_ms", "p99_ms")))
        for figures in seen
    ]


def load(url: str, header: str, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.load", url, "--seconds", str(seconds)]
    command += ["--header", header] if header else []
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    known = url.endswith("/narrow") or header.startswith("If-None-Match")
    assert set(figures["statuses"]) == {"304" if known else "200"}, (url, figures)
    return figures


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as reply:  # noqa: S310  our own servers
        return json.load(reply)


def etag_of(url: str) -> str:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
        return str(reply.headers["ETag"])


def milliseconds(url: str) -> float:
    started = time.perf_counter()
    fetch(url)
    return (time.perf_counter() - started) * 1000


def assert_equal(ours: str, bare: str) -> None:
    """Both answer the same rows: the ceiling leaves out what is derived from these."""
    mine, theirs = fetch(ours), fetch(bare)
    for name in ("id", "name", "description", "genres", "tmdb_name", "locked_fields"):
        assert mine[name] == theirs[name], name
    assert [network["id"] for network in mine["tmdb_networks"]] == [row["id"] for row in theirs["tmdb_networks"]]
    groups = [
        [(g["region"], g["offer_type"], len(g["providers"])) for g in d["watch_providers"]] for d in (mine, theirs)
    ]
    assert groups[0] == groups[1]


if __name__ == "__main__":
    sys.exit(main())
