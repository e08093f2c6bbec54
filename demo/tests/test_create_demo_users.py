"""The demo's logins can do their job and no more."""

import io
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.test import override_settings

from catalog.models import AccessEvent
from demo.management.commands.create_demo_users import Command


def create() -> dict[str, str]:
    out = io.StringIO()
    call_command(Command(), stdout=out)
    return dict(line.split() for line in out.getvalue().splitlines())


@pytest.fixture
def debug() -> Iterator[None]:
    with override_settings(DEBUG=True):
        yield


@pytest.mark.django_db
@pytest.mark.usefixtures("debug")
def test_the_printed_passwords_are_those_of_staff_users() -> None:
    logins = create()

    assert list(logins) == ["viewer", "editor", "operator"]
    for name, password in logins.items():
        user = User.objects.get(username=name)
        assert user.check_password(password)
        assert user.is_staff
        assert not user.is_superuser


@pytest.mark.django_db
@pytest.mark.usefixtures("debug")
def test_each_is_in_the_group_of_its_role_and_has_no_permission_of_its_own() -> None:
    create()
    viewer, editor, operator = (User.objects.get(username=name) for name in ("viewer", "editor", "operator"))

    for user in (viewer, editor, operator):
        assert [group.name for group in user.groups.all()] == [user.username]
        assert not user.user_permissions.exists()
    assert viewer.has_perm("catalog.view_show")
    assert not viewer.has_perm("catalog.change_show")
    assert editor.has_perms(["catalog.change_show", "catalog.delete_show", "ingestion.view_syncrun"])
    assert not editor.has_module_perms("django_q")
    assert operator.has_perms(["catalog.revert_run", "django_q.add_schedule"])
    assert not operator.has_module_perms("auth")


@pytest.mark.django_db
@pytest.mark.usefixtures("debug")
def test_running_it_again_resets_passwords_and_rights() -> None:
    before = create()
    viewer = User.objects.get(username="viewer")
    viewer.is_superuser = True
    viewer.save()
    viewer.user_permissions.add(Permission.objects.get(codename="change_show"))
    after = create()

    assert not set(before.values()) & set(after.values())
    assert User.objects.count() == 3
    viewer = User.objects.get(username="viewer")
    assert not viewer.is_superuser
    assert not viewer.has_perm("catalog.change_show")


@pytest.mark.django_db
@pytest.mark.usefixtures("debug")
def test_the_rights_that_it_gives_are_in_the_history() -> None:
    create()

    details = dict(AccessEvent.objects.filter(kind="rights").values_list("username", "detail"))
    assert details["editor"] == "created; active: yes; staff: yes; groups: + editor"


@pytest.mark.django_db
@pytest.mark.usefixtures("debug")
def test_a_missing_group_is_named_and_nobody_is_created() -> None:
    Group.objects.filter(name="viewer").delete()

    with pytest.raises(CommandError, match="no group viewer: run"):
        create()
    assert not User.objects.exists()


def test_it_refuses_to_run_without_debug() -> None:
    with override_settings(DEBUG=False), pytest.raises(CommandError) as refused:
        create()

    assert refused.value.returncode == 2
