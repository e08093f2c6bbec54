"""The guard against an upstream that has lost its mind: a run may not empty too much of the catalogue."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings

from ingestion.outcomes import Outcome, Saved

# A run that empties one or two shows is never stopped: so an operator can let through what is right.
FEWEST = 3
EARLY = 20  # shows seen before a verdict in the middle of a run


class Guard:
    """Counts what the shows seen would lose; those stay unsaved until the verdict at the end of the run."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.blanked: Counter[str] = Counter()
        self.held: set[UUID] = set()

    def watch(self, saved: Iterable[Saved]) -> None:
        for one in saved:
            if one.show_id in self.held:
                continue  # counted when it was held; now it is saved
            if one.outcome == Outcome.HELD:
                self.held.add(one.show_id)
            if one.outcome in (Outcome.UPDATED, Outcome.UNCHANGED, Outcome.HELD):
                self.seen.update(one.told)
                self.blanked.update(one.blanked)

    def verdict(self, *, final: bool) -> str:
        """Why the run has to stop; empty when it may go on."""
        for name, count in self.blanked.most_common():
            seen = self.seen[name]
            if not final and seen < EARLY:
                continue
            if count >= FEWEST and count > settings.SYNC_GUARD_SHARE * seen:
                return (
                    f"{count} of the {seen} shows seen would lose their {name} (over "
                    f"{settings.SYNC_GUARD_SHARE:.0%}): upstream is more likely wrong than the world, so none of these "
                    "was saved. If it is right, sync them by --show-id, two at a time"
                )
        return ""
