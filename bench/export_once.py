"""One export in a process of its own: what it cost, as a line of JSON."""

import argparse
import json
import os
import resource
import sys
import time
from datetime import date
from pathlib import Path

import django


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--create", type=int, default=0, help="first create so many shows")
    parser.add_argument("--change", type=int, default=0, help="first change so many")
    parser.add_argument("--format", default="google")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trr_site.settings")
    django.setup()
    create_shows(options.create)
    change_shows(options.change)
    sys.stdout.write(json.dumps(measure(options.format, options.out)) + "\n")


def create_shows(count: int) -> None:
    from bench.world import imdb_id_of
    from catalog.models import Network, Show, ShowNetwork

    if not count:
        return
    networks = Network.objects.bulk_create(Network(id=n, name=f"Network {n}") for n in range(1, 61))
    shows = Show.objects.bulk_create(
        Show(
            name=f"The Real Show of a Place With a Name, Number {n}",
            tmdb_id=n,
            imdb_id=imdb_id_of(n),
            show_total_seasons=n % 30 + 1,
            show_total_episodes=n % 400 + 1,
            most_recent_episode_air_date=date(2026, n % 12 + 1, n % 28 + 1),
            override="Y" if n % 50 == 0 else "",
        )
        for n in range(1, count + 1)
    )
    ShowNetwork.objects.bulk_create(
        ShowNetwork(show=show, network=networks[n % 60], position=0) for n, show in enumerate(shows)
    )


def change_shows(count: int) -> None:
    from catalog.models import Show

    if count:
        Show.objects.filter(tmdb_id__lte=count).update(most_recent_episode_air_date=date(2026, 11, 26))


def measure(format: str, out: Path | None) -> dict[str, object]:
    from exports.export import export_tabs
    from exports.options import Options

    started = time.monotonic()
    report = export_tabs(Options(format=format), out=out)
    return {
        "error": report.error or "; ".join(tab.error for tab in report.failures),
        "seconds": time.monotonic() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
