"""Users and groups: only admins change them, and each change of rights is kept, with who made it."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from catalog.models import AccessEvent, Change, Show

pytestmark = [pytest.mark.django_db, pytest.mark.once]

USERS = "/admin/auth/user/"
GROUPS = "/admin/auth/group/"


def rights() -> list[tuple[str, str | None, str]]:
    """(of whom, by whom, what) of each change of rights."""
    rows = AccessEvent.objects.filter(kind="rights").select_related("actor").order_by("id")
    return [(event.username, event.actor and event.actor.get_username(), event.detail) for event in rows]


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna", password="secret", is_staff=True)


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    values = {
        **{"username": user.username, "first_name": "", "last_name": "", "email": user.email},
        **{"is_active": "on", "is_staff": "on", "is_superuser": "", "groups": [], "user_permissions": []},
    } | changes
    return {name: value for name, value in values.items() if value != ""}


def test_a_change_of_rights_is_kept_before_and_after(desk: Client, anna: User) -> None:
    editors = Group.objects.get(name="editor")
    response = desk.post(f"{USERS}{anna.pk}/change/", form_of(anna, is_superuser="on", groups=[editors.pk]))

    assert response.status_code == 302, response.context["errors"]
    assert rights() == [("anna", "editor", "superuser: no → yes; groups: + editor")]
    assert AccessEvent.objects.filter(kind="rights").get().address == "127.0.0.1"


def test_single_permissions_and_a_deactivation_are_kept(desk: Client, anna: User) -> None:
    permission = Permission.objects.get(codename="revert_run")
    desk.post(f"{USERS}{anna.pk}/change/", form_of(anna, is_active="", user_permissions=[permission.pk]))

    assert rights() == [("anna", "editor", "active: yes → no; own permissions: + catalog.revert_run")]


def test_a_save_that_changes_no_right_leaves_no_row(desk: Client, anna: User) -> None:
    desk.post(f"{USERS}{anna.pk}/change/", form_of(anna, email="anna@example.org"))

    anna.refresh_from_db()
    assert anna.email == "anna@example.org"
    assert rights() == []


def test_a_new_user_and_his_groups_are_kept(desk: Client) -> None:
    viewers = Group.objects.get(name="viewer")
    values = {"username": "ben", "usable_password": "true", "password1": "long-enough-1", "password2": "long-enough-1"}
    response = desk.post(f"{USERS}add/", values | {"is_staff": "on", "groups": [viewers.pk]})

    assert response.status_code == 302
    assert rights() == [("ben", "editor", "created; active: yes; staff: yes; groups: + viewer")]
    assert "long-enough-1" not in str(rights())


def test_a_new_password_for_somebody_else_is_kept_without_the_password(desk: Client, anna: User) -> None:
    values = {"usable_password": "true", "password1": "a-new-long-one", "password2": "a-new-long-one"}
    response = desk.post(f"{USERS}{anna.pk}/password/", values | {"set-password": "x"})

    assert response.status_code == 302
    assert User.objects.get(username="anna").check_password("a-new-long-one")
    assert rights() == [("anna", "editor", "password changed")]


def test_ones_own_new_password_is_kept(client: Client, anna: User) -> None:
    client.force_login(anna)
    values = {"old_password": "secret", "new_password1": "a-new-long-one", "new_password2": "a-new-long-one"}
    response = client.post(reverse("admin:password_change"), values)

    assert response.status_code == 302
    assert client.get("/admin/").status_code == 200, "still logged in"
    assert rights() == [("anna", "anna", "password changed")]


def test_a_wrong_old_password_changes_and_keeps_nothing(client: Client, anna: User) -> None:
    client.force_login(anna)
    values = {"old_password": "wrong", "new_password1": "a-new-long-one", "new_password2": "a-new-long-one"}

    assert client.post(reverse("admin:password_change"), values).status_code == 200
    assert rights() == []


def test_a_deleted_user_is_kept_with_what_he_had(desk: Client, anna: User) -> None:
    anna.groups.add(Group.objects.get(name="editor"))
    desk.post(f"{USERS}{anna.pk}/delete/", {"post": "yes"})

    assert not User.objects.filter(username="anna").exists()
    assert rights() == [("anna", "editor", "deleted; active: yes; staff: yes; groups: - editor")]


def test_many_deleted_at_once_are_kept_one_by_one(desk: Client, anna: User) -> None:
    ben = User.objects.create_user("ben")
    values = {"action": "delete_selected", "_selected_action": [anna.pk, ben.pk], "post": "yes"}
    desk.post(USERS, values)

    assert list(User.objects.values_list("username", flat=True)) == ["editor"]
    assert [(name, by) for name, by, _ in rights()] == [("anna", "editor"), ("ben", "editor")]


def test_a_selection_with_oneself_in_it_is_not_deleted(desk: Client, anna: User, editor: User) -> None:
    values = {"action": "delete_selected", "_selected_action": [anna.pk, editor.pk], "post": "yes"}

    assert desk.post(USERS, values).status_code == 403
    assert User.objects.count() == 2


def test_an_author_of_changes_is_not_deleted_but_can_be_deactivated(desk: Client, anna: User, show: Show) -> None:
    Change.objects.create(show=show, kind="updated", user=anna, fields={"name": ["a", "b"]})
    desk.post(f"{USERS}{anna.pk}/delete/", {"post": "yes"})
    desk.post(f"{USERS}{anna.pk}/change/", form_of(anna, is_active=""))

    assert not User.objects.get(username="anna").is_active
    assert rights() == [("anna", "editor", "active: yes → no")]


def test_what_a_group_may_is_kept(desk: Client) -> None:
    group = Group.objects.get(name="viewer")
    kept = [permission.pk for permission in group.permissions.exclude(codename="view_batch")]
    added = Permission.objects.get(codename="sync_show")
    desk.post(f"{GROUPS}{group.pk}/change/", {"name": "viewer", "permissions": [*kept, added.pk]})

    assert rights() == [("group viewer", "editor", "permissions: + catalog.sync_show - catalog.view_batch")]


def test_a_group_that_goes_is_kept_with_its_members(desk: Client, anna: User) -> None:
    group = Group.objects.create(name="guests")
    anna.groups.add(group)
    desk.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"})

    assert rights() == [("group guests", "editor", "deleted; members: - anna")]


def test_nobody_takes_his_own_rights_away(desk: Client, editor: User) -> None:
    desk.post(f"{USERS}{editor.pk}/change/", form_of(editor, is_active="", is_superuser=""))
    editor.refresh_from_db()

    assert editor.is_active
    assert editor.is_superuser
    assert desk.post(f"{USERS}{editor.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("path", [USERS, f"{USERS}add/", f"{USERS}1/change/", GROUPS, f"{GROUPS}add/"])
def test_a_staff_user_with_every_permission_does_not_touch_rights(client: Client, anna: User, path: str) -> None:
    anna.user_permissions.set(Permission.objects.all())
    client.force_login(anna)

    assert client.get(path).status_code in {302, 403}
    assert client.post(path, form_of(anna, is_superuser="on")).status_code in {302, 403}
    anna.refresh_from_db()
    assert not anna.is_superuser


@pytest.mark.parametrize("page", ["", "add/", "{pk}/change/", "{pk}/password/", "{pk}/delete/", "999999/password/"])
def test_the_pages_of_users_open(desk: Client, anna: User, page: str) -> None:
    expected = {404} if page.startswith("999999") else {200}

    assert desk.get(USERS + page.format(pk=anna.pk)).status_code in expected


def test_the_history_of_a_user_is_his_logins_and_rights(desk: Client, anna: User) -> None:
    response = desk.get(f"{USERS}{anna.pk}/history/")

    assert response.status_code == 302
    assert response["Location"] == "/admin/catalog/accessevent/?q=anna"


@pytest.mark.parametrize("path", ["user", "group"])
def test_the_history_of_people_names_nobody_to_others(client: Client, anna: User, path: str) -> None:
    row = anna if path == "user" else Group.objects.create(name="secret circle")
    client.force_login(anna)

    response = client.get(f"/admin/auth/{path}/{row.pk}/history/")

    assert response.status_code == 403


def test_the_list_of_users_costs_the_same_for_many(desk: Client, django_assert_max_num_queries: Any) -> None:
    editors = Group.objects.get(name="editor")
    for number in range(30):
        User.objects.create(username=f"u{number}").groups.add(editors)

    with django_assert_max_num_queries(12):
        assert desk.get(USERS).status_code == 200
