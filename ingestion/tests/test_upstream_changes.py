from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from catalog.changes import Author
from catalog.models import Show
from demo.upstream import Reply, Upstream
from ingestion.models import Stage, SyncRun, SyncState
from ingestion.options import Options
from ingestion.outcomes import Outcome
from ingestion.persist import save_shows
from ingestion.records import InvalidRecord
from ingestion.selection import DueRule, select_due
from ingestion.sources.tmdb import TmdbClient
from ingestion.sync import sync_shows
from ingestion.tests.builders import NOW, fetched_of, make_show, make_state, synced
from ingestion.upstream_changes import changes_start, fetch_changed_ids, mark_changed

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(upstream: Upstream) -> Iterator[TmdbClient]:
    tmdb = TmdbClient()
    yield tmdb
    tmdb.close()


def read_until(moment: datetime) -> None:
    SyncRun.objects.create(kind="sync_shows", host="h", pid=1, status="succeeded", changes_until=moment)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


# --- from when


def test_where_nothing_is_synced_nothing_is_read() -> None:
    make_state(make_show(), status="failed")

    assert changes_start(Options(), NOW) is None
    assert changes_start(Options(since=date(2026, 2, 25)), NOW) is None


def test_an_empty_catalogue_costs_no_request(upstream: Upstream) -> None:
    report = sync_shows(Options(), kind="sync_shows")

    assert (report.exit_code, upstream.requests) == (0, [])


def test_the_first_time_it_starts_with_the_oldest_success() -> None:
    synced(make_show(), ago(days=3))
    synced(make_show(), ago(days=5))

    assert changes_start(Options(), NOW) == ago(days=5, hours=12)


def test_it_goes_on_where_the_last_run_ended_with_an_overlap() -> None:
    synced(make_show(), ago(days=5))
    read_until(ago(days=2))
    read_until(ago(days=1))

    assert changes_start(Options(), NOW) == ago(days=1, hours=12)


def test_it_never_asks_for_more_than_fourteen_days() -> None:
    read_until(ago(days=40))

    assert changes_start(Options(), NOW) == ago(days=14)
    assert changes_start(Options(since=date(2025, 1, 1)), NOW) == ago(days=14)


@pytest.mark.parametrize(
    ("since", "start"),
    [
        (date(2026, 2, 20), datetime(2026, 2, 20, tzinfo=UTC)),
        (date(2026, 2, 28), ago(days=3, hours=12)),  # else no run would ever read the days between
    ],
)
def test_since_makes_it_earlier_never_later(since: date, start: datetime) -> None:
    read_until(ago(days=3))

    assert changes_start(Options(since=since), NOW) == start


# --- reading


def test_every_page_is_read(client: TmdbClient, upstream: Upstream) -> None:
    upstream.changed = list(range(1, 251))

    assert fetch_changed_ids(client, ago(days=2), NOW) == frozenset(range(1, 251))
    assert [request.params["page"] for request in upstream.requests] == ["1", "2", "3"]
    assert {(request.params["start_date"], request.params["end_date"]) for request in upstream.requests} == {
        ("2026-02-27", "2026-03-01")
    }


def test_no_changes_are_one_request(client: TmdbClient, upstream: Upstream) -> None:
    assert fetch_changed_ids(client, ago(days=1), NOW) == frozenset()
    assert upstream.count() == 1


def test_the_longest_range_is_one_that_tmdb_takes(client: TmdbClient, upstream: Upstream) -> None:
    upstream.changed = [1]

    assert fetch_changed_ids(client, ago(days=14), NOW) == {1}


def test_a_reply_of_a_wrong_shape_is_refused(client: TmdbClient, upstream: Upstream) -> None:
    upstream.answer("/3/tv/changes", Reply(body={"results": None, "page": 1, "total_pages": 1}))

    with pytest.raises(InvalidRecord):
        fetch_changed_ids(client, ago(days=1), NOW)


# --- marking


def stale() -> set[tuple[str, str]]:
    return set(SyncState.objects.filter(status="stale").values_list("show__name", "stage"))


def due() -> dict[str, frozenset[Stage]]:
    names = dict(Show.objects.values_list("pk", "name"))
    return {names[one.show_id]: one.stages for one in select_due(DueRule(Options(), NOW))}


def test_changed_shows_are_marked_but_for_where_to_watch() -> None:
    synced(make_show(name="A", tmdb_id=1, imdb_id="tt0000001"))
    synced(make_show(name="B", tmdb_id=2, imdb_id="tt0000002"))

    assert mark_changed({1, 999}, NOW) == 2
    assert stale() == {("A", "details"), ("A", "entities")}
    assert due() == {"A": {Stage.DETAILS, Stage.ENTITIES}}


def test_more_ids_than_a_statement_takes_are_marked() -> None:
    synced(make_show(name="A", tmdb_id=2_345, imdb_id="tt0000001"))

    assert mark_changed(range(1, 5_000), NOW) == 2


@pytest.mark.parametrize(("days", "marked"), [(14, 0), (14.1, 2)])
def test_what_tmdb_can_no_longer_tell_of_is_marked_too(days: float, marked: int) -> None:
    synced(make_show(), ago(days=days))

    assert mark_changed([], NOW) == marked


def test_a_failure_stays_a_failure() -> None:
    make_state(make_show(tmdb_id=1), status="failed")

    assert mark_changed({1}, NOW) == 0


def test_a_marked_show_stays_marked_until_it_is_synced() -> None:
    show = synced(make_show(name="A", tmdb_id=1, imdb_id="tt0000001"))
    mark_changed({1}, NOW)
    read_until(NOW)
    marked = {"A": {Stage.DETAILS, Stage.ENTITIES}}

    mark_changed([], NOW)  # a later list does not name it
    later = due()
    save_shows([fetched_of(show, problem=Outcome.FAILED, reason="HTTP 500", stages=marked["A"])], Author())
    failed = due()
    save_shows([fetched_of(show, stages=marked["A"])], Author())

    assert (later, failed, due()) == (marked, marked, {})
