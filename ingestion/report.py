"""What a run has to say: while it goes on, and at its end."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, Any, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ingestion.outcomes import Outcome, Saved
from trr_site.command_line import TextOutput

LINE_EVERY = 10.0  # seconds between lines in a log
COUNTED = ("created", "updated", "unchanged", "failed", "gone", "unresolved", "logos")


@dataclass
class Report:
    """counts: shows by outcome, and logos mirrored. error: why the run ended before its end."""

    dry_run: bool = False
    chosen: int = 0  # shows that were looked at
    total: int = 0  # shows that are due
    done: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0
    error: str = ""
    refused: bool = False
    tripped: bool = False  # the guard stopped it

    @property
    def exit_code(self) -> int:
        if self.refused and not self.done:
            return 2  # a refused key: nothing could be tried
        return 1 if self.error or self.failures else 0

    def as_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "counts": {name: self.counts[name] for name in (*COUNTED, "logos failed")},
            "requests": self.requests,
            "seconds": round(self.seconds, 1),
            "error": self.error,
            "failures": [{"item": item, "reason": reason} for item, reason in self.failures],
            "changes": self.changes,
            "exit_code": self.exit_code,
        }


class Reporter:
    """Says nothing: for tasks and tests. Subclasses speak to a terminal or a log."""

    def start(self, report: Report) -> None: ...

    def progress(self, report: Report) -> None: ...

    def show_saved(self, saved: Saved, report: Report) -> None: ...

    def problem(self, item: str, reason: str) -> None: ...

    def finish(self, report: Report) -> None: ...


class TextReporter(Reporter):
    """A progress bar on a terminal, a line every few seconds elsewhere; problems and the end on `err` and `out`."""

    def __init__(self, out: TextOutput, err: TextOutput, *, verbosity: int = 1) -> None:
        self.out, self.err, self.verbosity = out, err, verbosity
        self.last_line = time.monotonic()
        self.bar: Progress | None = None

    def start(self, report: Report) -> None:
        self.out.write(f"syncing {report.total} of {report.chosen} shows\n")
        if self.out.isatty() and report.total:
            self.bar = Progress(
                TextColumn("syncing"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(file=beneath(self.out)),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("shows", total=report.total)

    def progress(self, report: Report) -> None:
        if self.bar:
            self.bar.update(self.task, completed=report.done)
        elif time.monotonic() - self.last_line >= LINE_EVERY:
            self.last_line = time.monotonic()
            self.out.write(
                f"{report.done}/{report.total} shows, {report.counts['failed']} failed, {report.requests} requests\n"
            )
            self.out.flush()

    def show_saved(self, saved: Saved, report: Report) -> None:
        if saved.outcome == Outcome.UPDATED and (report.dry_run or self.verbosity > 1):
            verb = "would update" if report.dry_run else "updated"
            words = "; ".join(in_words(saved.changes)) or "its upstream values"
            self.say(self.out, f"{verb} {saved.name}: {words}\n")

    def problem(self, item: str, reason: str) -> None:
        self.say(self.err, f"{item}: {reason}\n")

    def say(self, stream: TextOutput, line: str) -> None:
        """Writes a line; the bar makes room for it."""
        if self.bar:
            self.bar.stop()
        stream.write(line)
        stream.flush()
        if self.bar:
            self.bar.start()

    def finish(self, report: Report) -> None:
        if self.bar:
            self.bar.stop()
        table = Table(title="dry run: nothing was written" if report.dry_run else None, title_justify="left")
        shown = [name for name in (*COUNTED, "logos failed") if report.counts[name] or name in COUNTED[:4]]
        for name in (*shown, "requests", "seconds"):
            table.add_column(name, justify="right")
        table.add_row(*(str(report.counts[name]) for name in shown), str(report.requests), f"{report.seconds:.1f}")
        Console(file=beneath(self.out), width=None if self.out.isatty() else 120, highlight=False).print(table)


def beneath(stream: TextOutput) -> IO[str]:
    """The stream under a command's own wrapper, which would end every step of a bar with a newline."""
    return cast(IO[str], getattr(stream, "_out", stream))


def in_words(changes: dict[str, Any]) -> list[str]:
    """A change in words a person reads, one text a field."""
    words = []
    for name, change in changes.items():
        if isinstance(change, dict):
            signs = (("+", change["added"]), ("-", change["removed"]), ("~", change.get("changed", [])))
            words.append(f"{name} " + " ".join(f"{sign}{part(items)}" for sign, items in signs if items))
        else:
            before, after = change
            words.append(f"{name} {short(before)} -> {short(after)}")
    return words


def part(items: list[Any]) -> str:
    return ", ".join(map(str, items)) if len(items) <= 3 else f"{items[0]}, {items[1]} and {len(items) - 2} more"


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
