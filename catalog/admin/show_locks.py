"""Locking and unlocking fields of a show at once, from its page."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from catalog.admin.author import author_of, posted_reason, refuse_without
from catalog.admin.show_rows import NEXT_SYNC, SOURCES, WATCH, Rows, input_of, side_of
from catalog.admin.show_trail import trail_of
from catalog.changes import Author
from catalog.disagreements import take_upstream
from catalog.edits import lock_show, locked_row
from catalog.links import RELATIONS
from catalog.locks import LOCKABLE
from catalog.models import Show
from catalog.provenance import source_of
from catalog.values import label

Act = Callable[[UUID, list[str], Author], str]  # what was done, in words


@transaction.atomic
def unlock_fields(show_id: UUID, names: Sequence[str], author: Author) -> str:
    """Raises as `catalog.edits` does."""
    show = locked_row(show_id)
    locked = [name for name in names if show.is_locked(name)]
    ids = take_upstream(show, names, author)
    done = [unlocked_text(show, name) for name in locked] + [f"{label(name)} is now as upstream says." for name in ids]
    return " ".join(done) or "It was unlocked already."


def unlocked_text(show: Show, name: str) -> str:
    """What became of a field; `show` as it was before."""
    source = SOURCES[source_of(name)]
    if name == WATCH:
        return f"Where to watch is unlocked and {NEXT_SYNC}."
    if name == "override":
        return "Override is unlocked."
    if name in show.upstream_values:
        return f"{label(name)} follows {source} again."
    if name in RELATIONS:
        return f"{label(name)}: unlocked; {source}'s {NEXT_SYNC}."
    return f"{label(name)} is unlocked and stays as it is until {source} says something."


def unlock_all(show_id: UUID, author: Author) -> str:
    return unlock_fields(show_id, Show.objects.only("locked_fields").get(pk=show_id).locked_fields, author)


def lock_fields(show_id: UUID, names: Sequence[str], author: Author) -> str:
    if lock_show(show_id, names, author) is None:
        return "It was locked already."
    return f"{', '.join(map(label, names))}: locked as it stands."


def pages(model_admin: ModelAdmin) -> list[URLPattern]:
    def view(act: Act) -> Any:
        @require_POST
        def answer(request: HttpRequest, show_id: UUID) -> HttpResponse:
            return change_locks(model_admin, request, show_id, act)

        return model_admin.admin_site.admin_view(answer)

    return [
        path("<uuid:show_id>/unlock/", view(unlock_fields), name="catalog_show_unlock"),
        path("<uuid:show_id>/lock/", view(lock_fields), name="catalog_show_lock"),
    ]


def change_locks(model_admin: ModelAdmin, request: HttpRequest, show_id: UUID, act: Act) -> HttpResponse:
    refuse_without(request, "catalog.change_show")
    author = author_of(request, posted_reason(request))
    names = list(dict.fromkeys(request.POST.getlist("fields")))
    everything = act is unlock_fields and "all" in request.POST
    try:
        if not everything and (not names or not LOCKABLE.issuperset(names)):
            raise ValidationError("No such field can be locked or unlocked.")
        done = unlock_all(show_id, author) if everything else act(show_id, names, author)
    except ValidationError as error:
        return refused(request, show_id, " ".join(error.messages))
    except Show.DoesNotExist:
        return gone(request)
    if not wants_json(request):
        messages.success(request, done)
        return back(request, show_id)
    show = Show.objects.defer("tmdb_meta", "imdb_meta").get(pk=show_id)
    return JsonResponse({"message": done} | fragments(model_admin, request, show, names))


def fragments(model_admin: ModelAdmin, request: HttpRequest, show: Show, names: list[str]) -> dict[str, Any]:
    """What a page that is open must draw anew: the rows of these fields, and the trail."""
    form: Any = model_admin.get_form(request, show, change=True)(instance=show)
    rows = Rows(show, form, editable=True)
    fields = {}
    for name in names:
        row = rows.row(name)
        fields[name] = {"side": side_of(row, show, editable=True), "locked": row.locked}
        if row.bound is not None:
            fields[name]["input"] = input_of(row)
    return {"fields": fields, "locked": len(show.locked_fields), "trail": trail_of(show, request.user)}


def wants_json(request: HttpRequest) -> bool:
    """A script on the page asks for JSON by name; a form that is sent without one gets the page again."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def refused(request: HttpRequest, show_id: UUID, text: str) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"message": f"Nothing was changed. {text}"}, status=409)
    messages.error(request, f"Nothing was changed. {text}")
    return back(request, show_id)


def gone(request: HttpRequest) -> HttpResponse:
    text = "Somebody has deleted this show meanwhile."
    if wants_json(request):
        return JsonResponse({"message": text}, status=404)
    messages.error(request, text)
    return redirect("admin:catalog_show_changelist")


def back(request: HttpRequest, show_id: UUID) -> HttpResponse:
    """To the page that it was sent from, where that is one of ours and says so; else to the show's."""
    following = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(following, {request.get_host()}, require_https=request.is_secure()):
        return redirect(following)
    return redirect("admin:catalog_show_change", show_id)
