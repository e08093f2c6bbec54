"""Problems of jobs. No app knows the others: each adds how its own are found, and one of them how people are told.

A problem has a key that stays the same as long as it lasts, and a text: what is wrong, where, and what to do.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

log = logging.getLogger(__name__)

finders: Final[list[Callable[[datetime], dict[str, str]]]] = []
tellers: Final[list[Callable[[], object]]] = []


@contextmanager
def problems_told(*, dry_run: bool) -> Iterator[None]:
    """Around a command's run: tells operators of the problems that are there when it has ended, however it did.

    A worker does so each minute; who has cron alone hears of them by this. It never changes how the command ends.
    """
    try:
        yield
    finally:
        if not dry_run:
            try:
                for tell in tellers:
                    tell()
            except Exception as error:  # noqa: BLE001  whatever it is, the run has done its work
                log.warning("it could not be told whether there are problems: %s", type(error).__name__)
