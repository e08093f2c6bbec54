"""What an operator asks of a run: the same words for commands, tasks and buttons."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from ingestion.models import Stage

ALL_STAGES = frozenset(Stage)


@dataclass(frozen=True, slots=True)
class Options:
    """resume: None is the default (an incremental run takes up what failed; a full one starts afresh)."""

    stages: frozenset[Stage] = ALL_STAGES
    show_ids: tuple[UUID, ...] = ()
    tmdb_ids: tuple[int, ...] = ()
    imdb_ids: tuple[str, ...] = ()
    limit: int | None = None
    dry_run: bool = False
    incremental: bool = True
    resume: bool | None = None
    force: bool = False
    since: date | None = None
    skip_logos: bool = False
    max_failures: int | None = None

    @property
    def is_selection(self) -> bool:
        """Whether single shows are named, instead of all."""
        return bool(self.show_ids or self.tmdb_ids or self.imdb_ids)

    @property
    def takes_all(self) -> bool:
        """Whether age does not matter."""
        return self.force or not self.incremental

    def as_json(self) -> dict[str, Any]:
        """For the run's row: what differs from the default."""
        default = Options()
        said: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if value == getattr(default, name):
                continue
            if isinstance(value, frozenset | tuple):
                value = sorted(str(item) for item in value)
            said[name] = value.isoformat() if isinstance(value, date) else value
        return said
