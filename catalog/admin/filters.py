"""List filters: each is one question that an editor asks of a list."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest


class Answers(admin.SimpleListFilter):
    """A filter whose answers are conditions: {value of the parameter: (label, condition)}."""

    answers: ClassVar[dict[str, tuple[str, Q]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, label) for value, (label, _) in self.answers.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        answer = self.answers.get(self.value() or "")
        return queryset.filter(answer[1]) if answer else queryset


class LockedFilter(Answers):
    title = "locked"
    parameter_name = "locked"
    answers: ClassVar = {
        "yes": ("Some field is locked", ~Q(locked_fields=[])),
        "no": ("No field is locked", Q(locked_fields=[])),
    }


class GoneFilter(Answers):
    title = "gone upstream"
    parameter_name = "gone"
    answers: ClassVar = {"yes": ("TMDb no longer knows its id", Q(needs_tmdb_resolution=True, tmdb_id__isnull=False))}


class OverrideFilter(Answers):
    title = "override"
    parameter_name = "override_is"
    answers: ClassVar = {
        "none": ("None", Q(override="")),
        "skip": ("SKIP", Q(override="SKIP")),
        "y": ("Y", Q(override="Y")),
        "number": ("A number of episodes", ~Q(override__in=("", "SKIP", "Y"))),
    }


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


class VolatileFilter(Answers):
    """Changes of votes and popularity alone are left out unless they are asked for."""

    title = "votes and popularity"
    parameter_name = "volatile"
    answers: ClassVar = {"only": ("Only these", Q(volatile=True)), "all": ("Shown too", Q())}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().queryset(request, queryset) if self.value() in self.answers else queryset.filter(volatile=False)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        first, *rest = super().choices(changelist)
        yield {**first, "display": "Left out"}
        yield from rest
