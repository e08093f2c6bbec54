"""Shows as a file: those that the list shows, a selection, or one."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import slugify

from catalog.admin.show_list import OWN_PARAMS, ordered, parsed_order
from catalog.admin.text import counted
from catalog.file_formats import FORMATS
from catalog.file_headings import printable
from catalog.models import Show
from catalog.sheet import FileProblem
from catalog.show_filters import ORDER, VIEW, filtered_shows, saved_view
from catalog.show_import import UUID_TEXT
from catalog.show_resource import COLUMNS, KEYS, READ_ONLY, exported, in_file_order
from catalog.values import label

# What an address may hold beside the words of `filtered_shows`.
OWN: Final = frozenset({*OWN_PARAMS, PAGE_VAR, "format", "columns", "id", "ids"})
MAY_IMPORT: Final = ("catalog.change_show", "catalog.bulk_edit_show")


@admin.action(description="Export…", permissions=["view"])
def export_selected(model_admin: "ModelAdmin[Show]", request: HttpRequest, queryset: QuerySet[Show]) -> HttpResponse:
    """Takes the selected shows, or the whole filter, to the choice of format and columns."""
    ids = ",".join(dict.fromkeys(str(pk) for pk in queryset.values_list("pk", flat=True)))
    return export_page(model_admin, request, {"ids": ids})


def export(model_admin: "ModelAdmin[Show]", request: HttpRequest) -> HttpResponse:
    """A file of the shows that the address (or a selection, posted) asks for; without a format, the choice of one."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    sent = request.POST if request.method == "POST" else request.GET
    asked = {name: str(value) for name, value in sent.items() if name != "csrfmiddlewaretoken"}
    format_name = asked.get("format", "")
    if not format_name:
        return export_page(model_admin, request, asked)
    try:
        if format_name not in FORMATS:
            raise ValidationError({"format": f"Choose {' or '.join(FORMATS)}, not “{printable(format_name)}”."})
        chosen = [name.strip() for text in sent.getlist("columns") for name in text.split(",") if name.strip()]
        try:
            columns = in_file_order(chosen)
        except ValidationError as error:
            raise ValidationError({"columns": error}) from error
        data = exported(asked_shows(asked), columns, format_name)
    except ValidationError as error:
        return export_page(model_admin, request, asked, errors=error.message_dict)
    except FileProblem as error:
        return export_page(model_admin, request, asked, errors={"format": [str(error)]})
    response = HttpResponse(data, content_type=content_type(format_name))
    response["Content-Disposition"] = f'attachment; filename="{file_name(asked)}.{format_name}"'
    response["Cache-Control"] = "no-store"
    return response


def asked_shows(asked: Mapping[str, str]) -> QuerySet[Show]:
    """Living shows in the order of the list. Raises ValidationError, keyed by parameter."""
    ids = asked.get("id", asked.get("ids"))
    if ids is None:
        shows = filtered_shows({name: value for name, value in asked.items() if name not in OWN})
        return ordered(shows, parsed_order(order_of(asked))[0])
    parts = [part.strip() for part in ids.split(",") if part.strip()]
    if bad := [printable(part) for part in parts if not UUID_TEXT.match(part)]:
        raise ValidationError({"id": f"“{bad[0]}” is no id of a show."})
    shows = Show.objects.filter(pk__in=[UUID(part) for part in parts])
    if not shows.exists():
        raise ValidationError({"id": "There is no such show; it may have been deleted or merged."})
    return ordered(shows, parsed_order("")[0])


def order_of(asked: Mapping[str, str]) -> str:
    """As the list is sorted: by the address, else by the saved view."""
    view = asked.get(VIEW)
    return asked.get(ORDER_VAR) or (str(saved_view(view).params.get(ORDER, "")) if view else "")


def export_page(
    model_admin: "ModelAdmin[Show]",
    request: HttpRequest,
    asked: Mapping[str, str],
    errors: Mapping[str, list[str]] | None = None,
) -> HttpResponse:
    found = None
    if not errors:
        try:
            found = asked_shows(asked).order_by().count()
        except ValidationError as error:
            errors = error.message_dict
    context = {
        **model_admin.admin_site.each_context(request),
        "model_admin": model_admin,
        "title": "Export shows" if found is None else f"Export {counted(found)}",
        "found": found,
        "errors": [(label(name), text) for name, texts in (errors or {}).items() for text in texts],
        "kept": [(name, value) for name, value in asked.items() if name not in ("format", "columns") and value],
        "posted": "ids" in asked,
        "may_import": request.user.has_perms(MAY_IMPORT),
        "columns": [(name, label(name), name in READ_ONLY) for name in COLUMNS if name not in KEYS],
    }
    return TemplateResponse(request, "catalog/export.html", context, status=400 if errors else 200)


def content_type(format_name: str) -> str:
    text = str(FORMATS[format_name]().get_content_type())
    return f"{text}; charset=utf-8" if text.startswith("text/") else text


def file_name(asked: Mapping[str, str]) -> str:
    view = slugify(asked.get(VIEW, ""))
    return f"shows-{view}-{timezone.now():%Y-%m-%d}" if view else f"shows-{timezone.now():%Y-%m-%d}"
