"""The pages on which two shows are merged, and on which a merge is undone."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from catalog.admin import desk
from catalog.admin.author import LONGEST_REASON, author_of, posted_reason, refuse_without
from catalog.admin.merge_choices import compare, going_over, picks_of
from catalog.admin.merge_suspects import SUSPECTS, Side, likelier_to_stay, merge_url, names_apart, side_by_side
from catalog.admin.text import FEW
from catalog.edits import ChangedMeanwhile, version_of
from catalog.merging import merge_shows, plan_undo, resolve_merged, unmerge
from catalog.models import Batch, Show
from catalog.models.show import is_imdb_id
from catalog.search import name_key
from catalog.values import label

PERMISSION = "catalog.merge_show"
FOUND = 20  # shows that a search lists
LONGEST_ID = 18  # digits; a longer number is none that the databases can look for


def pages(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    wrap = model_admin.admin_site.admin_view

    def merge(request: HttpRequest) -> HttpResponse:
        return merge_page(model_admin, request)

    def undo(request: HttpRequest, batch_id: UUID) -> HttpResponse:
        return undo_page(model_admin, request, batch_id)

    return [
        path("merge/", wrap(merge), name="catalog_show_merge"),
        path("merge/<uuid:batch_id>/undo/", wrap(undo), name="catalog_show_unmerge"),
    ]


desk.pages.append(pages)
desk.queues.append(SUSPECTS)
desk.buttons.append(desk.Button("Merge…", lambda show: merge_url(show.pk), PERMISSION))


@admin.action(description="Merge duplicates…")
def merge_selected(model_admin: Any, request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse | None:
    """Leads to the page where the two that are selected stand side by side; which one stays can be changed there."""
    if not request.user.has_perm(PERMISSION):
        model_admin.message_user(request, "You may not merge shows: ask for the right to.", messages.ERROR)
        return None
    shows = list(queryset.only("pk", "tmdb_id", "imdb_id", "created_at")[:3])
    if len(shows) != 2:
        model_admin.message_user(request, "Select the two shows that are one.", messages.ERROR)
        return None
    return redirect(merge_url(*(show.pk for show in sorted(shows, key=likelier_to_stay))))


# --- the page


def merge_page(model_admin: "ModelAdmin[Any]", request: HttpRequest) -> HttpResponse:
    """`a` stays and `b` goes into it; without one of them the page asks for it."""
    refuse_without(request, PERMISSION)
    target, source = asked_for(request, "a"), asked_for(request, "b")
    if target is not None and source is not None and target.pk == source.pk:
        messages.error(request, "That is the same show twice: choose another one.")
        source = None
    context = {**model_admin.admin_site.each_context(request), "model_admin": model_admin, "target": target}
    if target is None or source is None:
        return render(request, "catalog/merge_search.html", context | search_context(request, target or source))
    reason_error = ""
    if request.method == "POST":
        try:
            return do_merge(request, target, source)
        except Show.DoesNotExist:
            messages.error(request, "Nothing was merged: somebody has deleted one of the two meanwhile.")
            return redirect("admin:catalog_show_changelist")
        except ChangedMeanwhile as error:
            tell_of_changes(request, error, target, source)
            target.refresh_from_db()
            source.refresh_from_db()
        except ValidationError as error:
            about_reason = getattr(error, "error_dict", {}).keys() == {"reason"}
            reason_error = " ".join(error.messages) if about_reason else ""
            if not about_reason:
                messages.error(request, f"Nothing was merged. {' '.join(error.messages)}")
    return render(request, "catalog/merge.html", context | page_context(request, target, source, reason_error))


def page_context(request: HttpRequest, target: Show, source: Show, reason_error: str) -> dict[str, Any]:
    sides = side_by_side([target, source])
    target_name, source_name = names_apart(*sides)
    return {
        "title": f"Merge {source_name} into {target_name}",
        "source": source,
        "target_name": target_name,
        "source_name": source_name,
        "sides": sides,
        "comparison": compare(target, source, picked_in(request)),
        "going_over": going_over(target, source),
        "version_a": version_of(target.pk),
        "version_b": version_of(source.pk),
        "reason": request.POST.get("reason", ""),
        "reason_error": reason_error,
        "longest_reason": LONGEST_REASON,
        "swap_url": merge_url(source.pk, target.pk),
        "other_url": merge_url(target.pk),
    }


def do_merge(request: HttpRequest, target: Show, source: Show) -> HttpResponse:
    try:
        versions = {target.pk: int(request.POST["version_a"]), source.pk: int(request.POST["version_b"])}
    except (KeyError, ValueError):
        raise ValidationError("The page is out of date: look at the choices again.") from None
    comparison = compare(target, source, picked_in(request))
    if comparison.refused:
        raise ValidationError(f"{', '.join(comparison.refused)}: what was chosen is not offered; choose again.")
    reason = request.POST.get("reason", "")
    if len(reason) > LONGEST_REASON:
        raise ValidationError({"reason": f"At most {LONGEST_REASON} characters."})
    picks = picks_of(comparison, target, source)
    _, source_name = names_apart(*side_by_side([target, source]))
    batch = merge_shows(source.pk, target.pk, picks, author_of(request, reason), versions=versions)
    undo_url = reverse("admin:catalog_show_unmerge", args=(batch.pk,))
    told = '{} is merged into this show; its old id leads here. <a class="underline" href="{}">Undo the merge</a>'
    messages.success(request, format_html(told, source_name, undo_url))
    return redirect("admin:catalog_show_change", target.pk)


def picked_in(request: HttpRequest) -> dict[str, str] | None:
    if request.method != "POST":
        return None
    return {name.removeprefix("pick_"): str(value) for name, value in request.POST.items() if name.startswith("pick_")}


def tell_of_changes(request: HttpRequest, error: ChangedMeanwhile, target: Show, source: Show) -> None:
    """Who has changed what of which show, the newest first."""
    names = dict(zip((target.pk, source.pk), names_apart(*side_by_side([target, source])), strict=True))
    what: dict[tuple[str, UUID], dict[str, None]] = {}
    for change in error.changes:
        who = change.user.get_username() if change.user else "a job"
        what.setdefault((who, change.show_id), {}).update(dict.fromkeys(map(label, change.fields)))
    told = "; ".join(f"{who} changed {some(list(fields))} of {names[pk]}" for (who, pk), fields in what.items())
    messages.warning(
        request, f"Nothing was merged, as there are changes since you opened the page: {told}. Look again, then merge."
    )


def some(fields: list[str]) -> str:
    more = len(fields) - FEW
    return ", ".join(fields[:FEW]) + (f" and {more} more" if more > 0 else "")


def asked_for(request: HttpRequest, parameter: str) -> Show | None:
    """The living show of this parameter; what is wrong with another is told."""
    given = request.GET.get(parameter, "").strip()
    if not given:
        return None
    try:
        show_id = UUID(given)
    except ValueError:
        messages.error(request, f"{given!r} is no id of a show.")
        return None
    show = Show.all_objects.defer("tmdb_meta", "imdb_meta").filter(pk=show_id).first()
    if show is None:
        messages.error(request, "There is no show with this id.")
    elif show.merged_into_id is not None:
        into = resolve_merged(show.pk)
        url = reverse("admin:catalog_show_change", args=(into,)) if into else ""
        link = format_html('<a href="{}">another show</a>', url) if into else "another show, which is gone"
        messages.error(request, format_html("{} was already merged into {}.", show.name, link))
    elif show.deleted_at is not None:
        messages.error(request, f"{show} is in the trash; restore it first.")
    else:
        return show
    return None


# --- the search for the other show


def search_context(request: HttpRequest, chosen: Show | None) -> dict[str, Any]:
    query = request.GET.get("q", "").strip()
    found = list(find_shows(query, chosen)[: FOUND + 1]) if query else []
    base = reverse("admin:catalog_show_merge")
    return {
        "title": f"Merge another show into {chosen}" if chosen else "Merge two shows",
        "chosen": chosen,
        "query": query,
        "sides": side_by_side(found[:FOUND]),
        "more": len(found) > FOUND,
        "choose_url": f"{base}?{urlencode({'a': str(chosen.pk)})}&b=" if chosen else f"{base}?a=",
    }


def find_shows(text: str, chosen: Show | None) -> QuerySet[Show]:
    """Living shows by a part of their name, or by any id, but for the one that is chosen already."""
    key = name_key(text.replace("\x00", ""))
    condition = Q(name_key__contains=key) | Q(alias_keys__contains=key)
    if text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID:
        condition |= Q(tmdb_id=int(text))
    if is_imdb_id(text.lower()):
        condition |= Q(imdb_id=text.lower())
    with suppress(ValueError):
        condition |= Q(pk=UUID(text))
    shows: QuerySet[Show] = Show.objects.filter(condition).order_by("name", "pk").defer("tmdb_meta", "imdb_meta")
    return shows.exclude(pk=chosen.pk) if chosen is not None else shows


# --- undo


def undo_page(model_admin: "ModelAdmin[Any]", request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Asks before it undoes: what comes back, and what can't."""
    refuse_without(request, PERMISSION)
    batch = Batch.objects.select_related("user").filter(pk=batch_id).first()
    try:
        if batch is None:
            raise ValidationError("There is no such merge.")
        undoing = plan_undo(batch)
        source, target = undoing.source, undoing.target
        # Their rows are together now, and tell nothing.
        target_name, source_name = names_apart(Side(target, []), Side(source, []))
        if request.method == "POST":
            left = unmerge(batch, author_of(request, posted_reason(request)))
            return undone(request, source, left)
    except ValidationError as error:
        messages.error(request, f"Nothing was undone. {' '.join(error.messages)}")
        return redirect("admin:catalog_show_changelist")
    returning = undoing.decided.undo  # without what somebody has changed since
    values = {name: entry["value"] for name, entry in batch.plan["fields"].items() if "value" in entry}
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Undo the merge of {source_name} into {target_name}",
        "model_admin": model_admin,
        "batch": batch,
        "source_name": source_name,
        "target": target,
        "target_name": target_name,
        "left": undoing.left,
        "fields": [label(name) for name, (before, after) in values.items() if before != after and name in returning],
        "moved": sum(len(rows.moved) + len(rows.made) for rows in undoing.returnings),
        "own": sum(len(rows.own) for rows in undoing.returnings),
        "ids": [label(name) for name in batch.plan["ids"]],
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "catalog/merge_undo.html", context)


def undone(request: HttpRequest, source: Show, left: list[str]) -> HttpResponse:
    messages.success(request, f"{source} is a show of its own again.")
    for told in left:
        messages.warning(request, told)
    return redirect("admin:catalog_show_change", source.pk)
