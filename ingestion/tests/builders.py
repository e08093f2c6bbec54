"""Shows, records and replies for the tests: whole by default, so that a test names only what it is about."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from catalog.models import Network, Show, ShowNetwork
from ingestion.matching import Candidate
from ingestion.models import Stage, SyncState
from ingestion.options import ALL_STAGES
from ingestion.outcomes import Fetched
from ingestion.records import EntityRecord, EpisodeRecord, ExternalIds, OfferRecord, ProviderRecord, ShowRecord

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BRAVO = EntityRecord(74, "Bravo", "US", "/bravo.png")
HBO = EntityRecord(49, "HBO", "US", "/hbo.png")
EVOLUTION = EntityRecord(6257, "Evolution Media", None, None)

_numbers = count(1)


def make_show(**columns: Any) -> Show:
    number = next(_numbers)
    return Show.objects.create(**{"name": f"Show {number}", "tmdb_id": 1_000_000 + number} | columns)


def make_ids(**ids: Any) -> ExternalIds:
    none = dict.fromkeys(("imdb_id", "tvdb_id", "wikidata_id", "facebook_id", "instagram_id", "twitter_id"))
    return ExternalIds(**none | ids)


def make_offer(
    region: str = "US",
    offer_type: str = "flatrate",
    provider: int = 386,
    *,
    name: str = "Peacock",
    priority: int | None = 1,
    link: str | None = "https://example.org/watch",
    logo: str | None = "/peacock.png",
) -> OfferRecord:
    return OfferRecord(region, offer_type, ProviderRecord(provider, name, logo), priority, link)


def make_record(tmdb_id: int, **values: Any) -> ShowRecord:
    """A reply in which every part is there and has a value."""
    whole = ShowRecord(
        tmdb_id=tmdb_id,
        name="Below Deck",
        original_name="Below Deck",
        overview="Life at sea.",
        first_air_date=date(2013, 7, 1),
        last_air_date=date(2025, 6, 2),
        status="Returning Series",
        type="Reality",
        number_of_seasons=12,
        number_of_episodes=200,
        last_episode=EpisodeRecord(12, 1, "All aboard", date(2025, 6, 2)),
        genres=("Reality",),
        keywords=("yacht",),
        vote_average=7.3,
        vote_count=50,
        popularity=20.5,
        networks=(BRAVO,),
        production_companies=(EVOLUTION,),
        external_ids=make_ids(
            tvdb_id=270407, wikidata_id="Q1", facebook_id="BelowDeck", instagram_id="bd", twitter_id="bd"
        ),
        watch_providers=(make_offer(),),
    )
    return replace(whole, **values)


def fetched_of(show: Show, record: ShowRecord | None = None, **values: Any) -> Fetched:
    """What a worker brings for `show`: a whole reply, unless told otherwise. `record_*` changes the record."""
    changes = {name.removeprefix("record_"): values.pop(name) for name in list(values) if name.startswith("record_")}
    if record is None and not {"problem", "offers"} & set(values):
        record = make_record(show.tmdb_id or 1, **changes)
    payload = {"id": record.tmdb_id, "name": record.name} if record else None
    defaults = {"stages": ALL_STAGES, "at": NOW, "payload": payload, "tmdb_id": show.tmdb_id, "imdb_id": show.imdb_id}
    return Fetched(show_id=show.pk, name=show.name, record=record, **defaults | values)


def make_candidate(
    tmdb_id: int = 1, name: str | None = "Below Deck", year: int | None = None, **values: Any
) -> Candidate:
    whole = Candidate(
        tmdb_id=tmdb_id,
        names=(name,) if name else (),
        first_air_date=date(year, 6, 1) if year else None,
        networks=None,
        poster_path=None,
        through_episode=False,
    )
    return replace(whole, **values)


def make_state(show: Show, stage: Stage = Stage.DETAILS, status: str = "ok", **values: Any) -> SyncState:
    waits = status in ("gone", "unresolved")
    defaults = {
        "attempted_at": NOW,
        "last_success_at": NOW if status == "ok" else None,
        "attempts": status != "ok",
        "asked_for": (show.imdb_id or "") if waits else str(show.tmdb_id),
    }
    return SyncState.objects.create(show=show, stage=stage, status=status, **defaults | values)


def synced(show: Show, at: datetime = NOW) -> Show:
    """`show` with every stage up to date."""
    for stage in Stage:
        make_state(show, stage, attempted_at=at, last_success_at=at)
    return show


def add_network(show: Show, pk: int, name: str, source: str = "editor", position: int = 0) -> ShowNetwork:
    network, _ = Network.objects.get_or_create(id=pk, defaults={"name": name})
    return ShowNetwork.objects.create(show=show, network=network, source=source, position=position)
