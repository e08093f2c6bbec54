"""How far a run is, and how long it will take."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.models import SyncRun
from ingestion.progress import figures_of, seconds_left, time_left

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(seconds: float = 60, **values: Any) -> dict[str, Any]:
    facts = {"status": "running", "done": 20, "total": 100, "started_at": BEGAN}
    return facts | {"heartbeat_at": BEGAN + timedelta(seconds=seconds)} | values


def test_what_is_left_takes_as_long_for_each_as_what_is_done() -> None:
    assert seconds_left(row()) == 240
    assert seconds_left(row(done=100)) == 0
    assert seconds_left(row(done=120)) == 0  # it was more than was thought


@pytest.mark.parametrize(
    "unknown",
    [{"done": 0}, {"total": None}, {"status": "queued"}, {"status": "failed"}, {"seconds": 4}, {"seconds": -9}],
)
def test_before_enough_is_known_nothing_is_said(unknown: dict[str, Any]) -> None:
    assert seconds_left(row(**unknown)) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0, "less than a minute left"),
        (59, "less than a minute left"),
        (60, "about 1 min left"),
        (200, "about 3 min left"),
        (3599, "about 1 h 0 min left"),
        (7900, "about 2 h 12 min left"),
    ],
)
def test_the_time_that_is_left_in_words(seconds: int | None, words: str) -> None:
    assert time_left(seconds) == words


def test_no_text_of_a_run_is_among_its_figures() -> None:
    run = SyncRun(pk=12, kind="sync_shows", counts={"failed": 2}, error="secret", host="web-1", pid=1)

    told = figures_of(run)

    assert (told["run_id"], told["failed"]) == (12, 2)
    assert not {"error", "host", "options", "heartbeat_at"} & set(told)
