"""The two queues of django-q2 that we use, each with leases (see ingestion.leases)."""

import time
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import redis
from django.db.models import Q
from django.utils import timezone
from django_q.brokers import Broker
from django_q.brokers.orm import ORM
from django_q.brokers.redis_broker import Redis
from django_q.conf import Conf

from ingestion.attempts import forget
from ingestion.leases import LEASE, Leases

BUSY_POLL = 0.1  # seconds until a cluster all of whose processes are busy looks again
Messages = list[tuple[Any, Any]]


class Leased(Broker):
    """What both queues do with their leases; `next_message` waits for a while where there is none."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self.leases = Leases(self.renew, self.release, self.present)

    def dequeue(self) -> Messages | None:
        self.leases.keep()
        if self.leases.are_enough(Conf.WORKERS):
            time.sleep(BUSY_POLL)
            return None
        if (found := self.next_message()) is None:
            return None
        message, package = found
        return [found] if self.leases.take(message, package, self.delete) else None

    def acknowledge(self, task_id: Any) -> None:
        self.delete(task_id)
        forget(task_id)


class DatabaseBroker(Leased, ORM):
    """Messages are rows of OrmQ: what is queued in a transaction is queued when that is committed."""

    def timeout(self, task: Any) -> datetime:
        return timezone.now() + timedelta(seconds=LEASE)

    def next_message(self) -> tuple[Any, Any] | None:
        now = timezone.now()
        free = Q(lock__lte=now) | Q(lock__gt=now + timedelta(seconds=2 * LEASE))  # a clock was set back since
        row = self.get_connection().filter(free, key=self.list_key).order_by("pk").first()
        if row is None:
            time.sleep(Conf.POLL)
            return None
        taken = self.get_connection().filter(pk=row.pk, lock=row.lock).update(lock=self.timeout(row))
        return (row.pk, row.payload) if taken else None  # else another cluster was faster

    def renew(self, messages: list[Any]) -> None:
        self.get_connection().filter(pk__in=messages).update(lock=self.timeout(None))

    def release(self, messages: list[Any]) -> None:
        self.get_connection().filter(pk__in=messages).update(lock=timezone.now())

    def present(self, messages: list[Any]) -> set[Any]:
        return set(self.get_connection().filter(pk__in=messages).values_list("pk", flat=True))


# KEYS: messages by id, ids that wait, ids that are taken by the time until which they are.
# ARGV: the lease in milliseconds. What is taken longer than its lease waits again, before all others.
DEQUEUE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[3], id)
  redis.call('LPUSH', KEYS[2], id)
end
while true do
  local id = redis.call('LPOP', KEYS[2])
  if not id then return nil end
  local message = redis.call('HGET', KEYS[1], id)
  if message then
    redis.call('ZADD', KEYS[3], now + ARGV[1], id)
    return {id, message}
  end
end
"""
RENEW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for n = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now + ARGV[1], ARGV[n]) end
"""
RELEASE = """
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[2], id) == 1 then redis.call('LPUSH', KEYS[1], id) end
end
"""
ACKNOWLEDGE = """
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
"""


class RedisBroker(Leased, Redis):
    """Messages stay in Redis until they are done. (django-q2's own broker takes them out first.)"""

    @staticmethod
    def get_connection(list_key: str | None = None) -> redis.Redis:
        # A host that vanishes without a word must not hold whoever queues, nor who looks after the workers.
        return redis.Redis.from_url(Conf.REDIS, socket_timeout=10, socket_connect_timeout=5)

    @property
    def keys(self) -> tuple[str, str, str]:
        return f"{self.list_key}:messages", f"{self.list_key}:waiting", f"{self.list_key}:taken"

    def enqueue(self, task: Any) -> str:
        messages, waiting, _ = self.keys
        message = uuid4().hex
        with self.connection.pipeline(transaction=True) as pipe:
            pipe.hset(messages, message, task)
            pipe.rpush(waiting, message)
            pipe.execute()
        return message

    def next_message(self) -> tuple[Any, Any] | None:
        found = self.connection.eval(DEQUEUE, 3, *self.keys, round(LEASE * 1000))
        if not found:
            time.sleep(Conf.POLL)
            return None
        return found[0].decode(), found[1]

    def renew(self, messages: list[Any]) -> None:
        self.connection.eval(RENEW, 1, self.keys[2], round(LEASE * 1000), *messages)

    def release(self, messages: list[Any]) -> None:
        self.connection.eval(RELEASE, 2, *self.keys[1:], *messages)

    def present(self, messages: list[Any]) -> set[Any]:
        if not messages:
            return set()
        found = self.connection.hmget(self.keys[0], messages)
        return {message for message, package in zip(messages, found, strict=True) if package is not None}

    def delete(self, task_id: Any) -> None:
        self.connection.eval(ACKNOWLEDGE, 2, self.keys[0], self.keys[2], task_id)

    fail = delete

    def queue_size(self) -> int:
        return int(self.connection.llen(self.keys[1]))

    def lock_size(self) -> int:
        return int(self.connection.zcard(self.keys[2]))

    def purge_queue(self) -> None:
        self.connection.delete(*self.keys)

    delete_queue = purge_queue
