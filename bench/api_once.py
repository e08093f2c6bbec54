"""Fills a fresh database for `bench.api` and counts queries; the last line is JSON: ids, counts."""

import json
import random
import sys

import django

REGIONS, PROVIDERS = 60, 9  # of the show that is measured: 540 offers


def main() -> None:
    django.setup()
    from django.db import connection

    from bench.desk_once import NOW, create_catalogue
    from catalog.models import ProductionCompany, Show, ShowProductionCompany, ShowWatchProvider, WatchProvider

    create_catalogue(5_000, 1_000)
    chance = random.Random(2)
    wide = Show.objects.get(tmdb_id=2)
    wide.watch_providers.all().delete()
    Show.objects.filter(pk=wide.pk).update(
        description="Friends, feuds and a reunion. " * 8, genres=["Reality"], keywords=["reunion", "friendship"]
    )
    ProductionCompany.objects.bulk_create(ProductionCompany(id=n, name=f"Company {n}") for n in (1, 2, 3))
    ShowProductionCompany.objects.bulk_create(
        ShowProductionCompany(show=wide, company_id=n, position=n) for n in (1, 2, 3)
    )
    WatchProvider.objects.update(
        hosted_logo_key="images/logos/watch_providers/8/0123456789abcdef0123456789abcdef.png",
        hosted_logo_sha256="0123456789abcdef" * 4,
        hosted_logo_content_type="image/png",
        hosted_logo_bytes=4321,
        hosted_logo_at=NOW,
        tmdb_logo_path="/abcdefghijklmnopqrstuvwxyz.jpg",
    )
    ShowWatchProvider.objects.bulk_create(
        ShowWatchProvider(
            show=wide,
            region=f"{chr(65 + region // 26)}{chr(65 + region % 26)}",
            offer_type=("flatrate", "buy", "rent")[number % 3],
            provider_id=provider,
            display_priority=number,
            link=f"https://www.themoviedb.org/tv/2/watch?locale={region}",
            first_seen_at=NOW,
            fetched_at=NOW,
        )
        for region in range(REGIONS)
        for number, provider in enumerate(chance.sample(range(1, 121), PROVIDERS))
    )
    hundred, one = Show.objects.get(tmdb_id=1), Show.objects.get(tmdb_id=3)
    one.watch_providers.exclude(region=one.watch_providers.values_list("region", flat=True)[0]).delete()
    addresses = {
        "list page": "/api/v1/shows",
        "detail, 1 region": f"/api/v1/shows/{one.pk}",
        "detail, 100 regions": f"/api/v1/shows/{hundred.pk}",
    }
    some = list(Show.objects.order_by("tmdb_id").values_list("pk", flat=True)[10:310])
    counts = {name: queries(address) for name, address in addresses.items()}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # what PostgreSQL does by itself a minute later
    sys.stdout.write(json.dumps({"show": str(wide.pk), "some": list(map(str, some)), "queries": counts}) + "\n")


def queries(address: str) -> int:
    from django.db import connection
    from django.test import Client

    from bench.sync_once import RoundTrips

    trips = RoundTrips()
    with connection.execute_wrapper(trips):
        reply = Client(SERVER_NAME="127.0.0.1").get(address)
    assert reply.status_code == 200, reply.content
    return trips.count


if __name__ == "__main__":
    main()
