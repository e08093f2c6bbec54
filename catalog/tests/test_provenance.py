from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from catalog.changes import Author
from catalog.edits import edit_show, lock_show, unlock_show
from catalog.locks import LOCKABLE
from catalog.models import Change, Show
from catalog.provenance import Provenance, provenance, source_of, telling_changes

pytestmark = pytest.mark.django_db

CHECKED = {"tmdb": datetime(2026, 1, 5, tzinfo=UTC), "imdb": datetime(2026, 1, 3, tzinfo=UTC)}


def told(show: Show, checked: dict[str, datetime] | None = None) -> dict[str, Provenance]:
    fresh = Show.objects.get(pk=show.pk)
    return provenance(fresh, checked or {}, telling_changes(fresh))


def test_every_field_that_can_be_locked_has_a_provenance(show: Show) -> None:
    assert set(told(show)) >= LOCKABLE


def test_an_unlocked_field_is_its_sources_of_the_day_it_was_last_asked(show: Show) -> None:
    found = told(show, CHECKED)

    assert found["name"] == Provenance("tmdb", CHECKED["tmdb"])
    assert found["imdb_title"] == Provenance("imdb", CHECKED["imdb"])
    assert found["networks"] == Provenance("tmdb", CHECKED["tmdb"])
    assert told(show)["name"].since == show.tmdb_fetched_at


def test_an_edited_field_names_its_editor_the_time_and_the_reason(show: Show, editor: Any) -> None:
    change = edit_show(show.pk, {"name": "Mine"}, Author(user=editor, reason="the network's spelling"))

    found = told(show, CHECKED)["name"]

    assert change is not None
    assert (found.source, found.since) == ("editor", change.ts)
    assert found.set_by is not None
    assert (found.set_by.who, found.set_by.why) == ("editor", "the network's spelling")
    assert found.locked_by == found.set_by


def test_the_first_lock_and_the_last_edit_are_told_apart(
    show: Show, author: Author, editor: Any, django_user_model: Any
) -> None:
    anna = Author(user=django_user_model.objects.create_user("anna"), reason="first")
    edit_show(show.pk, {"name": "Mine"}, anna)
    edit_show(show.pk, {"name": "Better"}, author)

    found = told(show)["name"]

    assert found.set_by is not None
    assert found.locked_by is not None
    assert (found.set_by.who, found.locked_by.who) == ("editor", "anna")


def test_a_field_that_was_locked_as_it_stood_is_its_lockers(show: Show, author: Author) -> None:
    Change.objects.create(show=show, kind="updated", run_id=3, fields={"description": ["a", "b"]})
    lock_show(show.pk, ["description"], author)

    found = told(show)["description"]

    assert found.source == "editor"
    assert found.set_by is not None
    assert found.set_by.who == "editor"


def test_an_unlocked_field_forgets_its_editor(show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine"}, author)
    unlock_show(show.pk, ["name"], author)

    assert told(show, CHECKED)["name"] == Provenance("tmdb", CHECKED["tmdb"])


def test_an_id_is_a_match_of_the_run_that_found_it_and_not_upstreams_word(show: Show) -> None:
    Change.objects.create(show=show, kind="created", run_id=7, fields={"tmdb_id": [None, 55555]})

    found = told(show, CHECKED)

    assert (found["tmdb_id"].source, found["tmdb_id"].since) == ("run", Change.objects.get().ts)
    assert found["tmdb_id"].set_by is not None
    assert found["tmdb_id"].set_by.who == "run 7"
    assert found["imdb_id"] == Provenance()


def test_what_people_alone_write_names_them_without_a_lock(show: Show, author: Author) -> None:
    edit_show(show.pk, {"tags": ["new"]}, author)

    found = told(show, CHECKED)["tags"]

    assert (found.source, found.locked_by) == ("editor", None)
    assert told(show, CHECKED)["listed_on"] == Provenance()


def test_a_show_that_no_source_was_asked_about_tells_who_imported_it(db: None) -> None:
    show = Show.objects.create(name="New")
    Change.objects.create(show=show, kind="created", run_id=2, fields={"name": [None, "New"]})

    assert told(show)["name"].source == "run"


def test_a_lock_of_which_nothing_is_known_is_still_an_editors(show: Show) -> None:
    Show.objects.update(locked_fields=["name"])

    assert told(show)["name"] == Provenance("editor")


def test_comments_and_votes_say_nothing_about_a_field(show: Show, editor: Any) -> None:
    Change.objects.create(show=show, kind="commented", user=editor, reason="hm", fields={})
    Change.objects.create(show=show, kind="updated", run_id=1, volatile=True, fields={"tmdb_vote_count": [1, 2]})

    assert telling_changes(show) == []


@pytest.mark.parametrize("number", [1, 100])
def test_it_costs_one_query_however_long_the_history(
    show: Show, author: Author, number: int, django_assert_num_queries: Any
) -> None:
    for index in range(number):
        edit_show(show.pk, {"name": f"Name {index}"}, author)
    fresh = Show.objects.get()

    with django_assert_num_queries(1):
        found = provenance(fresh, CHECKED, telling_changes(fresh))

    assert found["name"].set_by is not None
    assert found["name"].set_by.at == Change.objects.order_by("-id")[0].ts


def test_a_change_of_a_form_from_elsewhere_breaks_nothing(show: Show, editor: Any) -> None:
    Change.objects.create(show=show, kind="updated", user=editor, fields={"locked_fields": [["name"], []], "name": 3})
    Show.objects.update(locked_fields=["name"])

    assert told(show)["name"].source == "editor"


@pytest.mark.parametrize(
    ("name", "source"),
    [("name", "tmdb"), ("imdb_rating_value", "imdb"), ("most_recent_episode_imdb_id", "imdb"), ("genres", "tmdb")],
)
def test_each_field_follows_one_source(name: str, source: str) -> None:
    assert source_of(name) == source


def test_the_age_of_a_source_is_the_newer_word_of_the_app_that_asked_it(show: Show) -> None:
    later = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(days=9)

    assert told(show, {"tmdb": later})["name"].since == later
