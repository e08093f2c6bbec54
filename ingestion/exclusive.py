"""Transactions of which one at a time goes on, however many processes want to."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

SCHEDULES_LOCK = 0x545253  # PostgreSQL's advisory locks; the feed of changes has the number before these
PROBLEMS_LOCK = 0x545254


@contextmanager
def exclusive(lock: int) -> Iterator[None]:
    """A transaction of its own, never part of another. (On SQLite there is never more than one writer.)"""
    with transaction.atomic(durable=True):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        yield
