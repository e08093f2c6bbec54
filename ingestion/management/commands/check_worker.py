import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.workers import ALIVE, alive_workers
from trr_site.command_line import one_line_errors


class Command(BaseCommand):
    help = "The health check of a worker: exit code 0 if one of this machine has beaten its heart lately, else 1."
    requires_system_checks = []  # it runs every few seconds

    def handle(self, *args: Any, **options: Any) -> None:
        host = socket.gethostname()
        with one_line_errors():
            beaten = any(worker.host == host for worker in alive_workers())
        if not beaten:
            raise CommandError(f"no worker on {host} has beaten its heart in the last {ALIVE.seconds} s")
        self.stdout.write(f"a worker on {host} is alive")
