"""What exports add to the list of shows: the button that publishes them."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from catalog.admin import desk
from catalog.show_filters import VIEW as SAVED_VIEW
from exports.admin.buttons import export_button


def button(request: HttpRequest, shown: Any) -> SafeString:
    """One click publishes all. Where the list shows but a part of the shows, a page asks first which are meant."""
    ask = reverse("admin:exports_exportrun_ask") if shown.effective or shown.errors else ""
    if shown.view is not None:
        ask = f"{reverse('admin:exports_exportrun_ask')}?{urlencode({SAVED_VIEW: shown.view.slug})}"
    context = export_button(request, ask=ask)
    return render_to_string("exports/button.html", {"button": context}, request) if context else SafeString("")


desk.list_parts.append(button)
