from typing import ClassVar

from ingestion.command import SyncCommand
from ingestion.models import Stage


class Command(SyncCommand):
    help = "Bring where each show can be watched, in all regions, exactly as upstream has it now."
    kind: ClassVar[str] = "sync_watch_providers"
    stages: ClassVar[frozenset[Stage]] = frozenset({Stage.WATCH_PROVIDERS})
