"""The button that publishes, wherever it stands; and what is missing where it can't."""

import os
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

from trr_site.google_account import GOOGLE, google_problems

VIEW: Final = "exports.view_exportrun"
PUBLISH: Final = "exports.publish_exportrun"


def export_button(request: HttpRequest, *, ask: str = "") -> dict[str, Any]:
    """What `exports/button.html` needs; nothing for who may not publish.

    ask: the address of the page that asks what is meant, where that is not clear.
    """
    if not request.user.has_perms((PUBLISH, VIEW)):
        return {}
    return {"problems": what_is_missing(), "ask": ask}


def what_is_missing() -> tuple[str, ...]:
    """Why the workbook can't be reached, in sentences.

    To look at a key takes 50 ms, so that is done once for each state of its file and of the settings.
    """
    path = str(settings.GOOGLE_APPLICATION_CREDENTIALS or "")
    state = (settings.SPREADSHEET_ID, settings.GOOGLE_SHEETS_API_URL, path, mark_of(path))
    return looked_up(*state, *settings.ENVIRONMENT_ERRORS)


@lru_cache(maxsize=4)
def looked_up(*state: object) -> tuple[str, ...]:
    return tuple(google_problems())


def mark_of(path: str) -> tuple[int, ...]:
    """Changes whenever the file does."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def workbook_link() -> str:
    """The address of the workbook for people; empty where none is set."""
    if not settings.SPREADSHEET_ID:
        return ""
    site = settings.GOOGLE_SHEETS_API_URL
    site = "https://docs.google.com" if site == GOOGLE else site.rstrip("/")
    return f"{site}/spreadsheets/d/{settings.SPREADSHEET_ID}/edit"
