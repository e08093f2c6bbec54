"""Rows whose history is kept elsewhere, with the values."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin


class UnloggedAdmin(ModelAdmin):
    """Leaves nothing in admin's own log: it would be a second history, and one that knows no values."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        return None

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        return None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        return None
