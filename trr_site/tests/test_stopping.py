"""SIGTERM to the very commands that a deployment starts: who is being answered gets the answer, and 0 is the end."""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import websockets
from django.db import connection, transaction

from catalog.models import AccessEvent
from catalog.tests.daphnes import PATIENCE, ROOT, environment, free_port, wait_for

from .deployment import of_image, services

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]

COMMANDS = {"granian": of_image("CMD")[-1].words, "daphne": services()["ws"]["command"]}
TOKEN = "a" * 32


@contextmanager
def serving(server: str, log: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The command of the deployment, on a free port of this machine and the database of this test."""
    port = free_port()
    moved = {"8000": str(port), "8001": str(port), "0.0.0.0": "127.0.0.1"}  # noqa: S104
    program, *options = [moved.get(word, word) for word in COMMANDS[server]]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / program), *options],
            cwd=ROOT,
            env=environment(),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            wait_for(port, process)
            yield process, port
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a killed granian would leave its workers behind
            process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.02)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False


def somebody_waits() -> bool:
    """Whether another process waits for what this test has locked; of SQLite, whether one is at work with the file."""
    if connection.vendor == "postgresql":
        waiting = (
            "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database "
            "WHERE NOT granted AND datname = current_database()"
        )
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            return bool(cursor.fetchone()[0])
    others = [link for link in Path("/proc").glob("[0-9]*/fd/*") if link.parts[2] != str(os.getpid())]
    return str(connection.settings_dict["NAME"]) in map(target, others)


def target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # it has ended, or is nobody of ours
        return ""


@contextmanager
def nobody_may_write() -> Iterator[None]:
    """A login is in the history, whether it succeeds or not: so it waits."""
    with transaction.atomic():  # on SQLite that alone is the lock
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {AccessEvent._meta.db_table} IN EXCLUSIVE MODE")
        yield


def log_in(port: int, answers: list[Any]) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        headers = {"Cookie": f"csrftoken={TOKEN}", "Content-Type": "application/x-www-form-urlencoded"}
        client.request("POST", "/admin/login/", f"csrfmiddlewaretoken={TOKEN}&username=anna&password=no", headers)
        response = client.getresponse()
        answers.append((response.status, b"enter the correct username" in response.read()))


@pytest.mark.parametrize("server", sorted(COMMANDS))
def test_request_at_work_is_answered_and_none_is_taken_any_more(server, tmp_path):
    answers: list[Any] = []
    with serving(server, tmp_path / "log") as (process, port):
        kept_alive = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with closing(kept_alive):
            kept_alive.request("GET", "/health")
            kept_alive.getresponse().read()
            asking = threading.Thread(target=log_in, args=(port, answers))
            with nobody_may_write():
                asking.start()
                wait_until(somebody_waits)
                process.send_signal(signal.SIGTERM)
                wait_until(lambda: refuses(port))
                assert process.poll() is None
                assert answers == []
            asking.join(PATIENCE)
            assert process.wait(PATIENCE) == 0

    assert answers == [(200, True)]
    assert list(AccessEvent.objects.values_list("kind", "username")) == [(AccessEvent.Kind.FAILED, "anna")]


@pytest.mark.asyncio
async def test_websocket_client_is_told_to_come_again(tmp_path):
    with serving("daphne", tmp_path / "log") as (process, port):
        async with websockets.connect(f"ws://127.0.0.1:{port}/api/v1/ws/shows") as client:
            await client.recv()  # subscribed

            process.send_signal(signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await asyncio.wait_for(client.recv(), PATIENCE)

        assert process.wait(PATIENCE) == 0
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        1012,
        "the server stops: reconnect with since=ID of the last event",
    )
