"""The Google account of this installation: a service account, by the key file that the environment names.

Whoever reads or writes the workbook asks here, so that what is missing is told in one way. A stand-in for Google
(any other GOOGLE_SHEETS_API_URL) is sent no credentials, and needs none.
"""

import json
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from google.auth.exceptions import GoogleAuthError
from google.oauth2.service_account import Credentials

GOOGLE: Final = "https://sheets.googleapis.com"
SCOPES: Final = ("https://www.googleapis.com/auth/spreadsheets",)
VARIABLE: Final = "GOOGLE_APPLICATION_CREDENTIALS"


class AccountProblem(Exception):
    """The credentials can't be used; `str(error)` is one line that says why, without a secret."""


def is_stand_in() -> bool:
    return bool(settings.GOOGLE_SHEETS_API_URL != GOOGLE)


def google_problems(*, workbook: bool = True) -> list[str]:
    """What is missing or malformed to reach the workbook; with `workbook=False` that one is named elsewhere."""
    names = (VARIABLE, "SPREADSHEET_ID", "GOOGLE_SHEETS_API_URL", "ENV_FILE")
    problems = [problem for problem in settings.ENVIRONMENT_ERRORS if problem.startswith(names)]
    if workbook and not settings.SPREADSHEET_ID and not any("SPREADSHEET_ID" in problem for problem in problems):
        problems.append("SPREADSHEET_ID is not set: the id of the workbook, as its address has it behind /d/")
    if not is_stand_in() and not any(VARIABLE in problem for problem in problems):
        try:
            credentials()
        except AccountProblem as error:
            problems.append(str(error))
    return problems


def credentials() -> Credentials | None:
    """Those of the key file; None for a stand-in. No request is made. Raises AccountProblem."""
    if is_stand_in():
        return None
    key = read_key()
    try:
        made: Credentials = Credentials.from_service_account_info(key, scopes=SCOPES)  # type: ignore[no-untyped-call]
    except (ValueError, KeyError, TypeError, GoogleAuthError):  # their texts may quote the key
        reason = f"the key in the file that {VARIABLE} names is damaged: download it once more"
    else:
        return made
    raise AccountProblem(reason)


def account_email() -> str:
    """With whom a workbook must be shared; a few words where that is not known."""
    if is_stand_in():
        return "the stand-in's account"
    try:
        return str(read_key().get("client_email", "the service account"))
    except AccountProblem:
        return "the service account"


def read_key() -> dict[str, Any]:
    """The key file's object. Raises AccountProblem."""
    path = settings.GOOGLE_APPLICATION_CREDENTIALS
    if not path:
        raise AccountProblem(f"{VARIABLE} is not set: the path of a service account's key file (JSON)")
    try:
        key = json.loads(Path(path).read_text(encoding="utf-8-sig"))  # some editors put a mark there
    except OSError as error:
        reason = f"the file that {VARIABLE} names can't be read: {error.strerror or type(error).__name__}"
    except ValueError:  # neither JSON nor UTF-8, or a path that is none; the texts quote what they found
        reason = f"the file that {VARIABLE} names is not JSON: expected a service account's key, as Google gives it out"
    else:
        if isinstance(key, dict) and key.get("type") == "service_account":
            return key
        kind = key.get("type") if isinstance(key, dict) else None
        known = f" (its type is {kind})" if isinstance(kind, str) and kind.isidentifier() else ""
        reason = f"the file that {VARIABLE} names is not the key of a service account{known}"
    raise AccountProblem(reason)
