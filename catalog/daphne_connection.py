"""What daphne leaves out of ASGI, done on its protocol object itself. All that knows of it stands here.

Daphne's `send` returns at once however much the client has not read, and so a client that stops reading takes
the server's memory; it takes messages of any size into memory before the application sees them; it drops the
reason of a close, and refuses the codes below 3000 that the standard names for these cases. Its protocol object
is within reach: `send` is `partial(server.handle_reply, protocol)`, which the middlewares hand through as it is.
"""

from collections import deque
from functools import partial
from typing import Any

from autobahn.util import encode_truncate
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings

from catalog.frames import Frame
from catalog.outbox import Outbox

REASON_BYTES = 123  # what a close frame holds
CLOSE_PATIENCE = 10  # seconds for a client that is behind to read on, as far as the reason why it was closed


def outbox_of(send: Any) -> Outbox:
    """The outbox for a connection that is not yet accepted."""
    if isinstance(send, partial) and send.args and isinstance(send.args[0], WebSocketProtocol):
        return DaphneOutbox(send, send.args[0])
    return Outbox(send)


class DaphneOutbox(Outbox):
    """Writes to the connection at once as long as the client reads, and keeps what comes while it does not.

    It is the transport's producer: asked to pause when the transport holds 64 kB that the client has not taken,
    and to resume when that has gone.
    """

    __slots__ = ("_paused", "_protocol")

    def __init__(self, send: Any, protocol: Any) -> None:
        super().__init__(send)
        self._protocol = protocol
        self._paused = False
        protocol.maxFramePayloadSize = protocol.maxMessagePayloadSize = settings.WS_MAX_MESSAGE
        protocol.failByDrop = False  # so that a client whose message is too long is told so: 1009
        protocol.closeHandshakeTimeout = CLOSE_PATIENCE

    async def accept(self) -> None:
        await super().accept()
        transport = self._protocol.transport
        transport.unregisterProducer()  # the HTTP side of the connection, which is over
        transport.registerProducer(self, True)

    def put(self, frame: Frame) -> None:
        if self.closed:
            return
        if self._paused:
            self._keep(frame)
        else:
            self._write(frame)

    def close(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        while self._waiting:  # little: who has much of it is too slow, and what waited was thrown away
            item = self._waiting.popleft()
            assert isinstance(item, Frame)
            self._write(item)
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._protocol.sendCloseFrame(code, encode_truncate(reason, REASON_BYTES), isReply=False)
        self._forget()

    def _is_waiting(self) -> bool:
        return self._paused

    def _write(self, frame: Frame) -> None:
        protocol = self._protocol
        if protocol.state != protocol.STATE_OPEN:
            return
        if frame.prepared is None:
            frame.prepared = protocol.factory.prepareMessage(frame.text.encode(), False)
        protocol.sendPreparedMessage(frame.prepared)

    # The transport calls these.

    def pauseProducing(self) -> None:  # noqa: N802
        self._paused = True

    def resumeProducing(self) -> None:  # noqa: N802
        self._paused = False
        waiting: deque[Any] = self._waiting or deque()
        while waiting and not self._paused:
            frame = waiting.popleft()
            self._size -= frame.size
            self._write(frame)
        if not self._paused:
            self._forget()

    def stopProducing(self) -> None:  # noqa: N802
        self.give_up()
