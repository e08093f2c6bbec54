"""Users and groups: seen and changed by admins (superusers) alone, and every change of rights is recorded."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from catalog.access import Rights, record_rights, rights_of, rights_of_group
from catalog.admin.unlogged import UnloggedAdmin


class PeopleAdmin(UnloggedAdmin):
    """A staff user who could edit users could make himself a superuser: so only superusers can."""

    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        """Ticks: they are few, and all can be seen and reached by keyboard."""
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if db_field.remote_field.model is Permission:
            field.queryset = field.queryset.order_by("content_type__app_label", "content_type__model", "codename")
            field.label_from_instance = lambda permission: (
                f"{permission.name} ({permission.content_type.app_label}.{permission.codename})"
            )
        return field

    def rights(self, obj: Any) -> Rights:
        raise NotImplementedError

    def label(self, obj: Any) -> str:
        return str(obj)

    def record(self, request: HttpRequest, obj: Any, before: Rights) -> None:
        record_rights(self.label(obj), before, self.rights(obj), request.user, request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.rights_before = self.rights(obj) if change else {}
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        self.record(request, form.instance, form.rights_before)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        before, label = self.rights(obj), self.label(obj)
        super().delete_model(request, obj)
        record_rights(label, before, {}, request.user, request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for obj in queryset.order_by("pk"):
                self.delete_model(request, obj)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        obj = self.get_object(request, object_id)
        if obj is None:
            return redirect("admin:index")
        return redirect(f"{reverse('admin:catalog_accessevent_changelist')}?{urlencode({'q': self.label(obj)})}")


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class TrrUserAdmin(PeopleAdmin, UserAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("groups", "is_active", "is_staff", "is_superuser")
    list_per_page = 100
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", ("first_name", "last_name"), "email")}),
        (
            "Rights",
            {
                "fields": ("is_active", "is_staff", "is_superuser", "groups"),
                "description": "The groups are the roles: viewer, editor, operator. Who may log in here is staff; "
                "a superuser is an admin and may do all. Take the tick from “active” instead of deleting somebody: "
                "what they did keeps its author.",
            },
        ),
        ("More permissions", {"classes": ("collapse",), "fields": ("user_permissions",)}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "usable_password", "password1", "password2", "is_staff", "groups"),
            },
        ),
    )

    def rights(self, obj: Any) -> Rights:
        return rights_of(obj)

    def label(self, obj: Any) -> str:
        return str(obj.get_username())

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        users: QuerySet[User] = super().get_queryset(request)
        return users.prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody locks himself out by a click: another admin has to."""
        own = ("is_active", "is_staff", "is_superuser") if obj is not None and obj.pk == request.user.pk else ()
        return ("last_login", "date_joined", *own)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.pk != request.user.pk)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        user = self.get_object(request, id)
        with transaction.atomic():
            before = rights_of(user) if user is not None else {}
            response = super().user_change_password(request, id, form_url)
            if user is not None:
                self.record(request, user, before)
        return response

    @admin.display(description="groups")
    def roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all())


@admin.register(Group)
class TrrGroupAdmin(PeopleAdmin, GroupAdmin):
    list_display = ("name", "members")
    filter_horizontal = ()

    def rights(self, obj: Any) -> Rights:
        return rights_of_group(obj)

    def label(self, obj: Any) -> str:
        return f"group {obj.name}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(member_count=Count("user"))

    @admin.display(description="members", ordering="member_count")
    def members(self, group: Any) -> int:
        return int(group.member_count)


def change_own_password(request: HttpRequest) -> HttpResponse:
    """Admin's own page, with the change recorded."""
    with transaction.atomic():
        before = rights_of(request.user)  # type: ignore[arg-type]
        response = admin.site.password_change(request)
        record_rights(request.user.get_username(), before, rights_of(request.user), request.user, request)  # type: ignore[arg-type]
    return response


def own_pages() -> list[URLPattern]:
    view = admin.site.admin_view(change_own_password, cacheable=True)
    return [path("password_change/", view, name="password_change")]


admin.site.extra_urls = own_pages  # type: ignore[attr-defined]  # unfold's hook: these come before admin's own
