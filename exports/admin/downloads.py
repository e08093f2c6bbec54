"""Tabs as files: the same rows as the sheet gets."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from catalog.admin.author import refuse_without, user_of
from catalog.file_headings import printable
from catalog.sheet import FileProblem
from catalog.show_filters import VIEW as SAVED_VIEW
from exports.admin.buttons import VIEW
from exports.files import TYPES, file_name, file_of
from exports.options import Format, Options, tables_of
from exports.runs import noted_download
from exports.tables import Table
from exports.tabs import TABS, Tab

FORMATS = (Format.CSV, Format.XLSX)


def files(view: str = "") -> list[tuple[str, str]]:
    """(label, address) of each file that can be downloaded: a CSV holds one tab, an XLSX all of them."""
    page = reverse("admin:exports_exportrun_download")

    def address(**asked: str) -> str:
        return f"{page}?{urlencode({**asked, **({SAVED_VIEW: view} if view else {})})}"

    found = [(f"{title} as CSV", address(tab=title, format=Format.CSV)) for title in TABS]
    all_tabs = next(iter(TABS)) if len(TABS) == 1 else "All tabs"
    return [*found, (f"{all_tabs} as XLSX", address(format=Format.XLSX))]


def download(model_admin: "ModelAdmin[Any]", request: HttpRequest) -> HttpResponse:
    """`?format=csv&tab=ShowInfo`, and `&filter=` for the shows of a saved view alone."""
    refuse_without(request, VIEW)
    try:
        options = asked(request)
        tables = tables_of(options)
        refuse_empty(tables)
        data = file_of(list(tables.values()), options.format)
    except ValidationError as error:
        return refused(model_admin, request, error.messages)
    except FileProblem as error:
        return refused(model_admin, request, [str(error)])
    noted_download(user_of(request), options, tables)
    response = HttpResponse(data, content_type=TYPES[Format(options.format)])
    name = file_name(list(tables.values()), options.format)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def asked(request: HttpRequest) -> Options:
    """Raises ValidationError for what can't be downloaded."""
    format_name = request.GET.get("format", "")
    if format_name not in FORMATS:
        raise ValidationError(f"Choose {' or '.join(FORMATS)}, not “{printable(format_name)}”.")
    titles = tuple(title for title in request.GET.getlist("tab") if title.strip()) or tuple(TABS)
    if format_name == Format.CSV and len(titles) > 1:
        raise ValidationError("A CSV holds one tab: choose one, or XLSX.")
    return Options(format_name, titles, request.GET.get(SAVED_VIEW, "").strip())


def refuse_empty(tables: Mapping[Tab, Table]) -> None:
    """A file without a row would be taken for a catalogue without a show."""
    if empty := [table.title for table in tables.values() if not table.rows]:
        raise ValidationError(f"There is no show to export into {', '.join(empty)}, so there is no file.")


def refused(model_admin: "ModelAdmin[Any]", request: HttpRequest, reasons: list[str]) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "model_admin": model_admin,
        "title": "Nothing was exported",
        "reasons": reasons,
    }
    return render(request, "exports/download_refused.html", context, status=400)
