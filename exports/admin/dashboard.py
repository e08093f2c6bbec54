"""Google Sheets on the dashboard: how old what readers see is, how the last export went, and the button."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Max, Q
from django.http import HttpRequest
from django.utils import timezone

from catalog import dashboard as figures
from catalog.admin import desk
from exports.admin import run_words as words
from exports.admin.buttons import VIEW, export_button, workbook_link
from exports.models import ExportedTab, ExportRun
from exports.tabs import TABS

RUNS_LOOKED_AT: Final = 50
MOST_PARTS: Final = 10  # tabs beside the usual ones, which hold the shows of a saved view


def google(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perm(VIEW):
        return {}
    now = timezone.now()
    exports = ExportRun.objects.filter(format=ExportRun.Format.GOOGLE, workbook=settings.SPREADSHEET_ID)
    runs = list(exports.select_related("started_by")[:RUNS_LOOKED_AT])
    rows = tab_rows(runs, newest_tabs() if runs else [], now)
    return {
        "button": export_button(request),
        "workbook": workbook_link(),
        "tabs": [row for row in rows if row["last"] or row["seen"]],
        "is_new": not runs,
        "window": figures.WINDOW,
    }


def newest_tabs() -> list[ExportedTab]:
    """Of each tab the last time that it was published, and the last one that it was found to be right; newest first."""
    here = {"run__format": ExportRun.Format.GOOGLE, "run__workbook": settings.SPREADSHEET_ID}
    good = ExportedTab.objects.filter(**here, error="").order_by()
    newest = good.values("title", "is_published").annotate(newest=Max("pk")).values("newest")
    tabs = ExportedTab.objects.filter(pk__in=newest).defer("difference", "warnings").order_by("-pk")
    return list(tabs.select_related("run__started_by", "run__restore_of"))


def tab_rows(runs: Sequence[ExportRun], tabs: Sequence[ExportedTab], now: datetime) -> list[dict[str, Any]]:
    """The usual tabs first, then those of saved views, the last exported first."""
    parts = [*(title for run in runs for title in words.titles_of(run)), *(tab.title for tab in tabs)]
    titles = [*TABS, *[title for title in dict.fromkeys(parts) if title not in TABS][:MOST_PARTS]]
    rows = []
    for title in titles:
        ours = [tab for tab in tabs if tab.title == title]
        published = next((tab for tab in ours if tab.is_published), None)
        compared = next((tab for tab in ours if not tab.is_published), None)
        last = next((run for run in runs if title in words.titles_of(run)), None)
        rows.append(
            {
                "title": title,
                "seen": ours[0] if ours else None,  # what readers have
                "published": published,
                "published_at": ended_at(published),
                "compared_at": ended_at(compared),
                "link": words.safe_link(ours[0].link) if ours else "",
                "last": last,
                "verdict": words.verdict_of(last, now) if last else None,
                "open_mark": words.open_mark(last) if last else "",
                "error": last.error if last else "",
            }
        )
    return with_changes(rows)


def with_changes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With how many shows have changed since readers' rows were read from the catalogue; one query for all tabs."""
    since = {row["title"]: read_at(row["seen"]) for row in rows if row["seen"]}
    if not since:
        return rows
    counted = {
        f"tab_{place}": Count("show_id", filter=Q(ts__gte=moment), distinct=True)
        for place, moment in enumerate(since.values())
    }
    oldest = min(since.values())
    found = figures.window().filter(volatile=False, ts__gte=oldest).order_by().aggregate(all=Count("pk"), **counted)
    changed = dict(zip(since, (found[name] for name in counted), strict=True))
    return [row | {"changed": changed.get(row["title"]), "more": found["all"] >= figures.WINDOW} for row in rows]


def ended_at(tab: ExportedTab | None) -> datetime | None:
    return None if tab is None else tab.run.finished_at or tab.run.heartbeat_at


def read_at(tab: ExportedTab) -> datetime:
    """When its rows were read from the catalogue: those of an export that was published again are as old as that."""
    run = tab.run.restore_of or tab.run
    return run.started_at or run.asked_at


desk.sections.append(desk.Section(25, "exports/dashboard.html", google))
