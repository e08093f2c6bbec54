"""What an editor had seen against what the row has become."""

import pytest

from catalog.changes import Author, change_of, save_changes
from catalog.edits import ChangedMeanwhile, edit_show, unlock_show, version_of, version_subquery
from catalog.models import Change, Show
from catalog.models.change import Kind
from catalog.trash import comment_on_show


@pytest.fixture
def colleague(django_user_model: type) -> Author:
    return Author(user=django_user_model.objects.create_user("anna"))


def sync(show: Show, **fields: list[object]) -> None:
    save_changes([change_of(show.pk, Kind.UPDATED, fields, Author(run_id=7))])


def test_an_edit_of_a_row_that_nobody_touched_goes_through(show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "A"}, author, version=0)

    assert edit_show(show.pk, {"name": "B"}, author, version=version_of(show.pk), whole_row=True) is not None


def test_an_edit_of_a_field_that_a_colleague_changed_is_refused_with_the_change(
    show: Show, author: Author, colleague: Author
) -> None:
    version = version_of(show.pk)
    theirs = edit_show(show.pk, {"name": "Anna's"}, colleague)

    with pytest.raises(ChangedMeanwhile) as refusal:
        edit_show(show.pk, {"name": "Mine"}, author, version=version)

    assert refusal.value.changes == [theirs]
    show.refresh_from_db()
    assert (show.name, Change.objects.count()) == ("Anna's", 1)


def test_a_colleagues_edit_of_another_field_refuses_only_a_whole_row(
    show: Show, author: Author, colleague: Author
) -> None:
    edit_show(show.pk, {"tags": ["x"]}, colleague)

    with pytest.raises(ChangedMeanwhile):
        edit_show(show.pk, {"override": "SKIP"}, author, version=0, whole_row=True)
    assert edit_show(show.pk, {"override": "SKIP"}, author, version=0) is not None


def test_my_own_edit_in_another_window_counts_too(show: Show, author: Author) -> None:
    edit_show(show.pk, {"tags": ["x"]}, author)

    with pytest.raises(ChangedMeanwhile):
        edit_show(show.pk, {"override": "SKIP"}, author, version=0, whole_row=True)


def test_a_sync_refuses_only_what_it_wrote_itself(show: Show, author: Author) -> None:
    sync(show, show_total_seasons=[1, 2])

    assert edit_show(show.pk, {"override": "SKIP"}, author, version=0, whole_row=True) is not None
    with pytest.raises(ChangedMeanwhile):
        edit_show(show.pk, {"show_total_seasons": 9}, author, version=0)


def test_votes_and_comments_make_no_version(show: Show, author: Author) -> None:
    sync(show, tmdb_vote_count=[1, 2])
    comment_on_show(show.pk, "Look at this.", author)

    assert version_of(show.pk) == 0
    assert edit_show(show.pk, {"tmdb_vote_count": 3}, author, version=0) is not None


def test_unlocking_makes_a_new_version(show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "A"}, author)
    version = version_of(show.pk)
    unlock_show(show.pk, ["name"], author)

    with pytest.raises(ChangedMeanwhile):
        edit_show(show.pk, {"name": "B"}, author, version=version)


def test_a_list_brings_the_version_of_every_row_in_its_one_query(
    show: Show, author: Author, django_assert_num_queries: object
) -> None:
    other = Show.objects.create(name="Other")
    edit_show(show.pk, {"name": "A"}, author)

    with django_assert_num_queries(1):  # type: ignore[operator]
        versions = dict(Show.objects.annotate(version=version_subquery()).values_list("pk", "version"))

    assert versions == {show.pk: version_of(show.pk), other.pk: None}
