from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.changes import Author
from catalog.models import Show
from ingestion.matching import Known
from ingestion.models import Stage, SyncRun
from ingestion.options import ALL_STAGES, Options
from ingestion.outcomes import Outcome
from ingestion.persist import save_shows
from ingestion.selection import (
    CONTINUES,
    DueRule,
    ShowFacts,
    StateFacts,
    cut_off_since,
    jobs,
    select_due,
    selected_shows,
    unknown_ids,
)
from ingestion.tests.builders import NOW, add_network, fetched_of, make_show, make_state, synced

RESOLVE, DETAILS, ENTITIES, PROVIDERS = Stage.RESOLVE, Stage.DETAILS, Stage.ENTITIES, Stage.WATCH_PROVIDERS
NONE: frozenset[Stage] = frozenset()
FETCHED = frozenset({DETAILS, ENTITIES, PROVIDERS})
DEFAULT, FULL, FORCED, NOT_RESUMED = Options(), Options(incremental=False), Options(force=True), Options(resume=False)


def facts(**values: Any) -> ShowFacts:
    defaults = {
        "id": UUID(int=1),
        "tmdb_id": 55,
        "imdb_id": "tt2342499",
        "tmdb_status": "Ended",
        "needs_tmdb_resolution": False,
        "locked": (),
    }
    return ShowFacts(**defaults | values)


def state(status: str = "ok", days: float = 0, attempts: int = 1) -> StateFacts:
    """A state whose last try, for the ids of `facts`, was so many days ago."""
    at = NOW - timedelta(days=days)
    asked_for = "tt2342499" if status in ("gone", "unresolved") else str(facts().tmdb_id)
    return StateFacts(status, at, at if status in ("ok", "stale") else None, attempts, asked_for)


def states(**by_stage: StateFacts) -> dict[str, StateFacts]:
    """Every fetched stage just done, but for those that are given."""
    return {stage: state() for stage in FETCHED} | by_stage


def due(show: ShowFacts, known: Mapping[str, StateFacts], options: Options = DEFAULT, **rule: Any) -> frozenset[Stage]:
    return DueRule(options, NOW, **rule).due(show, known)[0]


# --- what is due


def test_a_show_that_was_never_tried_is_due_whole() -> None:
    assert due(facts(), {}) == FETCHED


def test_a_show_without_an_imdb_id_is_to_be_resolved_too() -> None:
    assert due(facts(imdb_id=None), {}) == ALL_STAGES
    assert due(facts(imdb_id=None, locked=["imdb_id"]), {}) == FETCHED


@pytest.mark.parametrize(
    ("show", "stage", "days", "is_due"),
    [
        (facts(), DETAILS, 7, False),
        (facts(), DETAILS, 7.1, True),
        (facts(tmdb_status="Returning Series"), DETAILS, 3, False),
        (facts(tmdb_status="Returning Series"), DETAILS, 3.1, True),
        (facts(tmdb_status="Returning Series"), ENTITIES, 6.9, False),
        (facts(), ENTITIES, 7.1, True),
        (facts(), PROVIDERS, 2, False),
        (facts(), PROVIDERS, 2.1, True),
        (facts(imdb_id=None), RESOLVE, 7, False),
        (facts(imdb_id=None), RESOLVE, 7.1, True),
        (facts(), RESOLVE, 100, False),  # both ids are known
    ],
)
def test_each_stage_goes_by_its_own_age(show: ShowFacts, stage: Stage, days: float, is_due: bool) -> None:
    known = states(**{RESOLVE: state(), stage: state(days=days)})

    assert due(show, known) == (frozenset({stage}) if is_due else NONE)


@pytest.mark.parametrize(
    ("known", "options", "stages"),
    [
        (states(), Options(), NONE),
        (states(), FORCED, FETCHED),
        (states(), FULL, FETCHED),
        (states(details=state("stale")), Options(), {DETAILS}),
        (states(details=state("stale")), NOT_RESUMED, {DETAILS}),
        (states(details=state("failed")), Options(), {DETAILS}),
        (states(details=state("failed")), NOT_RESUMED, NONE),
        (states(details=state("failed")), Options(resume=True), {DETAILS}),
        (states(details=state("failed")), Options(resume=False, force=True), FETCHED),
        (states(details=state("unresolved")), Options(), {DETAILS}),
        (states(details=state("gone")), Options(), {DETAILS}),  # an editor has settled it
        (states(details=state(days=8), entities=state(days=8)), Options(stages=frozenset({ENTITIES})), {ENTITIES}),
    ],
)
def test_what_is_due(known: dict[str, StateFacts], options: Options, stages: set[Stage]) -> None:
    assert due(facts(), known, options) == stages


def test_what_changed_upstream_is_due_but_for_where_to_watch() -> None:
    assert due(facts(), states(), changed=frozenset({55})) == {DETAILS, ENTITIES}
    assert due(facts(), states(), changed=frozenset({56})) == NONE


@pytest.mark.parametrize(
    ("attempts", "days", "is_due"),
    [
        (1, 0, True),  # the next run
        (2, 0.9, False),
        (2, 1, True),
        (3, 6.9, False),
        (3, 7, True),
        (4, 29.9, False),
        (4, 30, True),
        (9, 29.9, False),
        (9, 30, True),
    ],
)
def test_a_show_that_is_gone_is_looked_for_more_and_more_rarely(attempts: int, days: float, is_due: bool) -> None:
    gone = dict.fromkeys(FETCHED, state("gone", days, attempts))

    found = DueRule(Options(), NOW).due(facts(needs_tmdb_resolution=True), gone)

    assert found == ((ALL_STAGES, True) if is_due else (NONE, False))
    assert due(facts(needs_tmdb_resolution=True), gone, FORCED) == ALL_STAGES


def test_a_show_that_is_gone_and_has_no_imdb_id_is_asked_for_by_its_own() -> None:
    gone = dict.fromkeys(FETCHED, state("gone"))

    assert DueRule(Options(), NOW).due(facts(imdb_id=None, needs_tmdb_resolution=True), gone) == (ALL_STAGES, False)


@pytest.mark.parametrize(("days", "is_due"), [(0, False), (6.9, False), (7, True)])
def test_a_show_that_is_gone_and_in_doubt_is_tried_weekly(days: float, is_due: bool) -> None:
    doubtful = dict.fromkeys(ALL_STAGES, state("unresolved", days, 5))

    found = DueRule(Options(), NOW).due(facts(needs_tmdb_resolution=True), doubtful)

    assert found == ((ALL_STAGES, True) if is_due else (NONE, False))


@pytest.mark.parametrize(
    ("resolve", "options", "is_due"),
    [
        (None, Options(), True),
        (state("unresolved", 6.9), Options(), False),
        (state("unresolved", 7), Options(), True),
        (state("unresolved", 1), FORCED, True),
        (state("unresolved", 1), FULL, True),
        (state("failed", 1), Options(), True),
        (state("failed", 1), NOT_RESUMED, False),
        (None, Options(stages=frozenset({DETAILS})), False),
    ],
)
def test_a_show_without_a_tmdb_id_is_found_by_its_imdb_id(
    resolve: StateFacts | None, options: Options, is_due: bool
) -> None:
    known = {RESOLVE: resolve} if resolve else {}

    found = DueRule(options, NOW).due(facts(tmdb_id=None, needs_tmdb_resolution=True), known)

    assert found == ((options.stages, True) if is_due else (NONE, False))


@pytest.mark.parametrize("stage", sorted(FETCHED))
def test_a_stage_that_was_asked_for_another_id_is_due(stage: Stage) -> None:
    known = states(**{stage: replace(state(), asked_for="54")})

    assert due(facts(), known) == {stage}
    assert due(facts(), known, NOT_RESUMED) == {stage}
    assert due(facts(tmdb_id=54), known) == FETCHED - {stage}


def test_imdb_ids_are_asked_for_again_by_another_id() -> None:
    known = states(resolve=replace(state(), asked_for="54"))

    assert due(facts(imdb_id=None), known) == {RESOLVE}
    assert due(facts(imdb_id=None), states(resolve=state())) == NONE


@pytest.mark.parametrize("asked_for", ["tt0000001", ""])
def test_an_unresolved_show_with_another_imdb_id_is_looked_for_at_once(asked_for: str) -> None:
    known = {RESOLVE: replace(state("unresolved"), asked_for=asked_for)}
    show = facts(tmdb_id=None, needs_tmdb_resolution=True)

    assert DueRule(Options(), NOW).due(show, known) == (ALL_STAGES, True)
    assert due(show, {RESOLVE: state("unresolved")}) == NONE


@pytest.mark.parametrize("status", ["gone", "unresolved"])
@pytest.mark.parametrize("asked_for", ["tt0000001", ""])
def test_a_lost_show_with_another_imdb_id_is_looked_for_at_once(status: str, asked_for: str) -> None:
    known = dict.fromkeys(FETCHED, replace(state(status, 0.5, 4), asked_for=asked_for))
    show = facts(needs_tmdb_resolution=True)

    assert DueRule(Options(), NOW).due(show, known) == (ALL_STAGES, True)
    assert due(show, dict.fromkeys(FETCHED, state(status, 0.5, 4))) == NONE
    assert due(facts(needs_tmdb_resolution=True, locked=("tmdb_id",)), known) == ALL_STAGES  # by its own id


def test_a_lost_show_whose_imdb_id_was_never_there_waits_its_time() -> None:
    known = dict.fromkeys(FETCHED, replace(state("gone", 0.5, 2), asked_for=""))

    assert due(facts(imdb_id=None, needs_tmdb_resolution=True), known) == NONE


@pytest.mark.parametrize("options", [Options(), FORCED, FULL, Options(resume=True)])
def test_a_show_that_has_no_match_by_decision_is_never_due(options: Options) -> None:
    assert due(facts(tmdb_id=None, locked=["tmdb_id"]), {}, options) == NONE
    assert due(facts(tmdb_id=None, imdb_id=None), {}, options) == NONE


def test_a_full_run_that_is_taken_up_skips_what_it_did() -> None:
    known = states(details=state(days=2), entities=state("failed", 0))
    options = Options(force=True, resume=True)

    assert due(facts(), known, options, continued=NOW - timedelta(days=1)) == {DETAILS, ENTITIES}


# --- from the database


@pytest.fixture
def many(db: None) -> list[Show]:
    return [make_show(imdb_id=f"tt{number:07}") for number in range(1, 13)]


def taken(**options: Any) -> list[UUID]:
    return [one.show_id for one in select_due(DueRule(Options(**options), NOW))]


def test_the_longest_untried_comes_first_and_the_never_tried_before_it(many: list[Show]) -> None:
    old, older, oldest, failing, new = many[0], many[1], many[2], many[3], many[4]
    for show, days in ((old, 20), (older, 30), (oldest, 40)):
        synced(show, NOW - timedelta(days=days))
    make_state(failing, status="failed", attempted_at=NOW - timedelta(days=25))
    Show.objects.exclude(pk__in=[old.pk, older.pk, oldest.pk, failing.pk, new.pk]).delete()

    assert taken() == [new.pk, oldest.pk, older.pk, failing.pk, old.pk]


@pytest.mark.parametrize("problem", [None, Outcome.FAILED, Outcome.GONE])
def test_runs_of_three_get_through_all_shows(many: list[Show], problem: Outcome | None) -> None:
    runs = []
    for number in range(4):
        batch = select_due(DueRule(Options(limit=3, force=problem is None), NOW))
        runs.append([one.show_id for one in batch])
        shows = [Show.objects.get(pk=one.show_id) for one in batch]
        values = {"problem": problem, "reason": "no"} if problem else {}
        at = NOW + timedelta(minutes=number)
        save_shows([fetched_of(show, at=at, **values) for show in shows], Author())

    assert [len(run) for run in runs] == [3, 3, 3, 3]
    assert set(chain(*runs)) == {show.pk for show in many}


def test_the_order_is_the_same_each_time(many: list[Show]) -> None:
    assert taken() == taken() == taken(limit=12)
    assert taken(limit=5) == taken()[:5]


def test_the_limit_counts_after_the_filter(many: list[Show]) -> None:
    for show in many[:10]:
        synced(show)

    assert set(taken(limit=3)) == {show.pk for show in many[10:]}


@pytest.mark.parametrize("more", [10, 100])
def test_a_selection_costs_two_queries(db: None, more: int) -> None:
    for show in [make_show() for _ in range(more)]:
        make_state(show, attempted_at=NOW - timedelta(days=30), last_success_at=NOW - timedelta(days=30))

    with CaptureQueriesContext(connection) as queries:
        found = select_due(DueRule(Options(), NOW))

    assert (len(found), len(queries)) == (more, 2)


def test_named_shows_are_selected_by_any_of_their_ids(many: list[Show]) -> None:
    options = Options(show_ids=(many[0].pk,), tmdb_ids=(many[1].tmdb_id,), imdb_ids=(many[2].imdb_id, "tt9999999"))

    assert set(selected_shows(options)) == set(many[:3])
    assert {one.show_id for one in select_due(DueRule(options, NOW))} == {show.pk for show in many[:3]}


def test_ids_that_no_show_has_are_told_as_they_were_written(many: list[Show]) -> None:
    unknown = uuid4()
    options = Options(
        show_ids=(many[0].pk, unknown), tmdb_ids=(9, many[1].tmdb_id), imdb_ids=("tt9999999", "tt0000003")
    )

    assert unknown_ids(options) == [str(unknown), "9", "tt9999999"]


def test_a_job_holds_what_is_known_of_its_show(db: None) -> None:
    show = make_show(name="Below Deck", tmdb_id=None, imdb_id="tt2342499", premiere_date=date(2013, 7, 1))
    add_network(show, 74, "Bravo")

    (job,) = jobs(select_due(DueRule(Options(), NOW)))

    assert job.known == Known("Below Deck", 2013, frozenset({"Bravo"}))
    assert (job.tmdb_id, job.imdb_id, job.stages, job.find) == (None, "tt2342499", ALL_STAGES, True)


def test_the_jobs_are_in_order_and_leave_out_what_was_deleted_since(many: list[Show]) -> None:
    chosen = select_due(DueRule(Options(), NOW))
    Show.objects.filter(pk=chosen[1].show_id).delete()

    assert [job.show_id for job in jobs(chosen)] == [one.show_id for one in chosen if one is not chosen[1]]


def test_jobs_are_read_a_hundred_at_a_time(db: None) -> None:
    for _ in range(101):
        make_show()
    chosen = select_due(DueRule(Options(), NOW))

    with CaptureQueriesContext(connection) as queries:
        assert sum(1 for _ in jobs(chosen)) == 101

    assert len(queries) == 2


@pytest.mark.parametrize(
    ("statuses", "found"),
    [
        ([], False),
        (["succeeded"], False),
        (["stopped"], True),
        (["interrupted"], True),
        (["failed"], True),
        (["stopped", "succeeded"], False),
        (["succeeded", "stopped", "running"], True),
    ],
)
def test_a_run_is_cut_off_when_the_last_one_of_its_kind_did_not_do_all(
    db: None, statuses: list[str], found: bool
) -> None:
    rows = [SyncRun.objects.create(kind="sync_shows", host="h", pid=1, status=status) for status in statuses]
    SyncRun.objects.create(kind="another", host="h", pid=1, status="stopped")

    since = cut_off_since("sync_shows")

    assert (since is not None) == found
    if found:
        assert since == [row for row in rows if row.status != "running"][-1].started_at


def test_a_run_that_went_on_with_another_is_cut_off_since_that_one(db: None) -> None:
    first = NOW - timedelta(days=2)
    values = {"kind": "sync_shows", "host": "h", "pid": 1, "status": "stopped"}
    SyncRun.objects.create(**values, started_at=first)
    assert cut_off_since("sync_shows") == first

    for days in (1, 0.5):
        SyncRun.objects.create(
            **values, started_at=NOW - timedelta(days=days), options={CONTINUES: first.isoformat(), "force": True}
        )
        assert cut_off_since("sync_shows") == first

    SyncRun.objects.create(**values, started_at=NOW)  # that did not go on with them
    assert cut_off_since("sync_shows") == NOW

    SyncRun.objects.create(**values | {"status": "succeeded"}, started_at=NOW, options={CONTINUES: first.isoformat()})
    assert cut_off_since("sync_shows") is None
