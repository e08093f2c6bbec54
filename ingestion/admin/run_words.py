"""A run in words, for the list of runs, the page of one, and the dashboard."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from catalog.admin.text import counted
from ingestion.dashboard import KINDS, PICKED
from ingestion.imports import KIND as IMPORT
from ingestion.models import SyncChunk, SyncRun
from ingestion.progress import OPEN, figures_of, time_left
from ingestion.report import COUNTED
from ingestion.workbook_decisions import KIND as MOVING_IN

Status = SyncRun.Status


def run_url(run_id: int) -> str:
    return reverse("admin:ingestion_syncrun_change", args=(run_id,))


def in_words(seconds: float) -> str:
    """`2 h 5 min`, `3 min 20 s`, `4 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def duration(run: SyncRun, now: datetime) -> str:
    """How long it took, or takes; how long it has waited, of one that has not begun."""
    end = run.finished_at or (now if run.status in OPEN else run.heartbeat_at)
    return in_words(max((end - run.started_at).total_seconds(), 0))


def job(run: SyncRun) -> str:
    """Its job; of a selection, how many shows or what it retries instead of the selection's own name."""
    if not run.kind.startswith(f"{PICKED} "):
        return run.kind
    if run.retry_of_id or "retry_of" in run.options:
        return f"{PICKED}, a retry"
    return f"{PICKED}, {counted(len(run.options.get('show_ids', ())))}"


def who(run: SyncRun) -> str:
    if run.started_by:
        return str(run.started_by.get_username())
    if run.shared:
        return "a schedule"
    return "a command" if run.kind in (*KINDS, IMPORT, MOVING_IN) else "a command or a schedule"


def progress(run: SyncRun) -> str:
    return f"{run.done:,} of {run.total:,}" if run.total is not None else f"{run.done:,}"


def left(run: SyncRun) -> str:
    return time_left(figures_of(run)["seconds_left"])


def figures(run: SyncRun | SyncChunk) -> str:
    """In the order of a report: PostgreSQL keeps the keys of JSON in one of its own."""
    order = {name: place for place, name in enumerate(COUNTED)}
    names = sorted(run.counts, key=lambda name: (order.get(name, len(order)), name))
    return ", ".join(f"{run.counts[name]:,} {name}" for name in names if run.counts[name])


def live(run: SyncRun, part: str, text: object) -> SafeString:
    """What the page's script keeps up to date: a part of a run, by its name there."""
    return format_html('<span data-run="{}" data-run-part="{}">{}</span>', run.pk, part, text)


def open_mark(run: SyncRun) -> SafeString:
    """Says to the page's script that it is not at its end."""
    if run.status not in OPEN:
        return SafeString("")
    return format_html('<span data-run-open="{}" data-run-status="{}"></span>', run.pk, run.status)


OPTIONS: Mapping[str, Callable[[Any], str]] = {
    "stages": lambda stages: f"these stages alone: {', '.join(stages).replace('_', ' ')}",
    "show_ids": lambda ids: counted(len(ids)) + " that somebody picked",
    "tmdb_ids": lambda ids: f"TMDb {', '.join(ids)}",
    "imdb_ids": lambda ids: f"IMDb {', '.join(ids)}",
    "limit": lambda limit: f"at most {limit:,}",
    "dry_run": lambda _: "a dry run",
    "incremental": lambda _: "fresh shows too",
    "resume": lambda resume: "going on with a run that was cut off" if resume else "not what failed before",
    "force": lambda _: "whatever their age",
    "since": lambda day: f"TMDb's changes since {day}",
    "skip_logos": lambda _: "without logos",
    "max_failures": lambda number: f"stopping after {counted(number, 'failure')}",
    "retry_of": lambda run_id: f"what run {run_id} failed at",
    "file": lambda path: f"the file {path}",
    "workbook": lambda name: f"the workbook {name}",
}
USUAL = "all that is due"


def asked(run: SyncRun) -> str:
    """Its options, one a line. What has no words here, as a job of a newer version may have it, stands as it is."""
    said = [(OPTIONS[name](value) if name in OPTIONS else plain(name, value),) for name, value in known(run).items()]
    if not said:
        return USUAL if run.kind in KINDS and not run.retry_of_id else ""
    return format_html_join(SafeString("<br>"), "{}", said)


def known(run: SyncRun) -> dict[str, Any]:
    told_apart = "retry_of" if run.retry_of_id else ""  # with the way to that run
    return {name: value for name, value in run.options.items() if value is not None and name != told_apart}


def plain(name: str, value: Any) -> str:
    return f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
