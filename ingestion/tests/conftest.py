"""Fixtures that the tests of runs, chunks and queues share."""

import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def dead_pid():
    """The id of a process that has ended and was reaped."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(30)
    return process.pid
