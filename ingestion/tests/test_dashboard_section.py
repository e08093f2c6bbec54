"""The syncs on the dashboard: red where a run went wrong, amber where it was long ago, and true ages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.changes import Author, change_of, save_changes
from catalog.models import Change, Show
from ingestion import health
from ingestion.dashboard import last_runs, recent_runs, stage_states, verdict_of
from ingestion.models import Problem, Stage, SyncFailure, SyncRun, SyncState, Worker
from ingestion.queue import Depth
from trr_site.version import code_version

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


def away() -> Depth:
    raise redis.ConnectionError("redis://:secret@host")


def run(
    kind: str = "sync_shows", status: str = "succeeded", age: timedelta = timedelta(hours=1), **columns: Any
) -> SyncRun:
    times = {"started_at": NOW - age, "heartbeat_at": NOW - age}
    return SyncRun.objects.create(**{"kind": kind, "status": status, "host": "here", "pid": 1} | times | columns)


def state(
    show: Show, stage: str = "details", status: str = "ok", age: timedelta | None = timedelta(hours=1)
) -> SyncState:
    succeeded = None if age is None else NOW - age
    return SyncState.objects.create(show=show, stage=stage, status=status, attempted_at=NOW, last_success_at=succeeded)


def verdicts() -> dict[str, tuple[str, str]]:
    return {stage.value: (stage.verdict.text, stage.verdict.tone) for stage in stage_states(NOW, recent_runs())}


@pytest.fixture
def show(db: None) -> Show:
    return Show.objects.create(name="Below Deck", tmdb_id=1)


@pytest.fixture
def admin_page(client: Client, django_user_model: Any) -> Any:
    def get(role: str = "") -> str:
        user = django_user_model.objects.create_user("u", is_staff=True, is_superuser=not role)
        user.groups.set(Group.objects.filter(name=role))
        client.force_login(user)
        return str(client.get("/admin/").content.decode())

    return get


# --- jobs


@pytest.mark.parametrize(
    ("status", "tone"), [("succeeded", "good"), ("failed", "bad"), ("interrupted", "bad"), ("stopped", "bad")]
)
def test_a_run_that_did_not_succeed_is_red(status: str, tone: str) -> None:
    assert verdict_of(run(status=status), NOW).tone == tone


def test_a_running_run_is_neither_until_it_gives_no_sign_of_life() -> None:
    alive, dead = (
        run(status="running", age=timedelta(0)),
        run("other", "running", heartbeat_at=NOW - timedelta(hours=1)),
    )

    assert (verdict_of(alive, NOW).text, verdict_of(alive, NOW).tone) == ("running", "")
    assert (verdict_of(dead, NOW).text, verdict_of(dead, NOW).tone) == ("no sign of life", "bad")


def test_each_job_shows_its_newest_run_and_how_much_failed() -> None:
    run(status="failed")
    newest = run(status="failed")
    imported = run("import_shows")
    for item in ("a", "b"):
        SyncFailure.objects.create(run=newest, item=item, reason="x")

    assert [(row.job, row.pk, row.failed) for row in last_runs(recent_runs())] == [
        ("import_shows", imported.pk, 0),
        ("sync_shows", newest.pk, 2),
    ]


def test_runs_of_picked_shows_are_one_job() -> None:
    run("sync_selected 0a1b2c")
    newest = run("sync_selected d4e5f6")

    assert [(row.job, row.pk) for row in last_runs(recent_runs())] == [("sync_selected", newest.pk)]


# --- stages


def test_without_a_run_each_stage_is_amber() -> None:
    assert verdicts() == {stage.value: ("not run yet", "warn") for stage in Stage}


def test_a_run_of_all_stages_counts_for_each() -> None:
    run()

    assert set(verdicts().values()) == {("succeeded", "good")}


def test_a_failed_run_makes_its_stages_red_and_no_others() -> None:
    run()
    run("sync_watch_providers", "failed", options={"stages": ["watch_providers"]})

    assert verdicts()["watch_providers"] == ("finished with failures", "bad")
    assert verdicts()["details"] == ("succeeded", "good")


def test_a_stage_is_amber_when_its_last_run_is_older_than_its_age() -> None:
    run(age=timedelta(days=3))

    assert verdicts()["watch_providers"] == ("none for 3 days", "warn")
    assert verdicts()["details"] == ("succeeded", "good")


@pytest.mark.parametrize("options", [{"show_ids": ["x"]}, {"tmdb_ids": ["1"]}, {"imdb_ids": ["tt1"]}, {"limit": 5}])
def test_a_run_of_some_shows_does_not_count_for_a_stage(options: dict[str, Any]) -> None:
    run(options=options)
    run("sync_selected 0a1b2c")
    run("import_shows")

    assert verdicts()["details"] == ("not run yet", "warn")


def test_the_age_of_the_data_is_that_of_living_shows(show: Show) -> None:
    other, trashed = Show.objects.create(name="Other"), Show.objects.create(name="Trash", deleted_at=NOW)
    state(show, age=timedelta(hours=1))
    state(other, age=timedelta(days=8))
    state(trashed, age=timedelta(days=99))

    details = {stage.value: stage for stage in stage_states(NOW, recent_runs())}["details"]

    assert (details.newest, details.oldest) == (NOW - timedelta(hours=1), NOW - timedelta(days=8))
    assert (details.shows, details.fresh, details.stale, details.stale_percent) == (2, 1, 1, 50)


def test_failed_changed_upstream_and_never_tried_count_as_stale(show: Show) -> None:
    shows = [show, *(Show.objects.create(name=f"Show {number}") for number in range(3))]
    state(shows[0])
    state(shows[1], status="failed")
    state(shows[2], status="stale")

    details = {stage.value: stage for stage in stage_states(NOW, recent_runs())}["details"]

    assert (details.fresh, details.stale, details.failed) == (1, 3, 1)


# --- workers and queue


def worker(name: str = "worker-1", **columns: Any) -> Worker:
    now = timezone.now()
    facts = {"host": name, "pid": 7, "version": code_version(), "started_at": now - timedelta(hours=3), "beat_at": now}
    return Worker.objects.create(id=name, **facts | columns)


def test_each_worker_is_told_with_what_befell_it(admin_page: Any, show: Show) -> None:
    worker(task_at=timezone.now() - timedelta(minutes=5), restarts=2, note=f"it hung {EVIL}")
    worker("worker-2", stopping=True)

    page = admin_page("viewer")

    for told in ("worker-1, process 7", "works", "3 h", "5 min ago", "it hung &lt;script&gt;", "stopping"):
        assert told in page
    assert "No worker runs" not in page
    assert "not this site’s" not in page
    assert EVIL not in page


def test_without_a_living_worker_it_is_red_and_says_how_to_start_one(admin_page: Any, show: Show) -> None:
    worker("dead", beat_at=timezone.now() - timedelta(minutes=10))
    worker("long gone", beat_at=timezone.now() - timedelta(days=3))

    page = admin_page()

    assert "No worker runs: what is queued waits" in page
    assert "python manage.py run_worker" in page
    assert '<span class="desk-badge bad">no sign of life</span>' in page
    assert "long gone" not in page


def test_a_worker_with_another_version_is_marked(admin_page: Any, show: Show) -> None:
    worker(version="0ther")

    page = admin_page()

    assert "not this site’s" in page
    assert f"This site runs version {code_version() or 'unknown'}" in page


@pytest.mark.parametrize(
    ("depth", "told"),
    [
        (lambda: Depth(3, 1), {"ok": True, "waiting": 3, "taken": 1}),
        (away, {"ok": False, "reason": "its Redis does not answer"}),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_the_depth_of_the_queue_is_asked_for_apart_and_a_broker_that_is_away_is_told(
    client: Client, admin_user: Any, monkeypatch: pytest.MonkeyPatch, depth: Any, told: dict[str, Any]
) -> None:
    monkeypatch.setattr(health, "queue_depth", depth)
    monkeypatch.setattr(health, "LOOKS", health.make_looks())
    client.force_login(admin_user)

    answer = client.get("/admin/ingestion/syncrun/queue/")

    assert answer.status_code == 200
    assert told.items() <= answer.json().items()


def test_an_open_problem_is_red_and_one_that_is_over_is_not_told(admin_page: Any, show: Show) -> None:
    Problem.objects.create(key="run:sync_shows", text="sync_shows: run 5 failed")
    Problem.objects.create(key="run:old", text="it is over", ended_at=timezone.now())

    page = admin_page("viewer")

    assert '<span class="desk-badge bad">1 open</span>' in page
    assert "sync_shows: run 5 failed" in page
    assert "it is over" not in page


# --- the page


def test_the_dashboard_shows_red_on_a_failed_run_and_leads_to_it(admin_page: Any, show: Show) -> None:
    failed = run(status="failed", error="<b>TMDb said no</b>")
    page = admin_page()

    assert '<span class="desk-badge bad">finished with failures</span>' in page
    assert f"/admin/ingestion/syncrun/{failed.pk}/change/" in page
    assert "&lt;b&gt;TMDb said no" in page


def test_a_viewer_sees_the_runs_and_may_open_them(admin_page: Any, client: Client, show: Show) -> None:
    seen = run()
    page = admin_page("viewer")

    assert "Age of the data" in page
    assert client.get(f"/admin/ingestion/syncrun/{seen.pk}/change/").status_code == 200


def test_who_may_not_see_runs_is_not_shown_them(client: Client, django_user_model: Any) -> None:
    run(status="failed")
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))

    assert "Last run of each job" not in client.get("/admin/").content.decode()


def test_the_whole_dashboard_costs_at_most_22_queries(
    client: Client, django_user_model: Any, django_assert_max_num_queries: Any
) -> None:
    shows = Show.objects.bulk_create(Show(name=f"Show {number}") for number in range(50))
    for show in shows:
        state(show, age=timedelta(days=int(show.pk) % 9))
    for number in range(30):
        run(f"sync_selected {number}", status="failed")
        run()
        worker(f"worker {number}")
        Problem.objects.create(key=f"run:{number}", text="it failed")
    user = django_user_model.objects.create_user("u", is_staff=True)
    user.groups.set(Group.objects.filter(name="operator"))
    client.force_login(user)

    with django_assert_max_num_queries(22):
        assert client.get("/admin/").status_code == 200


def test_the_history_is_filtered_by_a_job_by_its_name(client: Client, admin_user: Any) -> None:
    show = Show.objects.create(name="Below Deck")
    for kind in ("sync_shows", "sync_selected 4f5a", "import_shows"):
        run = SyncRun.objects.create(kind=kind, status="succeeded", host="host", pid=1)
        save_changes([change_of(show.pk, Change.Kind.UPDATED, {"name": ["a", f"by {kind}"]}, Author(run_id=run.pk))])
    client.force_login(admin_user)
    history = reverse("admin:catalog_change_changelist")

    page = client.get(f"{history}?user__id__exact=job:sync_selected").content.decode()

    assert "by sync_selected 4f5a" in page
    assert "by sync_shows" not in page
    assert "by import_shows" not in page
    assert "Job import_shows" in page
    assert "by sync_shows" not in client.get(f"{history}?user__id__exact=job:gone").content.decode()
