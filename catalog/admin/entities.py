"""Networks, companies and providers: upstream's facts to read, and logos to replace."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget

from catalog.admin.author import author_of
from catalog.admin.filters import LogoFilter, MergedFilter
from catalog.admin.text import badge, counted
from catalog.duplicates import MergeRefused, merge_networks
from catalog.logos import MAX_BYTES, UnusableLogo, read_logo, upload_logo
from catalog.models import Logo, Network, ProductionCompany, WatchProvider

HOSTED = (
    "hosted_logo_link",
    "hosted_logo_content_type",
    "hosted_logo_bytes",
    "hosted_logo_sha256",
    "hosted_logo_at",
    "logo_error",
)


class LogoForm(forms.ModelForm):
    new_logo = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="PNG, JPEG, WEBP or GIF, at most 5 MB. It stays until you unlock the logo.",
    )

    def clean_new_logo(self) -> bytes | None:
        """The bytes of a logo that can be used."""
        upload = self.cleaned_data["new_logo"]
        if not upload:
            return None
        content = upload.read(MAX_BYTES + 1)
        try:
            read_logo(content)
        except UnusableLogo as error:
            raise forms.ValidationError(f"This can't be used: {error}.") from error
        return bytes(content)


class LogoAdmin(ModelAdmin):
    """Rows come and go with the syncs; an editor changes the logo alone."""

    form = LogoForm
    list_per_page = 100
    show_full_result_count = False
    search_help_text = "Name, or id of TMDb."
    actions: tuple[str, ...] = ("mirror_again",)
    name_field = "name"
    upstream: tuple[str, ...] = ("origin_country", "tmdb_logo_path", "tmdb_fetched_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer("tmdb_meta")

    def get_list_display(self, request: HttpRequest) -> Any:
        return (
            "thumbnail",
            self.name_field,
            self.opts.pk.name if self.opts.pk else "pk",
            "origin_country",
            "state_of_logo",
        )

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return (self.name_field,)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (LogoFilter, "logo_locked", "origin_country")

    def get_search_fields(self, request: HttpRequest) -> Any:
        return (self.name_field, "pk__exact")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (self.name_field, *self.upstream, "thumbnail", *HOSTED)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            (None, {"fields": (self.name_field, *self.upstream)}),
            ("Logo", {"fields": ("thumbnail", "new_logo", "logo_locked", *HOSTED)}),
        )

    @admin.action(description="Mirror the logo again", permissions=["change"])
    def mirror_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """For files that were lost or moved; an editor's own logo is not upstream's to bring back."""
        chosen = queryset.filter(logo_locked=False, tmdb_logo_path__isnull=False)
        # The list may be sorted by the number of shows, and no update can be.
        count = chosen.order_by().update(hosted_logo_path=None, hosted_logo_sha256=None)
        self.message_user(request, f"The next sync mirrors {counted(count, 'logo')} again.")

    @admin.display(description="logo")
    def thumbnail(self, entity: Logo) -> str:
        url = entity.hosted_logo_url
        return format_html('<img class="desk-logo" src="{}" alt="" loading="lazy">', url) if url else ""

    @admin.display(description="state of the logo")
    def state_of_logo(self, entity: Logo) -> str:
        if entity.logo_locked:
            return badge("locked")
        if entity.logo_error:
            return format_html("{} {}", badge("failed", "bad"), entity.logo_error)
        if entity.needs_logo:
            return badge("waits for the next sync", "warn")
        return "" if entity.hosted_logo_key else "none upstream"

    @admin.display(description="hosted logo")
    def hosted_logo_link(self, entity: Logo) -> str:
        url = entity.hosted_logo_url
        return (
            format_html('<a href="{}">{}</a>', url, (entity.hosted_logo_key or "").rpartition("/")[2][:12])
            if url
            else ""
        )

    def save_model(self, request: HttpRequest, obj: Logo, form: Any, change: bool) -> None:
        content = form.cleaned_data.get("new_logo")
        if content:
            upload_logo(obj, content, author_of(request))
        elif "logo_locked" in form.changed_data:
            obj.save(update_fields=["logo_locked"])  # the other columns are the syncs'


@admin.register(Network)
class NetworkAdmin(LogoAdmin):
    upstream = ("origin_country", "merged_into", "tmdb_logo_path", "tmdb_fetched_at")
    actions = ("mirror_again", "merge_into_largest")
    list_select_related = ("merged_into",)
    ordering = ("name", "id")  # an annotated queryset loses the model's

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        networks: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(show_count=Count("show_networks", filter=Q(show_networks__show__deleted_at__isnull=True)))
        )
        return networks

    def get_list_display(self, request: HttpRequest) -> Any:
        return (*super().get_list_display(request), "number_of_shows", "merged_into")

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (*super().get_list_filter(request), MergedFilter)

    @admin.display(description="shows", ordering="show_count")
    def number_of_shows(self, network: Any) -> str:
        address = reverse("admin:catalog_show_changelist")
        return format_html('<a href="{}?network={}">{}</a>', address, network.pk, network.show_count)

    @admin.action(description="Merge into the one with the most shows", permissions=["change"])
    def merge_into_largest(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        networks = sorted(queryset, key=lambda network: (-network.show_count, network.pk))
        if len(networks) < 2:
            self.message_user(request, "Select the network to keep and its duplicates.", messages.ERROR)
            return
        kept, *duplicates = networks
        for duplicate in duplicates:
            try:
                moved = merge_networks(duplicate, kept, author_of(request))
            except MergeRefused as error:
                self.message_user(request, f"{error}.", messages.ERROR)
            else:
                text = f"{duplicate} ({duplicate.pk}) is merged into {kept} ({kept.pk}); {counted(moved)} followed."
                self.message_user(request, text)


@admin.register(ProductionCompany)
class ProductionCompanyAdmin(LogoAdmin):
    pass


@admin.register(WatchProvider)
class WatchProviderAdmin(LogoAdmin):
    name_field = "provider_name"
    upstream = ("display_priority", "origin_country", "tmdb_logo_path", "tmdb_fetched_at")
