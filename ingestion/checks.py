"""System checks: every missing or malformed setting in one line each, none of them with its value."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from redis import ConnectionPool

from trr_site.command_line import environment_problems
from trr_site.google_account import google_problems

# Belong to what is built on these settings, or to the machine: no reason to warn.
OTHERS = {
    "DJANGO_SETTINGS_MODULE",
    "POSTGRES_PASSWORD",  # compose.yaml's
    "PUBLISH_ON",
}


HALF_A_KEY_PAIR = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: one is not set"


def has_half_a_key_pair() -> bool:
    return bool(settings.AWS_S3_BUCKET) and bool(settings.AWS_ACCESS_KEY_ID) != bool(settings.AWS_SECRET_ACCESS_KEY)


def tmdb_problems() -> list[str]:
    """Why TMDb can't be asked: empty when all is there."""
    problems = environment_problems("TMDB_", "REDIS_URL", "AWS_", "MEDIA_", "ENV_FILE")
    problems += [
        f"{name} is malformed: expected printable ASCII without blanks"
        for name in ("TMDB_API_KEY", "TMDB_BEARER_TOKEN")
        if not re.fullmatch(r"[!-~]*", getattr(settings, name))
    ]
    if settings.REDIS_URL and not is_redis_url(settings.REDIS_URL):
        problems.append("REDIS_URL is malformed: an option after its `?` is unknown or has a wrong value")
    if not settings.TMDB_API_KEY and not settings.TMDB_BEARER_TOKEN:
        problems.append("TMDB_API_KEY is not set, nor is TMDB_BEARER_TOKEN: one of them is needed to ask TMDb")
    if settings.TMDB_API_KEY and settings.TMDB_BEARER_TOKEN:
        problems.append("TMDB_API_KEY and TMDB_BEARER_TOKEN are both set: keep one of them")
    return problems


@register
def check_environment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = [Error(problem, id="trr.E001") for problem in settings.ENVIRONMENT_ERRORS]
    if not settings.SECRET_KEY_IS_SET:
        messages.append(
            Error(
                "SECRET_KEY is not set",
                hint="Any long random text; without it every restart ends all sessions.",
                id="trr.E002",
            )
        )
    for problem in tmdb_problems():
        if problem in settings.ENVIRONMENT_ERRORS:
            continue
        # Without a key the site still works; only a sync does not.
        missing = "is not set" in problem
        messages.append(Warning(problem, id="trr.W001") if missing else Error(problem, id="trr.E003"))
    if has_half_a_key_pair():
        messages.append(Error(HALF_A_KEY_PAIR, id="trr.E004"))
    if settings.SPREADSHEET_ID:  # without a workbook there is nothing to say
        told = set(settings.ENVIRONMENT_ERRORS)
        messages += [Warning(problem, id="trr.W004") for problem in google_problems() if problem not in told]
    if settings.ALERT_EMAILS and not settings.EMAIL:
        text = "ALERT_EMAILS is set and EMAIL_URL is not: mail goes to port 25 of this machine"
        messages.append(Warning(text, id="trr.W003"))
    messages += [Warning(f"{name} in {settings.ENV_FILE} is used by nothing", id="trr.W002") for name in unused_names()]
    return messages


def unused_names() -> list[str]:
    """What the .env file sets for nobody: a slip of the pen, or of a version that is gone."""
    return sorted(set(names_in_env_file(settings.ENV_FILE)) - settings.ENVIRONMENT_NAMES - OTHERS)


def state_of(name: str, messages: Iterable[CheckMessage]) -> str:
    """How a variable stands: malformed, set, missing or default; never its value. `messages`: of check_environment."""
    texts = [message.msg for message in messages]
    if any(
        text.startswith(f"{name} ") and (text in settings.ENVIRONMENT_ERRORS or "malformed" in text) for text in texts
    ):
        return "malformed"
    if os.environ.get(name, "").strip():
        return "set"
    return "missing" if any("not set" in text and re.search(rf"\b{name}\b", text) for text in texts) else "default"


def is_redis_url(url: str) -> bool:
    """Whether a connection could be made from it; none is opened."""
    try:
        pool = ConnectionPool.from_url(url)
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError):
        return False
    return True


def names_in_env_file(path: str) -> Iterable[str]:
    if not path or not Path(path).is_file():
        return []
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:  # the settings have said so
        return []
    return re.findall(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", text, flags=re.MULTILINE)
