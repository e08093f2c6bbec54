"""Errors as JSON with a `detail` in words, and `errors` by parameter or field where some are to blame."""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from catalog.api.responses import NOTHING_TO_RUN

log = logging.getLogger(__name__)


class Gone(exceptions.APIException):
    status_code = 410
    default_detail = "It was deleted."
    default_code = "gone"


class Stale(exceptions.APIException):
    status_code = 412
    default_detail = "The show has changed since you read it: read it again, then decide."
    default_code = "stale"


class Ambiguous(exceptions.APIException):
    status_code = 409
    default_code = "ambiguous"


class Away(exceptions.APIException):
    status_code = 503
    default_detail = "The database does not answer; try again in a few seconds."
    default_code = "away"


def in_words(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler, in our shape. What is not known here is Django's, as JSON too (`server_error`)."""
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("the database is out of reach", exc_info=error)
        error = Away()
    if isinstance(error, SuspiciousOperation):  # a body or a query that Django would not take into memory
        error = exceptions.ParseError("The request is too large, or has too many parameters.")
    if isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(detail=by_field(error))
    response = exception_handler(error, context)  # type: ignore[arg-type]
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        response.data = refusal(error.detail)
    elif isinstance(response.data, Mapping) and set(response.data) != {"detail"}:
        response.data = {"detail": str(getattr(error, "detail", error))}
    if isinstance(error, Away):
        response["Retry-After"] = "5"
    response["Cache-Control"] = "no-store"
    response["Content-Security-Policy"] = NOTHING_TO_RUN
    return response


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    """Django's handler500: what nobody foresaw, in JSON under the API's addresses."""
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    response = JsonResponse({"detail": "We failed, and have noted it; it is nothing that you did."}, status=500)
    response["Cache-Control"] = "no-store"
    response["Content-Security-Policy"] = NOTHING_TO_RUN
    return response


def refusal(detail: Any) -> dict[str, Any]:
    """`{"detail": "limit: A whole number …", "errors": {"limit": ["A whole number …"]}}`."""
    if not isinstance(detail, Mapping):
        return {"detail": " ".join(map(str, detail if isinstance(detail, list) else [detail])), "errors": {}}
    errors = {str(name): flat(reasons) for name, reasons in detail.items()}
    return {"detail": " ".join(f"{name}: {' '.join(reasons)}" for name, reasons in errors.items()), "errors": errors}


def flat(reasons: Any) -> list[str]:
    if isinstance(reasons, Mapping):
        return [f"{name}: {' '.join(flat(part))}" for name, part in reasons.items()]
    if isinstance(reasons, list | tuple):
        return [text for part in reasons for text in flat(part)]
    return [str(reasons)]


def by_field(error: DjangoValidationError) -> dict[str, list[str]]:
    if hasattr(error, "error_dict"):
        return {name: [text for one in errors for text in one.messages] for name, errors in error.error_dict.items()}
    return {"non_field_errors": list(error.messages)}
