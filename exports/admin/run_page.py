"""The page of an export: how it goes, what it changed for readers, what it undid, and what can be done about it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator

from exports.admin import run_words as words
from exports.admin.buttons import PUBLISH
from exports.admin.row_shows import shows_of
from exports.models import ExportedTab, ExportRun
from exports.report import shown
from exports.snapshots import of_this_workbook

MOST_LISTED: Final = 100  # rows of each kind
LONGEST_CELL: Final = 300  # characters
LONGEST_NUMBER: Final = 18  # digits
EMPTY: Final = "(empty)"


def number_in(text: str) -> int | None:
    """The number of a row that an address names; None when it can be none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def run_of(text: str) -> ExportRun | None:
    number = number_in(text)
    runs = ExportRun.objects.select_related("started_by", "restore_of")
    return None if number is None else runs.filter(pk=number).first()


def page_context(request: HttpRequest, run: ExportRun, *, may_publish: bool) -> dict[str, Any]:
    now = timezone.now()
    exported = list(run.exported.order_by("pk"))
    acts = may_publish and run.status not in words.OPEN and request.user.has_perm(PUBLISH)
    return {
        "run": run,
        "open_mark": words.open_mark(run),
        "is_open": run.status in words.OPEN,
        "is_queued": run.status == ExportRun.Status.QUEUED,
        "is_google": run.format == ExportRun.Format.GOOGLE,
        "verdict": words.verdict_of(run, now),
        "what": words.what(run),
        "who": words.who(run),
        "took": words.took(run, now),
        "calls": words.calls(run),
        "bytes": words.size(run),
        "sheet": words.sheet_link(run, exported, "Open the sheet"),
        "restores": list(run.restores.order_by("pk")),
        "tabs": tab_contexts(run, exported),
        "may_restore": acts and has_snapshot(run),
        "may_force": acts and run.tripped and is_here(run) and is_newest(run),
    }


def has_snapshot(run: ExportRun) -> bool:
    return of_this_workbook().filter(exported__run=run, is_pending=False).exists()


def is_here(run: ExportRun) -> bool:
    """Whether it is of the workbook that is published into now."""
    return run.workbook == settings.SPREADSHEET_ID


def is_newest(run: ExportRun) -> bool:
    """Whether no export into the workbook came after it: what it was stopped at may be over by now."""
    return not ExportRun.objects.filter(format=run.format, pk__gt=run.pk).exists()


def some(difference: Mapping[str, Any], kind: str) -> list[Any]:
    """The rows of one kind that the page lists."""
    return list(difference.get(kind) or ())[:MOST_LISTED]


def tab_contexts(run: ExportRun, exported: Iterable[ExportedTab]) -> list[dict[str, Any]]:
    """What `exports/tab.html` needs of each tab."""
    tabs = list(exported)
    shows = shows_of(row["label"] for tab in tabs for row in some(tab.difference, "by_hand"))
    return [tab_context(tab, run, shows) for tab in tabs]


def tab_context(tab: ExportedTab, run: ExportRun, shows: Mapping[str, Any]) -> dict[str, Any]:
    found = tab.difference
    lists: dict[str, list[Any]] = {
        "added": [short(label) for label in some(found, "added")],
        "removed": [removed(row) for row in some(found, "removed")],
        "changed": [changed(row) for row in some(found, "changed")],
        "by_hand": [by_hand(row, shows) for row in some(found, "by_hand")],
    }
    return {
        "tab": tab,
        "link": words.safe_link(tab.link),
        "counts": words.counts([tab]),
        "header": ", ".join(map(str, found.get("header") or ())),
        "is_same": not (tab.is_published or tab.error),
        "had_none": run.format != ExportRun.Format.GOOGLE,  # a file has no readers before it is written
        **lists,
        "more": {name: max(0, getattr(tab, name) - len(rows)) for name, rows in lists.items()},
    }


def removed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row that is gone, with all that stood in it and beside it."""
    ours, notes = (" | ".join(map(cell_text, row.get(name) or ())) for name in ("cells", "beside"))
    return {"row": row["row"], "label": short(row["label"]), "cells": ours, "beside": notes}


def changed(row: Mapping[str, Any]) -> dict[str, Any]:
    cells: Mapping[str, Sequence[Any]] = row["cells"]
    told = [(name, cell(before), cell(after)) for name, (before, after) in cells.items()]
    return {"row": row["row"], "label": short(row["label"]), "cells": told}


def by_hand(row: Mapping[str, Any], shows: Mapping[str, Any]) -> dict[str, Any]:
    """A cell that somebody edited in the sheet; without a column it is a whole row that somebody added."""
    return {
        "row": row["row"],
        "label": short(row["label"]),
        "column": row["column"],
        "published": cell(row["published"]),
        "found": cell(row["found"]) if row["column"] else "",
        "show": shows.get(row["label"]),
    }


def cell(value: Any) -> str:
    """Texts stand in quotes, so that the text 45 and the number 45 are two things."""
    return EMPTY if value == "" else short(shown(value))


def cell_text(value: Any) -> str:
    return short(str(value))


def short(text: str) -> str:
    return Truncator(text).chars(LONGEST_CELL)
