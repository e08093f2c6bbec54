"""Which process this is, and whether one that is known by its number still runs."""

import os
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from trr_site.version import code_version

START_TIME = 19  # of the fields of /proc/PID/stat behind the name, in ticks since the boot: proc(5)
CLOCK_SLACK = 5.0  # seconds between two clocks of one machine


def here() -> dict[str, Any]:
    """Where something goes on, for the row that tells of it."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "version": code_version()}


def is_gone(host: str, pid: int, since: datetime) -> bool:
    """Whether it is known that a process that ran at that moment runs no more: of other hosts nothing is."""
    return host == socket.gethostname() and not process_exists(pid, since)


def process_exists(pid: int, since: datetime | None = None) -> bool:
    """Whether a process of this host runs; one that is dead but not yet waited for by its parent does not.

    With `since` it must have run at that moment: the number of a dead one is given to another, soon in a container.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        return True
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:  # no /proc here
        return True
    age = uptime - int(fields[START_TIME]) / os.sysconf("SC_CLK_TCK")  # seconds
    if since is not None and (timezone.now() - since).total_seconds() > age + CLOCK_SLACK:
        return False
    return fields[0] != "Z"
