"""What admin's pages cost with 5,000 shows: queries and milliseconds of the server. `make bench` runs it."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.sync import ROOT, Row, database

LIST_QUERIES, LIST_MS = 12, 300
PAGE_QUERIES, PAGE_MS = 22, 300
LISTS = ("list", "history", "inbox")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shows", type=int, default=5_000)
    parser.add_argument("--changes", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as (url, engine):
        print(f"admin with {options.shows} shows, {options.changes} changes, on {engine}")
        rows = measure(options, url, Path(folder))
        print("\n".join(map(str, rows)))
    return 0 if all(row.fits for row in rows) else 1


def measure(options: argparse.Namespace, url: str, folder: Path) -> list[Row]:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "trr_site.settings",
        "ENV_FILE": "",
        "SECRET_KEY": "bench",
        "DATABASE_URL": url,
        "MEDIA_ROOT": str(folder / "media"),
        "TMDB_API_KEY": "bench",
    }
    command = [sys.executable, "-m", "bench.desk_once", f"--shows={options.shows}", f"--changes={options.changes}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    rows = []
    for page, (queries, milliseconds, size) in json.loads(done.stdout.splitlines()[-1]).items():
        is_list = page.startswith(LISTS)
        rows.append(Row(f"{page}: queries", queries, LIST_QUERIES if is_list else PAGE_QUERIES))
        rows.append(Row(f"{page} ({size // 1000} kB)", milliseconds, LIST_MS if is_list else PAGE_MS, "ms"))
    return rows


if __name__ == "__main__":
    sys.exit(main())
