"""What the address of a room may ask for, and what it then tells."""

import contextlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.feed import TYPES, Event
from catalog.topics import ALL, LARGEST_ID, NotUnderstood, Topic, field_names, read_query, since_of, topic_of

SHOW, OTHER = uuid4(), uuid4()


def event(kind: str = "show_updated", changed: tuple[str, ...] = ("name",), show_id: UUID = SHOW) -> Event:
    return Event(1, datetime(2026, 1, 1, tzinfo=UTC), kind, show_id, changed, None)


def understand(query: bytes) -> None:
    parameters = read_query(query)
    topic_of(parameters, None)
    since_of(parameters)


def topic(query: bytes, show_id: UUID | None = None) -> Topic:
    return topic_of(read_query(query), show_id)


@pytest.mark.parametrize(
    ("query", "wanted", "unwanted"),
    [
        (b"", [event(), event("show_deleted", ()), event(show_id=OTHER)], []),
        (b"types=show_deleted,show_created", [event("show_created"), event("show_deleted", ())], [event()]),
        (b"types=show_deleted,%20show_created", [event("show_created")], [event()]),
        (b"changed=description,genres", [event(changed=("genres", "name"))], [event(), event(changed=())]),
        (b"changed=description", [event("show_created"), event("show_merged"), event("show_deleted", ())], [event()]),
        (b"changed=name&types=show_updated", [event()], [event("show_created"), event(changed=("genres",))]),
    ],
)
def test_a_topic_wants_what_was_asked_for(query: bytes, wanted: list[Event], unwanted: list[Event]) -> None:
    asked = topic(query)

    assert all(map(asked.wants, wanted))
    assert not any(map(asked.wants, unwanted))


def test_the_topic_of_a_show_wants_that_show_alone() -> None:
    assert topic(b"", SHOW).wants(event())
    assert not topic(b"", SHOW).wants(event(show_id=OTHER))


def test_who_asks_for_nothing_shares_one_topic() -> None:
    assert topic(b"since=1") is ALL


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (b"types=", "types"),
        (b"types=show_created,", "types"),
        (b"types=show_created&types=show_created", "types"),
        (b"changed=%00", "changed"),
        (b"Since=1", "Since"),
        (b"since", "since"),
        (b"\xff=1", "unknown parameter"),
        (b"&".join(b"a=%d" % number for number in range(50)), "parameter"),
        (b"x" * 10_000, "unknown parameter"),
    ],
)
def test_what_can_not_be_meant_is_named_in_short(query: bytes, named: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        understand(query)

    assert named in str(refused.value)
    assert len(str(refused.value)) < 2_000
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("query", [b"token=trr_hidden", b"since=1&token=trr_hidden", b"token=trr_hidden&nothing=1"])
def test_a_token_in_an_address_is_refused_and_not_told_back(query: bytes) -> None:
    with pytest.raises(NotUnderstood, match="never travels in an address") as refused:
        read_query(query)

    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), (str(LARGEST_ID), LARGEST_ID)])
def test_since_is_the_id_of_an_event(text: str, number: int) -> None:
    assert since_of({"since": text}) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "1e3", " 1", "1 ", "1\n", "٣", "0x1", "\0", str(LARGEST_ID + 1)]
)
def test_a_since_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood, match="since"):
        since_of({"since": text})


def test_who_asks_for_no_since_gets_none() -> None:
    assert since_of({}) is None


@given(st.binary(max_size=200))
def test_no_query_does_anything_but_be_read_or_be_refused(query: bytes) -> None:
    with contextlib.suppress(NotUnderstood):
        understand(query)


def test_every_field_and_every_type_can_be_asked_for() -> None:
    names: Any = {"name", "locked_fields", "networks", "production_companies", "tmdb_popularity"}

    assert names <= field_names()
    assert topic(b"types=" + ",".join(TYPES.values()).encode()).types == frozenset(TYPES.values())
