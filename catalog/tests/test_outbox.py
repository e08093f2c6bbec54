"""What waits for one client: in order, bounded, in nobody's way. And the topics and bells that lead to it."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from catalog import bell
from catalog.feed import Event
from catalog.frames import Frame
from catalog.outbox import TOO_SLOW, Outbox
from catalog.topics import ALL, NotUnderstood, Topic, read_query, since_of, topic_of


class Stuck:
    """A server whose client reads when it is let."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.reads = asyncio.Event()

    async def __call__(self, message: Any) -> None:
        await self.reads.wait()
        self.sent.append(message.get("text") or (message["code"], message["reason"]))


@pytest.mark.asyncio
async def test_what_waits_is_sent_in_order_and_the_close_after_it() -> None:
    server = Stuck()
    outbox = Outbox(server)
    for number in range(5):
        outbox.put(Frame(f"{number}"))
    outbox.close(4400, "why")
    outbox.put(Frame("after the close"))
    server.reads.set()
    await outbox.drained()
    while len(server.sent) < 6:
        await asyncio.sleep(0)

    assert server.sent == ["0", "1", "2", "3", "4", (4400, "why")]


@pytest.mark.asyncio
@pytest.mark.parametrize(("frames", "size"), [(50, 1), (5, 5_000)])
async def test_too_much_is_thrown_away_and_the_client_told_to_come_again(settings: Any, frames: int, size: int) -> None:
    settings.WS_QUEUED_FRAMES, settings.WS_QUEUED_BYTES = 20, 10_000
    server = Stuck()
    outbox = Outbox(server)
    for _ in range(frames):
        outbox.put(Frame("x" * size))
        await asyncio.sleep(0)
    server.reads.set()
    while not server.sent or server.sent[-1] != (1013, TOO_SLOW):
        await asyncio.sleep(0)

    assert len(server.sent) <= 2
    assert outbox.closed


@pytest.mark.asyncio
async def test_who_waits_for_a_connection_that_is_given_up_goes_on() -> None:
    outbox = Outbox(Stuck())
    outbox.put(Frame("x"))
    waiting = asyncio.ensure_future(outbox.drained())
    await asyncio.sleep(0)
    outbox.give_up()

    await asyncio.wait_for(waiting, 5)


def event(kind: str, *changed: str) -> Event:
    return Event(1, timezone.now(), kind, uuid4(), changed, None)


def test_fields_choose_among_updates_and_leave_the_rest() -> None:
    topic = topic_of({"changed": "name, genres"}, None)

    assert topic.wants(event("show_updated", "genres", "overview"))
    assert not topic.wants(event("show_updated", "overview"))
    assert topic.wants(event("show_deleted"))


def test_a_topic_is_of_its_show_and_its_types() -> None:
    mine = event("show_created")

    assert Topic(mine.show_id, frozenset({"show_created"})).wants(mine)
    assert not Topic(uuid4()).wants(mine)
    assert not Topic(None, frozenset({"show_updated"})).wants(mine)
    assert topic_of({}, None) is ALL


@pytest.mark.parametrize("query", [b"since=1&since=2", b"a=1", b"token=x", b"&".join([b"since=1"] * 50), b"\xff=1"])
def test_a_query_with_anything_else_is_not_understood(query: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_query(query)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", "٣", "9223372036854775808", "\0"])
def test_a_since_that_is_no_id_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood):
        since_of({"since": text})


def test_the_bell_wakes_who_listens_until_they_do_not() -> None:
    woken: list[int] = []
    bell.listen("here", lambda: woken.append(1))
    bell.ring()
    bell.deafen("here")
    bell.ring()

    assert woken == [1]
