"""Reading the database from an event loop, in threads that hold no connection while they wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from django.db import Error, connection

T = TypeVar("T")

OUT_OF_REACH: Final = (Error, OSError)

# For what single clients ask (what they missed, who they are): many at once must not take every connection.
READERS: Final = ThreadPoolExecutor(3, thread_name_prefix="reader")


async def in_thread(read: Callable[..., T], *args: Any, executor: Executor = READERS) -> T:
    """`read(*args)`, run in a thread. Raises what it raises, OUT_OF_REACH where the database is."""
    return await asyncio.get_running_loop().run_in_executor(executor, with_own_connection, read, *args)


def with_own_connection(read: Callable[..., T], *args: Any) -> T:
    try:
        return read(*args)
    finally:
        # To the pool where there is one; where not, a connection that idles in a thread would be kept for ever.
        connection.close()
