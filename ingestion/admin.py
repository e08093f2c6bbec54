"""The ledger in admin: read-only, as it is the record of what happened."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.admin.read_only import ReadOnlyAdmin
from ingestion.models import ResolutionCandidate, SyncFailure, SyncRun, SyncState


class SyncFailureInline(admin.TabularInline):
    model = SyncFailure
    fields = ("item", "reason")
    extra = 0
    can_delete = False
    max_num = 0

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "status", "started_at", "finished_at", "done", "total", "requests", "error")
    list_filter = ("kind", "status")
    inlines = (SyncFailureInline,)


@admin.register(SyncState)
class SyncStateAdmin(ReadOnlyAdmin):
    list_display = ("show", "stage", "status", "last_success_at", "attempted_at", "attempts", "last_error")
    list_filter = ("stage", "status")
    list_select_related = ("show",)
    search_fields = ("show__name", "show__imdb_id")


@admin.register(ResolutionCandidate)
class ResolutionCandidateAdmin(ReadOnlyAdmin):
    list_display = ("show", "tmdb_id", "name", "first_air_date", "score", "why")
    list_select_related = ("show",)
    search_fields = ("show__name", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResolutionCandidate]:
        """Those that still wait: an editor may have decided otherwise since they were found."""
        candidates: QuerySet[ResolutionCandidate] = super().get_queryset(request)
        return candidates.filter(show__needs_tmdb_resolution=True)

    @admin.display(description="reasons")
    def why(self, candidate: ResolutionCandidate) -> str:
        return "; ".join(candidate.reasons)
