from typing import ClassVar

from ingestion.command import SyncCommand
from ingestion.models import Stage


class Command(SyncCommand):
    help = (
        "Find the TMDb id of shows known by their IMDb id, and the IMDb id of those known by their TMDb id; "
        "doubtful matches wait for an editor."
    )
    kind: ClassVar[str] = "resolve_tmdb_ids"
    stages: ClassVar[frozenset[Stage]] = frozenset({Stage.RESOLVE})
