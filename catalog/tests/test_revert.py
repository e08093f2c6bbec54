import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django_q.models import OrmQ
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import revert as reverts
from catalog import revert_scope
from catalog.changes import Author, change_of, save_changes
from catalog.edits import create_show, decide_no_match, edit_show, field_change, lock_show, unlock_show, version_of
from catalog.links import linked_ids
from catalog.merging import merge_shows
from catalog.models import (
    Batch,
    Change,
    Network,
    PastWatchProvider,
    Show,
    ShowNetwork,
    ShowWatchProvider,
    WatchProvider,
)
from catalog.models.change import Kind
from catalog.revert import changes_of, revert, undo_merge
from catalog.revert_fields import InTheWay, undone
from catalog.revert_plan import plan_revert
from catalog.tasks import apply_revert
from catalog.trash import comment_on_show, delete_show, restore_show

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STATE = ("locked_fields", "upstream_values", "deleted_at", "name", "description", "premiere_date", "genres", "tags")


def of(change: Change | None) -> dict[str, Any]:
    assert change is not None
    return {"change": change.pk}


def by_run(show: Show, fields: dict[str, Any], run_id: int = 7, kind: Kind = Kind.UPDATED) -> Change:
    """A change as a sync leaves it; its columns are set too."""
    columns = {name: change[1] for name, change in fields.items() if isinstance(change, list)}
    Show.all_objects.filter(pk=show.pk).update(**columns)
    change = change_of(show.pk, kind, fields, Author(run_id=run_id))
    save_changes([change])
    return change


def state(show: Show, *names: str) -> dict[str, Any]:
    row = Show.all_objects.filter(pk=show.pk).values(*(names or STATE)).get()
    if "deleted_at" in row:
        row["deleted_at"] = row["deleted_at"] is not None
    return row


# --- one change


def test_a_reverted_edit_is_undone_with_its_lock_and_leaves_a_change_of_its_batch(show: Show, author: Author) -> None:
    before = state(show)
    edit = edit_show(show.pk, {"name": "Mine", "premiere_date": date(2013, 7, 1), "genres": ["Drama"]}, author)

    batch = revert(of(edit), Author(user=author.user, reason="a slip"), lock=False)

    assert state(show) == before
    assert (batch.kind, batch.status, batch.counts) == ("revert", "done", {"changed": 1, "unchanged": 0, "failed": 0})
    assert (batch.plan["of"], batch.reason, batch.failures) == ({"change": edit.pk}, "a slip", [])
    change = batch.changes.get()
    assert (change.kind, change.user, change.reason) == ("updated", author.user, "a slip")
    assert change.fields == {
        "name": ["Mine", "Below Deck"],
        "premiere_date": ["2013-07-01", None],
        "genres": {"added": ["Reality"], "removed": ["Drama"], "at": [0]},
        "locked_fields": {"added": [], "removed": ["name", "premiere_date", "genres"]},
    }
    show.refresh_from_db()
    assert show.name_key == "below deck"


def test_a_lock_that_is_opened_brings_what_upstream_says_by_now(show: Show, author: Author) -> None:
    edit = edit_show(show.pk, {"name": "Mine"}, author)
    Show.objects.update(upstream_values={"name": "Theirs"})  # as a later sync keeps it

    revert(of(edit), author, lock=False)

    assert state(show, "name", "locked_fields", "upstream_values") == {
        "name": "Theirs",
        "locked_fields": [],
        "upstream_values": {},
    }


def test_a_reverted_unlock_closes_the_lock_on_the_value_again(show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine", "genres": ["Drama"]}, author)
    before = state(show)
    unlock = unlock_show(show.pk, ["name", "genres"], author)

    revert(of(unlock), author, lock=False)

    assert state(show) == before


def test_a_reverted_lock_opens_and_a_reverted_decision_puts_the_show_back_into_its_queue(author: Author) -> None:
    show = create_show({"name": "Local"}, author)
    Show.objects.update(needs_tmdb_resolution=True)
    lock, decision = lock_show(show.pk, ["description"], author), decide_no_match(show.pk, author)

    revert(of(lock), author, lock=False)
    revert(of(decision), author, lock=False)

    assert state(show, "locked_fields", "needs_tmdb_resolution") == {
        "locked_fields": ["name"],
        "needs_tmdb_resolution": True,
    }


def test_a_newer_edit_stands_in_the_way_of_its_field_alone_and_is_named(show: Show, author: Author) -> None:
    edit = edit_show(show.pk, {"name": "One", "description": "One", "genres": ["Drama"]}, author)
    newer = edit_show(show.pk, {"name": "Two", "genres": ["Drama", "News"]}, author)

    plan = plan_revert(changes_of(of(edit)))
    batch = revert(of(edit), author, lock=False)

    found = {conflict.field: conflict for conflict in plan.conflicts}
    assert found.keys() == {"name", "genres"}
    assert found["name"].change == newer
    assert found["name"].reason.startswith("editor changed Name to Two at ")
    assert state(show, "name", "description", "genres", "locked_fields") == {
        "name": "Two",
        "description": "From\nTMDb.",
        "genres": ["Reality", "News"],  # the member that was taken out is back, the newer one stays
        "locked_fields": ["name", "genres"],  # or the next sync would take the newer edits away
    }
    assert batch.counts["changed"] == 1
    [(show_id, name, reason)] = batch.failures
    assert (show_id, name) == (str(show.pk), "Two")
    assert "Name to Two" in reason
    assert "Genres stays locked" in reason


def test_a_newer_edit_of_a_field_that_was_locked_as_it_stood_keeps_the_lock(show: Show, author: Author) -> None:
    lock = lock_show(show.pk, ["name"], author)
    edit_show(show.pk, {"name": "Mine"}, author)

    batch = revert(of(lock), author, lock=False)

    assert state(show, "name", "locked_fields") == {"name": "Mine", "locked_fields": ["name"]}
    assert (batch.status, batch.counts) == ("failed", {"changed": 0, "unchanged": 0, "failed": 1})
    assert not batch.changes.exists()


def test_a_value_that_somebody_has_set_back_already_is_no_conflict_but_keeps_that_ones_lock(
    show: Show, author: Author
) -> None:
    edit = edit_show(show.pk, {"tags": ["a"], "override": "SKIP"}, author)
    edit_show(show.pk, {"tags": [], "override": ""}, author)

    plan = plan_revert(changes_of(of(edit)))

    assert plan.changed == 0
    assert [conflict.reason.split(":")[0] for conflict in plan.conflicts] == ["Override stays locked"]


def test_a_value_that_somebody_has_set_anew_stays_although_it_is_what_the_change_left(
    show: Show, author: Author
) -> None:
    run = by_run(show, {"description": ["A", "B"]})
    edit_show(show.pk, {"description": "C"}, author)
    newer = edit_show(show.pk, {"description": "B"}, author)
    tags = edit_show(show.pk, {"tags": ["a", "b"]}, author)
    edit_show(show.pk, {"tags": ["b"]}, author)
    again = edit_show(show.pk, {"tags": ["b", "a"]}, author)

    [conflict] = plan_revert(changes_of(of(run))).conflicts
    [member] = plan_revert(changes_of(of(tags))).conflicts
    revert(of(run), author, lock=False)
    revert(of(tags), author, lock=False)

    assert (conflict.field, conflict.change) == ("description", newer)
    assert (member.field, member.change) == ("tags", again)
    assert state(show, "description", "tags", "locked_fields") == {
        "description": "B",
        "tags": ["a"],  # the one on which nobody has decided since goes
        "locked_fields": ["description"],
    }


def test_edits_are_reverted_one_after_the_other_the_newest_first(show: Show, author: Author) -> None:
    before = state(show)
    edits = [edit_show(show.pk, {"name": name, "genres": [name]}, author) for name in ("One", "Two", "Three")]

    for edit in reversed(edits):
        assert revert(of(edit), author, lock=False).failures == []

    assert state(show) == before


def test_what_a_revert_has_locked_stays(show: Show, author: Author) -> None:
    first, second = by_run(show, {"name": ["A", "B"]}), by_run(show, {"name": ["B", "C"]}, run_id=8)
    kept = revert(of(second), author, lock=True)

    [conflict] = plan_revert(changes_of(of(first))).conflicts

    assert conflict.change == kept.changes.get()
    assert revert(of(first), author, lock=False).counts["changed"] == 0
    assert state(show, "name", "locked_fields") == {"name": "B", "locked_fields": ["name"]}


@pytest.mark.parametrize(("name", "values"), [("name", ["Old", "New"]), ("tmdb_id", [1, 777001])])
def test_what_a_person_has_locked_as_it_stands_stays(show: Show, author: Author, name: str, values: list[Any]) -> None:
    flags = {"needs_tmdb_resolution": [True, False]} if name == "tmdb_id" else {}
    run = by_run(show, {name: values, **flags})
    lock = lock_show(show.pk, [name], author)

    [conflict] = plan_revert(changes_of(of(run))).conflicts
    revert(of(run), author, lock=False)

    assert (conflict.field, conflict.change) == (name, lock)
    assert conflict.reason.startswith("editor locked ")
    assert conflict.reason.endswith(" UTC: it stays.")
    assert state(show, name, "needs_tmdb_resolution") == {name: values[1], "needs_tmdb_resolution": False}
    unlock_show(show.pk, [name], author)
    Show.objects.filter(pk=show.pk).update(**{name: values[1]})
    assert plan_revert(changes_of(of(run))).conflicts == []


def test_a_show_goes_back_to_before_a_change_with_all_that_happened_since(show: Show, author: Author) -> None:
    edit_show(show.pk, {"tags": ["kept"]}, author)
    before = state(show)
    first = edit_show(show.pk, {"name": "One", "tags": []}, author)
    by_run(show, {"description": ["From\nTMDb.", "New"], "tmdb_vote_count": [None, 3]})
    edit_show(show.pk, {"name": "Two", "genres": ["Drama"]}, author)
    unlock_show(show.pk, ["name"], author)
    delete_show(show.pk, author)
    restore_show(show.pk, author)
    comment_on_show(show.pk, "Hm.", author)
    other = Show.objects.create(name="Other")
    edit_show(other.pk, {"name": "Another"}, author)
    assert first is not None

    plan = plan_revert(changes_of({"since": first.pk}))
    batch = revert({"since": first.pk}, author, lock=False)

    assert (plan.total, plan.conflicts, batch.failures) == (1, [], [])
    assert state(show) == before
    assert state(other, "name") == {"name": "Another"}


def test_a_batch_that_is_still_going_on_is_not_reverted(show: Show, author: Author) -> None:
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user, status="running", done=1, total=3)
    edit_show(show.pk, {"name": "Mine"}, Author(user=author.user, batch_id=batch.pk))

    for status in ("queued", "running"):
        Batch.objects.filter(pk=batch.pk).update(status=status)
        with pytest.raises(ValidationError, match="still going on: 1 of 3 shows are done"):
            revert({"batch": batch.pk}, author, lock=False)

    assert state(show, "name") == {"name": "Mine"}


def test_a_run_of_which_somebody_knows_that_it_goes_on_is_not_reverted(
    show: Show, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_run(show, {"name": ["Old", "New"]})
    monkeypatch.setattr(revert_scope, "is_running", [lambda run_id: run_id == 7])

    with pytest.raises(ValidationError, match="Run 7 is still going on"):
        revert({"run": 7}, author, lock=False)
    assert state(show, "name") == {"name": "New"}


def test_reverting_twice_changes_nothing_more(show: Show, author: Author) -> None:
    edit = edit_show(show.pk, {"name": "Mine", "tags": ["a"]}, author)
    revert(of(edit), author, lock=False)
    before, changes = state(show), Change.objects.count()

    batch = revert(of(edit), author, lock=False)

    assert batch.counts == {"changed": 0, "unchanged": 1, "failed": 0}
    assert (state(show), Change.objects.count()) == (before, changes)


def test_a_change_of_order_goes_back_as_a_whole(show: Show, author: Author) -> None:
    edit_show(show.pk, {"tags": ["a", "b", "c"]}, author)
    order = edit_show(show.pk, {"tags": ["c", "a", "b"]}, author)

    revert(of(order), author, lock=False)

    assert state(show, "tags") == {"tags": ["a", "b", "c"]}


def test_an_id_that_another_show_has_meanwhile_stays_there_and_so_does_the_decision(show: Show, author: Author) -> None:
    Show.objects.update(needs_tmdb_resolution=True)
    edit = edit_show(show.pk, {"tmdb_id": 1, "name": "Mine"}, author)
    Show.objects.create(name="Other", tmdb_id=55555)

    batch = revert(of(edit), author, lock=False)

    assert state(show, "tmdb_id", "needs_tmdb_resolution", "name", "locked_fields") == {
        "tmdb_id": 1,
        "needs_tmdb_resolution": False,
        "name": "Below Deck",
        "locked_fields": ["tmdb_id"],
    }
    assert "TMDb id 55555 is that of Other now: it stays." in batch.failures[0][2]


def test_an_id_that_one_batch_moved_from_one_show_to_another_goes_back(show: Show, author: Author) -> None:
    other = Show.objects.create(name="Other")
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    by = Author(user=author.user, batch_id=batch.pk)
    edit_show(show.pk, {"tmdb_id": None}, by)
    edit_show(other.pk, {"tmdb_id": 55555}, by)

    plan = plan_revert(changes_of({"batch": batch.pk}))
    done = revert({"batch": batch.pk}, author, lock=False)

    assert (plan.changed, plan.conflicts) == (2, [])
    assert done.counts["changed"] == 2
    assert dict(Show.objects.values_list("name", "tmdb_id")) == {"Below Deck": 55555, "Other": None}


def test_what_can_not_be_valid_any_more_fails_in_words_and_saves_nothing(show: Show, author: Author) -> None:
    change = by_run(show, {"override": ["", "Y"], "description": ["old", "new"]})
    Change.objects.filter(pk=change.pk).update(fields={"override": ["maybe", "Y"], "description": ["old", "new"]})

    batch = revert(of(change), author, lock=False)

    assert state(show, "override", "description") == {"override": "Y", "description": "new"}
    assert (batch.status, batch.failures) == (
        "failed",
        [[str(show.pk), "Below Deck", "Override: Empty, SKIP, Y, or a minimum number of episodes."]],
    )


def test_what_is_no_field_of_a_show_is_told_and_stops_nothing(show: Show, author: Author) -> None:
    change = by_run(show, {"name": ["Old", "New"]})
    Change.objects.filter(pk=change.pk).update(fields={"name": ["Old", "New"], "mood": ["a", "b"]})

    assert plan_revert(changes_of(of(change))).notes == [("New", "mood: such a change can't be taken back here.")]
    revert(of(change), author, lock=False)
    assert state(show, "name") == {"name": "Old"}


def test_a_show_that_is_gone_for_good_and_changes_that_are_not_there_are_told(author: Author, show: Show) -> None:
    change = by_run(show, {"name": ["Old", "New"]})
    Show.all_objects.filter(pk=show.pk).delete()

    batch = revert(of(change), author, lock=False)

    assert batch.failures == [[str(show.pk), "New", "It is no longer in the database."]]
    with pytest.raises(ValidationError, match="nothing to revert"):
        revert({"run": 999}, author, lock=False)
    with pytest.raises(ValueError, match="a person"):
        revert(of(change), Author(run_id=1), lock=False)


# --- against the next sync


def test_with_a_lock_what_upstream_says_is_kept_beside_the_value(
    show: Show, author: Author, make_network: Callable[..., Network]
) -> None:
    for position, pk in enumerate((1, 2)):
        ShowNetwork.objects.create(show=show, network=make_network(pk), position=position)
    change = by_run(show, {"name": ["Old", "New"], "tmdb_popularity": [1.5, 2.5]})
    change.fields["networks"] = {"added": ["Bravo (2)"], "removed": []}
    change.fields["tags"] = {"added": [], "removed": ["ours"], "at": [0]}
    change.save()

    revert(of(change), author, lock=True)

    show.refresh_from_db()
    assert (show.name, linked_ids(show, "networks"), show.tags) == ("Old", [1], ["ours"])
    assert show.locked_fields == ["name", "tmdb_popularity", "networks"]
    assert show.upstream_values == {"name": "New", "tmdb_popularity": 2.5, "networks": [1, 2]}


def test_without_a_lock_nothing_is_locked(show: Show, author: Author) -> None:
    change = by_run(show, {"name": ["Old", "New"]})

    revert(of(change), author, lock=False)

    assert state(show, "name", "locked_fields", "upstream_values") == {
        "name": "Old",
        "locked_fields": [],
        "upstream_values": {},
    }


# --- networks and companies


def test_links_go_back_to_their_places_as_upstreams(
    show: Show, author: Author, make_network: Callable[..., Network]
) -> None:
    for position, pk in enumerate((1, 2, 3)):
        ShowNetwork.objects.create(show=show, network=make_network(pk, f"N {pk}"), position=position)
    before = list(ShowNetwork.objects.values_list("network_id", "position", "source"))
    edit = edit_show(show.pk, {"networks": [3, 1]}, author)
    Network.objects.filter(pk=2).update(name="Renamed")

    revert(of(edit), author, lock=False)

    assert list(ShowNetwork.objects.values_list("network_id", "position", "source")) == before
    assert state(show, "locked_fields", "upstream_values") == {"locked_fields": [], "upstream_values": {}}


def test_a_link_that_a_run_took_away_comes_back_as_upstreams_beside_an_editors(
    show: Show, author: Author, make_network: Callable[..., Network]
) -> None:
    make_network(1)
    ShowNetwork.objects.create(show=show, network=make_network(2), position=0, source="editor")
    change = by_run(show, {})
    Change.objects.filter(pk=change.pk).update(
        fields={"networks": {"added": [], "removed": ["Old name (1)"], "at": [0]}}
    )

    revert(of(change), author, lock=False)

    assert list(ShowNetwork.objects.values_list("network_id", "position", "source")) == [
        (1, 0, "tmdb"),
        (2, 1, "editor"),
    ]


def test_a_network_that_was_merged_into_another_stands_for_that_one(
    show: Show, author: Author, make_network: Callable[..., Network]
) -> None:
    make_network(1, merged_into=make_network(2))
    ShowNetwork.objects.create(show=show, network_id=2, position=0)
    change = by_run(show, {})
    Change.objects.filter(pk=change.pk).update(fields={"networks": {"added": ["Bravo (2)"], "removed": ["Bravo (1)"]}})

    assert revert(of(change), author, lock=False).counts["unchanged"] == 1
    assert linked_ids(show, "networks") == [2]


# --- where to watch


@pytest.fixture
def offers(show: Show) -> Change:
    """A run has ended the offer on provider 8 and brought the one on 9, and gave that on 10 another place."""
    for pk in (8, 9, 10):
        WatchProvider.objects.create(provider_id=pk, provider_name=f"P {pk}")
    seen = {"first_seen_at": NOW, "display_priority": 3, "link": "https://x"}
    place = {"show": show, "region": "US", "offer_type": "flatrate"}
    PastWatchProvider.objects.create(**place, provider_id=8, **seen, last_seen_at=NOW)
    PastWatchProvider.objects.create(**place, provider_id=8, **seen, last_seen_at=datetime(2099, 1, 1, tzinfo=UTC))
    for pk in (9, 10):
        ShowWatchProvider.objects.create(**place, provider_id=pk, **seen, fetched_at=NOW)
    change = by_run(show, {})
    change.fields = {
        "watch_providers": {
            "added": ["US flatrate P 9 (9)"],
            "removed": ["US flatrate Old name (8)"],
            "changed": ["US flatrate P 10 (10)"],
        }
    }
    change.save()
    return change


def offer_rows() -> list[tuple[Any, ...]]:
    rows = ShowWatchProvider.objects.order_by("provider_id")
    return list(rows.values_list("region", "offer_type", "provider_id", "first_seen_at", "display_priority", "link"))


def past_rows() -> list[tuple[Any, ...]]:
    return list(PastWatchProvider.objects.order_by("last_seen_at").values_list("provider_id", "last_seen_at"))


def test_offers_come_back_from_the_past_ones_and_those_that_were_added_go(author: Author, offers: Change) -> None:
    plan = plan_revert(changes_of(of(offers)))
    revert(of(offers), author, lock=False)

    assert plan.notes == [
        ("Below Deck", "Watch providers: 1 offer has got another link or place, and the old one is not kept.")
    ]
    assert offer_rows() == [("US", "flatrate", pk, NOW, 3, "https://x") for pk in (8, 10)]
    assert past_rows() == [(8, datetime(2099, 1, 1, tzinfo=UTC))]  # one that ended later is another


def test_a_reverted_revert_of_offers_brings_every_row_back(author: Author, offers: Change) -> None:
    before, past = offer_rows(), past_rows()
    first = revert(of(offers), author, lock=False)

    second = revert({"batch": first.pk}, author, lock=False)

    assert (offer_rows(), past_rows()) == (before, past)
    revert({"batch": second.pk}, author, lock=False)
    assert [row[2] for row in offer_rows()] == [8, 10]


def test_an_offer_of_which_no_record_is_left_stays_away_and_is_told(author: Author, offers: Change) -> None:
    PastWatchProvider.objects.all().delete()

    batch = revert(of(offers), author, lock=False)

    assert [row[2] for row in offer_rows()] == [10]
    assert batch.failures[0][2] == "No record is left of US flatrate Old name (8)."


# --- created, deleted, merged, commented


def test_a_created_show_goes_to_the_trash_and_comes_back_when_that_is_reverted(author: Author, db: None) -> None:
    create_show({"name": "Mine", "tmdb_id": 5}, author)
    show = Show.objects.get()
    before = state(show)

    batch = revert(of(Change.objects.get()), author, lock=False)

    assert not Show.objects.exists()
    assert batch.changes.get().kind == "deleted"
    revert({"batch": batch.pk}, author, lock=False)
    assert state(show) == before


def test_a_created_show_that_somebody_has_edited_since_stays(author: Author, db: None) -> None:
    create_show({"name": "Mine"}, author)
    created = Change.objects.get()
    edit_show(created.show_id, {"description": "Curated."}, author)

    batch = revert(of(created), author, lock=False)

    assert Show.objects.exists()
    assert "It stays: editor changed Description to Curated." in batch.failures[0][2]


def test_a_created_show_that_somebody_has_deleted_and_restored_or_merged_since_stays(author: Author, db: None) -> None:
    trashed, locked, target = (create_show({"name": name}, author).pk for name in ("Trashed", "Locked", "Target"))
    delete_show(trashed, author)
    restore_show(trashed, author)
    lock_show(locked, ["description"], author)
    twin = create_show({"name": "Twin"}, author)
    merge_shows(twin.pk, target, {}, Author(user=author.user, reason="the same"))

    for show_id, reason in (
        (trashed, "It stays: editor restored it at "),
        (locked, "It stays: editor locked Description at "),
        (target, "It stays: Twin was merged into it; undo that first."),
    ):
        creation = Change.objects.filter(show_id=show_id).earliest("pk")
        [conflict] = plan_revert(changes_of(of(creation))).conflicts
        assert conflict.reason.startswith(reason)
        assert revert(of(creation), author, lock=False).counts["changed"] == 0
        assert Show.objects.filter(pk=show_id).exists()


def test_a_comment_keeps_no_created_show(author: Author, db: None) -> None:
    show = create_show({"name": "Mine"}, author)
    comment_on_show(show.pk, "A mistake?", author)

    assert revert(of(Change.objects.get(kind="created")), author, lock=False).counts["changed"] == 1


def test_a_deleted_show_is_restored_and_a_merged_one_is_not(show: Show, author: Author) -> None:
    deletion = delete_show(show.pk, author)
    other = Show.objects.create(name="Other")

    revert(of(deletion), author, lock=False)
    assert Show.objects.filter(pk=show.pk).exists()

    Show.all_objects.filter(pk=show.pk).update(deleted_at=NOW, merged_into=other)
    batch = revert(of(deletion), author, lock=False)
    assert "merged into another show" in batch.failures[0][2]
    assert not Show.objects.filter(pk=show.pk).exists()


def test_a_change_of_a_show_in_the_trash_waits_for_its_restoration(show: Show, author: Author) -> None:
    edit = edit_show(show.pk, {"name": "Mine"}, author)
    deletion = delete_show(show.pk, author)

    [conflict] = plan_revert(changes_of(of(edit))).conflicts
    batch = revert(of(edit), author, lock=False)

    assert (conflict.change, conflict.reason) == (deletion, "It is in the trash: restore it first.")
    assert (batch.status, state(show, "name")) == ("failed", {"name": "Mine"})


def test_a_comment_has_nothing_to_revert(show: Show, author: Author) -> None:
    comment = comment_on_show(show.pk, "Look at this.", author)

    assert plan_revert(changes_of(of(comment))).changed == 0
    assert revert(of(comment), author, lock=False).counts["unchanged"] == 1


def test_a_merge_is_undone_as_a_whole_and_not_by_its_parts(show: Show, author: Author) -> None:
    other = Show.objects.create(name="Duplicate", description="Longer.")
    by = Author(user=author.user, reason="the same")
    merge = merge_shows(other.pk, show.pk, {"description": "source"}, by)
    before = Show.objects.get(pk=show.pk).description

    for change in merge.changes.all():
        [conflict] = plan_revert(changes_of(of(change))).conflicts
        assert "part of a merge" in conflict.reason
        assert revert(of(change), author, lock=False).counts["failed"] == 1
    undone_by = undo_merge(merge, by)

    assert before == "Longer."
    assert (undone_by.kind, Show.objects.count()) == ("revert", 2)
    assert state(show, "description") == {"description": "From\nTMDb."}
    assert plan_revert(changes_of({"batch": undone_by.pk})).changed == 0  # merging again is the way
    with pytest.raises(ValidationError):
        undo_merge(merge, by)


# --- many


def test_a_batch_of_many_shows_is_reverted_show_by_show_and_one_failure_stops_no_other(author: Author) -> None:
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    by = Author(user=author.user, batch_id=batch.pk)
    shows = [Show.objects.create(name=f"Show {number}") for number in range(4)]
    for show in shows:
        edit_show(show.pk, {"tags": ["bulk"], "name": f"{show.name}!"}, by)
    edit_show(shows[1].pk, {"name": "Newer"}, author)
    Show.all_objects.filter(pk=shows[2].pk).delete()

    done = revert({"batch": batch.pk}, author, lock=False)

    assert done.counts == {"changed": 3, "unchanged": 0, "failed": 1}
    assert (done.done, done.total, done.status) == (4, 4, "failed")
    assert {name for _, name, _ in done.failures} == {"Newer", "Show 2!"}
    assert dict(Show.objects.values_list("name", "locked_fields")) == {
        "Show 0": [],
        "Newer": ["name"],
        "Show 3": [],
    }
    assert not Show.objects.exclude(tags=[]).exists()


def test_changes_of_one_show_in_one_batch_are_taken_back_together(show: Show, author: Author) -> None:
    before = state(show)
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    by = Author(user=author.user, batch_id=batch.pk)
    edit_show(show.pk, {"name": "One", "genres": ["Reality", "Drama"]}, by)
    edit_show(show.pk, {"name": "Two", "genres": ["Drama", "Reality"]}, by)
    unlock_show(show.pk, ["name"], by)
    edit_show(show.pk, {"name": "Three"}, by)
    delete_show(show.pk, by)

    done = revert({"batch": batch.pk}, author, lock=False)

    assert state(show) == before
    assert list(done.changes.order_by("id").values_list("kind", flat=True)) == ["created", "updated"]
    revert({"batch": done.pk}, author, lock=False)
    assert state(show, "name", "deleted_at") == {"name": "Three", "deleted_at": True}


def test_many_shows_go_to_the_worker_which_may_run_twice(
    author: Author, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(reverts, "AT_ONCE", 2)
    for number in range(3):
        show = Show.objects.create(name=f"Show {number}")
        by_run(show, {"name": [f"Old {number}", show.name]})

    with django_capture_on_commit_callbacks(execute=True):
        batch = revert({"run": 7}, author, lock=False)

    assert (batch.status, batch.total, batch.done) == ("queued", 3, 0)
    [task] = OrmQ.objects.all()
    assert (task.task["func"], task.task["args"]) == ("catalog.tasks.apply_revert", (str(batch.pk),))
    assert apply_revert(str(batch.pk)) == {
        "status": "done",
        "done": 3,
        "total": 3,
        "changed": 3,
        "unchanged": 0,
        "failed": 0,
    }
    changes = Change.objects.count()
    Show.objects.update(name="Show 1", name_key="show 1")  # would be reverted again, were it done again
    apply_revert(str(batch.pk))
    assert Change.objects.count() == changes


def test_a_revert_that_was_killed_goes_on_where_it_stopped(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        by_run(Show.objects.create(name=f"Show {number}"), {"description": ["old", "new"]})
    real, calls = reverts.revert_show, []

    def killed(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(reverts, "revert_show", killed)
    with pytest.raises(KeyboardInterrupt):
        revert({"run": 7}, author, lock=False)
    batch = Batch.objects.get()
    assert (batch.status, batch.done) == ("running", 2)

    apply_revert(str(batch.pk))

    batch.refresh_from_db()
    assert (batch.status, batch.done, batch.counts["changed"], len(calls)) == ("done", 4, 4, 5)
    assert batch.changes.count() == 4


def test_what_somebody_changes_after_the_preview_is_seen_by_the_revert(show: Show, author: Author) -> None:
    change = by_run(show, {"name": ["Old", "New"], "description": ["old", "new"]})
    plan = plan_revert(changes_of(of(change)))
    edit_show(show.pk, {"name": "Newer"}, author)

    revert(of(change), author, lock=False)

    assert (plan.changed, plan.conflicts) == (1, [])
    assert state(show, "name", "description") == {"name": "Newer", "description": "old"}


def test_figures_that_have_moved_again_stay_and_are_counted_alone(show: Show, author: Author) -> None:
    change = by_run(show, {"tmdb_vote_count": [1, 2], "name": ["Old", "New"]})
    by_run(show, {"tmdb_vote_count": [2, 3]}, run_id=8)

    plan = plan_revert(changes_of(of(change)))
    batch = revert(of(change), author, lock=False)

    assert (plan.conflicts, plan.moved_figures) == ([], 1)
    assert (batch.status, batch.failures) == ("done", [])
    assert state(show, "tmdb_vote_count", "name") == {"tmdb_vote_count": 3, "name": "Old"}


def test_a_plan_of_many_shows_costs_few_queries_and_keeps_the_first_to_look_at(
    author: Author, make_network: Callable[..., Network], django_assert_max_num_queries: Any
) -> None:
    make_network(1)
    for number in range(150):
        show = Show.objects.create(name=f"Show {number}")
        ShowNetwork.objects.create(show=show, network_id=1, position=0)
        fields = {"name": ["Old", show.name], "networks": {"added": ["Bravo (1)"], "removed": []}}
        Change.objects.create(show=show, kind="updated", run_id=7, fields=fields)

    with django_assert_max_num_queries(12):  # two chunks
        plan = plan_revert(changes_of({"run": 7}))

    assert (plan.total, plan.changed, len(plan.shows)) == (150, 150, 100)


# --- nothing changed


def test_nothing_changed_means_no_history_row(show: Show, author: Author, make_network: Callable[..., Network]) -> None:
    ShowNetwork.objects.create(show=show, network=make_network(1), position=0)
    edit_show(show.pk, {"description": "Ours."}, author)
    Show.objects.update(needs_tmdb_resolution=False)
    show.refresh_from_db()
    decided = create_show({"name": "No match"}, author)
    decide_no_match(decided.pk, author)
    before, changes = Show.objects.order_by("pk").values(), Change.objects.count()
    rows = list(before)
    same = {name: getattr(show, name) for name in ("name", "description", "tmdb_id", "genres", "tags", "override")}

    assert edit_show(show.pk, same | {"networks": [1]}, author) is None
    assert edit_show(show.pk, same, author, version=version_of(show.pk), whole_row=True) is None
    assert lock_show(show.pk, ["description"], author) is None
    assert lock_show(show.pk, [], author) is None
    assert unlock_show(show.pk, ["name", "networks"], author) is None
    assert decide_no_match(decided.pk, author) is None
    assert restore_show(show.pk, author) is None
    with pytest.raises(ValidationError):
        comment_on_show(show.pk, "  ", author)
    with pytest.raises(ValidationError):
        create_show({"name": " "}, author)

    assert Change.objects.count() == changes
    assert list(Show.objects.order_by("pk").values()) == rows


def test_a_deleted_show_is_not_deleted_again(show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    with pytest.raises(Show.DoesNotExist):
        delete_show(show.pk, author)

    assert Change.objects.count() == 1


# --- whatever the edits

WORDS = st.lists(st.sampled_from("abcd"), unique=True)
EDITS = st.one_of(
    st.tuples(
        st.just("edit"),
        st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from(["One", "Two", "Below Deck"]),
                "description": st.sampled_from(["x", None]),
                "premiere_date": st.sampled_from([date(2013, 7, 1), None]),
                "tags": WORDS,
                "genres": WORDS,
                "networks": st.lists(st.sampled_from([1, 2, 3]), unique=True),
                "override": st.sampled_from(["", "Y", "3"]),
                "tmdb_id": st.sampled_from([55555, 2, None]),
            },
        ),
    ),
    st.tuples(st.sampled_from(["lock", "unlock"]), st.sets(st.sampled_from(["name", "genres", "networks", "tmdb_id"]))),
    st.tuples(st.sampled_from(["delete", "restore", "comment", "decide"]), st.none()),
)


def make(show: Show, kind: str, what: Any, author: Author) -> None:
    acts: dict[str, Callable[[], Any]] = {
        "edit": lambda: edit_show(show.pk, what, author),
        "lock": lambda: lock_show(show.pk, what, author),
        "unlock": lambda: unlock_show(show.pk, what, author),
        "delete": lambda: delete_show(show.pk, author),
        "restore": lambda: restore_show(show.pk, author),
        "comment": lambda: comment_on_show(show.pk, "Hm.", author),
        "decide": lambda: decide_no_match(show.pk, author),
    }
    if kind == "restore" or Show.objects.filter(pk=show.pk).exists():
        acts[kind]()


def whole(show: Show) -> dict[str, Any]:
    row = Show.all_objects.filter(pk=show.pk).values().get()
    row["deleted_at"] = row["deleted_at"] is not None
    row.pop("updated_at")
    return row | {"networks": linked_ids(show, "networks")}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(older=st.lists(EDITS, max_size=4), newer=st.lists(EDITS, min_size=1, max_size=6), synced=st.booleans())
def test_reverting_the_newest_edits_brings_back_what_was_before_and_reverting_that_what_was_after(
    author: Author, older: list[Any], newer: list[Any], synced: bool
) -> None:
    for pk in (1, 2, 3):
        Network.objects.get_or_create(id=pk, defaults={"name": f"N {pk}"})
    Show.all_objects.all().delete()
    show = Show.objects.create(name="Below Deck", genres=["a", "b"], tmdb_fetched_at=NOW if synced else None)
    for position, pk in enumerate((1, 2)):
        ShowNetwork.objects.create(show=show, network_id=pk, position=position)
    for edit in older:
        make(show, *edit, author)
    before = whole(show)
    batch = Batch.objects.create(kind=Batch.Kind.EDIT, user=author.user)
    by = Author(user=author.user, batch_id=batch.pk)
    for edit in newer:
        make(show, *edit, by)
    after = whole(show)

    if not batch.changes.exists():
        assert after == before
        return
    plan = plan_revert(changes_of({"batch": batch.pk}))
    first = revert({"batch": batch.pk}, author, lock=False)

    assert (plan.conflicts, first.failures) == ([], [])
    assert whole(show) == before
    if first.changes.exists():
        second = revert({"batch": first.pk}, author, lock=False)
        assert second.failures == []
        assert whole(show) == after


LISTS = st.lists(st.integers(0, 6), unique=True)


@given(before=LISTS, after=LISTS)
def test_a_change_of_a_set_is_taken_back_exactly(before: list[int], after: list[int]) -> None:
    if before != after:
        assert undone(after, field_change(before, after)) == before


def test_a_value_that_is_neither_what_was_left_nor_found_is_in_the_way() -> None:
    with pytest.raises(InTheWay):
        undone("c", ["a", "b"])
    assert undone("a", ["a", "b"]) == "a"


def test_members_that_newer_changes_brought_or_took_are_left_to_these() -> None:
    change = {"added": ["x", "y"], "removed": ["a", "b"], "at": [0, 2]}

    assert undone(["n", "y", "b"], change) == ["a", "n", "b"]


def test_a_batch_that_is_unknown_has_no_changes(db: None) -> None:
    assert not changes_of({"batch": uuid.uuid4()}).exists()
