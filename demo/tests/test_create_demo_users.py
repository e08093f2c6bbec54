"""The demo's logins can do their job and no more."""

import io
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import override_settings

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
    for name, password in create().items():
        user = get_user_model().objects.get(username=name)
        assert user.check_password(password)
        assert user.is_staff
        assert not user.is_superuser


@pytest.mark.django_db
@pytest.mark.usefixtures("debug")
def test_an_editor_edits_the_catalogue_and_an_operator_sees_the_runs() -> None:
    create()
    editor, operator = (get_user_model().objects.get(username=name) for name in ("editor", "operator"))

    assert editor.has_perm("catalog.change_show")
    assert not editor.has_perm("catalog.delete_show")
    assert not editor.has_module_perms("ingestion")
    assert operator.has_perms(["catalog.delete_show", "ingestion.view_syncrun", "django_q.add_schedule"])
    assert not operator.has_module_perms("auth")


@pytest.mark.django_db
@pytest.mark.usefixtures("debug")
def test_running_it_again_resets_the_passwords() -> None:
    before, after = create(), create()

    assert list(before) == list(after) == ["editor", "operator"]
    assert not set(before.values()) & set(after.values())
    assert get_user_model().objects.count() == 2


def test_it_refuses_to_run_without_debug() -> None:
    with override_settings(DEBUG=False), pytest.raises(CommandError) as refused:
        create()

    assert refused.value.returncode == 2
