"""A worker's doors: a message may come twice, too early, or again after a kill."""

import os
import socket
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone
from django.utils.module_loading import import_string

from demo.sheets import SheetsServer, Workbook
from exports.export import export_tabs
from exports.models import ExportRun, Snapshot
from exports.options import Options
from exports.runs import queue_export, start_run, take_queued
from exports.tables import Table
from exports.tabs import TABS
from exports.tasks import export_queued, publish
from ingestion.schedules import cron_problem
from ingestion.tests.conftest import dead_pid as dead_pid

from .conftest import HEADER, a_show, cells
from .test_files import Names

pytestmark = pytest.mark.django_db


def test_one_that_waits_is_carried_out_as_it_was_asked_for(
    server: SheetsServer, workbook: Workbook, django_user_model: Any
) -> None:
    a_show(1)
    run = queue_export(Options(columns=("Show",)), django_user_model.objects.create(username="anna"))

    told = export_queued(run.pk)

    assert told == {
        "run": run.pk,
        "error": "",
        "exit_code": 0,
        "tabs": [
            {
                "title": "ShowInfo (columns)",
                "rows": 1,
                "added": 1,
                "removed": 0,
                "changed": 0,
                "by_hand": 0,
                "error": "",
            }
        ],
    }
    assert workbook.values("ShowInfo (columns)") == [["Show"], ["Show 1"]]
    run.refresh_from_db()
    assert (run.status, str(run.started_by), run.pid) == ("succeeded", "anna", os.getpid())


def test_a_message_that_comes_twice_is_one_export(server: SheetsServer) -> None:
    a_show(1)
    run = queue_export(Options())
    export_queued(run.pk)
    server.clear()

    assert export_queued(run.pk) == {"done": f"export {run.pk} goes on, or was carried out before"}
    assert server.calls == []


def test_a_message_that_comes_too_early_is_no_failure_and_the_export_waits_on(server: SheetsServer) -> None:
    start_run(Options())
    waiting = queue_export(Options())

    told = export_queued(waiting.pk)

    assert told["waits"].startswith("another export is going on: ")
    waiting.refresh_from_db()
    assert (waiting.status, server.calls) == ("queued", [])


def test_an_export_that_was_killed_is_carried_out_when_its_message_comes_again(
    server: SheetsServer, workbook: Workbook, dead_pid: int
) -> None:
    a_show(1)
    run = queue_export(Options())
    take_queued(run.pk)
    ExportRun.objects.update(pid=dead_pid)

    assert export_queued(run.pk)["exit_code"] == 0

    run.refresh_from_db()
    assert (run.status, run.pid) == ("succeeded", os.getpid())
    assert workbook.values("ShowInfo") == [HEADER, cells(1)[:7]]


def test_one_that_was_killed_between_two_tabs_keeps_what_it_noted_of_the_first(
    server: SheetsServer, workbook: Workbook, dead_pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_at_names(table: Table) -> None:
        if table.title == "Names":
            raise SystemExit

    monkeypatch.setitem(TABS, "Names", Names())
    a_show(1)
    run = queue_export(Options())
    with monkeypatch.context() as patch:
        patch.setattr("exports.export.refuse_none", die_at_names)
        patch.setattr("exports.export.Export.close_run", lambda *args: None)  # nobody who is killed does that
        with pytest.raises(SystemExit):
            export_queued(run.pk)
    ExportRun.objects.update(pid=dead_pid)
    assert [tab.title for tab in run.exported.all()] == ["ShowInfo"]
    server.clear()

    told = export_queued(run.pk)

    assert (told["exit_code"], server.writes) == (0, 3)
    first, second = run.exported.all()
    assert (first.title, first.is_published, first.added) == ("ShowInfo", True, 1)
    assert (second.title, second.is_published) == ("Names", True)
    assert Snapshot.objects.count() == 2


def test_one_that_was_killed_after_it_had_noted_all_is_closed(server: SheetsServer, dead_pid: int) -> None:
    a_show(1)
    export_tabs(Options())
    ExportRun.objects.update(status="running", finished_at=None, pid=dead_pid)
    run = ExportRun.objects.get()
    server.clear()

    assert export_queued(run.pk)["exit_code"] == 0

    run.refresh_from_db()
    tab = run.exported.get()
    assert (run.status, tab.is_published, tab.added, server.writes) == ("succeeded", True, 1, 0)


def test_one_that_can_no_longer_be_carried_out_says_why(server: SheetsServer) -> None:
    run = queue_export(Options(view="deleted-since"))

    told = export_queued(run.pk)

    run.refresh_from_db()
    words = "There is no saved view “deleted-since”. It may have been renamed or deleted."
    assert (told["error"], told["exit_code"]) == (words, 2)
    assert (run.status, run.error, server.calls) == ("failed", words, [])


def test_one_that_breaks_before_it_begins_is_closed(server: SheetsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("exports.export.tables_of", fail)
    run = queue_export(Options())

    with pytest.raises(ZeroDivisionError):
        export_queued(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "it failed (ZeroDivisionError); the log says why")


# --- what a schedule does


def test_a_schedule_publishes_all_tabs(server: SheetsServer, workbook: Workbook) -> None:
    a_show(1)

    told = publish()

    assert (told["exit_code"], [tab["title"] for tab in told["tabs"]]) == (0, ["ShowInfo"])
    assert "difference" not in told["tabs"][0]
    assert workbook.values("ShowInfo") == [HEADER, cells(1)[:7]]
    assert ExportRun.objects.get().started_by is None


def test_a_schedule_leaves_an_export_that_goes_on_alone() -> None:
    other = ExportRun.objects.create(
        format="google", status="running", host=socket.gethostname(), pid=os.getpid(), started_at=timezone.now()
    )

    told = publish()

    assert told["exit_code"] == 3
    assert told["error"].startswith(f"another export is going on: export {other.pk}, ")
    assert ExportRun.objects.count() == 1


def test_a_schedule_without_a_workbook_leaves_a_row_that_says_so(settings: Any) -> None:
    settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = "http://127.0.0.1:9", ""

    told = publish()

    row = ExportRun.objects.get()
    assert (told["exit_code"], row.status) == (2, "failed")
    assert (
        row.error
        == told["error"]
        == ("SPREADSHEET_ID is not set: the id of the workbook, as its address has it behind /d/")
    )


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the app adds when Django loads it."""

    def load() -> list[Any]:
        planned: list[Any] = []
        monkeypatch.setattr("catalog.planned.planned", planned)
        monkeypatch.setattr("catalog.alarms.finders", [])
        monkeypatch.setattr("catalog.retention.droppable", [])
        apps.get_app_config("exports").ready()
        return planned

    return load


@pytest.mark.once
def test_where_there_is_a_workbook_a_nightly_export_is_planned(settings: Any, ready: Any) -> None:
    settings.SPREADSHEET_ID = "book"

    [nightly] = ready()

    assert import_string(nightly.func) is publish
    assert cron_problem(nightly.cron) == ""
    assert (nightly.name, nightly.cron) == ("Google Sheets, nightly", "0 6 * * *")


@pytest.mark.once
def test_without_a_workbook_none_is_planned(settings: Any, ready: Any) -> None:
    settings.SPREADSHEET_ID = ""

    assert ready() == []


def test_an_export_that_was_asked_for_another_workbook_is_not_carried_out_in_this_one(
    server: SheetsServer, workbook: Workbook, settings: Any
) -> None:
    a_show(1)
    run = queue_export(Options())
    server.workbooks["another"] = Workbook("another")
    settings.SPREADSHEET_ID = "another"

    told = export_queued(run.pk)

    assert told["exit_code"] == 2
    assert told["error"] == "it was asked for another workbook: SPREADSHEET_ID was changed since"
    assert server.calls == []
