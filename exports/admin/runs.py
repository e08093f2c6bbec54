"""The exports in admin: read-only, as they are the record of what was published. See run_page, and run_actions."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Case, Prefetch, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator, capfirst
from django.views.decorators.http import require_GET, require_POST

from catalog.admin.paginator import BoundedPaginator
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import badge
from exports.admin import ask_page, downloads, run_actions
from exports.admin import run_words as words
from exports.admin.buttons import export_button, what_is_missing, workbook_link
from exports.admin.run_page import page_context, run_of
from exports.models import ExportedTab, ExportRun

LONGEST_ERROR = 120  # characters in the list


@admin.register(ExportRun)
class ExportRunAdmin(ReadOnlyAdmin):
    list_display = (
        *("number", "what", "format", "state", "why", "sheet", "who", "asked", "duration", "rows", "differences"),
        "calls_made",
    )
    list_display_links = ("number",)
    list_filter = ("format", "status")
    list_per_page = 50
    list_select_related = ("started_by",)
    paginator = BoundedPaginator
    list_before_template = "exports/run_list.html"
    change_form_outer_before_template = "exports/run_page.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("ask/", view(require_GET(partial(ask_page.ask, self))), name="exports_exportrun_ask"),
            path("export/", view(require_POST(run_actions.export)), name="exports_exportrun_export"),
            path("told/", view(require_GET(run_actions.tell)), name="exports_exportrun_told"),
            path("download/", view(require_GET(partial(downloads.download, self))), name="exports_exportrun_download"),
            path("<int:run_id>/restore/", view(partial(run_actions.restore, self)), name="exports_exportrun_restore"),
            path("<int:run_id>/force/", view(partial(run_actions.force, self)), name="exports_exportrun_force"),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """None: the page's own template says all of it."""
        return []

    def get_ordering(self, request: HttpRequest) -> Any:
        """What waits or goes on stands first."""
        return (Case(When(status__in=words.OPEN, then=Value(0)), default=Value(1)).asc(), "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExportRun]:
        """With what became of each tab, but without the rows that differed."""
        exported = ExportedTab.objects.defer("difference", "warnings")
        runs: QuerySet[ExportRun] = super().get_queryset(request)
        return runs.prefetch_related(Prefetch("exported", exported))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        told = {
            "title": "Google Sheets and files",
            "button": export_button(request),
            "files": downloads.files(),
            "workbook": workbook_link(),
        }
        page: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **told})
        return page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = run_of(object_id) if self.has_view_permission(request) else None
        told = {}
        if run is not None:
            about = page_context(request, run, may_publish=not what_is_missing())
            told = {"title": f"Export {run.pk}", "subtitle": None, **about}
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **told})
        return page

    # --- columns

    @admin.display(description="export", ordering="id")
    def number(self, run: ExportRun) -> int:
        return run.pk

    @admin.display(description="what")
    def what(self, run: ExportRun) -> str:
        return words.what(run)

    @admin.display(description="status", ordering="status")
    def state(self, run: ExportRun) -> str:
        verdict = words.verdict_of(run, timezone.now())
        tripped = badge("Guard tripped", "bad") if run.tripped else ""
        return format_html("{}{} {}", words.open_mark(run), badge(capfirst(verdict.text), verdict.tone), tripped)

    @admin.display(description="by")
    def who(self, run: ExportRun) -> str:
        return words.who(run)

    @admin.display(description="asked for (UTC)", ordering="asked_at")
    def asked(self, run: ExportRun) -> str:
        return f"{run.asked_at:%Y-%m-%d %H:%M}"

    @admin.display(description="took")
    def duration(self, run: ExportRun) -> str:
        return words.live(run, "took", words.took(run, timezone.now()))

    @admin.display(description="rows")
    def rows(self, run: Any) -> str:
        exported = run.exported.all()
        return f"{words.rows(exported):,}" if exported else ""

    @admin.display(description="differences")
    def differences(self, run: Any) -> str:
        exported = list(run.exported.all())
        if run.format != ExportRun.Format.GOOGLE or not exported or run.status in words.OPEN:
            return ""
        return words.counts(exported) or ("none" if run.status == ExportRun.Status.SUCCEEDED else "")

    @admin.display(description="calls")
    def calls_made(self, run: ExportRun) -> str:
        return words.live(run, "calls", words.calls(run))

    @admin.display(description="sheet")
    def sheet(self, run: Any) -> str:
        return words.sheet_link(run, run.exported.all())

    @admin.display(description="error")
    def why(self, run: ExportRun) -> str:
        return Truncator(run.error).chars(LONGEST_ERROR)
