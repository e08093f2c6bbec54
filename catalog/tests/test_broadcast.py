"""One reader for all clients of a process: it comes with the first, goes with the last, and leaves nobody behind."""

import asyncio
from typing import Any

import pytest
from django.db import OperationalError

from catalog.broadcast import Broadcast, text_frames
from catalog.frames import Frame
from catalog.outbox import Outbox

pytestmark = pytest.mark.asyncio


class Reader(Broadcast):
    looks = 0

    def pause(self) -> float:
        return 0.01

    async def look(self) -> None:
        self.looks += 1
        await self.tell(text_frames(Frame(str(self.looks))))


class Sink:
    """A client that takes everything."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.outbox = Outbox(self.take)
        self.verdict = ""
        self.expelled: list[str] = []

    async def take(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def check(self) -> Any:
        return lambda: self.verdict

    def expel(self, verdict: str) -> None:
        self.expelled.append(verdict)


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


def come(member: Sink) -> Reader:
    reader = Reader.here()
    reader.admit(member)
    reader.live[member] = None
    return reader


async def test_all_have_one_reader_which_ends_with_the_last() -> None:
    one, two = Sink(), Sink()
    reader = come(one)
    assert come(two) is reader
    await until(lambda: len(one.sent) > 1 and len(two.sent) > 1)
    reader.leave(one)
    assert Reader.here() is reader
    reader.leave(two)
    await asyncio.wait(reader.tasks)

    assert all(task.cancelled() for task in reader.tasks)
    three = Sink()
    assert come(three) is not reader
    Reader.here().leave(three)


async def test_a_reader_that_fails_closes_its_clients(monkeypatch: Any, caplog: Any) -> None:
    async def broken(self: Reader) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Reader, "look", broken)
    member = Sink()
    reader = come(member)
    await until(lambda: member.sent)

    assert member.sent[0]["code"] == 1011
    assert "a mistake" in caplog.text
    reader.leave(member)


async def test_who_leaves_a_reader_that_failed_does_not_end_the_next_one(monkeypatch: Any, caplog: Any) -> None:
    async def broken(self: Reader) -> None:
        raise RuntimeError("a mistake")

    first, second, third = Sink(), Sink(), Sink()
    with monkeypatch.context() as patch:
        patch.setattr(Reader, "look", broken)
        failed = come(first)
        await until(lambda: first.outbox.closed)
    reader = come(second)
    assert reader is not failed
    failed.leave(first)

    assert come(third) is reader
    reader.leave(second)
    reader.leave(third)


async def test_while_the_database_is_out_of_reach_clients_stay_and_it_is_said_once(
    monkeypatch: Any, caplog: Any
) -> None:
    look, fails = Reader.look, [1, 2, 3]

    async def away(self: Reader) -> None:
        if fails:
            fails.pop()
            raise OperationalError("host=secret-host")
        await look(self)

    monkeypatch.setattr("catalog.broadcast.BACKOFF", (0.001,))
    monkeypatch.setattr(Reader, "look", away)
    member = Sink()
    reader = come(member)
    await until(lambda: member.sent)

    assert caplog.text.count("out of reach") == 1
    assert "is there again" in caplog.text
    assert "secret-host" not in caplog.text
    assert not member.outbox.closed
    reader.leave(member)


async def test_while_the_database_is_out_of_reach_hearts_go_on_beating(monkeypatch: Any, settings: Any) -> None:
    async def away(self: Reader) -> None:
        raise OperationalError

    settings.WS_HEARTBEAT_SECONDS = 0.01
    monkeypatch.setattr("catalog.broadcast.BACKOFF", (0.001,))
    monkeypatch.setattr(Reader, "look", away)
    member = Sink()
    reader = come(member)
    await until(lambda: len(member.sent) > 1)

    assert all('"type":"heartbeat"' in message["text"] for message in member.sent)
    reader.leave(member)


async def test_who_may_not_stay_is_expelled(settings: Any) -> None:
    settings.WS_RECHECK_SECONDS = 0.01
    stays, goes = Sink(), Sink()
    goes.verdict = "you may not"
    reader = come(stays)
    come(goes)
    await until(lambda: goes.expelled)

    assert goes.expelled[0] == "you may not"
    assert stays.expelled == []
    reader.leave(stays)
    reader.leave(goes)
