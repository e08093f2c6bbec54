"""The groups of the roles: made with what is there, and taken away again where nobody is in them."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection

from catalog.roles import ROLES

pytestmark = pytest.mark.django_db

migration: Any = import_module("ingestion.migrations.0002_roles")
jobs: Any = import_module("ingestion.migrations.0004_roles_of_jobs")
workbook: Any = import_module("ingestion.migrations.0006_roles_of_workbook_rows")
exports: Any = import_module("exports.migrations.0002_roles")
LATER = (("ingestion", jobs), ("ingestion", workbook), ("exports", exports))


class Editor:
    """What a migration is given to know the database by."""

    connection = connection


def test_it_makes_the_groups_that_the_catalogue_describes() -> None:
    described = {role: set(names) for role, names in migration.ROLES.items()}
    for app, later in LATER:
        for role, names in later.ROLES.items():
            described[role] |= {f"{app}.{name}" for name in names}
    assert described == ROLES


def test_it_makes_the_permissions_that_are_not_there_yet() -> None:
    Group.objects.all().delete()
    Permission.objects.filter(content_type__app_label__in=["catalog", "ingestion", "exports", "django_q"]).delete()

    migration.make_groups(apps, Editor)
    for _, later in LATER:
        later.extend_groups(apps, Editor)

    assert {group.name: group.permissions.count() for group in Group.objects.all()} == {
        role: len(names) for role, names in ROLES.items()
    }


def test_made_twice_nothing_is_lost() -> None:
    added = Permission.objects.get(codename="add_user")
    group = Group.objects.get(name="editor")
    group.permissions.add(added)

    migration.make_groups(apps, Editor)

    assert Group.objects.count() == 3
    assert added in group.permissions.all()


def test_reversed_it_leaves_a_group_that_somebody_is_in(django_user_model: Any) -> None:
    django_user_model.objects.create_user("anna").groups.add(Group.objects.get(name="editor"))

    migration.delete_empty_groups(apps, Editor)

    assert list(Group.objects.values_list("name", flat=True)) == ["editor"]


def test_what_later_ones_added_is_taken_away_again() -> None:
    before = {role: set(names) for role, names in migration.ROLES.items()}

    for _, later in LATER:
        later.restrict_groups(apps, Editor)

    assert {
        group.name: {
            f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")
        }
        for group in Group.objects.all()
    } == before
