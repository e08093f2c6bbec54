"""Problems of the jobs in admin: what is wrong and what was, and on the dashboard what is."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog.admin import desk
from catalog.admin.paginator import BoundedPaginator
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import badge
from ingestion.alerts import is_open, open_problems
from ingestion.models import Problem


class OpenFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Open"), ("no", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Problem]) -> QuerySet[Problem]:
        return queryset.filter(ended_at__isnull=self.value() == "yes") if self.value() in ("yes", "no") else queryset


@admin.register(Problem)
class ProblemAdmin(ReadOnlyAdmin):
    list_display = ("state", "text", "began", "over", "told")
    list_display_links = ("state", "text")
    list_filter = (OpenFilter,)
    list_per_page = 100
    paginator = BoundedPaginator
    search_fields = ("key", "text")
    fields = ("state", "key", "text", ("began", "over"), "told")
    readonly_fields = ("state", "key", "text", "began", "over", "told")

    @admin.display(description="state")
    def state(self, problem: Problem) -> str:
        if problem.ended_at is not None:
            return badge("Over", "good")
        return badge("Open", "bad") if is_open(problem, timezone.now()) else badge("May pass", "warn")

    @admin.display(description="since (UTC)", ordering="since")
    def began(self, problem: Problem) -> str:
        return f"{problem.since:%Y-%m-%d %H:%M}"

    @admin.display(description="until (UTC)", ordering="ended_at")
    def over(self, problem: Problem) -> str:
        return f"{problem.ended_at:%Y-%m-%d %H:%M}" if problem.ended_at else ""

    @admin.display(description="told (UTC)")
    def told(self, problem: Problem) -> str:
        if not settings.ALERT_EMAILS and not settings.ALERT_WEBHOOK_URL:
            return "here alone: neither ALERT_EMAILS nor ALERT_WEBHOOK_URL is set"
        times = [f"{at:%Y-%m-%d %H:%M}" for at in (problem.told_at, problem.end_told_at) if at]
        return "; ".join(filter(None, (" and ".join(times) or "nobody", problem.telling_error)))


def problems(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perm("ingestion.view_problem"):
        return {}
    return {"problems": rows} if (rows := open_problems(timezone.now())) else {}


desk.sections.append(desk.Section(5, "ingestion/dashboard_problems.html", problems))
