"""How a shared run ends: when nothing of it is left, after the guard's verdict over all its chunks."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from catalog.changes import Author
from catalog.models import Show
from ingestion.bells import ring
from ingestion.chunks import CHUNK, Claim, add_chunks, due_of, is_abandoned, tally
from ingestion.models import Stage, SyncChunk, SyncRun
from ingestion.outcomes import Fetched, Outcome
from ingestion.persist import save_shows
from ingestion.runs import Run, cancelled_words
from ingestion.work import BATCH

HELD_BACK = "held back: it would lose values, like too many others"
Status = SyncRun.Status


def close_if_complete(run_id: int) -> None:
    """Ends a run of which nothing is left, or that has to end and on which nobody works any more."""
    with transaction.atomic():
        run = SyncRun.objects.select_for_update().filter(pk=run_id, status=Status.RUNNING, shared=True).first()
        if run is None:
            return
        ending = run.error or cancelled_words(run_id)
        unfinished = list(run.chunks.filter(status__in=("waiting", "running")).defer("work", "held"))
        if ending:  # what nobody works on stays undone
            unfinished = [chunk for chunk in unfinished if chunk.status == "running" and not is_abandoned(chunk)]
        if unfinished:
            return
        totals = tally(run_id)
        held = held_of(run)
        if held and not ending:
            ending = totals.verdict(final=True)
            if not ending:
                settle(run, held)
                return
            run.tripped = True
        if held and run.tripped:
            fail_held(run, held)
            totals = tally(run_id)
        if not ending and run.total is not None and (left := run.total - totals.done) > 0:
            ending = f"{left} of {run.total} shows were not reached: deleted meanwhile?"
        finish(run, ending)


def held_of(run: SyncRun) -> list[list[Any]]:
    """What was held back and waits for the verdict; none once it is being settled."""
    chunks = list(run.chunks.values_list("settles", "held"))
    return [] if any(settles for settles, _ in chunks) else [item for _, held in chunks for item in held]


def settle(run: SyncRun, held: list[list[Any]]) -> None:
    """Has the shows that would lose something, which are few, fetched once more and saved."""
    last = run.chunks.aggregate(last=Max("number"))["last"]
    add_chunks(run.pk, due_of(held), CHUNK, first=last + 1, settles=True)
    ring(run.pk)


def fail_held(run: SyncRun, held: list[list[Any]]) -> None:
    """None of them is saved; each is a failure of the run, and due again."""
    number = run.chunks.aggregate(last=Max("number"))["last"] + 1
    mine = {"status": SyncChunk.Status.RUNNING, "attempts": 1, "heartbeat_at": timezone.now(), "settles": True}
    claim = Claim(SyncChunk.objects.create(run=run, number=number, work=held, **mine))
    for start in range(0, len(held), BATCH):
        claim.record(save_shows(held_back(held[start : start + BATCH]), Author(run_id=run.pk)))
    claim.finish()


def held_back(items: list[list[Any]]) -> list[Fetched]:
    """What a show is told by that was fetched and may not be saved."""
    now, stages = timezone.now(), {UUID(show_id): frozenset(map(Stage, names)) for show_id, names, _ in items}
    shows = Show.all_objects.filter(pk__in=stages).values_list("pk", "name", "tmdb_id", "imdb_id")
    return [
        Fetched(pk, name, tmdb_id, imdb_id, stages[pk], now, problem=Outcome.FAILED, reason=HELD_BACK)
        for pk, name, tmdb_id, imdb_id in shows
    ]


def finish(run: SyncRun, ending: str) -> None:
    if run.cancel_asked_at is not None:
        status = Status.CANCELLED
    elif ending:
        status = Status.STOPPED
    else:
        status = Status.FAILED if run.failures.exists() else Status.SUCCEEDED
    Run(run).finish(status, error=ending, tripped=run.tripped)
