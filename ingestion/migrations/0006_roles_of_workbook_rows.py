"""All roles may see the rows that were kept of the old workbook.

Permissions are made after all migrations, so the one that the groups need is made here. A group that was deleted
stays deleted.
"""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWER = {"view_workbookrow"}
ROLES = {"viewer": VIEWER, "editor": VIEWER, "operator": VIEWER}


def extend_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    create_permissions(installed.get_app_config("ingestion"), verbosity=0, using=alias, apps=apps)
    permissions = apps.get_model("auth", "Permission").objects.using(alias).filter(content_type__app_label="ingestion")
    for role, names in ROLES.items():
        for group in apps.get_model("auth", "Group").objects.using(alias).filter(name=role):
            group.permissions.add(*permissions.filter(codename__in=names))


def restrict_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias).filter(content_type__app_label="ingestion")
    for role, names in ROLES.items():
        for group in apps.get_model("auth", "Group").objects.using(alias).filter(name=role):
            group.permissions.remove(*permissions.filter(codename__in=names))


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0005_workbook_rows"), ("contenttypes", "0002_remove_content_type_name")]
    operations = [migrations.RunPython(extend_groups, restrict_groups)]
