"""A real browser before a real server: Debian's Chromium, driven by Selenium."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from catalog.models import Network, Show, ShowNetwork
from catalog.roles import ROLES
from trr_site.tests.browser import Browser

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1440,1000", "--force-prefers-reduced-motion"),
)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome, live_server: Any, settings: Any, tmp_path: Path) -> Iterator[Browser]:
    """A window of nobody: no cookie, light theme. Errors on a page's console fail the test."""
    settings.MEDIA_ROOT = tmp_path / "media"
    browser = Browser(chromium, live_server.url)
    browser.forget()
    yield browser
    browser.close_other_windows()
    assert browser.console_errors() == []


@pytest.fixture
def editor(transactional_db: None, django_user_model: Any, roles: None) -> Any:
    user = django_user_model.objects.create_user("anna", password="anna's secret", is_staff=True)
    user.groups.add(Group.objects.get(name="editor"))
    return user


@pytest.fixture
def roles(transactional_db: None) -> None:
    """The groups that a migration made, which the flush after each of these tests takes away."""
    for name, permissions in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        wanted = {tuple(permission.split(".")) for permission in permissions}
        known = Permission.objects.select_related("content_type")
        group.permissions.set([one for one in known if (one.content_type.app_label, one.codename) in wanted])


@pytest.fixture
def shows(transactional_db: None) -> list[Show]:
    """Six shows on two networks."""
    bravo, mtv = Network.objects.create(id=74, name="Bravo"), Network.objects.create(id=33, name="MTV")
    rows = []
    for number, (name, network, status) in enumerate(
        (
            ("Below Deck", bravo, "Returning Series"),
            ("Vanderpump Rules", bravo, "Returning Series"),
            ("Summer House", bravo, "Ended"),
            ("The Challenge", mtv, "Returning Series"),
            ("Teen Mom", mtv, "Ended"),
            ("Ridiculousness", mtv, "Ended"),
        )
    ):
        show = Show.objects.create(
            name=name,
            tmdb_id=1001 + number,
            imdb_id=f"tt{9001001 + number}",
            tmdb_status=status,
            show_total_seasons=number + 1,
        )
        ShowNetwork.objects.create(show=show, network=network, position=0)
        rows.append(show)
    return rows
