"""One reader of rows for all WebSocket clients of a process: started with the first, ended with the last."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Protocol, Self, TypeVar

from django.conf import settings

from catalog.frames import Frame, frame
from catalog.outbox import Outbox
from catalog.reading import OUT_OF_REACH, in_thread

log = logging.getLogger(__name__)

T = TypeVar("T")

SLICE = 0.005  # seconds of sending after which the loop may do something else, like serving HTTP
BACKOFF = (0.5, 1.0, 2.0, 5.0)  # seconds between tries of a database that is out of reach
RECHECKED_AT_ONCE = 50


class Member(Protocol):
    """A connection, as its reader sees it."""

    outbox: Outbox

    def check(self) -> "Callable[[], str] | None": ...

    def expel(self, verdict: str) -> None: ...


class Broadcast:
    """A subclass says how its reader starts (`start`), what it looks for (`look`) and how often (`pause`).

    Of each subclass there is one in each event loop that has clients; `here` gives it.
    """

    _all: ClassVar[dict[tuple[type, asyncio.AbstractEventLoop], "Broadcast"]] = {}

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.members: set[Member] = set()  # all who have come
        self.live: dict[Member, None] = {}  # those of them who are told what happens, in the order they came
        self.asked = asyncio.Event()
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=type(self).__name__)
        self.tasks: list[asyncio.Task[None]] = []
        self.beat_at = self.look_at = 0.0

    @classmethod
    def here(cls) -> Self:
        key = (cls, asyncio.get_running_loop())
        found = cls._all.get(key)
        if found is None:
            found = cls._all[key] = cls()
        assert isinstance(found, cls)
        return found

    @classmethod
    def close_all(cls, code: int, reason: str) -> None:
        """The clients of all readers of this process, where it stops. Called in the loop that they are in."""
        for reader in list(cls._all.values()):
            for member in list(reader.members):
                member.outbox.close(code, reason)

    async def start(self) -> None: ...

    async def look(self) -> None: ...

    def heartbeat(self) -> dict[str, Any]:
        return {}

    def pause(self) -> float:
        return float(settings.WS_POLL_SECONDS)

    def companions(self) -> Iterable[Awaitable[None]]:
        """What else runs as long as there are clients."""
        return ()

    def admit(self, member: Member) -> None:
        """At once after `here`, so that the reader does not end in between with whoever leaves. `leave` in any case."""
        self.members.add(member)
        if not self.tasks:
            for work in (self.run(), self.recheck(), *self.companions()):
                task = asyncio.ensure_future(work)
                task.add_done_callback(self.is_over)
                self.tasks.append(task)

    async def is_ready(self) -> None:
        """Returns when the reader knows where it stands."""
        await asyncio.shield(self.ready)

    def is_over(self, task: "asyncio.Task[None]") -> None:
        """A reader that fails must not leave clients behind that wait for ever."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("a reader for WebSocket clients failed: they are closed", exc_info=error)
        for member in list(self.members):
            member.outbox.close(1011, "an error: reconnect with since=ID of the last event")
        self.stop()

    def leave(self, member: Member) -> None:
        self.members.discard(member)
        self.live.pop(member, None)
        if not self.members:
            self.stop()

    def stop(self) -> None:
        if self._all.get(key := (type(self), self.loop)) is self:  # one that failed may have been followed by another
            del self._all[key]
        for task in self.tasks:
            task.cancel()
        self.thread.shutdown(wait=False)

    def wake(self) -> None:
        self.asked.set()

    async def run(self) -> None:
        await self.patiently(self.start)
        self.beat_at = self.loop.time() + settings.WS_HEARTBEAT_SECONDS
        self.ready.set_result(None)
        while True:
            await self.wait()
            # From here and not from its end, or what takes long to tell delays what comes after it.
            self.look_at = self.loop.time() + self.pause()
            await self.patiently(self.look)
            await self.beat()

    async def beat(self) -> None:
        """When it is time. Never within a `tell`, where some have not yet been told what others have."""
        if self.loop.time() >= self.beat_at:
            self.beat_at = self.loop.time() + settings.WS_HEARTBEAT_SECONDS
            await self.tell(text_frames(frame("heartbeat", self.heartbeat())))

    async def wait(self) -> None:
        timer = self.loop.call_at(min(self.look_at, self.beat_at), self.asked.set)
        await self.asked.wait()
        timer.cancel()
        self.asked.clear()

    async def patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does it; tries again and again while the database is out of reach, which is logged once. Clients stay."""
        tries = 0
        while True:
            try:
                await work()
            except OUT_OF_REACH as error:
                if not tries:
                    log.warning("the database is out of reach (%s): WebSocket clients wait", type(error).__name__)
                await self.beat()  # who heard none would take the server for dead, and connect again and again
                await asyncio.sleep(BACKOFF[min(tries, len(BACKOFF) - 1)])
                tries += 1
            else:
                if tries:
                    log.warning("the database is there again: WebSocket clients are told what happened meanwhile")
                return

    async def read(self, read: Callable[..., T], *args: Any) -> T:
        """In this reader's own thread: however much single clients ask, it does not wait for them."""
        return await in_thread(read, *args, executor=self.thread)

    async def tell(self, give: Callable[[Any], object]) -> None:
        """`give(member)` to all who are live now, with pauses in which other things are done."""
        until = self.loop.time() + SLICE
        for member in list(self.live):
            give(member)
            if self.loop.time() > until:
                await asyncio.sleep(0)
                until = self.loop.time() + SLICE

    async def recheck(self) -> None:
        """Logins end and rights are taken away: who has lost them is put out within WS_RECHECK_SECONDS."""
        while True:
            await asyncio.sleep(settings.WS_RECHECK_SECONDS)
            checks = [(member, check) for member in self.members if (check := member.check())]
            for start in range(0, len(checks), RECHECKED_AT_ONCE):
                some = checks[start : start + RECHECKED_AT_ONCE]
                try:
                    verdicts = await in_thread(verdicts_of, [check for _, check in some])
                except OUT_OF_REACH:  # `look` says so
                    break
                for (member, _), verdict in zip(some, verdicts, strict=True):
                    if verdict:
                        member.expel(verdict)


def verdicts_of(checks: list[Callable[[], str]]) -> list[str]:
    return [check() for check in checks]


def text_frames(*frames: Frame) -> Callable[[Any], None]:
    """For `tell`: these, to all."""

    def give(member: Member) -> None:
        for one in frames:
            member.outbox.put(one)

    return give
