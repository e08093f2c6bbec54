"""The bell: it wakes who listens, and whatever becomes of it, the write that rang it goes on."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from catalog import bell
from catalog.hub import ChangesHub
from catalog.tests.daphnes import ROOT, free_port

PATIENCE = 20  # seconds; nothing waits for so long unless it fails

FORK = """
import os, django
django.setup()
from catalog import bell
bell.listen("parent", lambda: print("the parent's", flush=True))
bell.ring()
assert bell._over_redis.thread is not None
if pid := os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
bell.listen("child", lambda: print("the child's", flush=True))
bell.ring()
assert bell._over_redis.thread is not None and bell._over_redis.thread.is_alive()
os._exit(0)
"""


class Layer:
    """A channel layer that is out of this process: it holds what is sent until it is let, or fails with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.began, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.sent = 0

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        assert (group, message) == (bell.GROUP, {"type": "ring"})
        self.sent += 1
        self.began.release()
        await asyncio.to_thread(self.go_on.acquire)
        if self.error is not None:
            raise self.error


@pytest.fixture
def layer(monkeypatch: Any) -> Iterator[Layer]:
    layer = Layer()
    monkeypatch.setattr(bell, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(bell, "_over_redis", bell.RedisBell())
    yield layer
    layer.go_on.release(100)


def test_it_wakes_who_listens_until_they_do_not() -> None:
    woken: list[int] = []
    bell.listen("here", lambda: woken.append(1))
    bell.ring()
    bell.deafen("here")
    bell.deafen("here")
    bell.ring()

    assert woken == [1]


def test_rings_while_one_is_under_way_are_one_and_none_waits(layer: Layer) -> None:
    bell.ring()
    assert layer.began.acquire(timeout=PATIENCE)
    for _ in range(100):
        bell.ring()  # returns, though nothing is let through
    layer.go_on.release(2)
    assert layer.began.acquire(timeout=PATIENCE)
    bell.ring()
    assert layer.began.acquire(timeout=PATIENCE)

    assert layer.sent == 3


@pytest.mark.parametrize("error", [redis.ConnectionError("redis://:hidden-word@host"), OSError(), ValueError("odd")])
def test_a_ring_that_fails_is_said_once_and_the_next_one_is_tried(layer: Layer, caplog: Any, error: Exception) -> None:
    layer.error = error
    for _ in range(3):
        bell.ring()
        assert layer.began.acquire(timeout=PATIENCE)
        layer.go_on.release()
    layer.error = None
    bell.ring()
    assert layer.began.acquire(timeout=PATIENCE)

    assert caplog.text.count("by the poll") == 1
    assert type(error).__name__ in caplog.text
    assert "hidden-word" not in caplog.text


def test_a_server_that_has_ended_is_no_hindrance() -> None:
    async def hub() -> ChangesHub:
        return ChangesHub.here()

    loop = asyncio.new_event_loop()
    ended = loop.run_until_complete(hub())
    loop.close()
    ended.wake_from_any_thread()
    ended.stop()


def test_a_forked_process_rings_a_bell_of_its_own() -> None:
    env = {
        "DJANGO_SETTINGS_MODULE": "trr_site.settings",
        "ENV_FILE": "",
        "SECRET_KEY": "test-secret-key",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
    }
    done = subprocess.run([sys.executable, "-c", FORK], cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split("\n")) == (0, ["the parent's", "the child's", ""]), done.stderr
