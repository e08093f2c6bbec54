"""The ledger in admin: read-only, as it is the record of what happened; and the button that starts a sync."""

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.views.decorators.http import require_POST
from unfold.admin import TabularInline

from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import badge, queued_run
from catalog.models import Change
from catalog.revert_scope import is_running
from catalog.sync_queue import queue_sync
from ingestion.admin.panels import GRADES
from ingestion.models import ResolutionCandidate, SyncFailure, SyncRun, SyncState
from ingestion.report import COUNTED
from ingestion.runs import close_if_dead, describe

KIND = "sync_shows"  # a run of all that is due
RUN_GRADES: Mapping[str, str] = {"succeeded": "good", "running": "", "failed": "bad", "stopped": "bad"}


def show_link(show: Any) -> SafeString:
    """A way to a show that is there; the name alone of one in the trash."""
    if show.deleted_at is not None:
        return format_html("{} (in the trash)", show)
    url = reverse("admin:catalog_show_change", args=(show.pk,))
    return format_html('<span class="desk"><a href="{}">{}</a></span>', url, show)


def in_words(seconds: float) -> str:
    """`2 h 5 min`, `3 min 20 s`, `4 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class SyncFailureInline(TabularInline):
    model = SyncFailure
    fields = ("what", "reason")
    readonly_fields = fields
    extra = 0
    max_num = 0
    per_page = 50
    can_delete = False
    hide_title = True
    verbose_name_plural = "what it could not do"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncFailure]:
        failures: QuerySet[SyncFailure] = super().get_queryset(request)
        return failures.select_related("show").only("run_id", "item", "reason", "show__name", "show__deleted_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="item")
    def what(self, failure: SyncFailure) -> str:
        if failure.show is None or failure.show.name == failure.item:
            return show_link(failure.show) if failure.show else failure.item
        return format_html("{}: {}", show_link(failure.show), failure.item)


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = ("number", "kind", "state", "started", "duration", "who", "progress", "figures", "error")
    list_display_links = ("number",)
    list_filter = ("status", "kind")
    list_select_related = ("started_by",)
    list_before_template = "ingestion/sync_all.html"
    change_form_outer_before_template = "ingestion/run_links.html"
    inlines = (SyncFailureInline,)
    fields = (
        ("state", "kind", "who"),
        ("started_at", "finished_at", "duration"),
        ("progress", "requests"),
        "figures",
        "asked",
        "error",
        ("host", "pid", "heartbeat_at"),
        "changes_until",
    )
    readonly_fields = (
        *("state", "kind", "who", "started_at", "finished_at", "duration", "progress", "requests"),
        *("figures", "asked", "error", "host", "pid", "heartbeat_at", "changes_until"),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.sync_all))
        return [path("sync-all/", view, name="ingestion_syncrun_sync_all"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {**(extra_context or {}), "may_sync_all": self.may_sync_all(request)}
        page: HttpResponse = super().changelist_view(request, context)
        return page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        links = (
            {"run_links": run_links(request, int(object_id))} if object_id.isascii() and object_id.isdecimal() else {}
        )
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **links})
        return page

    # --- the button

    def may_sync_all(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.sync_show") and self.has_view_permission(request)

    def sync_all(self, request: HttpRequest) -> HttpResponse:
        """Queues a sync of all that is due; says so when one is going on."""
        if not self.may_sync_all(request):
            raise PermissionDenied
        running = SyncRun.objects.filter(kind=KIND, status=SyncRun.Status.RUNNING).select_related("started_by").first()
        if running is not None and not close_if_dead(running):
            messages.warning(request, f"Nothing was queued: {describe(running)}.")
        else:
            run_id = queue_sync(request.user.pk)
            messages.success(request, queued_run(request.user, run_id, "all that is due"))
        return redirect("admin:ingestion_syncrun_changelist")

    # --- columns

    @admin.display(description="run", ordering="id")
    def number(self, run: SyncRun) -> int:
        return run.pk

    @admin.display(description="status", ordering="status")
    def state(self, run: SyncRun) -> str:
        return badge(capfirst(run.get_status_display()), RUN_GRADES.get(run.status, "warn"))

    @admin.display(description="started (UTC)", ordering="started_at")
    def started(self, run: SyncRun) -> str:
        return f"{run.started_at:%Y-%m-%d %H:%M}"

    @admin.display(description="took")
    def duration(self, run: SyncRun) -> str:
        end = run.finished_at or (timezone.now() if run.status == SyncRun.Status.RUNNING else run.heartbeat_at)
        return in_words(max((end - run.started_at).total_seconds(), 0))

    @admin.display(description="started by")
    def who(self, run: SyncRun) -> str:
        return run.started_by.get_username() if run.started_by else "a command or schedule"

    @admin.display(description="done")
    def progress(self, run: SyncRun) -> str:
        return f"{run.done} of {run.total}" if run.total is not None else str(run.done)

    @admin.display(description="counts")
    def figures(self, run: SyncRun) -> str:
        """In the order of a report: PostgreSQL keeps the keys of JSON in one of its own."""
        order = {name: place for place, name in enumerate(COUNTED)}
        names = sorted(run.counts, key=lambda name: (order.get(name, len(order)), name))
        return ", ".join(f"{run.counts[name]} {name}" for name in names if run.counts[name])

    @admin.display(description="options")
    def asked(self, run: SyncRun) -> str:
        lines = ((name, json.dumps(value, ensure_ascii=False)) for name, value in run.options.items())
        return format_html_join(SafeString("<br>"), "{}: {}", lines) or "none: the usual ones"


def still_runs(run_id: int) -> bool:
    run = SyncRun.objects.filter(pk=run_id, status=SyncRun.Status.RUNNING).first()
    return run is not None and not close_if_dead(run)


is_running.append(still_runs)  # what goes on is not reverted


def run_links(request: HttpRequest, run_id: int) -> list[dict[str, str]]:
    """Where a run's page leads: to the changes it made, and to their revert for those who may."""
    if run_id >= 2**63:
        return []
    changes = Change.objects.filter(run_id=run_id).count()
    if not changes:
        return []
    links = [
        {
            "label": f"Changes of this run ({changes})",
            "url": f"{reverse('admin:catalog_change_changelist')}?run_id={run_id}",
        }
    ]
    if request.user.has_perm("catalog.revert_run") and not still_runs(run_id):
        links.append({"label": "Revert this run", "url": reverse("admin:catalog_run_revert", args=(run_id,))})
    return links


@admin.register(SyncState)
class SyncStateAdmin(ReadOnlyAdmin):
    list_display = ("of", "stage", "state", "last_success_at", "attempted_at", "attempts", "last_error")
    list_filter = ("stage", "status")
    list_select_related = ("show",)
    search_fields = ("show__name", "show__imdb_id")

    @admin.display(description="show", ordering="show__name")
    def of(self, state: SyncState) -> str:
        return str(state.show)

    @admin.display(description="status", ordering="status")
    def state(self, state: SyncState) -> str:
        return badge(capfirst(state.get_status_display()), GRADES.get(state.status, ""))


@admin.register(ResolutionCandidate)
class ResolutionCandidateAdmin(ReadOnlyAdmin):
    list_display = ("show", "tmdb_id", "name", "first_air_date", "score", "why")
    list_select_related = ("show",)
    search_fields = ("show__name", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResolutionCandidate]:
        """Those that still wait: an editor may have decided otherwise since they were found."""
        candidates: QuerySet[ResolutionCandidate] = super().get_queryset(request)
        return candidates.filter(show__needs_tmdb_resolution=True, show__deleted_at__isnull=True)

    @admin.display(description="reasons")
    def why(self, candidate: ResolutionCandidate) -> str:
        return "; ".join(candidate.reasons)
