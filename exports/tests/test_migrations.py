"""The ledger of exports can be taken out of an installation and come again; nothing else goes with it."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection

from exports.models import ExportRun

from .conftest import a_show

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrate() -> Any:
    yield lambda *args: call_command("migrate", *args, verbosity=0)
    call_command("migrate", verbosity=0)


def rights_of(group: Group) -> set[str]:
    return set(group.permissions.filter(content_type__app_label="exports").values_list("codename", flat=True))


def test_it_may_go_and_come_again(migrate: Any) -> None:
    show = a_show(1)
    editors, _ = Group.objects.get_or_create(name="editor")
    editors.permissions.add(Permission.objects.get(codename="publish_exportrun"))
    ExportRun.objects.create(format="csv", status="succeeded")

    migrate("exports", "zero")

    assert [name for name in connection.introspection.table_names() if name.startswith("exports_")] == []
    assert rights_of(editors) == set()
    show.refresh_from_db()
    migrate("exports")
    assert ExportRun.objects.count() == 0
    assert rights_of(editors) == {"view_exportrun", "view_exportedtab", "publish_exportrun"}
