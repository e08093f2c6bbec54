"""Create the demo's logins, one for each role, and print their passwords."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalog.access import record_rights, rights_of
from catalog.roles import ROLES


class Command(BaseCommand):
    help = "Create the demo logins, or give them new passwords. Only where DEBUG is on."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("create_demo_users is for the demo: it runs only with DEBUG=true", returncode=2)
        groups = {group.name: group for group in Group.objects.filter(name__in=ROLES)}
        if missing := [role for role in ROLES if role not in groups]:
            raise CommandError(f"there is no group {', '.join(missing)}: run manage.py migrate first", returncode=2)
        for role in ROLES:
            self.stdout.write(f"{role} {create_user(groups[role])}")


@transaction.atomic
def create_user(group: Group) -> str:
    """The new password of a staff user of the group's name, who has the rights of that group and no others."""
    password = secrets.token_urlsafe(9)
    user, created = User.objects.get_or_create(username=group.name)
    before = {} if created else rights_of(user)
    user.is_staff, user.is_active, user.is_superuser = True, True, False
    user.set_password(password)
    user.save()
    user.groups.set([group])
    user.user_permissions.clear()
    record_rights(user.username, before, rights_of(user), actor=None, request=None)
    return password
