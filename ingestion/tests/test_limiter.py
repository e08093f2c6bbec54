import math
import os
import socket
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from django.core.management import CommandError, call_command

from catalog.models import Show
from demo.upstream import Reply, Upstream
from ingestion.models import SyncRun, SyncState
from ingestion.sources import limiter
from ingestion.sources.http import HttpClient, UpstreamError
from ingestion.sources.limiter import SLACK, make_limiter

ROOT = Path(__file__).resolve().parents[2]
REDIS_URL = "redis://127.0.0.1:6379/0"
# Arrivals at the stand-in are not exact: a busy machine sends a request late, and the next one not. That the moments
# are exact is shown on a clock of the test's own; here the budget of 40 stays under what TMDb's CDN lets pass.
RATE, LET_PASS = 40, 50


@pytest.fixture
def budget_key(monkeypatch):
    connection = redis.Redis.from_url(REDIS_URL, socket_connect_timeout=1)
    try:
        connection.ping()
    except redis.ConnectionError:
        connection.close()
        pytest.skip("needs a Redis: nothing answers on 127.0.0.1:6379")
    key = f"trr:test:{uuid.uuid4()}"
    monkeypatch.setattr(limiter, "BUDGET_KEY", key)
    yield key
    connection.delete(key)
    connection.close()


@pytest.fixture(params=["threads", "redis"])
def any_limiter(request):
    if request.param == "redis":
        request.getfixturevalue("budget_key")
    budget = make_limiter(0.1, REDIS_URL if request.param == "redis" else "")
    yield budget
    budget.close()


def test_first_turn_is_free_and_the_next_one_only_after_the_window(any_limiter):
    waits = [any_limiter.take_turn() for _ in range(3)]

    assert waits[0] == 0
    # What the calls take is a small part of the 10.7 s of the window; asking takes nothing.
    assert [int(wait) for wait in waits[1:]] == [10, 10]


@pytest.mark.parametrize("rate", [45, 2.5, 0.7])
def test_no_second_holds_more_turns_than_the_rate_however_late_a_thread_wakes_up(monkeypatch, rate):
    clock = SimpleNamespace(now=500.0)
    monkeypatch.setattr(limiter, "time", SimpleNamespace(monotonic=lambda: clock.now))
    budget = make_limiter(rate)
    taken = []
    for number in range(400):
        while wait := budget.take_turn():
            clock.now += wait + (0, 0.001, 0.03, 0.2)[number % 4]
        taken.append(clock.now)
        clock.now += 5 if number == 200 else 0

    window = max(1, 1 / rate)
    assert max(sum(start <= moment < start + window for moment in taken) for start in taken) <= math.ceil(rate)


def test_turns_are_taken_at_no_less_than_the_rate_when_nobody_is_late(monkeypatch):
    clock = SimpleNamespace(now=500.0)
    monkeypatch.setattr(limiter, "time", SimpleNamespace(monotonic=lambda: clock.now))
    budget = make_limiter(40)
    for _ in range(401):
        while wait := budget.take_turn():
            clock.now += wait

    assert clock.now - 500 <= 400 / 40 * SLACK + 1e-6


def test_turns_after_a_rest_are_hardly_faster_than_on_average(monkeypatch):
    clock = SimpleNamespace(now=500.0)
    monkeypatch.setattr(limiter, "time", SimpleNamespace(monotonic=lambda: clock.now))
    budget = make_limiter(2)
    budget.take_turn()
    clock.now += 3600

    assert [budget.take_turn(), budget.take_turn()] == [0, pytest.approx(0.45)]


def test_threads_stay_under_the_rate_together(upstream):
    upstream.always("/3/x", Reply(body={}))
    client = HttpClient(max_bytes=1000, limiter=make_limiter(RATE))
    ready = threading.Barrier(12)

    def work() -> None:
        ready.wait(30)
        for _ in range(7):
            client.get(f"{upstream.api_url}/x")

    with ThreadPoolExecutor(12) as pool:
        for future in [pool.submit(work) for _ in range(12)]:
            future.result()
    client.close()

    assert upstream.count() == 84
    assert upstream.peak_rate() <= LET_PASS


WORKER = """
import sys
from ingestion.sources import limiter
from ingestion.sources.http import HttpClient
from concurrent.futures import ThreadPoolExecutor
url, limiter.BUDGET_KEY, redis_url, rate = sys.argv[1:]
client = HttpClient(max_bytes=1000, limiter=limiter.make_limiter(float(rate), redis_url))
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(client.get, [url] * 25))
client.close()
"""


def test_processes_stay_under_the_rate_together(budget_key, upstream):
    upstream.always("/3/x", Reply(body={}))
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "trr_site.settings_test"}
    command = [sys.executable, "-c", WORKER, f"{upstream.api_url}/x", budget_key, REDIS_URL, str(RATE)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) for _ in range(3)]
    try:
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 3
        for worker in workers:  # all of them, before any is waited for
            worker.stdin.write("go\n")
            worker.stdin.flush()
        for worker in workers:
            worker.wait(60)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()

    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert upstream.count() == 75
    assert upstream.peak_rate() <= LET_PASS


def test_budget_outlives_a_redis_that_has_forgotten_the_script(budget_key):
    budget = make_limiter(0.1, REDIS_URL)
    budget.take_turn()
    with redis.Redis.from_url(REDIS_URL) as connection:
        connection.script_flush()

    assert budget.take_turn() > 0
    budget.close()


def test_budget_expires_and_a_clock_that_was_set_back_does_not_stop_everything(budget_key):
    budget = make_limiter(50, REDIS_URL)
    with redis.Redis.from_url(REDIS_URL) as connection:
        connection.lpush(budget_key, 10**17)  # a moment in the year 5138

        assert budget.take_turn() == 0
        assert 0 < connection.ttl(budget_key) <= 62
        assert [int(moment) < 10**16 for moment in connection.lrange(budget_key, 0, -1)] == [True]
    budget.close()


@pytest.fixture
def closed_port():
    """A port that is taken and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_redis_that_is_gone_is_the_requests_own_error(upstream: Upstream, closed_port):
    client = HttpClient(
        max_bytes=1000, limiter=make_limiter(50, f"redis://:redis-password@127.0.0.1:{closed_port}/0"), backoff=0
    )

    with pytest.raises(UpstreamError) as caught:
        client.get(f"{upstream.api_url}/x")
    client.close()

    assert str(caught.value) == "the shared rate limit in Redis does not answer (ConnectionError) (5 tries)"
    assert upstream.requests == []
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.django_db
def test_sync_without_its_redis_is_one_line_and_tries_nothing(settings, upstream, closed_port, capfd):
    settings.REDIS_URL = f"redis://:redis-password@127.0.0.1:{closed_port}/0"
    Show.objects.create(name="Survivor", tmdb_id=14658)

    with pytest.raises(CommandError) as caught:
        call_command("sync_shows")

    assert caught.value.returncode == 2
    assert str(caught.value) == "no connection to the Redis of REDIS_URL (ConnectionError)"
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "".join(capfd.readouterr()) == ""
    assert not SyncRun.objects.exists()
    assert not SyncState.objects.exists()
    assert upstream.requests == []
