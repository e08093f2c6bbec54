"""One click at the desk, a worker, and the sheet: in a real browser, before a stand-in for Google Sheets."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from catalog.models import SavedView, Show
from demo.sheets import SheetsServer, Workbook
from exports.models import ExportRun
from exports.options import Options
from exports.runs import queue_export
from exports.tabs import ShowInfo
from trr_site.tests.browser import Browser, work_off_queue

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180), pytest.mark.once]

BUTTON = "Export to Google Sheets"


@pytest.fixture
def workbook() -> Workbook:
    return Workbook("Realitease2025Data")


@pytest.fixture
def server(settings: Any, workbook: Workbook) -> Iterator[SheetsServer]:
    with SheetsServer({"book": workbook}) as server:
        settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = server.url, "book"
        workbook.add("Sheet1")
        yield server


@pytest.fixture
def desk(browser: Browser, editor: Any, server: SheetsServer) -> Browser:
    browser.log_in("anna", "anna's secret")
    return browser


def mark(browser: Browser) -> None:
    browser.driver.execute_script("window.isMarked = true")


def stays(browser: Browser) -> bool:
    """Whether it is still the page that was marked, and no other that was loaded since."""
    return bool(browser.driver.execute_script("return window.isMarked === true"))


def state(browser: Browser) -> str:
    return str(browser.find("#export-panel .desk-badge").text)


def export(browser: Browser) -> None:
    """Presses the button of the page, and waits for the page of the export."""
    browser.click_text(BUTTON)
    browser.wait(lambda: "/exportrun/" in browser.driver.current_url)
    assert browser.shows("It waits for a worker")


def test_one_click_on_the_list_of_shows_leads_to_the_sheet(
    desk: Browser, shows: list[Show], workbook: Workbook
) -> None:
    desk.open("catalog_show_changelist")
    export(desk)
    mark(desk)

    assert work_off_queue() == 1

    desk.wait(lambda: state(desk) == "Succeeded")
    assert "has ended: succeeded" in desk.find("[data-export-news]").get_attribute("textContent")
    assert desk.shows("6 rows: 6 added.")
    assert stays(desk)
    assert len(workbook.values("ShowInfo")) == 7
    link = desk.find("#export-panel a.run-link")
    assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener")
    desk.driver.get(link.get_attribute("href"))
    assert desk.shows("Vanderpump Rules")


def test_an_export_tells_its_steps_while_it_goes_on(desk: Browser, editor: Any) -> None:
    here = {"host": "elsewhere", "pid": 1, "started_at": timezone.now(), "started_by": editor}
    run = ExportRun.objects.create(format="google", status="running", tabs=["ShowInfo"], step="reading", **here)
    desk.open("exports_exportrun_change", run.pk)
    mark(desk)
    assert desk.shows("reading")

    ExportRun.objects.filter(pk=run.pk).update(step="ShowInfo: publishing", reads=4, writes=2)

    assert desk.shows("ShowInfo: publishing")
    assert desk.shows("4 reads, 2 writes")
    ExportRun.objects.filter(pk=run.pk).update(status="failed", error="no access", finished_at=timezone.now(), step="")
    desk.wait(lambda: state(desk) == "Failed")
    assert desk.shows("No access")
    assert stays(desk)


@pytest.mark.parametrize("page", ["exports_exportrun_changelist", "index"])
def test_lists_learn_of_the_end_of_an_export(desk: Browser, editor: Any, page: str) -> None:
    run = queue_export(Options(), editor)
    desk.open(page)
    mark(desk)

    ExportRun.objects.filter(pk=run.pk).update(status="failed", error="no access", finished_at=timezone.now())

    desk.wait(lambda: "no access" in desk.text())
    assert stays(desk)


def test_who_is_logged_out_meanwhile_is_told_so(desk: Browser, editor: Any) -> None:
    ExportRun.objects.create(format="google", status="queued", tabs=["ShowInfo"])
    desk.open("exports_exportrun_changelist")

    editor.groups.clear()

    desk.expected.append("403")
    assert desk.shows("Your login has ended, or you may not see exports any more.")


def test_a_saved_view_is_published_into_a_tab_of_its_own(
    desk: Browser, editor: Any, shows: list[Show], workbook: Workbook
) -> None:
    SavedView.objects.create(slug="ended", name="Ended", owner=editor, params={"status": "Ended"})
    desk.open("catalog_show_changelist", query="?filter=ended")
    desk.click_text(f"{BUTTON}…")
    assert desk.shows("The 3 shows of the view “Ended”")

    desk.click_text("Export this view to Google Sheets")
    assert desk.shows("It waits for a worker")
    work_off_queue()

    desk.wait(lambda: state(desk) == "Succeeded")
    assert workbook.visible_titles() == ["Sheet1", "ShowInfo ended"]


def test_what_a_reader_wrote_is_shown_and_leads_to_the_show(
    desk: Browser, shows: list[Show], workbook: Workbook
) -> None:
    desk.open("exports_exportrun_changelist")
    export(desk)
    work_off_queue()
    desk.wait(lambda: state(desk) == "Succeeded")
    sheet = next(sheet for sheet in workbook.sheets if sheet.title == "ShowInfo")
    sheet.put(1, ShowInfo.header.index("ShowTotalSeasons"), 99)

    desk.open("index")
    export(desk)
    work_off_queue()

    assert desk.shows("1 cell of this tab was edited by hand in the sheet, and was overwritten")
    desk.driver.find_element("link text", "Below Deck").click()
    desk.wait(lambda: desk.find("#id_name").get_attribute("value") == "Below Deck")
    assert workbook.values("ShowInfo")[1][2] == 1
