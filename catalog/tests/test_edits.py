import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import edits
from catalog.changes import Author
from catalog.edits import create_show, decide_no_match, edit_show, unlock_show
from catalog.locks import UPSTREAM_FIELDS
from catalog.models import Change, Network, Show, ShowNetwork
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MATCHES = {"tmdb_id", "imdb_id", "most_recent_episode_imdb_id"}  # ours to make: never upstream's to take back


def last_change() -> Change:
    return Change.objects.latest("id")


def test_creating_locks_what_was_given_and_writes_one_change(author: Author) -> None:
    show = create_show({"name": " Summer House ", "tmdb_id": 7, "description": "", "tags": ["new"]}, author)

    show.refresh_from_db()
    assert (show.name, show.tmdb_id, show.description, show.tags) == ("Summer House", 7, None, ["new"])
    assert show.locked_fields == ["name", "tmdb_id"]
    assert show.upstream_values == {}
    change = Change.objects.get()
    assert (change.kind, change.user, change.show_id) == ("created", author.user, show.pk)
    assert change.fields == {
        "name": [None, "Summer House"],
        "tmdb_id": [None, 7],
        "tags": [None, ["new"]],
        "locked_fields": {"added": ["name", "tmdb_id"], "removed": []},
    }


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "A", "imdb_id": "tt1"}, "imdb_id"),
        ({"name": "A", "tmdb_id": 0}, "tmdb_id"),
        ({"name": "A", "tmdb_id": "x"}, "tmdb_id"),
        ({"name": "A", "tmdb_id": 55555}, "tmdb_id"),
        ({"name": "A", "override": "maybe"}, "override"),
        ({"name": "A", "premiere_date": "2024-13-01"}, "premiere_date"),
        ({"name": "A\x00"}, "name"),
        ({"name": "A\ud800"}, "name"),
        ({"name": "A", "genres": "Drama"}, "genres"),
        ({"name": "A", "genres": [1]}, "genres"),
        ({"name": "A", "tags": [{"a": 1}]}, "tags"),
        ({"name": "A", "tags": ["\x00"]}, "tags"),
        ({"name": "A", "imdb_rating_value": float("nan")}, "imdb_rating_value"),
        ({"name": "A", "imdb_rating_value": float("inf")}, "imdb_rating_value"),
        ({"name": "A", "show_total_seasons": 2**31}, "show_total_seasons"),
        ({"name": "A", "imdb_end_year": -1}, "imdb_end_year"),
    ],
)
def test_creating_refuses_bad_values_by_their_field(
    show: Show, author: Author, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        create_show(values, author)

    assert field in refusal.value.message_dict
    assert Show.objects.count() == 1
    assert not Change.objects.exists()


def test_editing_writes_what_differs_locks_it_and_keeps_what_upstream_says(show: Show, author: Author) -> None:
    change = edit_show(show.pk, {"name": "Below Deck!", "tmdb_id": 55555, "premiere_date": date(2013, 7, 1)}, author)

    show.refresh_from_db()
    assert (show.name, show.premiere_date) == ("Below Deck!", date(2013, 7, 1))
    assert show.locked_fields == ["name", "premiere_date"]
    assert show.upstream_values == {"name": "Below Deck", "premiere_date": None}
    assert change == Change.objects.get()
    assert change.fields == {
        "name": ["Below Deck", "Below Deck!"],
        "premiere_date": [None, "2013-07-01"],
        "locked_fields": {"added": ["name", "premiere_date"], "removed": []},
    }


def test_editing_a_locked_field_again_keeps_upstreams_first_value(show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "One"}, author)
    change = edit_show(show.pk, {"name": "Two"}, author)

    show.refresh_from_db()
    assert show.upstream_values == {"name": "Below Deck"}
    assert change is not None
    assert change.fields == {"name": ["One", "Two"]}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": "Below Deck"},
        {"name": " Below Deck ", "description": "From\r\nTMDb.\r\n"},  # what a browser makes of it
        {"tmdb_id": "55555", "genres": ["Reality", "Reality", " "]},
        {"premiere_date": "", "tvdb_id": None, "wikidata_id": ""},
    ],
)
def test_editing_nothing_writes_nothing(
    show: Show, author: Author, values: dict[str, Any], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(3):  # savepoint, row, release
        assert edit_show(show.pk, values, author) is None

    before = show.updated_at
    show.refresh_from_db()
    assert (show.updated_at, show.locked_fields) == (before, [])
    assert not Change.objects.exists()


def test_an_edit_leaves_columns_alone_that_a_sync_wrote_meanwhile(show: Show, author: Author) -> None:
    Show.objects.filter(pk=show.pk).update(description="Newer.", tmdb_vote_count=9)

    edit_show(show.pk, {"name": "Mine"}, author)

    show.refresh_from_db()
    assert (show.name, show.description, show.tmdb_vote_count) == ("Mine", "Newer.", 9)
    assert show.locked_fields == ["name"]


def test_of_the_editorial_fields_only_an_override_is_locked(show: Show, author: Author) -> None:
    change = edit_show(show.pk, {"tags": ["a", "b"], "override": "skip", "listed_on": ["x"]}, author)

    show.refresh_from_db()
    assert (show.tags, show.override, show.locked_fields, show.upstream_values) == (
        ["a", "b"],
        "SKIP",
        ["override"],
        {},
    )
    assert change is not None
    assert change.fields["override"] == ["", "SKIP"]


def test_lists_are_told_as_added_and_removed_and_their_order_as_before_and_after(show: Show, author: Author) -> None:
    first = edit_show(show.pk, {"genres": ["Drama", "Reality"]}, author)
    second = edit_show(show.pk, {"genres": ["Reality", "Drama"]}, author)

    assert first is not None
    assert second is not None
    assert first.fields["genres"] == {"added": ["Drama"], "removed": []}
    assert second.fields["genres"] == [["Drama", "Reality"], ["Reality", "Drama"]]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"imdb_id": "tt12"}, "imdb_id"),
        ({"imdb_id": "tt0000009"}, "imdb_id"),
        ({"tmdb_id": 9}, "tmdb_id"),
        ({"tmdb_id": -9}, "tmdb_id"),
        ({"tmdb_id": 2**63}, "tmdb_id"),
        ({"override": "no"}, "override"),
        ({"keywords": {"a": 1}}, "keywords"),
        ({"show_total_seasons": 3_000_000_000}, "show_total_seasons"),
        ({"show_total_seasons": "3000000000"}, "show_total_seasons"),
        ({"imdb_rating_count": 2**31}, "imdb_rating_count"),
    ],
)
def test_editing_refuses_bad_values_by_their_field_and_writes_nothing(
    show: Show, author: Author, values: dict[str, Any], field: str
) -> None:
    Show.objects.create(name="Other", tmdb_id=9, imdb_id="tt0000009")

    with pytest.raises(ValidationError) as refusal:
        edit_show(show.pk, {"description": "new", **values}, author)

    assert list(refusal.value.message_dict) == [field]
    show.refresh_from_db()
    assert (show.description, show.locked_fields) == ("From\nTMDb.", [])
    assert not Change.objects.exists()


def test_the_largest_numbers_that_both_databases_hold_are_taken(show: Show, author: Author) -> None:
    edit_show(show.pk, {"imdb_rating_count": 2**31 - 1, "tvdb_id": 3_000_000_000}, author)

    show.refresh_from_db()
    assert (show.imdb_rating_count, show.tvdb_id) == (2**31 - 1, 3_000_000_000)


@pytest.mark.parametrize("name", ["id", "locked_fields", "tmdb_meta", "watch_providers", "nonsense"])
def test_only_editable_names_are_taken(show: Show, author: Author, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        edit_show(show.pk, {name: 1}, author)


def test_a_show_that_is_gone_is_said_to_be_gone(author: Author, db: None) -> None:
    for act in (
        lambda pk: edit_show(pk, {"name": "A"}, author),
        lambda pk: unlock_show(pk, ["name"], author),
        lambda pk: decide_no_match(pk, author),
        lambda pk: delete_show(pk, author),
    ):
        with pytest.raises(Show.DoesNotExist):
            act(uuid.uuid4())


@pytest.mark.parametrize(
    ("field", "value", "flag"),
    [
        ("tmdb_id", 77, "needs_tmdb_resolution"),
        ("tmdb_id", None, "needs_tmdb_resolution"),
        ("imdb_id", "tt7654321", "needs_imdb_resolution"),
        ("imdb_id", None, "needs_imdb_resolution"),
    ],
)
def test_an_id_set_by_hand_is_decided_and_locked(show: Show, author: Author, field: str, value: Any, flag: str) -> None:
    Show.objects.update(needs_tmdb_resolution=True, needs_imdb_resolution=True)

    change = edit_show(show.pk, {field: value}, author)

    show.refresh_from_db()
    assert (getattr(show, field), getattr(show, flag)) == (value, False)
    assert show.needs_tmdb_resolution != show.needs_imdb_resolution
    assert show.locked_fields == [field]
    assert change is not None
    assert change.fields[flag] == [True, False]
    assert show.upstream_values == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tmdb_id", 77),
        ("tmdb_id", None),
        ("imdb_id", "tt7654321"),
        ("imdb_id", None),
        ("most_recent_episode_imdb_id", "tt7654321"),
        ("most_recent_episode_imdb_id", None),
    ],
)
def test_an_id_set_by_hand_stays_when_it_is_unlocked(show: Show, author: Author, field: str, value: Any) -> None:
    Show.objects.update(most_recent_episode_imdb_id="tt0000001")
    edit_show(show.pk, {field: value}, author)

    change = unlock_show(show.pk, [field], author)

    show.refresh_from_db()
    assert (getattr(show, field), show.locked_fields, show.upstream_values) == (value, [], {})
    assert change is not None
    assert change.fields == {"locked_fields": {"added": [], "removed": [field]}}


def test_unlocking_an_id_takes_the_one_that_a_sync_has_kept_beside_it(show: Show, author: Author) -> None:
    edit_show(show.pk, {"imdb_id": "tt7654321"}, author)
    Show.objects.update(upstream_values={"imdb_id": "tt0000001"})

    unlock_show(show.pk, ["imdb_id"], author)

    show.refresh_from_db()
    assert (show.imdb_id, show.locked_fields, show.upstream_values) == ("tt0000001", [], {})


def test_no_match_is_a_decision_that_is_locked(author: Author, db: None) -> None:
    show = Show.objects.create(name="Local show", needs_tmdb_resolution=True)

    change = decide_no_match(show.pk, author)

    show.refresh_from_db()
    assert (show.tmdb_id, show.needs_tmdb_resolution, show.locked_fields) == (None, False, ["tmdb_id"])
    assert change is not None
    assert change.fields == {
        "needs_tmdb_resolution": [True, False],
        "locked_fields": {"added": ["tmdb_id"], "removed": []},
    }
    assert decide_no_match(show.pk, author) is None


def test_no_match_takes_the_id_of_a_show_that_is_gone_upstream(show: Show, author: Author) -> None:
    change = decide_no_match(show.pk, author)

    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields, show.upstream_values) == (None, ["tmdb_id"], {})
    assert change is not None
    assert change.fields["tmdb_id"] == [55555, None]
    unlock_show(show.pk, ["tmdb_id"], author)  # the dead id does not come back
    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields) == (None, [])


def test_unlocking_takes_upstreams_values_back_at_once(show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine", "premiere_date": date(2013, 7, 1), "genres": []}, author)
    # What a later sync keeps of upstream beside the locked fields.
    upstream = {"name": "Theirs", "premiere_date": "2013-07-02", "genres": ["Reality", "Drama"]}
    Show.objects.update(upstream_values=upstream)

    change = unlock_show(show.pk, ["name", "premiere_date", "description"], author)

    show.refresh_from_db()
    assert (show.name, show.premiere_date, show.genres) == ("Theirs", date(2013, 7, 2), [])
    assert (show.locked_fields, show.upstream_values) == (["genres"], {"genres": ["Reality", "Drama"]})
    assert change is not None
    assert change.fields == {
        "name": ["Mine", "Theirs"],
        "premiere_date": ["2013-07-01", "2013-07-02"],
        "locked_fields": {"added": [], "removed": ["name", "premiere_date"]},
    }


def test_unlocking_what_is_not_locked_writes_nothing(show: Show, author: Author) -> None:
    assert unlock_show(show.pk, ["name"], author) is None
    assert not Change.objects.exists()
    with pytest.raises(ValueError, match="tags"):
        unlock_show(show.pk, ["tags"], author)


def test_unlocking_before_upstream_said_anything_keeps_the_value(author: Author, db: None) -> None:
    show = create_show({"name": "Mine", "tmdb_id": 5}, author)

    unlock_show(show.pk, ["name", "tmdb_id"], author)

    show.refresh_from_db()
    assert (show.name, show.tmdb_id, show.locked_fields) == ("Mine", 5, [])


def test_what_was_typed_into_a_show_that_was_never_synced_survives_unlocking(author: Author, db: None) -> None:
    show = Show.objects.create(name="Local show", genres=["Reality"])
    edit_show(show.pk, {"description": "Ours.", "genres": ["Drama"], "imdb_title": "Mine"}, author)
    show.refresh_from_db()
    assert show.upstream_values == {}

    unlock_show(show.pk, show.locked_fields, author)

    show.refresh_from_db()
    assert (show.description, show.genres, show.imdb_title) == ("Ours.", ["Drama"], "Mine")
    assert (show.locked_fields, show.upstream_values) == ([], {})


@pytest.mark.parametrize(
    ("fetched", "kept"),
    [
        ("tmdb_fetched_at", {"description": None, "tmdb_name": "Theirs"}),
        ("imdb_fetched_at", {"imdb_title": "Theirs", "imdb_rating_value": None}),
    ],
)
def test_only_what_its_own_source_has_said_is_kept_of_upstream(
    author: Author, db: None, fetched: str, kept: dict[str, Any]
) -> None:
    columns: dict[str, Any] = {fetched: NOW}
    show = Show.objects.create(name="A", tmdb_name="Theirs", imdb_title="Theirs", **columns)
    ours = {"description": "Ours", "tmdb_name": "Ours", "imdb_title": "Ours", "imdb_rating_value": 1.0}
    edit_show(show.pk, ours, author)
    show.refresh_from_db()
    assert show.upstream_values == kept

    unlock_show(show.pk, ours, author)

    show.refresh_from_db()
    assert {name: getattr(show, name) for name in ours} == ours | kept


def test_unlocking_relations_opens_them_for_the_next_sync(show: Show, author: Author) -> None:
    Show.objects.update(locked_fields=["networks", "watch_providers"])

    change = unlock_show(show.pk, ["networks"], author)

    show.refresh_from_db()
    assert show.locked_fields == ["watch_providers"]
    assert change is not None
    assert change.fields == {"locked_fields": {"added": [], "removed": ["networks"]}}


def test_unlocking_an_id_that_another_show_has_meanwhile_is_refused(show: Show, author: Author) -> None:
    edit_show(show.pk, {"tmdb_id": 1}, author)
    Show.objects.update(upstream_values={"tmdb_id": 55555})  # as a sync keeps it
    Show.objects.create(name="Other", tmdb_id=55555)

    with pytest.raises(ValidationError) as refusal:
        unlock_show(show.pk, ["tmdb_id"], author)

    assert list(refusal.value.message_dict) == ["tmdb_id"]
    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields) == (1, ["tmdb_id"])


@pytest.mark.parametrize("write", [edit_show, lambda _, values, author: create_show(values | {"name": "A"}, author)])
def test_an_id_that_is_taken_after_the_check_is_refused_by_the_database_in_words(
    show: Show, author: Author, monkeypatch: pytest.MonkeyPatch, write: Callable[..., Any]
) -> None:
    Show.objects.create(name="Other", tmdb_id=9)
    monkeypatch.setattr(edits, "validate", lambda *_: None)  # as if the other row had come right after it

    with pytest.raises(ValidationError, match="Another show has just been given"):
        write(show.pk, {"tmdb_id": 9}, author)

    show.refresh_from_db()
    assert (show.tmdb_id, Show.objects.count(), Change.objects.count()) == (55555, 2, 0)


def test_deleting_leaves_a_change_with_the_name_and_the_ids(
    show: Show, author: Author, make_network: Callable[..., Network]
) -> None:
    ShowNetwork.objects.create(show=show, network=make_network(74), position=0)
    edit_show(show.pk, {"name": "Mine"}, author)

    delete_show(show.pk, author)

    assert not Show.objects.exists()
    assert Change.objects.filter(show_id=show.pk).count() == 2
    assert last_change().kind == "deleted"
    assert last_change().fields == {"name": ["Mine", None], "tmdb_id": [55555, None], "imdb_id": ["tt2342499", None]}


def test_what_a_person_did_is_never_volatile(show: Show, author: Author) -> None:
    Show.objects.update(locked_fields=["tmdb_popularity"], upstream_values={"tmdb_popularity": 1.5})

    change = edit_show(show.pk, {"tmdb_popularity": 3.0}, author)

    assert change is not None
    assert change.volatile is False


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r"), max_size=12)
NAMES = TEXT.filter(lambda text: bool(text.strip()))
WORDS = st.lists(NAMES, max_size=3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": NAMES,
    "description": st.none() | NAMES,
    "premiere_date": st.none() | st.dates(),
    "tmdb_id": st.none() | st.integers(1, 2**40),
    "imdb_id": st.none() | st.from_regex(r"\Att[0-9]{7,9}\Z"),
    "most_recent_episode_imdb_id": st.none() | st.from_regex(r"\Att[0-9]{7,9}\Z"),
    "show_total_seasons": st.none() | st.integers(0, 1000),
    "genres": WORDS,
    "tmdb_vote_average": st.none() | st.floats(0, 10),
    "imdb_date_published": st.none() | st.dates(),
}


def columns_of(show: Show) -> dict[str, Any]:
    show.refresh_from_db()
    return {name: getattr(show, name) for name in UPSTREAM_FIELDS}


@pytest.mark.parametrize("synced", [True, False])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.fixed_dictionaries(VALUES),
    edits=st.lists(st.fixed_dictionaries({}, optional=VALUES), max_size=4),
)
def test_unlocking_after_any_edits_gives_upstreams_values_back_where_there_are_any(
    author: Author, synced: bool, first: dict[str, Any], edits: list[dict[str, Any]]
) -> None:
    Show.objects.all().delete()
    fetched_at = NOW if synced else None
    show = Show.objects.create(**first, tmdb_fetched_at=fetched_at, imdb_fetched_at=fetched_at)
    upstream = {name: value for name, value in columns_of(show).items() if synced and name not in MATCHES}

    for values in edits:
        edit_show(show.pk, values, author)
    edited = columns_of(show)
    unlock_show(show.pk, UPSTREAM_FIELDS, author)

    assert columns_of(show) == edited | upstream
    assert (show.locked_fields, show.upstream_values) == ([], {})
