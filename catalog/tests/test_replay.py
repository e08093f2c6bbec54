"""What a client of a real server hears is what stands in the feed: every kind of change, wherever it was cut off."""

import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from knox.models import get_token_model
from websockets import Origin
from websockets.sync.client import ClientConnection, connect

from catalog.changes import Author
from catalog.edits import create_show, edit_show
from catalog.feed import newest_id, read_events
from catalog.merging import merge_shows
from catalog.models import Show
from catalog.tests.daphnes import daphne
from catalog.trash import comment_on_show, delete_show

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 20  # seconds; nothing waits for so long unless it fails


@pytest.fixture(scope="module")
def rooms(django_db_setup: None, tmp_path_factory: Any) -> Iterator[str]:
    with daphne(tmp_path_factory.mktemp("daphne") / "log", WS_POLL_SECONDS="0.02") as address:
        yield address


def hear(client: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(client.recv(timeout=PATIENCE)))


def events(client: ClientConnection, last: int) -> list[tuple[str, dict[str, Any]]]:
    """What is told up to that event."""
    told: list[tuple[str, dict[str, Any]]] = []
    while not told or told[-1][1]["event_id"] != last:
        frame = hear(client)
        told.append((frame["type"], frame["payload"]))
    return told


def as_told(since: int) -> list[tuple[str, dict[str, Any]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    for event in read_events(since, 10_000):
        where = {"merged_into": str(event.merged_into)} if event.merged_into else {}
        rest = {"show_id": str(event.show_id), "changed": list(event.changed), "event_id": event.id}
        told.append((event.type, rest | where))
    return told


def test_every_kind_of_change_is_told_live_and_a_comment_is_not(rooms: str, author: Author) -> None:
    start = newest_id()
    with connect(f"{rooms}/shows") as everything, connect(f"{rooms}/shows?types=show_merged,show_deleted") as ends:
        hear(everything)
        hear(ends)
        first = create_show({"name": "Below Deck", "imdb_id": "tt2342499"}, author)
        edit_show(first.pk, {"description": "New.", "name": "Below Deck Med"}, author)
        comment_on_show(first.pk, "not for the public", author)
        second = create_show({"name": "Below Deck"}, author)
        merge_shows(second.pk, first.pk, {}, Author(user=author.user, reason="a word of ours"))
        delete_show(first.pk, author)
        last = newest_id()
        told = events(everything, last)

        assert told == as_told(start)
        assert {kind for kind, _ in told} == {"show_created", "show_updated", "show_merged", "show_deleted"}
        assert next(payload["changed"] for kind, payload in told if kind == "show_updated") == [
            "description",
            "locked_fields",
            "name",
        ]
        assert ("show_merged", str(first.pk)) in [(kind, payload.get("merged_into")) for kind, payload in told]
        kept = [one for one in told if one[0] in {"show_merged", "show_deleted"}]
        assert events(ends, last) == kept
        text = json.dumps(told)
        assert not [word for word in ("not for the public", "a word of ours", "editor") if word in text]


@pytest.mark.parametrize("room", ["all", "one"])
def test_who_is_cut_off_at_random_while_many_write_hears_all_once_and_in_order(rooms: str, room: str) -> None:
    chance = random.Random(room)
    shows = [Show.objects.create(name=f"Show {number}") for number in range(4)]
    start = newest_id()
    only = shows[0].pk if room == "one" else None
    address = f"{rooms}/shows/{only}" if only else f"{rooms}/shows"
    over, mistakes = threading.Event(), []

    def write(seed: int) -> None:
        dice = random.Random(seed)
        try:
            for number in range(40):
                edit_show(dice.choice(shows).pk, {"description": f"{seed} {number}"}, Author())
        except Exception as error:  # noqa: BLE001  told by the test
            mistakes.append(error)
        finally:
            connections.close_all()

    def write_all() -> None:
        writers = [threading.Thread(target=write, args=[seed]) for seed in range(3)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        try:
            edit_show(shows[0].pk, {"description": "the last one"}, Author())
        finally:
            connections.close_all()
            over.set()

    writing = threading.Thread(target=write_all)
    writing.start()
    heard: list[int] = []
    try:
        while not over.is_set():
            since = heard[-1] if heard else start
            with connect(f"{address}?since={since}") as client:
                assert hear(client)["payload"]["event_id"] == since
                for _ in range(chance.choice((1, 2, 5, 17))):
                    if over.is_set():
                        break
                    heard.append(hear(client)["payload"]["event_id"])
    finally:
        writing.join()
    assert not mistakes
    expected = [event.id for event in read_events(start, 10_000, only)]
    if not heard or heard[-1] != expected[-1]:
        with connect(f"{address}?since={heard[-1] if heard else start}") as client:
            hear(client)
            heard += [payload["event_id"] for _, payload in events(client, expected[-1])]

    assert heard == expected


def test_where_reading_needs_a_login_a_cookie_or_a_token_lets_in(
    tmp_path: Any, client: Any, django_user_model: Any
) -> None:
    user = django_user_model.objects.create_user("reader")
    client.force_login(user)
    cookie = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
    token = str(get_token_model().objects.create(user)[1])
    with daphne(tmp_path / "log", API_PUBLIC="false", CORS_ALLOW_ORIGINS="https://app.example") as rooms:
        with connect(f"{rooms}/shows", additional_headers=cookie) as reader:
            assert hear(reader)["type"] == "subscribed"
        with connect(f"{rooms}/shows", origin=Origin("https://app.example"), additional_headers=cookie) as reader:
            reader.send('{"type": "ping"}')
            assert hear(reader)["type"] == "error"
            reader.send(json.dumps({"type": "authenticate", "token": token}))
            assert hear(reader)["type"] == "subscribed"
            reader.send('{"type": "ping"}')
            assert hear(reader)["type"] == "pong"
