"""The request budget: one rate that every thread and every process obeys, on whatever hosts they run.

Processes share it by Redis where there is one, else by their PostgreSQL; with SQLite all of them are on one
host, and share it by a file beside the database.

A turn is counted at the moment it is taken, not when it was asked for: a thread that wakes up late
then can't add to the ones that follow. (pyrate-limiter counts what was asked for, lets its waiters race,
and took 1.16 times the time that the requests need at 40 a second.)
"""

import fcntl
import math
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson
import psycopg
import redis
from django.conf import settings
from django.db import connection

BUDGET_KEY = "trr:tmdb:requests"
# Windows are this much longer than the rate asks for: travel times shift requests, and no second may
# hold one too many.
SLACK = 1.07

# In microseconds of Redis' clock, as those of the hosts differ. KEYS[1] lists the last turns, newest first;
# ARGV: turns in a window, its length, the gap between two turns. A list from the future (the clock was set
# back) is dropped. Returns how long to wait; 0 when the turn was taken.
TAKE_TURN = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local turns, window, gap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local newest = tonumber(redis.call('LINDEX', KEYS[1], 0) or 0)
if newest > now then redis.call('DEL', KEYS[1]); newest = 0 end
local oldest = tonumber(redis.call('LINDEX', KEYS[1], turns - 1) or 0)
local wait = math.max(newest + gap - now, oldest + window - now)
if wait > 0 then return wait end
redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], 0, turns - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) + 60000)
return 0
"""


# The same by the clock of PostgreSQL, in one statement: of two that meet at the row the second looks again.
# Parameters: upstream, turns, window, gap; the newest turn stands first.
NOW = "extract(epoch FROM clock_timestamp())::float8"
NEWEST, OLDEST = "(taken->>0)::float8", "(taken->>(%(turns)s::int - 1))::float8"
FREE_AT = f"greatest(coalesce({NEWEST}, 0) + %(gap)s, coalesce({OLDEST}, 0) + %(window)s)"
TAKE_ROW_TURN = f"""
UPDATE ingestion_requestbudget
SET taken = (jsonb_build_array({NOW}) || CASE WHEN {NEWEST} > {NOW} THEN '[]' ELSE taken END) - %(turns)s::int
WHERE upstream = %(upstream)s AND (coalesce({NEWEST}, 0) > {NOW} OR {FREE_AT} <= {NOW})
"""
ROW_WAIT = f"SELECT {FREE_AT} - {NOW} FROM ingestion_requestbudget WHERE upstream = %(upstream)s"
ADD_ROW = "INSERT INTO ingestion_requestbudget (upstream, taken) VALUES (%(upstream)s, '[]') ON CONFLICT DO NOTHING"
SHORTEST = 0.001  # seconds: a turn that has come free since the question


class BudgetUnavailable(Exception):
    """What the budget is shared by does not answer; the message says what, without an address."""


class Limiter(Protocol):
    def take_turn(self) -> float:
        """Takes a turn and returns 0, or returns the seconds after which to ask again. Raises BudgetUnavailable."""

    def close(self) -> None: ...


class LocalLimiter:
    """One budget for the threads of this process. window and gap are in seconds."""

    def __init__(self, turns: int, window: float, gap: float) -> None:
        self.window, self.gap = window, gap
        self._taken: deque[float] = deque([float("-inf")] * turns, maxlen=turns)
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Seconds until a turn may be taken; none is."""
        with self._lock:
            return self._wait(time.monotonic())

    def take_turn(self) -> float:
        with self._lock:
            now = time.monotonic()
            wait = self._wait(now)
            if wait > 0:
                return wait
            self._taken.append(now)
            return 0.0

    def _wait(self, now: float) -> float:
        return max(self._taken[-1] + self.gap, self._taken[0] + self.window) - now

    def close(self) -> None:
        """Holds nothing."""


class FileLimiter:
    """One budget for every process of this host, kept in a file.

    It goes by the monotonic clock, which all processes share and nobody sets; after a reboot that begins anew.
    """

    def __init__(self, turns: int, window: float, gap: float, path: Path) -> None:
        self.turns, self.window, self.gap, self.path = turns, window, gap, path
        self._lock = threading.Lock()
        self._file: int | None = None

    def take_turn(self) -> float:
        with self._lock:
            try:
                if self._file is None:
                    self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._file, fcntl.LOCK_EX)
                try:
                    return self._take(self._file)
                finally:
                    fcntl.flock(self._file, fcntl.LOCK_UN)
            except OSError as error:
                problem = f"the shared rate limit in {self.path} can't be used ({error.strerror})"
        raise BudgetUnavailable(problem)

    def _take(self, file: int) -> float:
        now = time.monotonic()
        taken = [moment for moment in read_moments(os.pread(file, 1_000_000, 0)) if moment <= now]
        wait = wait_of(taken, self.turns, self.window, self.gap, now)
        if wait <= 0:
            content = orjson.dumps([now, *taken][: self.turns])
            os.pwrite(file, content, 0)
            os.ftruncate(file, len(content))
        return max(wait, 0.0)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None


def read_moments(content: bytes) -> list[float]:
    """The moments in a file; none where a killed process or a full disk has left half a list."""
    try:
        moments = orjson.loads(content or b"[]")
        return [float(moment) for moment in moments]
    except (ValueError, TypeError):
        return []


def wait_of(taken: Sequence[float], turns: int, window: float, gap: float, now: float) -> float:
    """Seconds until the next turn, given the last ones, newest first; 0 or less: it may be taken."""
    newest = taken[0] if taken else float("-inf")
    oldest = taken[turns - 1] if len(taken) >= turns else float("-inf")
    return max(newest + gap, oldest + window) - now


class RowLimiter:
    """One budget for every process that uses the same PostgreSQL, by a connection and the clock of its own."""

    def __init__(self, turns: int, window: float, gap: float, parameters: dict[str, Any]) -> None:
        self._values = {"upstream": "tmdb", "turns": turns, "window": window, "gap": gap}
        self._parameters = parameters
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def take_turn(self) -> float:
        with self._lock:
            try:
                return self._take(self._connected())
            except psycopg.Error as error:
                self._disconnect()
                problem = f"the shared rate limit in the database does not answer ({type(error).__name__})"
        raise BudgetUnavailable(problem)

    def _take(self, row: "psycopg.Connection[Any]") -> float:
        for _ in range(2):
            if row.execute(TAKE_ROW_TURN, self._values).rowcount:
                return 0.0
            found = row.execute(ROW_WAIT, self._values).fetchone()
            if found is not None:
                return max(float(found[0]), SHORTEST)
            row.execute(ADD_ROW, self._values)
        return SHORTEST

    def _connected(self) -> "psycopg.Connection[Any]":
        if self._connection is None:
            self._connection = psycopg.connect(**self._parameters, autocommit=True)
            # A turn that a crash forgets is no loss; a disk write for each would be a wait.
            self._connection.execute("SET synchronous_commit = off")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        with self._lock:
            self._disconnect()


class SharedLimiter:
    """One budget for every process that uses the same Redis (5 or later)."""

    def __init__(self, turns: int, window: float, gap: float, redis_url: str) -> None:
        self._arguments = [turns, round(window * 1_000_000), round(gap * 1_000_000)]
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=10, socket_connect_timeout=5)
        self._script = self._redis.register_script(TAKE_TURN)  # sent again when Redis has forgotten it

    def take_turn(self) -> float:
        try:
            return float(self._script(keys=[BUDGET_KEY], args=self._arguments)) / 1_000_000
        except redis.RedisError as error:
            problem = f"the shared rate limit in Redis does not answer ({type(error).__name__})"
        raise BudgetUnavailable(problem)

    def close(self) -> None:
        self._redis.close()


class PromptLimiter:
    """A shared budget whose turns are also counted here, at the moment before the request is sent.

    The answer of a server may be late, on a busy machine by a tenth of a second: a request that goes out so long
    after its turn must not be one too many of the second that it falls into.
    """

    def __init__(self, shared: Limiter, local: LocalLimiter) -> None:
        self.shared, self.local = shared, local

    def take_turn(self) -> float:
        if (wait := self.local.wait()) > 0 or (wait := self.shared.take_turn()) > 0:
            return wait
        while (wait := self.local.take_turn()) > 0:
            time.sleep(wait)  # a turn that is ours already: a few milliseconds
        return 0.0

    def close(self) -> None:
        self.shared.close()


def make_limiter(requests_per_second: float, redis_url: str = "") -> Limiter:
    """A budget of so many requests in any second, spread out: hardly faster at any moment than on average."""
    turns, window, gap = pace(requests_per_second)
    return SharedLimiter(turns, window, gap, redis_url) if redis_url else LocalLimiter(turns, window, gap)


def pace(requests_per_second: float) -> tuple[int, float, float]:
    """Turns in a window, its length and the gap between two turns, in seconds."""
    turns = max(1, math.floor(requests_per_second))
    return turns, SLACK * turns / requests_per_second, 0.9 / requests_per_second


def shared_limiter(requests_per_second: float) -> Limiter:
    """The budget that all processes of this installation share, by what they have in common."""
    turns, window, gap = pace(requests_per_second)
    shared: Limiter
    if settings.REDIS_URL:
        shared = make_limiter(requests_per_second, settings.REDIS_URL)
    elif connection.vendor == "postgresql":
        shared = RowLimiter(turns, window, gap, connection_parameters())
    else:
        # Its turns are counted where they are taken: nothing comes late.
        return FileLimiter(turns, window, gap, Path(f"{connection.settings_dict['NAME']}-budget"))
    return PromptLimiter(shared, LocalLimiter(turns, window, gap))


def connection_parameters() -> dict[str, Any]:
    """What psycopg needs to connect to the database that Django uses."""
    parameters: dict[str, Any] = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name not in {"context", "cursor_factory", "pool"}}
