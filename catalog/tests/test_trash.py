import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from catalog.changes import Author
from catalog.edits import create_show, edit_show
from catalog.models import Change, Network, Show, ShowNetwork
from catalog.trash import comment_on_show, delete_show, restore_show


def test_a_deleted_show_is_in_no_list_but_keeps_its_row_and_what_hangs_on_it(
    show: Show, author: Author, make_network: Callable[..., Network]
) -> None:
    ShowNetwork.objects.create(show=show, network=make_network(74), position=0)

    change = delete_show(show.pk, author)

    assert not Show.objects.exists()
    assert Show.all_objects.get().deleted_at is not None
    assert ShowNetwork.objects.count() == 1
    assert change.kind == "deleted"
    assert change.fields["imdb_id"] == ["tt2342499", None]


def test_a_restored_show_is_as_it_was_and_created_anew_to_those_who_follow(show: Show, author: Author) -> None:
    before = Show.objects.values().get()
    delete_show(show.pk, author)

    change = restore_show(show.pk, author)

    after = Show.objects.values().get()
    assert {name for name in before if before[name] != after[name]} == {"updated_at"}
    assert change is not None
    assert (change.kind, change.fields["name"]) == ("created", [None, "Below Deck"])
    assert restore_show(show.pk, author) is None


def test_nothing_is_done_to_a_show_in_the_trash(show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    for act in (
        lambda: edit_show(show.pk, {"name": "A"}, author),
        lambda: delete_show(show.pk, author),
        lambda: comment_on_show(show.pk, "Why?", author),
        lambda: restore_show(uuid.uuid4(), author),
    ):
        with pytest.raises(Show.DoesNotExist):
            act()
    assert Change.objects.count() == 1


def test_the_ids_of_a_show_in_the_trash_stay_its_own(show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    with pytest.raises(ValidationError) as refusal:
        create_show({"name": "Again", "tmdb_id": 55555}, author)

    assert refusal.value.message_dict == {"tmdb_id": ["TMDb id 55555 is already that of Below Deck in the trash."]}


def test_a_merged_show_is_not_restored_but_unmerged(show: Show, author: Author) -> None:
    other = Show.objects.create(name="Other")
    Show.objects.filter(pk=show.pk).update(merged_into=other, deleted_at=datetime(2026, 1, 2, tzinfo=UTC))

    with pytest.raises(ValidationError, match="undo the merge"):
        restore_show(show.pk, author)


def test_the_database_knows_no_merged_show_that_lives(show: Show) -> None:
    other = Show.objects.create(name="Other")

    with pytest.raises(IntegrityError, match="merged_show_is_deleted"), transaction.atomic():
        Show.objects.filter(pk=show.pk).update(merged_into=other)


def test_a_comment_stands_in_the_history_and_changes_nothing(show: Show, author: Author) -> None:
    before = Show.objects.values().get()

    change = comment_on_show(show.pk, "  Ask Bravo about season 3. ", author)

    assert (change.kind, change.reason, change.fields) == ("commented", "Ask Bravo about season 3.", {})
    assert Show.objects.values().get() == before
    with pytest.raises(ValidationError):
        comment_on_show(show.pk, " ", author)
