"""Background tasks in admin: people plan what is made to be planned, and run again what failed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django_q.models import Failure, OrmQ, Schedule, Task
from django_q.signing import SignedPackage

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SYNC = "ingestion.tasks.sync_shows"
FORM = {
    **{"name": "Nightly", "func": SYNC, "schedule_type": "D", "repeats": "-1"},
    **{"next_run_0": "2026-05-05", "next_run_1": "04:30:00"},
}


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


def test_an_operator_plans_the_sync(operator: Client) -> None:
    response = operator.post("/admin/django_q/schedule/add/", FORM)

    assert response.status_code == 302, response.context["errors"]
    planned = Schedule.objects.get()
    assert (planned.func, planned.schedule_type) == (SYNC, "D")


@pytest.mark.parametrize("func", ["os.system", "ingestion.tasks.nothing", ""])
def test_nothing_else_can_be_planned(operator: Client, func: str) -> None:
    response = operator.post("/admin/django_q/schedule/add/", FORM | {"func": func, "args": "'rm -rf /'"})

    assert "func" in response.context["adminform"].form.errors
    assert not Schedule.objects.exists()


def test_arguments_and_hooks_cannot_be_smuggled_in(operator: Client) -> None:
    operator.post("/admin/django_q/schedule/add/", FORM | {"args": "1", "kwargs": "force=True", "hook": "os.system"})

    planned = Schedule.objects.get()
    assert not planned.args
    assert not planned.kwargs
    assert not planned.hook


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"schedule_type": "I"}, "minutes"),
        ({"schedule_type": "C"}, "cron"),
        ({"schedule_type": "C", "cron": "every day"}, "cron"),
    ],
)
def test_a_plan_that_could_not_be_worked_out_is_refused_at_its_field(
    operator: Client, values: dict[str, str], field: str
) -> None:
    response = operator.post("/admin/django_q/schedule/add/", FORM | values)

    assert list(response.context["adminform"].form.errors) == [field]


def test_a_plan_made_by_code_keeps_its_function(operator: Client) -> None:
    planned = Schedule.objects.create(name="Own", func="ingestion.tasks.other", schedule_type="D", next_run=NOW)
    operator.post(f"/admin/django_q/schedule/{planned.pk}/change/", FORM | {"func": planned.func, "name": "Renamed"})

    planned.refresh_from_db()
    assert (planned.func, planned.name) == ("ingestion.tasks.other", "Renamed")


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
