"""Undoing in the list: what was just saved there is taken back, with the lock that it made."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.admin import ModelAdmin
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path

from catalog.admin import desk
from catalog.admin.author import author_of, user_of
from catalog.admin.cells import GONE, MOST_EDITS, Malformed, row_now
from catalog.admin.columns import EDITABLE
from catalog.changes import Author
from catalog.models import Batch, Change, Show
from catalog.models.change import Kind
from catalog.revert import revert
from catalog.values import LARGEST_ID

REASON = "undone in the list"


def read_step(body: bytes) -> dict[str, Any]:
    """What is to be undone: {"pk__in": ids of changes} or {"batch": id}. Raises Malformed."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON.") from error
    data = data if isinstance(data, dict) else {}
    batch, changes = data.get("batch"), data.get("changes")
    if isinstance(batch, str):
        try:
            return {"batch": UUID(batch)}
        except ValueError as error:
            raise Malformed("`batch` must be the id of a batch.") from error
    if not isinstance(changes, list) or not 0 < len(changes) <= MOST_EDITS:
        raise Malformed(f"`changes` must be a list of 1 to {MOST_EDITS} changes, or `batch` a batch.")
    if not all(type(pk) is int and 0 < pk <= LARGEST_ID for pk in changes):
        raise Malformed("`changes` must be ids of changes.")
    return {"pk__in": changes}


def own_edits(request: HttpRequest, step: dict[str, Any]) -> QuerySet[Change]:
    """Of what is to be undone, what this person did in cells: nothing else is undone without the right to revert."""
    mine = Change.objects.filter(**step, user=user_of(request), kind=Kind.UPDATED)
    single = mine.filter(batch__isnull=True) if "batch" not in step else mine.filter(batch__kind=Batch.Kind.CELLS)
    names = {*EDITABLE, "locked_fields"}
    edits = [pk for pk, fields in single.values_list("pk", "fields") if names.issuperset(fields)]
    return Change.objects.filter(pk__in=edits)


def undo(step: dict[str, Any], edits: QuerySet[Change], author: Author) -> list[dict[str, Any]]:
    """Takes the edits back, the newest first; the answers of their rows, with why one stays."""
    if "batch" in step:
        parts: Iterable[dict[str, Any]] = [step]
    else:
        parts = [{"change": pk} for pk in edits.order_by("-pk").values_list("pk", flat=True)]
    stays: dict[str, str] = {}
    for part in parts:
        stays |= {show_id: words for show_id, _, words in revert(part, author, lock=False).failures}
    return [answer(pk, stays) for pk in sorted(set(edits.values_list("show_id", flat=True)))]


def answer(show_id: UUID, stays: dict[str, str]) -> dict[str, Any]:
    try:
        row = row_now(show_id)
    except Show.DoesNotExist:
        return {"id": str(show_id), "ok": False, "error": GONE}
    return row | {"ok": str(show_id) not in stays, "error": stays.get(str(show_id), "")}


def pages(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    def view(request: HttpRequest) -> JsonResponse:
        """Takes back what was saved: {"changes": [ids]} or {"batch": id} -> {"rows": [an answer a row]}."""
        if request.method != "POST":
            return JsonResponse({"detail": "An undo is sent by POST."}, status=405, headers={"Allow": "POST"})
        if not model_admin.has_change_permission(request):
            return JsonResponse({"detail": "You may look at shows, but not change them."}, status=403)
        try:
            step = read_step(request.body)
        except RequestDataTooBig:
            return JsonResponse({"detail": "This is too much to be undone at once."}, status=413)
        except Malformed as error:
            return JsonResponse({"detail": str(error)}, status=400)
        edits = own_edits(request, step)
        asked = len(set(step["pk__in"])) if "pk__in" in step else Change.objects.filter(**step).count()
        if not asked or edits.count() != asked:
            return JsonResponse({"detail": "Only what you saved in the list yourself is undone here."}, status=404)
        try:
            return JsonResponse({"rows": undo(step, edits, author_of(request, REASON))})
        except ValidationError as error:
            return JsonResponse({"detail": " ".join(error.messages)}, status=400)

    return [path("cells/undo/", model_admin.admin_site.admin_view(view), name="catalog_show_cells_undo")]


desk.pages.append(pages)
