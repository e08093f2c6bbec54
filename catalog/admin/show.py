"""Shows in admin: every write goes through catalog.edits, so it locks, and leaves a Change."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from catalog.admin import desk
from catalog.admin.author import author_of
from catalog.admin.bulk import bulk_edit, preview_of
from catalog.admin.delete_selected import delete_selected
from catalog.admin.merge import merge_selected
from catalog.admin.show_export import export_selected
from catalog.admin.show_list import ShowListAdmin
from catalog.admin.show_page import ShowPageAdmin
from catalog.admin.text import counted, queued_run
from catalog.admin.unlogged import UnloggedAdmin
from catalog.bulk import NO_MATCH, UNLOCK_ALL, plan_bulk, plan_no_match, shows_to_edit
from catalog.models import Show
from catalog.sync_queue import queue_sync
from catalog.trash import delete_show


@admin.register(Show)
class ShowAdmin(UnloggedAdmin, ShowListAdmin, ShowPageAdmin):
    actions = (
        bulk_edit,
        "sync_now",
        merge_selected,
        export_selected,
        "unlock_all",
        "decide_no_matches",
        delete_selected,
    )

    def get_urls(self) -> list[URLPattern]:
        return [*(url for page in desk.pages for url in page(self)), *super().get_urls()]

    def delete_model(self, request: HttpRequest, obj: Show) -> None:
        delete_show(obj.pk, author_of(request))

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
        run_id = queue_sync(request.user.pk, show_ids)
        self.message_user(request, queued_run(request.user, run_id, counted(len(show_ids))))

    @admin.action(description="Unlock: take TMDb's values back", permissions=["bulk_edit"])
    def unlock_all(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse:
        """By way of the preview: nothing is changed before it has been seen."""
        shows = shows_to_edit(ids_of(queryset), UNLOCK_ALL)
        plan = plan_bulk(shows, UNLOCK_ALL)
        return preview_of(request, shows, plan, "Every locked field: unlock", "taken back to upstream")

    @admin.action(description="No match on TMDb: decided", permissions=["bulk_edit"])
    def decide_no_matches(self, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse:
        """By way of the preview too; an id that nobody has called in question stays."""
        shows = shows_to_edit(ids_of(queryset), NO_MATCH)
        plan = plan_no_match(shows)
        return preview_of(request, shows, plan, "No match on TMDb: the id is empty, and locked", "no match on TMDb")


def ids_of(queryset: QuerySet[Show]) -> list[UUID]:
    return list(queryset.order_by("pk").values_list("pk", flat=True))
