"""Fills a fresh database with a catalogue of the size asked for, asks admin for its pages, and prints what they cost.

Runs as a process of its own, for `bench.desk`; the last line is JSON: {page: [queries, milliseconds, bytes]}.
"""

import argparse
import json
import random
import statistics
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NETWORKS, PROVIDERS, REGIONS = 60, 120, [a + b for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ"]
RAW_REPLY = 20_000  # bytes; those of known shows are 5 to 100 kB
TIMES = 7  # each page; the median counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shows", type=int, required=True)
    parser.add_argument("--changes", type=int, required=True)
    options = parser.parse_args()
    import django

    django.setup()
    create_catalogue(options.shows, options.changes)
    sys.stdout.write(json.dumps({name: measure(url) for name, url in pages().items()}) + "\n")


def create_catalogue(shows: int, changes: int) -> None:
    from django.contrib.auth.models import User

    from catalog.models import Change, Network, Show, ShowNetwork, ShowWatchProvider, WatchProvider
    from ingestion.models import Stage, SyncState

    chance = random.Random(1)
    user = User.objects.create_superuser("bench")
    Network.objects.bulk_create(Network(id=n, name=f"Network {n}") for n in range(1, NETWORKS + 1))
    WatchProvider.objects.bulk_create(
        WatchProvider(provider_id=n, provider_name=f"Provider {n}") for n in range(1, PROVIDERS + 1)
    )
    rows = Show.objects.bulk_create(
        Show(
            name=f"Show {n}",
            tmdb_id=n,
            imdb_id=f"tt{9_000_000 + n}",
            premiere_date=date(2005 + n % 20, 3, 1),
            tmdb_status=("Returning Series", "Ended", "Canceled")[n % 3],
            show_total_seasons=n % 12,
            show_total_episodes=n % 200,
            tags=["franchise"] if n % 5 == 0 else [],
            locked_fields=["name"] if n % 7 == 0 else [],
            upstream_values={"name": f"Show {n}"} if n % 7 == 0 else {},
            needs_imdb_resolution=n % 50 == 0,
            tmdb_fetched_at=NOW,
            tmdb_meta={"overview": "".join(chance.choices("abcdefghijklmnopqrstuvwxyz ", k=RAW_REPLY))},
        )
        for n in range(1, shows + 1)
    )
    ShowNetwork.objects.bulk_create(
        ShowNetwork(show=show, network_id=network, position=position)
        for show in rows
        for position, network in enumerate(chance.sample(range(1, NETWORKS + 1), 2))
    )
    SyncState.objects.bulk_create(
        SyncState(show=show, stage=stage, status="ok", attempted_at=NOW, last_success_at=NOW)
        for show in rows
        for stage in Stage
    )
    ShowWatchProvider.objects.bulk_create(
        (
            ShowWatchProvider(
                show=show, region=region, offer_type="flatrate", provider_id=provider, first_seen_at=NOW, fetched_at=NOW
            )
            for number, show in enumerate(rows)
            for region in (REGIONS if number == 0 else chance.sample(REGIONS, 6))
            for provider in chance.sample(range(1, PROVIDERS + 1), 2)
        ),
        batch_size=5000,
    )
    Change.objects.bulk_create(
        (
            Change(
                show=chance.choice(rows) if n > 100 else rows[0],
                kind="updated",
                user=user if n % 3 else None,
                run_id=None if n % 3 else n // 1000,
                ts=NOW - timedelta(minutes=n),
                fields={"show_total_episodes": [n, n + 1]},
            )
            for n in range(changes)
        ),
        batch_size=5000,
    )


def pages() -> dict[str, str]:
    from django.urls import reverse

    from catalog.models import Show

    first = Show.objects.get(tmdb_id=1)
    shows = reverse("admin:catalog_show_changelist")
    return {
        "list of shows": shows,
        "list: filtered and searched": f"{shows}?status=Ended&q=show",
        "list: page 50": f"{shows}?p=50",
        "list: search by an id": f"{shows}?q=tt9000113",
        "show page, 100 regions, 100 changes": reverse("admin:catalog_show_change", args=(first.pk,)),
        "history": reverse("admin:catalog_change_changelist"),
        "history of one field": f"{reverse('admin:catalog_change_changelist')}?field=show_total_episodes",
        "inbox": reverse("admin:catalog_show_review"),
        "dashboard": reverse("admin:index"),
        "list of networks": reverse("admin:catalog_network_changelist"),
    }


def measure(url: str) -> tuple[int, float, int]:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from bench.sync_once import RoundTrips

    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(), backend="django.contrib.auth.backends.ModelBackend")
    response: Any = client.get(url)  # also warms the templates
    assert response.status_code == 200, (url, response.status_code, response.headers.get("Location"))
    trips = RoundTrips()
    with connection.execute_wrapper(trips):
        client.get(url)
    seconds = []
    for _ in range(TIMES):
        started = time.perf_counter()
        client.get(url)
        seconds.append(time.perf_counter() - started)
    return trips.count, statistics.median(seconds) * 1000, len(response.content)


if __name__ == "__main__":
    main()
