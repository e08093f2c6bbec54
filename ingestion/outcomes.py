"""What a worker brought for a show, and what became of it."""

import pickle
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from catalog.models import Logo
from ingestion.matching import Candidate
from ingestion.models import Stage
from ingestion.records import OfferRecord, ShowRecord


class Outcome(StrEnum):
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    GONE = "gone"  # upstream has no such show any more
    UNRESOLVED = "unresolved"  # waits for an editor
    HELD = "held"  # would lose values: saved at the end of the run, if the guard lets it


@dataclass(slots=True)
class Fetched:
    """What was brought for one show, or why nothing was (`problem` and `reason`).

    tmdb_id, imdb_id: the show's when it was asked for. resolved: the candidate that was accepted as the show's
    TMDb id. payload: the reply as it came, without where to watch, which goes by its own age.
    """

    show_id: UUID
    name: str
    tmdb_id: int | None
    imdb_id: str | None
    stages: frozenset[Stage]
    at: datetime
    record: ShowRecord | None = None
    payload: dict[str, Any] | None = None
    offers: tuple[OfferRecord, ...] | None = None
    resolved: Candidate | None = None
    candidates: Sequence[Candidate] = ()
    problem: Outcome | None = None
    reason: str = ""


@dataclass(slots=True)
class Saved:
    """What became of one show.

    changes: as in a Change row. told: what its reply spoke of. blanked: what it would lose.
    """

    show_id: UUID
    name: str
    outcome: Outcome
    reason: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    blanked: tuple[str, ...] = ()


@dataclass(slots=True)
class Batch:
    """logos: entities of the batch whose logo is to be mirrored. held: what was held back, to be saved later."""

    saved: list[Saved] = field(default_factory=list)
    logos: list[Logo] = field(default_factory=list)
    held: list[Fetched] = field(default_factory=list)


def pack(fetched: Fetched) -> bytes:
    return zlib.compress(pickle.dumps(fetched), level=1)


def unpack(packed: bytes) -> Fetched:
    fetched: Fetched = pickle.loads(zlib.decompress(packed))  # noqa: S301  our own bytes, of this very run
    return fetched
