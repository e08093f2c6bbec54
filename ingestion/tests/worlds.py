"""Worlds to sync: shows that the stand-in tells of, the rows that match them, and what the database holds.

The shows are made up; their shape is TMDb's.
"""

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.apps import apps

from catalog.models import Show
from demo.upstream import Reply, Request, Upstream

FIRST_ID = 1001
LEDGER = ("ingestion.syncstate", "ingestion.syncrun", "ingestion.upstreamtraffic")
NO_FIND = {
    "movie_results": [],
    "person_results": [],
    "tv_results": [],
    "tv_episode_results": [],
    "tv_season_results": [],
}


def world(upstream: Upstream, n: int, *, regions: Sequence[str] = ("US",), by_imdb: Collection[int] = ()) -> list[Show]:
    """`n` shows upstream and the row of each, in order; those numbered in `by_imdb` (from 0) have an IMDb id alone."""
    ids = range(FIRST_ID, FIRST_ID + n)
    upstream.shows = {tmdb_id: reply(tmdb_id, regions) for tmdb_id in ids}
    return [
        Show.objects.create(
            name=name_of(tmdb_id),
            tmdb_id=None if number in by_imdb else tmdb_id,
            imdb_id=imdb_id_of(tmdb_id) if number in by_imdb else None,
        )
        for number, tmdb_id in enumerate(ids)
    ]


def csv_of(n: int) -> str:
    """The same shows as a file for `import_shows`."""
    ids = range(FIRST_ID, FIRST_ID + n)
    return "name,imdb_id,tmdb_id\n" + "".join(f"{name_of(one)},,{one}\n" for one in ids)


def name_of(tmdb_id: int) -> str:
    return f"Island {tmdb_id}"


def imdb_id_of(tmdb_id: int) -> str:
    return f"tt{9000000 + tmdb_id}"


def reply(tmdb_id: int, regions: Sequence[str] = ("US",)) -> dict[str, Any]:
    """A whole /tv/{id} reply with every part that a sync appends; two networks, a company, two offers a region."""
    return {
        "id": tmdb_id,
        "name": name_of(tmdb_id),
        "original_name": name_of(tmdb_id),
        "overview": f"What happens on island {tmdb_id}.",
        "first_air_date": "2015-06-07",
        "last_air_date": "2024-08-01",
        "status": "Ended",
        "type": "Reality",
        "number_of_seasons": 3,
        "number_of_episodes": 30,
        "last_episode_to_air": {
            "season_number": 3,
            "episode_number": 10,
            "name": "The end",
            "air_date": "2024-08-01",
        },
        "genres": [{"id": 10764, "name": "Reality"}],
        "vote_average": 6.5,
        "vote_count": 40,
        "popularity": 12.5,
        "seasons": [],
        "networks": [network(1), network(2)],
        "production_companies": [network(7, "company")],
        "keywords": {"results": [{"id": 1, "name": "island"}]},
        "external_ids": {"imdb_id": imdb_id_of(tmdb_id), "tvdb_id": tmdb_id, "wikidata_id": f"Q{tmdb_id}"},
        "watch/providers": {"results": {region: offers(tmdb_id, region) for region in regions}},
    }


def network(number: int, kind: str = "network") -> dict[str, Any]:
    return {
        "id": number,
        "name": f"{kind} {number}".title(),
        "origin_country": "US",
        "logo_path": f"/{kind}-{number}.png",
    }


def offers(tmdb_id: int, region: str) -> dict[str, Any]:
    return {
        "link": f"https://www.themoviedb.org/tv/{tmdb_id}/watch?locale={region}",
        "flatrate": [provider(8)],
        "buy": [provider(10)],
    }


def provider(number: int) -> dict[str, Any]:
    return {
        "provider_id": number,
        "provider_name": f"Provider {number}",
        "logo_path": f"/provider-{number}.png",
        "display_priority": number,
    }


def snapshot(*, leave_out: Iterable[str] = (), show: Show | None = None) -> dict[str, list[str]]:
    """Every row of every table of ours as text, by model; with `show` only the rows of that show."""
    tables = {}
    for model in (*apps.get_app_config("catalog").get_models(), *apps.get_app_config("ingestion").get_models()):
        if model._meta.label_lower in leave_out:
            continue
        rows = model._default_manager.order_by("pk")
        if show is not None:
            if model is Show:
                rows = rows.filter(pk=show.pk)
            elif any(field.name == "show" for field in model._meta.fields):
                rows = rows.filter(show=show.pk)
            else:
                continue
        tables[model._meta.label_lower] = [repr(sorted(row.items())) for row in rows.values()]
    return tables


class GatedUpstream(Upstream):
    """A stand-in that holds the requests for the paths in `gated` back until the gate is opened."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gated: set[str] = set()
        self.waiting: set[str] = set()
        self.gate = threading.Event()

    def respond(self, request: Request) -> Reply:
        if request.path in self.gated and not self.gate.is_set():
            self.waiting.add(request.path)
            self.gate.wait(100)
        return super().respond(request)

    def close(self) -> None:
        self.gate.set()
        super().close()
