"""Schedules in admin: people plan what is made to be planned, and see what is wrong with what was planned elsewhere."""

from datetime import UTC, datetime, timedelta
from html import unescape
from re import sub
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django_q.models import Schedule, Task

from catalog.planned import planned

pytestmark = [pytest.mark.django_db, pytest.mark.once]

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SYNC = "ingestion.tasks.sync_shows"
OTHER = "catalog.tasks.apply_batch"  # a task that is not made to be planned
LIST = "/admin/django_q/schedule/"
FORM = {
    **{"name": "Nightly", "func": SYNC, "schedule_type": "D", "repeats": "-1"},
    **{"next_run_0": "2026-05-05", "next_run_1": "04:30:00"},
}
CRON = FORM | {"schedule_type": "C", "cron": "15 3 * * *", "next_run_0": "", "next_run_1": ""}


@pytest.fixture
def operator(client: Client, django_user_model: Any) -> Client:
    user = django_user_model.objects.create_user("operator", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    return client


def plan(**columns: Any) -> Schedule:
    default = {"name": "Nightly", "func": SYNC, "schedule_type": "C", "cron": "15 3 * * *", "repeats": -1}
    [row] = Schedule.objects.bulk_create([Schedule(**default | {"next_run": NOW + timedelta(hours=1)} | columns)])
    return row


def change_page(row: Schedule) -> str:
    return f"{LIST}{row.pk}/change/"


def cells(client: Client) -> str:
    """The list as a person reads it: its text alone."""
    with time_machine.travel(NOW, tick=False):
        page = client.get(LIST).content.decode()
    table = page[page.index("<tbody") : page.rindex("</tbody>")]
    return unescape(" ".join(sub(r"<[^>]*>", " ", table).split()))


def test_an_operator_plans_the_sync(operator: Client) -> None:
    response = operator.post("/admin/django_q/schedule/add/", FORM)

    assert response.status_code == 302, response.context["errors"]
    row = Schedule.objects.get()
    assert (row.func, row.schedule_type) == (SYNC, "D")


@pytest.mark.parametrize("func", ["os.system", "ingestion.tasks.nothing", ""])
def test_nothing_else_can_be_planned(operator: Client, func: str) -> None:
    response = operator.post("/admin/django_q/schedule/add/", FORM | {"func": func, "args": "'rm -rf /'"})

    assert "func" in response.context["adminform"].form.errors
    assert not Schedule.objects.exists()


def test_arguments_and_hooks_cannot_be_smuggled_in(operator: Client) -> None:
    operator.post("/admin/django_q/schedule/add/", FORM | {"args": "1", "kwargs": "force=True", "hook": "os.system"})

    row = Schedule.objects.get()
    assert not row.args
    assert not row.kwargs
    assert not row.hook


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
    row = plan(name="Own", func=OTHER)
    operator.post(change_page(row), FORM | {"func": OTHER, "name": "Renamed"})

    row.refresh_from_db()
    assert (row.func, row.name) == (OTHER, "Renamed")


def test_every_job_that_is_made_to_be_planned_can_be_chosen(operator: Client) -> None:
    field = operator.get(f"{LIST}add/").context["adminform"].form.fields["func"]

    assert field.choices == [(one.func, one.label) for one in planned]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("every day", "has 2 fields, not 5: minute, hour, day of the month, month, day of the week."),
        ("0 0 3 * * *", "has 6 fields, not 5"),
        ("0 0 31 2 *", "names a day that never comes."),
        ("61 * * * *", "out of range"),
    ],
)
def test_a_wrong_cron_line_is_refused_in_words(operator: Client, line: str, words: str) -> None:
    response = operator.post(f"{LIST}add/", CRON | {"cron": line})

    [error] = response.context["adminform"].form.errors["cron"]
    assert error.startswith("This line can't be read: ")
    assert words in error
    assert not Schedule.objects.exists()


def test_the_next_run_of_a_cron_line_follows_from_it(operator: Client) -> None:
    with time_machine.travel(NOW, tick=False):
        operator.post(f"{LIST}add/", CRON)
        row = Schedule.objects.get()
        assert row.next_run == datetime(2026, 5, 5, 3, 15, tzinfo=UTC)

        before = {"next_run_0": "2026-05-05", "next_run_1": "03:15:00"}
        operator.post(change_page(row), CRON | before | {"cron": "0 18 * * *"})
    row.refresh_from_db()
    assert row.next_run == datetime(2026, 5, 4, 18, 0, tzinfo=UTC)


def test_one_that_was_off_for_a_month_does_not_run_at_once_when_it_is_switched_on(operator: Client) -> None:
    row = plan(repeats=0, next_run=NOW - timedelta(days=30))
    with time_machine.travel(NOW, tick=False):
        operator.post(change_page(row), CRON | {"next_run_0": "2026-04-04", "next_run_1": "12:00:00"})

    row.refresh_from_db()
    assert (row.repeats, row.next_run) == (-1, datetime(2026, 5, 5, 3, 15, tzinfo=UTC))


def test_a_moment_that_a_person_gives_an_unchanged_line_is_kept(operator: Client) -> None:
    row = plan()
    operator.post(change_page(row), CRON | {"next_run_0": "2026-06-01", "next_run_1": "10:00:00"})

    row.refresh_from_db()
    assert row.next_run == datetime(2026, 6, 1, 10, 0, tzinfo=UTC)


def test_any_other_type_needs_a_first_moment(operator: Client) -> None:
    response = operator.post(f"{LIST}add/", FORM | {"next_run_0": "", "next_run_1": ""})

    assert response.context["adminform"].form.errors == {"next_run": ["When first?"]}


def test_an_unknown_task_is_refused_until_another_one_is_chosen(operator: Client) -> None:
    row = plan(func="ingestion.tasks.nothing")
    response = operator.post(change_page(row), CRON | {"func": row.func})
    assert response.context["adminform"].form.errors == {"func": ["No such task: ingestion.tasks.nothing."]}

    assert operator.post(change_page(row), CRON).status_code == 302
    row.refresh_from_db()
    assert row.func == SYNC


def test_who_corrects_one_that_is_off_is_told_that_it_still_is(operator: Client) -> None:
    row = plan(cron="every night", repeats=0)
    response = operator.post(change_page(row), CRON | {"repeats": "0"}, follow=True)

    assert "“Nightly” is off. Set its repeats to -1 to have it run." in response.content.decode()


# --- the list


def test_the_list_says_what_runs_when_in_utc(operator: Client) -> None:
    plan(next_run=datetime(2026, 5, 5, 3, 15, tzinfo=UTC))
    plan(name="Each hour", schedule_type="H", next_run=datetime(2026, 5, 4, 13, 0, tzinfo=UTC))
    plan(name="Often", schedule_type="I", minutes=10, next_run=datetime(2026, 5, 4, 12, 10, tzinfo=UTC))
    plan(name="Rests", repeats=0)
    text = cells(operator)

    assert "Nightly Sync all shows that are due 15 3 * * *, next 2026-05-05 03:15 UTC never On" in text
    assert "Each hour Sync all shows that are due Hourly, next 2026-05-04 13:00 UTC never On" in text
    assert "Often Sync all shows that are due Every 10 minutes, next 2026-05-04 12:10 UTC never On" in text
    assert "Rests Sync all shows that are due 15 3 * * * never Off" in text


def test_the_list_names_what_is_wrong(operator: Client) -> None:
    plan(name="A", cron="every night", repeats=0)
    plan(name="B", func="ingestion.tasks.nothing")
    plan(name="C", args="(")
    plan(name="D", schedule_type="?")
    text = cells(operator)

    assert "Wrong Cron line can't be read: “every night” has 2 fields, not 5" in text
    assert "never Off, and wrong" in text
    assert "B No such task: ingestion.tasks.nothing 15 3 * * *, next 2026-05-04 13:00 UTC never On, and wrong" in text
    assert "C Sync all shows that are due Wrong Its arguments can't be read never On, and wrong" in text
    assert "How often it runs can't be read: “?”" in text


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"success": True, "result": {"exit_code": 0}}, "Done"),
        ({"success": True, "result": None}, "Done"),
        ({"success": True, "result": "some text"}, "Done"),
        ({"success": True, "result": {"exit_code": 1}}, "Some items failed"),
        ({"success": True, "result": {"exit_code": 2}}, "Failed"),
        ({"success": True, "result": {"exit_code": 3}}, "Left out: another run was going on"),
        ({"success": False, "result": "boom : Traceback"}, "Failed"),
        (None, "not finished, or no longer kept"),
    ],
)
def test_the_list_says_how_the_last_run_went(operator: Client, outcome: dict[str, Any] | None, words: str) -> None:
    row = plan(task="a" * 32)
    if outcome is not None:
        times = {"started": NOW, "stopped": NOW}
        Task.objects.create(id=row.task, name="red", func=SYNC, args=(), kwargs={}, **times, **outcome)

    assert f"13:00 UTC {words} On" in cells(operator)


def test_hostile_texts_of_a_row_are_shown_as_text(operator: Client) -> None:
    hostile = "<script>alert(1)</script>"
    row = plan(name=hostile, func=hostile, cron=hostile, schedule_type=Schedule.CRON)
    plan(name=hostile, schedule_type="<b", func=hostile)

    for page in (LIST, change_page(row)):
        assert hostile not in operator.get(page).content.decode()


def test_the_list_costs_the_same_whatever_the_number_of_schedules(
    operator: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(15):
        plan(name=f"plan {number}", task=str(number))
    operator.get(LIST)

    with django_assert_max_num_queries(10):
        operator.get(LIST)
