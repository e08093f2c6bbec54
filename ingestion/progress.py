"""How far runs are, in figures alone: the same for the staff room and for admin. Why one failed stands on its page."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from ingestion.models import SyncRun

Status = SyncRun.Status
OPEN: Final = (Status.QUEUED, Status.RUNNING)
COLUMNS: Final = (
    *("id", "kind", "status", "done", "total", "counts", "requests", "started_at", "finished_at"),
    "heartbeat_at",
)
FAILURES: Final = ("failed", "logos failed")  # of a run's counts
ENOUGH: Final = timedelta(seconds=5)  # of work, before which nothing can be said of the rest

Row = Mapping[str, Any]


def figures(row: Row) -> dict[str, Any]:
    """What is told of a run: of its COLUMNS the heartbeat alone is left out, as it beats whatever happens."""
    told = {("run_id" if name == "id" else name): row[name] for name in COLUMNS if name != "heartbeat_at"}
    return told | {"failed": failed(row["counts"]), "seconds_left": seconds_left(row)}


def figures_of(run: SyncRun) -> dict[str, Any]:
    return figures({name: getattr(run, name) for name in COLUMNS})


def failed(counts: Mapping[str, int]) -> int:
    return sum(counts.get(name, 0) for name in FAILURES)


def seconds_left(row: Row) -> int | None:
    """How long a run will still take if it goes on as it did up to its last heartbeat; None where nobody can say."""
    done: int = row["done"]
    total: int | None = row["total"]
    worked: timedelta = row["heartbeat_at"] - row["started_at"]
    if row["status"] != Status.RUNNING or not done or total is None or worked < ENOUGH:
        return None
    return round(worked.total_seconds() / done * max(total - done, 0))


def time_left(seconds: int | None) -> str:
    """`about 3 min left`; empty where nobody can say."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "less than a minute left"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"about {f'{hours} h ' if hours else ''}{minutes} min left"
