"""What waits to be sent to one WebSocket client: in order, bounded, and in nobody's way."""

import asyncio
from collections import deque
from typing import Any

from django.conf import settings

from catalog.frames import Frame

TOO_SLOW = "too slow: reconnect with since=ID of the last event"


class Outbox:
    """For a server whose `send` returns when the client can take more (or the server has given it up).

    `put` and `close` never wait. A client for whom more is waiting than the settings allow is closed, with what
    waits for it thrown away: it reconnects with `since=`, and the rows tell it the rest.
    """

    __slots__ = ("_drained", "_send", "_size", "_task", "_waiting", "closed")

    def __init__(self, send: Any) -> None:
        self._send = send
        # Without any, as most are at most times: an empty deque takes more memory than the rest of this.
        self._waiting: deque[Frame | dict[str, Any]] | None = None
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self.closed = False

    async def accept(self) -> None:
        await self._send({"type": "websocket.accept"})

    def put(self, frame: Frame) -> None:
        if not self.closed:
            self._keep(frame)
            self._go_on()

    def close(self, code: int, reason: str) -> None:
        """Closes behind what is waiting; later frames are dropped."""
        if self.closed:
            return
        self.closed = True
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append({"type": "websocket.close", "code": code, "reason": reason})
        self._go_on()

    def give_up(self) -> None:
        """The connection is gone."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
        self._forget()

    async def drained(self) -> None:
        """Returns when nothing waits any more, or the connection is closed."""
        while self._is_waiting() and not self.closed:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)

    def _is_waiting(self) -> bool:
        return self._waiting is not None

    def _keep(self, frame: Frame) -> None:
        if self._waiting is None:
            self._waiting = deque()
        if len(self._waiting) >= settings.WS_QUEUED_FRAMES or self._size + frame.size > settings.WS_QUEUED_BYTES:
            self._forget()
            self.close(1013, TOO_SLOW)
            return
        self._waiting.append(frame)
        self._size += frame.size

    def _forget(self) -> None:
        self._waiting, self._size = None, 0
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    def _go_on(self) -> None:
        if self._task is None and self._waiting is not None:
            self._task = asyncio.create_task(self._send_waiting())

    async def _send_waiting(self) -> None:
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, Frame):
                self._size -= item.size
                item = {"type": "websocket.send", "text": item.text}
            await self._send(item)
        self._task = None
        self._forget()
