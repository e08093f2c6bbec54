"""The newest changes of a show on its page, and the remarks that people leave there."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from catalog.admin.author import author_of, refuse_without
from catalog.admin.text import NOTHING, describe_author, difference
from catalog.edits import in_order
from catalog.models import Change, Show
from catalog.trash import comment_on_show

HISTORY_LENGTH = 20
LONGEST_COMMENT = 2000  # characters


def trail_of(show: Show, user: Any) -> SafeString:
    """The newest changes as a table: one query."""
    newest = Change.objects.filter(show_id=show.pk, volatile=False).select_related("user").order_by("-id")
    changes = [
        {
            "change": change,
            "who": describe_author(change),
            "kind": Change.Kind(change.kind).label if change.kind in Change.Kind.values else change.kind,
            "differences": [difference(name, change.fields[name]) for name in in_order(change.fields)],
            "is_comment": change.kind == Change.Kind.COMMENTED,
            "revert_url": revert_url(change, user),
        }
        for change in newest[:HISTORY_LENGTH]
    ]
    return SafeString(render_to_string("catalog/show_trail.html", {"changes": changes, "nothing": NOTHING}))


def revert_url(change: Change, user: Any) -> str | None:
    if change.kind == Change.Kind.COMMENTED or not user.has_perm("catalog.revert_show"):
        return None
    return reverse("admin:catalog_change_revert", args=(change.pk,))


def pages(model_admin: ModelAdmin) -> list[URLPattern]:
    view = model_admin.admin_site.admin_view(require_POST(comment))
    return [path("<uuid:show_id>/comment/", view, name="catalog_show_comment")]


def comment(request: HttpRequest, show_id: UUID) -> HttpResponse:
    refuse_without(request, "catalog.change_show")
    text = request.POST.get("text", "").replace("\r\n", "\n")
    try:
        if len(text) > LONGEST_COMMENT or "\x00" in text:
            raise ValidationError(f"A comment is a text of at most {LONGEST_COMMENT} characters.")
        comment_on_show(show_id, text, author_of(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    except Show.DoesNotExist:
        messages.error(request, "Somebody has deleted this show meanwhile.")
        return redirect("admin:catalog_show_changelist")
    else:
        messages.success(request, "The comment is in the history.")
    return redirect(f"{reverse('admin:catalog_show_change', args=(show_id,))}#show_trail")
