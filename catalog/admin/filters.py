"""Filters of admin's lists: those of shows as a bar of fields, those of other lists as Django's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Case, F, Q, QuerySet, When
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import URLPattern, path

from catalog.admin import desk
from catalog.changes import entity_label
from catalog.models import Network, SavedView, Show, WatchProvider
from catalog.show_filters import show_filters

# Whose names a field completes: the model, and the column of its names.
COMPLETED: Final[dict[str, tuple[type[Any], str]]] = {
    "network": (Network, "name"),
    "provider": (WatchProvider, "provider_name"),
}
MOST_NAMES = 20


def statuses() -> list[tuple[str, str]]:
    found = Show.objects.filter(tmdb_status__isnull=False).order_by("tmdb_status").values_list("tmdb_status", flat=True)
    return [(status, status) for status in found.distinct()]


# Answers that are known from the data alone.
FROM_DATA: Final[dict[str, Callable[[], list[tuple[str, str]]]]] = {"status": statuses}


@dataclass(frozen=True, slots=True)
class FilterField:
    """A filter of shows as a form shows it: a choice where its answers are known, else a text."""

    parameter: str
    label: str
    value: str
    answers: list[tuple[str, str]]
    is_completed: bool
    errors: Sequence[str]
    of_view: bool  # an empty answer must then be said, as it takes the view's away

    @property
    def is_unknown(self) -> bool:
        """Whether the value is none of those to choose from."""
        return bool(self.value) and self.value not in dict(self.answers)


def filter_fields(
    values: Mapping[str, str], errors: Mapping[str, Sequence[str]], view: SavedView | None
) -> list[FilterField]:
    """The fields of all filters of shows, with what is asked now and what was wrong about it."""
    return [
        FilterField(
            each.parameter,
            each.label,
            values.get(each.parameter, ""),
            [*FROM_DATA.get(each.parameter, list)(), *each.answers()],
            each.parameter in COMPLETED,
            errors.get(each.parameter, ()),
            view is not None and each.parameter in view.params,
        )
        for each in show_filters()
    ]


def names_like(parameter: str, text: str) -> list[str]:
    """Names that contain `text`, those that begin with it first, in the form that the filter takes."""
    model, column = COMPLETED[parameter]
    found = model.objects.filter(**{f"{column}__icontains": text}).annotate(
        later=Case(When(**{f"{column}__istartswith": text}, then=0), default=1)
    )
    return [
        entity_label(name, pk)
        for name, pk in found.order_by("later", column, "pk").values_list(column, "pk")[:MOST_NAMES]
    ]


def pages(model_admin: Any) -> list[URLPattern]:
    def names(request: HttpRequest, parameter: str) -> JsonResponse:
        """Completes the name that is typed into the field of a filter: ?term= -> {"names": [...]}."""
        if not model_admin.has_view_permission(request):
            raise PermissionDenied
        if parameter not in COMPLETED:
            raise Http404
        text = request.GET.get("term", "").strip().replace("\x00", "")
        return JsonResponse({"names": names_like(parameter, text)})

    wrap = model_admin.admin_site.admin_view
    return [path("names/<slug:parameter>/", wrap(names), name="catalog_show_names")]


desk.pages.append(pages)


class Answers(admin.SimpleListFilter):
    """A filter whose answers are conditions: {value of the parameter: (label, condition)}."""

    answers: ClassVar[dict[str, tuple[str, Q]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, label) for value, (label, _) in self.answers.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        answer = self.answers.get(self.value() or "")
        return queryset.filter(answer[1]) if answer else queryset


class LogoFilter(Answers):
    title = "logo"
    parameter_name = "logo"
    answers: ClassVar = {
        "mirrored": ("Mirrored", Q(hosted_logo_key__isnull=False, hosted_logo_path__isnull=False)),
        "none": ("None upstream", Q(hosted_logo_key__isnull=True, tmdb_logo_path__isnull=True)),
        "waiting": (
            "To be mirrored by the next sync",
            Q(logo_locked=False, logo_error="", tmdb_logo_path__isnull=False)
            & (
                Q(hosted_logo_key__isnull=True)
                | Q(hosted_logo_path__isnull=True)
                | ~Q(hosted_logo_path=F("tmdb_logo_path"))
            ),
        ),
        "failed": ("Failed", ~Q(logo_error="")),
        "uploaded": (  # one that is to be mirrored again has neither path nor hash
            "Uploaded by an editor",
            Q(hosted_logo_key__isnull=False, hosted_logo_sha256__isnull=False, hosted_logo_path__isnull=True),
        ),
    }


class MergedFilter(Answers):
    title = "merged"
    parameter_name = "merged"
    answers: ClassVar = {
        "no": ("Stands for itself", Q(merged_into__isnull=True)),
        "yes": ("Merged into another", Q(merged_into__isnull=False)),
    }
