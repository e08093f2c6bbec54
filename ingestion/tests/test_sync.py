import copy
import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Change, Network, PastWatchProvider, Show, ShowNetwork, ShowWatchProvider
from demo.upstream import Reply
from ingestion.models import ResolutionCandidate, Stage, SyncFailure, SyncRun, SyncState
from ingestion.options import Options
from ingestion.report import Reporter
from ingestion.runs import RunLost, start_run
from ingestion.selection import jobs as real_jobs
from ingestion.sync import ShowSync, pack, sync_shows, unpack

from .builders import fetched_of, make_candidate, make_offer, make_show
from .worlds import FIRST_ID, LEDGER, NO_FIND, imdb_id_of, name_of, network, provider, reply, snapshot, world

pytestmark = pytest.mark.django_db

FIFTH = FIRST_ID + 4


class Recorder(Reporter):
    def __init__(self):
        self.problems = {}

    def problem(self, item, reason):
        self.problems[item] = reason


def sync(kind="sync_shows", **options):
    return sync_shows(Options(**options), kind=kind)


def api_paths(upstream):
    return [request.path for request in upstream.requests if request.is_api]


def show_requests(upstream):
    return [path for path in api_paths(upstream) if path != "/3/tv/changes"]


def age(stage, days):
    SyncState.objects.filter(stage=stage).update(last_success_at=timezone.now() - timedelta(days=days))


def states(show, field="status"):
    return dict(SyncState.objects.filter(show=show).values_list("stage", field))


# What a run costs and brings


def test_each_show_costs_one_request(upstream):
    world(upstream, 30)

    report = sync()

    assert sorted(api_paths(upstream)) == [f"/3/tv/{FIRST_ID + number}" for number in range(30)]
    assert (report.requests, report.counts["updated"], report.exit_code) == (30, 30, 0)


def test_one_reply_fills_every_stage(upstream):
    show = world(upstream, 1, regions=("DE", "US"))[0]

    sync()

    show.refresh_from_db()
    assert (show.tmdb_name, show.premiere_date, show.most_recent_episode_number) == (
        name_of(FIRST_ID),
        date(2015, 6, 7),
        10,
    )
    assert (show.keywords, show.genres, show.tmdb_vote_count) == (["island"], ["Reality"], 40)
    assert [network.name for network in show.networks.order_by("show_networks__position")] == ["Network 1", "Network 2"]
    assert show.production_companies.count() == 1
    assert show.watch_providers.count() == 4
    assert states(show) == dict.fromkeys(Stage.values, "ok")
    assert Network.objects.exclude(hosted_logo_key=None).count() == 2


def test_external_ids_fill_the_imdb_id_in_the_same_request(upstream):
    show = world(upstream, 1)[0]

    sync()

    show.refresh_from_db()
    assert (show.imdb_id, show.tvdb_id, show.wikidata_id) == (imdb_id_of(FIRST_ID), FIRST_ID, f"Q{FIRST_ID}")
    assert show.needs_imdb_resolution is False
    assert upstream.count() == 1


def test_show_known_by_its_imdb_id_costs_one_find_more_and_only_once(upstream):
    shows = world(upstream, 5, by_imdb=(0, 3))

    sync()
    first = sorted(show_requests(upstream))
    upstream.clear()
    sync(force=True)

    details = [f"/3/tv/{FIRST_ID + number}" for number in range(5)]
    assert first == sorted([f"/3/find/{imdb_id_of(FIRST_ID + number)}" for number in (0, 3)] + details)
    assert sorted(show_requests(upstream)) == details
    assert Show.objects.get(pk=shows[3].pk).tmdb_id == FIRST_ID + 3


def test_doubtful_match_waits_for_an_editor_with_its_candidates(upstream):
    show = world(upstream, 1, by_imdb=(0,))[0]
    upstream.shows[FIRST_ID]["name"] = upstream.shows[FIRST_ID]["original_name"] = "Another Thing Entirely"

    report = sync()

    show.refresh_from_db()
    assert (show.tmdb_id, show.needs_tmdb_resolution) == (None, True)
    assert [row.tmdb_id for row in ResolutionCandidate.objects.filter(show=show)] == [FIRST_ID]
    assert (report.counts["unresolved"], report.exit_code) == (1, 0)


def test_second_run_asks_for_no_show_and_writes_nothing(upstream):
    world(upstream, 12, by_imdb=(2,))
    sync()
    before = snapshot(leave_out=LEDGER)
    upstream.clear()

    report = sync()

    assert api_paths(upstream) == ["/3/tv/changes"]
    assert upstream.count("/t/p/") == 0
    assert snapshot(leave_out=LEDGER) == before
    assert (report.total, report.exit_code) == (0, 0)


def test_forced_run_finds_every_show_unchanged_and_writes_nothing(upstream):
    world(upstream, 12, regions=("DE", "GB", "US"))
    sync()
    before = snapshot(leave_out=LEDGER)
    upstream.clear()

    report = sync(force=True)

    assert (upstream.count("/3/tv/"), upstream.count("/t/p/")) == (12, 0)
    assert report.counts == {"unchanged": 12}
    assert snapshot(leave_out=LEDGER) == before


def test_every_change_row_names_its_run(upstream):
    world(upstream, 3)

    sync()

    run = SyncRun.objects.get()
    assert list(Change.objects.values_list("kind", "run_id")) == [("updated", run.pk)] * 3


@pytest.mark.parametrize(
    ("stage", "path", "appended"),
    [
        ("watch_providers", f"/3/tv/{FIRST_ID}/watch/providers", ""),
        ("details", f"/3/tv/{FIRST_ID}", "external_ids,keywords"),
        ("entities", f"/3/tv/{FIRST_ID}", ""),
    ],
)
def test_only_what_is_too_old_is_fetched_again(upstream, stage, path, appended):
    world(upstream, 1)
    sync()
    upstream.clear()
    age(stage, 8)
    others = SyncState.objects.exclude(stage=stage).exclude(stage="resolve")
    before = list(others.values_list("stage", "last_success_at").order_by("stage"))

    report = sync()

    asked = [request for request in upstream.requests if request.path != "/3/tv/changes"]
    assert [(request.path, request.params.get("append_to_response", "")) for request in asked] == [(path, appended)]
    assert report.counts == {"unchanged": 1}
    assert list(others.values_list("stage", "last_success_at").order_by("stage")) == before


def test_details_of_a_returning_show_go_stale_sooner(upstream):
    world(upstream, 2)
    upstream.shows[FIRST_ID]["status"] = "Returning Series"
    sync()
    upstream.clear()
    age("details", 4)

    sync()

    assert show_requests(upstream) == [f"/3/tv/{FIRST_ID}"]


def test_one_changed_show_of_fifty_costs_its_request_and_the_pages(upstream):
    world(upstream, 50)
    sync()
    upstream.clear()
    upstream.changed = [*range(500_000, 500_250), FIFTH]
    upstream.shows[FIFTH]["overview"] = "A storm is coming."

    report = sync()

    assert sorted(api_paths(upstream)) == ["/3/tv/1005", "/3/tv/changes", "/3/tv/changes", "/3/tv/changes"]
    assert report.requests == 4
    assert Show.objects.get(tmdb_id=FIFTH).description == "A storm is coming."
    assert Change.objects.first().fields == {
        "description": ["What happens on island 1005.", "A storm is coming."],
    }


def test_changes_are_read_from_the_last_reading_on(upstream):
    world(upstream, 1)
    sync()
    sync()
    upstream.clear()
    SyncRun.objects.filter(changes_until__isnull=False).update(changes_until=datetime(2020, 1, 1, tzinfo=UTC))

    sync()

    params = upstream.requests[0].params
    days = date.fromisoformat(params["end_date"]) - date.fromisoformat(params["start_date"])
    assert days == timedelta(days=14)  # TMDb answers no longer question


def test_shows_go_by_age_when_the_list_of_changes_fails(upstream):
    world(upstream, 3)
    sync()
    upstream.clear()
    upstream.always("/3/tv/changes", Reply(500))
    age("watch_providers", 3)

    report = sync()

    assert upstream.count("/3/tv/1") == 3
    assert report.exit_code == 1
    assert [item for item, _ in report.failures] == ["list of changes"]


def test_run_that_is_cut_off_forgets_no_changed_show(upstream):
    world(upstream, 4)
    sync()
    upstream.changed = [FIRST_ID, FIFTH - 1]
    sync(limit=1)
    upstream.changed = []
    upstream.clear()

    sync()

    assert len(show_requests(upstream)) == 1


def test_returns_to_another_state_exactly(upstream):
    show = world(upstream, 1, regions=("DE", "US"))[0]
    sync()
    upstream.shows[FIRST_ID] |= {
        "last_air_date": None,
        "networks": [network(3), network(1)],
        "production_companies": [],
        "watch/providers": {"results": {"US": {"link": "https://x", "flatrate": [provider(9)], "rent": [provider(8)]}}},
    }

    report = sync(force=True)

    show.refresh_from_db()
    links = ShowNetwork.objects.filter(show=show).values_list("network_id", flat=True)
    offers = ShowWatchProvider.objects.filter(show=show).values_list("region", "offer_type", "provider_id")
    assert (report.exit_code, show.tmdb_last_air_date) == (0, None)
    assert list(links) == [3, 1]
    assert show.production_companies.count() == 0
    assert sorted(offers) == [("US", "flatrate", 9), ("US", "rent", 8)]
    assert PastWatchProvider.objects.filter(show=show).count() == 4
    change = Change.objects.first().fields
    assert change["networks"] == {"added": ["Network 3 (3)"], "removed": ["Network 2 (2)"], "at": [1]}
    assert change["tmdb_last_air_date"] == ["2024-08-01", None]
    assert change["watch_providers"]["added"] == ["US flatrate Provider 9 (9)", "US rent Provider 8 (8)"]


def test_editors_value_is_kept_and_upstreams_stands_beside_it(upstream, django_user_model):
    editor = django_user_model.objects.create(username="editor")
    show = world(upstream, 1)[0]
    sync()
    edit_show(show.pk, {"description": "Our own words."}, Author(user=editor))
    upstream.shows[FIRST_ID]["overview"] = "New words upstream."

    sync(force=True)

    show.refresh_from_db()
    assert show.description == "Our own words."
    assert show.upstream_values == {"description": "New words upstream."}


def test_show_deleted_while_it_was_fetched_fails_alone(upstream):
    shows = world(upstream, 3)

    class Deleting(Reporter):
        def start(self, report):
            self.gone = shows[1]

    # The job is read from the database when the thread is free: delete between the fetch and the save.
    run = ShowSync(Options(), "sync_shows", start_run("sync_shows", {}), Deleting())
    save_ready = run.save_ready

    def delete_first():
        Show.objects.filter(pk=shows[1].pk).delete()
        return save_ready()

    run.save_ready = delete_first

    report = run.run_to_end()

    assert report.counts == {"updated": 2, "failed": 1, "logos": 5}
    assert report.failures == [(name_of(FIRST_ID + 1), "it was deleted while it was fetched")]


# One show's failure


def changed_reply(**changes):
    return {**reply(FIFTH), **changes}


FAILURES = [
    pytest.param([Reply(429)], "HTTP 429: Your request count", id="429 for ever"),
    pytest.param([Reply(500)], "HTTP 500: Internal error", id="500"),
    pytest.param([Reply(200, cut=50)], "the reply was cut off", id="cut body"),
    pytest.param([Reply(200, b"<html>Gateway</html>", {"content-type": "text/html"})], "not JSON", id="HTML"),
    pytest.param([Reply(200, [])], "the reply can't be used", id="JSON list"),
    pytest.param([Reply(200, changed_reply(networks=None))], "networks is null", id="networks null"),
    pytest.param([Reply(200, changed_reply(id="1005"))], "id is '1005'", id="id of the wrong type"),
    pytest.param([Reply(200, reply(FIFTH + 90))], "it is that of show 1095, not of 1005", id="another show"),
    pytest.param([Reply(drop=True)], "no connection", id="dropped connection"),
]


@pytest.mark.parametrize(("answers", "reason"), FAILURES)
def test_failing_show_keeps_its_data_and_stops_no_other(upstream, answers, reason):
    shows = world(upstream, 10)
    sync()
    before = snapshot(leave_out=LEDGER, show=shows[4])
    for one in upstream.shows.values():
        one["overview"] = "Something else."
    upstream.always(f"/3/tv/{FIFTH}", answers[0])
    recorder = Recorder()

    report = sync_shows(Options(force=True), kind="sync_shows", reporter=recorder)

    assert (report.exit_code, report.counts) == (1, {"updated": 9, "failed": 1})
    assert Show.objects.filter(description="Something else.").count() == 9
    assert (
        snapshot(leave_out=LEDGER, show=shows[4]).items()
        >= {name: rows for name, rows in before.items() if name != "ingestion.syncfailure"}.items()
    )
    assert list(recorder.problems) == [name_of(FIFTH)]
    assert reason in recorder.problems[name_of(FIFTH)]
    failure = SyncFailure.objects.get()
    assert (failure.show, failure.item, failure.reason) == (shows[4], name_of(FIFTH), recorder.problems[name_of(FIFTH)])
    state = SyncState.objects.get(show=shows[4], stage="details")
    assert (state.status, state.last_error, state.attempts) == ("failed", failure.reason, 1)


def test_failed_show_alone_is_tried_again_and_its_state_is_cleared(upstream):
    shows = world(upstream, 10)
    upstream.always(f"/3/tv/{FIFTH}", Reply(500))
    sync()
    upstream.clear()

    report = sync()

    assert show_requests(upstream) == [f"/3/tv/{FIFTH}"]
    assert (report.exit_code, report.counts["updated"]) == (0, 1)
    assert set(SyncState.objects.filter(show=shows[4]).values_list("status", "last_error", "attempts")) == {
        ("ok", "", 0)
    }


def test_retries_within_a_run_are_no_failure(upstream):
    world(upstream, 3)
    upstream.answer(f"/3/tv/{FIRST_ID}", Reply(429), Reply(503), Reply(200, cut=20), Reply(drop=True))

    report = sync()

    assert (report.exit_code, upstream.count()) == (0, 7)


def test_show_gone_upstream_keeps_its_data_and_is_flagged(upstream):
    shows = world(upstream, 10)
    sync()
    gone = upstream.shows.pop(FIFTH)
    before = Show.objects.values().get(pk=shows[4].pk)

    report = sync(force=True)

    after = Show.objects.values().get(pk=shows[4].pk)
    assert (report.exit_code, report.counts) == (0, {"unchanged": 9, "gone": 1})
    assert after.pop("needs_tmdb_resolution") is True
    assert {**after, "updated_at": None} == {
        **{name: value for name, value in before.items() if name in after},
        "updated_at": None,
    }
    assert states(shows[4]) == {"resolve": "ok", "details": "gone", "entities": "gone", "watch_providers": "gone"}
    assert ShowWatchProvider.objects.filter(show=shows[4]).count() == 2
    assert gone["id"] == FIFTH


def test_gone_show_is_looked_for_at_once_and_then_more_and_more_rarely(upstream):
    show = world(upstream, 1)[0]
    sync()
    upstream.shows = {}
    asked = []
    for days in (0, 0, 0, 2, 5, 8):
        upstream.clear()
        SyncState.objects.update(attempted_at=timezone.now() - timedelta(days=days))
        sync(force=not asked)
        asked.append([path.split("/")[2] for path in show_requests(upstream)])

    find, tv = ["find"], ["tv"]
    assert asked == [tv, find, [], find, [], find]
    assert SyncState.objects.get(show=show, stage="details").attempts == 4


def test_gone_show_that_is_back_is_found_by_its_imdb_id(upstream):
    show = world(upstream, 1)[0]
    sync()
    old = upstream.shows.pop(FIRST_ID)
    sync(force=True)
    upstream.shows = {4711: {**old, "id": 4711, "overview": "Back again."}}

    report = sync()

    show.refresh_from_db()
    assert (show.tmdb_id, show.needs_tmdb_resolution, show.description) == (4711, False, "Back again.")
    assert report.exit_code == 0
    assert set(states(show).values()) == {"ok"}


def test_find_that_names_a_show_which_is_not_there_fails(upstream):
    show = world(upstream, 1, by_imdb=(0,))[0]
    upstream.always(f"/3/tv/{FIRST_ID}", Reply(404))

    report = sync()

    show.refresh_from_db()
    assert (report.exit_code, show.tmdb_id) == (1, None)
    assert report.failures == [
        (show.name, "TMDb names a show for its IMDb id, but does not have it (404)"),
    ]


def test_unknown_imdb_id_waits_and_is_not_asked_for_again_at_once(upstream):
    world(upstream, 1, by_imdb=(0,))
    upstream.always("/3/find/*", Reply(200, NO_FIND))

    first = sync()
    second = sync()

    assert (first.counts["unresolved"], second.total, upstream.count("/3/find/")) == (1, 0, 1)


# A correction by an editor


@pytest.fixture
def editor(django_user_model):
    return Author(user=django_user_model.objects.create(username="editor"))


def test_corrected_tmdb_id_is_fetched_by_the_next_run_and_brings_the_other_shows_data(upstream, editor):
    show = world(upstream, 3)[0]
    sync()
    upstream.shows[4711] = {**reply(4711, ("DE",)), "networks": [network(3)]}
    edit_show(show.pk, {"tmdb_id": 4711}, editor)
    upstream.clear()

    report = sync()
    asked = show_requests(upstream)
    upstream.clear()
    sync()

    show.refresh_from_db()
    assert asked == ["/3/tv/4711"]
    assert show_requests(upstream) == []
    assert (report.exit_code, report.counts["updated"]) == (0, 1)
    assert (show.tmdb_id, show.tmdb_name, show.description) == (4711, name_of(4711), "What happens on island 4711.")
    assert (show.tvdb_id, show.wikidata_id) == (4711, "Q4711")
    assert list(show.networks.values_list("pk", flat=True)) == [3]
    assert set(ShowWatchProvider.objects.filter(show=show).values_list("region", "link")) == {
        ("DE", "https://www.themoviedb.org/tv/4711/watch?locale=DE")
    }
    assert set(SyncState.objects.filter(show=show).exclude(stage="resolve").values_list("status", "asked_for")) == {
        ("ok", "4711")
    }


def test_corrected_imdb_id_of_an_unresolved_show_is_looked_for_by_the_next_run(upstream, editor):
    show = world(upstream, 1, by_imdb=(0,))[0]
    Show.objects.update(imdb_id="tt0000001")
    assert sync().counts["unresolved"] == 1
    assert sync().total == 0
    edit_show(show.pk, {"imdb_id": imdb_id_of(FIRST_ID)}, editor)
    upstream.clear()

    report = sync()

    show.refresh_from_db()
    assert sorted(show_requests(upstream)) == [f"/3/find/{imdb_id_of(FIRST_ID)}", f"/3/tv/{FIRST_ID}"]
    assert (report.exit_code, show.tmdb_id, show.needs_tmdb_resolution) == (0, FIRST_ID, False)
    assert show.description == "What happens on island 1001."
    assert set(states(show).values()) == {"ok"}


def test_corrected_imdb_id_of_a_gone_show_is_looked_for_by_the_next_run(upstream, editor):
    show = world(upstream, 1)[0]
    sync()
    upstream.shows = {}
    sync(force=True)
    sync()  # by its IMDb id, which is gone too
    assert sync().total == 0
    upstream.shows = {4711: {**reply(FIRST_ID), "id": 4711, "external_ids": {"imdb_id": "tt9004711"}}}
    edit_show(show.pk, {"imdb_id": "tt9004711"}, editor)

    report = sync()

    show.refresh_from_db()
    assert (report.exit_code, show.tmdb_id, show.needs_tmdb_resolution) == (0, 4711, False)


def test_candidates_go_when_an_editor_has_chosen_another_show(upstream, editor):
    show = world(upstream, 1, by_imdb=(0,))[0]
    upstream.shows[FIRST_ID]["name"] = upstream.shows[FIRST_ID]["original_name"] = "Another Thing Entirely"
    sync()
    assert ResolutionCandidate.objects.filter(show=show).exists()
    upstream.shows[4711] = reply(4711)
    edit_show(show.pk, {"tmdb_id": 4711}, editor)

    report = sync()

    assert (report.exit_code, report.counts["updated"]) == (0, 1)
    assert not ResolutionCandidate.objects.exists()


# A 404 that TMDb did not send

PROXYS_404 = Reply(404, b"<html><h1>Not Found</h1></html>", {"content-type": "text/html"})


def test_proxys_404_fails_its_show_and_flags_nothing(upstream):
    shows = world(upstream, 5)
    sync()
    before = Show.objects.values().get(pk=shows[4].pk)
    upstream.always(f"/3/tv/{FIFTH}", PROXYS_404)

    report = sync(force=True)

    assert (report.exit_code, report.counts) == (1, {"unchanged": 4, "failed": 1})
    assert report.failures == [(name_of(FIFTH), "HTTP 404: <html><h1>Not Found</h1></html>")]
    assert Show.objects.values().get(pk=shows[4].pk) == before
    assert states(shows[4])["details"] == "failed"


def test_wrong_address_of_tmdb_makes_no_show_gone(upstream, settings):
    world(upstream, 6, by_imdb=(5,))
    sync(limit=4)
    columns = ("pk", "tmdb_id", "needs_tmdb_resolution", "needs_imdb_resolution")
    before = list(Show.objects.order_by("pk").values_list(*columns))
    upstream.clear()
    settings.TMDB_API_URL = f"{upstream.url}/v4"

    report = sync(force=True)

    assert (report.exit_code, report.counts) == (1, {"failed": 6})
    assert len(upstream.requests) == 6
    assert all(request.path.startswith("/v4/") for request in upstream.requests)
    assert list(Show.objects.order_by("pk").values_list(*columns)) == before
    assert not SyncState.objects.filter(status__in=("gone", "unresolved")).exists()


@pytest.mark.parametrize("answer", [Reply(404), PROXYS_404], ids=["TMDb's", "a proxy's"])
def test_404_of_find_makes_no_show_gone(upstream, answer):
    known, gone = world(upstream, 2, by_imdb=(0,))
    sync(tmdb_ids=(FIRST_ID + 1,), force=True)
    upstream.shows.pop(FIRST_ID + 1)
    sync(tmdb_ids=(FIRST_ID + 1,), force=True)
    upstream.always("/3/find/*", answer)

    report = sync()

    known.refresh_from_db()
    assert (report.exit_code, report.counts) == (1, {"failed": 2})
    assert (known.tmdb_id, known.needs_tmdb_resolution) == (None, False)
    assert set(states(known).values()) | set(states(gone).values()) == {"failed"}


# A refused key


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_stops_after_one_request_and_writes_the_runs_row_and_the_count_alone(upstream, status):
    world(upstream, 10)
    upstream.always("/3/*", Reply(status))
    before = snapshot(leave_out=("ingestion.syncrun", "ingestion.upstreamtraffic"))

    report = sync()

    run = SyncRun.objects.get()
    assert upstream.count() == 1
    assert (report.exit_code, run.status, run.requests) == (2, "stopped", 1)
    assert f"the key was refused ({status})" in report.error
    assert report.error == run.error
    assert snapshot(leave_out=("ingestion.syncrun", "ingestion.upstreamtraffic")) == before


def test_key_refused_by_the_list_of_changes_stops_the_run(upstream):
    world(upstream, 3)
    sync()
    upstream.clear()
    upstream.always("/3/*", Reply(401))

    report = sync()

    assert (upstream.count(), report.exit_code) == (1, 2)


@pytest.mark.parametrize("connections", [1, 4])
def test_key_refused_in_the_middle_ends_the_run_and_keeps_what_had_come(upstream, settings, connections):
    settings.TMDB_CONNECTIONS = connections
    shows = world(upstream, 40)
    upstream.always(f"/3/tv/{FIRST_ID + 25}", Reply(401))

    report = sync()

    saved = SyncState.objects.filter(stage="details", status="ok").count()
    assert report.exit_code == 1
    assert 25 - connections <= saved < 40
    assert report.counts["updated"] == saved
    assert not SyncState.objects.exclude(status="ok").exists()
    assert not SyncState.objects.filter(show=shows[25]).exists()


# The guard


def blank_offers(upstream, count):
    for tmdb_id in list(upstream.shows)[:count]:
        upstream.shows[tmdb_id]["watch/providers"] = {"results": {}}


def test_upstream_without_any_offer_deletes_none(upstream):
    world(upstream, 10)
    sync()
    before = snapshot(leave_out=(*LEDGER, "ingestion.syncfailure"))
    blank_offers(upstream, 10)

    report = sync(force=True)

    assert (ShowWatchProvider.objects.count(), report.exit_code) == (20, 1)
    assert "10 of the 10 shows seen would lose their watch_providers" in report.error
    assert snapshot(leave_out=(*LEDGER, "ingestion.syncfailure")) == before
    assert SyncRun.objects.first().status == "stopped"


def test_few_shows_may_lose_their_offers(upstream):
    world(upstream, 10)
    sync()
    blank_offers(upstream, 2)

    report = sync(force=True)

    assert (ShowWatchProvider.objects.count(), report.exit_code) == (16, 0)
    assert PastWatchProvider.objects.count() == 4
    assert report.counts == {"updated": 2, "unchanged": 8}


@pytest.mark.parametrize(("blank", "trips"), [(30, False), (31, True)])
def test_guard_trips_above_thirty_percent(upstream, blank, trips):
    world(upstream, 100)
    sync()
    blank_offers(upstream, blank)
    # The order of a run is that of the rows; let the losing ones come last, so that the share counts at the end.
    SyncState.objects.filter(show__tmdb_id__gte=FIRST_ID + blank).update(attempted_at=datetime(2020, 1, 1, tzinfo=UTC))

    report = sync(force=True)

    kept = Show.objects.filter(watch_providers__isnull=False).distinct().count()
    assert (report.exit_code, kept) == ((1, 100) if trips else (0, 70))
    assert report.counts["failed"] == (blank if trips else 0)


def test_shows_that_the_guard_lets_pass_are_counted_once(upstream):
    # A fifth of many shows: counted twice it would be a third.
    world(upstream, 25)
    sync()
    blank_offers(upstream, 5)
    SyncState.objects.filter(show__tmdb_id__gte=FIRST_ID + 5).update(attempted_at=datetime(2020, 1, 1, tzinfo=UTC))

    report = sync(force=True)

    assert (report.error, report.exit_code) == ("", 0)
    assert report.done == 25
    assert ShowWatchProvider.objects.count() == 40


def test_shows_asked_for_their_details_alone_do_not_make_a_loss_of_offers_look_small(upstream):
    world(upstream, 40)
    sync()
    old = timezone.now() - timedelta(days=8)
    late = SyncState.objects.filter(show__tmdb_id__gte=FIRST_ID + 10, stage="details")
    late.update(last_success_at=old)
    SyncState.objects.filter(show__tmdb_id__lt=FIRST_ID + 10, stage="watch_providers").update(last_success_at=old)
    blank_offers(upstream, 10)
    upstream.clear()

    report = sync()

    assert len(show_requests(upstream)) == 40
    assert (report.exit_code, ShowWatchProvider.objects.count()) == (1, 80)
    assert "10 of the 10 shows seen would lose their watch_providers" in report.error


@pytest.mark.parametrize(
    ("blank", "named"),
    [
        ({"networks": []}, "networks"),
        ({"production_companies": []}, "production_companies"),
        ({"overview": ""}, "description"),
        ({"last_air_date": None}, "tmdb_last_air_date"),
        ({"genres": []}, "genres"),
        ({"number_of_seasons": None}, "show_total_seasons"),
    ],
)
def test_guard_watches_networks_and_columns_likewise(upstream, blank, named):
    world(upstream, 10)
    sync()
    before = snapshot(leave_out=(*LEDGER, "ingestion.syncfailure"))
    for one in upstream.shows.values():
        one |= blank

    report = sync(force=True)

    assert f"would lose their {named}" in report.error
    assert report.exit_code == 1
    assert snapshot(leave_out=(*LEDGER, "ingestion.syncfailure")) == before


def test_guard_stops_a_long_run_before_its_end(upstream, settings):
    settings.TMDB_CONNECTIONS = 2
    world(upstream, 80)
    sync()
    blank_offers(upstream, 80)
    upstream.clear()

    report = sync(force=True)

    assert upstream.count() < 80
    assert (report.exit_code, ShowWatchProvider.objects.count()) == (1, 160)


def test_single_show_may_lose_all(upstream):
    show = world(upstream, 10)[0]
    sync()
    blank_offers(upstream, 10)

    report = sync(show_ids=(show.pk,), force=True)

    assert (report.exit_code, ShowWatchProvider.objects.filter(show=show).count()) == (0, 0)


def test_what_the_guard_held_is_tried_again_and_saved_when_upstream_is_well(upstream):
    world(upstream, 10)
    sync()
    well = copy.deepcopy(upstream.shows)
    blank_offers(upstream, 10)
    sync(force=True)
    upstream.shows = well
    upstream.clear()

    report = sync()

    assert (report.exit_code, report.counts) == (0, {"unchanged": 10})
    assert not SyncState.objects.exclude(status="ok").exists()


# Options


def test_limit_takes_other_shows_each_time(upstream):
    world(upstream, 12)
    asked = []
    for _ in range(4):
        upstream.clear()
        sync(limit=3)
        asked.append(set(show_requests(upstream)))

    assert [len(part) for part in asked] == [3, 3, 3, 3]
    assert len(set.union(*asked)) == 12


def test_limit_is_not_blocked_by_a_show_that_always_fails(upstream):
    world(upstream, 4)
    upstream.always(f"/3/tv/{FIRST_ID}", Reply(500))

    for _ in range(4):
        sync(limit=1)

    assert SyncState.objects.filter(stage="details", status="ok").count() == 3


def test_no_incremental_takes_fresh_shows_too(upstream):
    world(upstream, 3)
    sync()
    upstream.clear()

    sync(incremental=False)

    assert upstream.count("/3/tv/1") == 3


def test_since_reads_the_list_of_changes_from_that_day(upstream):
    world(upstream, 2)
    upstream.changed = [FIRST_ID]
    sync()
    upstream.clear()
    day = timezone.now().date() - timedelta(days=5)

    sync(since=day)

    assert upstream.requests[0].params["start_date"] == day.isoformat()
    assert show_requests(upstream) == [f"/3/tv/{FIRST_ID}"]


def test_no_resume_leaves_failed_shows_for_another_time(upstream):
    world(upstream, 3)
    upstream.always(f"/3/tv/{FIRST_ID}", Reply(500))
    sync()
    upstream.clear()

    without = sync(resume=False)
    by_default = sync()

    assert (without.total, by_default.total) == (0, 1)


def test_resume_with_force_goes_on_with_a_run_that_was_cut_off(upstream):
    world(upstream, 10)
    sync()
    upstream.always(f"/3/tv/{FIRST_ID + 6}", Reply(500))
    upstream.always(f"/3/tv/{FIRST_ID + 7}", Reply(500))
    sync(force=True)
    upstream.clear()

    sync(force=True, resume=True)
    went_on = sorted(show_requests(upstream))
    upstream.clear()
    sync(force=True)

    assert went_on == [f"/3/tv/{FIRST_ID + 6}", f"/3/tv/{FIRST_ID + 7}"]
    assert len(show_requests(upstream)) == 10


class Stopping(Reporter):
    """Stops a run, like a signal, once it has made so many requests."""

    def __init__(self, requests):
        self.requests, self.interrupt = requests, threading.Event()

    def progress(self, report):
        if report.requests >= self.requests:
            self.interrupt.set()


def test_resume_with_force_after_two_cuts_does_only_the_rest(upstream, settings):
    settings.TMDB_CONNECTIONS = 2
    world(upstream, 60)
    sync()
    everything = {f"/3/tv/{tmdb_id}" for tmdb_id in upstream.shows}
    began = timezone.now()

    def done():
        rows = SyncState.objects.filter(stage="details", status="ok", last_success_at__gte=began)
        return {f"/3/tv/{tmdb_id}" for tmdb_id in rows.values_list("show__tmdb_id", flat=True)}

    asked, finished = [], [set()]
    for options in (Options(force=True), Options(force=True, resume=True)):
        upstream.clear()
        stopping = Stopping(12)
        report = sync_shows(options, kind="sync_shows", reporter=stopping, interrupt=stopping.interrupt)
        assert report.exit_code == 1
        asked.append(show_requests(upstream))
        finished.append(done())
    upstream.clear()
    last = sync(force=True, resume=True)

    assert finished[0] < finished[1] < finished[2] < everything
    assert not finished[1] & set(asked[1])
    assert sorted(show_requests(upstream)) == sorted(everything - finished[2])
    assert last.exit_code == 0
    upstream.clear()
    sync(force=True, resume=True)
    assert len(show_requests(upstream)) == 60  # nothing was cut off any more


def test_max_failures_ends_the_run(upstream, settings):
    settings.TMDB_CONNECTIONS = 1
    world(upstream, 60)
    upstream.always("/3/tv/*", Reply(200, []))

    report = sync(max_failures=3)

    assert upstream.count() < 60
    assert (report.exit_code, SyncRun.objects.get().status) == (1, "stopped")
    assert "(--max-failures 3)" in report.error


def test_stages_limits_what_is_asked_and_written(upstream):
    show = world(upstream, 1)[0]

    sync(stages=frozenset({Stage.ENTITIES, Stage.WATCH_PROVIDERS}))

    show.refresh_from_db()
    assert upstream.requests[0].params["append_to_response"] == "watch/providers"
    assert (show.description, show.networks.count(), show.watch_providers.count()) == (None, 2, 2)
    assert set(states(show)) == {"entities", "watch_providers"}


def test_dry_run_writes_nothing_and_tells_each_change(upstream):
    shows = world(upstream, 5, by_imdb=(1,))
    before = snapshot()

    report = sync(dry_run=True)

    assert snapshot() == before
    assert upstream.count("/t/p/") == 0
    assert {change["id"] for change in report.changes} == {str(show.pk) for show in shows}
    first = next(change["changes"] for change in report.changes if change["id"] == str(shows[0].pk))
    assert first["description"] == [None, "What happens on island 1001."]
    assert first["watch_providers"] == {
        "added": ["US buy Provider 10 (10)", "US flatrate Provider 8 (8)"],
        "removed": [],
    }


def test_dry_run_of_a_guarded_loss_says_so_and_writes_nothing(upstream):
    world(upstream, 10)
    sync()
    blank_offers(upstream, 10)
    before = snapshot()

    report = sync(dry_run=True, force=True)

    assert snapshot() == before
    assert "would lose their watch_providers" in report.error


def test_dry_run_follows_the_list_of_changes_without_marking_any(upstream):
    world(upstream, 3)
    sync()
    upstream.changed = [FIRST_ID]
    upstream.shows[FIRST_ID]["overview"] = "New."
    before = snapshot()

    report = sync(dry_run=True)

    assert [change["name"] for change in report.changes] == [name_of(FIRST_ID)]
    assert snapshot() == before


# Logos in a run


def test_logo_that_is_not_there_fails_alone_and_is_tried_again_without_asking_for_a_show(upstream):
    world(upstream, 5)
    upstream.always("/t/p/*/network-2.png", Reply(404))

    first = sync()
    upstream.clear()
    second = sync()

    assert (first.exit_code, first.counts) == (1, {"updated": 5, "logos": 4, "logos failed": 1})
    assert [item for item, _ in first.failures] == ["logo of network Network 2 (2)"]
    assert "404" in first.failures[0][1]
    assert (second.exit_code, second.counts) == (0, {"logos": 1})
    assert show_requests(upstream) == []
    assert Network.objects.get(pk=2).logo_error == ""


def test_logos_that_were_skipped_are_left_to_the_next_run(upstream):
    world(upstream, 3)

    first = sync(skip_logos=True)
    images = upstream.count("/t/p/")
    second = sync()

    assert (images, first.counts["logos"], second.counts["logos"]) == (0, 0, 5)
    assert upstream.count("/t/p/") == 5


def test_same_logo_of_many_shows_is_asked_for_once(upstream):
    world(upstream, 45)

    sync()

    assert upstream.count("/t/p/") == 5


# The run's row


def test_runs_row_says_what_was_done(upstream, django_user_model):
    user = django_user_model.objects.create(username="operator")
    world(upstream, 3)

    sync_shows(Options(limit=2), kind="sync_shows", user=user)

    run = SyncRun.objects.get()
    assert (run.status, run.total, run.done, run.requests) == ("succeeded", 2, 2, 2)
    assert run.counts == {"updated": 2, "logos": 5}
    assert (run.started_by, run.options) == (user, {"limit": 2})
    assert run.finished_at is not None


def test_run_that_lost_its_row_stops_writing(upstream, monkeypatch):
    monkeypatch.setattr("ingestion.runs.BEAT_EVERY", 0)
    world(upstream, 3)
    run = start_run("sync_shows", {})
    SyncRun.objects.update(status="interrupted")
    before = snapshot()

    report = ShowSync(Options(), "sync_shows", run, Reporter()).run_to_end()

    assert snapshot() == before
    assert "was closed by another process" in report.error
    assert report.exit_code == 1


def test_stop_by_a_signal_keeps_what_had_arrived(upstream, settings):
    settings.TMDB_CONNECTIONS = 2
    world(upstream, 60)
    interrupt = threading.Event()

    class Stopping(Reporter):
        def progress(self, report):
            if report.requests >= 30:
                interrupt.set()

    report = sync_shows(Options(), kind="sync_shows", reporter=Stopping(), interrupt=interrupt)
    run = SyncRun.objects.get()
    saved = SyncState.objects.filter(stage="details", status="ok").count()
    upstream.clear()
    rest = sync()

    assert (report.exit_code, run.status) == (1, "stopped")
    assert "stopped by a signal" in run.error
    assert 0 < saved < 60
    assert (rest.exit_code, len(show_requests(upstream))) == (0, 60 - saved)


def test_stop_while_the_list_of_changes_is_read_ends_the_run(upstream):
    world(upstream, 2)
    sync()
    upstream.clear()
    upstream.answer("/3/tv/changes", Reply(429, headers={"retry-after": "60"}))
    interrupt = threading.Event()
    interrupt.set()

    report = sync_shows(Options(), kind="sync_shows", interrupt=interrupt)

    assert (report.exit_code, api_paths(upstream)) == (1, ["/3/tv/changes"])
    assert SyncRun.objects.first().status == "stopped"


def test_database_that_is_lost_ends_the_run_with_one_line(upstream, monkeypatch, caplog):
    caplog.set_level("INFO")
    world(upstream, 2)

    def lost(*args, **options):
        raise OperationalError("the connection is lost\nIs the server running?")

    monkeypatch.setattr("ingestion.work.save_shows", lost)

    report = sync()

    assert (report.exit_code, report.error) == (1, "the database is out of reach: the connection is lost")
    assert "Traceback" not in caplog.text


def test_run_goes_on_when_everything_it_waited_for_has_come_at_once(upstream, monkeypatch, settings):
    settings.TMDB_CONNECTIONS = 1
    monkeypatch.setattr("ingestion.work.FIRST_COMPLETED", "ALL_COMPLETED")
    world(upstream, 15)

    report = sync()

    assert (report.exit_code, report.counts["updated"]) == (0, 15)


def test_run_that_did_not_reach_a_show_says_so(upstream, monkeypatch):
    world(upstream, 3)
    monkeypatch.setattr("ingestion.sync.jobs", lambda due: iter(list(real_jobs(due))[:2]))

    report = sync()

    assert (report.exit_code, report.error) == (1, "1 of 3 shows were not reached: deleted meanwhile?")


def test_show_that_waits_for_the_end_of_the_run_is_packed_without_a_loss(upstream):
    show = make_show()
    one = fetched_of(
        show, resolved=make_candidate(5), candidates=(make_candidate(5), make_candidate(6)), offers=(make_offer(),)
    )

    packed = pack(one)

    assert isinstance(packed, bytes)
    assert unpack(packed) == one


def test_mistake_of_ours_fails_one_show_and_is_logged(upstream, monkeypatch, caplog):
    world(upstream, 3)
    real = __import__("ingestion.fetching", fromlist=["parse_show"]).parse_show

    def broken(payload):
        if payload["id"] == FIRST_ID:
            raise ZeroDivisionError("by zero")
        return real(payload)

    monkeypatch.setattr("ingestion.fetching.parse_show", broken)

    report = sync()

    assert report.failures == [(name_of(FIRST_ID), "internal error: ZeroDivisionError('by zero')")]
    assert report.counts["updated"] == 2
    assert "Traceback" in caplog.text


def test_run_lost_is_raised_at_the_next_beat(monkeypatch):
    monkeypatch.setattr("ingestion.runs.BEAT_EVERY", 0)
    run = start_run("sync_shows", {})
    SyncRun.objects.update(status="interrupted")

    with pytest.raises(RunLost, match=f"run {run.id} was closed by another process"):
        run.beat()
