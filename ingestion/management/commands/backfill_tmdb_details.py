from typing import ClassVar

from ingestion.command import SyncCommand
from ingestion.models import Stage


class Command(SyncCommand):
    help = "Bring each show's details from TMDb: names, dates, status, seasons, episodes, genres, keywords, ids, votes."
    kind: ClassVar[str] = "backfill_tmdb_details"
    stages: ClassVar[frozenset[Stage]] = frozenset({Stage.DETAILS})
