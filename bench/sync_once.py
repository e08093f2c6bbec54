"""One sync in a process of its own: what it cost, as a line of JSON."""

import argparse
import json
import os
import resource
import sys
import time

import django


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--create", type=int, default=0, help="first create so many shows")
    parser.add_argument("--find", type=float, default=0.0, help="share of them that is known by the IMDb id alone")
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trr_site.settings")
    django.setup()
    create_shows(options.create, options.find)
    sys.stdout.write(json.dumps(measure(options.force)) + "\n")


def create_shows(count: int, find: float) -> None:
    from bench.world import imdb_id_of
    from catalog.models import Show

    known_by_imdb = round(count * find)
    Show.objects.bulk_create(
        Show(
            name=f"Show {n}",
            **({"imdb_id": imdb_id_of(n)} if n <= known_by_imdb else {"tmdb_id": n}),
        )
        for n in range(1, count + 1)
    )


def measure(force: bool) -> dict[str, object]:
    from django.db import connection

    from catalog.models import Show
    from ingestion.options import Options
    from ingestion.sync import sync_shows

    trips = RoundTrips()
    connection.ensure_connection()
    commit = connection._commit  # type: ignore[attr-defined]

    def counted_commit() -> None:
        trips.count += 2  # BEGIN travels with no other statement, nor does COMMIT
        commit()

    connection._commit = counted_commit  # type: ignore[attr-defined]
    started = time.monotonic()
    with connection.execute_wrapper(trips):
        report = sync_shows(Options(force=force), kind="bench")
    return {
        "shows": Show.objects.count(),
        "counts": dict(report.counts),
        "error": report.error,
        "failures": report.failures[:3],
        "requests": report.requests,
        "seconds": time.monotonic() - started,
        "round_trips": trips.count,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


class RoundTrips:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        self.count += 1
        return execute(sql, params, many, context)


if __name__ == "__main__":
    main()
