"""What one worker does of a shared run in one go: chunk after chunk, without a pause between them."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ingestion.chunks import PLAN, Claim, claim_chunk, due_of, end_run, ending_of, tally
from ingestion.models import SyncChunk
from ingestion.options import Options
from ingestion.outcomes import Batch, Fetched
from ingestion.persist import save_shows
from ingestion.report import Reporter
from ingestion.runs import BEAT_EVERY, RunLost
from ingestion.selection import Job, jobs
from ingestion.work import ShowWork
from ingestion.workers import STOPPING, worker_is_stopping

log = logging.getLogger(__name__)


class Share:
    """The chunks that this process has, from the first on. See work.Ledger."""

    def __init__(self, first: Claim) -> None:
        self.run = first.run
        self.open = [first]
        self.last = first  # whose row counts what belongs to no show: requests, logos
        self.last_beat = time.monotonic()
        self.ending = ""
        self.counted = 0  # requests that a row has

    def take_next(self) -> Claim | None:
        claim = claim_chunk(self.run.id, after=PLAN)
        if claim is not None:
            self.open.append(claim)
            self.last = claim
        return claim

    def beat(self, **figures: Any) -> bool:
        """Says that the work goes on; hears whether the run, or this worker, is to end. Raises RunLost."""
        now = time.monotonic()
        if now - self.last_beat < BEAT_EVERY:
            return False
        self.last_beat = now
        for claim in self.open:
            claim.write(heartbeat_at=timezone.now())
        self.count_requests(figures["requests"])
        totals = tally(self.run.id)
        if trouble := totals.trouble(self.run.row.options.get("max_failures")):
            end_run(self.run.id, trouble, tripped=bool(totals.verdict(final=False)))
        self.ending = self.ending or ending_of(self.run.id) or (STOPPING if worker_is_stopping() else "")
        return True

    def count_requests(self, made: int) -> None:
        new, self.counted = made - self.counted, made
        if new:
            SyncChunk.objects.filter(pk=self.last.chunk.pk).update(requests=F("requests") + new)

    def count_logos(self, counts: Mapping[str, int]) -> None:
        if logos := {name: count for name, count in counts.items() if name.startswith("logos")}:
            chunk = self.last.chunk
            chunk.counts = dict(Counter(chunk.counts) + Counter(logos))
            SyncChunk.objects.filter(pk=chunk.pk, attempts=chunk.attempts).update(counts=chunk.counts)

    def record(self, batch: Batch) -> None:
        """Has each chunk count its part: in the transaction that saves it. Raises RunLost."""
        for claim in self.open:
            if (part := claim.part_of(batch)).saved:
                claim.record(part)

    def fail(self, failures: Iterable[tuple[UUID | None, str, str]]) -> None:
        """Keeps failures that are no show's: `record` has kept those."""
        self.run.fail(failure for failure in failures if failure[0] is None)

    def finish_what_is_done(self, *, but_the_last: bool) -> None:
        """The last chunk stays open while its logos are being mirrored: without an open chunk the run would end."""
        for claim in [claim for claim in self.open if claim.is_done]:
            if not (but_the_last and claim is self.last):
                claim.finish()
                self.open.remove(claim)

    def end(self, requests: int, counts: Mapping[str, int], error: str) -> None:
        """Closes the chunks that are done; those that are not go back, and where the run is to end, it hears why."""
        self.count_requests(requests)
        self.count_logos(counts)
        self.finish_what_is_done(but_the_last=False)
        if error and error != self.ending:
            end_run(self.run.id, error)
        for claim in self.open:
            claim.give_back()

    def leave(self, *, blameless: bool) -> None:
        """Leaves what is open to others, as far as it is still ours; `blameless`: that is no attempt that failed."""
        for claim in self.open:
            if blameless:
                with suppress(RunLost):
                    claim.give_back()
            else:
                claim.put_back()


class ShareWork(ShowWork):
    """The shows of a share. What the guard has to see of all chunks is counted in their rows."""

    def __init__(self, share: Share, options: Options, goes_on: Callable[[], bool]) -> None:
        super().__init__(options, share.run.id, share, Reporter())
        self.share, self.goes_on = share, goes_on

    def todo(self) -> Iterator[Job]:
        """The jobs of the first chunk, and of further ones while it goes on."""
        claim: Claim | None = self.share.open[0]
        while claim is not None:
            for job in jobs(due_of(claim.chunk.work)):
                claim.awaited.add(str(job.show_id))
                yield job
            claim.is_fed = True
            claim = self.share.take_next() if self.goes_on() else None

    def save(self, fetched: list[Fetched]) -> Batch:
        with transaction.atomic():
            batch = save_shows(fetched, self.author, hold_blanks=not self.share.last.chunk.settles)
            self.share.record(batch)
        self.share.finish_what_is_done(but_the_last=True)
        return batch

    def watch_the_guard(self) -> None:
        """The share does, over all chunks."""
