"""The parts of a shared run, as rows that workers claim.

To claim one is a filtered UPDATE whose row count says who won; `attempts` is counted by it, before the work, and names
the claim from then on: a worker that was taken for dead finds its chunk claimed by another at its next write and
stops. What is left of a chunk shrinks in the very transaction that saves the shows, so a kill at any point
neither loses nor repeats one.
"""

import os
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from catalog.models import Show
from ingestion.guard import Guard
from ingestion.models import Stage, SyncChunk, SyncFailure, SyncRun
from ingestion.outcomes import Batch, Outcome
from ingestion.runs import Run, RunLost, cancelled_words, is_silent
from ingestion.selection import Due
from trr_site.processes import is_gone

Status = SyncChunk.Status
CHUNK = 100  # shows
MAX_ATTEMPTS = 3  # of a chunk, each of which killed its worker or met a database that failed
DEAD_AFTER = timedelta(seconds=30)  # without a beat of the worker that has it
PLAN = 0  # the number of the chunk that chooses the shows and makes the others


class Claim:
    """A chunk that this process works on.

    awaited: the shows that are being fetched; is_fed: all that it has are, or were. (A show that was deleted
    meanwhile is neither.)
    """

    def __init__(self, chunk: SyncChunk) -> None:
        self.chunk = chunk
        self.run = Run(SyncRun.objects.get(pk=chunk.run_id))
        self.awaited: set[str] = set()
        self.is_fed = False

    @property
    def is_done(self) -> bool:
        return self.is_fed and not self.awaited

    def part_of(self, batch: Batch) -> Batch:
        mine = {item[0] for item in self.chunk.work}
        return Batch(
            saved=[one for one in batch.saved if str(one.show_id) in mine],
            held=[one for one in batch.held if str(one.show_id) in mine],
        )

    def record(self, batch: Batch) -> None:
        """Counts what was saved and takes it from what is left: in the transaction that saves it."""
        chunk, saved = self.chunk, {str(one.show_id) for one in batch.saved}
        items = {item[0]: item for item in chunk.work}
        done = [one for one in batch.saved if one.outcome != Outcome.HELD]
        guarded: dict[str, Any] = {}
        if not chunk.settles:
            guard = Guard()
            guard.watch(batch.saved)
            guarded = {
                "held": [*chunk.held, *(items[str(one.show_id)] for one in batch.held)],
                "seen": plus(chunk.seen, guard.seen.elements()),
                "blanked": plus(chunk.blanked, guard.blanked.elements()),
            }
        self.write(
            work=[item for show_id, item in items.items() if show_id not in saved],
            done=chunk.done + len(done),
            counts=plus(chunk.counts, (one.outcome for one in done)),
            **guarded,
        )
        self.run.fail((one.show_id, one.name, one.reason) for one in done if one.outcome == Outcome.FAILED)
        self.awaited -= saved

    def finish(self) -> None:
        self.write(status=Status.DONE, work=[], heartbeat_at=timezone.now())

    def give_back(self) -> None:
        """Leaves the rest to another worker; that is no attempt that failed."""
        self.write(status=Status.WAITING, attempts=F("attempts") - 1, heartbeat_at=None)

    def put_back(self) -> None:
        """... after a failure that may be the chunk's own doing: the attempt counts."""
        self.mine().update(status=Status.WAITING, heartbeat_at=None)

    def write(self, **values: Any) -> None:
        chunk = self.chunk
        if not self.mine().update(**values):
            raise RunLost(f"chunk {chunk.number} of run {chunk.run_id} was taken over by another worker")
        for name in values.keys() & {"work", "held", "seen", "blanked", "done", "counts"}:
            setattr(chunk, name, values[name])

    def mine(self) -> QuerySet[SyncChunk]:
        """The row, while nobody else has claimed it."""
        chunk = self.chunk
        return SyncChunk.objects.filter(pk=chunk.pk, status=Status.RUNNING, attempts=chunk.attempts)


def plus(counts: dict[str, int], more: Iterable[str]) -> dict[str, int]:
    return dict(Counter(counts) + Counter(map(str, more)))


def add_chunks(run_id: int, due: Iterable[Due], size: int, *, first: int, settles: bool = False) -> int:
    """Makes chunks of so many shows, numbered from `first`; how many. Those that are there already stay."""
    work = [[str(one.show_id), sorted(one.stages), one.find] for one in due]
    parts = [work[start : start + size] for start in range(0, len(work), size)]
    chunks = [SyncChunk(run_id=run_id, number=first + n, work=part, settles=settles) for n, part in enumerate(parts)]
    SyncChunk.objects.bulk_create(chunks, ignore_conflicts=True)
    return len(chunks)


def due_of(work: Iterable[list[Any]]) -> list[Due]:
    return [Due(UUID(show_id), frozenset(map(Stage, stages)), find, ()) for show_id, stages, find in work]


def claim_chunk(run_id: int, *, after: int = -1) -> Claim | None:
    """The first chunk that nobody works on, now ours; None when there is none. What failed too often is given up."""
    columns = ("pk", "number", "status", "attempts", "host", "pid", "heartbeat_at", "run_id")
    free = SyncChunk.objects.filter(run_id=run_id, number__gt=after, status__in=(Status.WAITING, Status.RUNNING))
    for seen in free.order_by("number").only(*columns):
        if seen.status == Status.RUNNING and not is_abandoned(seen):
            continue
        same = SyncChunk.objects.filter(pk=seen.pk, status=seen.status, attempts=seen.attempts)
        same = same.filter(heartbeat_at=seen.heartbeat_at)
        if seen.attempts >= MAX_ATTEMPTS:
            give_up(seen, same)
            continue
        mine = {"status": Status.RUNNING, "attempts": seen.attempts + 1, "heartbeat_at": timezone.now()}
        if same.update(**mine, host=socket.gethostname(), pid=os.getpid()):
            return Claim(SyncChunk.objects.get(pk=seen.pk))
    return None


def is_abandoned(chunk: SyncChunk) -> bool:
    assert chunk.heartbeat_at is not None
    if is_silent(chunk.heartbeat_at, DEAD_AFTER):
        return True
    return is_gone(chunk.host, chunk.pid or 0, chunk.heartbeat_at)


def give_up(chunk: SyncChunk, same: Any) -> None:
    """Ends a chunk that no worker survived; its shows are named as failures, and stay as they were."""
    with transaction.atomic():  # a run of which no chunk is open ends: the failures must be there by then
        if same.update(status=Status.FAILED):
            name_failures(chunk)


def name_failures(chunk: SyncChunk) -> None:
    work = SyncChunk.objects.values_list("work", flat=True).get(pk=chunk.pk)
    reason = f"given up after {chunk.attempts} attempts, none of which came to its end: the log of the worker says more"
    if chunk.number == PLAN:
        SyncFailure.objects.create(run_id=chunk.run_id, item="choice of the shows", reason=reason)
        return
    show_ids = [UUID(item[0]) for item in work]
    names = dict(Show.all_objects.filter(pk__in=show_ids).values_list("pk", "name"))
    Run(SyncRun.objects.get(pk=chunk.run_id)).fail((pk, names.get(pk, str(pk)), reason) for pk in show_ids)
    counts = dict(Counter(chunk.counts) + Counter(failed=len(show_ids)))
    SyncChunk.objects.filter(pk=chunk.pk).update(counts=counts, done=F("done") + len(show_ids), work=[])


def ending_of(run_id: int) -> str:
    """Why a run is to end before its end; empty when it is not."""
    row = SyncRun.objects.filter(pk=run_id).values_list("status", "error").first()
    if row is None or row[0] != SyncRun.Status.RUNNING:
        return "the run was closed"
    return row[1] or cancelled_words(run_id)


def end_run(run_id: int, error: str, *, tripped: bool = False) -> None:
    """Has every worker of the run stop, and says why; the first reason stays."""
    going_on = SyncRun.objects.filter(pk=run_id, status=SyncRun.Status.RUNNING, error="")
    going_on.update(error=error, tripped=tripped)


@dataclass(slots=True)
class Totals:
    """The figures of a run: the sums of its chunks'."""

    done: int = 0
    requests: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    guard: Guard = field(default_factory=Guard)

    def verdict(self, *, final: bool) -> str:
        return self.guard.verdict(final=final)

    def trouble(self, max_failures: int | None) -> str:
        """Why the run has to stop; empty when it may go on."""
        failed = self.counts["failed"]
        if max_failures is not None and failed >= max_failures:
            return f"stopped after {failed} failures (--max-failures {max_failures})"
        return self.verdict(final=False)


def tally(run_id: int) -> Totals:
    """Brings the run's figures up to those of its chunks, and returns them."""
    totals = Totals()
    columns = ("done", "requests", "counts", "seen", "blanked")
    for done, requests, counts, seen, blanked in SyncChunk.objects.filter(run_id=run_id).values_list(*columns):
        totals.done, totals.requests = totals.done + done, totals.requests + requests
        totals.counts.update(counts)
        totals.guard.seen.update(seen)
        totals.guard.blanked.update(blanked)
    figures = {"done": totals.done, "requests": totals.requests, "counts": dict(totals.counts)}
    going_on = SyncRun.objects.filter(pk=run_id, status=SyncRun.Status.RUNNING)
    going_on.update(**figures, heartbeat_at=timezone.now())
    return totals
