"""What the steps of a bulk edit and of an import have in common: each shows a draft and asks for a reason."""

from functools import partial
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from catalog.admin.author import LONGEST_REASON
from catalog.models import Show


class ReasonForm(forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=LONGEST_REASON,
        help_text="Kept with every change in the history.",
        widget=forms.TextInput(attrs={"size": 60}),
    )


def page(model_admin: "ModelAdmin[Show]", request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(
        request, template, {**model_admin.admin_site.each_context(request), "model_admin": model_admin, **context}
    )


def view(model_admin: "ModelAdmin[Show]", step: Any) -> Any:
    """A step as a view of admin; it takes the model admin before the request."""
    return model_admin.admin_site.admin_view(partial(step, model_admin))
