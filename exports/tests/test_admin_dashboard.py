"""Google Sheets on the dashboard: how old what readers see is, and how the last export of each tab went."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Change
from demo.sheets import SheetsServer
from exports.admin import dashboard

from .admin_pages import add_tab, asked, html_of, make_run, waiting, work_off
from .conftest import a_show, cells

pytestmark = pytest.mark.django_db


@pytest.fixture
def section(desk: Client) -> Any:
    def get() -> str:
        html = html_of(desk.get("/admin/"))
        return " ".join(html.partition('aria-labelledby="dash-google"')[2].partition("</section>")[0].split())

    return get


def hours_ago(number: float) -> datetime:
    return timezone.now() - timedelta(hours=number)


def test_before_the_first_export_the_section_says_what_to_do(section: Any, server: SheetsServer) -> None:
    html = section()

    assert "Nothing has been published yet: press the button" in html
    assert f'href="{server.url}/spreadsheets/d/book/edit" target="_blank" rel="noopener"' in html
    assert ">Export to Google Sheets</button>" in html


def test_an_export_tells_its_rows_its_time_and_who_made_it(section: Any, desk: Client, server: SheetsServer) -> None:
    a_show(1)
    asked(desk, "export/")
    run = work_off(waiting())

    html = section()

    assert f'href="{run.exported.get().link}" target="_blank" rel="noopener">ShowInfo<' in html
    assert '<span class="desk-badge good">succeeded</span>' in html
    assert f"{run.finished_at:%Y-%m-%d %H:%M} by anna" in html
    assert html.count('<td class="desk-number">1</td>') == 1
    assert '<td class="desk-number">0</td>' in html  # shows that changed since


def test_the_last_time_that_a_tab_was_found_to_be_right_is_told_beside_its_last_publication(section: Any) -> None:
    published, compared = (make_run(started_at=hours_ago(at), finished_at=hours_ago(at)) for at in (50, 2))
    add_tab(published, rows=[cells(1)])
    add_tab(compared, rows=[cells(1)], is_published=False)

    html = section()

    assert f"{published.finished_at:%Y-%m-%d %H:%M} by a command or a schedule" in html
    assert f"{compared.finished_at:%Y-%m-%d %H:%M}</td>" in html
    assert f"export {compared.pk}</a>" in html


def test_a_failed_export_is_red_with_its_error_and_what_readers_have_stays_told(section: Any) -> None:
    add_tab(make_run(), rows=[cells(1), cells(2)])
    failed = make_run("failed", error="the quota is used up", tripped=True)
    add_tab(failed, is_published=False, error="the quota is used up")

    html = section()

    assert '<span class="desk-badge bad">failed</span> <span class="desk-badge bad">guard tripped</span>' in html
    assert "the quota is used up" in html
    assert '<td class="desk-number">2</td>' in html


def test_shows_that_changed_since_are_counted_once_each(section: Any, anna: Any) -> None:
    one, two, three = a_show(1), a_show(2), a_show(3)
    edit_show(one.pk, {"name": "Before"}, Author(user=anna))
    Change.objects.update(ts=hours_ago(3))
    add_tab(make_run(started_at=hours_ago(1)), rows=[cells(1)])
    for show, name in ((one, "A"), (one, "B"), (two, "C")):
        edit_show(show.pk, {"name": name}, Author(user=anna))
    Change.objects.create(show=three, kind="updated", fields={"tmdb_popularity": [1, 2]}, volatile=True)

    assert '<td class="desk-number">2</td>' in section()


def test_rows_that_were_published_again_are_as_old_as_their_first_export(section: Any, anna: Any) -> None:
    show = a_show(1)
    old = make_run(started_at=hours_ago(5), finished_at=hours_ago(5))
    add_tab(old, rows=[cells(1)])
    edit_show(show.pk, {"name": "New"}, Author(user=anna))
    Change.objects.update(ts=hours_ago(2))
    add_tab(make_run(restore_of=old, started_at=hours_ago(1)), rows=[cells(1)])

    html = section()

    assert f"as export {old.pk} had it" in html
    assert html.count('<td class="desk-number">1</td>') == 2  # a row, and a show that has changed since


def test_a_saved_view_has_a_row_of_its_own_behind_the_usual_tabs(section: Any) -> None:
    add_tab(make_run(), rows=[cells(1)])
    add_tab(make_run(view="ended"), title="ShowInfo ended", rows=[cells(1)])
    make_run("running", view="mine")

    html = section()

    places = [html.index(f">{title}<") for title in ("ShowInfo", "ShowInfo mine", "ShowInfo ended")]
    assert places == sorted(places)
    assert 'data-export-status="running"' in html


def test_files_are_no_export_to_google(section: Any) -> None:
    add_tab(make_run(format="csv"))

    assert "Nothing has been published yet" in section()


def test_a_figure_that_looks_at_the_newest_changes_alone_says_so(section: Any, monkeypatch: Any, anna: Any) -> None:
    show = a_show(1)
    add_tab(make_run(started_at=hours_ago(1)), rows=[cells(1)])
    for name in ("A", "B", "C"):
        edit_show(show.pk, {"name": name}, Author(user=anna))
    monkeypatch.setattr("catalog.dashboard.WINDOW", 2)

    assert '<td class="desk-number">at least 1</td>' in section()


def test_the_section_costs_three_queries_however_many_tabs(desk: Client, anna: Any, rf: Any, server: Any) -> None:
    request = rf.get("/admin/")
    request.user = type(anna).objects.get(pk=anna.pk)
    request.user.has_perm("exports.view_exportrun")  # read once for all sections
    for number in range(12):
        add_tab(make_run(started_by=anna, view=f"view{number}"), title=f"ShowInfo view{number}", rows=[cells(1)])

    with CaptureQueriesContext(connection) as found:
        told = dashboard.google(request)
        assert [str(row["published"].run.started_by) for row in told["tabs"]] == ["anna"] * 10

    assert len(found) == 3
