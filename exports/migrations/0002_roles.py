"""What the roles may do with exports: all see them, editors and operators publish.

Permissions are made after all migrations, so those that the groups need are made here. A group that was deleted
stays deleted.
"""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWER = {"view_exportrun", "view_exportedtab"}
EDITOR = VIEWER | {"publish_exportrun"}
ROLES = {"viewer": VIEWER, "editor": EDITOR, "operator": EDITOR}


def extend_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    create_permissions(installed.get_app_config("exports"), verbosity=0, using=alias, apps=apps)
    permissions = apps.get_model("auth", "Permission").objects.using(alias).filter(content_type__app_label="exports")
    for role, names in ROLES.items():
        for group in apps.get_model("auth", "Group").objects.using(alias).filter(name=role):
            group.permissions.add(*permissions.filter(codename__in=names))


def restrict_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias).filter(content_type__app_label="exports")
    for role, names in ROLES.items():
        for group in apps.get_model("auth", "Group").objects.using(alias).filter(name=role):
            group.permissions.remove(*permissions.filter(codename__in=names))


class Migration(migrations.Migration):
    dependencies = [
        ("exports", "0001_initial"),
        ("ingestion", "0004_roles_of_jobs"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(extend_groups, restrict_groups)]
