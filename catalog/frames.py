"""What a WebSocket client is sent: JSON of `type`, `ts` and `payload`, rendered once for all who get it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from catalog.feed import Event


class Frame:
    """A text that is ready to be sent. `prepared` is a server's own form of it, kept by who sends it."""

    __slots__ = ("prepared", "size", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = len(text)
        self.prepared: Any = None


def frame(kind: str, payload: Mapping[str, Any], ts: datetime | None = None) -> Frame:
    when = (ts or timezone.now()).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return Frame(json.dumps({"type": kind, "ts": when, "payload": payload}, separators=(",", ":")))


def event_frame(event: Event) -> Frame:
    payload: dict[str, Any] = {"show_id": str(event.show_id)}
    if event.merged_into is not None:
        payload["merged_into"] = str(event.merged_into)
    return frame(event.type, payload | {"changed": list(event.changed), "event_id": event.id}, event.ts)
