"""Whatever a run changed, reverting it brings back what was before, but for what people have changed since."""

import copy
import os
import re
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Max
from django.utils import timezone
from django_q.models import OrmQ
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.changes import Author
from catalog.edits import edit_show, lock_show, unlock_show
from catalog.models import (
    Change,
    PastWatchProvider,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)
from catalog.revert import changes_of, revert
from catalog.revert_plan import plan_revert
from demo.replies import demo_shows
from demo.upstream import Upstream
from ingestion.identify import take_match
from ingestion.models import ResolutionCandidate, SyncRun, SyncState
from ingestion.options import Options
from ingestion.sync import sync_shows

from .asked_runs import messages_queued, waiting_runs
from .worlds import FIRST_ID, network, provider, world

pytestmark = pytest.mark.django_db

# When a source was asked and what it replied, as it came, stay: they are true whatever becomes of the fields.
STAMPS = ("tmdb_meta", "tmdb_fetched_at", "imdb_meta", "imdb_fetched_at", "updated_at")


@pytest.fixture
def author(django_user_model: Any) -> Author:
    return Author(user=django_user_model.objects.create_superuser("editor", password="secret"))


def sync() -> int:
    """Syncs all and returns the id of the run."""
    report = sync_shows(Options(force=True), kind="sync_shows")
    assert report.exit_code == 0, report
    return SyncRun.objects.aggregate(last=Max("id"))["last"]


def contents() -> dict[str, list[Any]]:
    """Every column of every show, every link in its order, every offer, the ended ones too."""
    shows = [
        {name: value for name, value in row.items() if name not in STAMPS}
        for row in Show.all_objects.order_by("pk").values()
    ]
    links = [
        list(model.objects.order_by("show_id", "position").values_list("show_id", entity, "position", "source"))
        for model, entity in ((ShowNetwork, "network_id"), (ShowProductionCompany, "company_id"))
    ]
    keys = ("show_id", "region", "offer_type", "provider_id")
    kept = (*keys, "display_priority", "link", "first_seen_at")
    return {
        "shows": shows,
        "networks": links[0],
        "companies": links[1],
        "offers": list(ShowWatchProvider.objects.order_by(*keys).values_list(*kept)),
        "past": list(PastWatchProvider.objects.order_by(*keys, "last_seen_at").values_list(*kept, "last_seen_at")),
    }


# --- ways in which a reply changes; each takes the reply and a number that says how

TEXTS = (None, "", "Another text", "Réal <b>", "x" * 300)
DATES = (None, "", "2016-02-29", "2024-08-02")


def set_part(name: str, values: tuple[Any, ...]) -> Any:
    return lambda reply, number: reply.update({name: values[number % len(values)]})


def set_networks(reply: dict[str, Any], number: int) -> None:
    sets = ([], [1], [2], [1, 2, 3], [3, 1, 2], [2, 1], [4, 3])
    reply["networks"] = [network(one) for one in sets[number % len(sets)]]


def set_companies(reply: dict[str, Any], number: int) -> None:
    sets: tuple[list[int], ...] = ([], [8], [7, 8], [8, 7, 9])
    reply["production_companies"] = [network(one, "company") for one in sets[number % len(sets)]]


def set_genres(reply: dict[str, Any], number: int) -> None:
    sets: tuple[list[str], ...] = ([], ["Drama"], ["Reality", "Drama"], ["Drama", "Reality"])
    reply["genres"] = [{"id": place, "name": name} for place, name in enumerate(sets[number % len(sets)], 1)]


def set_keywords(reply: dict[str, Any], number: int) -> None:
    sets: tuple[list[str], ...] = ([], ["a", "island", "b"], ["b"])
    reply["keywords"]["results"] = [{"id": place, "name": name} for place, name in enumerate(sets[number % len(sets)])]


def set_offers(reply: dict[str, Any], number: int) -> None:
    regions = reply["watch/providers"]["results"]
    if number % 4 == 0:
        regions.clear()
    elif number % 4 == 1:
        regions["DE"] = {"link": "https://x/de", "ads": [provider(11), provider(8)]}
    elif number % 4 == 2 and "US" in regions:
        regions["US"]["flatrate"] = [provider(12), provider(8)]
    elif "US" in regions:
        regions["US"].pop("buy", None)


def set_episode(reply: dict[str, Any], number: int) -> None:
    last = {"season_number": 4, "episode_number": number, "name": "Next", "air_date": "2024-09-01"}
    reply["last_episode_to_air"] = last if number % 3 else None


def set_ids(reply: dict[str, Any], number: int) -> None:
    tvdb_ids = (None, 5, 70_000 + number)
    reply["external_ids"].update(
        {"tvdb_id": tvdb_ids[number % 3], "facebook_id": TEXTS[number % 2], "wikidata_id": None}
    )


WAYS = (
    set_part("name", ("Another", "Réal  Island")),
    set_part("overview", TEXTS),
    set_part("first_air_date", DATES),
    set_part("last_air_date", DATES),
    set_part("status", ("Returning Series", "Canceled")),
    set_part("number_of_seasons", (4, 0, 17)),
    set_part("vote_average", (0, 9.75)),
    set_part("vote_count", (0, 41)),
    set_part("popularity", (0.001, 1234.5678)),
    set_networks,
    set_companies,
    set_genres,
    set_keywords,
    set_offers,
    set_episode,
    set_ids,
)
MOVES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(WAYS), st.integers(0, 11)), min_size=1, max_size=12)


def fresh(upstream: Upstream, shows: int = 3) -> list[Show]:
    for model in (Change, ResolutionCandidate, SyncState, PastWatchProvider, ShowWatchProvider, ShowNetwork):
        model.objects.all().delete()
    Show.all_objects.all().delete()
    return world(upstream, shows)


def move(upstream: Upstream, moves: list[Any]) -> None:
    upstream.shows = copy.deepcopy(upstream.shows)
    for number, way, how in moves:
        way(upstream.shows[FIRST_ID + number], how)


SLOW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SLOW
@given(first=st.lists(MOVES, max_size=1), moves=MOVES)
def test_reverting_a_run_brings_back_what_was_before_and_reverting_that_what_was_after(
    upstream: Upstream, author: Author, settings: Any, first: list[Any], moves: list[Any]
) -> None:
    settings.SYNC_GUARD_SHARE = 1.0
    fresh(upstream)
    sync()
    for earlier in first:  # offers may have ended before
        move(upstream, earlier)
        sync()
    before = contents()
    move(upstream, moves)
    run_id = sync()
    after = contents()

    if not Change.objects.filter(run_id=run_id).exists():
        assert after == before
        return
    plan = plan_revert(changes_of({"run": run_id}))
    batch = revert({"run": run_id}, author, lock=False)

    assert (plan.conflicts, batch.failures) == ([], [])
    assert contents() == before
    if batch.changes.exists():
        revert({"batch": batch.pk}, author, lock=False)
        assert contents() == after


def test_the_first_run_of_all_is_reverted_to_shows_of_which_nothing_is_known(
    upstream: Upstream, author: Author
) -> None:
    fresh(upstream)
    before = contents()
    run_id = sync()

    revert({"run": run_id}, author, lock=False)

    assert contents() == before


def test_newer_edits_are_listed_and_stay_and_all_else_goes_back(upstream: Upstream, author: Author) -> None:
    shows = fresh(upstream)
    sync()
    before = {show.pk: show for show in Show.objects.all()}
    offers = contents()["offers"]
    move(upstream, [(number, WAYS[1], 2) for number in range(3)])
    move(upstream, [(number, way, 1) for number in range(3) for way in (WAYS[0], set_genres, set_offers)])
    run_id = sync()
    edited = edit_show(shows[0].pk, {"description": "Ours."}, author)
    edit_show(shows[1].pk, {"genres": ["Drama", "Ours"]}, author)

    plan = plan_revert(changes_of({"run": run_id}))
    batch = revert({"run": run_id}, author, lock=False)

    assert [(conflict.show_id, conflict.field, conflict.change) for conflict in plan.conflicts] == [
        (shows[0].pk, "description", edited)
    ]
    assert [row[0] for row in batch.failures] == [str(shows[0].pk)]
    found = {show.pk: show for show in Show.objects.all()}
    assert found[shows[0].pk].description == "Ours."
    assert found[shows[1].pk].genres == ["Reality", "Ours"]
    for pk, show in found.items():
        assert (show.name, show.tmdb_name) == (before[pk].name, before[pk].tmdb_name)
        assert pk == shows[0].pk or show.description == before[pk].description
        assert pk == shows[1].pk or show.genres == before[pk].genres
    assert contents()["offers"] == offers


def test_the_next_sync_brings_back_what_was_not_locked_and_leaves_what_was(upstream: Upstream, author: Author) -> None:
    shows = fresh(upstream, 2)
    sync()
    before = contents()
    move(
        upstream,
        [(number, way, 1) for number in range(2) for way in (WAYS[0], set_networks, set_offers, set_companies)],
    )
    run_id = sync()
    after = contents()

    revert({"run": run_id}, author, lock=False)
    sync()
    assert drop_times(contents()) == drop_times(after)

    change = Change.objects.filter(run_id=SyncRun.objects.aggregate(last=Max("id"))["last"], show=shows[0]).get()
    revert({"change": change.pk}, author, lock=True)
    sync()
    kept = Show.objects.get(pk=shows[0].pk)
    assert kept.locked_fields == ["name", "tmdb_name", "networks", "production_companies", "watch_providers"]
    assert kept.upstream_values["name"] == "Réal  Island"
    assert kept.upstream_values["networks"] == [1]
    old = [row for row in drop_times(before)["offers"] if row[0] == shows[0].pk]
    assert [row for row in drop_times(contents())["offers"] if row[0] == shows[0].pk] == old
    assert kept.name == before["shows"][[row["id"] for row in before["shows"]].index(kept.pk)]["name"]


def drop_times(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """An offer that comes again has been seen first at another time, and ended ones are history."""
    rows = {**rows, "offers": [row[:6] for row in rows["offers"]]}
    del rows["past"]
    return rows


def test_another_place_or_link_of_an_offer_is_told_and_not_taken_back(upstream: Upstream, author: Author) -> None:
    fresh(upstream, 1)
    sync()
    upstream.shows[FIRST_ID]["watch/providers"]["results"]["US"]["link"] = "https://other"
    run_id = sync()

    plan = plan_revert(changes_of({"run": run_id}))

    assert plan.changed == 0
    assert [note for _, note in plan.notes] == [
        "Watch providers: 2 offers have got another link or place, and the old one is not kept."
    ]
    assert WatchProvider.objects.count() == 2


def test_a_value_that_somebody_has_locked_since_stays(upstream: Upstream, author: Author) -> None:
    [show] = fresh(upstream, 1)
    sync()
    move(upstream, [(0, WAYS[0], 0)])
    run_id = sync()
    lock = lock_show(show.pk, ["name"], author)

    [conflict] = plan_revert(changes_of({"run": run_id})).conflicts
    revert({"run": run_id}, author, lock=False)

    assert (conflict.field, conflict.change) == ("name", lock)
    assert re.fullmatch(r"editor locked Name at ..:.. UTC: it stays\.", conflict.reason)
    show.refresh_from_db()
    assert (show.name, show.locked_fields, show.upstream_values) == ("Another", ["name"], {"name": "Another"})
    assert show.tmdb_name == "Island 1001"


# --- a wrong match


OURS, THEIRS = 45, 14658  # Top Gear is taken for Survivor


@pytest.fixture
def waiting(upstream: Upstream) -> Show:
    """A show that waits for its id: the one that its IMDb id leads to is called quite otherwise."""
    upstream.shows = demo_shows()
    show = Show.objects.create(name="Top Gear", imdb_id="tt0239195", description="Ours.", tags=["ours"])
    sync_shows(Options(), kind="sync_shows")
    show.refresh_from_db()
    assert (show.needs_tmdb_resolution, show.tmdb_id) == (True, None)
    return show


def accept(show: Show, tmdb_id: int, author: Author) -> Change:
    change = edit_show(show.pk, {"tmdb_id": tmdb_id}, author)
    assert change is not None
    return change


def test_reverting_a_wrong_match_takes_what_syncs_brought_under_it_along(
    upstream: Upstream, author: Author, waiting: Show
) -> None:
    edit_show(waiting.pk, {"tvdb_id": 7}, author)  # locked: what the other show says is kept beside it
    before, candidates = contents(), set(ResolutionCandidate.objects.values_list("tmdb_id", flat=True))
    assert THEIRS in candidates
    match = accept(waiting, THEIRS, author)
    sync()
    upstream.shows[THEIRS]["overview"] = "Changed since."
    sync()
    waiting.refresh_from_db()
    assert (waiting.name, waiting.description, waiting.tmdb_id) == ("Survivor", "Changed since.", THEIRS)
    after = contents()

    plan = plan_revert(changes_of({"change": match.pk}))
    batch = revert({"change": match.pk}, author, lock=False)

    assert (plan.conflicts, batch.failures, batch.status) == ([], [], "done")
    assert contents() == before
    waiting.refresh_from_db()
    assert (waiting.needs_tmdb_resolution, waiting.tmdb_id, waiting.locked_fields) == (True, None, ["tvdb_id"])
    report = sync_shows(Options(), kind="sync_shows")
    waiting.refresh_from_db()
    assert (waiting.name, waiting.tmdb_id, waiting.needs_tmdb_resolution) == ("Top Gear", None, True), report
    assert set(ResolutionCandidate.objects.values_list("tmdb_id", flat=True)) == candidates

    revert({"batch": batch.pk}, author, lock=False)
    assert drop_times(contents())["networks"] == after["networks"]
    waiting.refresh_from_db()
    assert (waiting.name, waiting.tmdb_id, waiting.locked_fields) == ("Survivor", THEIRS, ["tmdb_id", "tvdb_id"])


def test_what_a_person_did_after_a_wrong_match_stays_and_an_older_edit_can_be_reverted_next(
    upstream: Upstream, author: Author, waiting: Show
) -> None:
    older = edit_show(waiting.pk, {"description": "Ours, twice."}, author)
    unlock_show(waiting.pk, ["description"], author)
    match = accept(waiting, THEIRS, author)
    sync()
    newer = edit_show(waiting.pk, {"name": "Mine"}, author)

    plan = plan_revert(changes_of({"change": match.pk}))
    revert({"change": match.pk}, author, lock=False)

    assert [(conflict.field, conflict.change) for conflict in plan.conflicts] == [("name", newer)]
    waiting.refresh_from_db()
    assert (waiting.name, waiting.tmdb_id, waiting.tmdb_name) == ("Mine", None, None)
    assert older is not None
    assert plan_revert(changes_of({"change": older.pk})).conflicts == []


def test_a_match_that_somebody_decided_on_since_takes_nothing_along(
    upstream: Upstream, author: Author, waiting: Show
) -> None:
    match = accept(waiting, THEIRS, author)
    sync()
    accept(waiting, OURS, author)
    sync()
    before = contents()

    plan = plan_revert(changes_of({"change": match.pk}))
    revert({"change": match.pk}, author, lock=False)

    assert [conflict.field for conflict in plan.conflicts] == ["tmdb_id"]
    assert contents() == before


def test_a_match_that_a_run_made_and_somebody_confirmed_stays(
    upstream: Upstream, author: Author, django_capture_on_commit_callbacks: Any
) -> None:
    upstream.shows = demo_shows()
    show = Show.objects.create(name="Survivor", imdb_id="tt0239195", needs_tmdb_resolution=True)
    run_id = sync()
    assert Show.objects.get(pk=show.pk).tmdb_id == THEIRS
    confirmation, _ = take_match(show.pk, author, tmdb_id=THEIRS)

    plan = plan_revert(changes_of({"run": run_id}))
    revert({"run": run_id}, author, lock=False)

    assert [(conflict.field, conflict.change) for conflict in plan.conflicts] == [("tmdb_id", confirmation)]
    assert "editor locked TMDb id" in plan.conflicts[0].reason
    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields, show.needs_tmdb_resolution) == (THEIRS, ["tmdb_id"], False)
    assert show.tmdb_name is None


def test_a_show_that_gets_its_former_id_back_is_synced(
    upstream: Upstream, author: Author, django_capture_on_commit_callbacks: Any
) -> None:
    first, second = world(upstream, 2)
    sync()
    gone = accept(second, 9, author)
    for change, queued in ((gone, [str(second.pk)]), (edit_show(first.pk, {"name": "Mine"}, author), None)):
        assert change is not None
        with django_capture_on_commit_callbacks(execute=True):
            batch = revert({"change": change.pk}, author, lock=False)
        assert [options["show_ids"] for _, options, _ in waiting_runs()] == ([queued] if queued else [])
        run_id = SyncRun.objects.latest("pk").pk
        assert messages_queued() == ([("ingestion.tasks.work_on", (run_id,))] if queued else [])
        assert (batch.plan.get("synced"), batch.plan.get("sync_run")) == ((1, run_id) if queued else (None, None))
        SyncRun.objects.filter(status="queued").delete()
        OrmQ.objects.all().delete()


def test_a_run_that_is_still_going_on_is_not_reverted(upstream: Upstream, author: Author) -> None:
    fresh(upstream, 1)
    run_id = sync()
    now = timezone.now()
    SyncRun.objects.filter(pk=run_id).update(status="running", heartbeat_at=now, pid=os.getpid())
    changes = Change.objects.count()

    with pytest.raises(ValidationError, match="still going on"):
        revert({"run": run_id}, author, lock=False)

    assert Change.objects.count() == changes
    SyncRun.objects.filter(pk=run_id).update(status="stopped")
    assert revert({"run": run_id}, author, lock=False).status == "done"
