"""Admin's first page: what waits, how the syncs went, how full the catalogue is, what was changed today.

It is made of `desk.sections`, in their order. A section whose context is empty is left out: it has nothing to
say to this user. Links lead only where the user may go; the figures are for all who may see shows.
"""

from datetime import datetime
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from catalog import dashboard as figures
from catalog.admin import desk
from catalog.admin.text import describe_author, describe_field

SEE_SHOWS = "catalog.view_show"
TOP_NETWORKS = 12
FIELDS_TOLD = 3  # of one change; its own page tells all


def fill_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of admin's index page."""
    parts = [(section, section.context(request)) for section in sorted(desk.sections, key=lambda each: each.order)]
    return {
        **context,
        "title": "Dashboard",
        "sections": [render_to_string(section.template, part, request) for section, part in parts if part],
        "catalogue_is_empty": any(part.get("catalogue_is_empty") for _, part in parts),
    }


def queues(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perm(SEE_SHOWS):
        return {}
    counts, inbox = desk.open_counts(), reverse("admin:catalog_show_review")
    rows = [
        {"title": queue.title, "count": counts.get(queue.slug, 0), "url": f"{inbox}?queue={queue.slug}"}
        for queue in desk.queues
    ]
    return {"queues": rows, "open": sum(counts.values()), "inbox": inbox}


def coverage(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perm(SEE_SHOWS):
        return {}
    shares, networks = figures.coverage(), figures.networks_with_shows()
    logos = sum(bool(row["logo"]) for row in networks)
    return {
        "catalogue_is_empty": not shares[0].whole,
        "shares": [*shares, figures.Share("Networks with a logo", logos, len(networks))],
        "networks": networks[:TOP_NETWORKS],
        "others": max(0, len(networks) - TOP_NETWORKS),
        "most": networks[0]["shows"] if networks else 0,
        "shows_url": reverse("admin:catalog_show_changelist"),
        "networks_url": reverse("admin:catalog_network_changelist"),
    }


def changes(request: HttpRequest) -> dict[str, Any]:
    if not request.user.has_perm("catalog.view_change"):
        return {}
    may_see_shows = request.user.has_perm(SEE_SHOWS)
    rows = [
        {
            "ts": change.ts,
            "kind": change.get_kind_display(),
            "show": change.show_name or "(deleted for good)",
            "url": show_url(change) if may_see_shows else "",
            "who": describe_author(change),
            "what": [describe_field(name, value) for name, value in list(change.fields.items())[:FIELDS_TOLD]],
            "more": max(0, len(change.fields) - FIELDS_TOLD),
            "reason": change.reason,
        }
        for change in figures.newest_changes()
    ]
    return {
        "today": figures.activity(midnight()),
        "window": figures.WINDOW,
        "changes": rows,
        "runs": runs(),
        "history": reverse("admin:catalog_change_changelist"),
    }


def runs() -> list[dict[str, Any]]:
    """What each of the last runs changed, with the run in words."""
    rows = figures.newest_runs()
    names: dict[int, str] = {}
    for resolve in desk.run_names:
        names |= resolve([row["run_id"] for row in rows])
    return [
        row
        | {"who": f"{names[row['run_id']]}, run {row['run_id']}" if row["run_id"] in names else f"run {row['run_id']}"}
        for row in rows
    ]


def show_url(change: Any) -> str:
    """The page of its show; nothing for one in the trash."""
    if change.show_name is None or change.show_deleted_at is not None:
        return ""
    return reverse("admin:catalog_show_change", args=(change.show_id,))


def midnight() -> datetime:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def open_items(request: HttpRequest) -> HttpResponse:
    """How much waits in the inbox, for the number beside its link: a request of its own, so no page waits for it."""
    if not request.user.has_perm(SEE_SHOWS):
        raise PermissionDenied
    return JsonResponse({"open": sum(desk.open_counts().values())})


def pages(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    view = model_admin.admin_site.admin_view(require_GET(open_items))
    return [path("open-items/", view, name="catalog_show_open_items")]


desk.sections += [
    desk.Section(10, "catalog/dashboard_queues.html", queues),
    desk.Section(40, "catalog/dashboard_coverage.html", coverage),
    desk.Section(60, "catalog/dashboard_changes.html", changes),
]
desk.pages.append(pages)
