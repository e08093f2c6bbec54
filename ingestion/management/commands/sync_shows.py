from argparse import ArgumentTypeError
from typing import ClassVar

from django.core.management.base import CommandParser

from ingestion.command import SyncCommand
from ingestion.models import Stage
from ingestion.options import ALL_STAGES


class Command(SyncCommand):
    help = (
        "Bring all that TMDb knows of each show, in one request a show: ids, details, networks, where to watch, logos."
    )
    kind: ClassVar[str] = "sync_shows"
    stages: ClassVar[frozenset[Stage]] = ALL_STAGES

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--skip-logos", action="store_true", help="leave logos to a later run")
        parser.add_argument(
            "--stages",
            type=stages,
            metavar="A,B",
            help=f"only these, of {', '.join(Stage.values)}; still one request a show",
        )


def stages(text: str) -> frozenset[Stage]:
    try:
        return frozenset(Stage(name.strip()) for name in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a list of {', '.join(Stage.values)}") from None
