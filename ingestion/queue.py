"""What waits for the workers, whichever broker holds it."""

from dataclasses import dataclass

from django_q.brokers import get_broker


@dataclass(frozen=True, slots=True)
class Depth:
    """waiting: messages that nobody has taken. taken: those that a worker has, begun or not."""

    waiting: int
    taken: int


def queue_depth() -> Depth:
    """Raises what the broker raises (DatabaseError, redis.RedisError) when it is out of reach."""
    broker = get_broker()
    return Depth(broker.queue_size(), broker.lock_size())
