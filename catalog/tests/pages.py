"""How tests use a page of admin as a browser does: read its form, send it back, see what it says."""

import re
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse

from catalog.models import Show

INPUT = re.compile(r"<input\b[^>]*>|<textarea\b[^>]*>.*?</textarea>", re.DOTALL)


def page_of(show: Show) -> str:
    return reverse("admin:catalog_show_change", args=(show.pk,))


def as_shown(page: Any) -> dict[str, Any]:
    """The fields of a page's form as a browser would send them back untouched."""
    data: dict[str, Any] = {}
    html = page.content.decode().partition('id="show_form"')[2]
    for tag in INPUT.findall(html):
        attributes = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        name = attributes.get("name")
        if name is None or attributes.get("type") in {"submit", "search"}:
            continue
        if attributes.get("type") in {"checkbox", "radio"}:
            if " checked" in tag:
                data[name] = attributes.get("value", "on")
        elif tag.startswith("<textarea"):
            text = unescape(re.sub(r"<[^>]*>", "", tag)).removeprefix("\n")
            data[name] = text.replace("\n", "\r\n")
        else:
            data[name] = attributes.get("value", "").replace("\n", "\r\n")
    return data


def save(desk: Client, show: Show, **changes: Any) -> Any:
    """Opens a show's page and sends it back with changes; None takes a field out (an unticked box)."""
    data = as_shown(desk.get(page_of(show))) | changes
    return desk.post(page_of(show), {name: value for name, value in data.items() if value is not None})


def errors_of(page: Any) -> dict[str, Any]:
    return dict(page.context["adminform"].form.errors)


def messages_of(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def run_link(run_id: int) -> str:
    return f'<a class="run-link" href="/admin/ingestion/syncrun/{run_id}/change/">Run {run_id}</a>'
