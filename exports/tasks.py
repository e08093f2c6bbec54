"""The worker's doors: each takes plain values and makes one call.

Both may be called twice at once: a message is delivered at least once. An export that is going on is no error of a
task: the queue would try again and again, and who ends it rings for the one that waits.
"""

from typing import Any

from exports.export import export_run
from exports.options import Options
from exports.report import Report
from exports.runs import AlreadyRunning, start_run, take_queued


def export_queued(run_id: int) -> dict[str, Any]:
    """Carries out an export that waits."""
    try:
        run = take_queued(run_id)
    except AlreadyRunning as error:
        return {"waits": str(error)}
    return {"done": f"export {run_id} goes on, or was carried out before"} if run is None else brief(export_run(run))


def publish() -> dict[str, Any]:
    """Publishes all tabs to Google Sheets; what a schedule does."""
    try:
        run = start_run(Options())
    except AlreadyRunning as error:
        return {"error": str(error), "exit_code": 3}
    return brief(export_run(run))


def brief(report: Report) -> dict[str, Any]:
    """Without the rows: what a task returns is kept in a table of its own."""
    told = report.as_json()
    tabs = [{"title": tab.title, **tab.counts(), "error": tab.error} for tab in report.tabs]
    return {**{name: told[name] for name in ("run", "error", "exit_code")}, "tabs": tabs}
