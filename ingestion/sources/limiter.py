"""The request budget: one rate that every thread obeys, and every process too when they share a Redis.

A turn is counted at the moment it is taken, not when it was asked for: a thread that wakes up late
then can't add to the ones that follow. (pyrate-limiter counts what was asked for, lets its waiters race,
and took 1.16 times the time that the requests need at 40 a second.)
"""

import math
import threading
import time
from collections import deque
from typing import Protocol

import redis

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


class Limiter(Protocol):
    def take_turn(self) -> float:
        """Takes a turn and returns 0, or returns the seconds after which to ask again. Raises redis.RedisError."""

    def close(self) -> None: ...


class LocalLimiter:
    """One budget for the threads of this process. window and gap are in seconds."""

    def __init__(self, turns: int, window: float, gap: float) -> None:
        self.window, self.gap = window, gap
        self._taken: deque[float] = deque([float("-inf")] * turns, maxlen=turns)
        self._lock = threading.Lock()

    def take_turn(self) -> float:
        with self._lock:
            now = time.monotonic()
            wait = max(self._taken[-1] + self.gap, self._taken[0] + self.window) - now
            if wait > 0:
                return wait
            self._taken.append(now)
            return 0.0

    def close(self) -> None:
        """Holds nothing."""


class SharedLimiter:
    """One budget for every process that uses the same Redis (5 or later)."""

    def __init__(self, turns: int, window: float, gap: float, redis_url: str) -> None:
        self._arguments = [turns, round(window * 1_000_000), round(gap * 1_000_000)]
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=10, socket_connect_timeout=5)
        self._script = self._redis.register_script(TAKE_TURN)  # sent again when Redis has forgotten it

    def take_turn(self) -> float:
        return float(self._script(keys=[BUDGET_KEY], args=self._arguments)) / 1_000_000

    def close(self) -> None:
        self._redis.close()


def make_limiter(requests_per_second: float, redis_url: str = "") -> Limiter:
    """A budget of so many requests in any second, spread out: hardly faster at any moment than on average."""
    turns = max(1, math.floor(requests_per_second))
    window, gap = SLACK * turns / requests_per_second, 0.9 / requests_per_second
    return SharedLimiter(turns, window, gap, redis_url) if redis_url else LocalLimiter(turns, window, gap)
