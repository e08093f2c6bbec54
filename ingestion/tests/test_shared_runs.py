"""Runs that workers share: whoever takes part and whoever dies, it is one run, and every show is done once."""

import socket
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone
from django_q.models import OrmQ
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from catalog.models import Show
from demo.upstream import Reply
from ingestion import shared_runs, shares, tasks
from ingestion.bells import ring_again
from ingestion.chunks import Claim, add_chunks, claim_chunk, due_of
from ingestion.fetching import fetch_job
from ingestion.models import Stage, SyncChunk, SyncFailure, SyncRun, SyncState, UpstreamTraffic, Worker
from ingestion.options import Options
from ingestion.run_ends import HELD_BACK, close_if_complete
from ingestion.runs import AlreadyRunning, RunLost, cancel, start_run
from ingestion.selection import Due, jobs
from ingestion.shared_runs import kind_of, request_run, retry_failed, start_shared, work_on
from ingestion.shares import Share, ShareWork
from ingestion.sources.tmdb import TmdbClient

from .worlds import FIRST_ID, world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(shared_runs, "CHUNK", 5)


@pytest.fixture
def one_by_one(settings, monkeypatch, upstream):
    """A worker that fetches and saves one show at a time, and hears what is said before the fourth."""
    upstream.answer("/3/tv/1003", Reply(delay=0.5))
    settings.TMDB_CONNECTIONS = 1
    monkeypatch.setattr("ingestion.work.BATCH", 1)
    monkeypatch.setattr(shares, "BEAT_EVERY", 0)


def messages() -> list[tuple[object, ...]]:
    return [tuple(row.task["args"]) for row in OrmQ.objects.order_by("pk")]


def planned(options: Options | None = None, kind: str = "sync_shows") -> int:
    """A run whose chunks are made, and none of them begun."""
    run = start_shared(options or Options(), kind)
    claim = claim_chunk(run.id)
    do_one(claim)
    return run.id


def do_one(claim: Claim) -> None:
    """One chunk and no more, as a worker whose time is up."""
    shared_runs.do_share(Share(claim), lambda: False)


def statuses(run_id: int) -> Counter[str]:
    return Counter(SyncChunk.objects.filter(run_id=run_id).values_list("status", flat=True))


def test_run_in_chunks_is_one_run_with_the_figures_of_all(upstream):
    world(upstream, 12)

    result = work_on(start_shared(Options(), "sync_shows").id)

    run = SyncRun.objects.get()
    assert (run.status, run.total, run.done, run.requests) == ("succeeded", 12, 12, 12)
    assert (run.counts["updated"], run.finished_at is not None, run.shared) == (12, True, True)
    assert list(run.chunks.values_list("number", "done", "attempts")) == [(0, 0, 1), (1, 5, 1), (2, 5, 1), (3, 2, 1)]
    assert (result["exit_code"], result["counts"]["updated"]) == (0, 12)
    assert upstream.count("/3/tv/1") == 12


def test_requests_of_a_run_are_counted_by_their_outcome(upstream):
    world(upstream, 3)
    upstream.answer("/3/tv/1001", Reply(429, headers={"Retry-After": "0"}))

    work_on(start_shared(Options(skip_logos=True), "sync_shows").id)

    assert dict(UpstreamTraffic.objects.values_list("outcome", "requests")) == {"200": 3, "429": 1}


def test_run_with_nothing_due_ends_at_once(upstream):
    result = work_on(start_shared(Options(), "sync_shows").id)

    assert (result["status"], SyncRun.objects.get().total) == ("succeeded", 0)


def test_several_workers_do_each_show_once(upstream):
    world(upstream, 14)
    run_id = planned()
    claims = [claim_chunk(run_id) for _ in range(4)]

    assert [claim.chunk.number for claim in claims[:3]] == [1, 2, 3]
    assert claims[3] is None
    for claim in claims[2::-1]:
        do_one(claim)
        close_if_complete(run_id)

    assert SyncRun.objects.get().status == "succeeded"
    assert Counter(request.path for request in upstream.requests if "/3/tv/1" in request.path).most_common(1)[0][1] == 1


def test_a_chunk_has_one_worker_however_many_want_it():
    run = SyncRun.objects.create(kind="x", host="h", pid=1, shared=True)
    SyncChunk.objects.create(run=run, number=1)

    assert claim_chunk(run.pk) is not None
    assert claim_chunk(run.pk) is None


def test_planning_rings_for_as_many_workers_as_there_are_chunks(
    upstream, monkeypatch, django_capture_on_commit_callbacks
):
    world(upstream, 12)
    with django_capture_on_commit_callbacks(execute=True):
        run_id = planned()

    assert messages() == [(run_id,)] * 2  # the one that planned goes on


# --- who dies


def test_chunk_of_a_dead_worker_is_taken_up_where_it_was(upstream, dead_pid):
    shows = world(upstream, 5)
    run_id = planned()
    claim = claim_chunk(run_id)
    work = ShareWork(Share(claim), Options(), lambda: False)
    work.save([fetch(show) for show in shows[:2]])
    work.close()
    SyncChunk.objects.filter(number=1).update(host=socket.gethostname(), pid=dead_pid)
    upstream.clear()

    work_on(run_id)

    run = SyncRun.objects.get()
    assert (run.status, run.done, run.counts["updated"]) == ("succeeded", 5, 5)
    assert sorted(request.path for request in upstream.requests if "/3/tv/1" in request.path) == [
        "/3/tv/1003",
        "/3/tv/1004",
        "/3/tv/1005",
    ]
    assert SyncChunk.objects.get(number=1).attempts == 2


def fetch(show):
    client = TmdbClient()
    try:
        (job,) = jobs([Due(show.pk, frozenset(Stage), False, ())])
        return fetch_job(client, job)
    finally:
        client.close()


def test_worker_that_was_taken_for_dead_writes_nothing_more(upstream):
    shows = world(upstream, 2)
    run_id = planned()
    first = claim_chunk(run_id)
    SyncChunk.objects.filter(number=1).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    second = claim_chunk(run_id)
    work = ShareWork(Share(first), Options(), lambda: False)
    brought = fetch(shows[0])

    with pytest.raises(RunLost, match="was taken over by another worker"):
        work.save([brought])
    work.close()

    assert second is not None
    assert not SyncState.objects.exists()
    assert len(SyncChunk.objects.get(number=1).work) == 2


@pytest.mark.parametrize("minutes", [-5, 5])
def test_silence_and_a_clock_that_was_set_are_the_same_to_a_chunk(upstream, minutes):
    world(upstream, 1)
    run_id = planned()
    claim_chunk(run_id)
    SyncChunk.objects.filter(number=1).update(host="another.example")

    assert claim_chunk(run_id) is None
    SyncChunk.objects.filter(number=1).update(heartbeat_at=timezone.now() + timedelta(minutes=minutes))
    assert claim_chunk(run_id) is not None


def test_chunk_that_kills_every_worker_is_given_up_and_its_shows_are_named(upstream, dead_pid):
    shows = world(upstream, 6)
    run_id = planned()
    for _ in range(3):
        assert claim_chunk(run_id).chunk.number == 1
        SyncChunk.objects.filter(number=1).update(pid=dead_pid)

    result = work_on(run_id)

    run = SyncRun.objects.get()
    assert (run.status, run.done, run.counts["updated"], run.counts["failed"]) == ("failed", 6, 1, 5)
    assert set(SyncFailure.objects.values_list("show", flat=True)) == {show.pk for show in shows[:5]}
    assert "given up after 3 attempts" in SyncFailure.objects.first().reason
    assert result["exit_code"] == 1


def test_plan_that_kills_every_worker_ends_the_run(upstream, dead_pid):
    world(upstream, 2)
    run_id = start_shared(Options(), "sync_shows").id
    for _ in range(3):
        claim_chunk(run_id)
        SyncChunk.objects.update(pid=dead_pid)

    work_on(run_id)

    assert SyncRun.objects.get().status == "failed"
    assert SyncFailure.objects.get().item == "choice of the shows"


def test_plan_that_was_cut_off_after_the_chunks_were_made_makes_no_second_ones(upstream, dead_pid):
    world(upstream, 7)
    run_id = planned()
    SyncChunk.objects.filter(number=0).update(status="running", pid=dead_pid, heartbeat_at=timezone.now())

    work_on(run_id)

    assert SyncChunk.objects.count() == 3
    assert (SyncRun.objects.get().done, SyncRun.objects.get().status) == (7, "succeeded")


def lost(*args, **options):
    raise OperationalError("the connection is lost")


def test_database_that_is_gone_leaves_the_chunk_to_the_next_worker(upstream, monkeypatch):
    world(upstream, 3)
    run_id = planned()
    monkeypatch.setattr(shared_runs, "DATABASE_PATIENCE", 0)
    with monkeypatch.context() as patch:
        patch.setattr("ingestion.shares.save_shows", lost)
        with pytest.raises(OperationalError):
            work_on(run_id)
    assert statuses(run_id)["running"] == 1
    SyncChunk.objects.filter(status="running").update(heartbeat_at=timezone.now() - timedelta(minutes=1))

    work_on(run_id)

    assert (SyncRun.objects.get().status, SyncRun.objects.get().done) == ("succeeded", 3)


def test_database_that_is_back_soon_costs_an_attempt_and_no_show(upstream, monkeypatch):
    world(upstream, 3)
    run_id = planned()
    monkeypatch.setattr(shared_runs, "database_is_back", lambda: True)
    real, failures = shares.save_shows, iter([True])

    def lost_once(*args, **options):
        return lost() if next(failures, False) else real(*args, **options)

    monkeypatch.setattr(shares, "save_shows", lost_once)

    work_on(run_id)

    assert (SyncRun.objects.get().status, SyncRun.objects.get().done) == ("succeeded", 3)
    assert SyncChunk.objects.get(number=1).attempts == 2


def test_run_that_gives_no_sign_of_life_is_rung_for_again(django_capture_on_commit_callbacks):
    silent = request_run(Options(), "sync_shows", None)
    living = request_run(Options(), "other", None)
    SyncRun.objects.filter(pk=silent.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=2))

    with django_capture_on_commit_callbacks(execute=True):
        assert ring_again() == 1

    assert messages() == [(silent.pk,)]
    assert living.status == "queued"


def test_chunk_is_given_up_with_its_failures_or_not_at_all(upstream, dead_pid, monkeypatch):
    world(upstream, 2)
    run_id = planned()
    for _ in range(3):
        claim_chunk(run_id)
        SyncChunk.objects.filter(number=1).update(pid=dead_pid)

    def killed(chunk):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ingestion.chunks.name_failures", killed)
        with pytest.raises(KeyboardInterrupt):
            claim_chunk(run_id)
    close_if_complete(run_id)
    assert SyncRun.objects.get().status == "running"

    work_on(run_id)
    assert (SyncRun.objects.get().status, SyncFailure.objects.count()) == ("failed", 2)


def test_plan_that_was_taken_over_makes_no_chunks(upstream):
    world(upstream, 3)
    run_id = start_shared(Options(), "sync_shows").id
    late = claim_chunk(run_id)
    SyncChunk.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    claim_chunk(run_id)

    do_one(late)

    assert (SyncChunk.objects.count(), SyncRun.objects.get().total) == (1, None)


def test_run_does_not_end_while_its_last_logos_are_mirrored(upstream):
    world(upstream, 1)
    upstream.always("/t/p/original/network-1.png", Reply(404))
    run_id = planned()
    share = Share(claim_chunk(run_id))
    work = ShareWork(share, Options(), lambda: False)
    real = work.mirror.save_done

    def save_done():
        close_if_complete(run_id)  # as another worker does, again and again
        return real()

    work.mirror.save_done = save_done
    work.work(work.todo())
    share.end(work.client.requests_made, work.report.counts, work.report.error)
    work.close()
    close_if_complete(run_id)

    run = SyncRun.objects.get()
    assert (run.status, run.counts["logos failed"]) == ("failed", 1)
    assert run.counts["logos"] >= 3


def test_run_that_asks_for_what_this_code_does_not_know_is_left_to_newer_code(upstream):
    world(upstream, 1)
    run_id = start_shared(Options(), "sync_shows").id
    SyncRun.objects.update(options={"cast_too": True})

    with pytest.raises(ValueError, match="does not know the options cast_too"):
        work_on(run_id)

    assert (SyncRun.objects.get().status, SyncChunk.objects.get().attempts) == ("running", 0)


def test_run_whose_shows_were_deleted_meanwhile_says_so(upstream):
    shows = world(upstream, 3)
    run_id = planned()
    shows[1].delete()

    work_on(run_id)

    assert (SyncRun.objects.get().status, SyncRun.objects.get().done) == ("stopped", 2)
    assert SyncRun.objects.get().error == "1 of 3 shows were not reached: deleted meanwhile?"


def test_queue_that_is_out_of_reach_costs_no_press(monkeypatch, django_capture_on_commit_callbacks, caplog):
    def away(*args, **options):
        raise ConnectionError("the queue is away")

    monkeypatch.setattr("ingestion.bells.async_task", away)
    with django_capture_on_commit_callbacks(execute=True):
        run = request_run(Options(), "sync_shows", None)

    assert run.status == "queued"
    assert "the queue is away" in caplog.text


# --- who wants it to end


def test_queued_run_that_is_cancelled_never_begins(upstream, django_user_model):
    world(upstream, 2)
    user = django_user_model.objects.create(username="anna")
    run = request_run(Options(), "sync_shows", user)

    assert cancel(run.pk, user)
    work_on(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error) == ("cancelled", "cancelled by anna")
    assert upstream.count() == 0


def test_running_run_that_is_cancelled_ends_with_whole_shows(upstream, django_user_model, monkeypatch):
    world(upstream, 12)
    user = django_user_model.objects.create(username="anna")
    run_id = planned()
    do_one(claim_chunk(run_id))

    assert cancel(run_id, user)
    assert not cancel(run_id, user)
    work_on(run_id)

    run = SyncRun.objects.get()
    assert (run.status, run.done) == ("cancelled", 5)
    assert run.error == "cancelled by anna; what was done is kept"
    assert SyncState.objects.filter(stage=Stage.DETAILS, status="ok").count() == 5


def test_worker_hears_of_the_cancel_in_the_middle_of_a_chunk(upstream, django_user_model, one_by_one):
    world(upstream, 5)
    user = django_user_model.objects.create(username="anna")
    run_id = planned()
    claim = claim_chunk(run_id)
    record = claim.record

    def record_and_cancel(batch):
        record(batch)
        cancel(run_id, user)

    claim.record = record_and_cancel
    do_one(claim)
    close_if_complete(run_id)

    run = SyncRun.objects.get()
    assert run.status == "cancelled"
    assert run.done < 5
    assert run.done + len(SyncChunk.objects.get(number=1).work) == 5
    assert run.done == SyncState.objects.filter(stage=Stage.DETAILS, status="ok").count()


def test_worker_that_is_stopped_gives_its_chunk_back_and_that_is_no_failed_attempt(upstream, one_by_one, monkeypatch):
    world(upstream, 5)
    run_id = planned()
    Worker.objects.create(id="w", host="h", pid=1, stopping=True)
    monkeypatch.setenv("TRR_WORKER", "w")

    work_on(run_id)
    chunk = SyncChunk.objects.get(number=1)
    assert (SyncRun.objects.get().status, chunk.status, chunk.attempts) == ("running", "waiting", 0)
    assert 0 < len(chunk.work) < 5
    assert chunk.done == 5 - len(chunk.work)

    monkeypatch.delenv("TRR_WORKER")
    work_on(run_id)
    assert (SyncRun.objects.get().status, SyncRun.objects.get().done) == ("succeeded", 5)


def test_refused_key_ends_the_run_for_every_worker(upstream):
    world(upstream, 12)
    run_id = planned()
    upstream.clear()
    upstream.always("/3/*", Reply(401))

    work_on(run_id)

    run = SyncRun.objects.get()
    assert (run.status, upstream.count()) == ("stopped", 1)
    assert "the key was refused (401)" in run.error


# --- the guard, over all chunks


def blank(upstream, numbers):
    for number in numbers:
        upstream.shows[FIRST_ID + number]["watch/providers"] = {"results": {}}


def test_guard_sees_all_chunks_together(upstream, monkeypatch):
    monkeypatch.setattr("ingestion.guard.EARLY", 1000)
    shows = world(upstream, 20)
    work_on(start_shared(Options(), "sync_shows").id)
    blank(upstream, [0, 1, 5, 6, 10, 11, 15, 16])  # two of each chunk: 40 % of all

    work_on(start_shared(Options(force=True), "sync_shows").id)

    run = SyncRun.objects.first()
    assert (run.status, run.tripped, run.done) == ("stopped", True, 20)
    assert "8 of the 20 shows seen would lose their watch_providers" in run.error
    assert run.counts["failed"] == 8
    assert all(show.watch_providers.count() == 2 for show in shows)
    assert set(SyncFailure.objects.values_list("reason", flat=True)) == {HELD_BACK}


def test_few_that_lose_something_are_saved_at_the_end(upstream):
    shows = world(upstream, 20)
    work_on(start_shared(Options(), "sync_shows").id)
    blank(upstream, [0, 6])

    work_on(start_shared(Options(force=True), "sync_shows").id)

    run = SyncRun.objects.first()
    assert (run.status, run.tripped, run.done, run.counts) == ("succeeded", False, 20, {"updated": 2, "unchanged": 18})
    assert [show.watch_providers.count() for show in (shows[0], shows[1], shows[6])] == [0, 2, 0]


def test_guard_that_trips_early_stops_every_worker(upstream, monkeypatch):
    monkeypatch.setattr(shares, "BEAT_EVERY", 0)
    monkeypatch.setattr("ingestion.guard.EARLY", 4)
    world(upstream, 20)
    work_on(start_shared(Options(), "sync_shows").id)
    blank(upstream, range(20))

    work_on(start_shared(Options(force=True), "sync_shows").id)

    run = SyncRun.objects.first()
    assert (run.status, run.tripped) == ("stopped", True)
    assert Show.objects.filter(watch_providers__isnull=True).count() == 0
    assert run.failures.filter(reason=HELD_BACK).count() >= 4  # those that were seen, for a retry


def test_as_many_failures_as_are_allowed_end_the_run(upstream, one_by_one):
    world(upstream, 15)
    for number in range(15):
        upstream.always(f"/3/tv/{FIRST_ID + number}", Reply(200, []))

    work_on(start_shared(Options(max_failures=2), "sync_shows").id)

    run = SyncRun.objects.get()
    assert run.status == "stopped"
    assert "(--max-failures 2)" in run.error
    assert run.done < 15


# --- what people press


def test_press_makes_a_row_at_once_and_a_message_when_it_is_committed(
    django_user_model, django_capture_on_commit_callbacks
):
    user = django_user_model.objects.create(username="anna")
    with django_capture_on_commit_callbacks(execute=True):
        run = request_run(Options(), "sync_shows", user)
        assert messages() == []

    assert messages() == [(run.pk,)]
    assert (run.status, run.started_by, run.shared) == ("queued", user, True)


def test_two_presses_are_one_run_while_it_waits():
    first, second = request_run(Options(), "sync_shows", None), request_run(Options(), "sync_shows", None)

    assert first.pk == second.pk
    assert SyncRun.objects.count() == 1


def test_queued_run_waits_until_the_one_of_its_kind_has_ended(upstream):
    world(upstream, 2)
    going_on = start_run("sync_shows", {})
    queued = request_run(Options(), "sync_shows", None)

    assert work_on(queued.pk)["status"] == "queued"
    going_on.finish(SyncRun.Status.SUCCEEDED)
    assert work_on(queued.pk)["status"] == "succeeded"


def test_second_run_of_a_kind_does_not_begin(upstream):
    start_shared(Options(), "sync_shows")

    with pytest.raises(AlreadyRunning, match="sync_shows is already running"):
        start_shared(Options(), "sync_shows")
    assert SyncChunk.objects.count() == 1


def test_message_of_a_run_that_has_ended_does_nothing(upstream):
    world(upstream, 1)
    run_id = start_shared(Options(), "sync_shows").id
    first = work_on(run_id)
    upstream.clear()

    assert work_on(run_id) == first
    assert work_on(10**6)["exit_code"] == 1
    assert upstream.count() == 0


def test_retry_takes_the_shows_that_failed_and_no_others(upstream, django_user_model):
    shows = world(upstream, 7)
    upstream.always("/3/tv/1003", Reply(200, []))
    work_on(start_shared(Options(), "sync_shows").id)
    failed = SyncRun.objects.get()
    upstream.clear()

    run = retry_failed(failed, django_user_model.objects.create(username="anna"))
    work_on(run.pk)

    run.refresh_from_db()
    assert (failed.status, run.status, run.total, run.retry_of_id) == ("failed", "succeeded", 1, failed.pk)
    assert shows[2].sync_states.get(stage=Stage.DETAILS).status == "ok"


def test_selection_is_a_kind_of_its_own_whatever_its_order():
    one, other = uuid4(), uuid4()

    assert kind_of([one, other]) == kind_of([other, one]) != kind_of([one])
    assert kind_of([]) == "sync_shows"


@pytest.mark.parametrize("task", [tasks.sync_watch_providers, tasks.sync_tmdb_entities])
def test_stages_that_are_scheduled_are_runs_of_their_commands_kind(upstream, task):
    world(upstream, 2)

    result = task()

    assert SyncRun.objects.get().kind == task.__name__
    assert (result["status"], result["counts"]["updated"]) == ("succeeded", 2)


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.uuids(), st.sets(st.sampled_from(list(Stage)), min_size=1), st.booleans()), max_size=30))
def test_work_of_chunks_is_all_that_was_due_in_its_order(items):
    due = [Due(show_id, frozenset(stages), find, ()) for show_id, stages, find in items]
    with transaction.atomic():
        run = SyncRun.objects.create(kind=str(uuid4()), host="h", pid=1, shared=True)
        count = add_chunks(run.pk, due, 7, first=1)

        parts = [due_of(chunk.work) for chunk in run.chunks.order_by("number")]
        transaction.set_rollback(True)

    assert [one for part in parts for one in part] == due
    assert len(parts) == count == -(-len(due) // 7)
