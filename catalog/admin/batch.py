"""What people did to many shows in one step: how far it is, what came of it, and the way back."""

from collections import Counter
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from catalog.admin.bulk import PERMISSION, steps_of
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import badge, counted
from catalog.batches import CHANGED, FAILED, UNCHANGED, queue
from catalog.models import Batch, Show
from catalog.revert import queue as queue_revert
from catalog.values import label

PER_PAGE: Final = 100  # failures
OPEN: Final = (Batch.Status.QUEUED, Batch.Status.RUNNING)
# The others are made by the request that asks for them: no worker goes on with them.
RESUMABLE: Final = (Batch.Kind.EDIT, Batch.Kind.IMPORT, Batch.Kind.REVERT)
CUT_OFF_AFTER: Final = timedelta(minutes=5)  # no request takes so long
TONES: Final = {"queued": "warn", "running": "warn", "done": "good", "failed": "bad"}


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    list_display = ("when", "kind", "user", "reason", "how", "outcome")
    list_display_links = ("when",)
    list_filter = ("kind", "status")
    list_select_related = ("user",)
    list_per_page = 100
    search_fields = ("reason", "user__username")
    search_help_text = "Reason or user."
    ordering = ("-created_at", "id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """For everybody who sees the shows, as their history names the batches."""
        return request.user.has_perm("catalog.view_show")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        """Without drafts: nothing has been done yet."""
        batches: QuerySet[Batch] = super().get_queryset(request)
        return batches.exclude(status=Batch.Status.DRAFT).defer("plan", "failures")

    def get_urls(self) -> list[URLPattern]:
        def view(function: Any) -> Any:
            return self.admin_site.admin_view(function)

        return [
            path("<uuid:batch_id>/progress/", view(self.progress_view), name="catalog_batch_progress"),
            path("<uuid:batch_id>/resume/", view(self.resume_view), name="catalog_batch_resume"),
            *super().get_urls(),
        ]

    @admin.display(description="when (UTC)", ordering="created_at")
    def when(self, batch: Batch) -> str:
        return f"{batch.created_at:%Y-%m-%d %H:%M}"

    @admin.display(description="status", ordering="status")
    def how(self, batch: Batch) -> SafeString:
        if is_cut_off(batch):
            return badge("cut off", "bad")
        return badge(batch.get_status_display(), TONES.get(batch.status, ""))

    @admin.display(description="shows")
    def outcome(self, batch: Batch) -> str:
        if is_open(batch):
            return f"{batch.done:,} of {batch.total:,}"
        told = [f"{batch.counts[name]:,} {name}" for name in (CHANGED, UNCHANGED, FAILED) if batch.counts.get(name)]
        return ", ".join(told) or f"{batch.total:,}"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Progress while it runs, then the result."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_object(request, object_id)
        if batch is None:
            gone: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return gone
        failures = Paginator(batch.failures, PER_PAGE).get_page(request.GET.get("page"))
        is_bulk_edit = batch.kind == Batch.Kind.EDIT
        cut_off = is_cut_off(batch)
        changed = batch.changes.values("show").distinct().count() if cut_off else batch.counts.get(CHANGED, 0)
        context = {
            **self.admin_site.each_context(request),
            "model_admin": self,
            "original": batch,
            "title": f"{capfirst(batch.get_kind_display())} of {counted(batch.total)}",
            "batch": batch,
            "tone": TONES.get(batch.status, ""),
            "is_open": is_open(batch),
            "cut_off": cut_off,
            "is_queued": batch.status == Batch.Status.QUEUED,
            "changed": changed,
            "unchanged": batch.counts.get(UNCHANGED, 0),
            "failed": batch.counts.get(FAILED, 0),
            "steps": done_by(batch),
            "needed_none": batch.plan.get("unchanged", 0) if is_bulk_edit else 0,
            "left_out": batch.plan.get("errors", ())[:PER_PAGE] if is_bulk_edit else [],
            "left_out_count": len(batch.plan.get("errors", ())) if is_bulk_edit else 0,
            "failures": [(is_uuid(which), which, name, reason) for which, name, reason in failures],
            "shown": failures,
            "pages": failures.paginator.get_elided_page_range(failures.number),
            "may_resume": batch.status in OPEN and may_resume(request, batch),
            "revert_url": revert_url(request, batch),
        }
        return TemplateResponse(request, "catalog/batch.html", context)

    def progress_view(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        """What the page asks for while it waits."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        state = Batch.objects.filter(pk=batch_id).values("status", "done", "total", "counts").first()
        if state is None:
            raise Http404
        return JsonResponse({**state, "label": Batch.Status(state["status"]).label, "open": state["status"] in OPEN})

    def resume_view(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        """Queues again what stands still, as when the worker was stopped; nothing is done twice by that."""
        batch = self.get_queryset(request).filter(pk=batch_id).first()
        if batch is None:
            raise Http404
        if not may_resume(request, batch):
            raise PermissionDenied
        if request.method == "POST" and batch.status in OPEN:
            (queue_revert if batch.kind == Batch.Kind.REVERT else queue)(batch)
            self.message_user(request, "It is queued again: the worker goes on where it stopped.", messages.SUCCESS)
        return redirect("admin:catalog_batch_change", batch.pk)


def is_cut_off(batch: Batch) -> bool:
    """Whether the request that made it was stopped, as by a restart: nobody goes on with it, so it has failed."""
    is_old = batch.created_at < timezone.now() - CUT_OFF_AFTER
    return is_old and batch.status in OPEN and batch.kind not in RESUMABLE


def is_open(batch: Batch) -> bool:
    return batch.status in OPEN and not is_cut_off(batch)


def done_by(batch: Batch) -> list[str]:
    """What it does or has done, in words."""
    if batch.kind == Batch.Kind.IMPORT:
        return [f"From the file {batch.plan['file']}"] if "file" in batch.plan else []
    if batch.kind == Batch.Kind.REVERT:
        what = batch.plan.get("of") or ({"merge": ""} if "batch" in batch.plan else {})
        return [f"Takes back the {name} {key}".strip() for name, key in what.items()]
    if batch.kind == Batch.Kind.MERGE:
        sources = Show.all_objects.filter(changes__batch=batch, merged_into__isnull=False).distinct()
        return [f"{show.name} into {show.merged_into}" for show in sources.select_related("merged_into")]
    if batch.kind == Batch.Kind.CELLS:
        changes = batch.changes.values_list("fields", flat=True)
        fields = Counter(name for change in changes for name in change if name != "locked_fields")
        return [f"{label(name)} of {counted(number)}" for name, number in fields.most_common()]
    return steps_of(batch)


def may_resume(request: HttpRequest, batch: Batch) -> bool:
    if batch.kind not in RESUMABLE:
        return False
    return batch.user_id == request.user.pk or request.user.has_perm(PERMISSION)


def revert_url(request: HttpRequest, batch: Batch) -> str:
    """Where the batch can be reverted; empty for those who may not, and where there is nothing to revert."""
    if is_open(batch) or not request.user.has_perm("catalog.revert_show") or not batch.changes.exists():
        return ""
    return reverse("admin:catalog_batch_revert", args=(batch.pk,))


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
