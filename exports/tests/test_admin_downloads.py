"""Tabs as files: the same rows as the sheet gets, noted in the ledger; no show is no file."""

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from openpyxl import load_workbook

from catalog.models import SavedView
from demo.sheets import SheetsServer, Workbook
from exports.models import ExportRun

from .admin_pages import EVIL, EXPORTS, asked, html_of, page_of, waiting, work_off
from .conftest import HEADER, a_show, cells

pytestmark = [pytest.mark.django_db, pytest.mark.once]

DOWNLOAD = f"{EXPORTS}download/"


def rows_of(page: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(page.content.decode("utf-8-sig"))))


@pytest.fixture
def view(anna: Any) -> SavedView:
    return SavedView.objects.create(slug="ended", name="Ended", owner=anna, params={"status": "Ended"})


def test_the_list_leads_to_each_file(desk: Client) -> None:
    html = html_of(desk.get(EXPORTS))

    assert f'href="{DOWNLOAD}?tab=ShowInfo&amp;format=csv">ShowInfo as CSV</a>' in html
    assert f'href="{DOWNLOAD}?format=xlsx">ShowInfo as XLSX</a>' in html


def test_a_csv_holds_what_the_sheet_gets(desk: Client, server: SheetsServer, workbook: Workbook) -> None:
    a_show(1)
    a_show(2, override="SKIP")
    asked(desk, "export/")
    work_off(waiting())

    page = desk.get(f"{DOWNLOAD}?tab=ShowInfo&format=csv")

    assert page.status_code == 200
    assert page["Content-Type"] == "text/csv; charset=utf-8"
    assert page["Content-Disposition"] == f'attachment; filename="showinfo-{timezone.now():%Y-%m-%d}.csv"'
    assert "no-store" in page["Cache-Control"]
    assert rows_of(page) == [HEADER, [str(cell) for cell in cells(1)]]
    in_sheet = [[str(cell) for cell in row] for row in workbook.values("ShowInfo")]
    assert [row[:7] for row in rows_of(page)[1:]] == in_sheet[1:]


def test_an_xlsx_holds_every_tab(viewer: Client) -> None:
    a_show(1)

    page = viewer.get(f"{DOWNLOAD}?format=xlsx")

    book = load_workbook(io.BytesIO(page.content))
    assert book.sheetnames == ["ShowInfo"]
    assert [[cell.value for cell in row] for row in book["ShowInfo"].rows][1][4:6] == ["tt0000001", "1"]


def test_a_saved_view_is_a_file_of_its_shows_alone(desk: Client, view: SavedView) -> None:
    a_show(1, tmdb_status="Ended")
    a_show(2)

    page = desk.get(f"{DOWNLOAD}?tab=ShowInfo&format=csv&filter=ended")

    assert [row[0] for row in rows_of(page)[1:]] == ["Show 1"]
    assert "showinfo-ended-" in page["Content-Disposition"]


def test_a_download_is_noted_with_who_took_it(desk: Client, view: SavedView) -> None:
    a_show(1, tmdb_status="Ended")
    desk.get(f"{DOWNLOAD}?tab=ShowInfo&format=csv&filter=ended")

    run = ExportRun.objects.get()

    assert (run.format, run.status, run.view, str(run.started_by)) == ("csv", "succeeded", "ended", "anna")
    assert [(tab.title, tab.rows) for tab in run.exported.all()] == [("ShowInfo ended", 1)]
    html = page_of(desk, run)
    assert "Calls of Google" not in html
    assert "Publish again" not in html


def test_without_a_show_there_is_no_file_but_a_page_that_says_so(desk: Client) -> None:
    page = desk.get(f"{DOWNLOAD}?tab=ShowInfo&format=csv")

    assert page.status_code == 400
    assert "Content-Disposition" not in page
    assert "There is no show to export into ShowInfo, so there is no file." in html_of(page)
    assert not ExportRun.objects.exists()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "Choose csv or xlsx"),
        ("format=google", "Choose csv or xlsx, not “google”."),
        (f"format={EVIL}", "Choose csv or xlsx, not “&lt;script&gt;"),
        ("format=csv&tab=Nothing", "There is no tab Nothing"),
        ("format=csv&tab=ShowInfo&tab=showinfo", "A CSV holds one tab"),
        ("format=csv&filter=gone", "There is no saved view “gone”"),
        ("format=csv&filter=%00", "There is no saved view"),
    ],
)
def test_what_can_not_be_downloaded_is_refused_with_its_reason(desk: Client, query: str, reason: str) -> None:
    a_show(1)

    page = desk.get(f"{DOWNLOAD}?{query}")

    assert page.status_code == 400
    assert reason in html_of(page)
    assert EVIL not in html_of(page)


def test_who_may_not_see_exports_gets_no_file(client: Client, django_user_model: Any) -> None:
    a_show(1)
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))

    assert client.get(f"{DOWNLOAD}?format=csv").status_code == 403
    client.logout()
    assert client.get(f"{DOWNLOAD}?format=csv").status_code == 302
    assert not ExportRun.objects.exists()


def test_a_name_like_a_formula_is_none_in_a_file(desk: Client) -> None:
    a_show(1, name="=1+1")

    assert rows_of(desk.get(f"{DOWNLOAD}?format=csv"))[1][0] == "'=1+1"
