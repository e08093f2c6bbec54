"""What is known of each show's stages, and what an unresolved show might be: records, read-only."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst

from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import badge
from ingestion.admin.panels import GRADES
from ingestion.models import ResolutionCandidate, SyncState


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
