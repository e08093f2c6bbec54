"""What counts as a problem of the exports, and that people are told of it once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.core.management.base import CommandError

from demo.sheets import SheetsServer
from exports.models import ExportRun
from exports.problems import find_problems
from ingestion.alerts import check_problems
from ingestion.models import Problem

from .conftest import BOOK, a_show

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.SPREADSHEET_ID, settings.SITE_URL = BOOK, "https://trr.example.org"


def run(status: str = "succeeded", age: timedelta = HOUR, **columns: Any) -> ExportRun:
    """One that ended so long ago."""
    default = {"format": "google", "workbook": BOOK, "finished_at": NOW - age, "heartbeat_at": NOW - age}
    return ExportRun.objects.create(status=status, **default | columns)


def page(row: ExportRun) -> str:
    return f"https://trr.example.org/admin/exports/exportrun/{row.pk}/change/"


# --- what is one


def test_an_installation_that_never_exported_has_none() -> None:
    assert find_problems(NOW) == {}


@pytest.mark.parametrize(("status", "words"), [("failed", "failed"), ("interrupted", "was cut off")])
def test_an_export_that_did_not_end_well_is_named_with_its_reason_and_its_page(status: str, words: str) -> None:
    run(age=2 * HOUR)
    bad = run(status, error="no access:\nshare it")

    assert find_problems(NOW) == {
        "run:export_sheets": f"Export {bad.pk} to Google Sheets {words}: no access: share it {page(bad)}"
    }


def test_one_without_a_reason_is_told_all_the_same(settings: Any) -> None:
    settings.SITE_URL = ""
    bad = run("failed")

    assert find_problems(NOW) == {"run:export_sheets": f"Export {bad.pk} to Google Sheets failed: nobody knows why"}, (
        "and without an address that leads nowhere"
    )


def test_a_later_one_that_succeeds_makes_it_well() -> None:
    run("failed", age=2 * HOUR)
    run()

    assert find_problems(NOW) == {}


@pytest.mark.parametrize("part", [{"view": "ended"}, {"columns": ["Show"]}, {"restore_of": True}])
def test_a_part_that_succeeds_says_nothing_of_the_whole(part: dict[str, Any]) -> None:
    bad = run("failed", age=2 * HOUR, error="no access")
    run(**{name: bad if value is True else value for name, value in part.items()})

    assert "run:export_sheets" in find_problems(NOW)


@pytest.mark.parametrize("status", ["queued", "running"])
def test_one_that_waits_or_goes_on_says_nothing_of_the_one_before(status: str) -> None:
    run("failed")
    run(status, finished_at=None, heartbeat_at=NOW)

    assert list(find_problems(NOW)) == ["run:export_sheets"]


def test_one_without_a_sign_of_life_is_told_though_nobody_has_closed_it() -> None:
    run(age=2 * HOUR)
    silent = run("running", finished_at=None, heartbeat_at=NOW - 11 * MINUTE)

    assert find_problems(NOW) == {
        "run:export_sheets": f"Export {silent.pk} to Google Sheets gives no sign of life since 2026-03-01 11:49 UTC. "
        f"The next export closes it. {page(silent)}"
    }
    ExportRun.objects.update(heartbeat_at=NOW - 9 * MINUTE)
    assert find_problems(NOW) == {}


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_files_are_nobodys_problem_and_no_cure(format: str) -> None:
    run("failed", format=format, workbook="")
    assert find_problems(NOW) == {}

    run("failed")
    run(format=format, workbook="", age=MINUTE)
    assert list(find_problems(NOW)) == ["run:export_sheets"]


def test_without_a_workbook_or_with_another_one_there_is_none(settings: Any) -> None:
    run("failed", age=9 * DAY)

    settings.SPREADSHEET_ID = "another"
    assert find_problems(NOW) == {}
    settings.SPREADSHEET_ID = ""
    assert find_problems(NOW) == {}


# --- readers see old rows


def test_rows_of_some_days_ago_are_told_with_their_age(settings: Any) -> None:
    settings.ALERT_EXPORT_AGE = 2 * DAY
    run(age=2 * DAY)
    assert find_problems(NOW) == {}

    assert find_problems(NOW + MINUTE) == {
        "stale:google_sheets": "Readers of the workbook see rows of 2026-02-27 12:00 UTC: nothing was exported to "
        "Google Sheets since. Is there a schedule for it, and a worker?"
    }


def test_an_export_that_fails_for_days_is_both(settings: Any) -> None:
    run(age=3 * DAY)
    run("failed")

    assert list(find_problems(NOW)) == ["run:export_sheets", "stale:google_sheets"]


@pytest.mark.parametrize("part", [{"view": "ended"}, {"columns": ["Show"]}, {"status": "queued", "finished_at": None}])
def test_what_publishes_a_part_or_nothing_yet_makes_no_rows_new(part: dict[str, Any]) -> None:
    run(age=3 * DAY)
    run(**{"age": HOUR} | part)

    assert list(find_problems(NOW)) == ["stale:google_sheets"]


def test_old_rows_that_were_published_again_are_old() -> None:
    first = run(age=3 * DAY)
    run(restore_of=first)

    assert list(find_problems(NOW)) == ["stale:google_sheets"]


# --- people are told once


@pytest.fixture
def told(settings: Any, mailoutbox: list[EmailMessage]) -> list[EmailMessage]:
    settings.ALERT_EMAILS, settings.ALERT_FROM, settings.ALERT_WEBHOOK_URL = ["ops@example.org"], "t@example.org", ""
    return mailoutbox


def test_an_export_that_fails_twice_is_one_mail_and_one_more_when_it_is_well(
    server: SheetsServer, told: list[EmailMessage]
) -> None:
    a_show(1)
    server.forbidden.add(BOOK)
    for _ in range(2):
        with pytest.raises(CommandError):
            call_command("export_sheets", verbosity=0)
        check_problems()

    [mail] = told
    first, last = ExportRun.objects.order_by("pk")
    assert mail.subject.startswith(
        f"TRR, problem: Export {first.pk} to Google Sheets failed: no access to the workbook"
    )
    assert page(first) in mail.body
    assert Problem.objects.get().text.startswith(f"Export {last.pk} "), "what stands in admin is the newest"

    server.forbidden.clear()
    call_command("export_sheets", verbosity=0)
    check_problems()

    assert [mail.subject.partition(": Export")[0] for mail in told] == ["TRR, problem", "TRR, well again"]


def test_who_has_cron_alone_is_told_by_the_command_itself(server: SheetsServer, told: list[EmailMessage]) -> None:
    with pytest.raises(CommandError):
        call_command("export_sheets", verbosity=0)

    [mail] = told
    assert "no show is exported, so nothing was written" in mail.body


def test_rows_that_grow_old_are_told_and_a_night_later_no_more(server: SheetsServer, told: list[EmailMessage]) -> None:
    a_show(1)
    with time_machine.travel(NOW - 3 * DAY, tick=False):
        call_command("export_sheets", verbosity=0)
    assert told == []

    with time_machine.travel(NOW, tick=False):
        check_problems()
        check_problems()
        call_command("export_sheets", verbosity=0)
        check_problems()

    assert [mail.subject.partition(":")[0] for mail in told] == ["TRR, problem", "TRR, well again"]
    assert "Readers of the workbook see rows of 2026-02-26 12:00 UTC" in told[0].body


@pytest.mark.parametrize("args", [["--dry-run"], ["--format", "csv", "--dry-run"]])
def test_a_dry_run_tells_nobody(server: SheetsServer, told: list[EmailMessage], args: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("export_sheets", *args, verbosity=0)

    assert (told, Problem.objects.count()) == ([], 0)
