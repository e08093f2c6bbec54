"""The roles: what each may, and that a viewer saves nothing, whatever he posts to."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from catalog.models import AccessEvent, Batch, Change, Network, ProductionCompany, SavedView, Show, WatchProvider
from catalog.roles import EDITOR, OPERATOR, ROLES, VIEWER

pytestmark = pytest.mark.django_db

# What a viewer may do: log in and out, and change his own password. (The fourth is Django's own, which
# leads to the public page of a row; nothing here has one.)
OWN = {"admin:login", "admin:logout", "admin:password_change", "admin:view_on_site"}
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


def codenames(group: Group) -> set[str]:
    pairs = group.permissions.values_list("content_type__app_label", "codename")
    return {f"{label}.{codename}" for label, codename in pairs}


@pytest.fixture
def staff(client: Client, django_user_model: Any) -> Any:
    """Logs a staff user in who is in the groups that are named."""

    def log_in(*roles: str) -> Client:
        user = django_user_model.objects.create_user(f"a {' '.join(roles)}", password="secret", is_staff=True)
        user.groups.set(Group.objects.filter(name__in=roles))
        client.force_login(user)
        return client

    return log_in


@pytest.mark.parametrize("role", list(ROLES))
def test_the_group_of_a_role_has_its_permissions_and_no_others(role: str) -> None:
    assert codenames(Group.objects.get(name=role)) == ROLES[role]


@pytest.mark.parametrize("name", sorted(OPERATOR))
def test_each_permission_of_a_role_exists(name: str) -> None:
    label, codename = name.split(".")

    assert Permission.objects.filter(content_type__app_label=label, codename=codename).exists()


def test_a_viewer_may_see_and_nothing_else() -> None:
    assert all(name.split(".")[1].startswith("view_") for name in VIEWER)


def test_who_may_more_may_all_that_the_others_may() -> None:
    assert VIEWER < EDITOR < OPERATOR


def test_what_sets_the_roles_apart() -> None:
    assert "catalog.revert_run" in OPERATOR - EDITOR
    assert {"catalog.change_show", "catalog.sync_show", "catalog.merge_show", "catalog.revert_show"} <= EDITOR
    assert not any(name.startswith("django_q") for name in EDITOR)


def test_no_role_sees_logins_or_touches_people_and_rights() -> None:
    assert not any(name.startswith(("auth.", "axes.", "admin.")) or "accessevent" in name for name in OPERATOR)


def test_every_model_of_the_catalogue_but_the_logins_can_be_seen_by_a_viewer() -> None:
    models = {f"catalog.view_{model._meta.model_name}" for model in apps.get_app_config("catalog").get_models()}

    # ... and what the API keeps for itself, which is on no page.
    assert models - VIEWER == {"catalog.view_accessevent", "catalog.view_revision", "catalog.view_feedstart"}


# --- posts


def every_page(patterns: Any = None, prefix: str = "/", namespace: str = "") -> Iterator[tuple[str, str, Any]]:
    """(name, path with its parameters, pattern) of each page of admin."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from every_page(pattern.url_patterns, route, pattern.namespace or namespace)
        elif isinstance(pattern, URLPattern) and namespace == "admin":
            yield f"admin:{pattern.name}", route, pattern


def filled(route: str, rows: dict[str, str]) -> str:
    """The path with the ids of rows that exist, where the model is one of `rows`, and others else."""
    model = next((name for name in rows if route.startswith(f"/admin/{name}/")), "")
    ids = {"uuid": str(uuid4()), "int": "1", "slug": "mine", "str": "x", "path": "1"}

    def value(match: re.Match[str]) -> str:
        kind = match[1] or "str"
        if model and match[2] in {"object_id", "pk", "show_id", "id", "change_id", "batch_id", "slug"}:
            return rows[model] if kind != "int" or rows[model].isdecimal() else "1"
        return ids.get(kind, "x")

    return re.sub(r"<(?:(\w+):)?(\w+)>", value, route)


@pytest.fixture
def rows(show: Show, editor: Any) -> dict[str, str]:
    """One row of each model, by the path of its admin."""
    batch = Batch.objects.create(kind="edit", user=editor, plan={})
    return {
        "catalog/show": str(show.pk),
        "catalog/change": str(Change.objects.create(show=show, kind="updated", fields={"name": ["A", "B"]}).pk),
        "catalog/network": str(Network.objects.create(id=74, name="Bravo").pk),
        "catalog/productioncompany": str(ProductionCompany.objects.create(id=1, name="Shed").pk),
        "catalog/watchprovider": str(WatchProvider.objects.create(provider_id=8, provider_name="Netflix").pk),
        "catalog/batch": str(batch.pk),
        "catalog/savedview": SavedView.objects.create(slug="mine", name="Mine", owner=editor).slug,
        "catalog/accessevent": str(AccessEvent.objects.create(kind="login", username="x").pk),
        "auth/user": str(editor.pk),
        "auth/group": str(Group.objects.get(name="viewer").pk),
    }


POST = {
    **{"name": "Hacked", "override": "SKIP", "action": "delete_selected", "_selected_action": "1", "post": "yes"},
    **{"queue": "unresolved", "key": "x", "reason": "why", "index": "0", "confirm": "yes", "_save": "Save"},
}


def test_a_viewer_saves_nothing_whatever_page_he_posts_to(staff: Any, rows: dict[str, str]) -> None:
    client = staff("viewer")
    pages = [(name, filled(route, rows)) for name, route, _ in every_page() if name not in OWN and "(?P" not in route]
    assert len(pages) > 30

    for name, path in pages:
        with CaptureQueriesContext(connection) as queries:
            data = POST | {"_selected_action": rows.get("/".join(path.split("/")[2:4]), "1")}
            response = client.post(path, data)
        written = [
            query["sql"] for query in queries if WRITES.match(query["sql"]) and "django_session" not in query["sql"]
        ]
        assert not written, (name, path, written)
        assert response.status_code < 500, (name, path, response.status_code)


def test_a_viewer_opens_what_the_sidebar_shows_him(staff: Any) -> None:
    client = staff("viewer")
    page = client.get("/admin/").content.decode()
    links = re.findall(r'<a href="(/admin/[^"]*)" class="flex h-', page.partition('id="nav-sidebar-apps"')[2])

    assert len(links) > 8
    for link in links:
        assert client.get(link).status_code == 200, link


def test_a_user_without_a_role_is_told_so(staff: Any) -> None:
    assert "You have no role yet" in staff().get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("role", "seen", "hidden"),
    [
        ("viewer", ["Shows", "Changes", "Runs"], ["Schedules", "Users", "Logins and rights"]),
        ("operator", ["Shows", "Schedules", "Failed"], ["Users", "Groups", "Logins and rights"]),
    ],
)
def test_the_sidebar_shows_what_a_role_may_see(staff: Any, role: str, seen: list[str], hidden: list[str]) -> None:
    page = staff(role).get("/admin/").content.decode()
    titles = re.findall(r"<span>([^<]+)</span>", page.partition('id="nav-sidebar-apps"')[2])

    assert set(seen) <= set(titles)
    assert not set(hidden) & set(titles)
