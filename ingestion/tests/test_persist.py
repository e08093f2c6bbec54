import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from catalog.changes import Author, plain
from catalog.edits import decide_no_match, edit_show
from catalog.locks import LOCKABLE_RELATIONS, UPSTREAM_FIELDS
from catalog.models import (
    Change,
    Network,
    PastWatchProvider,
    ProductionCompany,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)
from ingestion.columns import show_columns
from ingestion.models import ResolutionCandidate, Stage, SyncState
from ingestion.options import ALL_STAGES
from ingestion.outcomes import Batch, Fetched, Outcome
from ingestion.persist import save_shows
from ingestion.tests.builders import (
    BRAVO,
    HBO,
    NOW,
    add_network,
    fetched_of,
    make_candidate,
    make_ids,
    make_offer,
    make_record,
    make_show,
)

pytestmark = pytest.mark.django_db
BY_RUN = Author(run_id=7)
# What no reply of TMDb fills: its own id, which is how a show is asked for, and the columns of IMDb.
FILLED = tuple(name for name in UPSTREAM_FIELDS if name == "imdb_id" or not name.startswith(("imdb_", "tmdb_id")))
EDITORS_OWN = {
    models.DateField: date(1999, 1, 1),
    models.PositiveIntegerField: 3,
    models.PositiveBigIntegerField: 4,
    models.FloatField: 1.5,
    models.JSONField: ["Editor's own"],
    models.CharField: "Editor's own",
    models.TextField: "Editor's own",
}


def save(*fetched: Fetched, **options: Any) -> Batch:
    return save_shows(fetched, BY_RUN, **options)


def save_one(fetched: Fetched, **options: Any) -> Any:
    (saved,) = save(fetched, **options).saved
    return saved


def networks_of(show: Show) -> list[str]:
    return [row.network.name for row in ShowNetwork.objects.filter(show=show)]


def offers_of(show: Show) -> set[tuple[str, str, int]]:
    return set(ShowWatchProvider.objects.filter(show=show).values_list("region", "offer_type", "provider_id"))


def state_of(show: Show, stage: Stage = Stage.DETAILS) -> SyncState:
    return SyncState.objects.get(show=show, stage=stage)


def last_fields(show: Show) -> dict[str, Any]:
    return Change.objects.filter(show=show).latest("id").fields


def tables() -> dict[str, str]:
    """A hash of every row of ours, by table."""
    return {
        model._meta.db_table: hashlib.sha256(
            json.dumps(sorted(map(repr, model._default_manager.values_list()))).encode()
        ).hexdigest()
        for app in ("catalog", "ingestion")
        for model in apps.get_app_config(app).get_models()
    }


@contextmanager
def captured() -> Iterator[CaptureQueriesContext]:
    with CaptureQueriesContext(connection) as queries:
        yield queries


def written(queries: CaptureQueriesContext) -> set[str]:
    """The tables that were written to."""
    statement = re.compile(r'(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM) "(\w+)"')
    return {match[1] for query in queries if (match := statement.match(query["sql"]))}


# --- a first save


def test_a_first_save_writes_columns_links_offers_states_and_one_change() -> None:
    show = make_show(name="below deck", imdb_id=None)
    offers = (make_offer("US"), make_offer("GB", "buy", 10, name="Amazon Video", priority=3, logo=None))

    saved = save_one(fetched_of(show, record_networks=(HBO, BRAVO), record_watch_providers=offers))

    show.refresh_from_db()
    assert saved.outcome == Outcome.UPDATED
    assert (show.name, show.premiere_date, show.genres, show.tvdb_id) == (
        "Below Deck",
        date(2013, 7, 1),
        ["Reality"],
        270407,
    )
    assert (show.most_recent_episode, show.tmdb_fetched_at) == ("S12.E1 - All aboard (2025-06-02)", NOW)
    assert show.tmdb_meta == {"id": show.tmdb_id, "name": "Below Deck"}
    assert networks_of(show) == ["HBO", "Bravo"]
    assert offers_of(show) == {("US", "flatrate", 386), ("GB", "buy", 10)}
    assert ShowProductionCompany.objects.get(show=show).company.name == "Evolution Media"
    assert {state.stage: state.status for state in SyncState.objects.all()} == dict.fromkeys(Stage, "ok")
    change = Change.objects.get()
    assert (change.kind, change.run_id, change.user, change.volatile) == ("updated", 7, None, False)
    assert change.fields == saved.changes
    assert change.fields["name"] == ["below deck", "Below Deck"]
    assert change.fields["networks"] == {"added": ["HBO (49)", "Bravo (74)"], "removed": []}
    assert change.fields["watch_providers"] == {
        "added": ["GB buy Amazon Video (10)", "US flatrate Peacock (386)"],
        "removed": [],
    }


def test_entities_are_as_the_reply_describes_them() -> None:
    save(fetched_of(make_show(), record_watch_providers=(make_offer(priority=4), make_offer("GB", priority=2))))

    bravo, evolution, peacock = Network.objects.get(), ProductionCompany.objects.get(), WatchProvider.objects.get()
    assert (bravo.pk, bravo.name, bravo.origin_country, bravo.tmdb_logo_path) == (74, "Bravo", "US", "/bravo.png")
    assert bravo.tmdb_meta == {"id": 74, "name": "Bravo", "origin_country": "US", "logo_path": "/bravo.png"}
    assert (evolution.pk, evolution.origin_country, evolution.tmdb_logo_path) == (6257, None, None)
    assert (peacock.pk, peacock.display_priority) == (386, 2)


def test_entities_without_a_mirrored_logo_are_told() -> None:
    batch = save(fetched_of(make_show(), record_networks=(BRAVO, HBO)))

    assert {str(entity) for entity in batch.logos} == {"Bravo", "HBO", "Peacock"}


@pytest.mark.parametrize("locked", [False, True])
def test_a_logo_that_is_gone_upstream_goes_here_unless_an_editor_locked_it(locked: bool) -> None:
    show = make_show()
    save(fetched_of(show, record_networks=(BRAVO, HBO)))
    hosted = {
        "hosted_logo_key": "images/logos/a.png",
        "hosted_logo_sha256": "a",
        "hosted_logo_content_type": "image/png",
        "hosted_logo_bytes": 9,
        "hosted_logo_etag": "e",
        "hosted_logo_at": NOW,
        "hosted_logo_path": "/bravo.png",
    }
    for model in (Network, WatchProvider):
        model.objects.update(**hosted, logo_locked=locked)

    batch = save(
        fetched_of(
            show,
            record_networks=(replace(BRAVO, logo_path=None), HBO),
            record_watch_providers=(make_offer(logo=None),),
        )
    )

    expected = hosted if locked else dict.fromkeys(hosted)
    assert Network.objects.values(*hosted).get(pk=BRAVO.id) == expected
    assert WatchProvider.objects.values(*hosted).get() == expected
    assert Network.objects.values(*hosted).get(pk=HBO.id) == hosted  # the other one keeps its own
    assert "Bravo" not in {str(entity) for entity in batch.logos}


def test_only_what_was_asked_for_is_saved() -> None:
    show = make_show(name="Ours")

    save(fetched_of(show, stages=frozenset({Stage.ENTITIES}), record_external_ids=None))

    show.refresh_from_db()
    assert (show.name, show.description, show.tvdb_id) == ("Ours", None, None)
    assert networks_of(show) == ["Bravo"]
    assert offers_of(show) == set()
    assert [state.stage for state in SyncState.objects.all()] == [Stage.ENTITIES]


def test_offers_can_come_alone() -> None:
    show = make_show(name="Ours")

    saved = save_one(fetched_of(show, stages=frozenset({Stage.WATCH_PROVIDERS}), offers=(make_offer("FR"),)))

    show.refresh_from_db()
    assert list(saved.changes) == ["watch_providers"]
    assert show.name == "Ours"
    assert offers_of(show) == {("FR", "flatrate", 386)}


# --- the same again


def test_the_same_again_writes_nothing_but_the_states() -> None:
    show = make_show(imdb_id="tt2342499")
    record = make_record(show.tmdb_id)
    save(fetched_of(show, record))
    show.refresh_from_db()
    before, updated_at = tables(), show.updated_at

    with captured() as queries:
        saved = save_one(fetched_of(Show.objects.get(), record, at=NOW + timedelta(days=1)))

    assert (saved.outcome, saved.changes) == (Outcome.UNCHANGED, {})
    assert written(queries) == {"ingestion_syncstate"}
    assert [name for name, rows in tables().items() if rows != before[name]] == ["ingestion_syncstate"]
    assert Show.objects.get().updated_at == updated_at
    assert state_of(show).last_success_at == NOW + timedelta(days=1)


def test_an_unresolved_imdb_id_is_unchanged_the_second_time() -> None:
    show = make_show(imdb_id=None)
    save(fetched_of(show))

    saved = save_one(fetched_of(Show.objects.get()))

    assert Show.objects.get().needs_imdb_resolution
    assert saved.outcome == Outcome.UNCHANGED


def test_the_raw_reply_is_written_only_when_it_is_another() -> None:
    show = make_show()
    record = make_record(show.tmdb_id)
    save(fetched_of(show, record, payload={"id": show.tmdb_id, "tagline": "a"}))
    later = NOW + timedelta(days=1)

    save(fetched_of(show, record, payload={"tagline": "a", "id": show.tmdb_id}, at=later))
    same = Show.objects.get()
    saved = save_one(fetched_of(show, record, payload={"id": show.tmdb_id, "tagline": "b"}, at=later))
    other = Show.objects.get()

    assert same.tmdb_fetched_at == NOW
    assert (other.tmdb_meta, other.tmdb_fetched_at) == ({"id": show.tmdb_id, "tagline": "b"}, later)
    assert saved.outcome == Outcome.UNCHANGED  # a raw reply is stored, not compared
    assert Change.objects.count() == 1


# --- what it costs


def cost(fetched: list[Fetched]) -> int:
    with captured() as queries:
        save(*fetched)
    return len(queries)


@pytest.mark.parametrize("again", [False, True])
def test_the_number_of_queries_does_not_grow_with_the_regions(again: bool) -> None:
    regions = [f"{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJ"]
    costs = []
    for count in (1, 100):
        show = make_show()
        record = make_record(show.tmdb_id, watch_providers=tuple(make_offer(region) for region in regions[:count]))
        if again:
            save(fetched_of(show, record))
        costs.append(cost([fetched_of(show, record)]))

    assert ShowWatchProvider.objects.count() == 101
    # The second show finds the networks and providers of the first one there.
    assert costs[1] == costs[0] if again else costs[1] <= costs[0]


def test_twenty_shows_cost_one_query_a_show_more_than_one() -> None:
    one = cost([fetched_of(make_show())])
    twenty = cost([fetched_of(make_show()) for _ in range(20)])

    assert twenty <= one + 19


def test_twenty_unchanged_shows_cost_no_more_than_one() -> None:
    fetched = [fetched_of(make_show()) for _ in range(20)]
    save(*fetched)

    assert cost(fetched) == cost(fetched[:1])


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_one_transaction_and_within_its_cost() -> None:
    fetched = [fetched_of(make_show()) for _ in range(20)]

    with captured() as first:
        save(*fetched)
    with captured() as again:
        save(*fetched)

    for queries in (first, again):
        statements = [query["sql"].split()[0] for query in queries]
        assert (statements[0], statements[-1]) == ("BEGIN", "COMMIT")
        assert (statements.count("BEGIN"), statements.count("COMMIT"), statements.count("SAVEPOINT")) == (1, 1, 0)
    # Promised are 8 round trips a show at first and 2 when nothing changed, with logos and the run's own rows.
    assert len(first) <= 20 * 3
    assert len(again) <= 20


# --- locks


def test_the_tests_below_cover_every_column_that_a_sync_fills() -> None:
    show = Show(tmdb_id=1)

    assert set(show_columns(show, make_record(1), ALL_STAGES)) == set(FILLED)


def editors_value(name: str) -> Any:
    return "tt9999999" if name.endswith("imdb_id") else EDITORS_OWN[type(Show._meta.get_field(name))]


@pytest.mark.parametrize("name", FILLED)
def test_a_locked_column_is_kept_and_upstreams_value_kept_beside(name: str) -> None:
    show = make_show(**{name: editors_value(name), "locked_fields": [name]})
    record = make_record(show.tmdb_id, external_ids=make_ids(imdb_id="tt2342499", tvdb_id=1, wikidata_id="Q2"))
    said = show_columns(show, record, ALL_STAGES)[name]

    saved = save_one(fetched_of(show, record))

    show.refresh_from_db()
    assert getattr(show, name) == editors_value(name)
    assert show.upstream_values[name] == plain(said)
    assert name not in saved.changes
    assert save_one(fetched_of(show, record)).outcome == Outcome.UNCHANGED


def test_what_an_editor_alone_writes_is_left_alone() -> None:
    show = make_show(tags=["a"], listed_on=["b"], override="SKIP")

    save(fetched_of(show))

    show.refresh_from_db()
    assert (show.tags, show.listed_on, show.override) == (["a"], ["b"], "SKIP")


@pytest.mark.parametrize("locked", LOCKABLE_RELATIONS)
def test_a_locked_set_is_kept(locked: str) -> None:
    show = make_show()
    save(fetched_of(show))
    Show.objects.update(locked_fields=[locked])
    others = {"networks": "HBO", "production_companies": "Truly Original", "watch_providers": "Hayu"}

    saved = save_one(
        fetched_of(
            show,
            record_networks=(HBO,),
            record_production_companies=(),
            record_watch_providers=(make_offer(provider=296, name="Hayu"),),
        )
    )

    assert set(saved.changes) == set(others) - {locked}
    kept = {
        "networks": networks_of(show),
        "production_companies": [row.company.name for row in ShowProductionCompany.objects.all()],
        "watch_providers": [row.provider.provider_name for row in ShowWatchProvider.objects.all()],
    }
    assert kept[locked] == [{"networks": "Bravo", "production_companies": "Evolution Media"}.get(locked, "Peacock")]


def test_the_episode_that_an_editor_chose_keeps_its_imdb_id() -> None:
    numbers = {"most_recent_episode_season": 11, "most_recent_episode_number": 4}
    locked = list(numbers)
    show = make_show(**numbers, most_recent_episode_imdb_id="tt1111111", locked_fields=locked)

    save(fetched_of(show))

    show.refresh_from_db()
    assert show.most_recent_episode_imdb_id == "tt1111111"


def test_the_imdb_id_of_an_episode_goes_with_it() -> None:
    numbers = {"most_recent_episode_season": 12, "most_recent_episode_number": 1}
    same = make_show(**numbers, most_recent_episode_imdb_id="tt1111111")
    other = make_show(**numbers | {"most_recent_episode_number": 2}, most_recent_episode_imdb_id="tt1111112")

    save(fetched_of(same), fetched_of(other))

    same.refresh_from_db()
    other.refresh_from_db()
    assert (same.most_recent_episode_imdb_id, other.most_recent_episode_imdb_id) == ("tt1111111", None)


# --- following upstream


def test_what_upstream_cleared_is_cleared_and_recorded() -> None:
    show = make_show()
    save(fetched_of(show))

    save(fetched_of(show, record_last_air_date=None, record_overview=None, record_genres=()))

    show.refresh_from_db()
    assert (show.tmdb_last_air_date, show.description, show.genres) == (None, None, [])
    assert last_fields(show) == {
        "description": ["Life at sea.", None],
        "tmdb_last_air_date": ["2025-06-02", None],
        "genres": {"added": [], "removed": ["Reality"], "at": [0]},
    }


def test_networks_are_replaced_and_an_editors_own_stays() -> None:
    show = make_show()
    save(fetched_of(show))
    add_network(show, 3353, "Peacock", position=1)

    save(fetched_of(show, record_networks=(HBO,)))

    assert networks_of(show) == ["HBO", "Peacock"]
    assert last_fields(show) == {"networks": {"added": ["HBO (49)"], "removed": ["Bravo (74)"], "at": [0]}}


def test_another_order_is_saved_and_recorded() -> None:
    show = make_show()
    save(fetched_of(show, record_networks=(BRAVO, HBO)))

    save(fetched_of(show, record_networks=(HBO, BRAVO)))

    assert networks_of(show) == ["HBO", "Bravo"]
    assert last_fields(show) == {"networks": [["Bravo (74)", "HBO (49)"], ["HBO (49)", "Bravo (74)"]]}


def test_a_network_that_is_told_twice_is_one() -> None:
    show = make_show()

    save(fetched_of(show, record_networks=(BRAVO, HBO, BRAVO)))

    assert networks_of(show) == ["Bravo", "HBO"]


def test_a_merged_network_stands_for_its_target() -> None:
    show = make_show()
    target = Network.objects.create(id=74, name="Bravo")
    Network.objects.create(id=900, name="Bravo TV", merged_into=target)
    twin = BRAVO.__class__(900, "Bravo TV", None, None)

    save(fetched_of(show, record_networks=(twin, BRAVO, HBO)))

    assert networks_of(show) == ["Bravo", "HBO"]
    assert save_one(fetched_of(show, record_networks=(twin, BRAVO, HBO))).outcome == Outcome.UNCHANGED
    assert Network.objects.get(pk=900).merged_into_id == 74


def test_an_entity_that_was_renamed_is_renamed_without_a_change_of_the_show() -> None:
    show = make_show()
    save(fetched_of(show))

    saved = save_one(fetched_of(show, record_networks=(BRAVO.__class__(74, "Bravo!", "US", "/new.png"),)))

    bravo = Network.objects.get()
    assert (bravo.name, bravo.tmdb_logo_path) == ("Bravo!", "/new.png")
    assert saved.outcome == Outcome.UNCHANGED


def test_a_change_of_votes_alone_is_volatile() -> None:
    show = make_show()
    save(fetched_of(show))

    save(fetched_of(show, record_vote_count=51, record_popularity=20.6))
    votes = Change.objects.latest("id")
    save(fetched_of(show, record_vote_count=52, record_status="Ended"))
    more = Change.objects.latest("id")

    assert (set(votes.fields), votes.volatile) == ({"tmdb_vote_count", "tmdb_popularity"}, True)
    assert not more.volatile


def test_a_change_of_an_offers_priority_alone_is_volatile() -> None:
    show = make_show()
    save(fetched_of(show, record_watch_providers=(make_offer(priority=4),)))

    save(fetched_of(show, record_watch_providers=(make_offer(priority=5),)))
    moved = Change.objects.latest("id")
    save(fetched_of(show, record_watch_providers=(make_offer(priority=5), make_offer("GB"))))

    assert (set(moved.fields), moved.volatile) == ({"watch_providers"}, True)
    assert not Change.objects.latest("id").volatile


def test_a_new_raw_reply_alone_does_not_touch_when_the_show_was_updated() -> None:
    show = make_show()
    save(fetched_of(show))
    before = Show.objects.get().updated_at

    saved = save_one(fetched_of(show, payload={"id": 1, "homepage": "https://example.org"}))

    assert saved.outcome == Outcome.UNCHANGED
    assert Show.objects.get().tmdb_meta == {"id": 1, "homepage": "https://example.org"}
    assert Show.objects.get().updated_at == before


# --- offers


def test_offers_go_with_upstream_and_leave_past_ones() -> None:
    show = make_show()
    regions = ("US", "GB", "DE", "FR", "IT", "ES", "SE", "NO", "DK", "FI")
    ten, one, none = (tuple(make_offer(region) for region in regions[:count]) for count in (10, 1, 0))
    first, second, third = (NOW + timedelta(days=days) for days in (0, 2, 4))
    counts = []
    for at, offers in ((first, ten), (second, one), (third, none)):
        with time_machine.travel(at, tick=False):
            save(fetched_of(show, record_watch_providers=offers, at=at))
        counts.append(ShowWatchProvider.objects.count())

    assert counts == [10, 1, 0]
    past = {row.region: row for row in PastWatchProvider.objects.all()}
    assert set(past) == set(regions)
    assert (past["GB"].first_seen_at, past["GB"].last_seen_at) == (first, first)
    assert (past["US"].first_seen_at, past["US"].last_seen_at) == (first, second)


def test_an_offer_keeps_when_it_was_first_seen() -> None:
    show = make_show()
    for days, priority in ((0, 1), (1, 1), (2, 5)):
        at = NOW + timedelta(days=days)
        with time_machine.travel(at, tick=False):
            save(fetched_of(show, record_watch_providers=(make_offer(priority=priority),), at=at))

    offer = ShowWatchProvider.objects.get()
    assert (offer.first_seen_at, offer.fetched_at) == (NOW, NOW + timedelta(days=2))
    assert offer.display_priority == 5
    assert last_fields(show) == {
        "watch_providers": {"added": [], "removed": [], "changed": ["US flatrate Peacock (386)"]}
    }


def test_an_offer_type_that_is_new_is_kept() -> None:
    show = make_show()

    save(fetched_of(show, record_watch_providers=(make_offer("US", "hologram"),)))

    assert offers_of(show) == {("US", "hologram", 386)}


def test_a_provider_that_is_no_longer_offered_stays() -> None:
    show = make_show()
    save(fetched_of(show))

    save(fetched_of(show, record_watch_providers=()))

    assert WatchProvider.objects.get().provider_name == "Peacock"


# --- ids


def test_an_imdb_id_is_filled_and_settles_the_question() -> None:
    show = make_show(imdb_id=None, needs_imdb_resolution=True)

    save(fetched_of(show, record_external_ids=make_ids(imdb_id="tt2342499")))

    show.refresh_from_db()
    assert (show.imdb_id, show.needs_imdb_resolution) == ("tt2342499", False)


def test_an_imdb_id_that_another_show_has_is_not_taken_and_named() -> None:
    make_show(name="Below Deck Med", imdb_id="tt2342499")
    show = make_show(name="Below Deck", imdb_id=None)

    saved = save_one(fetched_of(show, record_external_ids=make_ids(imdb_id="tt2342499")))

    show.refresh_from_db()
    assert (show.imdb_id, show.needs_imdb_resolution) == (None, True)
    assert show.upstream_values == {"imdb_id": "tt2342499"}
    assert saved.reason == "IMDb id tt2342499 is already that of 'Below Deck Med': a duplicate?"
    assert saved.outcome == Outcome.UPDATED  # the rest is saved
    assert show.description == "Life at sea."


def test_one_imdb_id_for_two_shows_of_a_batch_is_given_to_the_first() -> None:
    shows = [make_show(imdb_id=None), make_show(imdb_id=None)]

    batch = save(*(fetched_of(show, record_external_ids=make_ids(imdb_id="tt2342499")) for show in shows))

    assert [Show.objects.get(pk=show.pk).imdb_id for show in shows] == ["tt2342499", None]
    assert "duplicate" in batch.saved[1].reason


def test_a_contradicting_imdb_id_is_kept_beside_for_an_editor() -> None:
    show = make_show(imdb_id="tt1111111")

    save(fetched_of(show, record_external_ids=make_ids(imdb_id="tt2342499")))

    show.refresh_from_db()
    assert (show.imdb_id, show.upstream_values) == ("tt1111111", {"imdb_id": "tt2342499"})
    assert show.needs_imdb_resolution


def resolved_for(show: Show, tmdb_id: int) -> Fetched:
    return fetched_of(
        show, make_record(tmdb_id), resolved=make_candidate(tmdb_id), candidates=(make_candidate(tmdb_id),)
    )


def test_a_resolved_show_gets_its_tmdb_id_and_loses_its_candidates() -> None:
    show = make_show(tmdb_id=None, imdb_id="tt2342499", needs_tmdb_resolution=True)
    ResolutionCandidate.objects.create(show=show, tmdb_id=5, score=0.5, found_at=NOW)

    saved = save_one(resolved_for(show, 55))

    show.refresh_from_db()
    assert (show.tmdb_id, show.needs_tmdb_resolution) == (55, False)
    assert saved.changes["tmdb_id"] == [None, 55]
    assert not ResolutionCandidate.objects.exists()
    assert state_of(show, Stage.RESOLVE).status == "ok"


def test_candidates_of_a_show_that_an_editor_settled_go_with_its_next_save() -> None:
    show, other = (make_show(tmdb_id=None, imdb_id=f"tt000000{n}", needs_tmdb_resolution=True) for n in (1, 2))
    for one in (show, other):
        ResolutionCandidate.objects.create(show=one, tmdb_id=5, score=0.5, found_at=NOW)
    edit_show(show.pk, {"tmdb_id": 55}, Author())
    show.refresh_from_db()

    save_one(fetched_of(show))

    assert [row.show_id for row in ResolutionCandidate.objects.all()] == [other.pk]


def test_a_success_is_kept_with_the_id_that_was_asked_for() -> None:
    show, found = make_show(tmdb_id=55), make_show(tmdb_id=None, imdb_id="tt2342499", needs_tmdb_resolution=True)

    save(fetched_of(show), resolved_for(found, 66))

    assert set(SyncState.objects.filter(show=show).values_list("asked_for", flat=True)) == {"55"}
    assert set(SyncState.objects.filter(show=found).values_list("asked_for", flat=True)) == {"66"}


@pytest.mark.parametrize("problem", [Outcome.GONE, Outcome.UNRESOLVED])
@pytest.mark.parametrize("imdb_id", ["tt2342499", None])
def test_a_show_that_is_lost_is_kept_with_the_imdb_id_that_was_asked_for(problem: Outcome, imdb_id: str | None) -> None:
    show = make_show(tmdb_id=55, imdb_id=imdb_id)
    save(fetched_of(show, record_external_ids=None))

    save(fetched_of(show, problem=problem, reason="no"))

    assert state_of(show).asked_for == (imdb_id or "")


def test_a_failure_keeps_the_id_of_the_last_success() -> None:
    show = make_show(tmdb_id=55)
    save(fetched_of(show))

    save(fetched_of(show, problem=Outcome.FAILED, reason="HTTP 500"))

    assert state_of(show).asked_for == "55"


def test_a_tmdb_id_that_another_show_has_is_for_an_editor() -> None:
    make_show(name="The first", tmdb_id=55)
    show = make_show(tmdb_id=None, imdb_id="tt2342499")

    saved = save_one(resolved_for(show, 55))

    show.refresh_from_db()
    assert (show.tmdb_id, show.needs_tmdb_resolution, show.description) == (None, True, None)
    assert (saved.outcome, saved.reason) == (
        Outcome.UNRESOLVED,
        "TMDb id 55 is already that of 'The first': a duplicate?",
    )
    assert ResolutionCandidate.objects.get().tmdb_id == 55


def test_two_shows_of_a_batch_never_get_one_tmdb_id() -> None:
    first, second = (make_show(tmdb_id=None, imdb_id=imdb_id) for imdb_id in ("tt0000001", "tt0000002"))

    batch = save(resolved_for(first, 55), resolved_for(second, 55))

    assert [saved.outcome for saved in batch.saved] == [Outcome.UPDATED, Outcome.UNRESOLVED]
    assert "TMDb id 55 is already that of" in batch.saved[1].reason
    assert [Show.objects.get(pk=show.pk).tmdb_id for show in (first, second)] == [55, None]


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(lambda show: fetched_of(show), id="a reply"),
        pytest.param(lambda show: fetched_of(show, problem=Outcome.GONE, reason="404"), id="the old id is gone"),
        pytest.param(lambda show: resolved_for(show, 66), id="a match"),
        pytest.param(lambda show: fetched_of(show, problem=Outcome.UNRESOLVED, reason="?"), id="a doubt"),
    ],
)
def test_what_was_fetched_for_an_id_that_an_editor_changed_meanwhile_is_not_saved(
    late: Callable[[Show], Fetched],
) -> None:
    show = make_show(tmdb_id=55)
    fetched = late(show)
    edit_show(show.pk, {"tmdb_id": 77}, Author())
    before = Show.objects.values().get()

    saved = save_one(fetched)

    assert saved.outcome == Outcome.FAILED
    assert "changed while it was fetched" in saved.reason
    assert Show.objects.values().get() == before
    assert Change.objects.filter(run_id=7).count() == 0
    assert not ShowNetwork.objects.exists()
    assert state_of(show).status == "failed"


@pytest.mark.parametrize("problem", [None, Outcome.UNRESOLVED])
def test_no_match_decided_meanwhile_stands(problem: Outcome | None) -> None:
    show = make_show(tmdb_id=None, imdb_id="tt2342499", needs_tmdb_resolution=True)
    fetched = resolved_for(show, 55) if problem is None else fetched_of(show, problem=problem, reason="not sure")
    decide_no_match(show.pk, Author())

    saved = save_one(fetched)

    show.refresh_from_db()
    assert saved.outcome == Outcome.FAILED
    assert (show.tmdb_id, show.needs_tmdb_resolution) == (None, False)


def test_a_match_found_by_an_imdb_id_that_an_editor_changed_meanwhile_is_not_taken() -> None:
    show = make_show(tmdb_id=None, imdb_id="tt2342499", needs_tmdb_resolution=True)
    fetched = resolved_for(show, 55)
    edit_show(show.pk, {"imdb_id": "tt7654321"}, Author())

    saved = save_one(fetched)

    assert saved.outcome == Outcome.FAILED
    assert Show.objects.get().tmdb_id is None


def test_a_mistake_of_ours_in_one_show_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shows = [make_show(name=name) for name in ("First", "Second", "Third")]

    def columns(show: Show, *rest: Any) -> dict[str, Any]:
        if show.name == "Second":
            raise KeyError("a mistake")
        return show_columns(show, *rest)

    monkeypatch.setattr("ingestion.plan.show_columns", columns)
    batch = save(*(fetched_of(show) for show in shows))

    outcomes = {saved.show_id: saved.outcome for saved in batch.saved}
    assert [outcomes[show.pk] for show in shows] == [Outcome.UPDATED, Outcome.FAILED, Outcome.UPDATED]
    assert state_of(shows[1]).last_error == "internal error: KeyError('a mistake')"


def test_a_show_that_was_deleted_meanwhile_fails_alone() -> None:
    deleted, other = make_show(name="Deleted"), make_show()
    fetched = [fetched_of(deleted), fetched_of(other)]
    deleted.delete()

    batch = save(*fetched)

    assert [(saved.name, saved.outcome) for saved in batch.saved] == [
        ("Deleted", Outcome.FAILED),
        (other.name, Outcome.UPDATED),
    ]
    assert batch.saved[0].reason == "it was deleted while it was fetched"
    assert set(SyncState.objects.values_list("show_id", flat=True)) == {other.pk}


# --- what can't be fetched


def test_a_failure_keeps_the_data_and_says_why() -> None:
    show = make_show()
    save(fetched_of(show))
    before = Show.objects.values().get()

    for attempts in (1, 2):
        save(fetched_of(show, problem=Outcome.FAILED, reason="HTTP 500", at=NOW + timedelta(days=attempts)))

    state = state_of(show)
    assert (state.status, state.last_error, state.attempts) == ("failed", "HTTP 500", 2)
    assert (state.last_success_at, state.attempted_at) == (NOW, NOW + timedelta(days=2))
    assert state.marker
    assert Show.objects.values().get() == before


def test_a_success_ends_a_row_of_failures() -> None:
    show = make_show()
    save(fetched_of(show, problem=Outcome.FAILED, reason="HTTP 500"))

    save(fetched_of(show))

    assert (state_of(show).status, state_of(show).last_error, state_of(show).attempts) == ("ok", "", 0)


def test_a_show_that_is_gone_keeps_its_data_and_waits_for_resolution() -> None:
    show = make_show()
    save(fetched_of(show))

    saved = save_one(fetched_of(show, problem=Outcome.GONE, reason="404"))

    show.refresh_from_db()
    assert saved.changes == {"needs_tmdb_resolution": [False, True]}
    assert (show.tmdb_id is not None, show.description, networks_of(show)) == (True, "Life at sea.", ["Bravo"])
    assert last_fields(show) == saved.changes
    assert save_one(fetched_of(show, problem=Outcome.GONE, reason="404")).changes == {}
    assert state_of(show).attempts == 2


def test_tries_that_failed_before_a_show_was_gone_do_not_count_as_gone() -> None:
    show = make_show()
    for _ in range(3):
        save(fetched_of(show, problem=Outcome.FAILED, reason="HTTP 500"))

    save(fetched_of(show, problem=Outcome.GONE, reason="404"))

    assert (state_of(show).status, state_of(show).attempts) == ("gone", 1)


def test_a_show_that_is_back_waits_no_longer() -> None:
    show = make_show()
    save(fetched_of(show, problem=Outcome.GONE, reason="404"))

    save(fetched_of(show))

    show.refresh_from_db()
    assert not show.needs_tmdb_resolution
    assert last_fields(show)["needs_tmdb_resolution"] == [True, False]


def unresolved(show: Show, *candidates: Any) -> Fetched:
    return fetched_of(show, problem=Outcome.UNRESOLVED, reason="not sure", candidates=candidates)


def test_candidates_are_replaced_and_one_that_is_found_again_keeps_its_row() -> None:
    show, other = (make_show(tmdb_id=None, imdb_id=imdb_id) for imdb_id in ("tt0000001", "tt0000002"))
    save(unresolved(show, make_candidate(1), make_candidate(2)), unresolved(other, make_candidate(1)))
    kept = ResolutionCandidate.objects.get(show=show, tmdb_id=2).pk

    save(unresolved(show, make_candidate(2, score=0.7, reasons=("named 'A'",)), make_candidate(3)))

    rows = {row.tmdb_id: row for row in ResolutionCandidate.objects.filter(show=show)}
    assert set(rows) == {2, 3}
    assert (rows[2].pk, rows[2].score, rows[2].reasons) == (kept, 0.7, ["named 'A'"])
    assert ResolutionCandidate.objects.filter(show=other).count() == 1


def test_candidates_that_are_not_found_again_are_gone() -> None:
    show = make_show(tmdb_id=None, imdb_id="tt0000001")
    save(unresolved(show, make_candidate(1)))

    save(unresolved(show))

    assert not ResolutionCandidate.objects.exists()


def test_a_failure_leaves_the_candidates() -> None:
    show = make_show(tmdb_id=None, imdb_id="tt0000001")
    save(unresolved(show, make_candidate(1)))

    save(fetched_of(show, problem=Outcome.FAILED, reason="HTTP 500"))

    assert ResolutionCandidate.objects.count() == 1


# --- a database that refuses

POISONS = {
    "a blank name": {"record_name": ""},
    "an offer without a type": {"record_watch_providers": (make_offer(offer_type=""),)},
    "an id out of range": {"record_networks": (BRAVO.__class__(0, "Nobody", None, None),)},
    "a malformed imdb id": {"record_external_ids": make_ids(imdb_id="tt1\n")},
}


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_show_fails_alone(poison: str) -> None:
    shows = [make_show() for _ in range(20)]
    poisoned = shows[7]
    before = Show.objects.values().get(pk=poisoned.pk)
    fetched = [fetched_of(show, **POISONS[poison] if show is poisoned else {}) for show in shows]

    batch = save(*fetched)

    failed = [saved for saved in batch.saved if saved.outcome == Outcome.FAILED]
    assert [saved.show_id for saved in failed] == [poisoned.pk]
    assert failed[0].reason.startswith("the database refused it: ")
    assert "\n" not in failed[0].reason
    assert [saved.show_id for saved in batch.saved] == [show.pk for show in shows]
    assert set(Change.objects.values_list("show_id", flat=True)) == {show.pk for show in shows} - {poisoned.pk}
    assert Show.objects.filter(description="Life at sea.").count() == 19
    assert SyncState.objects.filter(status="ok").count() == 19 * 4
    # Nothing of the poisoned one, not a half of it.
    assert Show.objects.values().get(pk=poisoned.pk) == before
    assert networks_of(poisoned) == []
    assert offers_of(poisoned) == set()
    assert set(SyncState.objects.filter(show=poisoned).values_list("status", "last_error")) == {
        ("failed", failed[0].reason)
    }


@pytest.mark.parametrize("table", ["catalog_show", "catalog_shownetwork", "catalog_change", "ingestion_syncstate"])
def test_a_break_in_the_middle_leaves_no_half_show(table: str) -> None:
    show = make_show()
    save(fetched_of(show))
    before = tables()

    def breaks(execute: Any, sql: str, *arguments: Any) -> Any:
        if re.match(rf'(INSERT INTO|UPDATE) "{table}"', sql):
            raise KeyboardInterrupt
        return execute(sql, *arguments)

    with connection.execute_wrapper(breaks), pytest.raises(KeyboardInterrupt):
        save(fetched_of(show, record_overview="Other", record_networks=(HBO,), record_watch_providers=()))

    assert tables() == before


# --- holding back, and only looking


LOSSES = {
    "a column": ({"record_overview": None}, ("description",)),
    "a list": ({"record_genres": ()}, ("genres",)),
    "all networks": ({"record_networks": ()}, ("networks",)),
    "all companies": ({"record_production_companies": ()}, ("production_companies",)),
    "all offers": ({"record_watch_providers": ()}, ("watch_providers",)),
    "an external id": ({"record_external_ids": make_ids()}, ("tvdb_id", "wikidata_id", "facebook_id", "instagram_id")),
}
KEPT = {
    "another value": {"record_overview": "Other", "record_vote_count": 0},
    "other networks": {"record_networks": (HBO,)},
    "fewer networks": {"record_networks": (HBO,)},
    "other offers": {"record_watch_providers": (make_offer("GB"),)},
    "fewer keywords": {"record_keywords": ("boat",)},
    "a failure": {"problem": Outcome.FAILED, "reason": "HTTP 500"},
    "a show that is gone": {"problem": Outcome.GONE, "reason": "404"},
}


@pytest.mark.parametrize("case", LOSSES)
def test_a_show_that_would_lose_something_is_held(case: str) -> None:
    changes, lost = LOSSES[case]
    show = make_show()
    save(fetched_of(show, record_networks=(BRAVO, HBO)))
    before = tables()
    fetched = fetched_of(show, **{"record_networks": (BRAVO, HBO)} | changes)

    batch = save(fetched, hold_blanks=True)

    assert [saved.outcome for saved in batch.saved] == [Outcome.HELD]
    assert batch.saved[0].blanked[: len(lost)] == lost
    assert batch.held == [fetched]
    assert tables() == before
    assert save_one(batch.held[0]).outcome == Outcome.UPDATED  # later, if the guard lets it


@pytest.mark.parametrize("case", KEPT)
def test_a_show_that_loses_nothing_whole_is_not_held(case: str) -> None:
    show = make_show()
    save(fetched_of(show, record_networks=(BRAVO, HBO)))

    batch = save(fetched_of(show, **{"record_networks": (BRAVO, HBO)} | KEPT[case]), hold_blanks=True)

    assert batch.held == []
    assert batch.saved[0].outcome != Outcome.HELD


def test_what_a_reply_spoke_of_is_told() -> None:
    whole = save_one(fetched_of(make_show()))
    details = save_one(
        fetched_of(make_show(), stages=frozenset({Stage.DETAILS}), record_watch_providers=None, record_networks=())
    )
    offers = save_one(fetched_of(make_show(), stages=frozenset({Stage.WATCH_PROVIDERS}), offers=(make_offer(),)))

    sets = {"networks", "production_companies", "watch_providers"}
    assert whole.told >= sets | {"description", "tmdb_vote_count"}
    assert details.told >= {"description", "tmdb_vote_count"}
    assert not details.told & sets
    assert offers.told == {"watch_providers"}


def test_only_those_of_a_batch_that_lose_something_are_held() -> None:
    shows = [make_show() for _ in range(4)]
    save(*map(fetched_of, shows))

    batch = save(
        *(fetched_of(show, record_overview="New" if index % 2 else None) for index, show in enumerate(shows)),
        hold_blanks=True,
    )

    assert [one.show_id for one in batch.held] == [shows[0].pk, shows[2].pk]
    assert Show.objects.filter(description="New").count() == 2
    assert Show.objects.filter(description="Life at sea.").count() == 2


def test_what_is_empty_already_is_no_loss() -> None:
    show = make_show()
    empty = {"record_overview": None, "record_networks": (), "record_watch_providers": ()}
    save(fetched_of(show, **empty))

    assert save(fetched_of(show, **empty), hold_blanks=True).held == []


def test_a_locked_column_is_no_loss() -> None:
    show = make_show(description="Ours", locked_fields=["description"])
    save(fetched_of(show))

    assert save(fetched_of(show, record_overview=None), hold_blanks=True).held == []


def test_what_upstream_was_never_asked_for_is_no_loss() -> None:
    show = make_show(description="Of a file.", show_total_seasons=3)
    Network.objects.create(pk=9, name="Of a file")
    ShowNetwork.objects.create(show=show, network_id=9, position=0)
    empty = {"record_overview": None, "record_number_of_seasons": None, "record_networks": ()}

    assert save(fetched_of(show, **empty), hold_blanks=True).held == []
    show.refresh_from_db()
    assert (show.description, show.show_total_seasons, networks_of(show)) == (None, None, [])


def test_each_stage_that_was_asked_for_can_lose_its_own() -> None:
    show = make_show(description="Of a file.")
    save(fetched_of(show, stages=frozenset({Stage.ENTITIES})))

    batch = save(fetched_of(show, record_overview=None, record_networks=()), hold_blanks=True)

    assert batch.saved[0].blanked == ("networks",)


def test_a_dry_run_writes_nothing_and_tells_all() -> None:
    synced, new, gone, doubtful = make_show(), make_show(), make_show(), make_show(tmdb_id=None, imdb_id="tt0000001")
    save(fetched_of(synced))
    fetched = [
        fetched_of(synced, record_overview="Other", record_networks=(HBO,), record_watch_providers=()),
        fetched_of(new, record_networks=(BRAVO.__class__(74, "Bravo!", "US", None),)),
        fetched_of(gone, problem=Outcome.GONE, reason="404"),
        unresolved(doubtful, make_candidate(1)),
    ]
    before = tables()

    with captured() as queries:
        batch = save(*fetched, dry_run=True)

    assert tables() == before
    assert written(queries) == set()
    assert [saved.outcome for saved in batch.saved] == ["updated", "updated", "gone", "unresolved"]
    assert set(batch.saved[0].changes) == {"description", "networks", "watch_providers"}
    assert batch.logos == []


def test_a_change_names_its_run_and_its_moment() -> None:
    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC), tick=False):
        save(fetched_of(make_show()))

    change = Change.objects.get()
    assert (change.run_id, change.ts) == (7, datetime(2026, 5, 1, tzinfo=UTC))
