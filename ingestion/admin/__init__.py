"""What syncs put on the editors' desk. Importing this package registers all of it."""

from ingestion.admin import (
    dashboard,
    identify,
    panels,
    problems,
    queues,
    runs,
    schedules,
    states,
    tasks,
    workbook_rows,
)

__all__ = [
    "dashboard",
    "identify",
    "panels",
    "problems",
    "queues",
    "runs",
    "schedules",
    "states",
    "tasks",
    "workbook_rows",
]
