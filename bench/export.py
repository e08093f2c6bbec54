"""What an export of 10,000 shows costs: calls of Google, seconds, memory; and what one costs that changes nothing.

Google is a stand-in in a process of its own with 200 ms latency and the real quota. Every figure stands beside its
limit; a figure over its limit ends the run with exit code 1.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.sync import ROOT, Row, database

LATENCY = 0.2  # seconds that Google takes for a call
PER_MINUTE = 60  # calls of each kind
MEGABYTE = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shows", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as (url, engine), sheets() as ask:
        print(f"{options.shows} shows on {engine}, a stand-in for Google Sheets with {LATENCY * 1000:.0f} ms latency")
        rows = measure(options.shows, url, Path(folder), ask)
        print("\n".join(map(str, rows)))
    return 0 if all(row.fits for row in rows) else 1


def measure(shows: int, url: str, folder: Path, ask: "Ask") -> list[Row]:
    environment = ask.environment(url)
    rows = []
    first = export_once(environment, "--create", str(shows))
    rows += figures("first export", first, ask(), shows)
    changed = export_once(environment, "--change", str(shows // 10))
    rows += figures("a tenth changed", changed, ask(), shows)
    unchanged = export_once(environment)
    seen = ask()
    rows += [
        Row("unchanged: write calls", seen["writes"], 0),
        Row("unchanged: read calls", seen["reads"], 2),
        Row("unchanged: seconds", unchanged["seconds"], 5, "s"),
    ]
    for format in ("csv", "xlsx"):
        file = export_once(environment, "--format", format, "--out", str(folder))
        rows.append(Row(f"{format}: seconds", file["seconds"], 10, "s"))
    return rows


def figures(what: str, run: dict[str, Any], seen: dict[str, Any], shows: int) -> list[Row]:
    assert not run["error"], run
    assert seen["rows"] == shows + 1, seen
    return [
        Row(f"{what}: write calls", seen["writes"], 5),
        Row(f"{what}: calls in all", seen["reads"] + seen["writes"], 10),
        Row(f"{what}: largest call", seen["largest"] / MEGABYTE, 10, "MB"),
        Row(f"{what}: refused for the quota", seen["refused"], 0),
        Row(f"{what}: seconds", run["seconds"], 10, "s"),
        Row(f"{what}: seconds over the latency of its calls", run["seconds"] / (seen["calls"] * LATENCY), 3, "x"),
        Row(f"{what}: peak memory", run["peak_mb"], 400, "MB"),
    ]


class Ask:
    """The stand-in's process: call it for what it has seen since the last call."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = self.read()["url"]

    def __call__(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def environment(self, database_url: str) -> dict[str, str]:
        return {
            "ENV_FILE": "",
            "SECRET_KEY": "bench",
            "DATABASE_URL": database_url,
            "GOOGLE_SHEETS_API_URL": self.url,
            "SPREADSHEET_ID": "bench",
        }


@contextmanager
def sheets() -> Iterator[Ask]:
    command = [sys.executable, "-m", "bench.export_sheets", str(LATENCY), str(PER_MINUTE)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Ask(process)
    finally:
        process.kill()
        process.wait()


def export_once(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.export_once", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(main())
