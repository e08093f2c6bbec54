from typing import Any

from django.conf import settings
from django.core.checks import ERROR
from django.core.management.base import BaseCommand, CommandError

from ingestion.checks import check_environment, state_of, unused_names

OF_OUR_OWN = {"TRR_PROCESS", "TRR_WORKER", "DEMO"}  # what one process of ours says to another


class Command(BaseCommand):
    help = (
        "List every environment variable of TRR with how it stands (set, default, missing, malformed) and what the "
        ".env file sets for nothing. No value is shown. Exit code 2, with the reasons, where one is missing or wrong."
    )
    requires_system_checks = []  # they are what it tells

    def handle(self, *args: Any, **options: Any) -> None:
        messages = check_environment(None)
        states = {name: state_of(name, messages) for name in settings.ENVIRONMENT_NAMES - OF_OUR_OWN}
        states |= dict.fromkeys(unused_names(), "unused")
        width = max(map(len, states))
        for name, state in sorted(states.items()):
            self.stdout.write(f"{name:<{width}}  {state}")
        wrong = [message.msg for message in messages if message.level >= ERROR or "not set" in message.msg]
        for message in messages:
            if message.msg not in wrong:
                self.stderr.write(message.msg)
        if wrong:
            raise CommandError("\n".join(wrong), returncode=2)
