from typing import Any

from django.core.management.base import SystemCheckError
from django.core.management.commands import check


class Command(check.Command):
    """Django's check, with exit code 2 for a wrong configuration, as every command here has it."""

    def handle(self, *app_labels: Any, **options: Any) -> None:
        try:
            super().handle(*app_labels, **options)
        except SystemCheckError as error:
            error.returncode = 2
            raise
