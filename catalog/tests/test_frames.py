"""What a client is sent: JSON of `type`, `ts` and `payload`."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from catalog.feed import Event
from catalog.frames import event_frame, frame
from catalog.origins import is_site, may_connect

SHOW, OTHER = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_event_is_told_as_the_feed_has_it_with_the_time_of_the_change() -> None:
    text = event_frame(Event(7, NOON, "show_updated", SHOW, ("genres", "name"), None)).text

    assert json.loads(text) == {
        "type": "show_updated",
        "ts": "2026-03-01T12:00:00.000000Z",
        "payload": {"show_id": str(SHOW), "changed": ["genres", "name"], "event_id": 7},
    }


def test_a_merge_tells_where_the_show_went() -> None:
    payload = json.loads(event_frame(Event(7, NOON, "show_merged", SHOW, (), OTHER)).text)["payload"]

    assert payload == {"show_id": str(SHOW), "merged_into": str(OTHER), "changed": [], "event_id": 7}


def test_its_size_is_that_of_its_bytes() -> None:
    told = frame("error", {"detail": "é\u2028😀"})

    assert told.size == len(told.text.encode())
    assert json.loads(told.text)["payload"] == {"detail": "é\u2028😀"}


def test_a_frame_of_now_says_when_in_utc() -> None:
    told = json.loads(frame("pong", {}).text)

    assert told["payload"] == {}
    assert told["ts"].endswith("Z")
    assert datetime.fromisoformat(told["ts"]).utcoffset() == timedelta(0)


def test_a_time_of_elsewhere_keeps_its_offset() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=2)))

    assert datetime.fromisoformat(json.loads(frame("pong", {}, there).text)["ts"]) == NOON


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("https://trr.example", True),
        ("http://TRR.example:8000", True),
        ("http://[::1]:8000", True),
        ("https://app.example", True),
        ("https://app.example:8443", False),
        ("http://app.example", False),
        ("https://trr.example.evil.example", False),
        ("https://evil.example/trr.example", False),
        ("https://trr.example@evil.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
        ("file://", False),
    ],
)
def test_origins_are_ours_by_their_host_and_others_by_the_setting(settings: object, origin: str, ours: bool) -> None:
    settings.ALLOWED_HOSTS = ["trr.example", "[::1]"]  # type: ignore[attr-defined]
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]  # type: ignore[attr-defined]

    assert may_connect(origin) is ours
    assert is_site(origin) is (ours and "app.example" not in origin)  # whose cookie counts
