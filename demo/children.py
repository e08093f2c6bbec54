"""Child processes that end together: each in a group of its own, so that what it started ends too."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

GRACE = 5.0  # seconds between asking a child to end and ending it


class Stopped(Exception):
    """Ctrl-C or SIGTERM."""


class Child:
    """A running process. With `log` its output goes to that file, else to the terminal."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path | None = None
    ) -> None:
        self.name, self.log = name, log
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(log.open("wb")) if log else None
            self.process = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT if out else None,
                start_new_session=True,
            )

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log else []
        return "\n".join(lines[-15:])

    def kill_group(self) -> None:
        # Also when the child itself has ended: those it started may live on.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def run(name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> int:
    """Run to the end and return the exit code. Ends the child when this process is told to stop."""
    child = Child(name, command, env, cwd)
    try:
        while child.process.poll() is None:
            pause(0.05)
        return child.process.returncode
    finally:
        end([child])


def end(children: Sequence[Child]) -> None:
    """SIGTERM to every child, and SIGKILL to what is left of its group when it has gone or after the grace."""
    for child in children:
        # To the child alone: the worker then ends its processes in order. Told all at once, they hang.
        child.process.terminate()
    deadline = time.monotonic() + GRACE
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, deadline - time.monotonic()))
    for child in children:
        child.kill_group()
        child.process.wait()


# A flag and not an exception from the handler: that could strike between a child's start and our knowing
# of it, or in the middle of ending the children.
_told_to_stop = False


def stop_on_signals() -> None:
    """From now on SIGINT and SIGTERM make the next `pause` raise Stopped."""

    def stop(number: int, frame: FrameType | None) -> None:
        global _told_to_stop
        _told_to_stop = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def pause(seconds: float) -> None:
    time.sleep(seconds)
    if _told_to_stop:
        raise Stopped
