"""What an import of the workbook has to say at its end, for people and for programs."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ingestion.imports import EXCLUDED
from ingestion.report import in_words
from ingestion.shows_csv import shown
from ingestion.workbook import KEPT, Report, TabReport
from ingestion.workbook_catalogue import Waits
from ingestion.workbook_plan import DOUBTFUL, Outcome
from ingestion.workbook_tabs import LAYOUTS, SHOW_INFO, Workbook

CHANGING: Final = ("created", "updated")
OF_SHOWS: Final = (*CHANGING, "unchanged", EXCLUDED, DOUBTFUL)
MOST_LINES: Final = 20  # of what changes, or is not taken; all of them in detail
MOST_ROWS: Final = 5  # named of those about which the same is told
WAITING: Final = {
    Waits.SYNC: "not asked of TMDb yet: {}; sync, then import again, to tell apart what people wrote",
    Waits.EDITOR: "not known to TMDb: {}; give them their id under Review in admin, sync, then import again",
    Waits.UPSTREAM: "not brought by the last sync: {}; see why under Runs in admin, sync, then import again",
}


class Listing:
    """What is told of rows that are not doubtful."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.doubtful: list[tuple[str, Outcome]] = []

    def add(self, tab: str, outcome: Outcome) -> None:
        if outcome.kind == DOUBTFUL:
            self.doubtful.append((tab, outcome))
        else:
            self.outcomes.append(outcome)

    def notes(self) -> dict[str, list[int]]:
        """What was not taken, with the rows of which it is told."""
        found: dict[str, list[int]] = {}
        for outcome in self.outcomes:
            reasons = [f"excluded: {outcome.reason}"] if outcome.kind == EXCLUDED else outcome.notes
            for reason in reasons:
                found.setdefault(reason, []).append(outcome.number)
        return found

    def lines(self, *, dry_run: bool, detailed: bool) -> list[str]:
        most = None if detailed else MOST_LINES
        told = CHANGING if detailed else ("updated",) if dry_run else ()
        changed = [
            f"{SHOW_INFO} row {one.number}: {verb(one.kind, dry_run=dry_run)} {shown(one.name)}: "
            f"{'; '.join(in_words(dict(one.fields)))}"
            for one in self.outcomes
            if one.kind in told
        ]
        notes = [f"{SHOW_INFO} {rows_in_words(numbers)}: {note}" for note, numbers in self.notes().items()]
        return [*first(changed, most, "changes"), *first(notes, most, "values that are not taken")]


def text_of(workbook: Workbook, report: Report, listing: Listing, *, detailed: bool) -> Iterator[str]:
    """Line by line: what changes (of a dry run, or in detail), what was not taken, and each tab's counts."""
    yield from listing.lines(dry_run=report.dry_run, detailed=detailed)
    yield from about(workbook)
    yield from closing(report)


def first(lines: list[str], most: int | None, what: str) -> list[str]:
    if most is None or len(lines) <= most:
        return lines
    return [*lines[:most], f"and {len(lines) - most:,} more {what}; -v 2 lists all"]


def rows_in_words(numbers: list[int]) -> str:
    named = ", ".join(map(str, numbers[:MOST_ROWS]))
    more = f" and {len(numbers) - MOST_ROWS:,} more" if len(numbers) > MOST_ROWS else ""
    return f"row{'' if len(numbers) == 1 else 's'} {named}{more}"


def verb(kind: str, *, dry_run: bool) -> str:
    return f"would {kind.removesuffix('d')}" if dry_run else kind


def about(workbook: Workbook) -> list[str]:
    """What of the workbook is not made use of."""
    lines = []
    for title, tab in workbook.tabs.items():
        if title == SHOW_INFO and tab.others:
            lines.append(f"{title}: columns not used: {quoted(tab.others)}")
        if tab.header and tab.missing:
            lines.append(f"{title}: no column {quoted(tab.missing)}")
    if lacking := missing_tabs(workbook):
        lines.append(f"tabs that are not there: {', '.join(lacking)}")
    if workbook.not_read:
        lines.append(f"tabs that are not read: {quoted(workbook.not_read)}")
    return lines


def missing_tabs(workbook: Workbook) -> list[str]:
    return [title for title in LAYOUTS if title not in workbook.tabs]


def quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def closing(report: Report) -> list[str]:
    tabs = {title: report.tabs[title] for title in LAYOUTS if title in report.tabs}
    lines = [
        tab_line(title, tab, dry_run=report.dry_run)
        for title, tab in tabs.items()
        if title == SHOW_INFO or KEPT in tab.counts  # it may have ended before
    ]
    if report.older:
        lines.append(f"totals that TMDb has outgrown, left out: {report.older:,}")
    for waits, words in WAITING.items():
        if count := report.waiting[waits]:
            lines.append(words.format("1 show" if count == 1 else f"{count:,} shows"))
    if report.dry_run:
        lines.append("dry run: nothing was written; --write does it")
    return lines


def tab_line(title: str, tab: TabReport, *, dry_run: bool) -> str:
    counts = tab.counts
    parts = [f"read {tab.read:,}"]
    if title == SHOW_INFO:
        words = {kind: verb(kind, dry_run=dry_run) for kind in CHANGING}
        parts += [f"{words.get(kind, kind)} {counts.get(kind, 0):,}" for kind in OF_SHOWS]
        return f"{title}: {', '.join(parts)}"
    how = ("would be kept" if dry_run else "kept") if tab.changed else "kept as they were"
    parts += [f"{how} {counts.get(KEPT, 0):,}", f"{DOUBTFUL} {counts.get(DOUBTFUL, 0):,}"]
    return f"{title}: {', '.join(parts)}; nothing uses these rows yet"


def as_json(workbook: Workbook, report: Report, listing: Listing) -> dict[str, Any]:
    changed = [one for one in listing.outcomes if one.kind in CHANGING]
    return {
        "dry_run": report.dry_run,
        "run_id": report.run_id,
        "status": report.status,
        "workbook": report.name,
        "tabs": {title: tab_as_json(title, tab) for title, tab in report.tabs.items()},
        "missing_tabs": missing_tabs(workbook),
        "older": report.older,
        "waiting": {str(waits): report.waiting[waits] for waits in WAITING},
        "not_read": list(workbook.not_read),
        "unused_columns": list(workbook.tabs[SHOW_INFO].others),
        "doubtful": [{"tab": tab, "row": one.number, "reason": one.reason} for tab, one in listing.doubtful],
        "doubtful_values": [
            {"tab": SHOW_INFO, "row": one.number, "reason": doubt} for one in listing.outcomes for doubt in one.doubts
        ],
        "notes": [{"rows": numbers, "note": note} for note, numbers in listing.notes().items()],
        "changes": [
            {"row": one.number, "outcome": one.kind, "name": one.name, "fields": dict(one.fields)} for one in changed
        ],
        "seconds": round(report.seconds, 1),
        "error": report.error,
    }


def tab_as_json(title: str, tab: TabReport) -> dict[str, Any]:
    if title == SHOW_INFO:
        return {"read": tab.read, **{kind: tab.counts.get(kind, 0) for kind in OF_SHOWS}}
    counts = {kind: tab.counts.get(kind, 0) for kind in (KEPT, DOUBTFUL)}
    return {"read": tab.read, **counts, "changed": tab.changed}
