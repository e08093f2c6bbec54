"""Logins and rights: who came in, who was kept out, whose rights were changed; and the lock of a login, to open."""

from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils import timezone

from catalog.access import record
from catalog.admin.paginator import BoundedPaginator
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import badge
from catalog.models import AccessEvent

TONES = {
    AccessEvent.Kind.LOGIN: "good",
    AccessEvent.Kind.FAILED: "warn",
    AccessEvent.Kind.LOCKED_OUT: "bad",
}


class ActorFilter(admin.SimpleListFilter):
    """Those who did something, not all users."""

    title = "by"
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rights = AccessEvent.objects.filter(kind=AccessEvent.Kind.RIGHTS, actor__isnull=False).order_by()
        pairs = rights.values_list("actor_id", "actor__username").distinct()
        return [(str(pk), name) for pk, name in sorted(pairs, key=lambda pair: pair[1])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(actor_id=int(value)) if value and value.isdecimal() else queryset


@admin.register(AccessEvent)
class AccessEventAdmin(ReadOnlyAdmin):
    list_display = ("when", "what", "username", "by", "address", "detail")
    list_display_links = None
    list_filter = ("kind", ActorFilter, "ts")
    list_select_related = ("actor",)
    list_per_page = 100
    paginator = BoundedPaginator
    search_fields = ("username",)
    search_help_text = "User name, or a part of it."
    fields = ("when", "what", "username", "by", "address", "detail")
    readonly_fields = fields

    @admin.display(description="when (UTC)", ordering="id")
    def when(self, event: AccessEvent) -> str:
        return f"{event.ts:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="what")
    def what(self, event: AccessEvent) -> str:
        tone = TONES.get(AccessEvent.Kind(event.kind), "")
        return badge(event.get_kind_display(), tone)

    @admin.display(description="by", ordering="actor__username")
    def by(self, event: AccessEvent) -> str:
        return event.actor.get_username() if event.actor else ""


@admin.register(AccessAttempt)
class LockedLoginAdmin(ReadOnlyAdmin):
    """Failed logins as the lockout counts them. To unlock takes the counts of a name and address away."""

    list_display = ("username", "ip_address", "failures", "locked", "attempt_time")
    list_display_links = None
    search_fields = ("username", "ip_address")
    actions = ("unlock",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessAttempt]:
        """Axes has a row for each browser; what counts is the sum of a name and address."""
        recent = AccessAttempt.objects.filter(
            username=OuterRef("username"),
            ip_address=OuterRef("ip_address"),
            attempt_time__gte=timezone.now() - settings.AXES_COOLOFF_TIME,
        )
        total = recent.order_by().values("username").annotate(total=Sum("failures_since_start")).values("total")
        attempts: QuerySet[AccessAttempt] = super().get_queryset(request)
        counted: QuerySet[AccessAttempt] = attempts.annotate(recent_failures=Subquery(total))
        return counted

    @admin.display(description="failures", ordering="failures_since_start")
    def failures(self, attempt: AccessAttempt) -> int:
        return int(attempt.failures_since_start)

    @admin.display(description="locked", boolean=True)
    def locked(self, attempt: Any) -> bool:
        return (attempt.recent_failures or 0) >= settings.AXES_FAILURE_LIMIT

    @admin.action(description="Unlock", permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        pairs = sorted(set(queryset.values_list("username", "ip_address")), key=str)
        with transaction.atomic():
            for username, address in pairs:
                AccessAttempt.objects.filter(username=username, ip_address=address).delete()
                detail = f"unlocked for {address or 'any address'}"
                record(AccessEvent.Kind.RIGHTS, username or "", request.user, request, detail)
        self.message_user(request, f"{len(pairs)} unlocked.")
