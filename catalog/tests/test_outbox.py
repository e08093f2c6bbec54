"""What waits for one client: in order, bounded, and nobody waits for it."""

import asyncio
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from catalog.daphne_connection import DaphneOutbox, outbox_of
from catalog.frames import Frame
from catalog.outbox import TOO_SLOW, Outbox

pytestmark = pytest.mark.asyncio


class Gate:
    """A server's `send` that lets nothing pass until it is opened."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()

    async def __call__(self, message: dict[str, Any]) -> None:
        await self.open.wait()
        self.sent.append(message)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.sent if message["type"] == "websocket.send"]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


async def test_frames_go_out_in_the_order_in_which_they_came() -> None:
    gate = Gate()
    outbox = Outbox(gate)
    for number in range(50):
        outbox.put(Frame(str(number)))
    gate.open.set()
    await outbox.drained()
    outbox.put(Frame("50"))
    await outbox.drained()

    assert gate.texts == [str(number) for number in range(51)]


async def test_a_close_comes_behind_what_waits_and_nothing_comes_behind_it() -> None:
    gate = Gate()
    outbox = Outbox(gate)
    outbox.put(Frame("first"))
    outbox.close(4400, "why")
    outbox.put(Frame("too late"))
    outbox.close(1011, "a second one")
    gate.open.set()
    await until(lambda: len(gate.sent) == 2)
    await asyncio.sleep(0)

    assert gate.sent == [
        {"type": "websocket.send", "text": "first"},
        {"type": "websocket.close", "code": 4400, "reason": "why"},
    ]


@pytest.mark.parametrize(("setting", "limit", "size"), [("WS_QUEUED_FRAMES", 5, 1), ("WS_QUEUED_BYTES", 500, 100)])
async def test_for_whom_too_much_waits_is_closed_and_what_waited_is_thrown_away(
    settings: Any, setting: str, limit: int, size: int
) -> None:
    setattr(settings, setting, limit)
    gate = Gate()
    outbox = Outbox(gate)
    outbox.put(Frame("x" * size))
    await asyncio.sleep(0)  # this one is being sent and waits no more
    for _ in range(5):
        outbox.put(Frame("y" * size))
    assert not outbox.closed
    outbox.put(Frame("z" * size))
    assert outbox.closed
    gate.open.set()
    await until(lambda: len(gate.sent) == 2)

    assert gate.texts == ["x" * size]
    assert gate.sent[-1] == {"type": "websocket.close", "code": 1013, "reason": TOO_SLOW}


async def test_what_has_been_sent_does_not_count_as_waiting(settings: Any) -> None:
    settings.WS_QUEUED_BYTES, settings.WS_QUEUED_FRAMES = 10, 2
    gate = Gate()
    gate.open.set()
    outbox = Outbox(gate)
    for _ in range(20):
        outbox.put(Frame("x" * 10))
        await outbox.drained()

    assert not outbox.closed
    assert len(gate.sent) == 20


@pytest.mark.parametrize("end", ["gone", "closed"])
async def test_who_waits_for_it_to_be_empty_is_let_go_when_the_connection_ends(end: str, settings: Any) -> None:
    settings.WS_QUEUED_FRAMES = 1
    outbox = Outbox(Gate())
    outbox.put(Frame("x"))
    waiting = asyncio.create_task(outbox.drained())
    await asyncio.sleep(0)
    if end == "gone":
        outbox.give_up()
    else:
        for _ in range(3):
            outbox.put(Frame("y"))
    async with asyncio.timeout(10):
        await waiting

    assert outbox.closed
    outbox.give_up()


# --- daphne's


class Protocol:
    """What a DaphneOutbox uses of daphne's protocol object."""

    STATE_OPEN = 3

    def __init__(self) -> None:
        self.state = self.STATE_OPEN
        self.sent: list[str] = []
        self.closes: list[tuple[int, str]] = []
        self.factory = SimpleNamespace(prepareMessage=lambda data, is_binary: data.decode())

    def sendPreparedMessage(self, prepared: str) -> None:  # noqa: N802
        self.sent.append(prepared)

    def sendCloseFrame(self, code: int, reason: bytes, *, isReply: bool) -> None:  # noqa: N802, N803
        self.closes.append((code, reason.decode()))


async def test_a_client_that_reads_is_written_to_at_once_and_one_that_paused_gets_the_rest_later() -> None:
    protocol = Protocol()
    outbox = DaphneOutbox(None, protocol)
    outbox.put(Frame("1"))
    outbox.pauseProducing()
    outbox.put(Frame("2"))
    outbox.put(Frame("3"))
    assert protocol.sent == ["1"]
    outbox.resumeProducing()
    outbox.put(Frame("4"))

    assert protocol.sent == ["1", "2", "3", "4"]


async def test_a_paused_client_that_is_closed_gets_what_waits_before() -> None:
    protocol = Protocol()
    outbox = DaphneOutbox(None, protocol)
    outbox.pauseProducing()
    outbox.put(Frame("1"))
    outbox.close(4401, "é" * 100)
    outbox.put(Frame("2"))
    outbox.resumeProducing()

    assert protocol.sent == ["1"]
    assert protocol.closes == [(4401, "é" * 61)]  # a close frame holds 123 bytes, and no half character


async def test_a_paused_client_for_whom_too_much_waits_is_closed(settings: Any) -> None:
    settings.WS_QUEUED_FRAMES = 3
    protocol = Protocol()
    outbox = DaphneOutbox(None, protocol)
    outbox.pauseProducing()
    waiting = asyncio.create_task(outbox.drained())
    for number in range(5):
        outbox.put(Frame(str(number)))
    async with asyncio.timeout(10):
        await waiting

    assert protocol.sent == []
    assert protocol.closes == [(1013, TOO_SLOW)]


async def test_nothing_is_written_to_a_connection_that_is_not_open_any_more() -> None:
    protocol = Protocol()
    outbox = DaphneOutbox(None, protocol)
    protocol.state = 0
    outbox.put(Frame("1"))
    outbox.close(1011, "x")
    outbox.stopProducing()

    assert (protocol.sent, protocol.closes) == ([], [])


async def test_frames_are_prepared_once_for_all_clients() -> None:
    one, two, frame = Protocol(), Protocol(), Frame("x")
    prepared: list[bytes] = []

    def prepare(data: bytes, is_binary: bool) -> str:
        prepared.append(data)
        return "prepared"

    for protocol in (one, two):
        protocol.factory = SimpleNamespace(prepareMessage=prepare)
        DaphneOutbox(None, protocol).put(frame)

    assert (one.sent, two.sent, prepared) == (["prepared"], ["prepared"], [b"x"])


async def test_daphne_is_still_as_it_is_reached_into() -> None:
    protocol = WebSocketProtocol()
    protocol.factory = WebSocketFactory(SimpleNamespace())
    assert isinstance(outbox_of(partial(print, protocol)), DaphneOutbox)
    assert type(outbox_of(Gate())) is Outbox
    for name in ("sendPreparedMessage", "sendCloseFrame", "STATE_OPEN"):
        assert hasattr(protocol, name)
