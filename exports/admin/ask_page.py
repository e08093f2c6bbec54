"""The page that asks what is meant where the list shows but a part of the shows: all of them, or those of a view."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from catalog.admin.author import refuse_without
from catalog.show_filters import VIEW as SAVED_VIEW
from catalog.show_filters import saved_view
from exports.admin.buttons import VIEW, export_button
from exports.admin.downloads import files
from exports.tabs import TABS, exported_shows, title_of


def ask(model_admin: "ModelAdmin[Any]", request: HttpRequest) -> HttpResponse:
    """What can be exported from here; `?filter=` names the saved view that is open."""
    refuse_without(request, VIEW)
    slug, errors, part = request.GET.get(SAVED_VIEW, "").strip(), list[str](), None
    if slug:
        try:
            part = part_of(slug)
        except ValidationError as error:
            errors = error.messages
    context = {
        **model_admin.admin_site.each_context(request),
        "model_admin": model_admin,
        "title": "What is to be exported?",
        "errors": errors,
        "button": export_button(request),
        "titles": ", ".join(TABS),
        "tabs": len(TABS),
        "whole": exported_shows().count(),
        "part": part,
        "files": files(),
    }
    return render(request, "exports/ask.html", context, status=400 if errors else 200)


def part_of(slug: str) -> dict[str, Any]:
    """A saved view as something to export. Raises ValidationError for one that there is not."""
    view = saved_view(slug)
    return {
        "view": view,
        "shows": exported_shows(slug).count(),
        "titles": ", ".join(title_of(tab, slug, tab.header) for tab in TABS.values()),
        "files": files(slug),
    }
