"""The list of shows: a grid that editors work in."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import IGNORED_PARAMS, PAGE_VAR
from django.core.exceptions import ValidationError
from django.db.models import OrderBy, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from catalog.admin import (
    cells_undo,  # noqa: F401 - its page belongs to the list
    desk,
)
from catalog.admin.columns import GridColumn, all_columns, row_html
from catalog.admin.filters import FilterField, filter_fields
from catalog.admin.paginator import BoundedPaginator
from catalog.admin.saved_views import may_edit, views_for
from catalog.edits import version_subquery
from catalog.models import SavedView, Show
from catalog.show_filters import ORDER, SEARCH, VIEW, filtered_shows, searched_shows, with_view

COLUMNS: Final = "columns"
# What a page of the list takes beside the words of `filtered_shows`.
OWN_PARAMS: Final = frozenset({*IGNORED_PARAMS, COLUMNS, "_changelist_filters"}) - {SEARCH}
# Filters that are folded away until they are asked.
RARE_FILTERS: Final = frozenset({"needs", "locked", "gone", "stale", "region", "provider"})

# Raw replies are up to 100 kB each, and no list shows the others.
HEAVY: Final = ("tmdb_meta", "imdb_meta", "description", "keywords", "upstream_values")


def parsed_order(text: str) -> tuple[list[tuple[str, bool]], list[str]]:
    """What `-updated,name` asks for: (column, whether descending), by name for nothing; and what can't be sorted by."""
    columns, order, unknown = all_columns(), [], []
    for part in filter(None, text.split(",")):
        name = part.removeprefix("-")
        if name in columns and columns[name].order_by:
            order.append((name, part != name))
        else:
            unknown.append(name)
    return order or [("name", False)], unknown


def ordered(shows: QuerySet[Show], order: Iterable[tuple[str, bool]]) -> QuerySet[Show]:
    columns, ordering = all_columns(), list[OrderBy]()
    for name, descending in order:
        column = columns[name]
        shows = column.annotate_order(shows) if column.annotate_order else shows
        ordering += column.ordered(descending=descending)
    return shows.order_by(*ordering, "pk")


class ShowChangeList(ChangeList):
    """Asks `filtered_shows`, orders by the names of columns, and brings what the cells need for one page alone."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.errors: dict[str, list[str]] = {}
        self.user = request.user
        super().__init__(request, *args, **kwargs)
        self.editable = self.model_admin.has_change_permission(request)
        self.selectable = "action_checkbox" in self.list_display  # there is something to be done with them
        self.title = "Shows"
        self.may_edit_view = self.view is not None and may_edit(self.user, self.view)
        self.parts = [part(request, self) for part in desk.list_parts]

    # --- what is asked

    @cached_property
    def asked(self) -> dict[str, str]:
        """The parameters of this address that filter."""
        return {name: value for name, value in self.params.items() if name not in OWN_PARAMS}

    @cached_property
    def views(self) -> list[SavedView]:
        """Saved views to choose from: one's own and the shared ones, and the one in use."""
        return views_for(self.user, self.params.get(VIEW, ""))

    @cached_property
    def view(self) -> SavedView | None:
        slug = self.params.get(VIEW)
        return next((view for view in self.views if view.slug == slug), None) if slug else None

    @cached_property
    def effective(self) -> dict[str, str]:
        """What is asked in all, those of the saved view included."""
        asked = self.asked if self.view is None else with_view(self.view, self.asked)
        return {name: value.strip() for name, value in asked.items() if value.strip()}

    @cached_property
    def columns(self) -> list[GridColumn]:
        """The chosen columns in their order, the name always first."""
        columns = all_columns()
        chosen = [name for text in self.filter_params.get(COLUMNS, []) for name in text.split(",") if name.strip()]
        names = [name.strip() for name in chosen]
        if not names and self.view:
            names = [name for name in self.view.columns if name in columns]
        elif unknown := [name for name in names if name not in columns]:
            self.errors[COLUMNS] = [f"There is no column “{name}”." for name in unknown]
        known = [name for name in names if name in columns] or [each.name for each in columns.values() if each.usual]
        return [columns[name] for name in dict.fromkeys(["name", *known])]

    @cached_property
    def order(self) -> list[tuple[str, bool]]:
        """(column, whether descending), as `o=-updated,name` asks for it."""
        text = self.params.get(ORDER) or (str(self.view.params.get(ORDER, "")) if self.view else "")
        order, unknown = parsed_order(text)
        if unknown:
            self.errors[ORDER] = [f"The list can't be sorted by “{name}”." for name in unknown]
        return order

    # --- what is found

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Show]:
        self.filter_specs: list[Any] = []
        self.has_filters, self.has_active_filters = False, bool(self.effective)
        self.clear_all_filters_qs = "?"
        asked = self.effective if self.view else {name: value for name, value in self.asked.items() if value.strip()}
        try:
            found = filtered_shows(asked, self.root_queryset)
        except ValidationError as error:
            self.errors |= error.message_dict
            found = self.root_queryset.none()
        if twice := self.asked_twice():
            self.errors |= twice
            found = self.root_queryset.none()
        return ordered(found, self.order)

    def asked_twice(self) -> dict[str, list[str]]:
        """The filters to which the address gives several answers: which one was meant?"""
        answers = {name: list(dict.fromkeys(filter(None, self.filter_params.get(name, ())))) for name in self.asked}
        return {
            name: [f"It is asked for {' and '.join(f'“{value}”' for value in values)}: one answer is possible."]
            for name, values in answers.items()
            if len(values) > 1
        }

    def get_results(self, request: HttpRequest) -> None:
        """Finds the ids of a page first: the cells' annotations are then made for its rows and no others."""
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        wanted, pks = request.GET.get(PAGE_VAR, "1"), list[UUID]()
        if wanted == "1":
            pks = list(self.queryset.values_list("pk", flat=True)[: self.list_per_page + 1])
            if len(pks) <= self.list_per_page:
                self.paginator.count = len(pks)  # all of them are on this page
        page = self.paginator.get_page(wanted)
        if str(page.number) != wanted:
            self.errors[PAGE_VAR] = [f"There is no page “{wanted}”. This is page {page.number}."]
        self.page_num, self.result_count = page.number, self.paginator.count
        self.full_result_count, self.show_full_result_count, self.show_admin_actions = None, False, True
        self.can_show_all, self.multi_page = False, self.result_count > self.list_per_page
        pks = pks[: self.list_per_page] or list(page.object_list.values_list("pk", flat=True))
        found = self.with_cells(Show.objects.defer(*HEAVY)).in_bulk(pks)
        self.result_list = [found[pk] for pk in pks if pk in found]

    def with_cells(self, shows: QuerySet[Show]) -> QuerySet[Show]:
        """Brings what the cells of the chosen columns show."""
        shows = shows.annotate(version=version_subquery())
        for column in self.columns:
            shows = column.annotate(shows) if column.annotate else shows
        return shows

    # --- what is shown

    @property
    def rows(self) -> list[SafeString]:
        pattern = reverse("admin:catalog_show_change", args=("0",))
        before, _, after = pattern.rpartition("0")
        after = add_preserved_filters({"preserved_filters": self.preserved_filters, "opts": self.opts}, after)
        return [
            row_html(
                show, self.columns, f"{before}{show.pk}{after}", editable=self.editable, selectable=self.selectable
            )
            for show in self.result_list
        ]

    @property
    def headers(self) -> list[dict[str, Any]]:
        """For each column its label, how it is sorted now, and the address that sorts by it (then the other way)."""
        directions = dict(self.order)
        headers = []
        for column in self.columns:
            descending = directions.get(column.name)
            turned = f"{'-' if descending is False else ''}{column.name}"
            headers.append(
                {
                    "column": column,
                    "sort": {None: "none", False: "ascending", True: "descending"}[descending],
                    "url": self.get_query_string({ORDER: turned}) if column.order_by else "",
                }
            )
        return headers

    @property
    def column_choices(self) -> list[tuple[GridColumn, bool]]:
        shown = {column.name for column in self.columns}
        return [(column, column.name in shown) for column in all_columns().values()]

    @cached_property
    def filter_fields(self) -> list[FilterField]:
        return filter_fields(self.effective, self.errors, self.view)

    @property
    def usual_filters(self) -> list[FilterField]:
        return [field for field in self.filter_fields if field.parameter not in RARE_FILTERS]

    @property
    def rare_filters(self) -> list[FilterField]:
        return [field for field in self.filter_fields if field.parameter in RARE_FILTERS]

    @property
    def asks_rarely(self) -> bool:
        """Whether one of the rare filters has an answer, or was asked wrongly: they are then not folded away."""
        return any(field.value or field.errors for field in self.rare_filters)

    @property
    def other_errors(self) -> list[str]:
        """Those that belong to no field of the filter bar."""
        shown = {field.parameter for field in self.filter_fields}
        return [text for name, texts in self.errors.items() if name not in shown for text in texts]

    def kept(self, *without: str) -> list[tuple[str, str]]:
        """The parameters that a form of this page hands on."""
        return [
            (name, value)
            for name, values in self.filter_params.items()
            for value in values
            if name not in without and value
        ]

    @property
    def kept_by_filters(self) -> list[tuple[str, str]]:
        return self.kept(SEARCH, *(field.parameter for field in self.filter_fields), *self.errors)

    @property
    def kept_by_columns(self) -> list[tuple[str, str]]:
        return self.kept(COLUMNS)

    @property
    def to_save(self) -> str:
        """What a view saved from this page keeps, as a query string."""
        params = {name: value for name, value in self.effective.items() if name not in self.errors}
        if self.order != [("name", False)]:
            params[ORDER] = ",".join(f"{'-' if descending else ''}{name}" for name, descending in self.order)
        return urlencode(params)

    @property
    def columns_to_save(self) -> str:
        names = [column.name for column in self.columns]
        usual = [column.name for column in all_columns().values() if column.usual]
        return "" if names == usual else ",".join(names)

    @property
    def usual_columns(self) -> str:
        """The address of this list with the usual columns, also where a view has others."""
        usual = ",".join(column.name for column in all_columns().values() if column.usual)
        return str(self.get_query_string({COLUMNS: usual if self.view and self.view.columns else None}))


class ShowListAdmin(ModelAdmin):
    list_display: Sequence[str] = ("name",)  # ShowChangeList has columns of its own
    search_fields = ("name",)  # what is searched is up to get_search_results
    list_per_page = 100
    list_fullwidth = True
    show_full_result_count = False
    paginator = BoundedPaginator
    change_list_template = "catalog/grid_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Show]:
        """The living shows, without the raw replies, which no page shows."""
        shows: QuerySet[Show] = Show.objects.defer("tmdb_meta", "imdb_meta")
        return shows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ShowChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Show], search_term: str
    ) -> tuple[QuerySet[Show], bool]:
        """For the search of all pages and for fields that complete a show's name."""
        try:
            return searched_shows(search_term, queryset), False
        except ValidationError:
            return queryset.none(), False
