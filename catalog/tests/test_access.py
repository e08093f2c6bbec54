"""Logins: the lockout after failures, what is kept of them, and that no write goes without a CSRF token."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from axes.models import AccessAttempt
from django.core.checks import run_checks
from django.test import AsyncClient, Client
from django.urls import reverse

from catalog.access import describe_rights
from catalog.models import AccessEvent, Show

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LOGIN = "/admin/login/"
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def log_in(client: Client, password: str, username: str = "editor", **extra: Any) -> Any:
    return client.post(LOGIN, {"username": username, "password": password, "next": "/admin/"}, **extra)


def events() -> list[tuple[str, str]]:
    return list(AccessEvent.objects.order_by("id").values_list("kind", "username"))


@pytest.fixture
def locked(client: Client, editor: Any) -> Client:
    """A client that has failed five times, at noon."""
    with time_machine.travel(NOON, tick=False):
        for _ in range(5):
            log_in(client, "wrong")
    return client


# --- lockout


def test_four_failures_do_not_lock(client: Client, editor: Any) -> None:
    for _ in range(4):
        assert log_in(client, "wrong").status_code == 200

    assert log_in(client, "secret").status_code == 302


def test_after_five_failures_even_the_right_password_is_refused(locked: Client) -> None:
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        response = log_in(locked, "secret")

    assert response.status_code == 429
    assert "_auth_user_id" not in locked.session
    assert "catalog/locked_out.html" in [template.name for template in response.templates]


def test_the_page_says_how_long_and_counts_down(locked: Client) -> None:
    with time_machine.travel(NOON + timedelta(minutes=4, seconds=30), tick=False):
        response = log_in(locked, "secret")

    assert response["Retry-After"] == "630"
    assert 'data-count-down="630"' in response.content.decode()
    assert "11 minutes" in response.content.decode()


def test_trying_while_locked_out_does_not_prolong_it(locked: Client) -> None:
    with time_machine.travel(NOON + timedelta(minutes=14), tick=False):
        assert log_in(locked, "wrong").status_code == 429
    with time_machine.travel(NOON + timedelta(minutes=15, seconds=1), tick=False):
        assert log_in(locked, "secret").status_code == 302


def test_a_success_takes_the_failures_back(client: Client, editor: Any) -> None:
    for _ in range(2):
        for _ in range(4):
            assert log_in(client, "wrong").status_code == 200
        assert log_in(client, "secret").status_code == 302
        client.logout()

    assert not AccessAttempt.objects.exists()


def test_another_user_and_another_address_are_not_locked_out(locked: Client, django_user_model: Any) -> None:
    django_user_model.objects.create_superuser("anna", password="secret")
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        assert log_in(locked, "secret", "anna").status_code == 302
        assert log_in(Client(), "secret", REMOTE_ADDR="203.0.113.7").status_code == 302


def test_a_header_that_anybody_can_write_is_no_other_address(locked: Client) -> None:
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        assert log_in(locked, "secret", HTTP_X_FORWARDED_FOR="203.0.113.7").status_code == 429


def test_another_case_of_the_name_is_no_other_name(locked: Client) -> None:
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        assert log_in(locked, "secret", "EDITOR").status_code == 429


def test_trying_while_locked_out_is_told_once_a_minute(locked: Client) -> None:
    for second in (70, 80, 90, 129, 131):
        with time_machine.travel(NOON + timedelta(seconds=second), tick=False):
            log_in(locked, "wrong", "Editor")
    with time_machine.travel(NOON + timedelta(seconds=132), tick=False):
        for _ in range(6):
            log_in(locked, "wrong", "anna")

    told = AccessEvent.objects.filter(kind=AccessEvent.Kind.LOCKED_OUT).order_by("id").values_list("username", "detail")
    assert list(told) == [
        ("editor", "for 15 minutes, after 5 failed logins"),
        ("editor", "tried again while locked out"),
        ("editor", "tried again while locked out"),
        ("anna", "for 15 minutes, after 5 failed logins"),
    ]


def test_blanks_around_the_name_are_no_other_name(locked: Client) -> None:
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        response = log_in(locked, "secret", " editor ")

    assert response["Retry-After"] == "840"


@pytest.mark.django_db(transaction=True)
def test_the_lockout_is_the_same_under_asgi(editor: Any) -> None:
    async def sixth() -> Any:
        client = AsyncClient()
        for _ in range(6):
            response = await client.post(LOGIN, {"username": "editor", "password": "wrong"})
        return response

    response = async_to_sync(sixth)()

    assert response.status_code == 429
    assert 890 <= int(response["Retry-After"]) <= 900


def test_an_admin_opens_the_lock(locked: Client, django_user_model: Any) -> None:
    admin, attempt = Client(), AccessAttempt.objects.get()
    anna = django_user_model.objects.create_superuser("anna")
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        admin.force_login(anna)
        listed = admin.get(reverse("admin:axes_accessattempt_changelist"))
        admin.post(
            reverse("admin:axes_accessattempt_changelist"), {"action": "unlock", "_selected_action": [attempt.pk]}
        )
        assert log_in(locked, "secret").status_code == 302

    assert listed.status_code == 200
    event = AccessEvent.objects.get(kind="rights")
    assert (event.username, event.detail) == ("editor", "unlocked for 127.0.0.1")
    assert event.actor == anna


def test_the_checks_of_axes_find_nothing() -> None:
    assert [message for message in run_checks(include_deployment_checks=True) if "axes" in str(message.id)] == []


# --- what is kept of a login


def test_logins_failures_and_logouts_are_kept(client: Client, editor: Any) -> None:
    log_in(client, "wrong")
    log_in(client, "secret")
    client.post("/admin/logout/")

    assert events() == [("failed", "editor"), ("login", "editor"), ("logout", "editor")]
    assert set(AccessEvent.objects.values_list("address", flat=True)) == {"127.0.0.1"}


def test_a_failure_keeps_the_name_as_typed_and_no_password(client: Client) -> None:
    log_in(client, "hunter2-of-mine", "<b>Nobody</b>")

    event = AccessEvent.objects.get()
    assert (event.kind, event.username, event.actor) == ("failed", "<b>Nobody</b>", None)
    assert "hunter2" not in f"{event.__dict__}"
    assert "hunter2" not in f"{AccessAttempt.objects.get().__dict__}"


def test_a_name_that_is_too_long_is_no_error(client: Client) -> None:
    assert log_in(client, "x", "n" * 5000).status_code == 200
    assert events() == [("failed", "n" * 150)]
    assert AccessAttempt.objects.get().username == "n" * 150


def test_a_name_with_a_null_byte_is_no_error(client: Client) -> None:
    assert log_in(client, "x", "a\0b").status_code == 200


def test_the_lock_is_told_of_once_by_its_failure_and_then_at_each_try(locked: Client) -> None:
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        log_in(locked, "secret")

    assert [kind for kind, _ in events()] == ["failed"] * 4 + ["locked_out"] * 2
    last, sixth = AccessEvent.objects.filter(kind=AccessEvent.Kind.LOCKED_OUT).order_by("id")
    assert last.detail == "for 15 minutes, after 5 failed logins"
    assert sixth.detail == "tried again while locked out"


def test_force_login_needs_no_address(client: Client, editor: Any) -> None:
    client.force_login(editor)

    assert AccessEvent.objects.get().kind == "login"


# --- the list


def test_the_list_shows_names_as_text(desk: Client) -> None:
    AccessEvent.objects.create(kind="failed", username="<script>alert(1)</script>", detail="<b>")
    page = desk.get(reverse("admin:catalog_accessevent_changelist"))

    assert "<script>alert(1)" not in page.content.decode()
    assert "&lt;script&gt;" in page.content.decode()


def test_the_list_is_filtered_by_kind_name_and_who_did_it(desk: Client, editor: Any) -> None:
    AccessEvent.objects.create(kind="failed", username="anna")
    AccessEvent.objects.create(kind="rights", username="anna", actor=editor, detail="superuser: no → yes")
    address = reverse("admin:catalog_accessevent_changelist")

    def found(query: str) -> list[str]:
        return [event.kind for event in desk.get(f"{address}?{query}").context["cl"].result_list]

    assert found("kind__exact=failed") == ["failed"]
    assert found("q=anna") == ["rights", "failed"]
    assert found(f"actor={editor.pk}") == ["rights", "login"] or found(f"actor={editor.pk}") == ["rights"]
    assert found("actor=x%27") == ["rights", "failed", "login"]


def test_the_list_costs_the_same_for_many_events(desk: Client, editor: Any, django_assert_max_num_queries: Any) -> None:
    AccessEvent.objects.bulk_create(AccessEvent(kind="rights", username=f"u{n}", actor=editor) for n in range(150))
    with django_assert_max_num_queries(12):
        desk.get(reverse("admin:catalog_accessevent_changelist"))


def test_nobody_edits_the_history_of_access(desk: Client) -> None:
    event = AccessEvent.objects.create(kind="failed", username="anna")

    for page in (f"{event.pk}/change/", f"{event.pk}/delete/", "add/"):
        address = reverse("admin:catalog_accessevent_changelist") + page
        assert desk.post(address, {"username": "b", "post": "yes"}).status_code == 403, page
    assert AccessEvent.objects.get(pk=event.pk).username == "anna"


# --- rights in words


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {"user name": "a", "staff": "yes", "superuser": "no"}, "created; staff: yes"),
        ({"staff": "yes", "groups": frozenset({"editor"})}, {}, "deleted; staff: yes; groups: - editor"),
        ({"superuser": "no"}, {"superuser": "yes"}, "superuser: no → yes"),
        ({"groups": frozenset({"a", "b"})}, {"groups": frozenset({"b", "c"})}, "groups: + c - a"),
        ({"password": "x", "staff": "no"}, {"password": "y", "staff": "no"}, "password changed"),
        ({"staff": "yes"}, {"staff": "yes"}, ""),
    ],
)
def test_rights_are_told_before_and_after(before: Any, after: Any, words: str) -> None:
    assert describe_rights(before, after) == words


# --- CSRF

REPRESENTATIVE = (
    "/admin/login/",
    "/admin/logout/",
    "/admin/password_change/",
    "/admin/catalog/show/",
    "/admin/catalog/show/add/",
    "/admin/catalog/show/{show}/change/",
    "/admin/catalog/show/{show}/delete/",
    "/admin/catalog/network/",
    "/admin/catalog/accessevent/",
    "/admin/auth/user/add/",
    "/admin/auth/user/{user}/password/",
    "/admin/auth/group/add/",
)


@pytest.mark.parametrize("path", REPRESENTATIVE)
def test_a_post_without_a_token_is_refused(path: str, show: Show, editor: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    if "login" not in path:
        client.force_login(editor)

    response = client.post(path.format(show=show.pk, user=editor.pk), {"name": "Hacked", "post": "yes"})

    assert response.status_code == 403
    assert Show.objects.get().name == "Below Deck"


def test_every_page_of_the_desk_that_writes_asks_for_a_token(show: Show, editor: Any) -> None:
    """No view of admin is exempt, whoever brought it."""
    from django.urls import get_resolver

    def exempt(patterns: Any) -> list[str]:
        found = []
        for pattern in patterns:
            if getattr(pattern, "namespace", None) == "api":
                continue  # it asks by itself where a session writes (test_api_editing)
            if hasattr(pattern, "url_patterns"):
                found += exempt(pattern.url_patterns)
            elif getattr(pattern.callback, "csrf_exempt", False):
                found.append(str(pattern.pattern))
        return found

    assert exempt(get_resolver().url_patterns) == []


def test_a_login_page_opened_by_itself_leads_to_the_dashboard(client: Client, editor: Any) -> None:
    response = client.post(LOGIN, {"username": "editor", "password": "secret"})

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_a_login_leads_to_no_other_site(client: Client, editor: Any) -> None:
    response = client.post(f"{LOGIN}?next=https://example.org/", {"username": "editor", "password": "secret"})

    assert response["Location"] == "/admin/"
