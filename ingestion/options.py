"""What an operator asks of a run: the same words for commands, tasks and buttons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self
from uuid import UUID

from ingestion.models import Stage

ALL_STAGES = frozenset(Stage)


@dataclass(frozen=True, slots=True)
class Options:
    """resume: None is the default (an incremental run takes up what failed; a full one starts afresh).

    retry_of: a run; of its shows those that failed.
    """

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
    retry_of: int | None = None

    @property
    def is_selection(self) -> bool:
        """Whether single shows are named, instead of all."""
        return bool(self.show_ids or self.tmdb_ids or self.imdb_ids or self.retry_of)

    @property
    def takes_all(self) -> bool:
        """Whether age does not matter."""
        return self.force or not self.incremental or self.retry_of is not None

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

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Self:
        """What `as_json` has said of them. Raises ValueError for what another version of the code has said.

        A name with a blank is a note.
        """
        if unknown := [name for name in said if name not in cls.__slots__ and " " not in name]:
            raise ValueError(f"this code does not know the options {', '.join(unknown)}: it is of another version")
        readers: dict[str, Callable[[Any], Any]] = {
            "stages": lambda names: frozenset(map(Stage, names)),
            "show_ids": lambda ids: tuple(map(UUID, ids)),
            "tmdb_ids": lambda ids: tuple(map(int, ids)),
            "imdb_ids": tuple,
            "since": date.fromisoformat,
        }
        values = {name: said[name] for name in cls.__slots__ if name in said}
        return cls(**{name: readers[name](value) if name in readers else value for name, value in values.items()})
