"""A real daphne, and a real Redis, in processes of their own, for tests from end to end."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30  # seconds


def environment(**more: str) -> dict[str, str]:
    """Of a process that uses the database of this test."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        password = f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else ""
        where = f"{database['HOST']}:{database['PORT'] or 5432}"
        url = f"postgres://{database['USER']}{password}@{where}/{database['NAME']}"
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "trr_site.settings",
        "ENV_FILE": "",
        "SECRET_KEY": "test-secret-key",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": url,
    } | more


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "it ended at once"
            assert time.monotonic() < until, "it did not start"
            time.sleep(0.05)
        else:
            return


@contextmanager
def running(command: list[str], port: int, env: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)
        try:
            wait_for(port, process)
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def daphne(log: Path, **more: str) -> Iterator[str]:
    """Gives the address of its rooms."""
    port = free_port()
    command = [sys.executable, "-m", "daphne", "-v0", "-b", "127.0.0.1", "-p", str(port), "trr_site.asgi:application"]
    with running(command, port, environment(**more), log):
        yield f"ws://127.0.0.1:{port}/api/v1/ws"


@contextmanager
def redis(log: Path) -> Iterator[str]:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("there is no redis-server")
    port = free_port()
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(log.parent)]
    with running(command, port, {"PATH": os.environ["PATH"]}, log):
        yield f"redis://127.0.0.1:{port}/0"


EDIT = """
import sys, django
django.setup()
from catalog.changes import Author
from catalog.edits import edit_show
for number in range(int(sys.argv[2])):
    change = edit_show(sys.argv[1], {"description": f"{sys.argv[3]} {number}"}, Author())
    print(change.pk, flush=True)
"""


def edit_elsewhere(show_id: object, times: int = 1, text: str = "Text", **more: str) -> list[int]:
    """Edits the show in a third process; gives the ids of the changes."""
    command = [sys.executable, "-c", EDIT, str(show_id), str(times), text]
    done = subprocess.run(command, cwd=ROOT, env=environment(**more), check=True, capture_output=True, text=True)
    return [int(line) for line in done.stdout.split()]
