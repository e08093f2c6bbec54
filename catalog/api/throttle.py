"""How often one address may ask: a bucket of turns that fills again, in each process."""

import time
from threading import Lock
from typing import Any, Final

from cachetools import LRUCache
from django.conf import settings
from rest_framework.throttling import BaseThrottle

ADDRESSES: Final = 50_000  # that are remembered; the longest silent one is forgotten first


class Turns:
    """`per_minute` turns a minute for each address, up to a quarter of these at once. 0: no limit."""

    def __init__(self, per_minute: int) -> None:
        self.per_second = per_minute / 60
        self.most = max(1.0, per_minute / 4)
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(ADDRESSES)
        self._lock = Lock()

    def left(self, address: str, now: float) -> float:
        turns, at = self._buckets.get(address, (self.most, now))
        return min(self.most, turns + (now - at) * self.per_second)

    def has_turn(self, address: str) -> bool:
        """Looks, and takes nothing."""
        if not self.per_second:
            return True
        with self._lock:
            return self.left(address, time.monotonic()) >= 1

    def take(self, address: str) -> float:
        """Takes a turn: 0. Where there is none: in how many seconds there is."""
        if not self.per_second:
            return 0
        with self._lock:
            now = time.monotonic()
            left = self.left(address, now)
            if left < 1:
                return (1 - left) / self.per_second
            self._buckets[address] = (left - 1, now)
            return 0


reads = Turns(settings.API_REQUESTS_PER_MINUTE)


def client_address(peer: str, forwarded_for: str) -> str:
    """Who asks. Of X-Forwarded-For, which anybody can send, only what our own TRUSTED_PROXIES have added counts."""
    if not settings.TRUSTED_PROXIES:
        return peer
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    if len(hops) < settings.TRUSTED_PROXIES:
        return peer
    return hops[-settings.TRUSTED_PROXIES]


class AddressThrottle(BaseThrottle):
    """429 with Retry-After, for every method alike."""

    seconds = 0.0

    def allow_request(self, request: Any, view: Any) -> bool:
        meta = request.META
        self.seconds = reads.take(client_address(meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", "")))
        return self.seconds == 0

    def wait(self) -> float:
        return self.seconds
