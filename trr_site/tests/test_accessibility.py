"""Every page of the desk passes axe-core's rules of WCAG 2 A and AA, in light and in dark."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Batch, Change, SavedView, Show
from catalog.trash import delete_show
from exports.models import ExportedTab, ExportRun, Snapshot
from exports.snapshots import save_snapshot
from exports.tables import Table
from exports.tabs import ShowInfo
from ingestion.models import Problem, SyncChunk, SyncFailure, SyncRun, Worker
from trr_site.tests.browser import Browser

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180), pytest.mark.once]

LISTS = [
    *("catalog_show", "catalog_change", "catalog_batch", "catalog_network", "catalog_watchprovider"),
    *(
        "catalog_accessevent",
        "ingestion_syncrun",
        "ingestion_syncstate",
        "ingestion_problem",
        "auth_user",
        "auth_group",
    ),
    *("django_q_schedule", "django_q_ormq", "django_q_failure", "exports_exportrun"),
]


@pytest.fixture
def desk(browser: Browser, shows: list[Show], transactional_db: None, admin_user: Any, settings: Any) -> Browser:
    settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = "http://127.0.0.1:9", "book"
    browser.expected.append("400 (Bad Request)")
    author = Author(user=admin_user, reason="checked")
    edit_show(shows[0].pk, {"name": "Below Deck (US)", "tags": ["yacht"]}, author)
    delete_show(Show.objects.create(name="Gone").pk, author)
    runs(shows[0])
    exports(shows[0], admin_user)
    Show.objects.create(name="Lost at Sea", needs_tmdb_resolution=True)
    Show.objects.create(name="Teen Mom")
    browser.log_in("admin", "password")
    return browser


def runs(show: Show) -> None:
    """One that failed, one that goes on and one that waits; a worker that is dead, and an open problem."""
    here = {"host": "host", "pid": 1}
    failed = SyncRun.objects.create(**here, kind="sync_shows", status="failed", error="too much", tripped=True, total=9)
    SyncFailure.objects.create(run=failed, show=show, item=show.name, reason="HTTP 503")
    now = timezone.now()
    going_on = {"status": "running", "shared": True, "done": 5, "total": 20, "counts": {"updated": 5}}
    running = SyncRun.objects.create(**here, **going_on, kind="sync_shows", started_at=now - timedelta(minutes=1))
    SyncChunk.objects.create(run=running, number=1, status="running", heartbeat_at=now, **here)
    SyncRun.objects.create(**here, kind="sync_shows", status="queued", shared=True)
    Worker.objects.create(id="dead", **here, beat_at=now - timedelta(hours=1), note="it hung")
    Problem.objects.create(key="run:sync_shows", text="sync_shows: run 1 failed")


def exports(show: Show, user: Any) -> None:
    """One with every kind of difference, one that waits, one that goes on, and one that the guard stopped."""
    label = f"{show.tmdb_id} {show.name}"
    found = {
        "added": [label],
        "removed": [{"row": 3, "label": label, "cells": ["x", 1, ""]}],
        "changed": [{"row": 2, "label": label, "cells": {"Show": ["a", "b"], "OVERRIDE": ["", "Y"]}}],
        "by_hand": [{"row": 2, "label": label, "column": "Show", "published": "a", "found": "b"}],
    }
    counts = {"rows": 1, "added": 1, "removed": 1, "changed": 1, "by_hand": 1}
    facts = {"format": "google", "workbook": "book", "tabs": ["ShowInfo"], "started_by": user}
    facts |= {"link": "https://docs.google.com/x"}
    done = ExportRun.objects.create(**facts, status="succeeded", finished_at=timezone.now())
    tab = ExportedTab.objects.create(
        run=done, title="ShowInfo", **counts, difference=found, warnings=["a comma"], is_published=True
    )
    save_snapshot(tab, Table("ShowInfo", ShowInfo.header, [], ShowInfo.keys))
    SavedView.objects.create(slug="ended", name="Ended", owner=user, params={"status": "Ended"})
    ExportRun.objects.create(**facts, status="queued", view="ended")
    ExportRun.objects.create(**facts, status="running", started_at=timezone.now(), step="ShowInfo: publishing")
    ExportRun.objects.create(**facts, status="failed", tripped=True, error="9 of 10 rows would go")


def pages(show: Show) -> list[tuple[str, tuple[Any, ...], str]]:
    change = Change.objects.filter(show=show).first()
    twin = Show.objects.filter(name="Teen Mom").order_by("created_at")
    batch = Batch.objects.create(
        kind="edit", status="done", user=change.user, total=1, done=1, counts={"changed": 1}, plan={"edits": []}
    )
    return [
        ("index", (), ""),
        ("catalog_show_change", (show.pk,), ""),
        ("catalog_show_add", (), ""),
        ("catalog_show_diff", (show.pk,), ""),
        ("catalog_show_identify", (show.pk,), ""),
        ("catalog_show_delete", (show.pk,), ""),
        ("catalog_show_trash", (), ""),
        ("catalog_show_import", (), ""),
        ("catalog_show_review", (), "?queue=unresolved"),
        ("catalog_show_review", (), "?queue=duplicates"),
        ("catalog_show_merge", (), f"?a={twin[0].pk}&b={twin[1].pk}"),
        ("catalog_change_change", (change.pk,), ""),
        ("catalog_change_revert", (change.pk,), ""),
        ("catalog_batch_change", (batch.pk,), ""),
        ("catalog_network_change", (74,), ""),
        *(("ingestion_syncrun_change", (run.pk,), "") for run in SyncRun.objects.all()),
        ("ingestion_syncrun_cancel", (SyncRun.objects.get(status="running").pk,), ""),
        ("ingestion_syncrun_changelist", (), "?job=gone"),
        *(("exports_exportrun_change", (run.pk,), "") for run in ExportRun.objects.all()),
        ("exports_exportrun_changelist", (), "?format__exact=csv"),
        ("exports_exportrun_ask", (), ""),
        ("exports_exportrun_ask", (), f"?filter={SavedView.objects.get().slug}"),
        ("exports_exportrun_ask", (), "?filter=gone"),
        ("exports_exportrun_download", (), "?format=pdf"),
        ("exports_exportrun_restore", (Snapshot.objects.get().exported.run_id,), ""),
        ("exports_exportrun_force", (ExportRun.objects.get(tripped=True).pk,), ""),
        *((f"{model}_changelist", (), "") for model in LISTS),
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_passes_the_rules_for_people_who_see_hear_or_move_otherwise(
    desk: Browser, shows: list[Show], theme: str
) -> None:
    getattr(desk, theme)()
    found = {}
    for name, args, query in pages(shows[0]):
        desk.open(name, *args, query=query)
        # What a theme changes is the colours: the other rules say the same of both.
        if violations := desk.violations() if theme == "light" else desk.violations("color-contrast"):
            found[f"{name}{query}"] = violations

    assert found == {}, "\n".join(f"{page}: {one}" for page, ones in found.items() for one in ones)


def test_the_login_page_passes_them_too(browser: Browser, transactional_db: None) -> None:
    browser.open("login")

    assert browser.violations() == []
