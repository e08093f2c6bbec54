"""What went wrong with a call of Google Sheets: whether it may pass, whether it may be done, and in words."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

import gspread
import requests
from google.auth.exceptions import GoogleAuthError, TransportError

from exports.sheets_session import TIMEOUT
from trr_site.google_account import account_email
from trr_site.logs import MASK
from trr_site.replies import parse_retry_after, readable

T = TypeVar("T")

RETRY_AFTER_MAX: Final = 120  # seconds
REASON_MAX: Final = 300  # characters of what Google says that a message repeats
TOKEN: Final = re.compile(r"ya29\.[\w.-]+")  # what a call is made with for an hour; a proxy's page may show it


class ExportProblem(Exception):
    """Nothing was published; `str(error)` says what is wrong, where, and what to do. refused: nobody may try again
    before somebody has changed something: access, the address, the key."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Stopped(Exception):
    """The run was told to end."""


class Lost(Exception):
    """A call without a usable answer. may_be_done: whether it may have had its effect. wait: seconds, where told."""

    def __init__(self, reason: str, *, may_be_done: bool, wait: float | None = None) -> None:
        super().__init__(reason)
        self.may_be_done = may_be_done
        self.wait = wait


def answered(act: Callable[[], T]) -> T:
    """What a call gives. Raises Lost for what may pass, ExportProblem for what will not."""
    problem: Exception
    try:
        return act()
    except gspread.exceptions.APIError as error:
        problem = problem_of(error)
    except requests.ConnectTimeout:
        problem = Lost(f"no connection to Google Sheets within {TIMEOUT[0]:.0f} s", may_be_done=False)
    except requests.Timeout:
        problem = Lost("Google Sheets did not answer in time", may_be_done=True)
    except requests.exceptions.SSLError:
        problem = Lost("no secure connection (TLS) to Google Sheets", may_be_done=False)
    except requests.RequestException as error:
        cause = "no connection to" if isinstance(error, requests.ConnectionError) else "no usable answer of"
        problem = Lost(f"{cause} Google Sheets", may_be_done=True)
    except GoogleAuthError as error:
        problem = account_problem(error)
    except (ValueError, TypeError, KeyError, AttributeError):  # not the JSON that was to be expected
        problem = Lost("Google Sheets answered something else than it should", may_be_done=True)
    raise problem


def problem_of(error: gspread.exceptions.APIError) -> Exception:
    status, said = error.response.status_code, what_google_says(error)
    if status == 429:
        wait = parse_retry_after(error.response.headers.get("Retry-After"), RETRY_AFTER_MAX)
        return Lost(f"the quota of Google Sheets is used up: {said}", may_be_done=False, wait=wait)
    if status >= 500 or status in (408, 409):
        return Lost(f"Google Sheets failed (HTTP {status}): {said}", may_be_done=True)
    if status == 403 and ("has not been used" in said or "is disabled" in said):
        return ExportProblem(
            f"the Google Sheets API is not enabled for the project of {account_email()}: {said}", refused=True
        )
    if status in (401, 403):
        email = account_email()
        return ExportProblem(
            f"no access to the workbook: share it with {email} as an editor (Google says: {said})", refused=True
        )
    if status == 404:
        return ExportProblem(
            f"there is no such workbook: check SPREADSHEET_ID, as its address has it behind /d/ (Google says: {said})",
            refused=True,
        )
    if "number of cells" in said:
        return ExportProblem(f"the workbook is full: delete tabs or rows that nobody needs. Google says: {said}")
    if "protected" in said:
        return ExportProblem(
            f"the tab is protected against {account_email()}: let it edit under Data > Protected ranges. "
            f"Google says: {said}"
        )
    return ExportProblem(f"Google Sheets refused it (HTTP {status}): {said}")


def account_problem(error: GoogleAuthError) -> Exception:
    if isinstance(error, TransportError):  # its text is that of the connection, and may be long
        return Lost("Google gave no token: no connection", may_be_done=False)
    said = without_token(str(error.args[0]) if error.args else type(error).__name__)
    if getattr(error, "retryable", False):
        return Lost(f"Google gave no token: {said}", may_be_done=False)
    return ExportProblem(
        f"Google refused the key of {account_email()}: {said.rstrip('.')}. Is it deleted, or this machine's clock "
        "wrong?",
        refused=True,
    )


def what_google_says(error: gspread.exceptions.APIError) -> str:
    envelope = error.error
    message = envelope.get("message") if isinstance(envelope, dict) else ""
    return without_token(str(message)) or "nothing"


def without_token(text: str) -> str:
    return readable(TOKEN.sub(MASK, text), REASON_MAX)
