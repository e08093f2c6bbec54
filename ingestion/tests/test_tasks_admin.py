"""Background tasks in admin: what waits is called off, what failed is run again."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django_q.models import Failure, OrmQ, Task
from django_q.signing import SignedPackage

pytestmark = [pytest.mark.django_db, pytest.mark.once]

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SYNC = "ingestion.tasks.sync_shows"


@pytest.fixture
def operator(client: Client, django_user_model: Any) -> Client:
    user = django_user_model.objects.create_user("operator", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    return client


@pytest.fixture
def failed(db: None) -> Task:
    return Task.objects.create(
        **{"id": "a" * 32, "name": "red-blue", "func": SYNC, "args": (), "kwargs": {"show_ids": ["x"]}},
        **{"started": NOW, "stopped": NOW, "success": False, "result": "<b>boom</b> : Traceback", "attempt_count": 1},
    )


def test_a_failed_task_is_run_again_with_what_it_was_given(
    operator: Client, failed: Task, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        operator.post("/admin/django_q/failure/", {"action": "run_again", "_selected_action": [failed.pk]})

    assert not Failure.objects.exists()
    task = OrmQ.objects.get().task
    assert (task["func"], task["kwargs"]) == (SYNC, {"show_ids": ["x"]})


def test_only_who_may_change_failures_runs_them_again(client: Client, failed: Task, django_user_model: Any) -> None:
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("u", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_failure"))
    client.force_login(user)
    client.post("/admin/django_q/failure/", {"action": "run_again", "_selected_action": [failed.pk]})

    assert Failure.objects.exists()
    assert not OrmQ.objects.exists()


@pytest.mark.parametrize(
    "path", ["failure/", "failure/{pk}/change/", "success/", "ormq/", "schedule/", "schedule/add/"]
)
def test_the_pages_of_tasks_open(operator: Client, failed: Task, path: str) -> None:
    OrmQ.objects.create(key="trr", payload="not signed by us", lock=NOW)
    OrmQ.objects.create(key="trr", payload=SignedPackage.dumps({"id": "1", "func": SYNC, "args": ("<i>",)}), lock=NOW)
    page = operator.get("/admin/django_q/" + path.format(pk=failed.pk))

    assert page.status_code == 200
    assert "<b>boom" not in page.content.decode()
    assert "<i>" not in page.content.decode()


def test_a_waiting_task_is_looked_at_and_called_off_but_not_edited(operator: Client) -> None:
    waiting = OrmQ.objects.create(key="trr", payload=SignedPackage.dumps({"id": "1", "func": SYNC}), lock=NOW)

    assert operator.post(f"/admin/django_q/ormq/{waiting.pk}/change/", {"key": "other"}).status_code == 403
    assert operator.post(f"/admin/django_q/ormq/{waiting.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not OrmQ.objects.exists()
