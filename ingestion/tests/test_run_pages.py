"""Runs in admin: what the list and the page of one tell, and the buttons that cancel one and retry what failed."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Show
from ingestion import shared_runs
from ingestion.dashboard import verdict_of
from ingestion.models import SyncChunk, SyncFailure, SyncRun
from ingestion.options import Options
from ingestion.runs import cancelled_words
from ingestion.tests.asked_runs import messages_queued
from ingestion.tests.builders import make_show

pytestmark = [pytest.mark.django_db, pytest.mark.once]

RUNS = "/admin/ingestion/syncrun/"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def anna(django_user_model: Any) -> Any:
    user = django_user_model.objects.create_user("anna", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    return user


@pytest.fixture
def desk(client: Client, anna: Any) -> Client:
    client.force_login(anna)
    return client


def make_run(kind: str = "sync_shows", status: str = "succeeded", **columns: Any) -> SyncRun:
    """One that took a minute, or goes on for a minute."""
    now = timezone.now()
    times = {"started_at": now - timedelta(minutes=1), "heartbeat_at": now}
    if status not in ("queued", "running"):
        times["finished_at"] = now
    facts = {"kind": kind, "status": status, "host": "web-1.example", "pid": 4711}
    return SyncRun.objects.create(**facts | times | columns)


def fail(run: SyncRun, count: int = 1, reason: str = "HTTP 503", show: Show | None = None) -> list[SyncFailure]:
    rows = [SyncFailure(run=run, show=show, item=f"item {number}", reason=reason) for number in range(count)]
    return SyncFailure.objects.bulk_create(rows)


def page_of(desk: Client, run: SyncRun, query: str = "") -> str:
    page = desk.get(f"{RUNS}{run.pk}/change/{query}")
    assert page.status_code == 200
    return str(page.content.decode())


def html_of(page: Any) -> str:
    return str(page.content.decode())


def messages_of(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


# --- the list


def test_what_waits_or_goes_on_stands_first(desk: Client) -> None:
    running = make_run("import_shows", "running")
    queued = make_run("sync_watch_providers", "queued", shared=True)
    done = [make_run(), make_run()]

    listed = [run.pk for run in desk.get(RUNS).context["cl"].result_list]

    assert listed == [queued.pk, running.pk, done[1].pk, done[0].pk]


@pytest.mark.parametrize(
    ("status", "tone", "text"),
    [
        ("queued", "", "waits for a worker"),
        ("running", "", "running"),
        ("succeeded", "good", "succeeded"),
        ("failed", "bad", "finished with failures"),
        ("stopped", "bad", "stopped before its end"),
        ("interrupted", "bad", "cut off"),
        ("cancelled", "warn", "cancelled"),
    ],
)
def test_each_status_has_its_colour(desk: Client, status: str, tone: str, text: str) -> None:
    verdict = verdict_of(make_run(status=status), timezone.now())

    assert (verdict.tone, verdict.text) == (tone, text)
    assert f'<span class="desk-badge {tone}">{text[0].upper()}{text[1:]}</span>' in html_of(desk.get(RUNS))


def test_a_run_that_waits_too_long_or_is_being_cancelled_is_amber(anna: Any) -> None:
    now = timezone.now()
    late = make_run(status="queued", started_at=now - timedelta(hours=1))
    ending = make_run("import_shows", "running", cancel_asked_at=now, cancel_asked_by=anna)

    assert verdict_of(late, now).tone == "warn"
    assert verdict_of(ending, now).text == "being cancelled"


def test_runs_are_filtered_by_job_and_status(desk: Client) -> None:
    picked = [make_run("sync_selected 1a"), make_run("sync_selected 2b", "failed")]
    make_run()

    def listed(query: str) -> list[int]:
        return [run.pk for run in desk.get(f"{RUNS}?{query}").context["cl"].result_list]

    assert listed("job=sync_selected") == [picked[1].pk, picked[0].pk]
    assert listed("job=sync_selected&status__exact=failed") == [picked[1].pk]
    assert "No run is like that" in html_of(desk.get(f"{RUNS}?job=gone"))


def test_an_empty_list_says_what_to_do(desk: Client) -> None:
    html = html_of(desk.get(RUNS))

    assert "Nothing has been run yet. Press “Sync all that is due”" in html
    assert "python manage.py setup_schedules" in html


def test_who_started_a_run_is_told_in_words(desk: Client, anna: Any) -> None:
    make_run(started_by=anna)
    make_run(shared=True)
    make_run("import_shows")
    make_run("prune_logos")

    html = html_of(desk.get(RUNS))

    for told in (">anna<", ">a schedule<", ">a command<", ">a command or a schedule<"):
        assert told in html.replace("\n", "").replace("  ", "")


def test_the_list_tells_how_many_work_on_a_shared_run_at_the_same_cost(desk: Client) -> None:
    costs = []
    for number, kind in ((2, "sync_shows"), (20, "sync_watch_providers")):
        run = make_run(kind, "running", shared=True, total=100, done=50)
        for one in range(number):
            SyncChunk.objects.create(run=run, number=one, status="running", heartbeat_at=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            page = desk.get(RUNS)
        costs.append(len(queries))
        assert page.context["cl"].result_list[0].at_work == number
    assert costs[0] == costs[1] <= 12
    assert "about 1 min left" in html_of(page)


# --- the page of a run


def test_the_page_tells_all_there_is_to_know_of_a_run(desk: Client, anna: Any) -> None:
    first = make_run(status="failed")
    run = make_run(
        **{"status": "stopped", "started_by": anna, "total": 1200, "done": 300, "requests": 412, "tripped": True},
        **{"counts": {"failed": 2, "updated": 298}, "version": "0a1b2c3d", "error": f"too much {EVIL}"},
        **{"options": {"stages": ["watch_providers"], "since": "2026-01-02", "retry_of": first.pk}, "retry_of": first},
    )
    again = make_run("sync_selected retry of run 2", "queued", shared=True, retry_of=run)

    html = page_of(desk, run)

    for told in (
        *(
            "Stopped before its end",
            "Guard tripped",
            "Too much &lt;script&gt;",
            "298 updated, 2 failed",
            "300 of 1,200",
        ),
        *("412", "1 min 0 s", "anna", "0a1b2c3d", "web-1.example, process 4711", "these stages alone: watch providers"),
        *("TMDb&#x27;s changes since 2026-01-02", 'max="1200" value="300"', "Progress of run"),
        *(f"{RUNS}{first.pk}/change/", f"{RUNS}{again.pk}/change/"),
    ):
        assert told in html, told
    assert EVIL not in html


def test_the_time_that_is_left_is_told_while_it_goes_on(desk: Client) -> None:
    assert "about 3 min left" in page_of(desk, make_run(status="running", total=100, done=25))
    assert 'data-run-part="left"></span>' in page_of(desk, make_run("import_shows", "running", done=25))


def test_equal_failures_are_one_line_that_leads_to_them(desk: Client) -> None:
    run = make_run(status="failed")
    many = fail(run, 400, f"HTTP 503 {EVIL}")
    [other] = fail(run, 1, "the reply can't be used")

    html = page_of(desk, run)
    assert html.partition("Why things failed")[2].partition("</table>")[0].count("<tr>") == 1 + 2
    assert '<td class="desk-number">400</td><td class="run-reason">HTTP 503 &lt;script&gt;' in html
    assert f'href="?like={min(row.pk for row in many)}#failures-group"' in html
    assert EVIL not in html

    listed = page_of(desk, run, f"?like={other.pk}")
    assert "only failures with this reason are listed: “the reply can&#x27;t be used”" in listed
    assert listed.count("item 0") == 1
    assert "item 1" not in listed


@pytest.mark.parametrize("like", ["x", "", "0", "9" * 30, "²"])
def test_a_failure_that_is_not_there_lists_none_or_all(desk: Client, like: str) -> None:
    run = make_run(status="failed")
    fail(run)

    page_of(desk, run, f"?like={like}")


def test_the_parts_of_a_shared_run_are_told_with_who_works_on_them(desk: Client) -> None:
    run = make_run(status="running", shared=True, total=200, done=30)
    SyncChunk.objects.create(run=run, number=0, status="done")
    SyncChunk.objects.create(run=run, number=1, status="waiting")
    at_work = {"status": "running", "host": "worker-7", "pid": 99, "attempts": 2, "done": 30}
    SyncChunk.objects.create(run=run, number=2, heartbeat_at=timezone.now(), counts={"updated": 30}, **at_work)

    html = page_of(desk, run).partition("Its parts, and who works on them")[2]

    assert html.index("worker-7, process 99") < html.index("choice of the shows")
    assert "30 updated" in html


def test_the_page_of_a_run_costs_the_same_whatever_it_has(desk: Client) -> None:
    costs = []
    for number in (1, 60):
        run = make_run(status="running" if number == 1 else "failed", shared=True)
        fail(run, number, show=make_show())
        for one in range(number):
            SyncChunk.objects.create(run=run, number=one)
            make_run(retry_of=run)
        with CaptureQueriesContext(connection) as queries:
            page_of(desk, run)
        costs.append(len(queries))
    assert abs(costs[0] - costs[1]) <= 2, costs  # one that has ended may be retried: that is asked too
    assert max(costs) <= 20


# --- cancel


def press(client: Client, run: SyncRun, act: str, callbacks: Any = None) -> Any:
    if callbacks is None:
        return client.post(f"{RUNS}{run.pk}/{act}/", follow=True)
    with callbacks(execute=True):
        return client.post(f"{RUNS}{run.pk}/{act}/", follow=True)


def test_a_run_is_cancelled_after_a_question(desk: Client, anna: Any) -> None:
    run = make_run(status="running", host="elsewhere", done=5, total=9)
    assert f"{RUNS}{run.pk}/cancel/" in page_of(desk, run)

    question = html_of(desk.get(f"{RUNS}{run.pk}/cancel/"))
    assert "has done 5 of 9" in question
    assert cancelled_words(run.pk) == ""

    page = press(desk, run, "cancel")

    assert cancelled_words(run.pk) == "cancelled by anna; what was done is kept"
    assert "ends within seconds" in messages_of(page)
    html = page_of(desk, run)
    assert "anna has cancelled it" in html
    assert f"{RUNS}{run.pk}/cancel/" not in html
    assert "being cancelled already" in messages_of(press(desk, run, "cancel"))


def test_a_run_that_waits_is_cancelled_at_once(desk: Client, anna: Any) -> None:
    run = shared_runs.request_run(Options(), "sync_shows", anna)

    page = press(desk, run, "cancel")

    run.refresh_from_db()
    assert (run.status, run.error) == ("cancelled", "cancelled by anna")
    assert "It had not begun." in messages_of(page)


def test_a_shared_run_that_nobody_works_on_ends_at_once(desk: Client) -> None:
    run = shared_runs.start_shared(Options(), "sync_shows").row

    press(desk, run, "cancel")

    run.refresh_from_db()
    assert run.status == "cancelled"


def test_a_run_that_was_cut_off_is_closed_instead(desk: Client) -> None:
    run = make_run(status="running", host="elsewhere", heartbeat_at=timezone.now() - timedelta(hours=1))

    page = press(desk, run, "cancel")

    run.refresh_from_db()
    assert run.status == "interrupted"
    assert "cut off before" in messages_of(page)


def test_what_has_ended_or_is_gone_can_not_be_cancelled(desk: Client) -> None:
    run = make_run()
    assert "/cancel/" not in page_of(desk, run)

    assert "has ended meanwhile" in messages_of(press(desk, run, "cancel"))
    run.delete()
    run.pk = 999999
    assert "no run 999999 any more" in messages_of(press(desk, run, "cancel"))


# --- retry


def test_what_failed_is_retried_by_a_run_of_its_own(
    desk: Client, anna: Any, django_capture_on_commit_callbacks: Any
) -> None:
    run = make_run("sync_watch_providers", "failed", options={"stages": ["watch_providers"], "limit": 9})
    fail(run, show=make_show())
    assert "Retry the failed ones" in page_of(desk, run)

    page = press(desk, run, "retry", django_capture_on_commit_callbacks)

    again = run.retries.get()
    assert page.redirect_chain[-1][0] == f"{RUNS}{again.pk}/change/"
    assert (again.status, again.started_by, again.shared) == ("queued", anna, True)
    assert again.options == {"stages": ["watch_providers"], "retry_of": run.pk}
    assert messages_queued() == [("ingestion.tasks.work_on", (again.pk,))]
    assert "Retry the failed ones" not in page_of(desk, run)

    assert press(desk, run, "retry").redirect_chain[-1][0] == f"{RUNS}{again.pk}/change/"
    assert run.retries.count() == 1


@pytest.mark.parametrize(
    ("kind", "status", "with_failure"),
    [
        ("import_shows", "failed", True),
        ("prune_logos", "failed", True),
        ("sync_shows", "running", True),
        ("sync_shows", "failed", False),
    ],
)
def test_what_can_not_be_retried_has_no_button_and_says_why(
    desk: Client, kind: str, status: str, with_failure: bool
) -> None:
    run = make_run(kind, status)
    if with_failure:
        fail(run, show=make_show())

    assert "Retry the failed ones" not in page_of(desk, run)
    assert "Nothing was queued: run " in messages_of(press(desk, run, "retry"))
    assert not run.retries.exists()


# --- who may


@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_buttons_are_pressed_by_those_with_the_right(client: Client, django_user_model: Any, act: str) -> None:
    running, failed = make_run(status="running", host="elsewhere"), make_run("sync_selected 1", "failed")
    fail(failed, show=make_show())
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_syncrun", "view_syncfailure"]))
    client.force_login(viewer)

    html = page_of(client, running) + page_of(client, failed)

    assert "/cancel/" not in html
    assert "/retry/" not in html
    assert client.post(f"{RUNS}{(running if act == 'cancel' else failed).pk}/{act}/").status_code == 403
    assert client.get(f"{RUNS}{running.pk}/cancel/").status_code == 403
    assert cancelled_words(running.pk) == ""
    assert not failed.retries.exists()


def test_a_retry_is_pressed_not_followed(desk: Client) -> None:
    assert desk.get(f"{RUNS}{make_run().pk}/retry/").status_code == 405


@pytest.mark.parametrize("path", ["figures/", "queue/", "1/cancel/", "1/retry/"])
def test_nothing_of_runs_is_public(client: Client, path: str) -> None:
    make_run()

    assert client.get(f"{RUNS}{path}").status_code == 302
    assert client.post(f"{RUNS}{path}").status_code in (302, 403)


def test_the_api_has_no_routes_of_jobs(client: Client) -> None:
    paths = client.get("/api/v1/schema", headers={"accept": "application/json"}).json()["paths"]

    assert paths
    assert [path for path in paths if any(word in path for word in ("run", "sync", "task", "job", "problem"))] == []


# --- figures for pages without a WebSocket


def test_the_figures_of_open_runs_and_of_named_ones_are_told(desk: Client) -> None:
    running = make_run("import_shows", "running", done=7, error="secret")
    queued = make_run(status="queued", shared=True)
    named, _ = make_run(), make_run()

    told = desk.get(f"{RUNS}figures/", {"run": [named.pk, "x", "9" * 30, "²"]}).json()

    assert [run["run_id"] for run in told["runs"]] == [running.pk, queued.pk, named.pk]
    assert told["runs"][0]["done"] == 7
    assert "secret" not in str(told)
    assert told["ts"]


def test_figures_are_for_those_who_may_see_runs(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))

    assert client.get(f"{RUNS}figures/").status_code == 403
    assert client.get(f"{RUNS}queue/").status_code == 403
