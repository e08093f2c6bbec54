"""Telling people of problems: once when one begins, once when it is well again, by mail and by a webhook.

A row of `Problem` is opened for each problem that is found, and closed when it is found no more. To tell it is to
claim the row by a filtered UPDATE, so of any number of processes one does; a claim whose process died is given free
again. It counts as told when one channel took it: the other one's error is kept, and not tried again. When none
took it, the next pass tries again. Without any channel the rows alone tell it.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from html import escape
from typing import Final, Literal

import urllib3.exceptions
from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from ingestion.exclusive import PROBLEMS_LOCK, exclusive
from ingestion.models import Problem
from ingestion.problems import ask_queue, cut, find_problems, signs_of_life, site_link, utc
from ingestion.sources.http import NoRedirects

log = logging.getLogger(__name__)

# Seen for a moment they are nothing: a queue waits each time until a worker looks, a worker restarts.
PATIENT: Final = ("queue", "worker")
TELLING: Final = "being told"
CLAIM: Final = timedelta(minutes=5)  # longer than telling takes
TIMEOUT: Final = (5, 15)  # seconds: to connect, between two bytes
LONGEST_SUBJECT: Final = 120  # characters

State = Literal["problem", "well"]


def check_problems(now: datetime | None = None) -> list[Problem]:
    """One pass: finds what is wrong, keeps the rows of it, tells what is to be told. Returns the open problems.

    Any number of processes may do it at the same time; never in a transaction. Raises DatabaseError.
    """
    now = now or timezone.now()
    asked = ask_queue()
    with exclusive(PROBLEMS_LOCK):
        keep_rows(find_problems(now, asked), now)
    free_lost_claims()
    if tell_each(begun(now), "problem"):
        tell_each(ended(), "well")
    return open_problems(now)


def open_problems(now: datetime) -> list[Problem]:
    return [row for row in Problem.objects.filter(ended_at=None).order_by("since", "pk") if is_open(row, now)]


def is_open(problem: Problem, now: datetime) -> bool:
    """Whether it lasts: what was just seen for the first time of a patient kind may be gone in a moment."""
    lasts = problem.key not in PATIENT or problem.since <= now - settings.ALERT_QUEUE_WAIT
    return problem.ended_at is None and (lasts or problem.told_at is not None)


# --- rows


def keep_rows(found: dict[str, str], now: datetime) -> None:
    """Opens, refreshes and closes rows until they say what was found. One that nobody heard of goes without a trace."""
    rows = {row.key: row for row in Problem.objects.filter(ended_at=None)}
    Problem.objects.bulk_create(
        Problem(key=key, text=text, since=now) for key, text in found.items() if key not in rows
    )
    signs = signs_of_life(now)
    for key, row in rows.items():
        same = Problem.objects.filter(pk=row.pk)
        if key not in found:
            close(row, now, silently=is_replaced(key, found))
            continue
        if row.text != found[key]:
            same.update(text=found[key])
        sign = signs.get(key)
        if row.told_at is None and sign is not None and sign > row.since:
            same.filter(told_at=None).update(since=now)  # it was well in between: nobody looked


def close(row: Problem, now: datetime, *, silently: bool) -> None:
    same = Problem.objects.filter(pk=row.pk)
    if row.key in PATIENT and row.told_at is None and not row.telling_error:
        same.filter(told_at=None).delete()
    else:
        same.update(ended_at=now, **({"end_told_at": now} if silently else {}))


def is_replaced(key: str, found: Collection[str]) -> bool:
    """Whether the trouble goes on under another key, so that nothing is well."""
    kind, _, job = key.partition(":")
    return {"run": f"guard:{job}", "guard": f"run:{job}", "queue": "worker"}.get(kind, "") in found


# --- telling


def begun(now: datetime) -> list[Problem]:
    """Those that failed before come last: one that can't be told keeps none of the others waiting."""
    untold = [row for row in open_problems(now) if row.told_at is None]
    return sorted(untold, key=lambda row: bool(row.telling_error))


def ended() -> list[Problem]:
    over = Problem.objects.filter(ended_at__isnull=False, told_at__isnull=False, end_told_at=None)
    return list(over.exclude(telling_error=TELLING).order_by("ended_at", "pk"))


def tell_each(problems: Iterable[Problem], state: State) -> bool:
    """Whether all were told. Stops at the first that could not be: each try may take half a minute."""
    stamp = "told_at" if state == "problem" else "end_told_at"
    for problem in problems:
        claimed_at = timezone.now()
        free = Problem.objects.filter(pk=problem.pk, **{stamp: None})
        free = free.filter(ended_at=None) if state == "problem" else free
        if not free.update(**{stamp: claimed_at, "telling_error": TELLING}):
            continue  # another process has it, or it is over
        is_told, errors = tell(problem, state)
        mine = Problem.objects.filter(pk=problem.pk, telling_error=TELLING, **{stamp: claimed_at})
        mine.update(telling_error=errors, **({} if is_told else {stamp: None}))
        if errors:
            log.warning("problem %s, %s: %s", problem.key, state, errors)
        if not is_told:
            return False
    return True


def free_lost_claims() -> None:
    """What was being told by a process that died is told anew."""
    lost, long_ago = Problem.objects.filter(telling_error=TELLING), timezone.now() - CLAIM
    if not lost.exists():
        return
    lost.filter(end_told_at__lt=long_ago).update(end_told_at=None, telling_error="")
    lost.filter(end_told_at=None, told_at__lt=long_ago).update(told_at=None, telling_error="")


def tell(problem: Problem, state: State) -> tuple[bool, str]:
    """Whether somebody was told, and the errors of the channels in words."""
    channels = [
        *([send_by_mail] if settings.ALERT_EMAILS else []),
        *([post_to_webhook] if settings.ALERT_WEBHOOK_URL else []),
    ]
    errors = [error for channel in channels if (error := channel(problem, state))]
    return not channels or len(errors) < len(channels), "; ".join(errors)


def send_by_mail(problem: Problem, state: State) -> str:
    """The error in words; empty when it was sent. What a server says is not repeated: it may name the login."""
    link = problem_link(problem)
    body = "\n\n".join(filter(None, (problem.text, duration(problem), link)))
    try:
        send_mail(subject(problem, state), f"{body}\n", settings.ALERT_FROM, settings.ALERT_EMAILS)
    except (OSError, ValueError) as error:  # smtplib's are OSErrors
        code = getattr(error, "smtp_code", "")
        return f"mail: {type(error).__name__}{f' ({code})' if code else ''}"
    return ""


def post_to_webhook(problem: Problem, state: State) -> str:
    """The error in words, without the address: who knows it can post there."""
    lines = [title(problem, state), duration(problem), problem_link(problem)]
    message = {
        # A show may be named <!channel>: where Slack's rules hold, that would call everybody.
        "text": escape("\n".join(filter(None, lines)), quote=False),
        "problem": problem.key,
        "state": state,
        "since": problem.since.isoformat(),
        "url": problem_link(problem),
    }
    try:
        with (
            NoRedirects() as session,
            session.post(settings.ALERT_WEBHOOK_URL, json=message, timeout=TIMEOUT, stream=True) as response,
        ):
            status = response.status_code
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:  # those of requests are OSErrors
        return f"webhook: {type(error).__name__}"
    if 200 <= status < 300:
        return ""
    return f"webhook: HTTP {status}{', and no redirect is followed' if 300 <= status < 400 else ''}"


def title(problem: Problem, state: State) -> str:
    return f"TRR, {'problem' if state == 'problem' else 'well again'}: {problem.text}"


def subject(problem: Problem, state: State) -> str:
    """On one short line, without the links of the text."""
    return cut(title(problem, state).partition(f" {settings.SITE_URL or 'http'}")[0], LONGEST_SUBJECT)


def duration(problem: Problem) -> str:
    if problem.ended_at is None:
        return f"Since {utc(problem.since)}."
    return f"From {utc(problem.since)} to {utc(problem.ended_at)}."


def problem_link(problem: Problem) -> str:
    return site_link("ingestion_problem_change", problem.pk)
