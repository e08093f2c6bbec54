"""Tokens of the API: who works at the desk makes them for himself, and sees each of them once."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from knox.models import AuthToken
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from catalog.access import record
from catalog.admin.unlogged import UnloggedAdmin
from catalog.models import AccessEvent

LONGEST = 365  # days

admin.site.unregister(AuthToken)  # knox' own page lets its user choose whose token it is


class TokenForm(forms.ModelForm):
    days = forms.IntegerField(
        label="Days",
        min_value=1,
        max_value=LONGEST,
        initial=90,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="After so many it is no longer accepted. It has your rights as long as it is.",
    )

    class Meta:
        model = AuthToken
        fields = ()


@admin.register(AuthToken)
class TokenAdmin(UnloggedAdmin):
    """Everybody sees his own; an admin sees all, and can take any away."""

    form = TokenForm
    list_display = ("beginning", "user", "created", "expiry", "state")
    list_display_links = None
    list_select_related = ("user",)
    ordering = ("-created", "digest")
    show_full_result_count = False
    actions = ("delete_selected",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request) and (
            obj is None or obj.user_id == request.user.pk or request.user.is_superuser
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        tokens: QuerySet[Any] = super().get_queryset(request)
        return tokens if request.user.is_superuser else tokens.filter(user_id=request.user.pk)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return ((None, {"fields": ("days",)}),)

    @admin.display(description="token", ordering="token_key")
    def beginning(self, token: Any) -> str:
        return f"{token.token_key}…"

    @admin.display(description="state")
    def state(self, token: Any) -> str:
        return "ended" if token.expiry and token.expiry < timezone.now() else "in use"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made, token = AuthToken.objects.create(request.user, timedelta(days=form.cleaned_data["days"]))
        obj.pk = made.pk
        name = request.user.get_username()
        record(AccessEvent.Kind.RIGHTS, name, request.user, request, f"API token made, until {made.expiry:%Y-%m-%d}")
        text = "This is your token. It is shown this once, so copy it now: {}"
        self.message_user(request, format_html(text, token), messages.SUCCESS)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return redirect(reverse("admin:knox_authtoken_changelist"))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        record(AccessEvent.Kind.RIGHTS, obj.user.get_username(), request.user, request, "API token taken away")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for token in queryset.select_related("user"):
            self.delete_model(request, token)
