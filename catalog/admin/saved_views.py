"""Saved views of the list of shows: kept, renamed and deleted by those who made them."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.text import slugify

from catalog.admin import desk
from catalog.admin.columns import all_columns
from catalog.models import SavedView
from catalog.show_filters import ORDER, VIEW, filtered_shows
from catalog.values import check

SHOWS = "admin:catalog_show_changelist"
LONGEST_SLUG = 40  # characters, with room for a number behind it


def views_for(user: Any, slug: str = "") -> list[SavedView]:
    """The views to choose from: one's own and the shared ones, and the one that is named."""
    wanted = Q(owner=user.pk) | Q(shared=True)
    if slug and "\x00" not in slug:
        wanted |= Q(slug=slug)
    return list(SavedView.objects.filter(wanted).select_related("owner"))


def may_edit(user: Any, view: SavedView) -> bool:
    return bool(user.is_superuser or (view.owner_id == user.pk and user.has_perm("catalog.change_savedview")))


def clean_name(text: str) -> str:
    """Raises ValidationError for what is no name."""
    name = " ".join(text.split())
    check("name", name)
    if not name or len(name) > 80:
        raise ValidationError("A view needs a name of at most 80 characters.")
    return name


def create_view(user: Any, name: str, *, shared: bool, params: dict[str, str], columns: list[str]) -> SavedView:
    """Saves a view under a slug of its own. Raises ValidationError for a bad name, or what the list can't show."""
    name = clean_name(name)
    refuse_what_is_no_list(params, columns)
    slug = slugify(name)[:LONGEST_SLUG].strip("-") or "view"
    for number in range(1, 1000):
        view = SavedView(
            slug=slug if number == 1 else f"{slug}-{number}",
            name=name,
            owner=user,
            shared=shared,
            params=params,
            columns=columns,
        )
        try:
            with transaction.atomic():
                view.save(force_insert=True)
        except IntegrityError:  # the slug is taken
            continue
        return view
    raise ValidationError("There are too many views of this name.")


def refuse_what_is_no_list(params: Mapping[str, str], columns: Iterable[str]) -> None:
    """Raises ValidationError for what the list would not show."""
    check("name", params.get(ORDER, ""))
    filtered_shows({key: value for key, value in params.items() if key != ORDER})
    if unknown := [column for column in columns if column not in all_columns()]:
        raise ValidationError(f"There is no column “{unknown[0]}”.")


def shown_list(request: HttpRequest) -> tuple[dict[str, str], list[str]]:
    """Parameters and columns of the list that a form was sent from."""
    params = {key: value for key, value in parse_qsl(request.POST.get("params", "")) if key != VIEW}
    return params, [name for name in request.POST.get("columns", "").split(",") if name]


def list_of(view: SavedView) -> str:
    """The address that shows a view, to be shared."""
    return f"{reverse(SHOWS)}?{urlencode({VIEW: view.slug})}"


def pages(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    def save(request: HttpRequest) -> HttpResponse:
        """Saves the view that the form describes, and shows it."""
        if not (model_admin.has_view_permission(request) and request.user.has_perm("catalog.add_savedview")):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        params, columns = shown_list(request)
        shared = request.POST.get("shared") == "on"
        try:
            view = create_view(
                request.user, request.POST.get("name", ""), shared=shared, params=params, columns=columns
            )
        except ValidationError as error:
            messages.error(request, f"The view was not saved. {' '.join(error.messages)}")
            return redirect(f"{reverse(SHOWS)}?{urlencode(params)}")
        messages.success(request, f"The view “{view.name}” is saved.")
        return redirect(list_of(view))

    def edit(request: HttpRequest, slug: str) -> HttpResponse:
        """Renames, shares, refills or deletes a view. Its address stays, as others may have kept it."""
        view = get_object_or_404(SavedView, slug=slug)
        if not (model_admin.has_view_permission(request) and may_edit(request.user, view)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if "delete" in request.POST:
            view.delete()
            messages.success(request, f"The view “{view.name}” is deleted.")
            return redirect(reverse(SHOWS))
        try:
            view.name = clean_name(request.POST.get("name", ""))
            if "replace" in request.POST:
                view.params, view.columns = shown_list(request)
                refuse_what_is_no_list(view.params, view.columns)
        except ValidationError as error:
            messages.error(request, f"Nothing was saved. {' '.join(error.messages)}")
            return redirect(list_of(view))
        view.shared = request.POST.get("shared") == "on"
        view.save(update_fields=["name", "shared", "params", "columns"])
        messages.success(request, f"The view “{view.name}” is saved.")
        return redirect(list_of(view))

    wrap = model_admin.admin_site.admin_view
    return [
        path("views/", wrap(save), name="catalog_show_saved_views"),
        path("views/<slug:slug>/", wrap(edit), name="catalog_show_saved_view"),
    ]


desk.pages.append(pages)
