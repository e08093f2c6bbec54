"""What stands in a show beside what upstream says: every locked field, and every id that upstream contradicts."""

from typing import Any
from uuid import UUID

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from catalog.admin import desk
from catalog.admin.pick import entities_of
from catalog.admin.show_rows import NEXT_SYNC, SOURCES, WATCH, badge, checked, lock_urls, takeable
from catalog.admin.text import NOTHING
from catalog.edits import in_order, upstream_value
from catalog.links import RELATIONS, linked_ids
from catalog.models import Show
from catalog.provenance import provenance, source_of, telling_changes
from catalog.values import label


def pages(model_admin: ModelAdmin) -> list[URLPattern]:
    def diff(request: HttpRequest, show_id: UUID) -> HttpResponse:
        if not model_admin.has_view_permission(request):
            raise PermissionDenied
        show = Show.objects.defer("tmdb_meta", "imdb_meta").filter(pk=show_id).first()
        if show is None:
            return redirect("admin:catalog_show_change", show_id)  # which tells what became of it
        rows = diff_of(show)
        context = {
            **model_admin.admin_site.each_context(request),
            "title": f"{show.name}: ours and upstream's",
            "model_admin": model_admin,
            "show": show,
            "original": show,  # the header then leads back to it
            "show_url": reverse("admin:catalog_show_change", args=(show.pk,)),
            "rows": rows,
            "can_take": [row["name"] for row in rows if row["can_take"]],
            "editable": model_admin.has_change_permission(request, show),
            **lock_urls(show),
        }
        return render(request, "catalog/diff.html", context)

    return [path("<uuid:show_id>/diff/", model_admin.admin_site.admin_view(diff), name="catalog_show_diff")]


def diff_of(show: Show) -> list[dict[str, Any]]:
    """One entry a field, in the fields' own order; a constant number of queries."""
    now = timezone.now()
    found = provenance(show, checked(show), telling_changes(show))
    rows = []
    for name in in_order({*show.locked_fields, *takeable(show)}):
        says = name in show.upstream_values
        ours, theirs = value_of(show, name), upstream_of(show, name) if says else None
        rows.append(
            {
                "name": name,
                "label": label(name),
                "source": SOURCES[source_of(name)],
                "ours": "" if name == WATCH else words(name, ours),
                "theirs": words(name, theirs) if says else silence(name),
                "says": says,
                "differs": says and ours != theirs,
                "can_take": (says and ours != theirs) or show.is_locked(name),
                "locked": show.is_locked(name),
                "lock": found[name].locked_by,
                "badge": badge(found[name], now),
            }
        )
    return rows


def value_of(show: Show, name: str) -> Any:
    if name == WATCH:
        return None
    return linked_ids(show.pk, name) if name in RELATIONS else getattr(show, name)


def upstream_of(show: Show, name: str) -> Any:
    value = upstream_value(show, name)
    return value or [] if name in RELATIONS else value


def words(name: str, value: Any) -> str:
    """The whole value: here it is what is compared."""
    if name in RELATIONS:
        value = [str(entity) for entity in entities_of(RELATIONS[name][2], value)]
    if value is None or value in ("", []):
        return NOTHING
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def silence(name: str) -> str:
    if name == "override":
        return "no source speaks of it"
    return NEXT_SYNC if name in (*RELATIONS, WATCH) else "nothing yet"


desk.pages.append(pages)
