"""Deleting many shows from the list: what goes, the reason, and then a batch that is reverted as one."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path

from catalog.admin import desk
from catalog.admin.author import refuse_without, user_of
from catalog.admin.drafts import ReasonForm, page, view
from catalog.admin.text import counted
from catalog.batches import AT_ONCE, Edit, draft, submit
from catalog.models import Batch, Show

PERMISSION = "catalog.delete_show"
NAMED = 100  # shows that the question names
GONE = "Nothing was deleted: the question was asked more than a day ago. Select the shows again."


@admin.action(description="Delete selected shows", permissions=["delete"])
def delete_selected(model_admin: "ModelAdmin[Show]", request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse:
    """Takes the selected shows, or the whole filter, to the question; their ids stay in a draft."""
    refuse_without(request, PERMISSION)
    edits: list[Edit] = [
        {"id": str(pk), "name": name, "values": {}, "delete": True} for pk, name in queryset.values_list("pk", "name")
    ]
    batch = draft(Batch.Kind.EDIT, user_of(request), edits, deletes=True, steps=["Moved to the trash"])
    return redirect("admin:catalog_show_delete_selected", batch.pk)


def confirm(model_admin: "ModelAdmin[Show]", request: HttpRequest, batch_id: UUID) -> HttpResponse:
    refuse_without(request, PERMISSION)
    mine = Batch.objects.filter(pk=batch_id, kind=Batch.Kind.EDIT, user=user_of(request), plan__deletes=True)
    batch = mine.first()
    if batch is None:
        messages.error(request, GONE)
        return redirect("admin:catalog_show_changelist")
    if batch.status != Batch.Status.DRAFT:
        return redirect("admin:catalog_batch_change", batch.pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and batch.total:
        mine.filter(status=Batch.Status.DRAFT).update(reason=form.cleaned_data["reason"])
        try:
            submit(batch)
        except Batch.DoesNotExist:
            messages.error(request, GONE)
            return redirect("admin:catalog_show_changelist")
        return redirect("admin:catalog_batch_change", batch.pk)
    context: dict[str, Any] = {
        "title": f"Delete {counted(batch.total)}?",
        "batch": batch,
        "names": [edit["name"] for edit in batch.plan["edits"][:NAMED]],
        "more": max(0, batch.total - NAMED),
        "reason": form,
        "in_background": batch.total > AT_ONCE,
        "at_once": AT_ONCE,
    }
    return page(model_admin, request, "catalog/delete_selected.html", **context)


def urls(model_admin: "ModelAdmin[Show]") -> list[URLPattern]:
    return [
        path("delete-selected/<uuid:batch_id>/", view(model_admin, confirm), name="catalog_show_delete_selected"),
    ]


desk.pages.append(urls)
