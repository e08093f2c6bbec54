"""Shows in admin: every write goes through catalog.edits, so it locks, and leaves a Change."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from catalog.admin import desk
from catalog.admin.author import author_of, user_of
from catalog.admin.bulk import bulk_edit
from catalog.admin.merge import merge_selected
from catalog.admin.show_export import export_selected
from catalog.admin.show_list import ShowListAdmin
from catalog.admin.show_page import ShowPageAdmin
from catalog.admin.text import counted
from catalog.admin.unlogged import UnloggedAdmin
from catalog.batches import Edit, draft, submit
from catalog.models import Batch, Show
from catalog.sync_queue import queue_sync
from catalog.trash import delete_show, delete_shows


@admin.register(Show)
class ShowAdmin(UnloggedAdmin, ShowListAdmin, ShowPageAdmin):
    actions = (bulk_edit, "sync_now", merge_selected, export_selected, "unlock_all", "decide_no_matches")

    def get_urls(self) -> list[URLPattern]:
        return [*(url for page in desk.pages for url in page(self)), *super().get_urls()]

    def delete_model(self, request: HttpRequest, obj: Show) -> None:
        delete_show(obj.pk, author_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Show]) -> None:
        """Moves them to the trash in one step, which is reverted as one."""
        keys = list(queryset.order_by("pk").values_list("pk", flat=True))
        delete_shows(keys, user_of(request), "deleted from the list")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Names the shows alone: a show has thousands of offers, and they go with it without a question."""
        shows = list(objs)
        missing = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return [str(show) for show in shows], {self.opts.verbose_name_plural: len(shows)}, missing, []

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect(f"{reverse('admin:catalog_change_changelist')}?show__id__exact={object_id}")

    # --- actions

    def has_sync_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.sync_show")

    def has_bulk_edit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.bulk_edit_show")

    def has_merge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.merge_show")

    @admin.action(description="Sync now", permissions=["sync"])
    def sync_now(self, request: HttpRequest, queryset: QuerySet[Show]) -> None:
        show_ids = list(queryset.order_by("pk").values_list("pk", flat=True))
        if not show_ids:
            self.message_user(request, "Nothing is queued: somebody has deleted these shows meanwhile.", messages.ERROR)
            return
        queue_sync(request.user.pk, show_ids)
        self.message_user(request, f"The sync of {counted(len(show_ids))} is queued.")

    @admin.action(description="Unlock: take TMDb's values back", permissions=["bulk_edit"])
    def unlock_all(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse:
        locked = queryset.exclude(locked_fields=[]).order_by("pk").values_list("pk", "name", "locked_fields")
        return self.apply_to_each(
            request, [edit_of(pk, name, {}, unlock=fields) for pk, name, fields in locked], "taken back to upstream"
        )

    @admin.action(description="No match on TMDb: decided", permissions=["bulk_edit"])
    def decide_no_matches(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse:
        values = {"tmdb_id": None, "needs_tmdb_resolution": False}
        shows = queryset.order_by("pk").values_list("pk", "name")
        return self.apply_to_each(
            request, [edit_of(pk, name, values, lock=["tmdb_id"]) for pk, name in shows], "no match on TMDb"
        )

    def apply_to_each(self, request: HttpRequest, edits: list[Edit], reason: str) -> HttpResponse:
        """One step on many shows, with a result page, and reverted as one."""
        batch = submit(draft(Batch.Kind.EDIT, user_of(request), edits, reason))
        return redirect("admin:catalog_batch_change", batch.pk)


def edit_of(pk: UUID, name: str, values: dict[str, Any], lock: Sequence[str] = (), unlock: Sequence[str] = ()) -> Edit:
    return {"id": str(pk), "name": name, "values": values, "lock": list(lock), "unlock": list(unlock)}
