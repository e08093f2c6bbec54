"""What an export has to say: while it goes on, and at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from exports.difference import Difference
from exports.tables import text
from trr_site.command_line import TextOutput

MOST_LISTED: Final = 20  # rows of each kind; -v 2 lists all


@dataclass(slots=True)
class TabReport:
    """What became of one tab or file. link: where it is. is_sent: False where nothing had changed."""

    title: str
    rows: int = 0
    difference: Difference = field(default_factory=Difference)
    is_sent: bool = False
    link: str = ""
    warnings: list[str] = field(default_factory=list)
    error: str = ""
    guard: str = ""  # why a run would stop, in a dry run

    def counts(self) -> dict[str, int]:
        found = self.difference
        return {
            "rows": self.rows,
            "added": len(found.added),
            "removed": len(found.removed),
            "changed": len(found.changed),
            "by_hand": len(found.by_hand),
        }

    def as_json(self) -> dict[str, Any]:
        told = {"title": self.title, **self.counts(), "sent": self.is_sent, "link": self.link}
        told |= {"error": self.error, "guard": self.guard}
        return told | {"warnings": self.warnings, "difference": self.difference.as_json()}


@dataclass(slots=True)
class Report:
    """error: why the run ended before its end. refused: nothing can be tried before somebody changes something."""

    dry_run: bool = False
    format: str = ""
    run_id: int | None = None
    tabs: list[TabReport] = field(default_factory=list)
    reads: int = 0
    writes: int = 0
    bytes_sent: int = 0
    seconds: float = 0.0
    error: str = ""
    refused: bool = False
    tripped: bool = False

    @property
    def failures(self) -> list[TabReport]:
        return [tab for tab in self.tabs if tab.error]

    def break_off(self, reason: str) -> None:
        """The run ends before its end, and so does the tab at which it was: of that nothing is known."""
        self.error = reason
        for tab in self.tabs[-1:]:
            tab.error = tab.error or reason

    @property
    def exit_code(self) -> int:
        if self.refused and not any(not tab.error for tab in self.tabs):
            return 2
        return 1 if self.error or self.failures or any(tab.guard for tab in self.tabs) else 0

    def as_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "format": self.format,
            "run": self.run_id,
            "tabs": [tab.as_json() for tab in self.tabs],
            "calls": {"reads": self.reads, "writes": self.writes, "bytes_sent": self.bytes_sent},
            "seconds": round(self.seconds, 2),
            "error": self.error,
            "tripped": self.tripped,
            "exit_code": self.exit_code,
        }


class Reporter:
    """Says nothing: for tasks and tests."""

    def step(self, title: str, words: str) -> None: ...

    def finish(self, report: Report) -> None: ...


class TextReporter(Reporter):
    """A line a step, each row that changes, and a closing line a tab."""

    def __init__(self, out: TextOutput, *, verbosity: int) -> None:
        self.out, self.verbosity = out, verbosity

    def step(self, title: str, words: str) -> None:
        if self.verbosity:
            self.out.write(f"{title}: {words}\n")
            self.out.flush()

    def finish(self, report: Report) -> None:
        if not self.verbosity:
            return
        for tab in report.tabs:
            if not tab.error:
                self.tell(tab, report)
        if report.format == "google" and report.reads:
            calls = f"{report.reads} reads, {report.writes} writes, {report.bytes_sent / 1024:,.0f} KiB sent"
            self.out.write(f"{calls}, {report.seconds:.1f} s\n")
        if report.dry_run:
            self.out.write("dry run: nothing was written\n")

    def tell(self, tab: TabReport, report: Report) -> None:
        most = None if self.verbosity > 1 else MOST_LISTED
        lines = listed(tab.difference)
        if report.dry_run or self.verbosity > 1:
            for kind in lines:
                self.write_some(kind, most)
        elif tab.difference.by_hand:
            self.write_some(lines[-1], most)
        for warning in tab.warnings:
            self.out.write(f"{tab.title}: {warning}\n")
        self.out.write(f"{tab.title}: {closing_words(tab, report)}\n")

    def write_some(self, lines: Sequence[str], most: int | None) -> None:
        for line in lines[:most]:
            self.out.write(f"{line}\n")
        if most is not None and len(lines) > most:
            self.out.write(f"  ... and {len(lines) - most} more (-v 2 lists them)\n")


def closing_words(tab: TabReport, report: Report) -> str:
    counts = tab.counts()
    parts = [f"{counts[name]:,} {name}" for name in ("added", "removed", "changed") if counts[name]]
    rows = f"{counts['rows']:,} row{'' if counts['rows'] == 1 else 's'}"
    changes = ", ".join(parts) or ("another header" if tab.difference.header is not None else "nothing changed")
    if counts["by_hand"]:
        changes += f"; {counts['by_hand']:,} edited by hand in the sheet"
    is_same = tab.difference.is_empty and report.format == "google"
    done = "written" if tab.is_sent else "as it is there" if is_same or not report.dry_run else "would be written"
    if tab.guard:
        done = "would not be written"
    return f"{rows}, {changes}: {done}, {tab.link}" if tab.link else f"{rows}, {changes}: {done}"


def listed(difference: Difference) -> list[list[str]]:
    """What changes, a line each, by its kind: added, removed, changed, edited by hand."""
    changed = [f"  ~ {one.label}: {cells_changed(one.cells)}" for one in difference.changed]
    by_hand = [
        f"  ! row {one['row']}, {one['label']}: somebody "
        + (f"wrote {shown(one['found'])} under {one['column']}" if one["column"] else "added this row")
        for one in difference.by_hand
    ]
    return [
        [f"  + {label}" for label in difference.added],
        [f"  - {one['label']}{beside(one)}" for one in difference.removed],
        changed,
        by_hand,
    ]


def beside(removed: Mapping[str, Any]) -> str:
    notes = "; ".join(removed.get("beside") or ())
    return f" (beside it: {notes})" if notes else ""


def cells_changed(cells: Mapping[str, Sequence[Any]]) -> str:
    return "; ".join(f"{name} {shown(old)} -> {shown(new)}" for name, (old, new) in cells.items())


def shown(cell: Any) -> str:
    return f"“{text(cell)}”" if isinstance(cell, str) else text(cell)
