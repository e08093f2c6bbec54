"""The request budget: one rate that every thread obeys, and every process when they share a Redis."""

import math

import redis
from pyrate_limiter import Limiter, Rate, RedisBucket

BUDGET_KEY = "trr:tmdb:requests"


def make_limiter(requests_per_second: float, redis_url: str = "") -> Limiter:
    """A limiter whose `try_acquire` waits for the caller's turn.

    Requests are spread over windows of about 100 ms, so that no window of one second holds more than
    its share wherever it begins; 1 ms of slack a window covers what travel times shift.
    """
    limit = max(1, math.floor(requests_per_second / 10))
    rate = Rate(limit, math.ceil(limit * 1000 / requests_per_second) + 1)  # interval in ms
    if not redis_url:
        return Limiter(rate, buffer_ms=1)
    connection = redis.Redis.from_url(redis_url, socket_timeout=10, socket_connect_timeout=5)
    return Limiter(RedisBucket.init([rate], connection, BUDGET_KEY), buffer_ms=1)
