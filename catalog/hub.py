"""The reader of changes: new rows become frames once, and go to every client that wants them.

It is woken by the bell and in any case looks every WS_POLL_SECONDS, so a lost bell costs that and nothing else.

No gap, no repeat: `position` is the id of the last event that was read, and all who are live have been given
what they want up to there or are being given it. Who joins is live from the position of that moment, taken
without a pause in between; who comes with `since=` is first given what lies between from the rows.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any, Protocol

from channels.layers import InMemoryChannelLayer, get_channel_layer

from catalog import bell
from catalog.broadcast import Broadcast, Member
from catalog.feed import Event, newest_id, read_events
from catalog.frames import Frame, event_frame
from catalog.topics import Topic

log = logging.getLogger(__name__)

CHUNK = 200  # events read, and sent, at a time
BREATH = 0.005  # seconds between chunks of many, in which sockets take what was written to them
RENEW = 10.0  # seconds after which the group is joined again: a Redis that was started anew knows of nobody


class Follower(Member, Protocol):
    topic: Topic
    after: int  # it has been given what it wants up to this event


class ChangesHub(Broadcast):
    position = 0

    async def start(self) -> None:
        bell.listen(self, self.wake_from_any_thread)
        self.position = await self.read(newest_id)

    def stop(self) -> None:
        bell.deafen(self)
        super().stop()

    def wake_from_any_thread(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self.loop.call_soon_threadsafe(self.wake)

    def heartbeat(self) -> dict[str, int]:
        return {"event_id": self.position}

    def companions(self) -> Iterable[Awaitable[None]]:
        layer = get_channel_layer()
        return () if layer is None or isinstance(layer, InMemoryChannelLayer) else (self.hear(layer),)

    async def look(self) -> None:
        while True:
            events = await self.read(read_events, self.position, CHUNK)
            if not events:
                return
            pairs = [(event, event_frame(event)) for event in events]
            self.position = events[-1].id
            await self.tell(partial(give, pairs))
            if len(events) < CHUNK:
                return
            await asyncio.sleep(BREATH)

    def follow(self, follower: Follower, after: int) -> None:
        """From now on it is told all that it wants after this event, which no lower than the position may be."""
        assert after >= self.position
        follower.after = after
        self.live[follower] = None

    async def hear(self, layer: Any) -> None:
        """The bell of other processes, over Redis."""
        channel = await layer.new_channel()
        try:
            await self.hear_in(layer, channel)
        finally:
            # Else Redis keeps for a day what nobody hears any more, and rings there too.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(layer.group_discard(bell.GROUP, channel), bell.PATIENCE)

    async def hear_in(self, layer: Any, channel: str) -> None:
        silent = False
        while True:
            try:
                while True:
                    await layer.group_add(bell.GROUP, channel)
                    if silent:
                        log.warning("Redis is there again: the bell of other processes is heard")
                    silent = False
                    self.wake()  # what was rung for meanwhile
                    await self.hear_for_a_while(layer, channel)
            except Exception as error:  # noqa: BLE001 - whatever it is, clients lose no more than the bell
                if not silent:
                    log.warning("Redis is out of reach (%s): changes are looked for", type(error).__name__)
                silent = True
                await asyncio.sleep(1)

    async def hear_for_a_while(self, layer: Any, channel: str) -> None:
        try:
            async with asyncio.timeout(RENEW):
                while True:
                    await layer.receive(channel)
                    self.wake()
        except TimeoutError:
            return


def give(pairs: list[tuple[Event, Frame]], follower: Follower) -> None:
    topic, outbox, after = follower.topic, follower.outbox, follower.after
    for event, frame in pairs:
        if event.id > after and topic.wants(event):
            outbox.put(frame)
