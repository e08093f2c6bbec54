from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.batches import draft, submit
from catalog.bulk import (
    ADD,
    FIELDS,
    LISTS,
    LOCK,
    REMOVE,
    SET,
    UNLOCK,
    BulkPlan,
    Operation,
    actions_of,
    check_together,
    held,
    parse_operation,
    plan_bulk,
    shows_to_edit,
)
from catalog.changes import Author, plain
from catalog.edits import edit_show, lock_show, version_of
from catalog.links import RELATIONS
from catalog.locks import EDITABLE, LOCKABLE
from catalog.models import Batch, Network, ProductionCompany, Show, ShowNetwork
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db


def planned(show: Show, *operations: Operation) -> BulkPlan:
    return plan_bulk(shows_to_edit([show.pk], operations), operations)


# --- what is asked for


@pytest.mark.parametrize(
    ("action", "field", "text", "value"),
    [
        (SET, "override", " skip ", "SKIP"),
        (SET, "override", "", ""),
        (SET, "description", "", None),
        (SET, "description", " two\r\nlines ", "two\nlines"),
        (SET, "tmdb_id", "", None),
        (SET, "premiere_date", "2026-01-31", "2026-01-31"),
        (SET, "show_total_seasons", " 7 ", 7),
        (SET, "tmdb_vote_average", "7.5", 7.5),
        (SET, "needs_tmdb_resolution", "Yes", True),
        (SET, "needs_imdb_resolution", "no", False),
        (SET, "genres", "Reality\r\n\r\nDrama\nReality", ["Reality", "Drama"]),
        (SET, "tags", "", []),
        (ADD, "tags", "a\nb", ["a", "b"]),
        (REMOVE, "keywords", "a", ["a"]),
        (SET, "networks", "", []),
        (ADD, "networks", "74\nBravo (74)\n bravo\nE! (5)", [74, 5]),
        (REMOVE, "networks", "Teleplus\u0301", [6]),
        (LOCK, "watch_providers", "left over", None),
        (UNLOCK, "name", "", None),
    ],
)
def test_what_is_typed_becomes_a_value_in_normal_form(
    make_network: Callable[..., Network], action: str, field: str, text: str, value: Any
) -> None:
    for pk, name in ((74, "Bravo"), (5, "E!"), (6, "TÉLÉPLUS"), (7, "Teleplus\u0327 2")):
        make_network(pk, name)
    if text.startswith("Teleplus"):
        text = "te\u0301le\u0301plus"

    assert parse_operation(action, field, text, 2) == Operation(action, field, value)


@pytest.mark.parametrize(
    ("action", "field", "text", "where", "reason"),
    [
        (SET, "nonsense", "", "field", "Choose a field."),
        (SET, "deleted_at", "", "field", "Choose a field."),
        ("drop", "name", "", "action", "Choose what to do."),
        (ADD, "name", "x", "action", "This field can't do that. Possible: set to, lock, unlock."),
        (LOCK, "tags", "", "action", "This field can't do that. Possible: set to, add, remove."),
        (SET, "watch_providers", "8", "action", "This field can't do that. Possible: lock, unlock."),
        (SET, "name", " ", "value", "This field cannot be blank."),
        (SET, "override", "maybe", "value", "Empty, SKIP, Y, or a minimum number of episodes."),
        (SET, "imdb_id", "123", "value", "An IMDb title id is tt and at least 7 digits"),
        (SET, "tmdb_id", "0", "value", "A TMDb id is a number from 1."),
        (SET, "tmdb_id", "-1", "value", "A TMDb id is a number from 1."),
        (SET, "tmdb_id", "x", "value", "A TMDb id is a number from 1."),
        (SET, "tvdb_id", "9" * 5000, "value", ""),
        (SET, "show_total_seasons", "2147483648", "value", "At most 2147483647."),
        (SET, "premiere_date", "31.1.2026", "value", "Write a date like 2026-01-31."),
        (SET, "premiere_date", "2026-13-40", "value", "Write a date like 2026-01-31."),
        (SET, "tmdb_vote_average", "nan", "value", "A finite number is expected."),
        (SET, "needs_tmdb_resolution", "", "value", "Write yes or no."),
        (SET, "description", "a\x00", "value", "can't be stored"),
        (ADD, "tags", "\ud800", "value", "can't be stored"),
        (ADD, "tags", " \n ", "value", "Write what to add."),
        (REMOVE, "networks", "", "value", "Write what to remove."),
        (ADD, "networks", "404", "value", "There is none with the id or name 404."),
        (ADD, "networks", "Bravo (404)", "value", "There is none with the id or name Bravo (404)."),
        (ADD, "networks", "twin", "value", "Several have the name twin; give the id: Twin (1), Twin (2)."),
    ],
)
def test_what_can_not_be_is_refused_in_words_and_at_its_place(
    make_network: Callable[..., Network], action: str, field: str, text: str, where: str, reason: str
) -> None:
    for pk, name in ((74, "Bravo"), (1, "Twin"), (2, "Twin")):
        make_network(pk, name)

    with pytest.raises(ValidationError) as refused:
        parse_operation(action, field, text, 1)

    assert list(refused.value.message_dict) == [where]
    assert reason in refused.value.messages[0]


@pytest.mark.parametrize(("field", "text"), [("tmdb_id", "7"), ("imdb_id", "tt1234567")])
def test_an_id_of_one_show_is_not_set_on_more(field: str, text: str) -> None:
    assert parse_operation(SET, field, text, 1).value in (7, "tt1234567")
    assert parse_operation(SET, field, "", 2).value is None
    with pytest.raises(ValidationError, match="belongs to one show alone, and 2 are selected"):
        parse_operation(SET, field, text, 2)


def test_every_field_can_do_something_and_what_it_can_is_what_edits_allow() -> None:
    assert {field for field in FIELDS if SET in actions_of(field)} == EDITABLE | set(RELATIONS)
    assert {field for field in FIELDS if LOCK in actions_of(field)} == LOCKABLE
    assert {field for field in FIELDS if ADD in actions_of(field)} == {*LISTS, *RELATIONS}
    assert all(actions_of(field) for field in FIELDS)


@pytest.mark.parametrize(
    "operations",
    [
        [Operation(SET, "name", "A"), Operation(UNLOCK, "name")],
        [Operation(LOCK, "genres"), Operation(UNLOCK, "genres")],
        [Operation(UNLOCK, "networks"), Operation(ADD, "networks", [1])],
        [Operation(SET, "override", "Y"), Operation(SET, "override", "SKIP")],
    ],
)
def test_contradictions_are_refused(operations: list[Operation]) -> None:
    with pytest.raises(ValidationError):
        check_together(operations)


def test_operations_that_go_together_are_taken() -> None:
    check_together([Operation(ADD, "tags", ["a"]), Operation(REMOVE, "tags", ["b"]), Operation(UNLOCK, "name")])


# --- what it comes to


def test_only_what_differs_is_planned(show: Show) -> None:
    plan = planned(show, Operation(SET, "name", "Below Deck"), Operation(SET, "override", "Y"))

    assert plan.edits == [
        {
            "id": str(show.pk),
            "name": "Below Deck",
            "values": {"override": "Y"},
            "lock": [],
            "unlock": [],
            "version": 0,
            "locks": ["override"],
            "shown": {"override": ["", "Y"]},
        }
    ]
    assert planned(show, Operation(SET, "genres", ["Reality"]), Operation(UNLOCK, "name")) == BulkPlan([], 1, [])


def test_lists_grow_at_their_end_and_keep_their_order(show: Show) -> None:
    Show.objects.filter(pk=show.pk).update(tags=["a", "b", "c"])

    plan = planned(show, Operation(ADD, "tags", ["b", "d"]), Operation(REMOVE, "tags", ["a", "x"]))

    assert plan.edits[0]["values"] == {"tags": ["b", "c", "d"]}


def test_networks_are_planned_by_id_and_shown_by_name(show: Show, make_network: Callable[..., Network]) -> None:
    for pk, name in ((1, "Bravo"), (2, "E!")):
        make_network(pk, name)
    ShowNetwork.objects.create(show=show, network_id=1, position=0)

    edit = planned(show, Operation(ADD, "networks", [2])).edits[0]

    assert edit["values"] == {"networks": [1, 2]}
    assert edit["shown"] == {"networks": [["Bravo (1)"], ["Bravo (1)", "E! (2)"]]}
    assert edit["locks"] == ["networks"]


def test_the_version_is_that_of_the_show(show: Show, author: Author) -> None:
    edit_show(show.pk, {"tags": ["x"]}, author)

    assert planned(show, Operation(SET, "override", "Y")).edits[0]["version"] == version_of(show.pk) > 0


def test_a_lock_is_planned_where_there_is_none_yet(show: Show, author: Author) -> None:
    lock_show(show.pk, ["genres"], author)

    plan = planned(show, Operation(LOCK, "genres"), Operation(LOCK, "name"))

    assert (plan.edits[0]["lock"], plan.edits[0]["shown"]) == (["name"], {})


def test_unlocking_shows_what_comes_back(show: Show, author: Author, make_network: Callable[..., Network]) -> None:
    for pk, name in ((1, "Bravo"), (2, "E!")):
        make_network(pk, name)
    ShowNetwork.objects.create(show=show, network_id=1, position=0)
    edit_show(show.pk, {"genres": ["Mine"], "networks": [2]}, author)

    edit = planned(show, Operation(UNLOCK, "genres"), Operation(UNLOCK, "networks")).edits[0]

    assert edit["shown"] == {"genres": [["Mine"], ["Reality"]], "networks": [["E! (2)"], ["Bravo (1)"]]}
    assert (edit["values"], edit["unlock"], edit["locks"]) == ({}, ["genres", "networks"], [])


def test_an_id_that_is_set_takes_the_show_out_of_the_queue_and_the_plan_says_so(show: Show) -> None:
    Show.objects.filter(pk=show.pk).update(needs_tmdb_resolution=True)

    edit = planned(show, Operation(SET, "tmdb_id", None)).edits[0]

    assert edit["shown"] == {"tmdb_id": [55555, None], "needs_tmdb_resolution": [True, False]}


def test_an_id_of_another_show_is_an_error_also_when_that_is_in_the_trash(show: Show, author: Author) -> None:
    other = Show.objects.create(name="Other", tmdb_id=9)
    delete_show(other.pk, author)

    plan = planned(show, Operation(SET, "tmdb_id", 9))

    assert plan == BulkPlan([], 0, [[str(show.pk), "Below Deck", "TMDb id 9 is already that of Other."]])


def test_an_id_that_unlocking_would_give_to_two_shows_goes_to_the_first(author: Author) -> None:
    first, second = (Show.objects.create(name=name) for name in ("A", "B"))
    for show in (first, second):
        lock_show(show.pk, ["imdb_id"], author)
        Show.objects.filter(pk=show.pk).update(upstream_values={"imdb_id": "tt1234567"})

    operation = Operation(UNLOCK, "imdb_id")
    plan = plan_bulk(shows_to_edit([first.pk, second.pk], [operation]), [operation])

    assert [edit["name"] for edit in plan.edits] == ["A"]
    assert plan.errors == [[str(second.pk), "B", "IMDb id tt1234567 is already that of A."]]


def test_a_network_that_is_gone_can_not_come_back(show: Show, author: Author) -> None:
    lock_show(show.pk, ["networks"], author)
    Show.objects.filter(pk=show.pk).update(upstream_values={"networks": [404]})

    plan = planned(show, Operation(UNLOCK, "networks"))

    assert plan.errors == [[str(show.pk), "Below Deck", "There is none with the id 404 any more."]]


def test_deleted_shows_are_not_loaded_and_the_others_keep_their_order(author: Author) -> None:
    shows = [Show.objects.create(name=name) for name in "CAB"]
    delete_show(shows[1].pk, author)

    found = shows_to_edit([*(show.pk for show in shows), uuid4()], [Operation(SET, "override", "Y")])

    assert [show.name for show in found] == ["C", "B"]


@pytest.mark.parametrize("count", [1, 30])
def test_the_number_of_queries_does_not_grow_with_the_shows(
    make_network: Callable[..., Network], django_assert_num_queries: Any, count: int
) -> None:
    for pk in (1, 2):
        make_network(pk)
    shows = [Show.objects.create(name=f"{number}", locked_fields=["genres"]) for number in range(count)]
    for show in shows:
        ShowNetwork.objects.create(show=show, network_id=1, position=0)
    operations = [
        Operation(SET, "tmdb_id", None),
        Operation(ADD, "networks", [2]),
        Operation(SET, "premiere_date", "2026-01-01"),
        Operation(UNLOCK, "genres"),
    ]

    with django_assert_num_queries(3):  # shows, their networks, and the labels of those that are added
        plan = plan_bulk(shows_to_edit([show.pk for show in shows], operations), operations)

    assert len(plan.edits) == count


# --- the preview is what is applied

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=3, unique=True)
ENTITIES = st.lists(st.sampled_from([1, 2, 3]), max_size=3, unique=True)
VALUES: dict[str, Any] = {
    **dict.fromkeys(("genres", "keywords", "tags", "listed_on"), TEXTS),
    **dict.fromkeys(("networks", "production_companies"), ENTITIES),
    "name": st.sampled_from(["Below Deck", "Other"]),
    "description": st.sampled_from([None, "From\nTMDb.", "Mine"]),
    "premiere_date": st.sampled_from([None, "2013-07-01"]),
    "override": st.sampled_from(["", "SKIP", "3"]),
    "tmdb_id": st.sampled_from([None, 55555, 6]),
    "imdb_id": st.sampled_from([None, "tt2342499"]),
    "needs_tmdb_resolution": st.booleans(),
    "needs_imdb_resolution": st.booleans(),
    "show_total_seasons": st.sampled_from([None, 3]),
}


@st.composite
def operations_of_a_row(draw: st.DrawFn) -> list[Operation]:
    operations = []
    for _ in range(draw(st.integers(1, 5))):
        field = draw(st.sampled_from(sorted(VALUES)))
        action = draw(st.sampled_from(actions_of(field)))
        value = draw(VALUES[field]) if action in (SET, ADD, REMOVE) else None
        operations.append(Operation(action, field, value))
    return operations


def can_be_together(operations: list[Operation]) -> bool:
    try:
        check_together(operations)
    except ValidationError:
        return False
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operations_of_a_row().filter(can_be_together),
    st.dictionaries(st.sampled_from(sorted(VALUES)), st.none()),
    st.data(),
)
def test_what_is_shown_is_what_is_applied(
    editor: Any, operations: list[Operation], earlier: set[str], data: st.DataObject
) -> None:
    for pk in (1, 2, 3):
        Network.objects.get_or_create(pk=pk, name=f"N{pk}")
        ProductionCompany.objects.get_or_create(pk=pk, name=f"C{pk}")
    Show.all_objects.all().delete()
    show = Show.objects.create(
        name="Below Deck",
        description="From\nTMDb.",
        tmdb_id=55555,
        genres=["a", "b"],
        tmdb_fetched_at="2026-01-02T00:00Z",
        needs_imdb_resolution=True,
    )
    ShowNetwork.objects.create(show=show, network_id=1, position=0)
    edit_show(show.pk, {name: data.draw(VALUES[name]) for name in earlier}, Author(user=editor))
    before = {name: plain(held(Show.objects.get(), name)) for name in VALUES}
    locked = set(Show.objects.get().locked_fields)

    plan = planned(show, *operations)
    batch = submit(draft(Batch.Kind.EDIT, editor, plan.edits))

    expected, expected_locks = dict(before), set(locked)
    for edit in plan.edits:
        expected_locks = (locked | set(edit["locks"])) - set(edit["unlock"])
        for name, (old, new) in edit["shown"].items():
            if name in RELATIONS:
                old, new = ([int(label.rpartition("(")[2][:-1]) for label in side] for side in (old, new))
            assert before[name] == old != new
            expected[name] = new
    show = Show.objects.get()
    assert {name: plain(held(show, name)) for name in VALUES} == expected
    assert set(show.locked_fields) == expected_locks
    assert not plan.errors
    assert batch.counts == {"changed": len(plan.edits), "unchanged": 0, "failed": 0} or not plan.edits
