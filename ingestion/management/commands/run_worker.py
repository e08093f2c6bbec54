from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingestion.command import check_redis
from ingestion.launcher import Launcher, unknown_migrations
from trr_site.command_line import check_database, signals_as_event


class Command(BaseCommand):
    help = (
        "Work on queued tasks and start what is scheduled, until SIGTERM or Ctrl-C: then the tasks that are being done "
        "come to an end. Start as many as you like, on as many hosts; each has WORKER_PROCESSES processes."
    )
    requires_system_checks = []  # what this needs is checked below, with exit code 2

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SECRET_KEY_IS_SET:
            raise CommandError("SECRET_KEY is not set: tasks are signed with it", returncode=2)
        if problems := settings.ENVIRONMENT_ERRORS:
            raise CommandError("\n".join(problems), returncode=2)
        check_database()
        check_redis()
        if unknown := unknown_migrations():
            raise CommandError(f"the database is newer than this code ({', '.join(unknown)}): update it", returncode=2)
        with signals_as_event() as stop:
            code = Launcher(stop).run()
        if code:
            raise CommandError("the worker ended: its log says why", returncode=code)
