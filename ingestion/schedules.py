"""Schedules: rows of django-q2 that operators edit. Which ones there are to begin with, and what can be wrong with one.

django-q2 works through all that are due in one transaction: a row that it can't work out takes all the others down
with it, each time. `disable_broken_schedules` switches such a row off before or after it has been met; admin says why.
"""

import ast
import logging
import pydoc
from datetime import UTC, datetime, timedelta
from typing import Any

from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]
from django_q.models import Schedule

from catalog.planned import Planned, planned
from ingestion.exclusive import SCHEDULES_LOCK, exclusive

log = logging.getLogger(__name__)

planned += [
    Planned("Changed shows, nightly", "ingestion.tasks.sync_shows", "Sync all shows that are due", "15 3 * * *"),
    Planned("Where to watch, by age", "ingestion.tasks.sync_watch_providers", "Sync where to watch", "45 5,17 * * *"),
    Planned(
        "Networks, companies and logos",
        "ingestion.tasks.sync_tmdb_entities",
        "Sync networks, companies and logos",
        "30 4 * * *",
    ),
    Planned("Unused logos, weekly", "ingestion.tasks.prune_logos", "Delete logos that nothing names", "30 2 * * 0"),
    Planned("History and old rows, weekly", "ingestion.tasks.prune_history", "Drop old rows", "0 2 * * 0"),
]

FIELDS = 5
SHORT = frozenset({"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"})
ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
OFF = 0  # repeats left
# By django-q2's own names: as arguments of a task these would change how it is queued, or break that.
RESERVED = frozenset({"func", "broker", "sync"})
LONGEST_AGO = timedelta(days=366)


# --- to begin with


def create_missing(now: datetime) -> tuple[list[Schedule], list[str]]:
    """Creates the planned schedules that are not there; returns them, and the names of those left alone.

    One counts as there by its name, and also under another name, if its task is planned without arguments: somebody
    has renamed it.
    """
    created, left = [], []
    with exclusive(SCHEDULES_LOCK):
        rows = list(Schedule.objects.all())
        names = {row.name for row in rows}
        tasks = {row.func for row in rows if not row.args and not row.kwargs}
        for one in planned:
            if one.name in names or one.func in tasks:
                left.append(one.name)
                continue
            how = {"schedule_type": Schedule.CRON, "cron": one.cron, "next_run": next_run_of(one.cron, now)}
            created.append(Schedule(name=one.name, func=one.func, **how))
        Schedule.objects.bulk_create(created)  # their own `save` would go by its own clock
    return created, left


def next_run_of(cron: str, now: datetime) -> datetime:
    """The first moment after `now` that a cron line names, in UTC. Raises ValueError for a line that names none."""
    moment: datetime = croniter(cron, now.astimezone(UTC)).get_next(datetime)
    return moment


# --- what can be wrong


def what_is_wrong(schedule: Schedule, now: datetime) -> str:
    """In words; empty when it runs as it says."""
    return plan_problem(schedule, now) or task_problem(schedule.func)


def plan_problem(schedule: Schedule, now: datetime) -> str:
    """Why the scheduler could not work it out."""
    if schedule.schedule_type not in dict(Schedule.TYPE):
        return f"how often it runs can't be read: “{schedule.schedule_type}”"
    if schedule.schedule_type == Schedule.CRON and (problem := cron_problem(schedule.cron or "")):
        return f"cron line can't be read: {problem}"
    if schedule.next_run is None:
        return "it has no next run"
    if schedule.schedule_type == Schedule.MINUTES and now - schedule.next_run > LONGEST_AGO:
        return "its next run is over a year ago"  # the scheduler would count from there, minute by minute
    return arguments_problem(schedule)


def cron_problem(line: str) -> str:
    if not line.strip():
        return "there is none"
    fields = line.split()
    if len(fields) != FIELDS and line.strip().lower() not in SHORT:
        count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
        return f"“{line}” has {count}, not {FIELDS}: minute, hour, day of the month, month, day of the week"
    try:
        next_run_of(line, ANY_DAY)
    except CroniterBadDateError:
        return f"“{line}” names a day that never comes"
    except ValueError as error:
        return f"“{line}”: {error}"
    return ""


def arguments_problem(schedule: Schedule) -> str:
    try:
        if schedule.args:
            ast.literal_eval(schedule.args)
        names = keyword_names(schedule.kwargs or "")
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return "its arguments can't be read"
    if schedule.intended_date_kwarg:
        names.add(schedule.intended_date_kwarg)
    if taken := sorted(names & RESERVED):
        return f"its arguments can't be named {', '.join(taken)}"
    return ""


def keyword_names(text: str) -> set[str]:
    """Those of `{"a": 1}` or `a=1`, and of options of the queue within. Raises what `ast.literal_eval` raises."""
    if not text:
        return set()
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise
        values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ValueError
    options: Any = values.pop("q_options", {})
    if not isinstance(options, dict):
        raise ValueError
    return {*values, *map(str, options)}


def task_problem(func: str) -> str:
    """Found by the way in which a worker finds it."""
    try:
        found = pydoc.locate(func)
    except pydoc.ErrorDuringImport:
        return f"no such task: the module of {func} can't be imported"
    return "" if callable(found) else f"no such task: {func}"


# --- the way round


def disable_broken_schedules(now: datetime) -> list[str]:
    """Switches off the schedules that can't be worked out, so that the others run; returns their names.

    One whose task alone is unknown stays on: it harms no other, and it is a worker with newer code that knows it.
    """
    disabled = []
    for schedule in Schedule.objects.exclude(repeats=OFF):
        problem = plan_problem(schedule, now)
        if not problem:
            continue
        # Only as it was read: somebody may have mended it meanwhile.
        read = ("repeats", "schedule_type", "cron", "minutes", "next_run", "args", "kwargs", "intended_date_kwarg")
        same = {name: getattr(schedule, name) for name in read}
        if Schedule.objects.filter(pk=schedule.pk, **same).update(repeats=OFF):
            disabled.append(title_of(schedule))
            log.warning("the schedule %s is switched off: %s", disabled[-1], problem)
    return disabled


def title_of(schedule: Schedule) -> str:
    return schedule.name or f"schedule {schedule.pk}"
