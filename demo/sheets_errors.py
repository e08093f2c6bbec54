"""Refusals of the stand-in for Google Sheets, in Google's words and envelope."""

from typing import Any

Json = dict[str, Any]

PROTECTED = (
    "You are trying to edit a protected cell or object. Please contact the spreadsheet owner to remove protection "
    "if you need to edit."
)
NO_PERMISSION = "The caller does not have permission"
# Google's name of a status, and what it says where no one has told it what to say.
STATUSES = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", NO_PERMISSION),
    404: ("NOT_FOUND", "Requested entity was not found."),
    409: ("ABORTED", "The operation was aborted."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    500: ("INTERNAL", "Internal error encountered."),
    502: ("UNAVAILABLE", "Bad gateway."),
    503: ("UNAVAILABLE", "The service is currently unavailable."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}


class Refused(Exception):
    """The call is answered with this status and message, and has no effect."""

    def __init__(self, message: str, status: int = 400, details: list[Json] | None = None) -> None:
        super().__init__(message)
        self.message, self.status, self.details = message, status, details

    def envelope(self) -> Json:
        return envelope(self.status, self.message, self.details)


def envelope(status: int, message: str | None = None, details: list[Json] | None = None) -> Json:
    name, usual = STATUSES.get(status, ("UNKNOWN", "As you asked."))
    error: Json = {"code": status, "message": usual if message is None else message, "status": name}
    if details:
        error["details"] = details
    return {"error": error}


def quota_exceeded(is_write: bool) -> str:
    """Today's wording of a 429."""
    kind = "Write" if is_write else "Read"
    return (
        f"Quota exceeded for quota metric '{kind} requests' and limit '{kind} requests per minute per user' of "
        "service 'sheets.googleapis.com' for consumer 'project_number:000000000000'."
    )
