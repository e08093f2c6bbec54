"""The queue on both brokers: delivered at least once, soon, in order, and not for ever."""

import uuid
from datetime import timedelta

import pytest
import redis
from django.db import OperationalError
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage

from ingestion import brokers, leases
from ingestion.attempts import MAX_ATTEMPTS, on_begin, on_end
from ingestion.brokers import DatabaseBroker, RedisBroker
from ingestion.models import TaskAttempt

pytestmark = pytest.mark.django_db
REDIS_URL = "redis://127.0.0.1:6379/9"


@pytest.fixture(params=["database", "redis"])
def broker(request, monkeypatch):
    monkeypatch.setattr(Conf, "POLL", 0)
    monkeypatch.setattr(Conf, "WORKERS", 100)
    monkeypatch.setattr(brokers, "BUSY_POLL", 0)
    monkeypatch.setattr(leases.Leases, "keep", lambda self: None)  # its thread; the tests call `look`
    if request.param == "database":
        yield DatabaseBroker(uuid.uuid4().hex)
        return
    monkeypatch.setattr(Conf, "REDIS", REDIS_URL)
    queue = RedisBroker(uuid.uuid4().hex)
    try:
        queue.connection.ping()
    except redis.ConnectionError:
        pytest.skip("needs a Redis: nothing answers on 127.0.0.1:6379")
    yield queue
    queue.purge_queue()
    queue.connection.close()


def package(name="chore", func="ingestion.tests.chores.note"):
    task = {"id": uuid.uuid4().hex, "name": name, "func": func, "args": ("a",), "kwargs": {}, "started": timezone.now()}
    return SignedPackage.dumps(task)


def enqueue(broker, *names):
    return [broker.enqueue(package(name)) for name in names]


def take(broker):
    """(message, name) of the next one; None when there is none."""
    for _ in range(2):
        if found := broker.dequeue():
            ((message, content),) = found
            return message, SignedPackage.loads(content)["name"]
    return None


def end_lease(broker, message):
    if isinstance(broker, RedisBroker):
        broker.connection.zadd(broker.keys[2], {message: 1})
    else:
        OrmQ.objects.filter(pk=message).update(lock=timezone.now() - timedelta(seconds=1))


def is_taken(broker):
    return broker.lock_size()


def begin(message, pid=None):
    on_begin({"ack_id": message, "func": "ingestion.tests.chores.note", "id": "1"})
    if pid is not None:
        TaskAttempt.objects.filter(pk=str(message)).update(pid=pid)


def test_messages_are_delivered_once_and_in_order(broker):
    enqueue(broker, "one", "two", "three")

    assert [take(broker)[1] for _ in range(3)] == ["one", "two", "three"]
    assert take(broker) is None
    assert (broker.queue_size(), broker.lock_size()) == (0, 3)


def test_done_message_is_gone_and_so_is_its_attempt(broker):
    enqueue(broker, "one")
    message, _ = take(broker)
    begin(message)

    broker.acknowledge(message)
    end_lease(broker, message)

    assert take(broker) is None
    assert (broker.queue_size(), broker.lock_size(), TaskAttempt.objects.count()) == (0, 0, 0)


def test_message_whose_lease_has_ended_is_delivered_again_before_the_others(broker):
    enqueue(broker, "one", "two")
    message, _ = take(broker)
    end_lease(broker, message)

    assert [take(broker)[1] for _ in range(2)] == ["one", "two"]


def test_lease_is_renewed_while_somebody_works_on_it(broker):
    enqueue(broker, "one")
    message, _ = take(broker)
    begin(message)
    end_lease(broker, message)

    broker.leases.look()

    assert take(broker) is None
    assert is_taken(broker) == 1


def test_message_of_a_killed_worker_is_free_at_once(broker, dead_pid, caplog):
    enqueue(broker, "one")
    message, _ = take(broker)
    begin(message, pid=dead_pid)

    leases.free_what_the_dead_had(broker.release)
    leases.free_what_the_dead_had(broker.release)

    assert take(broker) == (message, "one")
    assert caplog.text.count("is gone; it is delivered again") == 1
    assert take(broker) is None


def test_process_that_was_given_the_number_of_a_dead_one_is_not_taken_for_it(broker):
    enqueue(broker, "one")
    message, _ = take(broker)
    begin(message)
    TaskAttempt.objects.update(started_at=timezone.now() - timedelta(days=3))  # before this process was

    leases.free_what_the_dead_had(broker.release)

    assert take(broker) == (message, "one")


def test_process_of_another_host_is_not_judged_by_its_number(broker, dead_pid):
    enqueue(broker, "one")
    message, _ = take(broker)
    begin(message, pid=dead_pid)
    TaskAttempt.objects.update(host="another.example")

    leases.free_what_the_dead_had(broker.release)
    broker.leases.look()

    assert take(broker) is None
    assert broker.leases.taken == {}


def test_pusher_that_is_started_again_renews_what_is_being_worked_on(broker):
    enqueue(broker, "one")
    message, _ = take(broker)
    begin(message)
    broker.leases.taken.clear()  # as a new process has it
    end_lease(broker, message)

    broker.leases.look()

    assert take(broker) is None


def test_message_from_before_a_clock_was_set_back_is_delivered(broker):
    if isinstance(broker, RedisBroker):
        pytest.skip("goes by the clock of Redis alone")
    enqueue(broker, "one")
    message, _ = take(broker)
    OrmQ.objects.update(lock=timezone.now() + timedelta(days=1))

    assert take(broker) == (message, "one")


def test_failed_task_is_not_held_any_longer(broker):
    enqueue(broker, "one")
    message, _ = take(broker)
    begin(message)
    on_end({"ack_id": message, "id": "1"})

    broker.leases.look()
    end_lease(broker, message)
    broker.leases.look()  # does not renew what it has let go

    assert take(broker) == (message, "one")


def test_cluster_that_hangs_does_not_keep_what_it_has_not_begun(broker, monkeypatch):
    enqueue(broker, "one")
    message, _ = take(broker)

    broker.leases.look()
    assert take(broker) is None
    monkeypatch.setattr(leases, "HELD_UNBEGUN", -1)
    broker.leases.look()

    assert take(broker) == (message, "one")


def test_cluster_takes_no_more_than_it_has_processes_for(broker, monkeypatch):
    monkeypatch.setattr(Conf, "WORKERS", 2)
    enqueue(broker, "one", "two", "three", "four")
    first, second = take(broker)[0], take(broker)[0]

    assert take(broker) is None
    begin(first)
    begin(second)
    assert take(broker) is None
    on_end({"ack_id": first, "id": "1"})  # failed, or not yet acknowledged
    assert take(broker)[1] == "three"
    broker.acknowledge(second)
    assert take(broker)[1] == "four"
    assert broker.lock_size() == 3


def test_second_delivery_that_was_not_begun_yet_is_not_judged_by_the_first(broker, dead_pid):
    enqueue(broker, "one")
    message, _ = take(broker)
    begin(message, pid=dead_pid)
    leases.free_what_the_dead_had(broker.release)
    take(broker)

    leases.free_what_the_dead_had(broker.release)
    broker.leases.look()

    assert take(broker) is None
    assert broker.leases.taken.keys() == {message}


def test_task_that_no_worker_survives_is_given_up_and_shown(broker, dead_pid):
    enqueue(broker, "poison", "good")
    for _ in range(MAX_ATTEMPTS):
        message, name = take(broker)
        assert name == "poison"
        begin(message, pid=dead_pid)
        leases.free_what_the_dead_had(broker.release)

    assert take(broker)[1] == "good"
    failed = Task.objects.get()
    assert (failed.name, failed.success, failed.attempt_count, failed.args) == ("poison", False, 3, ("a",))
    assert "given up: begun 3 times" in failed.result
    assert TaskAttempt.objects.count() == 0


def test_package_that_another_key_has_signed_is_given_up_without_a_row(broker, dead_pid, caplog):
    message = broker.enqueue("nonsense")
    TaskAttempt.objects.create(
        message=str(message), func="x", count=MAX_ATTEMPTS, host="h", pid=dead_pid, started_at=timezone.now()
    )

    assert broker.dequeue() is None
    assert broker.dequeue() is None
    assert (Task.objects.count(), broker.queue_size(), broker.lock_size()) == (0, 0, 0)
    assert "can't be read" in caplog.text


def test_database_that_is_away_does_not_end_the_worker(monkeypatch, caplog):
    def away(*args, **options):
        raise OperationalError("gone")

    monkeypatch.setattr(TaskAttempt.objects, "filter", away)
    on_begin({"ack_id": 5, "func": "x", "id": "1"})
    on_end({"ack_id": 5, "id": "1"})

    assert caplog.text.count("WARNING") == 2


def test_task_that_is_done_at_once_has_no_attempt():
    on_begin({"func": "x", "id": "1"})
    on_end({"id": "1"})

    assert not TaskAttempt.objects.exists()


def test_queue_that_is_emptied_is_empty(broker):
    enqueue(broker, "one", "two")
    take(broker)

    broker.purge_queue()

    assert (broker.queue_size(), broker.lock_size(), take(broker)) == (0, 0, None)


def test_two_clusters_never_take_the_same_message(broker):
    other = type(broker)(broker.list_key.split(":")[1] if isinstance(broker, RedisBroker) else broker.list_key)
    enqueue(broker, *"abcdef")

    names = [take(one)[1] for one in (broker, other) * 3]

    assert sorted(names) == list("abcdef")
    other.leases.taken.clear()
    if isinstance(other, RedisBroker):
        other.connection.close()


def test_settings_name_these_brokers():
    assert Conf.BROKER_CLASS == "ingestion.brokers.DatabaseBroker"
    assert brokers.RedisBroker is RedisBroker
