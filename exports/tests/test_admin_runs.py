"""Exports in admin: what the list and the page of one tell, and what can be published again or anyway."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Show
from demo.sheets import SheetsServer, Workbook
from exports.admin.row_shows import shows_of
from exports.admin.run_words import verdict_of
from exports.models import ExportRun, Snapshot
from exports.snapshots import save_snapshot
from exports.tables import Table
from exports.tabs import ShowInfo

from .admin_pages import (
    EVIL,
    EXPORTS,
    add_tab,
    asked,
    html_of,
    make_run,
    messages_of,
    page_of,
    waiting,
    work_off,
)
from .conftest import HEADER, a_show, cells

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def plain(html: str) -> str:
    return " ".join(html.split())


# --- the list


@pytest.mark.parametrize(
    ("status", "tone", "text"),
    [
        ("queued", "", "waits for a worker"),
        ("running", "", "running"),
        ("succeeded", "good", "succeeded"),
        ("failed", "bad", "failed"),
        ("interrupted", "bad", "cut off"),
    ],
)
def test_each_status_has_its_colour_and_its_words(desk: Client, status: str, tone: str, text: str) -> None:
    verdict = verdict_of(make_run(status), timezone.now())

    assert (verdict.text, verdict.tone) == (text, tone)
    assert f'<span class="desk-badge {tone}">{text[0].upper()}{text[1:]}</span>' in html_of(desk.get(EXPORTS))


def test_one_that_waits_too_long_is_amber_and_one_without_a_sign_of_life_red(desk: Client) -> None:
    now = timezone.now()
    late = make_run("queued", asked_at=now - timedelta(hours=1))
    dead = make_run("running", heartbeat_at=now - timedelta(hours=1))

    assert verdict_of(late, now).tone == "warn"
    assert (verdict_of(dead, now).text, verdict_of(dead, now).tone) == ("no sign of life", "bad")
    assert "Its process is gone, or hangs." in page_of(desk, dead)


def test_the_list_tells_what_who_when_how_long_and_how_much(desk: Client, anna: Any) -> None:
    link = "https://docs.google.com/spreadsheets/d/x/edit"
    run = make_run(started_by=anna, reads=4, writes=3, link=link, view="ended", columns=["Show", "TMDbSeriesID"])
    add_tab(run, rows=[cells(1), cells(2)], added=1, changed=1, by_hand=1)

    html = plain(html_of(desk.get(EXPORTS)))

    for told in (
        "ShowInfo; the view ended; 2 columns",
        "anna",
        f"{run.asked_at:%Y-%m-%d %H:%M}",
        "1 min 0 s",
        "1 added, 1 changed, 1 by hand",
        "4 reads, 3 writes",
        f'href="{link}" target="_blank" rel="noopener"',
    ):
        assert told in html


def test_exports_are_filtered_by_format_and_status(desk: Client) -> None:
    failed, csv = make_run("failed"), make_run(format="csv")

    def listed(query: str) -> list[int]:
        return [run.pk for run in desk.get(f"{EXPORTS}?{query}").context["cl"].result_list]

    assert listed("format__exact=csv") == [csv.pk]
    assert listed("status__exact=failed") == [failed.pk]
    assert "No export is like that" in html_of(desk.get(f"{EXPORTS}?format__exact=xlsx"))


def test_what_waits_or_goes_on_stands_first(desk: Client) -> None:
    queued, running, done = make_run("queued"), make_run("running"), make_run()

    assert [run.pk for run in desk.get(EXPORTS).context["cl"].result_list] == [running.pk, queued.pk, done.pk]


def test_an_empty_list_says_what_to_do(desk: Client, viewer: Client, server: SheetsServer) -> None:
    assert "Press “Export to Google Sheets”" in html_of(desk.get(EXPORTS))
    assert "python manage.py export_sheets" in html_of(viewer.get(EXPORTS))


def test_the_list_costs_the_same_however_many_exports(desk: Client, anna: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert desk.get(EXPORTS).status_code == 200
        return len(found)

    for _ in range(2):
        add_tab(make_run(started_by=anna), added=1)
    few = queries()
    for _ in range(20):
        add_tab(make_run(started_by=anna), added=1)

    assert queries() == few
    assert few <= 12


@pytest.mark.parametrize("action", ["add/", "{pk}/delete/"])
def test_nobody_adds_or_deletes_an_export(client: Client, admin_user: Any, action: str) -> None:
    run = make_run()
    client.force_login(admin_user)

    assert client.post(EXPORTS + action.format(pk=run.pk), {"post": "yes"}).status_code == 403
    assert ExportRun.objects.filter(pk=run.pk).exists()


# --- the page of one


def difference(**kinds: Any) -> dict[str, Any]:
    return {"added": [], "removed": [], "changed": [], "by_hand": [], "header": []} | kinds


def test_the_page_lists_what_was_added_removed_and_changed(desk: Client) -> None:
    found = difference(
        added=["11 New"],
        removed=[{"row": 7, "label": "12 Old", "cells": ["Old", "Bravo", 3, "", "", "12", "", ""]}],
        changed=[{"row": 4, "label": "13 Longer", "cells": {"ShowTotalSeasons": [45, "45"], "OVERRIDE": ["", "Y"]}}],
    )
    run = make_run()
    add_tab(run, rows=[cells(1)], added=1, removed=1, changed=1, difference=found, warnings=["A comma, or two"])

    html = plain(page_of(desk, run))

    assert "1 row: 1 added, 1 removed, 1 changed." in html
    assert "<li>11 New</li>" in html
    assert '<td class="desk-number">7</td><th scope="row" class="export-which">12 Old</th>' in html
    assert "Old | Bravo | 3 |  |" in page_of(desk, run)
    assert '<del class="desk-before">45</del> → <ins class="desk-after">“45”</ins>' in html
    assert '<del class="desk-before">(empty)</del> → <ins class="desk-after">“Y”</ins>' in html
    assert "A comma, or two" in html


def test_a_cell_that_was_edited_by_hand_leads_to_its_show(desk: Client) -> None:
    show = a_show(55, name="Below Deck")
    hand = {"row": 2, "label": "55 Below Dek", "column": "Show", "published": "Below Deck", "found": "Below Dek"}
    added = {"row": 9, "label": "Nobody", "column": "", "published": "", "found": "a row that was added"}
    run = make_run()
    add_tab(run, rows=[cells(1)], by_hand=2, difference=difference(by_hand=[hand, added]))

    html = plain(page_of(desk, run))

    assert "2 cells of this tab were edited by hand in the sheet, and were overwritten" in html
    assert 'export-found">“Below Dek”</td>' in html
    assert f'<a href="/admin/catalog/show/{show.pk}/change/">Below Deck</a>' in html
    assert "a whole row that somebody added" in html
    assert "no show has this key" in html


def test_the_page_lists_a_hundred_rows_of_each_kind_and_counts_the_rest(desk: Client) -> None:
    labels = [f"{number} Show" for number in range(1_000)]
    changed = [{"row": 2, "label": label, "cells": {"Show": ["a", "b"]}} for label in labels]
    hand = [{"row": 2, "label": label, "column": "Show", "published": "a", "found": "b"} for label in labels]
    gone = [{"row": 2, "label": label, "cells": ["x"]} for label in labels]
    run = make_run()
    found = difference(added=labels, removed=gone, changed=changed, by_hand=hand)
    add_tab(run, rows=[], added=1_500, removed=1_400, changed=1_300, by_hand=1_200, difference=found)

    html = page_of(desk, run)

    assert html.count("<li>99 Show</li>") == 1
    assert "100 Show" not in html
    for rest in (1_400, 1_300, 1_200, 1_100):
        assert f"and {rest} more" in html


def test_html_in_the_sheet_or_in_a_name_is_shown_as_text(desk: Client) -> None:
    a_show(5, name=EVIL)
    found = difference(
        added=[EVIL],
        removed=[{"row": 2, "label": EVIL, "cells": [EVIL]}],
        changed=[{"row": 2, "label": EVIL, "cells": {EVIL: [EVIL, EVIL]}}],
        by_hand=[{"row": 2, "label": f"5 {EVIL}", "column": EVIL, "published": EVIL, "found": EVIL}],
        header=[EVIL],
    )
    run = make_run("failed", error=EVIL, step=EVIL, host=EVIL, view=EVIL, tabs=[EVIL], link="javascript:alert(1)")
    add_tab(
        run, title=EVIL, added=1, removed=1, changed=1, by_hand=1, difference=found, warnings=[EVIL], error=EVIL,
        link="javascript:alert(1)",
    )  # fmt: skip

    for page in (page_of(desk, run), html_of(desk.get(EXPORTS)), html_of(desk.get("/admin/"))):
        assert EVIL not in page
        assert "javascript:alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_costs_the_same_however_many_rows_differ(desk: Client) -> None:
    def queries(count: int) -> int:
        hand = [
            {"row": 2, "label": f"{number} Show", "column": "Show", "published": "", "found": "x"}
            for number in range(count)
        ]
        run = make_run()
        add_tab(run, rows=[], by_hand=count, difference=difference(by_hand=hand))
        with CaptureQueriesContext(connection) as found:
            page_of(desk, run)
        return len(found)

    for number in range(1, 30):
        a_show(number)

    queries(1)  # reads what is read once a process

    assert queries(2) == queries(40)


def test_a_tab_that_was_right_already_says_so(desk: Client) -> None:
    run = make_run()
    add_tab(run, rows=[cells(1)], is_published=False)

    html = plain(page_of(desk, run))

    assert "Up to date: nothing was sent" in html
    assert "1 row. Readers had them already." in html


def test_a_failed_export_says_why_on_its_page_and_in_the_list(desk: Client) -> None:
    run = make_run("failed", error="no access: share the workbook with x@y")
    add_tab(run, is_published=False, error="no access: share the workbook with x@y")

    assert "No access: share the workbook with x@y" in page_of(desk, run)
    assert "no access: share the workbook with x@y" in html_of(desk.get(EXPORTS))


@pytest.mark.parametrize("key", ["0", "x", "999999999999999999999", "%00"])
def test_an_export_that_there_is_not_is_no_server_error(desk: Client, key: str) -> None:
    assert desk.get(f"{EXPORTS}{key}/change/", follow=True).status_code in (200, 404)


# --- how far it is


def test_the_script_is_told_how_far_open_exports_are_and_those_that_it_names(desk: Client) -> None:
    running = make_run("running", step="ShowInfo: publishing", reads=3, writes=1, bytes_sent=4096)
    done, _ = make_run(), make_run()

    page = desk.get(f"{EXPORTS}told/?run={done.pk}&run=x&run=%00")

    told = {run["id"]: run for run in page.json()["runs"]}
    assert set(told) == {running.pk, done.pk}
    assert told[done.pk]["verdict"] == "succeeded"
    assert not told[done.pk]["is_open"]
    parts = told[running.pk]["parts"]
    assert (parts["step"], parts["calls"], parts["bytes"]) == ("ShowInfo: publishing", "3 reads, 1 write", "4 KiB")
    assert "no-store" in page["Cache-Control"]


def test_who_may_not_see_exports_is_told_nothing(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))

    assert client.get(f"{EXPORTS}told/").status_code == 403
    assert client.get(EXPORTS).status_code == 403
    assert client.get(f"{EXPORTS}ask/").status_code == 403
    assert "dash-google" not in html_of(client.get("/admin/"))


# --- published again


@pytest.fixture
def published(desk: Client, server: SheetsServer) -> ExportRun:
    """Two shows in the workbook, and then three."""
    a_show(1)
    a_show(2)
    asked(desk, "export/")
    first = work_off(waiting())
    a_show(3)
    asked(desk, "export/")
    work_off(waiting())
    return first


def test_what_an_export_published_is_published_again_once_that_is_confirmed(
    desk: Client, workbook: Workbook, published: ExportRun
) -> None:
    assert f'href="{EXPORTS}{published.pk}/restore/">Publish again as it was…</a>' in page_of(desk, published)
    html = plain(html_of(desk.get(f"{EXPORTS}{published.pk}/restore/")))
    assert "ShowInfo: 2 rows" in html
    assert "1 export succeeded since; what it changed in these tabs" in html
    assert "The catalogue is not touched" in html
    assert len(workbook.values("ShowInfo")) == 4

    page = asked(desk, f"{published.pk}/restore/")

    again = waiting()
    assert again.restore_of_id == published.pk
    assert f"ShowInfo; as export {published.pk} published it" in html_of(page)
    work_off(again)
    assert len(workbook.values("ShowInfo")) == 3
    assert f"export {again.pk}</a> (succeeded)" in page_of(desk, published)


def test_an_export_whose_rows_are_not_kept_can_not_be_published_again(desk: Client, published: ExportRun) -> None:
    Snapshot.objects.all().delete()

    assert "Publish again" not in page_of(desk, published)
    page = asked(desk, f"{published.pk}/restore/")

    assert f"What export {published.pk} published is not kept" in messages_of(page)
    assert not ExportRun.objects.filter(status="queued").exists()


def test_a_viewer_sees_the_page_without_buttons(viewer: Client, published: ExportRun) -> None:
    html = page_of(viewer, published)

    assert "Publish again" not in html
    assert "1 added" not in html.partition("export-tabs")[0]


# --- in spite of the guard


@pytest.fixture
def tripped(desk: Client, server: SheetsServer) -> ExportRun:
    """Ten shows in the workbook, of which nine are in the trash now."""
    for number in range(1, 11):
        a_show(number)
    asked(desk, "export/")
    work_off(waiting())
    Show.objects.filter(tmdb_id__gt=1).update(deleted_at=timezone.now())
    asked(desk, "export/")
    return work_off(waiting())


def test_what_the_guard_stopped_is_published_anyway_once_that_is_confirmed(
    desk: Client, workbook: Workbook, tripped: ExportRun
) -> None:
    html = page_of(desk, tripped)
    assert "Guard tripped" in html
    assert f'href="{EXPORTS}{tripped.pk}/force/">Publish anyway…</a>' in html
    question = html_of(desk.get(f"{EXPORTS}{tripped.pk}/force/"))
    assert "9 of 10 rows would go, more than 30%" in question
    assert "What was published last is kept, and can be published again." in question
    assert len(workbook.values("ShowInfo")) == 11

    asked(desk, f"{tripped.pk}/force/")

    forced = work_off(waiting())
    assert forced.status == "succeeded"
    assert workbook.values("ShowInfo")[1:] == [cells(1)[:7]]
    assert f"export {tripped.pk}</a>" in page_of(desk, forced).split("<dt>Guard</dt>")[1][:120]


def test_more_than_was_confirmed_does_not_go(desk: Client, workbook: Workbook, server: SheetsServer) -> None:
    for number in range(1, 21):
        a_show(number)
    asked(desk, "export/")
    work_off(waiting())
    Show.objects.filter(tmdb_id__gt=13).update(deleted_at=timezone.now())
    asked(desk, "export/")
    tripped = work_off(waiting())
    Show.objects.filter(tmdb_id__gt=1).update(deleted_at=timezone.now())  # a catastrophe, after somebody has looked

    asked(desk, f"{tripped.pk}/force/")

    forced = work_off(waiting())
    assert (forced.status, forced.tripped) == ("failed", True)
    assert "19 of 20 rows would go, more than was confirmed" in forced.error
    assert len(workbook.values("ShowInfo")) == 21


def test_what_was_of_another_workbook_is_neither_forced_nor_published_again(
    desk: Client, server: SheetsServer, tripped: ExportRun, settings: Any
) -> None:
    good = ExportRun.objects.order_by("pk")[0]
    settings.SPREADSHEET_ID = "another"

    for run, button, action in ((tripped, "Publish anyway…", "force"), (good, "Publish again as it was…", "restore")):
        assert button not in page_of(desk, run)
        asked(desk, f"{run.pk}/{action}/")

    assert not ExportRun.objects.filter(status="queued").exists()


def test_what_was_only_about_to_be_published_is_not_offered_again(desk: Client, server: SheetsServer) -> None:
    run = make_run("interrupted")
    table = Table("ShowInfo", ShowInfo.header, [tuple(cells(1))], ShowInfo.keys)
    save_snapshot(add_tab(run, is_published=False), table, is_pending=True)

    assert "Publish again as it was…" not in page_of(desk, run)


def test_who_forces_a_first_export_is_told_that_nothing_is_kept(
    desk: Client, server: SheetsServer, workbook: Workbook
) -> None:
    workbook.add("ShowInfo", [HEADER, cells(7)])
    a_show(1)
    asked(desk, "export/")
    run = work_off(waiting())
    assert run.tripped

    question = html_of(desk.get(f"{EXPORTS}{run.pk}/force/"))

    assert "ShowInfo was never published from here" in question
    assert "so it is not kept" in question


def test_what_would_go_is_listed_where_it_is_asked_for(desk: Client, server: SheetsServer) -> None:
    run = make_run("failed", tripped=True, error="9 of 10 rows would go")
    found = difference(removed=[{"row": 2, "label": "5 Gone soon", "cells": ["Gone soon"]}])
    add_tab(run, is_published=False, error="9 of 10 rows would go", removed=9, difference=found)

    for html in (page_of(desk, run), html_of(desk.get(f"{EXPORTS}{run.pk}/force/"))):
        assert ">Would be removed</h3>" in html
        assert "5 Gone soon" in html
        assert "and 8 more" in html


def test_an_export_that_another_one_followed_is_forced_no_more(desk: Client, tripped: ExportRun) -> None:
    make_run()

    assert "Publish anyway…" not in page_of(desk, tripped)
    page = asked(desk, f"{tripped.pk}/force/")

    assert f"Export {tripped.pk} is not forced: another one came after it." in messages_of(page)
    assert not ExportRun.objects.filter(status="queued").exists()


@pytest.mark.parametrize("action", ["restore", "force"])
def test_one_that_there_is_not_leads_back_to_the_list(desk: Client, action: str) -> None:
    page = asked(desk, f"4711/{action}/")

    assert page.redirect_chain[-1][0] == EXPORTS
    assert "There is no export 4711 any more" in messages_of(page)


# --- from a row to its show


def test_a_row_is_of_the_show_with_its_id_or_its_whole_name() -> None:
    by_tmdb, by_imdb = a_show(90), a_show(2, imdb_id="tt0000123")
    fiance = Show.objects.create(name="90 Day Fiancé")
    gone = a_show(7, name="Gone")
    Show.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())

    found = shows_of(["90 Anything", "tt0000123 Else", "90 Day Fiancé", "7 Gone", "x", "", "ttx", "9" * 18])

    assert {label: show.pk for label, show in found.items()} == {
        "90 Anything": by_tmdb.pk,
        "tt0000123 Else": by_imdb.pk,
        "90 Day Fiancé": fiance.pk,
    }


def test_every_role_sees_exports_in_the_sidebar(client: Client, django_user_model: Any) -> None:
    for role in ("viewer", "editor", "operator"):
        user = django_user_model.objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        assert "Google Sheets and files" in html_of(client.get("/admin/"))
