"""Schedules: which there are to begin with, what is wrong with one, and that it harms no other."""

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler

from catalog.planned import Planned, planned
from ingestion import schedules
from ingestion.schedules import (
    create_missing,
    cron_problem,
    disable_broken_schedules,
    next_run_of,
    task_problem,
    what_is_wrong,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # a Sunday
SYNC = "ingestion.tasks.sync_shows"


def plan(**columns: Any) -> Schedule:
    """A schedule that was due a minute ago. Not saved by its own `save`, which refuses some of what a row can hold."""
    default = {"name": "Mine", "func": SYNC, "schedule_type": "C", "cron": "15 3 * * *"}
    [row] = Schedule.objects.bulk_create([Schedule(**default | {"next_run": NOW - timedelta(minutes=1)} | columns)])
    return row


@pytest.fixture(autouse=True)
def one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler begins with dropping old connections, and with it the transaction of a test."""
    monkeypatch.setattr("django_q.scheduler.close_old_django_connections", lambda: None)


def run_scheduler() -> list[Any]:
    """What the scheduler of a worker queues."""
    with time_machine.travel(NOW, tick=False):
        scheduler()
    return [queued.task["group"] for queued in OrmQ.objects.order_by("pk")]


# --- to begin with


def test_every_planned_task_is_there() -> None:
    assert [callable(import_string(one.func)) for one in planned] == [True] * len(planned)


def test_the_planned_schedules_can_be_worked_out_and_differ() -> None:
    assert [one.name for one in planned if cron_problem(one.cron)] == []
    assert len({one.name for one in planned}) == len({one.func for one in planned}) == len(planned) >= 5
    assert all(re.fullmatch(r"\w+\.tasks\.\w+", one.func) for one in planned)


@pytest.mark.django_db
def test_the_missing_schedules_are_created_with_their_first_moment() -> None:
    created, left = create_missing(NOW)

    assert left == []
    assert {row.name: (row.func, row.cron, row.next_run, row.repeats) for row in Schedule.objects.all()} == {
        one.name: (one.func, one.cron, next_run_of(one.cron, NOW), -1) for one in planned
    }
    nightly = next(row for row in created if row.name == "Changed shows, nightly")
    assert nightly.next_run == datetime(2026, 3, 2, 3, 15, tzinfo=UTC)


@pytest.mark.django_db
def test_a_second_time_nothing_is_created() -> None:
    create_missing(NOW)
    before = list(Schedule.objects.order_by("pk").values())

    assert create_missing(NOW + timedelta(days=1)) == ([], [one.name for one in planned])
    assert list(Schedule.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_what_an_operator_has_edited_renamed_or_switched_off_stays_so() -> None:
    create_missing(NOW)
    Schedule.objects.filter(name=planned[0].name).update(cron="0 1 * * *", repeats=0)
    Schedule.objects.filter(name=planned[1].name).update(name="Où regarder")
    before = list(Schedule.objects.order_by("pk").values())

    assert create_missing(NOW)[0] == []
    assert list(Schedule.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_what_was_deleted_alone_is_created_again() -> None:
    create_missing(NOW)
    Schedule.objects.filter(name=planned[2].name).delete()

    assert [row.name for row in create_missing(NOW)[0]] == [planned[2].name]


@pytest.mark.django_db
def test_a_plan_of_the_same_task_with_arguments_is_another() -> None:
    plan(args="['3f0f2c1e-0000-4000-8000-000000000000']")

    assert planned[0].name in [row.name for row in create_missing(NOW)[0]]


@pytest.mark.django_db
def test_another_app_adds_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Planned("Sheets", "catalog.tasks.apply_batch", "Write the sheets", "0 6 * * *")
    monkeypatch.setattr(schedules, "planned", [*planned, own])

    assert "Sheets" in [row.name for row in create_missing(NOW)[0]]


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_no_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins when the first has looked and not yet created anything."""
    first_has_looked, second_has_looked = threading.Event(), threading.Event()
    reckon = schedules.next_run_of

    def reckon_when_both_have_looked(cron: str, now: datetime) -> datetime:
        if not first_has_looked.is_set():
            first_has_looked.set()
            second_has_looked.wait(1)  # in vain: it waits for the first
        elif threading.current_thread() is second:
            second_has_looked.set()
        return reckon(cron, now)

    def create() -> None:
        create_missing(NOW)
        connection.close()

    monkeypatch.setattr(schedules, "next_run_of", reckon_when_both_have_looked)
    first, second = threading.Thread(target=create), threading.Thread(target=create)
    first.start()
    assert first_has_looked.wait(60)
    second.start()
    first.join()
    second.join()

    assert sorted(Schedule.objects.values_list("name", flat=True)) == sorted(one.name for one in planned)


@pytest.mark.django_db
def test_the_command_says_what_it_created_and_what_it_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    plan(name="Own")
    with time_machine.travel(NOW, tick=False):
        call_command("setup_schedules")
    lines = capsys.readouterr().out.splitlines()

    assert "left alone: Changed shows, nightly" in lines
    assert "created: Unused logos, weekly (30 2 * * 0), first at 2026-03-08 02:30 UTC" in lines
    assert len(lines) == len(planned)


@pytest.mark.django_db
def test_without_its_database_the_command_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise DatabaseError("no such host\nand a hint")

    monkeypatch.setattr("trr_site.command_line.MigrationExecutor", refuse)
    with pytest.raises(CommandError, match="no connection to the database") as caught:
        call_command("setup_schedules")

    assert caught.value.returncode == 2


# --- what is wrong


@pytest.mark.parametrize(
    "line", ["15 3 * * *", "*/10 * * * 1-5", "0 0 29 2 *", "0  6  1 jan mon", "@daily", " 0 6 * * *"]
)
def test_a_cron_line_that_names_moments_is_right(line: str) -> None:
    assert cron_problem(line) == ""


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "there is none"),
        ("   ", "there is none"),
        ("every day", "“every day” has 2 fields, not 5: minute, hour, day of the month, month, day of the week"),
        ("0 3 * *", "has 4 fields"),
        ("0 0 3 * * *", "has 6 fields"),
        ("daily", "has 1 field,"),
        ("0 0 31 2 *", "“0 0 31 2 *” names a day that never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("61 * * * *", "[61 * * * *] is not acceptable, out of range"),
        ("a b c d e", "[a b c d e] is not acceptable"),
        ("*/0 * * * *", "is not acceptable"),
        ("\x00 * * * *", "is not acceptable"),
        ("@never", "“@never” has 1 field,"),
        ("H 3 * * *", "“H 3 * * *”: "),
    ],
)
def test_a_wrong_cron_line_is_named_in_words(line: str, problem: str) -> None:
    assert cron_problem(line)
    assert problem in cron_problem(line)


@pytest.mark.parametrize(
    ("func", "problem"),
    [
        (SYNC, ""),
        ("catalog.tasks.apply_batch", ""),
        ("ingestion.tasks.nothing", "no such task: ingestion.tasks.nothing"),
        ("ingestion.tasks", "no such task: ingestion.tasks"),
        ("nowhere.at.all", "no such task: nowhere.at.all"),
        ("", "no such task: "),
        ("no words", "no such task: no words"),
    ],
)
def test_a_task_is_found_by_its_name_or_named_as_unknown(func: str, problem: str) -> None:
    assert task_problem(func) == problem


def test_a_module_that_can_not_be_imported_is_no_server_error(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_jobs.py").write_text("raise RuntimeError('no')\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert "can't be imported" in task_problem("broken_jobs.run")


BROKEN = [
    {"cron": "every night"},
    {"cron": "0 0 31 2 *"},
    {"cron": None},
    {"cron": "61 * * * *"},
    {"schedule_type": "X"},
    {"args": "1, 2,"[:-1] + " ("},
    {"args": "os.environ"},
    {"kwargs": "1, 2"},
    {"kwargs": "[1]"},
    {"kwargs": "**{'a': 1}"},
    {"kwargs": "{'q_options': 3}"},
    {"kwargs": "{'func': 1}"},
    {"kwargs": "broker='x'"},
    {"intended_date_kwarg": "func"},
]


@pytest.mark.parametrize("columns", BROKEN, ids=str)
@pytest.mark.django_db
def test_a_schedule_that_can_not_be_worked_out_stops_no_other(columns: dict[str, Any]) -> None:
    good = plan(name="Good")
    broken = plan(name="Broken", **columns)

    assert disable_broken_schedules(NOW) == ["Broken"]
    assert run_scheduler() == ["Good"]
    good.refresh_from_db()
    broken.refresh_from_db()
    assert (good.next_run, good.repeats) == (datetime(2026, 3, 2, 3, 15, tzinfo=UTC), -1)
    assert broken.repeats == 0
    assert what_is_wrong(broken, NOW)  # and the list says why


@pytest.mark.parametrize("columns", [{"cron": "every night"}, {"args": "("}, {"schedule_type": "X"}], ids=str)
@pytest.mark.django_db
def test_the_scheduler_alone_would_run_none(columns: dict[str, Any]) -> None:
    """Why there is a way round it: when this fails, django-q2 has learnt it, and the way round can go."""
    plan(name="Good")
    plan(name="Broken", **columns)

    assert run_scheduler() == []


@pytest.mark.django_db
def test_years_that_the_scheduler_would_count_minute_by_minute_are_no_plan() -> None:
    plan(name="Long ago", schedule_type="I", minutes=1, next_run=datetime(1970, 1, 1, tzinfo=UTC))
    plan(name="Long ago, but quick", schedule_type="D", next_run=datetime(1970, 1, 1, tzinfo=UTC))

    assert disable_broken_schedules(NOW) == ["Long ago"]


@pytest.mark.parametrize(
    "columns",
    [
        {"kwargs": "{'show_ids': ['x'], 'q_options': {'timeout': 60}}"},
        {"kwargs": "user_id=3, q_options={'group': 'g'}"},
        {"args": "1"},
        {"args": "'a', [1, 2]"},
        {"schedule_type": "I", "minutes": None, "cron": None},
        {"schedule_type": "O", "cron": "nonsense of no use"},
        {"repeats": 3},
    ],
    ids=str,
)
@pytest.mark.django_db
def test_what_the_scheduler_can_work_out_is_left_alone(columns: dict[str, Any]) -> None:
    plan(**columns)

    assert disable_broken_schedules(NOW) == []
    assert len(run_scheduler()) == 1


@pytest.mark.django_db
def test_an_unknown_task_is_named_but_stays_on_as_it_stops_no_other() -> None:
    unknown = plan(name="Unknown", func="ingestion.tasks.of_a_newer_version")
    plan(name="Good")

    assert disable_broken_schedules(NOW) == []
    assert run_scheduler() == ["Unknown", "Good"]
    assert what_is_wrong(unknown, NOW) == "no such task: ingestion.tasks.of_a_newer_version"


@pytest.mark.django_db
def test_a_schedule_that_was_mended_meanwhile_is_not_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    row = plan(cron="every night")
    look = schedules.plan_problem

    def mend_after_the_look(schedule: Schedule, now: datetime) -> str:
        problem = look(schedule, now)
        Schedule.objects.filter(pk=row.pk).update(cron="0 3 * * *")
        return problem

    monkeypatch.setattr(schedules, "plan_problem", mend_after_the_look)

    assert disable_broken_schedules(NOW) == []
    row.refresh_from_db()
    assert row.repeats == -1


@pytest.mark.django_db
def test_one_that_is_off_is_not_looked_at_again(django_assert_num_queries: Any) -> None:
    plan(cron="every night", repeats=0)

    with django_assert_num_queries(1):
        assert disable_broken_schedules(NOW) == []
