"""One click publishes: who sees the button, where it leads, and what it says where it can't."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from catalog.models import SavedView
from demo.sheets import SheetsServer, Workbook
from exports.models import ExportRun

from .admin_pages import (
    EXPORTS,
    SHOWS,
    asked,
    html_of,
    make_run,
    messages_of,
    messages_queued,
    page_of,
    waiting,
    work_off,
)
from .conftest import BOOK, HEADER, a_show, cells

pytestmark = [pytest.mark.django_db, pytest.mark.once]

BUTTON = "Export to Google Sheets"
PLACES = (SHOWS, "/admin/", EXPORTS)


@pytest.fixture
def view(anna: Any) -> SavedView:
    return SavedView.objects.create(slug="ended", name="Ended", owner=anna, params={"status": "Ended"})


@pytest.mark.parametrize("place", PLACES)
def test_one_click_queues_an_export_and_leads_to_it(
    desk: Client, server: SheetsServer, place: str, django_capture_on_commit_callbacks: Any
) -> None:
    a_show(1)
    html = html_of(desk.get(place))
    assert f'action="{EXPORTS}export/"' in html
    assert html.count(f">{BUTTON}</button>") == 1

    with django_capture_on_commit_callbacks(execute=True):
        page = asked(desk, "export/")

    run = waiting()
    assert page.redirect_chain == [(f"{EXPORTS}{run.pk}/change/", 302)]
    assert (run.format, run.tabs, run.view, str(run.started_by)) == ("google", ["ShowInfo"], "", "anna")
    assert messages_queued() == [(run.pk,)]
    assert "It waits for a worker" in html_of(page)


def test_what_was_asked_for_is_published_and_the_page_says_so(
    desk: Client, server: SheetsServer, workbook: Workbook
) -> None:
    a_show(1)
    asked(desk, "export/")

    run = work_off(waiting())

    assert workbook.values("ShowInfo")[:2] == [HEADER, cells(1)[:7]]
    html = page_of(desk, run)
    assert ">Succeeded</span>" in html
    assert f'href="{run.exported.get().link}" target="_blank" rel="noopener"' in html
    assert "1 row: 1 added." in " ".join(html.split())


@pytest.mark.parametrize("place", PLACES)
def test_without_a_workbook_the_button_is_disabled_and_says_what_to_set(
    desk: Client, settings: Any, place: str
) -> None:
    settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = "http://127.0.0.1:9", ""

    html = html_of(desk.get(place))

    assert f'class="desk-button" disabled aria-describedby="export-missing">{BUTTON}</button>' in html
    assert ("SPREADSHEET_ID is not set: the id of the workbook" in html) is (place == EXPORTS)
    assert ("Google Sheets is not set up yet: <a" in html) is (place != EXPORTS)
    assert f'action="{EXPORTS}export/"' not in html


def test_without_credentials_the_button_says_which_variable_names_them(desk: Client, settings: Any) -> None:
    settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = "https://sheets.googleapis.com", BOOK

    assert "GOOGLE_APPLICATION_CREDENTIALS is not set" in html_of(desk.get(EXPORTS))


def test_a_key_file_that_is_mended_enables_the_button_without_a_restart(
    desk: Client, settings: Any, tmp_path: Path
) -> None:
    key = tmp_path / "key.json"
    key.write_text("no JSON")
    settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = "https://sheets.googleapis.com", BOOK
    settings.GOOGLE_APPLICATION_CREDENTIALS = str(key)
    assert "is not JSON" in html_of(desk.get(EXPORTS))

    key.write_text('{"type": "authorized_user"}')

    assert "is not the key of a service account (its type is authorized_user)" in html_of(desk.get(EXPORTS))


def test_a_press_where_nothing_is_set_up_queues_nothing_and_says_why(desk: Client, settings: Any) -> None:
    settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = "http://127.0.0.1:9", ""

    page = asked(desk, "export/")

    assert "Nothing was exported: SPREADSHEET_ID is not set" in messages_of(page)
    assert not ExportRun.objects.exists()


@pytest.mark.parametrize("place", PLACES)
def test_who_may_not_publish_sees_no_button(viewer: Client, server: SheetsServer, place: str) -> None:
    page = viewer.get(place)

    assert page.status_code == 200
    assert BUTTON not in html_of(page).replace(f"“{BUTTON}”", "")


@pytest.mark.parametrize("action", ["export/", "{pk}/restore/", "{pk}/force/"])
def test_who_may_not_publish_can_start_nothing(viewer: Client, server: SheetsServer, action: str) -> None:
    run = make_run("failed", tripped=True)

    assert viewer.post(EXPORTS + action.format(pk=run.pk)).status_code == 403
    assert ExportRun.objects.count() == 1


def test_a_link_from_elsewhere_starts_nothing(anna: Any, server: SheetsServer) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(anna)

    assert strict.post(f"{EXPORTS}export/").status_code == 403
    assert strict.get(f"{EXPORTS}export/").status_code == 405
    assert not ExportRun.objects.exists()


def test_two_presses_are_one_export(desk: Client, server: SheetsServer) -> None:
    asked(desk, "export/")
    page = asked(desk, "export/")

    assert waiting()
    assert messages_of(page) == ""


def test_an_export_that_waits_is_not_dropped_for_another(desk: Client, server: SheetsServer, view: SavedView) -> None:
    asked(desk, "export/")

    page = asked(desk, "export/", filter="ended")

    told = messages_of(page)
    assert f"Nothing was queued: another export waits for a worker: export {waiting().pk} by anna" in told
    assert waiting().view == ""


# --- a part of the shows


def test_an_open_view_leads_to_the_question_what_is_meant(desk: Client, server: SheetsServer, view: SavedView) -> None:
    a_show(1, tmdb_status="Ended")
    a_show(2, tmdb_status="Ended", override="SKIP")
    a_show(3)
    assert f'href="{EXPORTS}ask/?filter=ended">{BUTTON}…</a>' in html_of(desk.get(f"{SHOWS}?filter=ended"))

    html = html_of(desk.get(f"{EXPORTS}ask/?filter=ended"))

    assert "The 1 show of the view “Ended”" in html
    assert "“ShowInfo ended”" in html
    assert "All 2 shows" in html
    assert '<input type="hidden" name="filter" value="ended">' in html
    assert "/download/?tab=ShowInfo&amp;format=csv&amp;filter=ended" in html


def test_a_view_is_published_into_a_tab_of_its_own(
    desk: Client, server: SheetsServer, workbook: Workbook, view: SavedView
) -> None:
    a_show(1, tmdb_status="Ended")
    a_show(2)
    asked(desk, "export/", filter="ended")

    run = work_off(waiting())

    assert workbook.visible_titles() == ["Sheet1", "ShowInfo ended"]
    assert len(workbook.values("ShowInfo ended")) == 2
    assert "ShowInfo; the view ended" in page_of(desk, run)


def test_a_filter_without_a_view_must_be_saved_first(desk: Client, server: SheetsServer) -> None:
    a_show(1)
    assert f'href="{EXPORTS}ask/">{BUTTON}…</a>' in html_of(desk.get(f"{SHOWS}?status=Ended"))

    html = html_of(desk.get(f"{EXPORTS}ask/"))

    assert "keep the filter first" in html
    assert "All 1 show" in html


def test_an_empty_view_offers_nothing_to_publish(desk: Client, server: SheetsServer, view: SavedView) -> None:
    html = html_of(desk.get(f"{EXPORTS}ask/?filter=ended"))

    assert "No show of this view is exported" in html
    assert "Export this view" not in html


@pytest.mark.parametrize("slug", ["gone", "%00", "<script>alert(1)</script>"])
def test_a_view_that_there_is_not_is_named_and_nothing_is_queued(desk: Client, server: SheetsServer, slug: str) -> None:
    page = desk.get(f"{EXPORTS}ask/?filter={slug}")
    assert page.status_code == 400
    assert "There is no saved view" in html_of(page)
    assert "<script>alert(1)" not in html_of(page)

    assert "Nothing was exported. There is no saved view" in messages_of(asked(desk, "export/", filter=slug))
    assert not ExportRun.objects.exists()
