"""A run that moves on its page: over a real daphne with its WebSocket, and over a server that has none."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from selenium import webdriver

from catalog.models import Show
from catalog.tests.daphnes import ROOT, daphne, environment
from demo.upstream import Upstream
from ingestion.models import SyncRun
from ingestion.tests.worlds import world
from trr_site.tests.browser import Browser

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300), pytest.mark.once]

SHOWS = 300


@pytest.fixture
def operator(transactional_db: None, django_user_model: Any, roles: None) -> Any:
    user = django_user_model.objects.create_user("olga", password="olga's secret", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    return user


@pytest.fixture
def at_daphne(chromium: webdriver.Chrome, operator: Any, tmp_path: Path) -> Iterator[Browser]:
    """A window of the operator before a server of its own process, which speaks WebSocket."""
    with daphne(tmp_path / "daphne.log") as address:
        browser = Browser(chromium, address.replace("ws://", "http://").removesuffix("/api/v1/ws"))
        browser.expected = ["favicon.ico"]
        browser.forget()
        client = Client()
        client.force_login(operator)  # the server's own settings know no quick hash of a password
        name = settings.SESSION_COOKIE_NAME
        browser.driver.add_cookie({"name": name, "value": client.cookies[name].value, "path": "/"})
        yield browser
        assert browser.console_errors() == []
        browser.driver.get("about:blank")


@pytest.fixture
def slow_run(tmp_path: Path, transactional_db: None) -> Iterator[SyncRun]:
    """A sync in a process of its own, over shows that take long enough to be watched."""
    with Upstream(shows={}, key="key", latency=0.3) as upstream:
        world(upstream, SHOWS)
        env = environment(
            TMDB_API_URL=upstream.api_url,
            TMDB_IMAGE_URL=upstream.image_url,
            TMDB_API_KEY="key",
            TMDB_CONNECTIONS="1",
            MEDIA_ROOT=str(tmp_path / "media"),
        )
        command = [sys.executable, "manage.py", "sync_shows", "--skip-logos"]
        with (tmp_path / "sync.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
            try:
                yield wait_for_run(process)
            finally:
                process.kill()
                process.wait()


def wait_for_run(process: "subprocess.Popen[bytes]") -> SyncRun:
    while not (found := SyncRun.objects.first()):
        assert process.poll() is None, "the sync ended at once"
    return found


def done(browser: Browser) -> int:
    return int(browser.find("#run-panel [data-run-part=progress]").text.split(" ")[0].replace(",", ""))


def stays(browser: Browser) -> bool:
    """Whether it is still the page that was marked, and no other that was loaded since."""
    return bool(browser.driver.execute_script("return window.isMarked === true"))


def test_the_page_of_a_run_moves_without_a_reload_and_cancel_ends_it(at_daphne: Browser, slow_run: SyncRun) -> None:
    browser = at_daphne
    browser.open("ingestion_syncrun_change", slow_run.pk)
    browser.driver.execute_script("window.isMarked = true")
    first = done(browser)

    browser.wait(lambda: done(browser) > first)
    later = done(browser)
    browser.wait(lambda: done(browser) > later)
    browser.shows("left")
    assert stays(browser)
    assert float(browser.find("#run-bar").get_attribute("value")) >= later

    browser.click_text("Cancel this run…")
    browser.click_text(f"Cancel run {slow_run.pk}")
    browser.driver.execute_script("window.isMarked = true")
    browser.shows("Cancelled by olga; what was done is kept")
    browser.wait(lambda: browser.find("#run-panel .desk-badge").text == "Cancelled")
    browser.wait(lambda: "has ended: cancelled" in browser.find("[data-live-news]").get_attribute("textContent"))
    assert stays(browser)
    slow_run.refresh_from_db()
    assert slow_run.status == "cancelled"
    assert 0 < Show.objects.exclude(tmdb_fetched_at=None).count() < SHOWS


@pytest.mark.parametrize("page", ["ingestion_syncrun_changelist", "index"])
def test_lists_of_runs_learn_of_one_that_begins_and_of_its_end(at_daphne: Browser, page: str) -> None:
    browser = at_daphne
    SyncRun.objects.create(kind="import_shows", status="succeeded", host="here", pid=1)
    browser.open(page)
    browser.driver.execute_script("window.isMarked = true")

    run = SyncRun.objects.create(kind="sync_shows", status="running", host="here", pid=os.getpid(), total=40, done=1)
    browser.wait(lambda: browser.find(f"[data-run='{run.pk}'][data-run-part=progress]").text == "1 of 40")
    SyncRun.objects.filter(pk=run.pk).update(done=23)
    browser.wait(lambda: browser.find(f"[data-run='{run.pk}'][data-run-part=progress]").text == "23 of 40")
    SyncRun.objects.filter(pk=run.pk).update(done=40, status="failed", finished_at=timezone.now())
    assert browser.wait(lambda: "finished with failures" in browser.text().lower())
    assert stays(browser)


def test_without_a_websocket_the_page_asks_for_the_figures(browser: Browser, operator: Any) -> None:
    run = SyncRun.objects.create(kind="sync_shows", status="queued", host="", pid=0, shared=True)
    browser.log_in("olga", "olga's secret")
    browser.open("ingestion_syncrun_change", run.pk)
    browser.driver.execute_script("window.isMarked = true")
    browser.shows("It waits for a worker")

    SyncRun.objects.filter(pk=run.pk).update(status="running", total=50, done=20, heartbeat_at=timezone.now())
    browser.wait(lambda: browser.find("#run-panel .desk-badge").text == "Running")
    browser.wait(lambda: done(browser) == 20)
    SyncRun.objects.filter(pk=run.pk).update(status="succeeded", done=50, finished_at=timezone.now())
    browser.wait(lambda: browser.find("#run-panel .desk-badge").text == "Succeeded")
    assert "has ended: succeeded. 50 of 50 done" in browser.find("[data-live-news]").get_attribute("textContent")
    assert stays(browser)


def test_who_is_logged_out_meanwhile_is_told_so(browser: Browser, operator: Any) -> None:
    run = SyncRun.objects.create(kind="sync_shows", status="queued", host="", pid=0, shared=True)
    browser.log_in("olga", "olga's secret")
    browser.open("ingestion_syncrun_change", run.pk)

    operator.user_permissions.clear()
    operator.groups.clear()

    browser.expected.append("403")
    assert browser.shows("Your login has ended, or you may not see runs any more.")
