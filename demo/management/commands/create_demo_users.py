"""Create the demo's two logins, `editor` and `operator`, and print their passwords."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand, CommandError

APPS_OF = {
    "editor": ("catalog",),
    "operator": ("catalog", "ingestion", "django_q"),
}
ACTIONS_OF_EDITOR = ("view", "add", "change")


class Command(BaseCommand):
    help = "Create the demo logins, or give them new passwords. Only where DEBUG is on."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("create_demo_users is for the demo: it runs only with DEBUG=true", returncode=2)
        for name in APPS_OF:
            self.stdout.write(f"{name} {create_user(name)}")


def create_user(name: str) -> str:
    """The new password of a staff user who has the permissions of their job, and no others."""
    password = secrets.token_urlsafe(9)
    user, _ = get_user_model().objects.get_or_create(username=name)
    user.is_staff, user.is_active, user.is_superuser = True, True, False
    user.set_password(password)
    user.save()
    user.user_permissions.set(permissions_of(name))
    return password


def permissions_of(name: str) -> list[Permission]:
    permissions = Permission.objects.filter(content_type__app_label__in=APPS_OF[name])
    if name == "editor":
        return [found for found in permissions if found.codename.split("_", 1)[0] in ACTIONS_OF_EDITOR]
    return list(permissions)
