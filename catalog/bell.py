"""The bell that is rung after a commit which made changes, so that those who wait read their rows at once.

It carries nothing: the rows are the truth, and who never hears it reads them a little later. So it may be
lost, and it must never hold up or fail the write that rings it.
"""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final

from channels.layers import InMemoryChannelLayer, get_channel_layer

log = logging.getLogger(__name__)

GROUP: Final = "changes"  # of the channel layer
PATIENCE = 2.0  # seconds for one ring over Redis

_listeners: dict[object, Callable[[], None]] = {}


def listen(key: object, wake: Callable[[], None]) -> None:
    """`wake` is called, in any thread, whenever the bell is rung in this process, until `deafen(key)`."""
    _listeners[key] = wake


def deafen(key: object) -> None:
    _listeners.pop(key, None)


def ring() -> None:
    """Wakes those who listen in this process at once, and over Redis those in others; never waits, never raises."""
    for wake in tuple(_listeners.values()):
        wake()
    layer = get_channel_layer()
    if layer is not None and not isinstance(layer, InMemoryChannelLayer):
        _over_redis.ring()


class RedisBell:
    """Rings over the channel layer, from a thread of its own: one ring under way, all that come meanwhile are one."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.silent = False
        self.done = threading.Event()  # nothing is under way
        self.done.set()

    def ring(self) -> None:
        self.asked.set()
        if self.thread is None:
            with self.lock:
                if self.thread is None:
                    self.thread = threading.Thread(target=self.work, name="bell", daemon=True)
                    self.thread.start()

    def work(self) -> None:
        loop = asyncio.new_event_loop()
        while True:
            self.asked.wait()
            self.done.clear()
            self.asked.clear()
            try:
                loop.run_until_complete(asyncio.wait_for(self.send(), PATIENCE))
            except Exception as error:  # noqa: BLE001 - whatever it is, the next ring is tried
                # The error's text may name the address, with the password in it.
                if not self.silent:
                    log.warning(
                        "Redis is out of reach (%s): WebSocket clients of other processes hear of changes by the poll",
                        type(error).__name__,
                    )
                self.silent = True
            else:
                self.silent = False
            self.done.set()

    def finish(self) -> None:
        """Waits for the last ring of a process that ends, no longer than a ring may take."""
        until = time.monotonic() + PATIENCE
        while (self.asked.is_set() or not self.done.is_set()) and time.monotonic() < until:
            time.sleep(0.005)

    async def send(self) -> None:
        layer = get_channel_layer()
        assert layer is not None
        await layer.group_send(GROUP, {"type": "ring"})


_over_redis = RedisBell()


def forget_thread() -> None:
    """A forked process (a task worker) has none of its parent's threads."""
    global _over_redis
    _over_redis = RedisBell()
    _listeners.clear()


os.register_at_fork(after_in_child=forget_thread)
atexit.register(lambda: _over_redis.finish())
