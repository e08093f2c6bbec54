"""The groups `viewer`, `editor` and `operator`. catalog.roles tells what each is for.

Permissions are made after all migrations, so those that the groups need are made here, where they are not
there yet. A group of such a name that is there already is given what it lacks and loses nothing.

Reversed, a group that nobody is in is deleted; one with members stays, as they would lose their rights unasked.
"""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWER = {
    *("catalog.view_show", "catalog.view_network", "catalog.view_productioncompany", "catalog.view_watchprovider"),
    *("catalog.view_shownetwork", "catalog.view_showproductioncompany", "catalog.view_showwatchprovider"),
    *("catalog.view_pastwatchprovider", "catalog.view_change", "catalog.view_batch"),
    *("catalog.view_savedview", "catalog.view_reviewmark"),
    *("ingestion.view_syncrun", "ingestion.view_syncfailure", "ingestion.view_syncstate"),
    "ingestion.view_resolutioncandidate",
}
EDITOR = VIEWER | {
    *("catalog.add_show", "catalog.change_show", "catalog.delete_show"),
    *("catalog.change_network", "catalog.change_productioncompany", "catalog.change_watchprovider"),
    *("catalog.sync_show", "catalog.bulk_edit_show", "catalog.merge_show", "catalog.revert_show"),
    *("catalog.add_savedview", "catalog.change_savedview", "catalog.delete_savedview"),
    *("catalog.add_reviewmark", "catalog.change_reviewmark", "catalog.delete_reviewmark"),
}
OPERATOR = EDITOR | {
    "catalog.revert_run",
    *("django_q.view_schedule", "django_q.add_schedule", "django_q.change_schedule", "django_q.delete_schedule"),
    *("django_q.view_ormq", "django_q.delete_ormq"),
    *("django_q.view_success", "django_q.delete_success"),
    *("django_q.view_failure", "django_q.change_failure", "django_q.delete_failure"),
}
ROLES = {"viewer": VIEWER, "editor": EDITOR, "operator": OPERATOR}


def make_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    for label in ("catalog", "ingestion", "django_q"):
        create_permissions(installed.get_app_config(label), verbosity=0, using=alias, apps=apps)
    permissions = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in apps.get_model("auth", "Permission").objects.using(alias).select_related("content_type")
    }
    for role, names in ROLES.items():
        group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=role)
        group.permissions.add(*(permissions[name] for name in sorted(names)))


def delete_empty_groups(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    groups.filter(name__in=ROLES, user__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("ingestion", "0001_initial"),
        ("catalog", "0003_name_keys"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_groups, delete_empty_groups)]
