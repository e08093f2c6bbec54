"""Asking for a sync: by the name of its task, as the catalogue does not import the app that does it."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django_q.tasks import async_task

TASK: Final = "ingestion.tasks.sync_shows"


def queue_sync(user_id: int | None, show_ids: Iterable[UUID] | None = None) -> None:
    """Has the worker sync these shows whatever their age, or all that are due with None, once this is committed."""
    options: dict[str, Any] = {"user_id": user_id}
    if show_ids is not None:
        options["show_ids"] = [str(pk) for pk in show_ids]
        if not options["show_ids"]:
            return  # the task takes an empty list for all that are due
    transaction.on_commit(partial(async_task, TASK, **options))
