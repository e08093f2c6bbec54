"""System checks: why the workbook could not be reached, one line each. Without a workbook there is nothing to say."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from trr_site.google_account import google_problems


@register
def check_google_account(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not settings.SPREADSHEET_ID:
        return []
    told = set(settings.ENVIRONMENT_ERRORS)
    return [Warning(problem, id="trr.W004") for problem in google_problems() if problem not in told]
