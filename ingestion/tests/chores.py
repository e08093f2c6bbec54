"""Tasks for the workers of the tests, each an importable name."""

import os
import signal
import time
from pathlib import Path


def note(path: str, text: str, seconds: float = 0.0) -> None:
    """Notes its begin and its end in a file."""
    add(path, f"begin {text}")
    time.sleep(seconds)
    add(path, f"end {text}")


def kill_the_worker(path: str) -> None:
    add(path, "begin poison")
    os.kill(os.getpid(), signal.SIGKILL)


def fail(path: str) -> None:
    add(path, "begin failure")
    raise ValueError("as it always does")


def add(path: str, line: str) -> None:
    file = os.open(Path(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)
