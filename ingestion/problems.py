"""What is wrong with the jobs right now, as the database tells it. `alerts` tells it to people, once.

Each problem has a key that stays the same as long as it lasts:

    run:<job>        its last run did not end well
    guard:<job>      ... because a guard stopped it
    stale:<stage>    too many shows were not synced for too long
    queue            what is queued is not taken up
    worker           there are schedules and no worker
    schedule:<name>  it can't run, or its task failed
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import redis
from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet
from django.urls import reverse
from django_q.models import Schedule, Task

from catalog import alarms
from catalog.models import Show
from ingestion.dashboard import PICKED, STAGE_TITLES
from ingestion.models import Stage, SyncFailure, SyncRun, SyncState, Worker
from ingestion.queue import Depth, queue_depth
from ingestion.schedules import OFF, plan_problem, task_problem, title_of
from trr_site.logs import mask_secrets

Status = SyncRun.Status
GOOD_OR_BAD = (Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.INTERRUPTED)  # to cancel is neither
ENDED: Mapping[str, str] = {
    Status.FAILED: "finished with failures",
    Status.STOPPED: "stopped before its end",
    Status.INTERRUPTED: "was cut off",
}
# A person starts these and sees how they end, and no later run makes up for them.
BY_HAND = (PICKED, "import_shows", "import_workbook")
SELECTION = ["show_ids", "tmdb_ids", "imdb_ids", "retry_of"]  # options of a run that says nothing of the job as a whole
REASONS = 3  # failures of a run that are told
LONGEST = 200  # characters of one of them


def find_problems(now: datetime, asked: Depth | str | None = None) -> dict[str, str]:
    """Each problem by its key, in words without a secret. `asked` is what `ask_queue` says.

    A queue that waits and a worker that is silent are seen here at once: they become a problem by lasting.
    """
    asked = ask_queue() if asked is None else asked
    worker = worker_problems(now)
    found = {
        **run_problems(now),
        **stale_problems(now),
        **({} if worker and isinstance(asked, Depth) else queue_problems(now, asked)),  # without a worker all waits
        **worker,
        **schedule_problems(now),
        **{key: text for find in alarms.finders for key, text in find(now).items()},
    }
    return {key: mask_secrets(text) for key, text in found.items()}


def signs_of_life(now: datetime) -> dict[str, datetime | None]:
    """By the key of a problem, when its contrary was last seen: a task was begun, a worker's heart beat."""
    until = now + settings.ALERT_QUEUE_WAIT  # what lies ahead is from before a clock was set back
    seen = Worker.objects.aggregate(
        queue=Max("task_at", filter=Q(task_at__lte=until)), worker=Max("beat_at", filter=Q(beat_at__lte=until))
    )
    return {"worker": seen["worker"]} if waiting_runs(now).exists() else dict(seen)


def site_link(name: str, *args: Any) -> str:
    """The address of a page of admin; empty where SITE_URL is not set."""
    return settings.SITE_URL + reverse(f"admin:{name}", args=args) if settings.SITE_URL else ""


def with_link(text: str, link: str) -> str:
    return f"{text} {link}" if link else text


def utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


# --- runs


def run_problems(now: datetime) -> dict[str, str]:
    found = {}
    for job, run in newest_runs(now).items():
        if run.tripped and run.status != Status.SUCCEEDED:
            found[f"guard:{job}"] = run_text(job, run, "was stopped by its guard")
        elif run.status == Status.RUNNING:
            what = f"gives no sign of life since {utc(run.heartbeat_at)}"
            found[f"run:{job}"] = run_text(job, run, what)
        elif run.status != Status.SUCCEEDED:
            found[f"run:{job}"] = run_text(job, run, ENDED[run.status])
    return found


def newest_runs(now: datetime) -> dict[str, SyncRun]:
    """The last run of each job that says how the job stands; a later run of what failed in it speaks for it."""
    silent = Q(status=Status.RUNNING, heartbeat_at__lt=now - settings.ALERT_QUEUE_WAIT)
    runs = SyncRun.objects.filter(Q(status__in=GOOD_OR_BAD) | silent, retry_of=None)
    runs = runs.exclude(options__has_any_keys=SELECTION)
    for kind in BY_HAND:
        runs = runs.exclude(kind__startswith=kind)
    newest = runs.order_by().values("kind").annotate(newest=Max("pk")).values("newest")
    by_job: dict[str, SyncRun] = {}
    for run in SyncRun.objects.filter(pk__in=newest).order_by("pk"):
        by_job[run.kind.split(" ")[0]] = run
    return {job: last_retry(run) for job, run in by_job.items()}


def last_retry(run: SyncRun) -> SyncRun:
    while again := run.retries.filter(status__in=GOOD_OR_BAD, pk__gt=run.pk).order_by("pk").last():
        run = again
    return run


def run_text(job: str, run: SyncRun, what: str) -> str:
    """`sync_shows: run 12 finished with failures, 3 of 20 failed. Island 1003: HTTP 500; and 2 more.`"""
    rows = run.failures.order_by("pk")
    failed = rows.count()
    parts = [f"{job}: run {run.pk} {what}"]
    if failed:
        parts[0] += f", {failed} of {run.total} failed" if run.total else f", {failed} failed"
    if run.error:
        parts.append(cut(run.error, 2 * LONGEST))
    if failed:
        more = [f"and {failed - REASONS} more"] if failed > REASONS else []
        parts.append("; ".join([*map(failure_text, rows[:REASONS]), *more]))
    return with_link(sentences(parts), site_link("ingestion_syncrun_change", run.pk))


def failure_text(failure: SyncFailure) -> str:
    return cut(f"{failure.item}: {failure.reason}", LONGEST)


def sentences(parts: Iterable[str]) -> str:
    return " ".join(part if part.endswith((".", "!", "?", "…")) else f"{part}." for part in parts)


def cut(text: str, longest: int) -> str:
    """On one line."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


# --- the age of the data


def stale_problems(now: datetime) -> dict[str, str]:
    """Of shows that are younger than the limit nobody can say that they are too old."""
    since = {stage: now - age for stage, age in settings.ALERT_AGE.items()}
    shows = Show.objects.filter(tmdb_id__isnull=False)
    counts = shows.aggregate(
        living=Count("pk"), **{stage: Count("pk", filter=Q(created_at__lt=limit)) for stage, limit in since.items()}
    )
    fresh_rule = Q()
    for stage, limit in since.items():
        fresh_rule |= Q(stage=stage, last_success_at__gte=limit, show__created_at__lt=limit)
    living = SyncState.objects.filter(show__deleted_at__isnull=True, show__tmdb_id__isnull=False).order_by()
    rows = living.values("stage").annotate(
        fresh=Count("pk", filter=fresh_rule), gone=Count("pk", filter=Q(status=SyncState.Status.GONE))
    )
    states = {row["stage"]: row for row in rows}
    found = {}
    for stage in since:
        state = states.get(stage, {"fresh": 0, "gone": 0})
        old = counts[stage] - state["fresh"]
        if old > settings.ALERT_AGE_SHARE * counts["living"]:
            found[f"stale:{stage}"] = stale_text(Stage(stage), old, counts["living"], state["gone"])
    return found


def stale_text(stage: Stage, old: int, living: int, gone: int) -> str:
    days = settings.ALERT_AGE[stage].days
    text = f"{STAGE_TITLES[stage]}: {old:,} of {living:,} shows were not synced within {days} days."
    if gone:
        text += f" {gone:,} {'is' if gone == 1 else 'are'} gone upstream."
    return with_link(f"{text} Look at the last runs, and at the states of this stage.", site_link("index"))


# --- queue and workers


def ask_queue() -> Depth | str:
    """What waits; or, in words, that the queue is out of reach. Not to be called in a transaction: it may take time."""
    try:
        return queue_depth()
    except redis.RedisError as error:
        return f"the queue's Redis is out of reach ({type(error).__name__})"


def queue_problems(now: datetime, asked: Depth | str) -> dict[str, str]:
    if isinstance(asked, str):
        return {"queue": sentences([f"Nothing can be queued: {asked}", "Start it, or correct REDIS_URL"])}
    since = now - settings.ALERT_QUEUE_WAIT
    last = signs_of_life(now).get("queue") or None
    parts = []
    if asked.waiting and (last is None or last < since):
        begun = f"the last one was begun at {utc(last)}" if last else "none was ever begun"
        parts.append(f"Tasks wait in the queue, and no worker takes them up: {begun}")
    runs = waiting_runs(now)[:REASONS]
    parts += [f"Run {run.pk} of {run.kind} waits since {utc(run.started_at)}" for run in runs]
    if not parts:
        return {}
    return {"queue": with_link(sentences([*parts, "Is `manage.py run_worker` running?"]), site_link("index"))}


def waiting_runs(now: datetime) -> QuerySet[SyncRun]:
    waiting = SyncRun.objects.filter(status=Status.QUEUED, started_at__lt=now - settings.ALERT_QUEUE_WAIT)
    return waiting.order_by("pk")


def worker_problems(now: datetime) -> dict[str, str]:
    if not Schedule.objects.exclude(repeats=OFF).exists():
        return {}
    last = signs_of_life(now)["worker"]
    if last is not None and last >= now - settings.ALERT_QUEUE_WAIT:
        return {}
    seen = f"the last sign of life of a worker is of {utc(last)}" if last else "no worker has ever run"
    return {"worker": f"Schedules and queued tasks wait: {seen}. Start `manage.py run_worker`."}


# --- schedules


def schedule_problems(now: datetime) -> dict[str, str]:
    schedules = list(Schedule.objects.order_by("pk"))
    tasks = Task.objects.defer("args", "kwargs").in_bulk([schedule.task for schedule in schedules if schedule.task])
    found: dict[str, str] = {}
    for schedule in schedules:
        if text := schedule_text(schedule, tasks.get(schedule.task), now):
            key = f"schedule:{title_of(schedule)}"
            found[key] = f"{found[key]} {text}" if key in found else text  # names may repeat
    return found


def schedule_text(schedule: Schedule, last: Task | None, now: datetime) -> str:
    """Why it can't run, or what its last task failed with; empty when all is well."""
    link = site_link("django_q_schedule_change", schedule.pk)
    title = f"The schedule “{title_of(schedule)}”"
    if problem := plan_problem(schedule, now):
        text = f"{title} is off, because it can't be worked out: {problem}. Correct it and set its repeats to -1."
        return with_link(text, link)
    if schedule.repeats == OFF:
        return ""
    if problem := task_problem(schedule.func):
        return with_link(f"{title} runs nothing: {problem}. Choose another task, or update this installation.", link)
    if last is not None and (reason := task_failure(last)):
        return with_link(f"{title}: its last task failed: {reason}", link)
    return ""


def task_failure(task: Task) -> str:
    """Why a task came to nothing; empty where it did not, or where the row of its run says it."""
    result = task.result
    if not task.success:
        reason = str(result or "").strip().partition("\n")[0].removesuffix(" : Traceback (most recent call last):")
    elif isinstance(result, dict) and result.get("exit_code") == 2:
        reason = str(result.get("error") or "its configuration is wrong")
    else:
        return ""
    kind = task.func.rpartition(".")[2]
    if SyncRun.objects.filter(kind=kind, started_at__gte=task.started, started_at__lte=task.stopped).exists():
        return ""
    return cut(reason, LONGEST) or "without a reason"
