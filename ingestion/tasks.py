"""The worker's doors: each takes plain values and makes one call."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model

from ingestion.options import Options
from ingestion.runs import AlreadyRunning
from ingestion.sync import sync_shows as sync


def sync_shows(show_ids: Sequence[str] = (), user_id: int | None = None) -> dict[str, Any]:
    """Syncs the named shows whatever their age, or all that are due. Safe to run twice."""
    user = get_user_model().objects.filter(pk=user_id).first() if user_id else None
    options = Options(show_ids=tuple(UUID(one) for one in show_ids), force=bool(show_ids))
    # A selection of its own is a kind of its own: two buttons must not keep each other's shows from being synced.
    chosen = sha256(",".join(sorted(show_ids)).encode()).hexdigest()[:12]
    kind = f"sync_selected {chosen}" if show_ids else "sync_shows"
    try:
        return sync(options, kind=kind, user=user).as_json()
    except AlreadyRunning as error:
        # Not an error of this task: django-q2 would try again and again.
        return {"error": str(error), "exit_code": 3}
