"""The history of all shows, to read."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from catalog.admin.filters import VolatileFilter
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import describe_author, describe_change
from catalog.models import Change, Show


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ("id", "ts", "show_link", "kind", "who", "what", "reason")
    list_display_links = ("id",)
    list_filter = (VolatileFilter, "kind", "ts")
    list_per_page = 100
    fields = ("id", "ts", "show_link", "kind", "who", "reason", "what", "volatile")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        # Not select_related("show"): its inner join would leave the changes of deleted shows out.
        name = Show.objects.filter(pk=OuterRef("show_id")).order_by().values("name")[:1]
        changes: QuerySet[Change] = super().get_queryset(request)
        return changes.select_related("user").annotate(show_name=Subquery(name))

    @admin.display(description="show")
    def show_link(self, change: Any) -> str:
        if change.show_name is None:
            before = change.fields.get("name")
            name = before[0] if isinstance(before, list) and before and before[0] else change.show_id
            return f"{name} (deleted)"
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:catalog_show_change", args=(change.show_id,)), change.show_name
        )

    @admin.display(description="who", ordering="user__username")
    def who(self, change: Change) -> str:
        return describe_author(change)

    @admin.display(description="what")
    def what(self, change: Change) -> str:
        return describe_change(change)
