from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError
from django.utils import timezone
from django_q.models import OrmQ

from catalog import batches
from catalog.batches import apply, draft, queue, submit
from catalog.changes import Author
from catalog.edits import edit_show, lock_show, version_of
from catalog.models import Batch, Change, Network, Show
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db


def make_shows(count: int) -> list[Show]:
    return [Show.objects.create(name=f"Show {number:04}") for number in range(count)]


def edit(show: Show | None, values: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    name = show.name if show else (values or {}).get("name", "")
    return {"id": str(show.pk) if show else None, "name": name, "values": values or {}, **more}


def made(editor: Any, edits: list[dict[str, Any]], reason: str = "") -> Batch:
    return draft(Batch.Kind.EDIT, editor, edits, reason)


def start(batch: Batch) -> Batch:
    """As `submit` leaves a batch that the worker is to apply."""
    Batch.objects.filter(pk=batch.pk).update(status=Batch.Status.QUEUED)
    return batch


def test_a_draft_changes_nothing_and_is_not_applied(editor: Any, show: Show) -> None:
    batch = made(editor, [edit(show, {"override": "SKIP"})])

    apply(batch)

    assert (batch.status, batch.total, batch.done) == ("draft", 1, 0)
    assert not Change.objects.exists()


def test_a_draft_may_hold_dates(editor: Any, show: Show) -> None:
    submit(made(editor, [edit(show, {"premiere_date": date(2013, 7, 1)})]))

    show.refresh_from_db()
    assert show.premiere_date == date(2013, 7, 1)


def test_drafts_of_more_than_a_day_go_when_a_new_one_is_made(editor: Any, show: Show) -> None:
    old, done, fresh = (made(editor, [edit(show, {"override": "Y"})]) for _ in range(3))
    long_ago = timezone.now() - timedelta(days=1, minutes=1)
    Batch.objects.filter(pk__in=[old.pk, done.pk]).update(created_at=long_ago)
    submit(done)

    made(editor, [])

    assert not Batch.objects.filter(pk=old.pk).exists()
    assert Batch.objects.filter(pk__in=[done.pk, fresh.pk]).count() == 2
    with pytest.raises(Batch.DoesNotExist):
        submit(old)


def test_submitting_sets_locks_and_unlocks_as_its_author_and_for_its_reason(
    editor: Any, show: Show, author: Author, make_network: Callable[..., Network]
) -> None:
    make_network(74)
    edit_show(show.pk, {"genres": ["Mine"]}, author)
    values = {"override": "skip", "networks": [74]}

    batch = submit(made(editor, [edit(show, values, lock=["name"], unlock=["genres"])], " tidy up "))

    show.refresh_from_db()
    assert (show.override, show.genres, [network.pk for network in show.networks.all()]) == ("SKIP", ["Reality"], [74])
    assert set(show.locked_fields) == {"name", "networks", "override"}
    changes = Change.objects.filter(batch=batch)
    assert {(change.user, change.reason) for change in changes} == {(editor, "tidy up")}
    assert changes.count() == 3
    assert (batch.status, batch.done, batch.counts) == ("done", 1, {"changed": 1, "unchanged": 0, "failed": 0})
    assert batch.finished_at is not None


def test_an_edit_without_an_id_creates_a_show(editor: Any, make_network: Callable[..., Network]) -> None:
    make_network(74)

    batch = submit(made(editor, [edit(None, {"name": "New", "tmdb_id": 5, "networks": [74]})]))

    new = Show.objects.get()
    assert (new.name, new.tmdb_id, [network.pk for network in new.networks.all()]) == ("New", 5, [74])
    assert (batch.counts["changed"], set(batch.changes.values_list("show_id", flat=True))) == (1, {new.pk})


def test_what_is_so_already_counts_as_unchanged_and_leaves_no_history(editor: Any, show: Show) -> None:
    batch = submit(made(editor, [edit(show, {"name": show.name}), edit(show)]))

    assert batch.counts == {"changed": 0, "unchanged": 2, "failed": 0}
    assert (batch.status, batch.done) == ("done", 2)
    assert not Change.objects.exists()


def test_a_row_that_somebody_changed_is_left_alone_and_named(
    editor: Any, show: Show, django_user_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = django_user_model.objects.create_user("anna")
    batch = made(editor, [edit(show, {"override": "Y", "tags": ["x"]}, version=version_of(show.pk))])
    edit_show(show.pk, {"override": "SKIP"}, Author(user=anna))
    noon = timezone.now().replace(hour=12, minute=3)
    Change.objects.update(ts=noon)
    monkeypatch.setattr(batches.timezone, "now", lambda: noon)

    submit(batch)

    show.refresh_from_db()
    assert (show.override, show.tags) == ("SKIP", [])
    assert batch.status == "failed"
    assert batch.failures == [[str(show.pk), "Below Deck", "anna changed Override to SKIP at 12:03 UTC: left alone"]]


def test_a_change_of_another_day_is_named_with_its_day(editor: Any, show: Show, author: Author) -> None:
    batch = made(editor, [edit(show, {"genres": ["A"]}, version=version_of(show.pk))])
    edit_show(show.pk, {"genres": ["B"]}, author)
    Change.objects.update(ts="2026-01-02T03:04:00Z")

    submit(batch)

    assert batch.failures[0][2] == "editor changed Genres on 2026-01-02 at 03:04 UTC: left alone"


def test_a_sync_that_was_quicker_is_named_as_one(editor: Any, show: Show) -> None:
    batch = made(editor, [edit(show, {"name": "Mine"}, version=version_of(show.pk))])
    edit_show(show.pk, {"name": "Upstream's"}, Author(run_id=7))

    submit(batch)

    assert batch.failures[0][2].startswith("a sync changed Name to Upstream's")


@pytest.mark.parametrize("what", ["lock", "unlock"])
def test_locks_are_left_alone_too_where_somebody_has_changed_the_field(
    editor: Any, show: Show, author: Author, what: str
) -> None:
    lock_show(show.pk, ["name"], author)
    batch = made(editor, [edit(show, **{what: ["name"]}, version=version_of(show.pk))])
    edit_show(show.pk, {"name": "Theirs"}, author)

    submit(batch)

    show.refresh_from_db()
    assert (show.name, show.locked_fields, batch.counts["failed"]) == ("Theirs", ["name"], 1)


def test_a_change_of_another_field_is_in_nobodys_way(editor: Any, show: Show, author: Author) -> None:
    batch = made(editor, [edit(show, {"override": "Y"}, version=version_of(show.pk))])
    edit_show(show.pk, {"tags": ["theirs"]}, author)

    submit(batch)

    show.refresh_from_db()
    assert (show.override, show.tags, batch.counts["changed"]) == ("Y", ["theirs"], 1)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"values": {"override": "maybe"}}, "Override: Empty, SKIP, Y, or a minimum number of episodes."),
        ({"values": {"tmdb_id": 55555}}, "TMDb id: TMDb id 55555 is already that of Below Deck."),
        ({"values": {"networks": [404]}}, "Networks: There is none with the id 404."),
        ({"values": {"name": ""}}, "Name: This field cannot be blank."),
        ({"values": {"updated_at": "2026-01-01"}}, "it could not be saved; the log says why (ValueError)"),
        ({"lock": ["tags"]}, "it could not be saved; the log says why (ValueError)"),
        ({"id": str(uuid4())}, "it has been deleted"),
        ({"id": "no uuid"}, "it could not be saved; the log says why (ValueError)"),
    ],
)
def test_a_bad_edit_is_named_and_stops_no_other(editor: Any, show: Show, wrong: dict[str, Any], reason: str) -> None:
    first, bad, last = make_shows(3)
    rows = [edit(first, {"tags": ["x"]}), {**edit(bad, {"tags": ["x"]}), **wrong}, edit(last, {"tags": ["x"]})]

    batch = submit(made(editor, rows))

    assert batch.failures == [[rows[1]["id"], bad.name, reason]]
    assert batch.counts == {"changed": 2, "unchanged": 0, "failed": 1}
    assert sorted(Show.objects.filter(changes__isnull=False).values_list("name", flat=True)) == [first.name, last.name]


def test_a_failure_in_a_file_is_told_by_its_line(editor: Any) -> None:
    batch = submit(made(editor, [{**edit(None, {"name": "A", "imdb_id": "x"}), "line": 12}]))

    assert batch.failures[0][:2] == ["12", "A"]


def test_nothing_of_an_edit_stays_when_its_last_part_fails(editor: Any, show: Show, author: Author) -> None:
    lock_show(show.pk, ["tmdb_id"], author)
    Show.objects.filter(pk=show.pk).update(upstream_values={"tmdb_id": 9})
    Show.objects.create(name="Has it", tmdb_id=9)

    batch = submit(made(editor, [edit(show, {"override": "Y"}, unlock=["tmdb_id"])]))

    show.refresh_from_db()
    assert (show.override, show.locked_fields, batch.counts["failed"]) == ("", ["tmdb_id"], 1)
    assert not batch.changes.exists()


def test_a_deleted_show_is_left_in_the_trash(editor: Any, show: Show, author: Author) -> None:
    batch = made(editor, [edit(show, {"override": "Y"})])
    delete_show(show.pk, author)

    assert submit(batch).failures[0][2] == "it has been deleted"


def test_500_edits_are_made_at_once(editor: Any) -> None:
    batch = submit(made(editor, [edit(show, {"override": "Y"}) for show in make_shows(500)]))

    assert (batch.status, batch.counts["changed"]) == ("done", 500)
    assert Show.objects.filter(override="Y").count() == 500
    assert not OrmQ.objects.exists()


def test_501_edits_wait_for_the_worker(editor: Any, django_capture_on_commit_callbacks: Any) -> None:
    show = Show.objects.create(name="A")

    with django_capture_on_commit_callbacks(execute=True):
        batch = submit(made(editor, [edit(show, {"override": "Y"})] * 501))

    assert (batch.status, batch.done, OrmQ.objects.count()) == ("queued", 0, 1)
    assert not Change.objects.exists()


def test_submitting_twice_applies_and_queues_once(
    editor: Any, show: Show, django_capture_on_commit_callbacks: Any
) -> None:
    short, long = made(editor, [edit(None, {"name": "New"})]), made(editor, [edit(show, {"override": "Y"})] * 501)

    with django_capture_on_commit_callbacks(execute=True):
        for batch in (short, short, long, long):
            submit(batch)

    assert Show.objects.filter(name="New").count() == 1
    assert OrmQ.objects.count() == 1


def test_a_batch_that_is_done_is_not_applied_again(editor: Any) -> None:
    batch = submit(made(editor, [edit(None, {"name": "New"})]))

    apply(batch)

    assert Show.objects.count() == 1
    assert batch.counts["changed"] == 1


class Killed(BaseException):
    pass


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException | None = None) -> None:
    """The worker dies at its edit of this number, after it has written and before it commits."""
    honest = batches.Progress.save_after
    calls = iter(range(1, 10_000))

    def save_after(self: Any, outcome: str) -> None:
        honest(self, outcome)
        if next(calls) == number:
            raise error or Killed

    monkeypatch.setattr(batches.Progress, "save_after", save_after)


def test_killed_in_the_middle_it_goes_on_and_doubles_nothing(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old = make_shows(3)
    rows = [
        edit(None, {"name": "New 1"}),
        edit(old[0], {"name": ""}),  # fails
        edit(old[1], {"name": old[1].name}),  # unchanged
        edit(old[2], {"override": "Y"}),
        edit(None, {"name": "New 2"}),  # killed here
        edit(None, {"name": "New 3"}),
    ]
    batch = start(made(editor, rows))
    with monkeypatch.context() as patch:
        killed_at(patch, 3)
        with pytest.raises(Killed):
            apply(batch)
    batch.refresh_from_db()
    assert (batch.status, batch.done, len(batch.failures)) == ("running", 4, 1)

    apply(batch)

    assert (batch.status, batch.done) == ("failed", 6)
    assert batch.counts == {"changed": 4, "unchanged": 1, "failed": 1}
    assert [name for _, name, _ in batch.failures] == [old[0].name]
    assert sorted(Show.objects.filter(name__startswith="New").values_list("name", flat=True)) == [
        "New 1",
        "New 2",
        "New 3",
    ]
    assert batch.changes.count() == 4


def test_an_interrupted_batch_of_the_browser_goes_on_in_the_worker(
    editor: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    batch = made(editor, [edit(None, {"name": f"New {number}"}) for number in range(3)])

    with monkeypatch.context() as patch, django_capture_on_commit_callbacks(execute=True):
        killed_at(patch, 2, OperationalError("database is locked"))
        submit(batch)

    assert (batch.status, batch.done, OrmQ.objects.count()) == ("running", 1, 1)
    apply(batch)
    assert (batch.status, Show.objects.count()) == ("done", 3)


def test_a_commit_that_fails_is_a_failure_of_that_row_alone(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = start(made(editor, [edit(None, {"name": f"New {number}"}) for number in range(3)]))
    killed_at(monkeypatch, 2, IntegrityError("a foreign key"))

    apply(batch)

    assert batch.counts == {"changed": 2, "unchanged": 0, "failed": 1}
    assert batch.failures == [["", "New 1", "it could not be saved; the log says why (IntegrityError)"]]
    assert Show.objects.count() == 2


def test_two_workers_never_make_one_edit_twice(editor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = start(made(editor, [edit(None, {"name": f"New {number}"}) for number in range(4)]))
    honest = batches.Progress.add
    calls = iter(range(10))

    def interrupted(self: Any, *outcome: Any) -> None:
        honest(self, *outcome)
        if next(calls) == 1:  # after its second edit the first worker is held up, and another one does the rest
            apply(Batch.objects.get(pk=batch.pk))

    monkeypatch.setattr(batches.Progress, "add", interrupted)
    apply(batch)

    assert sorted(Show.objects.values_list("name", flat=True)) == [f"New {number}" for number in range(4)]
    assert (batch.status, batch.done, batch.counts["changed"]) == ("done", 4, 4)


def test_progress_is_saved_while_nothing_changes(editor: Any, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = start(made(editor, [edit(show, {"name": ""})] * 120))
    seen: list[tuple[int, int]] = []
    honest = batches.Progress.save

    def save(self: Any, **more: Any) -> None:
        honest(self, **more)
        row = Batch.objects.get(pk=batch.pk)
        seen.append((row.done, len(row.failures)))

    monkeypatch.setattr(batches.Progress, "save", save)
    apply(batch)

    assert seen == [(50, 50), (100, 100), (120, 120)]


def test_queueing_again_what_stands_still_is_one_more_task(
    editor: Any, show: Show, django_capture_on_commit_callbacks: Any
) -> None:
    batch = start(made(editor, [edit(show, {"override": "Y"})]))

    with django_capture_on_commit_callbacks(execute=True):
        queue(batch)

    assert OrmQ.objects.count() == 1
    assert "catalog.tasks.apply_batch" in str(OrmQ.objects.get().task)
