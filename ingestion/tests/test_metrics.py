"""`/metrics`: what Prometheus is told, who may ask, and that it stays small however much there is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from catalog.models import Show
from ingestion import health, metrics
from ingestion.metrics import Figures
from ingestion.models import Problem, Stage, SyncRun, SyncState, UpstreamTraffic
from ingestion.sources.http import Traffic
from ingestion.traffic import save_traffic

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
QUEUE = {"ok": True, "waiting": 3, "taken": 1, "workers": 2}
FROM_AFAR = {"REMOTE_ADDR": "203.0.113.9"}
TOKEN = "a-token-of-some-length"


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> dict[str, health.Look]:
    """The queue is looked at in a thread, which sees no row of a test: here it says what it is told to."""
    fresh = health.make_looks()
    fresh["queue"].look = lambda: QUEUE
    monkeypatch.setattr(health, "LOOKS", fresh)
    return fresh


def figures(queue: dict[str, Any] = QUEUE) -> dict[str, float]:
    """Each sample as `name{label=value,...}`."""
    registry = CollectorRegistry()
    with time_machine.travel(NOW, tick=False):
        registry.register(Figures(queue))
        text = generate_latest(registry).decode()
    return {
        sample.name
        + (
            "{" + ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items())) + "}" if sample.labels else ""
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def run(kind: str, status: str, minutes_ago: float, took: float = 60) -> SyncRun:
    started = NOW - timedelta(minutes=minutes_ago)
    ended = None if status in ("queued", "running") else started + timedelta(seconds=took)
    return SyncRun.objects.create(
        kind=kind, status=status, host="h", pid=1, started_at=started, heartbeat_at=NOW, finished_at=ended
    )


# --- what is told


def test_requests_to_upstreams_are_told_by_outcome_and_their_waiting_in_all() -> None:
    save_traffic({"tmdb": {"200": Traffic(), "429": Traffic()}})
    UpstreamTraffic.objects.filter(outcome="200").update(requests=120, waited=7.5)
    UpstreamTraffic.objects.filter(outcome="429").update(requests=3, waited=0.5)
    UpstreamTraffic.objects.create(upstream="images", outcome="no connection", requests=2, waited=0)

    told = figures()

    assert told["trr_upstream_requests_total{outcome=200,upstream=tmdb}"] == 120
    assert told["trr_upstream_requests_total{outcome=429,upstream=tmdb}"] == 3
    assert told["trr_upstream_requests_total{outcome=no connection,upstream=images}"] == 2
    assert told["trr_upstream_wait_seconds_total{upstream=tmdb}"] == 8
    assert told["trr_upstream_wait_seconds_total{upstream=images}"] == 0


def test_runs_are_counted_by_job_and_state_with_the_last_duration_and_success() -> None:
    run("sync_shows", "succeeded", 300, took=600)
    run("sync_shows", "succeeded", 200, took=500)
    run("sync_shows", "failed", 100, took=90)
    run("sync_shows", "running", 5)
    run("import_shows", "interrupted", 50, took=2.5)

    told = figures()

    assert {name: n for name, n in told.items() if name.startswith("trr_runs")} == {
        "trr_runs{kind=sync_shows,status=succeeded}": 2,
        "trr_runs{kind=sync_shows,status=failed}": 1,
        "trr_runs{kind=sync_shows,status=running}": 1,
        "trr_runs{kind=import_shows,status=interrupted}": 1,
    }
    assert told["trr_run_last_duration_seconds{kind=sync_shows}"] == 90
    assert told["trr_run_last_duration_seconds{kind=import_shows}"] == 2.5
    success = NOW - timedelta(minutes=200) + timedelta(seconds=500)
    assert told["trr_run_last_success_timestamp_seconds{kind=sync_shows}"] == success.timestamp()
    assert "trr_run_last_success_timestamp_seconds{kind=import_shows}" not in told


def test_selections_are_one_kind_however_many_there_are() -> None:
    for number in range(5):
        run(f"sync_selected {number:012x}", "succeeded", 50 - number, took=number)

    told = figures()

    assert told["trr_runs{kind=sync_selected,status=succeeded}"] == 5
    assert told["trr_run_last_duration_seconds{kind=sync_selected}"] == 4
    assert not [name for name in told if "sync_selected 0" in name]


def test_queue_data_and_problems_are_told() -> None:
    for days in (1, 3):
        SyncState.objects.create(
            show=Show.objects.create(name=str(days)),
            stage=Stage.DETAILS,
            status="ok",
            attempted_at=NOW,
            last_success_at=NOW - timedelta(days=days),
        )
    Problem.objects.create(key="run:sync_shows", text="t", since=NOW)
    Problem.objects.create(key="stale:details", text="t", since=NOW, ended_at=NOW)

    told = figures()

    assert (told["trr_queue_waiting"], told["trr_queue_taken"], told["trr_workers_alive"]) == (3, 1, 2)
    assert told["trr_data_newest_age_seconds{stage=details}"] == 86_400
    assert told["trr_data_oldest_age_seconds{stage=details}"] == 3 * 86_400
    assert told["trr_problems_open"] == 1


def test_a_queue_out_of_reach_costs_its_own_figures_alone() -> None:
    told = figures({"ok": False, "reason": "its Redis does not answer"})

    assert not [name for name in told if name.startswith(("trr_queue", "trr_workers"))]
    assert told["trr_problems_open"] == 0


def test_an_empty_database_is_told_of_too() -> None:
    assert figures() == {"trr_queue_waiting": 3, "trr_queue_taken": 1, "trr_workers_alive": 2, "trr_problems_open": 0}


def test_the_number_of_queries_does_not_grow() -> None:
    with CaptureQueriesContext(connection) as few:
        figures()
    for number in range(30):
        run(f"sync_selected {number:012x}", "succeeded", number)
        run(f"job_{number % 3}", "failed", number)
        Problem.objects.create(key=str(number), text="t")
        UpstreamTraffic.objects.create(upstream=f"u{number % 3}", outcome=str(number))

    with CaptureQueriesContext(connection) as many:
        figures()

    assert len(few) <= len(many) <= 5  # and three of the queue and the workers


# --- who may ask


def ask(client: Client, **headers: Any) -> int:
    response = client.get("/metrics", **headers)
    assert response["Cache-Control"] == "no-store"
    if response.status_code == 200:
        assert response["Content-Type"].startswith("text/plain; version=")
        assert b"trr_problems_open 0.0" in response.content
    else:
        assert set(response.json()) == {"detail"}
    return response.status_code


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_may_ask(client: Client, address: str) -> None:
    assert ask(client, REMOTE_ADDR=address) == 200


@pytest.mark.parametrize(
    "address", ["203.0.113.9", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "", "unix:", "localhost"]
)
def test_nobody_else_may(client: Client, address: str) -> None:
    assert ask(client, REMOTE_ADDR=address) == 403


@pytest.mark.parametrize("name", ["X_FORWARDED_FOR", "FORWARDED", "X_REAL_IP", "VIA"])
@pytest.mark.parametrize("proxies", [0, 1])
def test_who_comes_through_a_proxy_is_not_of_this_machine(
    client: Client, settings: Any, name: str, proxies: int
) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert ask(client, REMOTE_ADDR="127.0.0.1", **{f"HTTP_{name}": "127.0.0.1"}) == 403
    assert ask(client, **FROM_AFAR, **{f"HTTP_{name}": "127.0.0.1"}) == 403


def test_with_a_token_this_machine_needs_it_too(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN

    assert ask(client) == 401
    assert ask(client, HTTP_AUTHORIZATION=f"Bearer {TOKEN}") == 200
    assert ask(client, HTTP_AUTHORIZATION=f"bearer {TOKEN}", **FROM_AFAR, HTTP_X_FORWARDED_FOR="1.2.3.4") == 200


@pytest.mark.parametrize("given", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü", f"{TOKEN} {TOKEN}"])
def test_a_wrong_token_is_401_and_says_how_to_come_in(client: Client, settings: Any, given: str) -> None:
    settings.METRICS_TOKEN = TOKEN

    response = client.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {given}")

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert TOKEN not in response.content.decode()


def test_a_token_where_none_is_set_opens_nothing(client: Client) -> None:
    assert ask(client, **FROM_AFAR, HTTP_AUTHORIZATION="Bearer ") == 403
    assert ask(client, **FROM_AFAR, HTTP_AUTHORIZATION="Bearer x") == 403


@pytest.mark.parametrize("token", ["", TOKEN])
def test_staff_who_may_see_runs_may_ask_from_anywhere(
    client: Client, settings: Any, django_user_model: Any, token: str
) -> None:
    settings.METRICS_TOKEN = token
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.groups.set(Group.objects.filter(name="viewer"))
    client.force_login(viewer)

    assert ask(client, **FROM_AFAR) == 200

    viewer.groups.clear()
    assert ask(client, **FROM_AFAR) == 403


@pytest.mark.parametrize("lost", ["is_staff", "is_active"])
def test_who_is_no_staff_or_was_put_out_may_not(client: Client, django_user_model: Any, lost: str) -> None:
    user = django_user_model.objects.create_user("user", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    client.force_login(user)
    setattr(user, lost, False)
    user.save()

    assert ask(client, **FROM_AFAR) == 403


def test_head_asks_too_and_other_methods_may_not(client: Client) -> None:
    assert client.head("/metrics").status_code == 200
    assert client.post("/metrics").status_code == 405


def test_a_database_that_is_away_is_503_and_not_told_of(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> Any:
        raise OperationalError("FATAL: password s3cr3t")

    monkeypatch.setattr(metrics, "states_by_stage", away)

    response = client.get("/metrics")

    assert (response.status_code, response.json()) == (503, {"detail": "The database does not answer."})


@pytest.mark.django_db(transaction=True)
def test_the_queue_is_really_looked_at(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOKS", health.make_looks())

    text = client.get("/metrics").content.decode()

    assert "trr_queue_waiting 0.0" in text
    assert "trr_workers_alive 0.0" in text
