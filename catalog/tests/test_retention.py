from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.changes import Author, change_of, save_changes
from catalog.feed import Pruned, check_since, read_events
from catalog.models import Change, FeedStart, Show
from catalog.retention import prune_changes

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def change(show: Show, days_ago: int, *, volatile: bool = False, kind: str = "updated") -> Change:
    fields = {} if kind == "commented" else {"tmdb_popularity" if volatile else "name": [1, 2]}
    row = change_of(show.pk, Change.Kind(kind), fields, Author())
    row.ts = NOW - timedelta(days=days_ago)
    save_changes([row])
    return row


@pytest.fixture
def shows(db: None) -> list[Show]:
    return [Show.objects.create(name=f"Show {n}") for n in range(3)]


def test_volatile_changes_go_after_thirty_days_where_a_later_change_tells_of_the_show(shows: list[Show]) -> None:
    superseded = change(shows[0], 40, volatile=True)
    fresh = change(shows[0], 20, volatile=True)
    newest_of_its_show = change(shows[1], 300, volatile=True)

    pruned = prune_changes(NOW)

    assert (pruned.volatile, pruned.old) == (1, 0)
    assert set(Change.objects.values_list("id", flat=True)) == {fresh.pk, newest_of_its_show.pk}
    assert superseded.pk not in Change.objects.values_list("id", flat=True)
    assert not FeedStart.objects.exists()  # nobody has to read anew


def test_a_comment_does_not_stand_for_a_change_of_votes(shows: list[Show]) -> None:
    kept = change(shows[0], 40, volatile=True)
    change(shows[0], 1, kind="commented")

    prune_changes(NOW)

    assert Change.objects.filter(pk=kept.pk).exists()


def test_other_changes_go_after_a_year_and_readers_who_had_not_come_so_far_must_read_anew(shows: list[Show]) -> None:
    old = change(shows[0], 400)
    change(shows[0], 300)

    assert prune_changes(NOW).old == 1

    with pytest.raises(Pruned):
        check_since(old.pk - 1)
    check_since(old.pk)


def test_the_newest_change_of_a_show_stays_however_old(shows: list[Show]) -> None:
    newest = change(shows[0], 4000)

    prune_changes(NOW)

    assert list(Change.objects.values_list("id", flat=True)) == [newest.pk]


def test_a_dry_run_counts_and_drops_nothing(shows: list[Show]) -> None:
    for days in (500, 400, 50, 1):
        change(shows[0], days, volatile=days == 50)

    would = prune_changes(NOW, dry_run=True)

    assert Change.objects.count() == 4
    assert prune_changes(NOW) == would


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 500), st.booleans()), min_size=1, max_size=12),
    read=st.integers(0, 12),
)
def test_whoever_may_read_on_hears_of_every_show_that_changed_since(
    shows: list[Show], rows: list[tuple[int, int, bool]], read: int
) -> None:
    Change.objects.all().delete()
    FeedStart.objects.all().delete()
    made = [
        change(shows[number], days, volatile=volatile)
        for number, days, volatile in sorted(rows, key=lambda row: -row[1])
    ]
    since = made[min(read, len(made)) - 1].pk if read else made[0].pk - 1
    changed_since = {row.show_id for row in made if row.pk > since}

    prune_changes(NOW)

    try:
        check_since(since)
    except Pruned:
        return
    assert {event.show_id for event in read_events(since, 100)} == changed_since


def test_it_ends_after_the_batch_at_hand_when_it_is_told_to(shows: list[Show], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.retention.AT_ONCE", 2)
    rows = [change(shows[0], days) for days in (900, 800, 700, 600, 500, 1)]
    answers = iter([True, True, True, False])  # the first is asked about the volatile ones, of which there are none

    pruned = prune_changes(NOW, go_on=lambda: next(answers))

    assert pruned.old == 4
    assert list(Change.objects.order_by("id")) == rows[4:]
    with pytest.raises(Pruned):
        check_since(rows[2].pk)
    check_since(rows[3].pk)
