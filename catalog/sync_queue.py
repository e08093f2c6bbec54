"""Asking for a sync: the app that does it says how, as the catalogue does not import it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

# request(user id, show ids or None for all that are due) -> the number of the run that waits or goes on.
requests: Final[list[Callable[[int | None, Sequence[UUID] | None], int]]] = []


def queue_sync(user_id: int | None, show_ids: Iterable[UUID] | None = None) -> int | None:
    """Has the workers sync these shows whatever their age, or all that are due with None, once this is committed.

    Returns the number of the run; None when there is nothing to do.
    """
    chosen = None if show_ids is None else list(show_ids)
    if chosen == []:
        return None  # it would be taken for all that are due
    return next((request(user_id, chosen) for request in requests), None)
