from typing import ClassVar

from django.core.management.base import CommandParser

from ingestion.command import SyncCommand
from ingestion.models import Stage


class Command(SyncCommand):
    help = "Bring each show's networks and production companies, exactly as upstream has them, and mirror their logos."
    kind: ClassVar[str] = "sync_tmdb_entities"
    stages: ClassVar[frozenset[Stage]] = frozenset({Stage.ENTITIES})

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--skip-logos", action="store_true", help="leave logos to a later run")
