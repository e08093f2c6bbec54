"""How daphne stops: what it leaves out is done here, so that a restart costs nobody an answer.

At SIGTERM daphne cancels all requests at once, cuts their connections and, while it waits for threads that can't be
cancelled, still takes new ones. Here it takes no new ones, tells WebSocket clients to come again, and ends when the
requests at work have been answered and all is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred
from twisted.internet.tcp import Port

from catalog.broadcast import Broadcast

GRACE: Final = 15  # seconds; whoever sent SIGTERM waits for 20 and then kills
LOOK: Final = 0.02  # seconds between looks whether all is done, while it stops
RESTART: Final = 1012

reactor: Any = the_reactor  # its type is the interface of a class, and tells mypy nothing of its methods
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Unhurried:
    """An HTTP application whose requests come to their end, though the server that stops cancels them."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.requests: set[asyncio.Future[None]] = set()
        self.stopping = False
        # Before daphne's own, which is added as it starts. Under another server it is never called.
        reactor.addSystemEventTrigger("before", "shutdown", self.stop)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = asyncio.ensure_future(self.application(scope, receive, send))
        self.requests.add(request)
        request.add_done_callback(self.requests.discard)
        try:
            await asyncio.shield(request)
        except asyncio.CancelledError:
            if not self.stopping:  # its client has left
                request.cancel()
            raise

    def stop(self) -> "Deferred[None]":
        self.stopping = True
        for listening in reactor.getReaders():
            if isinstance(listening, Port):
                listening.stopListening()  # type: ignore[no-untyped-call]
        Broadcast.close_all(RESTART, "the server stops: reconnect with since=ID of the last event")
        return Deferred.fromFuture(asyncio.ensure_future(self.settle()))

    async def settle(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await asyncio.sleep(LOOK)  # what was written now is given to the network in the loop's next turns
                while self.requests or reactor.getWriters():
                    await asyncio.sleep(LOOK)
