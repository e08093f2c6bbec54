"""The runs in admin: read-only, as they are the record of what happened. See run_page, and run_actions."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Case, Count, OuterRef, QuerySet, Subquery, Value, When
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.views.decorators.http import require_GET, require_POST
from unfold.admin import TabularInline

from catalog.admin.paginator import BoundedPaginator
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import badge
from catalog.revert_scope import is_running
from ingestion.admin import dashboard, run_actions
from ingestion.admin import run_words as words
from ingestion.admin.run_page import SYNC, VIEW, alike, page_context, run_of, still_runs
from ingestion.dashboard import JOB, verdict_of
from ingestion.models import SyncChunk, SyncFailure, SyncRun
from ingestion.progress import OPEN

LONGEST_ERROR = 120  # characters in the list

is_running.append(still_runs)  # what goes on is not reverted


def show_link(show: Any) -> SafeString:
    """A way to a show that is there; the name alone of one in the trash."""
    if show.deleted_at is not None:
        return format_html("{} (in the trash)", show)
    url = reverse("admin:catalog_show_change", args=(show.pk,))
    return format_html('<span class="desk"><a href="{}">{}</a></span>', url, show)


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
        rows = failures.select_related("show").only("run_id", "item", "reason", "show__name", "show__deleted_at")
        return alike(request, rows)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="item")
    def what(self, failure: SyncFailure) -> str:
        if failure.show is None or failure.show.name == failure.item:
            return show_link(failure.show) if failure.show else failure.item
        return format_html("{}: {}", show_link(failure.show), failure.item)


class JobFilter(admin.SimpleListFilter):
    """By job: runs of shows that somebody picked are one, though each selection is a kind of its own."""

    title = "job"
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        jobs = SyncRun.objects.order_by().annotate(job=JOB).values_list("job", flat=True).distinct()
        return [(job, job) for job in sorted(jobs)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SyncRun]) -> QuerySet[SyncRun]:
        return queryset.annotate(job=JOB).filter(job=self.value()) if self.value() else queryset


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = (
        *("number", "job", "state", "started", "duration", "who", "progress", "workers", "figures", "why"),
        *("requests_made", "code"),
    )
    list_display_links = ("number",)
    list_filter = ("status", JobFilter)
    list_per_page = 50
    list_select_related = ("started_by",)
    paginator = BoundedPaginator
    list_before_template = "ingestion/run_list.html"
    change_form_outer_before_template = "ingestion/run_page.html"
    inlines = (SyncFailureInline,)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("sync-all/", view(require_POST(run_actions.sync_all)), name="ingestion_syncrun_sync_all"),
            path("queue/", view(require_GET(dashboard.queue)), name="ingestion_syncrun_queue"),
            path("figures/", view(require_GET(run_actions.tell_figures)), name="ingestion_syncrun_figures"),
            path("<int:run_id>/cancel/", view(partial(run_actions.cancel_run, self)), name="ingestion_syncrun_cancel"),
            path("<int:run_id>/retry/", view(require_POST(run_actions.retry_run)), name="ingestion_syncrun_retry"),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """None: the page's own template says all of it."""
        return []

    def get_ordering(self, request: HttpRequest) -> Any:
        """What waits or goes on stands first."""
        return (Case(When(status__in=OPEN, then=Value(0)), default=Value(1)).asc(), "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        at_work = SyncChunk.objects.filter(run=OuterRef("pk"), status=SyncChunk.Status.RUNNING)
        count = at_work.order_by().values("run").annotate(n=Count("pk")).values("n")
        runs: QuerySet[SyncRun] = super().get_queryset(request)
        return runs.annotate(at_work=Subquery(count))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may_sync = request.user.has_perms((SYNC, VIEW))
        page: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "may_sync_all": may_sync})
        return page

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = run_of(object_id) if self.has_view_permission(request) else None
        told = {"title": f"Run {run.pk}", "subtitle": None, **page_context(request, run)} if run else {}
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **told})
        return page

    # --- columns

    @admin.display(description="run", ordering="id")
    def number(self, run: SyncRun) -> int:
        return run.pk

    @admin.display(description="job", ordering="kind")
    def job(self, run: SyncRun) -> str:
        return words.job(run)

    @admin.display(description="status", ordering="status")
    def state(self, run: SyncRun) -> str:
        verdict = verdict_of(run, timezone.now())
        tripped = badge("Guard tripped", "bad") if run.tripped else ""
        return format_html("{}{} {}", words.open_mark(run), badge(capfirst(verdict.text), verdict.tone), tripped)

    @admin.display(description="started (UTC)", ordering="started_at")
    def started(self, run: SyncRun) -> str:
        return f"{run.started_at:%Y-%m-%d %H:%M}"

    @admin.display(description="took")
    def duration(self, run: SyncRun) -> str:
        return words.live(run, "took", words.duration(run, timezone.now()))

    @admin.display(description="started by")
    def who(self, run: SyncRun) -> str:
        return words.who(run)

    @admin.display(description="done")
    def progress(self, run: SyncRun) -> str:
        done = words.live(run, "progress", words.progress(run))
        return format_html("{} {}", done, words.live(run, "left", words.left(run))) if run.status in OPEN else done

    @admin.display(description="counts")
    def figures(self, run: SyncRun) -> str:
        return words.live(run, "counts", words.figures(run))

    @admin.display(description="requests", ordering="requests")
    def requests_made(self, run: SyncRun) -> str:
        return words.live(run, "requests", f"{run.requests:,}")

    @admin.display(description="workers")
    def workers(self, run: Any) -> str:
        """How many work on a run that they share."""
        return str(run.at_work or 0) if run.shared and run.status == SyncRun.Status.RUNNING else ""

    @admin.display(description="version")
    def code(self, run: SyncRun) -> str:
        return run.version

    @admin.display(description="error")
    def why(self, run: SyncRun) -> str:
        return Truncator(run.error).chars(LONGEST_ERROR)
