"""What the history is asked for. Each filter is an input of one form, so that they are applied together.

The parameters are those by which other pages lead here: `?run_id=7`, `?batch__id__exact=...`, `?show__id__exact=...`.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter, TextFilter
from unfold.utils import parse_date_str

from catalog.admin import desk
from catalog.locks import EDITORIAL_FIELDS, LOCKABLE_RELATIONS, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models.change import Kind
from catalog.values import LARGEST_ID, label

FIELDS = (
    *UPSTREAM_FIELDS,
    *EDITORIAL_FIELDS,
    *RESOLUTION_FLAGS.values(),
    *LOCKABLE_RELATIONS,
    "locked_fields",
)


JOB = "job:"


def job_runs() -> dict[str, Any]:
    """The jobs that have run, by name, each with a query of the ids of its runs."""
    return {name: runs for named in desk.jobs for name, runs in named().items()}


class AuthorFilter(DropdownFilter):
    """People or jobs, one job by its name, or one person."""

    title = "author"
    parameter_name = "user__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        users = get_user_model()._default_manager.filter(is_staff=True).order_by("username")
        people = [(str(user.pk), user.get_username()) for user in users]
        jobs = [(f"{JOB}{name}", f"Job {name}") for name in job_runs()]
        return [("people", "Any person"), ("jobs", "Any job"), *jobs, *people]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value == "people":
            return queryset.filter(user__isnull=False)
        if value == "jobs":
            return queryset.filter(run_id__isnull=False)
        if value is not None and value.startswith(JOB):
            return queryset.filter(run_id__in=job_runs().get(value.removeprefix(JOB), ()))
        return matching(request, queryset, "user_id", value, row_id, "The author is a user's number")


class RunFilter(TextFilter):
    title = "run"
    parameter_name = "run_id"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return matching(request, queryset, "run_id", self.value(), row_id, "A run is a number, like 12")


class BatchFilter(TextFilter):
    title = "batch"
    parameter_name = "batch__id__exact"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return matching(request, queryset, "batch_id", self.value(), UUID, "A batch is the long id of its address")


class ShowFilter(TextFilter):
    title = "show's id"
    parameter_name = "show__id__exact"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return matching(request, queryset, "show_id", self.value(), UUID, "A show is the long id of its address")


class FieldFilter(DropdownFilter):
    title = "field"
    parameter_name = "field"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, label(name)) for name in FIELDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(fields__has_key=value.replace("\x00", "")) if value else queryset


class KindFilter(DropdownFilter):
    title = "kind"
    parameter_name = "kind__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, text) for value, text in Kind.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() in Kind.values else queryset


class VolatileFilter(DropdownFilter):
    """Changes of votes and popularity alone are left out unless they are asked for."""

    title = "votes and popularity"
    parameter_name = "volatile"
    all_option = ("", "Left out")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("only", "Only these"), ("all", "Shown too")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() == "all" else queryset.filter(volatile=self.value() == "only")


class DayFilter(RangeDateFilter):
    """From one day to another, both of them whole (UTC)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.title = "day (UTC)"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for name, lookup, days in (("from", "gte", 0), ("to", "lt", 1)):
            text = self.used_parameters.get(f"{self.parameter_name}_{name}")
            if not text:
                continue
            day = parse_date_str(text)
            if day is None:
                messages.warning(request, "A day is written like 2026-01-31; the other filters are applied.")
            else:
                queryset = queryset.filter(**{f"ts__date__{lookup}": day + timedelta(days=days)})
        return queryset


FILTERS: tuple[Any, ...] = (
    AuthorFilter,
    KindFilter,
    FieldFilter,
    ("ts", DayFilter),
    RunFilter,
    BatchFilter,
    ShowFilter,
    VolatileFilter,
)


def row_id(text: str) -> int:
    number = int(text)
    if not 0 <= number <= LARGEST_ID:
        raise ValueError
    return number


def matching(
    request: HttpRequest, queryset: QuerySet[Any], column: str, text: str | None, read: Callable[[str], Any], what: str
) -> QuerySet[Any]:
    """Rows whose column is what was typed; none, and a word why, for what it can't be."""
    if not text or not text.strip():
        return queryset
    try:
        return queryset.filter(**{column: read(text.strip())})
    except ValueError:
        messages.warning(request, f"{what}, so nothing is found.")
        return queryset.none()
