"""Runs that any number of workers share, on any number of hosts, and that still are one run.

A run is a row with chunks; a message in the queue (`ring`) says no more than that there is work. A worker that
hears it claims one chunk after another, for a while, then rings again and makes way. So a message that is
delivered twice does no harm, and one that is lost is rung again (`ring_again`): the rows are the truth.
"""

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from ingestion.bells import ring
from ingestion.chunks import (
    CHUNK,
    PLAN,
    add_chunks,
    claim_chunk,
    ending_of,
)
from ingestion.fetching import quick_thread_switches
from ingestion.models import SyncChunk, SyncRun
from ingestion.options import Options
from ingestion.progress import OPEN
from ingestion.report import COUNTED, Reporter
from ingestion.run_ends import close_if_complete
from ingestion.runs import Run, RunLost, close_if_dead, start_run
from ingestion.shares import Share, ShareWork
from ingestion.sources.http import KeyRefused, Stopped
from ingestion.sync import ShowSync
from ingestion.traffic import save_traffic
from ingestion.work import ShowWork
from ingestion.workers import worker_is_stopping
from trr_site.processes import here

log = logging.getLogger(__name__)

BELLS = 8  # messages for one run at most: as many workers take part
SLICE = 15.0  # seconds after which a worker lets others have a turn, between two chunks
DATABASE_PATIENCE = 60.0  # seconds to wait for one that restarts
FAILURES_TOLD = 20  # in the result of a task; the run's row has all
Status = SyncRun.Status


def kind_of(show_ids: Iterable[Any], retry_of: int | None = None) -> str:
    """A selection is a kind of its own: two buttons must not keep each other's shows from being synced."""
    if retry_of is not None:
        return f"sync_selected retry of run {retry_of}"
    chosen = sorted(map(str, show_ids))
    return f"sync_selected {sha256(','.join(chosen).encode()).hexdigest()[:12]}" if chosen else "sync_shows"


def options_of(show_ids: Iterable[Any]) -> Options:
    ids = tuple(UUID(str(one)) for one in show_ids)
    return Options(show_ids=ids, force=bool(ids))


def request_run(options: Options, kind: str, user: User | None) -> SyncRun:
    """A run that waits for a worker: its row now, its message when that is committed. One of the kind that waits
    already is it."""
    about = {"options": options.as_json(), "retry_of_id": options.retry_of, "started_by": user}
    run = SyncRun(kind=kind, status=Status.QUEUED, shared=True, host="", pid=0, **about)
    try:
        with transaction.atomic():
            run.save()
            SyncChunk.objects.create(run=run, number=PLAN)
    except IntegrityError:
        waiting = SyncRun.objects.filter(kind=kind, status=Status.QUEUED).first()
        if waiting is None:  # it has just begun: what it has not done yet it does for this request too
            return SyncRun.objects.filter(kind=kind).latest("pk")
        run = waiting
    ring(run.pk)
    return run


def request_sync(user_id: int | None, show_ids: Iterable[UUID] | None) -> int:
    """What the catalogue's buttons ask for (catalog.sync_queue)."""
    user = User.objects.filter(pk=user_id).first() if user_id else None
    chosen = list(show_ids or ())
    return request_run(options_of(chosen), kind_of(chosen), user).pk


def retry_failed(run: SyncRun, user: User | None) -> SyncRun:
    """Has the shows that a run failed at, and the logos, tried again, whatever their age."""
    stages = Options.of_json(run.options).stages
    options = Options(stages=stages, retry_of=run.pk)
    return request_run(options, kind_of((), retry_of=run.pk), user)


def start_shared(options: Options, kind: str, user: User | None = None) -> Run:
    """A run that begins now. Raises AlreadyRunning."""
    with transaction.atomic():
        run = start_run(kind, options.as_json(), user, shared=True)
        SyncChunk.objects.create(run_id=run.id, number=PLAN)
    return run


def work_on(run_id: int) -> dict[str, Any]:
    """Does a part of a run, or brings it to its end; safe at any time, and by any number of workers."""
    if not begin(run_id):
        return summary(run_id)
    Options.of_json(SyncRun.objects.values_list("options", flat=True).get(pk=run_id))  # or it is for newer code
    until = time.monotonic() + SLICE
    goes_on = partial(may_go_on, until)
    while not ending_of(run_id) and (claim := claim_chunk(run_id)):
        do_share(Share(claim), goes_on)
        close_if_complete(run_id)  # or makes the chunk that settles what was held back
        if not goes_on():
            break
    close_if_complete(run_id)
    if SyncChunk.objects.filter(run_id=run_id, run__status=Status.RUNNING, status=SyncChunk.Status.WAITING).exists():
        ring(run_id)
    return summary(run_id)


def begin(run_id: int) -> bool:
    """Whether the run goes on; one that was queued begins, unless another of its kind has not ended: then it waits."""
    run = SyncRun.objects.filter(pk=run_id, shared=True).first()
    if run is None or run.status != Status.QUEUED:
        return run is not None and run.status == Status.RUNNING
    now = timezone.now()
    for _ in range(2):
        try:
            with transaction.atomic():
                queued = SyncRun.objects.filter(pk=run_id, status=Status.QUEUED)
                queued.update(status=Status.RUNNING, started_at=now, heartbeat_at=now, **here())
                return True
        except IntegrityError:
            holder = SyncRun.objects.filter(kind=run.kind, status=Status.RUNNING).first()
            if holder is not None and not close_if_dead(holder):
                return False
    return False


def may_go_on(until: float) -> bool:
    return time.monotonic() < until and not worker_is_stopping()


def do_share(share: Share, goes_on: Callable[[], bool]) -> None:
    """Does what there is to do. When the database fails, and is back soon, the rest is left to whoever is next."""
    options = Options.of_json(share.run.row.options)
    planning = share.last.chunk.number == PLAN
    work = plan_of(share, options) if planning else ShareWork(share, options, goes_on)
    try:
        do_work(work, share)
        save_traffic(work.client.traffic())
        share.end(work.client.requests_made, work.report.counts, work.report.error)
    except RunLost as error:
        log.warning("%s; this worker leaves it", error)
        share.leave(blameless=True)
    except DatabaseError as error:
        log.warning("the database failed in run %s (%s)", share.run.id, type(error).__name__)
        was_away = not is_usable()
        if not database_is_back():
            raise
        share.leave(blameless=was_away)


def do_work(work: ShowWork, share: Share) -> None:
    try:
        with quick_thread_switches():
            if isinstance(work, ShareWork):
                work.work(work.todo())
            else:
                assert isinstance(work, ShowSync)
                plan(work, share)
    except KeyRefused as error:
        work.refuse(error)
    except Stopped:
        pass
    finally:
        work.close()


def is_usable() -> bool:
    try:
        return connection.connection is not None and connection.is_usable()
    except DatabaseError:
        return False


def database_is_back() -> bool:
    """Waits for a database that restarts; whether it answers again."""
    until = time.monotonic() + DATABASE_PATIENCE
    while time.monotonic() < until:
        connection.close()
        try:
            connection.ensure_connection()
        except DatabaseError:
            time.sleep(1.0)
        else:
            return True
    return False


def plan_of(share: Share, options: Options) -> ShowSync:
    trip = ShowSync(options, share.run.row.kind, share.run, Reporter())
    trip.ledger = share
    return trip


def plan(trip: ShowSync, share: Share) -> None:
    """Chooses the shows and makes the chunks, once; then mirrors what logos have waited for."""
    run = share.run
    if run.row.total is None:
        due = trip.choose()
        with transaction.atomic():
            share.last.write(heartbeat_at=timezone.now())  # raises RunLost where another has planned meanwhile
            count = add_chunks(run.id, due, CHUNK, first=PLAN + 1)
            SyncRun.objects.filter(pk=run.id, status=Status.RUNNING).update(total=len(due))
            ring(run.id, min(count, BELLS) - 1)
    share.last.is_fed = True
    trip.mirror_pending()
    trip.work(iter(()))


def summary(run_id: int) -> dict[str, Any]:
    """What a task returns of a run, as it stands: plain values, which any version of the code can read."""
    run = SyncRun.objects.filter(pk=run_id).first()
    if run is None:
        return {"run": run_id, "error": "there is no such run any more", "exit_code": 1}
    failures = list(run.failures.values("item", "reason")[:FAILURES_TOLD])
    counts = {name: run.counts.get(name, 0) for name in (*COUNTED, "logos failed")}
    ended = run.status not in OPEN
    return {
        "run": run_id,
        "status": run.status,
        "counts": counts,
        "requests": run.requests,
        "error": run.error,
        "failures": failures,
        "exit_code": 0 if not ended or run.status == Status.SUCCEEDED else 1,
    }
