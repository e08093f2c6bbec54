"""Problems in admin: what is wrong is seen on the first page, what was is a list that nobody edits."""

from datetime import UTC, datetime, timedelta
from html import unescape
from re import sub
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client

from ingestion.models import Problem

pytestmark = [pytest.mark.django_db, pytest.mark.once]

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LIST = "/admin/ingestion/problem/"
HOSTILE = "<script>alert('x')</script>"


def problem(key: str = "run:sync_shows", **columns: Any) -> Problem:
    return Problem.objects.create(**{"key": key, "text": f"Text of {key}.", "since": NOW} | columns)


@pytest.fixture
def viewer(client: Client, django_user_model: Any) -> Client:
    user = django_user_model.objects.create_user("viewer", is_staff=True)
    user.groups.add(Group.objects.get(name="viewer"))
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def addresses(settings: Any) -> None:
    settings.ALERT_EMAILS, settings.ALERT_WEBHOOK_URL = ["ops@example.org"], ""


def text_of(client: Client, url: str) -> str:
    with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
        page = client.get(url).content.decode()
    return unescape(" ".join(sub(r"<[^>]*>", " ", page).split())).replace(" - ", " ")


def test_the_list_says_what_is_open_what_may_pass_and_what_is_over(viewer: Client) -> None:
    problem(told_at=NOW)
    problem("queue")
    problem("stale:details", ended_at=NOW + timedelta(hours=1), told_at=NOW, end_told_at=NOW + timedelta(hours=2))
    problem("guard:sync_shows", telling_error="mail: TimeoutError")
    text = text_of(viewer, LIST)

    assert "Open Text of run:sync_shows. 2026-05-04 12:00 2026-05-04 12:00" in text
    assert "May pass Text of queue. 2026-05-04 12:00 nobody" in text
    assert "Over Text of stale:details. 2026-05-04 12:00 2026-05-04 13:00 2026-05-04 12:00 and 2026-05-04 14:00" in text
    assert "Open Text of guard:sync_shows. 2026-05-04 12:00 nobody; mail: TimeoutError" in text


def test_without_an_address_the_list_does_not_say_that_anybody_was_told(viewer: Client, settings: Any) -> None:
    settings.ALERT_EMAILS = []
    problem(told_at=NOW)

    assert "here alone: neither ALERT_EMAILS nor ALERT_WEBHOOK_URL is set" in text_of(viewer, LIST)


@pytest.mark.parametrize(("value", "shown"), [("yes", "run:a"), ("no", "run:b")])
def test_the_list_is_filtered_by_whether_they_are_open(viewer: Client, value: str, shown: str) -> None:
    problem("run:a")
    problem("run:b", ended_at=NOW)
    text = text_of(viewer, f"{LIST}?open={value}")

    assert [f"Text of {key}." in text for key in ("run:a", "run:b")] == [shown == "run:a", shown == "run:b"]


def test_nobody_edits_or_deletes_one(viewer: Client, admin_client: Client) -> None:
    row = problem()
    for client in (viewer, admin_client):
        assert client.get(f"{LIST}{row.pk}/change/").status_code == 200
        assert client.post(f"{LIST}{row.pk}/change/", {"text": "all is well"}).status_code == 403
        assert client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert client.get(f"{LIST}add/").status_code == 403


def test_the_first_page_shows_what_is_open_and_nothing_when_all_is_well(viewer: Client) -> None:
    assert "dash-problems" not in viewer.get("/admin/").content.decode()

    problem("queue")  # since a minute: it may pass
    problem("run:b", ended_at=NOW)
    assert "Text of" not in text_of(viewer, "/admin/")

    row = problem()
    with time_machine.travel(NOW, tick=False):
        page = viewer.get("/admin/").content.decode()
    assert "Text of run:sync_shows." in page
    assert f'href="{LIST}{row.pk}/change/"' in page


def test_who_may_not_see_problems_sees_none(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))
    problem()

    assert "Text of" not in client.get("/admin/").content.decode()
    assert client.get(LIST).status_code == 403


def test_the_sidebar_leads_to_problems(viewer: Client) -> None:
    assert f'href="{LIST}"' in viewer.get("/admin/").content.decode()


def test_hostile_texts_are_shown_as_text(viewer: Client) -> None:
    row = problem(HOSTILE, text=HOSTILE, telling_error=HOSTILE)

    for page in (LIST, f"{LIST}{row.pk}/change/", "/admin/", f"{LIST}?q=script&open=x"):
        assert HOSTILE not in viewer.get(page).content.decode()
