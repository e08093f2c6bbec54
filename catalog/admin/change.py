"""The history of all shows: who changed what, when and why, and the way back."""

from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.admin.change_filters import FILTERS
from catalog.admin.paginator import BoundedPaginator
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.revert import revert_pages
from catalog.admin.text import NOTHING, badge, difference
from catalog.models import Change, Show
from catalog.models.change import Kind
from catalog.search import name_key
from catalog.values import label

FIELDS_SHOWN: Final = 3  # of one change, in the list
TONES: Final = {Kind.CREATED: "good", Kind.DELETED: "bad", Kind.MERGED: "warn"}


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ("when", "show_link", "what_kind", "who", "differences", "why", "step", "revert_link")
    list_display_links = ("when",)
    list_filter = FILTERS
    list_filter_submit = True
    show_facets = admin.ShowFacets.NEVER  # each is a count of the whole history
    list_per_page = 100
    list_before_template = "catalog/change_style.html"
    change_form_outer_before_template = "catalog/change_links.html"
    paginator = BoundedPaginator
    search_fields = ("reason", "user__username")
    search_help_text = "Name of the show, user, or reason."
    ordering = ("-id",)
    fields = (("when", "what_kind", "who"), "show_link", "reason", "step", "before_and_after")
    readonly_fields = ("when", "what_kind", "who", "show_link", "reason", "step", "before_and_after")

    def get_urls(self) -> list[URLPattern]:
        return [*revert_pages(self), *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        may_revert = request.user.has_perm("catalog.revert_show")
        return self.list_display if may_revert else self.list_display[:-1]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Any]:
        return type("History", (FirstPageInstead, super().get_changelist(request, **kwargs)), {})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        # Not select_related("show"): its inner join would leave out the changes of shows that are gone for good.
        shows = Show.all_objects.filter(pk=OuterRef("show_id")).order_by()
        changes: QuerySet[Change] = super().get_queryset(request)
        return (
            changes.select_related("user", "batch")
            .defer("batch__plan", "batch__failures")
            .annotate(
                show_name=Subquery(shows.values("name")[:1]), show_deleted=Subquery(shows.values("deleted_at")[:1])
            )
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the name that the show has now, as the list of shows searches it; by user and reason."""
        term = search_term.replace("\x00", "").strip()
        if not term:
            return queryset, False
        named = Show.all_objects.filter(name_key__contains=name_key(term)).order_by()
        found = Q(reason__icontains=term) | Q(user__username__icontains=term) | Q(show_id__in=named.values("pk"))
        return queryset.filter(found), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "title": "Change"}
        change = self.get_object(request, object_id) if object_id.isascii() and object_id.isdecimal() else None
        if change is not None:
            context["change_links"] = links_of(request, change)
        page: HttpResponse = super().change_view(request, object_id, form_url, context)
        return page

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A change has no history but that of its show."""
        change = self.get_object(request, object_id) if object_id.isascii() and object_id.isdecimal() else None
        of_show = f"?show__id__exact={change.show_id}" if change is not None else ""
        return redirect(f"{reverse('admin:catalog_change_changelist')}{of_show}")

    # --- columns

    @admin.display(description="when (UTC)", ordering="id")
    def when(self, change: Change) -> str:
        return f"{change.ts:%Y-%m-%d %H:%M}"

    @admin.display(description="show")
    def show_link(self, change: Any) -> str:
        if change.show_name is None:
            before = change.fields.get("name")
            name = before[0] if isinstance(before, list) and before and before[0] else change.show_id
            return f"{name} (gone for good)"
        page = reverse("admin:catalog_show_change", args=(change.show_id,))
        where = " (deleted)" if change.show_deleted else ""
        return format_html('<a class="history-link" href="{}">{}{}</a>', page, change.show_name, where)

    @admin.display(description="kind", ordering="kind")
    def what_kind(self, change: Change) -> SafeString:
        kind = Kind(change.kind)
        return badge(kind.label, TONES.get(kind, ""))

    @admin.display(description="who", ordering="user__username")
    def who(self, change: Change) -> str:
        if change.user:
            return str(change.user.get_username())
        if change.run_id is None:
            return "-"
        page = reverse("admin:ingestion_syncrun_change", args=(change.run_id,))
        return format_html('<a class="history-link history-run" href="{}">run {}</a>', page, change.run_id)

    @admin.display(description="before → after")
    def differences(self, change: Change) -> SafeString:
        names = list(change.fields)
        context = {
            "differences": [difference(name, change.fields[name]) for name in names[:FIELDS_SHOWN]],
            "more": len(names) - FIELDS_SHOWN,
            "nothing": NOTHING,
            "remark": change.reason if change.kind == Kind.COMMENTED else "",
        }
        return SafeString(render_to_string("catalog/change_differences.html", context))

    @admin.display(description="before → after")
    def before_and_after(self, change: Change) -> SafeString:
        context = {"rows": [whole_difference(name, what) for name, what in change.fields.items()]}
        return SafeString(render_to_string("catalog/change_whole.html", context))

    @admin.display(description="reason")
    def why(self, change: Change) -> str:
        return "" if change.kind == Kind.COMMENTED else change.reason  # a comment stands in its own column

    @admin.display(description="batch")
    def step(self, change: Change) -> str:
        if change.batch is None:
            return ""
        page = reverse("admin:catalog_batch_change", args=(change.batch_id,))
        return format_html('<a class="history-link" href="{}">{}</a>', page, change.batch.get_kind_display())

    @admin.display(description="undo")
    def revert_link(self, change: Change) -> str:
        if change.kind == Kind.COMMENTED:
            return ""
        page = reverse("admin:catalog_change_revert", args=(change.pk,))
        return format_html(
            '<a class="history-link" href="{}">Revert<span class="history-spoken"> change {}</span></a>',
            page,
            change.pk,
        )


class FirstPageInstead:
    """A list that shows its first page where the one asked for is not there, as when a filter has made it shorter."""

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)  # type: ignore[misc]
        except IncorrectLookupParameters:
            self.page_num, self.show_all = 1, False
            super().get_results(request)  # type: ignore[misc]


def whole_difference(name: str, what: Any) -> dict[str, Any]:
    """One entry of `Change.fields` in full: a set as what was added, removed and changed in place."""
    if isinstance(what, dict):
        parts = {part: list(map(str, what.get(part) or ())) for part in ("added", "removed", "changed")}
        return {"label": label(name), "is_set": True, **parts}
    before, after = what if isinstance(what, list) and len(what) == 2 else ("", what)
    return {"label": label(name), "before": whole(before), "after": whole(after)}


def whole(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def links_of(request: HttpRequest, change: Change) -> list[tuple[str, str, str]]:
    """(label, address, class of the button) of where a change leads."""
    history = reverse("admin:catalog_change_changelist")
    links: list[tuple[str, str, str]] = []
    may_revert = request.user.has_perm("catalog.revert_show")
    if may_revert and change.kind != Kind.COMMENTED:
        links.append(("Revert this change…", reverse("admin:catalog_change_revert", args=(change.pk,)), "danger"))
    links.append(("All changes of this show", f"{history}?show__id__exact={change.show_id}", ""))
    if change.batch_id is not None:
        links.append(("All changes of this batch", f"{history}?batch__id__exact={change.batch_id}", ""))
        if may_revert:
            links.append(
                ("Revert the batch…", reverse("admin:catalog_batch_revert", args=(change.batch_id,)), "danger")
            )
    if change.run_id is not None:
        links.append(("All changes of this run", f"{history}?run_id={change.run_id}&volatile=all", ""))
        if request.user.has_perm("catalog.revert_run"):
            links.append(("Revert the run…", reverse("admin:catalog_run_revert", args=(change.run_id,)), "danger"))
    return links
