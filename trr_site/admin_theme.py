"""How admin looks, and what its sidebar leads to (django-unfold's settings)."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse

ADMINS_ONLY = "admin"  # no permission: superusers have all, and nobody else may see these

# (heading, entries); an entry is (title, icon, name of its page, permission).
# Icons: https://fonts.google.com/icons
SIDEBAR: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    ("", (("Dashboard", "dashboard", "index", ""),)),
    (
        "Catalogue",
        (
            ("Shows", "live_tv", "catalog_show_changelist", "catalog.view_show"),
            ("Review", "inbox", "catalog_show_review", "catalog.view_show"),
            ("Trash", "delete", "catalog_show_trash", "catalog.view_show"),
            ("Networks", "cell_tower", "catalog_network_changelist", "catalog.view_network"),
            (
                "Production companies",
                "movie",
                "catalog_productioncompany_changelist",
                "catalog.view_productioncompany",
            ),
            ("Watch providers", "subscriptions", "catalog_watchprovider_changelist", "catalog.view_watchprovider"),
        ),
    ),
    (
        "History",
        (
            ("Changes", "history", "catalog_change_changelist", "catalog.view_change"),
            ("Bulk edits and imports", "library_add_check", "catalog_batch_changelist", "catalog.view_batch"),
            (
                "Rows of the old workbook",
                "table_rows",
                "ingestion_workbookrow_changelist",
                "ingestion.view_workbookrow",
            ),
            ("Logins and rights", "shield_person", "catalog_accessevent_changelist", "catalog.view_accessevent"),
        ),
    ),
    (
        "Syncs",
        (
            ("Runs", "sync", "ingestion_syncrun_changelist", "ingestion.view_syncrun"),
            ("States", "fact_check", "ingestion_syncstate_changelist", "ingestion.view_syncstate"),
            ("Problems", "warning", "ingestion_problem_changelist", "ingestion.view_problem"),
        ),
    ),
    (
        "Exports",
        (("Google Sheets and files", "table_view", "exports_exportrun_changelist", "exports.view_exportrun"),),
    ),
    (
        "Tasks",
        (
            ("Schedules", "schedule", "django_q_schedule_changelist", "django_q.view_schedule"),
            ("Queued", "pending_actions", "django_q_ormq_changelist", "django_q.view_ormq"),
            ("Done", "task_alt", "django_q_success_changelist", "django_q.view_success"),
            ("Failed", "error", "django_q_failure_changelist", "django_q.view_failure"),
        ),
    ),
    (
        "People",
        (
            ("API tokens", "key", "knox_authtoken_changelist", ""),
            ("Users", "person", "auth_user_changelist", ADMINS_ONLY),
            ("Groups", "group", "auth_group_changelist", ADMINS_ONLY),
            ("Locked logins", "lock_person", "axes_accessattempt_changelist", ADMINS_ONLY),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of this user: what he may see. The entry of the page that is open is marked."""
    groups = [(title, list(entries(request, rows))) for title, rows in SIDEBAR]
    above = [item["link"] for _, items in groups for item in items if request.path.startswith(item["link"])]
    here = max(above, key=len, default="")  # the inbox lies below the list of shows, and all below the dashboard
    if here == reverse("admin:index") != request.path:
        here = ""
    for _, items in groups:
        for item in items:
            item["active"] = item["link"] == here
    return [{"title": title, "items": items} for title, items in groups if items]


def entries(request: HttpRequest, rows: Iterable[tuple[str, str, str, str]]) -> Iterator[dict[str, Any]]:
    for title, icon, name, permission in rows:
        allowed = request.user.is_superuser if permission == ADMINS_ONLY else request.user.has_perm(permission)
        if permission and not allowed:
            continue
        try:
            yield {"title": title, "icon": icon, "link": reverse(f"admin:{name}")}
        except NoReverseMatch:  # a page that not every installation has: with Redis the queue is no table
            continue


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "TRR",
    "SITE_HEADER": "TRR",
    "SITE_SUBHEADER": "The Reality Report",
    "SITE_SYMBOL": "live_tv",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("catalog/favicon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "catalog.admin.dashboard.fill_dashboard",
    "ENVIRONMENT": ["demo", "info"] if os.environ.get("DEMO") == "true" else None,
    "STYLES": [lambda request: static("catalog/desk.css"), lambda request: static("catalog/theme.css")],
    "SCRIPTS": [lambda request: static("catalog/theme.js")],
    "COMMAND": {"search_models": ["catalog.show"]},
    "COLORS": {
        # A calm blue. Every pair that unfold makes of these has a contrast of 4.5 or more: 600 and darker on
        # light grounds or under white, 500 and lighter on dark ones.
        "primary": {
            "50": "oklch(97.7% .013 236)",
            "100": "oklch(95.1% .026 236)",
            "200": "oklch(90.1% .052 234)",
            "300": "oklch(83% .085 233)",
            "400": "oklch(76% .105 234)",
            "500": "oklch(68% .12 237)",
            "600": "oklch(50% .105 242)",
            "700": "oklch(44% .095 243)",
            "800": "oklch(39% .08 244)",
            "900": "oklch(34% .065 245)",
            "950": "oklch(26% .05 246)",
        },
        "font": {
            "subtle-light": "var(--color-base-600)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-700)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": navigation},
}
