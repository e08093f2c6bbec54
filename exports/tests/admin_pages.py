"""How tests use the pages of exports: who asks, what they say, what an export is made of."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from exports.models import ExportedTab, ExportRun
from exports.snapshots import save_snapshot
from exports.tables import Table
from exports.tabs import ShowInfo
from exports.tasks import export_queued

EXPORTS = "/admin/exports/exportrun/"
SHOWS = "/admin/catalog/show/"
EVIL = "<script>alert(1)</script>"


def make_run(status: str = "succeeded", **columns: Any) -> ExportRun:
    """One into the workbook that took a minute, or goes on for a minute."""
    now = timezone.now()
    times = {"asked_at": now - timedelta(minutes=2), "heartbeat_at": now}
    if status != "queued":
        times["started_at"] = now - timedelta(minutes=1)
    if status not in ("queued", "running"):
        times["finished_at"] = now
    facts = {"format": "google", "workbook": settings.SPREADSHEET_ID, "status": status, "tabs": ["ShowInfo"]}
    facts |= {"host": "web-1.example", "pid": 4711}
    return ExportRun.objects.create(**facts | times | columns)


def add_tab(run: ExportRun, *, rows: list[list[Any]] | None = None, **columns: Any) -> ExportedTab:
    """A tab of a run, with the rows that it published where these are given."""
    columns = {"title": "ShowInfo", "is_published": True, "rows": len(rows or ())} | columns
    tab = ExportedTab.objects.create(run=run, **columns)
    if rows is not None:
        kept = Table(tab.title, ShowInfo.header, [tuple(row) for row in rows], ShowInfo.keys)
        save_snapshot(tab, kept)
    return tab


def page_of(desk: Client, run: ExportRun, query: str = "") -> str:
    page = desk.get(f"{EXPORTS}{run.pk}/change/{query}")
    assert page.status_code == 200
    return html_of(page)


def html_of(page: Any) -> str:
    return str(page.content.decode())


def messages_of(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def asked(desk: Client, action: str, **data: str) -> Any:
    """A press of a button, and the page that it leads to."""
    return desk.post(f"{EXPORTS}{action}", data, follow=True)


def waiting() -> ExportRun:
    return ExportRun.objects.get(status="queued")


def work_off(run: ExportRun) -> ExportRun:
    """Does what a worker does with the message of this export."""
    assert export_queued(run.pk)["run"] == run.pk
    run.refresh_from_db()
    return run


def messages_queued() -> list[tuple[Any, ...]]:
    return [row.task["args"] for row in OrmQ.objects.all() if row.task["func"] == "exports.tasks.export_queued"]
