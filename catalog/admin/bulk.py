"""Bulk edit in three steps: choose what to do, see what it comes to, apply it. A draft batch carries each step."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.text import capfirst

from catalog.admin import desk
from catalog.admin.author import refuse_without, user_of
from catalog.admin.drafts import ReasonForm, page, view
from catalog.admin.text import NOTHING, counted, short
from catalog.batches import AT_ONCE, draft, submit
from catalog.bulk import (
    ACTIONS,
    FIELDS,
    LISTS,
    LOCK,
    SET,
    UNLOCK,
    BulkPlan,
    Operation,
    actions_of,
    check_together,
    parse_operation,
    plan_bulk,
    shows_to_edit,
)
from catalog.changes import set_change
from catalog.links import RELATIONS
from catalog.locks import EDITORIAL_FIELDS, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models import Batch, Show
from catalog.values import field_of, label

PERMISSION: Final = "catalog.bulk_edit_show"
MOST_OPERATIONS: Final = 5
PER_PAGE: Final = 100  # shows of a preview
LONGEST_VALUE: Final = 20_000  # characters
GONE: Final = "This bulk edit is no longer there: drafts are kept for a day. Select the shows again."


@admin.action(description="Bulk edit…", permissions=["bulk_edit"])
def bulk_edit(model_admin: "ModelAdmin[Show]", request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse:
    """Takes the selected shows, or the whole filter, to the first step; their ids stay in the draft."""
    show_ids = list(dict.fromkeys(str(pk) for pk in queryset.values_list("pk", flat=True)))
    batch = draft(Batch.Kind.EDIT, editor(request), [], shows=show_ids)
    return redirect("admin:catalog_show_bulk", batch.pk)


def editor(request: HttpRequest) -> User:
    """Who is logged in, with the right to do this."""
    refuse_without(request, PERMISSION)
    return user_of(request)


def field_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    def group(names: Any) -> list[tuple[str, str]]:
        return [(name, label(name)) for name in names]

    ids = [name for name in UPSTREAM_FIELDS if name.endswith("_id") and not name.startswith("most_recent")]
    episodes = [name for name in UPSTREAM_FIELDS if name.startswith(("show_total", "most_recent"))]
    sources = {
        title: [name for name in UPSTREAM_FIELDS if name.startswith(prefix) and name not in ids]
        for title, prefix in (("TMDb", "tmdb_"), ("IMDb", "imdb_"))
    }
    rest = {*ids, *episodes, *sources["TMDb"], *sources["IMDb"]}
    return [
        ("Ours", group(sorted(EDITORIAL_FIELDS))),
        ("Show", group([*(name for name in UPSTREAM_FIELDS if name not in rest), *RELATIONS, "watch_providers"])),
        ("Episodes", group(episodes)),
        ("Ids", group([*ids, *RESOLUTION_FLAGS.values()])),
        *((title, group(names)) for title, names in sources.items()),
    ]


def hint(name: str) -> str:
    """How a value of this field is written."""
    if name in RELATIONS:
        return "Ids or names, one a line, like 74 or Bravo."
    if name == "watch_providers":
        return ""
    if name in LISTS:
        return "One a line."
    field = field_of(name)
    if name == "override":
        return str(field.help_text)
    if isinstance(field, models.BooleanField):
        return "yes or no"
    kind = "A date like 2026-01-31" if isinstance(field, models.DateField) else ""
    kind = "A number" if isinstance(field, models.IntegerField | models.FloatField) else kind
    if not field.null:
        return "Can't be empty."
    return f"{kind}; empty: not known." if kind else "Empty: not known."


class OperationForm(forms.Form):
    """One row of the first step."""

    field = forms.ChoiceField(choices=lambda: [("", "Choose a field"), *field_groups()])
    action = forms.ChoiceField(label="What to do", choices=[(name, capfirst(text)) for name, text in ACTIONS.items()])
    value = forms.CharField(
        required=False, strip=False, max_length=LONGEST_VALUE, widget=forms.Textarea(attrs={"rows": 2, "cols": 40})
    )
    operation: Operation | None = None

    def __init__(
        self, data: dict[str, str] | None = None, initial: dict[str, str] | None = None, shows: int = 1, index: int = 0
    ) -> None:
        super().__init__(data, initial=initial, auto_id=f"id_%s_{index}", use_required_attribute=False)
        self.shows = shows

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not self.errors:
            self.operation = parse_operation(data["action"], data["field"], data["value"], self.shows)
        return data


def posted_rows(request: HttpRequest) -> list[dict[str, str]]:
    """The rows of the form that are not empty, at least one."""
    columns = [request.POST.getlist(name) for name in ("field", "action", "value")]
    rows = [
        {"field": field, "action": action, "value": value}
        for field, action, value in zip_longest(*columns, fillvalue="")
        if field or value.strip()
    ]
    return rows or [{"field": "", "action": SET, "value": ""}]


def own_draft(request: HttpRequest, batch_id: UUID) -> Batch | HttpResponse:
    """The draft that this person began; or where to go instead."""
    user = editor(request)
    batch = Batch.objects.filter(pk=batch_id, kind=Batch.Kind.EDIT, user=user).first()
    if batch is None or "shows" not in batch.plan:
        messages.error(request, GONE)
        return redirect("admin:catalog_show_changelist")
    if batch.status != Batch.Status.DRAFT:
        return redirect("admin:catalog_batch_change", batch.pk)
    return batch


def choose(model_admin: "ModelAdmin[Show]", request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """The first step; what is sent becomes a draft of its own, so that an older preview stays true."""
    batch = own_draft(request, batch_id)
    if isinstance(batch, HttpResponse):
        return batch
    show_ids = batch.plan["shows"]
    if request.method == "POST":
        rows = posted_rows(request)
        forms_ = [OperationForm(row, shows=len(show_ids), index=index) for index, row in enumerate(rows)]
        reason = ReasonForm(request.POST)
        errors = [] if len(rows) <= MOST_OPERATIONS else [f"At most {MOST_OPERATIONS} steps at once."]
        if all([reason.is_valid(), *(form.is_valid() for form in forms_)]) and not errors:
            operations = [form.operation for form in forms_ if form.operation]
            try:
                check_together(operations)
            except ValidationError as error:
                errors = error.messages
            else:
                preview_of = make_preview(request, show_ids, rows, operations, reason.cleaned_data["reason"])
                return redirect("admin:catalog_show_bulk_preview", preview_of.pk)
    else:
        rows = batch.plan.get("operations") or [{"field": "", "action": SET, "value": ""}]
        forms_ = [OperationForm(initial=row, index=index) for index, row in enumerate(rows)]
        reason, errors = ReasonForm(initial={"reason": batch.reason}), []
    return page(
        model_admin,
        request,
        "catalog/bulk.html",
        title=f"Bulk edit of {counted(len(show_ids))}",
        batch=batch,
        rows=forms_,
        reason=reason,
        errors=errors,
        most=MOST_OPERATIONS,
        no_value=[LOCK, UNLOCK],
        fields={name: {"actions": actions_of(name), "hint": hint(name)} for name in FIELDS},
        names=Show.objects.filter(pk__in=show_ids[:10]).values_list("name", flat=True),
        more=max(0, len(show_ids) - 10),
    )


def make_preview(
    request: HttpRequest, show_ids: list[str], rows: list[dict[str, str]], operations: list[Operation], reason: str
) -> Batch:
    shows = shows_to_edit([UUID(pk) for pk in show_ids], operations)
    plan = plan_bulk(shows, operations)
    living = {str(show.pk) for show in shows}
    gone = [[pk, "", "it has been deleted"] for pk in show_ids if pk not in living]
    return draft(
        Batch.Kind.EDIT,
        editor(request),
        plan.edits,
        reason,
        shows=show_ids,
        operations=rows,
        unchanged=plan.unchanged,
        errors=[*plan.errors, *gone],
    )


def preview_of(request: HttpRequest, shows: list[Show], plan: BulkPlan, step: str, reason: str) -> HttpResponse:
    """To the preview of an action that is worked out already; `step` says in words what it does."""
    show_ids = [str(show.pk) for show in shows]
    told: dict[str, Any] = {"shows": show_ids, "steps": [step], "unchanged": plan.unchanged, "errors": plan.errors}
    batch = draft(Batch.Kind.EDIT, editor(request), plan.edits, reason, **told)
    return redirect("admin:catalog_show_bulk_preview", batch.pk)


def steps_of(batch: Batch) -> list[str]:
    """What a bulk edit does, in words."""
    return [*batch.plan.get("steps", ()), *map(described, batch.plan.get("operations", ()))]


def preview(model_admin: "ModelAdmin[Show]", request: HttpRequest, batch_id: UUID) -> HttpResponse:
    batch = own_draft(request, batch_id)
    if isinstance(batch, HttpResponse):
        return batch
    if not steps_of(batch):
        return redirect("admin:catalog_show_bulk", batch.pk)
    edits, errors = batch.plan["edits"], batch.plan["errors"]
    shown = Paginator(edits, PER_PAGE).get_page(request.GET.get("page"))
    return page(
        model_admin,
        request,
        "catalog/bulk_preview.html",
        title=f"Bulk edit of {counted(len(batch.plan['shows']))}: preview",
        batch=batch,
        steps=steps_of(batch),
        may_go_back="operations" in batch.plan,
        unchanged=batch.plan["unchanged"],
        errors=errors[:PER_PAGE],
        error_count=len(errors),
        locks=sum(len(edit["locks"]) for edit in edits),
        unlocks=sum(len(edit["unlock"]) for edit in edits),
        edits=[(edit, preview_rows(edit)) for edit in shown],
        shown=shown,
        pages=shown.paginator.get_elided_page_range(shown.number),
        nothing=NOTHING,
        in_background=batch.total > AT_ONCE,
        at_once=AT_ONCE,
    )


def apply(model_admin: "ModelAdmin[Show]", request: HttpRequest, batch_id: UUID) -> HttpResponse:
    batch = own_draft(request, batch_id)
    if isinstance(batch, HttpResponse):
        return batch
    if request.method != "POST" or not batch.total:
        return redirect("admin:catalog_show_bulk_preview", batch.pk)
    try:
        submit(batch)
    except Batch.DoesNotExist:
        messages.error(request, GONE)
        return redirect("admin:catalog_show_changelist")
    return redirect("admin:catalog_batch_change", batch.pk)


def described(row: Mapping[str, str]) -> str:
    """A row of the form in words, like `Override: set to SKIP`."""
    text = f"{label(row['field'])}: {ACTIONS[row['action']]}"
    return text if row["action"] in (LOCK, UNLOCK) else f"{text} {short(row['value'].splitlines())}"


def preview_rows(edit: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What happens to each field of a show, to be written as before and after."""
    rows = []
    for name in dict.fromkeys([*edit["shown"], *edit["locks"], *edit["unlock"]]):
        row: dict[str, Any] = {
            "label": label(name),
            "effect": "locks" if name in edit["locks"] else "unlocks" if name in edit["unlock"] else "",
        }
        if name in edit["shown"]:
            before, after = edit["shown"][name]
            both = isinstance(before, list) and isinstance(after, list)
            change: dict[str, Any] | None = set_change(before, after) if both else None
            row |= change or {"before": short(before), "after": short(after)}
        rows.append(row)
    return rows


def urls(model_admin: "ModelAdmin[Show]") -> list[URLPattern]:
    return [
        path("bulk/<uuid:batch_id>/", view(model_admin, choose), name="catalog_show_bulk"),
        path("bulk/<uuid:batch_id>/preview/", view(model_admin, preview), name="catalog_show_bulk_preview"),
        path("bulk/<uuid:batch_id>/apply/", view(model_admin, apply), name="catalog_show_bulk_apply"),
    ]


desk.pages.append(urls)
