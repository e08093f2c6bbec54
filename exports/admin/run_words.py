"""An export in words, for the list of them, the page of one, and the dashboard."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.admin.text import counted
from exports.models import ExportedTab, ExportRun
from exports.runs import is_dead
from exports.tabs import TABS, title_of

Status = ExportRun.Status
Format = ExportRun.Format
OPEN: Final = (Status.QUEUED, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of an export, and in which colour: good, bad, warn or none."""

    text: str
    tone: str


def verdict_of(run: ExportRun, now: datetime) -> Verdict:
    words = run.get_status_display().lower()
    if run.status == Status.RUNNING:
        return Verdict("no sign of life", "bad") if is_dead(run) else Verdict(words, "")
    if run.status == Status.QUEUED:
        return Verdict(words, "warn" if now - run.asked_at > settings.ALERT_QUEUE_WAIT else "")
    return Verdict(words, "good" if run.status == Status.SUCCEEDED else "bad")


def run_url(run_id: int) -> str:
    return reverse("admin:exports_exportrun_change", args=(run_id,))


def what(run: ExportRun) -> str:
    """Its tabs, and which part of them."""
    parts = [", ".join(run.tabs)]
    if run.view:
        parts.append(f"the view {run.view}")
    if run.columns:
        parts.append(counted(len(run.columns), "column"))
    if run.restore_of_id:
        parts.append(f"as export {run.restore_of_id} published it")
    return "; ".join(part for part in parts if part)


def titles_of(run: ExportRun) -> list[str]:
    """The tabs of the workbook that it is for."""
    found = []
    for title in run.tabs:
        tab = TABS.get(title)
        if tab is None:  # one that an older version had
            found.append(title)
            continue
        chosen = tuple(name for name in tab.header if name in run.columns) or tab.header
        found.append(title_of(tab, run.view, chosen))
    return found


def who(run: ExportRun) -> str:
    return str(run.started_by.get_username()) if run.started_by else "a command or a schedule"


def took(run: ExportRun, now: datetime) -> str:
    """How long it took or goes on, and of one that has not begun how long it has waited."""
    begun = run.started_at or run.asked_at
    end = run.finished_at or (now if run.status in OPEN else run.heartbeat_at)
    return in_words(max((end - begun).total_seconds(), 0.0))


def in_words(seconds: float) -> str:
    """`0.8 s`, `12 s`, `3 min 20 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def calls(run: ExportRun) -> str:
    """Nothing for a file."""
    return f"{counted(run.reads, 'read')}, {counted(run.writes, 'write')}" if run.format == Format.GOOGLE else ""


def size(run: ExportRun) -> str:
    return f"{run.bytes_sent / 1024:,.0f} KiB" if run.format == Format.GOOGLE else ""


def rows(tabs: Iterable[ExportedTab]) -> int:
    return sum(tab.rows for tab in tabs)


def counts(tabs: Iterable[ExportedTab]) -> str:
    """`3 added, 1 removed, 2 changed, 1 by hand`; empty where nothing differed."""
    known = list(tabs)
    names = {"added": "added", "removed": "removed", "changed": "changed", "by_hand": "by hand"}
    sums = {words: sum(getattr(tab, name) for tab in known) for name, words in names.items()}
    return ", ".join(f"{number:,} {words}" for words, number in sums.items() if number)


def safe_link(link: str) -> str:
    """The address, where it is one that a browser may be led to."""
    return link if urlsplit(link).scheme in ("http", "https") else ""


def sheet_link(run: ExportRun, tabs: Iterable[ExportedTab], words: str = "Open") -> SafeString | str:
    """To the tab, where it is one alone, else to the workbook."""
    links = [tab.link for tab in tabs if tab.link]
    link = safe_link(links[0] if len(links) == 1 else run.link)
    if not link:
        return ""
    return format_html(
        '<a class="run-link" href="{}" target="_blank" rel="noopener">{}'
        '<span class="trr-only-read"> of export {}, in a new window</span></a>',
        link,
        words,
        run.pk,
    )


def live(run: ExportRun, part: str, text: object) -> SafeString:
    """What the page's script keeps up to date: a part of an export, by its name in `told`."""
    return format_html('<span data-export="{}" data-export-part="{}">{}</span>', run.pk, part, text)


def open_mark(run: ExportRun) -> SafeString:
    """Says to the page's script that it is not at its end."""
    if run.status not in OPEN:
        return SafeString("")
    return format_html('<span data-export-open="{}" data-export-status="{}"></span>', run.pk, run.status)


def told(run: ExportRun, now: datetime) -> dict[str, Any]:
    """What the page's script is told of an export."""
    verdict = verdict_of(run, now)
    return {
        "id": run.pk,
        "status": run.status,
        "is_open": run.status in OPEN,
        "verdict": verdict.text,
        "parts": {"step": run.step, "took": took(run, now), "calls": calls(run), "bytes": size(run)},
    }
