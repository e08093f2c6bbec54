"""`prune_logos` as it is run: on a media folder and on a bucket of a real S3 server, which must behave the same."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as project
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from moto.s3.models import S3Backend

from catalog.changes import Author
from catalog.logos import upload_logo
from catalog.models import Network, ProductionCompany, WatchProvider
from catalog.tests.daphnes import environment
from catalog.tests.pictures import draw
from catalog.tests.stores import BUCKET, BucketStore, FolderStore, Store, bucket_store, folder_store, s3_storage
from ingestion import prune_logos as module
from ingestion.models import SyncRun
from ingestion.prune_logos import LogoPrune, PruneReport, prune_logos, verdict
from ingestion.runs import start_run

pytestmark = pytest.mark.django_db
OUTSIDE = {"images/logo.png", "images/logos.png", "images/logosets/a.png", "backups/db.sqlite3"}


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Iterator[FolderStore]:
    with folder_store(settings, tmp_path / "media") as store:
        yield store


@pytest.fixture
def bucket(settings: Any) -> Iterator[BucketStore]:
    with bucket_store(settings) as store:
        yield store


@pytest.fixture(params=["folder", "bucket"])
def store(request: Any) -> Store:
    return request.getfixturevalue(request.param)


def key(number: int, kind: str = "networks") -> str:
    return f"images/logos/{kind}/{number:05}/a.png"


def named(store: Store, count: int, kind: str = "networks", model: Any = Network) -> set[str]:
    """Logos as a sync leaves them: a file and the row that names it; their keys."""
    keys = [key(number, kind) for number in range(1, count + 1)]
    name = "provider_name" if model is WatchProvider else "name"
    at = timezone.now() - timedelta(days=30)
    model.objects.bulk_create(
        model(pk=number, hosted_logo_key=one, hosted_logo_at=at, **{name: f"{kind} {number}"})
        for number, one in enumerate(keys, 1)
    )
    for one in keys:
        store.put(one)
    return set(keys)


def orphans(store: Store, count: int, kind: str = "production_companies", *, days: float = 30) -> set[str]:
    """Files that no row names; their keys."""
    keys = {key(number, kind) for number in range(1, count + 1)}
    for one in sorted(keys):
        store.put(one, days=days)
    return keys


def before_the_sweep(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Lets others do something when the files are listed and the names read, and nothing is deleted yet."""
    really_sweep = LogoPrune.sweep

    def sweep(self: LogoPrune) -> None:
        act()
        really_sweep(self)

    monkeypatch.setattr(LogoPrune, "sweep", sweep)


def run(*args: str) -> SimpleNamespace:
    """What a shell would see: output, errors and exit code."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("prune_logos", *args, stdout=out, stderr=err)
    except CommandError as error:
        err.write(f"CommandError: {error}\n")
        code = error.returncode
    return SimpleNamespace(out=out.getvalue(), err=err.getvalue(), code=code)


def row() -> SyncRun:
    return SyncRun.objects.get(kind="prune_logos")


# --- mark and sweep


def test_of_1500_live_logos_and_2_orphans_the_2_are_deleted(store: Store) -> None:
    live = named(store, 1500)
    orphans(store, 2)

    report = prune_logos(delete=True)

    assert (report.exit_code, report.files, len(report.deleted), report.missing) == (0, 1502, 2, [])
    assert store.stored() == live


@pytest.mark.once
def test_of_5000_objects_the_1200_that_are_named_on_the_second_page_and_later_stay(bucket: BucketStore) -> None:
    old = orphans(bucket, 1000, "a_kind_of_old")
    young = orphans(bucket, 2800, "between", days=6.9)
    live = named(bucket, 600, "production_companies", ProductionCompany)
    live |= named(bucket, 600, "watch_providers", WatchProvider)
    assert min(live) > sorted(bucket.stored())[1000]

    report = prune_logos(delete=True)

    assert (report.files, report.named, report.young, len(report.deleted)) == (5000, 1200, 2800, 1000)
    assert (report.error, report.failures, report.missing) == ("", [], [])
    assert bucket.stored() == live | young
    assert old.isdisjoint(bucket.stored())
    # Five pages, the first of them (or with what follows on it, the second) once more, one deletion.
    assert [name for name, _ in bucket.calls] == ["ListObjectsV2"] * 6 + ["DeleteObjects"]


@pytest.mark.once
def test_of_5000_objects_none_goes_where_3800_would(bucket: BucketStore) -> None:
    orphans(bucket, 3800)
    named(bucket, 1200, "watch_providers", WatchProvider)

    report = prune_logos(delete=True)

    assert (report.exit_code, report.tripped, len(report.orphans), report.deleted) == (1, True, 3800, [])
    assert len(bucket.stored()) == 5000
    assert "DeleteObjects" not in {name for name, _ in bucket.calls}


def test_more_than_a_batch_is_deleted_batch_by_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    live = named(store, 40)
    orphans(store, 8)

    report = prune_logos(delete=True)

    assert (len(report.deleted), report.done) == (8, 8)
    assert store.stored() == live
    if isinstance(store, BucketStore):
        deletions = [params for name, params in store.calls if name == "DeleteObjects"]
        assert [len(params["Delete"]["Objects"]) for params in deletions] == [3, 3, 2]


def test_nothing_but_the_folder_of_the_logos_is_listed_or_touched(store: Store) -> None:
    live = named(store, 20)
    for name in OUTSIDE:
        store.put(name)
    orphans(store, 2)

    report = prune_logos(delete=True)

    assert report.files == 22
    assert store.stored() == live | OUTSIDE
    if isinstance(store, BucketStore):
        assert {params["Prefix"] for name, params in store.calls if name == "ListObjectsV2"} == {"images/logos/"}


def test_a_file_stays_for_the_grace_period_and_goes_after_it(store: Store, settings: Any) -> None:
    settings.LOGO_GRACE = timedelta(days=7)
    live = named(store, 20)
    store.put(key(101), days=6.99)
    store.put(key(102), days=7.01)

    report = prune_logos(delete=True)

    assert (report.young, [file.key for file in report.deleted]) == (1, [key(102)])
    assert store.stored() == live | {key(101)}


def test_a_file_of_tomorrow_stays(store: Store) -> None:
    live = named(store, 20)
    store.put(key(101), days=-1)

    assert prune_logos(delete=True).young == 1
    assert store.stored() == live | {key(101)}


def test_left_over_parts_of_files_go_like_any_file_that_no_row_names(store: Store) -> None:
    live = named(store, 20)
    part, fresh = "images/logos/networks/00001/.a1b2.part", "images/logos/networks/00001/.c3d4.part"
    store.put(part)
    store.put(fresh, days=0)

    assert [file.key for file in prune_logos(delete=True).deleted] == [part]
    assert store.stored() == live | {fresh}


def test_folders_that_became_empty_go_with_their_files(folder: FolderStore) -> None:
    named(folder, 20)
    orphans(folder, 2, "watch_providers")

    prune_logos(delete=True)

    assert not (folder.media / "images/logos/watch_providers").exists()
    assert (folder.media / "images/logos/networks/00001").is_dir()


def test_an_earlier_logo_of_a_network_is_swept_and_the_one_of_today_stays(folder: FolderStore) -> None:
    named(folder, 20)
    network = Network.objects.get(pk=1)
    upload_logo(network, draw(), Author())

    assert [file.key for file in prune_logos(delete=True).deleted] == [key(1)]
    assert default_storage.exists(network.hosted_logo_key)


def test_a_second_run_finds_nothing_to_do(store: Store) -> None:
    named(store, 20)
    orphans(store, 2)

    assert [len(prune_logos(delete=True).deleted) for _ in range(2)] == [2, 0]


def test_where_nothing_is_stored_there_is_nothing_to_do(store: Store) -> None:
    report = prune_logos(delete=True)

    assert (report.exit_code, report.files, report.error) == (0, 0, "")


# --- a dry run


def test_a_dry_run_is_the_default_and_deletes_and_writes_nothing(store: Store) -> None:
    named(store, 20)
    gone = orphans(store, 2)
    before = store.stored()

    done = run()

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "would delete 2 of 22 files, 12 bytes; kept: 20 that rows name, 0 younger than 7 days",
        "dry run: nothing was deleted; --delete does it",
    ]
    assert store.stored() == before
    assert not SyncRun.objects.exists()
    assert run("--dry-run").out == done.out
    assert run("-v", "2").out.splitlines()[:2] == [f"would delete {one}" for one in sorted(gone)]
    if isinstance(store, BucketStore):
        assert {name for name, _ in store.calls} == {"ListObjectsV2"}


def test_a_dry_run_says_exactly_what_the_run_then_deletes(store: Store) -> None:
    named(store, 20)
    orphans(store, 4)
    orphans(store, 4, "watch_providers", days=1)

    would = json.loads(run("--json").out)
    did = json.loads(run("--delete", "--json").out)

    assert would["orphans"] == did["orphans"] == sorted(key(n, "production_companies") for n in range(1, 5))
    assert would["counts"] == {
        "files": 28, "named": 20, "young": 4, "orphans": 4, "orphan_bytes": 24, "missing": 0,
        "deleted": 0, "kept": 28, "bytes": 0,
    }  # fmt: skip
    assert did["counts"] == would["counts"] | {"deleted": 4, "kept": 24, "bytes": 24}
    assert (would["dry_run"], did["dry_run"], did["exit_code"], did["error"]) == (True, False, 0, "")


def test_a_dry_run_says_that_the_guard_would_refuse(store: Store) -> None:
    named(store, 10)
    orphans(store, 5)

    done = run()

    assert done.code == 1
    assert "CommandError: 5 of the 15 stored files would go (over 20%), so nothing was deleted" in done.err
    assert not SyncRun.objects.exists()


# --- the guard


@pytest.mark.parametrize(
    ("live", "gone", "refuses"),
    [
        (80, 20, False),  # 20 % go, more do not
        (79, 21, True),
        (1, 1, False),
        (1, 2, False),  # one or two always go
        (2, 3, True),
        (12, 3, False),
        (11, 3, True),
        (100, 0, False),
    ],
)
def test_a_run_that_would_delete_more_than_a_fifth_deletes_nothing(
    folder: FolderStore, live: int, gone: int, refuses: bool
) -> None:
    named(folder, live)
    orphans(folder, gone)

    report = prune_logos(delete=True)

    assert (report.tripped, report.exit_code, len(folder.stored())) == (
        (True, 1, live + gone) if refuses else (False, 0, live)
    )


def test_a_run_that_was_refused_says_why_and_what_to_do(store: Store) -> None:
    named(store, 10)
    orphans(store, 5)

    done = run("--delete")

    assert done.code == 1
    assert done.out.startswith("deleted 0 of 15 files, 0 bytes;")
    assert done.err == (
        f"CommandError: 5 of the 15 stored files would go (over 20%), so nothing was deleted. Is {store.place} that of "
        f"the database {connection.settings_dict['NAME']} (AWS_S3_BUCKET, MEDIA_ROOT, DATABASE_URL)? If it is, "
        "delete them by hand: `prune_logos -v 2` lists them\n"
    )
    assert (row().status, row().tripped) == ("stopped", True)
    assert f"CommandError: {row().error}\n" == done.err


@pytest.mark.parametrize("files", [1, 2, 50])
def test_an_empty_database_deletes_nothing(store: Store, files: int) -> None:
    Network.objects.create(id=1, name="Bravo")
    gone = orphans(store, files)

    done = run("--delete")

    assert done.code == 1
    assert f"no row names a logo, and {files} files are stored: the database looks empty" in done.err
    assert store.stored() == gone
    assert row().tripped


def test_a_database_whose_logos_are_elsewhere_deletes_nothing(store: Store) -> None:
    """Another bucket, or another database: the names do not fit the files."""
    named(store, 100)
    for number in range(41, 101):
        Network.objects.filter(pk=number).update(hosted_logo_key=f"images/logos/networks/{number}/b.png")
    orphans(store, 300, "watch_providers", days=1)

    report = prune_logos(delete=True)

    assert report.tripped
    assert report.error.startswith(
        "60 of the 100 logos that rows name are not among the 400 files that are stored, so nothing was deleted."
    )
    assert len(store.stored()) == 400


def test_the_last_two_files_stay_where_what_rows_name_is_not_there(store: Store) -> None:
    Network.objects.create(id=1, name="Bravo", hosted_logo_key=key(1))
    gone = orphans(store, 2)

    assert prune_logos(delete=True).tripped
    assert store.stored() == gone


def test_a_verdict_needs_something_that_would_go() -> None:
    assert verdict(PruneReport(files=3, young=3), "the bucket b", "trr") == ""
    assert verdict(PruneReport(missing=["a", "b", "c"]), "the bucket b", "trr") == ""


def test_logos_that_rows_name_and_that_are_not_there_are_told(store: Store) -> None:
    named(store, 20)
    Network.objects.create(id=21, name="Lost", hosted_logo_key=key(21))

    done = run("-v", "2")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"not stored: {key(21)}"
    assert done.out.splitlines()[2].startswith("logos that rows name and that are not stored: 1 (-v 2 lists them)")


def test_a_logo_that_is_stored_after_the_listing_is_not_told_as_missing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(store, 20)
    really_mark = LogoPrune.mark

    def mark(self: LogoPrune, files: Any) -> None:
        upload_logo(Network.objects.get(pk=1), draw(), Author())
        really_mark(self, files)

    monkeypatch.setattr(LogoPrune, "mark", mark)

    assert prune_logos().missing == []


# --- what others do meanwhile


def test_a_file_that_is_named_again_between_listing_and_deletion_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(store, 20)
    gone = orphans(store, 2)
    back = min(gone)
    before_the_sweep(monkeypatch, lambda: Network.objects.filter(pk=1).update(hosted_logo_key=back))

    report = prune_logos(delete=True)

    assert (report.exit_code, len(report.orphans), len(report.deleted), report.done) == (0, 2, 1, 2)
    assert back in store.stored()
    assert max(gone) not in store.stored()


def test_a_file_that_is_stored_again_and_not_named_yet_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    named(store, 20)
    gone = orphans(store, 2)
    back = min(gone)
    before_the_sweep(monkeypatch, lambda: store.put(back, days=0))

    report = prune_logos(delete=True)

    assert (report.exit_code, len(report.deleted)) == (0, 1)
    assert back in store.stored()


def test_names_are_read_again_for_each_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    named(store, 20)
    first, second, third = sorted(orphans(store, 3))
    really_keep = LogoPrune.keep_failures

    def keep_failures(self: LogoPrune, failures: Any) -> None:
        Network.objects.filter(pk=1).update(hosted_logo_key=second)
        really_keep(self, failures)

    monkeypatch.setattr(LogoPrune, "keep_failures", keep_failures)

    assert [file.key for file in prune_logos(delete=True).deleted] == [first, third]
    assert second in store.stored()


def test_a_file_that_is_gone_meanwhile_is_no_failure(folder: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    named(folder, 20)
    gone = orphans(folder, 2)
    before_the_sweep(monkeypatch, lambda: (folder.media / min(gone)).unlink())

    report = prune_logos(delete=True)

    assert (report.exit_code, len(report.deleted), report.done) == (0, 1, 2)


# --- what goes wrong


def test_an_object_that_can_not_be_deleted_is_named_and_the_others_go(bucket: BucketStore) -> None:
    named(bucket, 20)
    kept, *gone = sorted(orphans(bucket, 4))
    bucket.keep(kept)

    done = run("--delete")

    assert done.code == 1
    assert done.err == (
        f"{kept}: AccessDenied: Access Denied\nCommandError: 1 file could not be deleted; the next run tries again\n"
    )
    assert done.out.startswith("deleted 3 of 24 files, 18 bytes;")
    assert kept in bucket.stored()
    assert not bucket.stored() & set(gone)
    assert (row().status, row().counts, row().error) == (
        "failed",
        {"files": 24, "deleted": 3, "kept": 21, "bytes": 18},
        "",
    )
    assert list(row().failures.values_list("item", "reason")) == [(kept, "AccessDenied: Access Denied")]


def test_a_bucket_out_of_reach_is_said_in_a_line_without_secrets(settings: Any) -> None:
    settings.STORAGES = settings.STORAGES | {"default": s3_storage("http://user:hidden@127.0.0.1:9", settings)}

    done = run("--delete")

    assert done.code == 1
    assert "CommandError: the bucket trr-files can't be listed: no connection (EndpointConnectionError)" in done.err
    assert "hidden" not in done.out + done.err + row().error
    assert (row().status, row().tripped, f"CommandError: {row().error}\n" in done.err) == ("stopped", False, True)
    default_storage.connection.meta.client.close()  # type: ignore[attr-defined]


def test_a_bucket_that_goes_away_in_the_middle_ends_the_run_with_what_was_done(
    bucket: BucketStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    named(bucket, 20)
    orphans(bucket, 4)
    really_keep = LogoPrune.keep_failures

    def keep_failures(self: LogoPrune, failures: Any) -> None:
        really_keep(self, failures)
        bucket.remove()

    monkeypatch.setattr(LogoPrune, "keep_failures", keep_failures)

    report = prune_logos(delete=True)

    assert "NoSuchBucket" in report.error
    assert (report.exit_code, len(report.deleted)) == (1, 2)
    assert (row().status, row().done, row().total) == ("stopped", 2, 4)


def test_a_database_that_goes_away_is_a_line_and_no_traceback(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(folder, 20)
    gone = orphans(folder, 2)

    def lost() -> None:
        raise OperationalError("server closed the connection\nThis probably means that it terminated")

    before_the_sweep(monkeypatch, lost)

    done = run("--delete")

    assert (done.code, done.err) == (
        1,
        "CommandError: the database is out of reach: server closed the connection\n",
    )
    assert gone < folder.stored()


@pytest.mark.parametrize(
    "problem",
    [
        "AWS_S3_ENDPOINT_URL is malformed: expected an http(s) URL",
        "LOGO_GRACE_DAYS is malformed: expected a number of days above 0",
        "DATABASE_URL is malformed: expected sqlite:////absolute/path",
    ],
)
def test_a_malformed_setting_is_exit_code_2_and_nothing_is_tried(
    folder: FolderStore, settings: Any, problem: str
) -> None:
    settings.ENVIRONMENT_ERRORS = [problem, "TMDB_API_URL is malformed: expected an http(s) URL"]
    named(folder, 20)
    orphans(folder, 2)

    done = run("--delete")

    assert (done.code, done.out, done.err) == (2, "", f"CommandError: {problem}\n")
    assert len(folder.stored()) == 22
    assert not SyncRun.objects.exists()
    with pytest.raises(ImproperlyConfigured, match="is malformed"):
        prune_logos(delete=True)


def test_half_a_pair_of_keys_is_exit_code_2(settings: Any) -> None:
    settings.AWS_S3_BUCKET, settings.AWS_ACCESS_KEY_ID, settings.AWS_SECRET_ACCESS_KEY = "trr", "id", ""

    done = run()

    assert done.code == 2
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together" in done.err


def test_the_two_modes_together_are_exit_code_2(folder: FolderStore) -> None:
    done = run("--delete", "--dry-run")

    assert (done.code, done.out) == (2, "")
    assert done.err == "CommandError: --delete and --dry-run exclude each other\n"


# --- the run


def test_a_run_has_a_row_with_its_figures(store: Store, django_user_model: Any) -> None:
    named(store, 20)
    orphans(store, 2)
    user = django_user_model.objects.create_user("operator")

    prune_logos(delete=True, user=user)

    assert (row().status, row().total, row().done, row().started_by) == ("succeeded", 2, 2, user)
    assert row().counts == {"files": 22, "deleted": 2, "kept": 20, "bytes": 12}
    assert (row().options, row().error, row().tripped) == ({"delete": True}, "", False)
    assert row().finished_at is not None


def test_a_second_run_at_the_same_time_is_exit_code_3_but_a_dry_run_may_look(folder: FolderStore) -> None:
    named(folder, 20)
    gone = orphans(folder, 2)
    start_run("prune_logos", {})

    done = run("--delete")

    assert (done.code, done.out) == (3, "")
    assert "prune_logos is already running" in done.err
    assert gone < folder.stored()
    assert run().code == 0


def test_a_run_whose_row_was_closed_by_another_deletes_no_further(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(folder, 20)
    gone = orphans(folder, 2)
    monkeypatch.setattr("ingestion.runs.BEAT_EVERY", 0)
    before_the_sweep(monkeypatch, lambda: SyncRun.objects.update(status="interrupted"))

    report = prune_logos(delete=True)

    assert report.error.endswith("was closed by another process; this one ends")
    assert gone < folder.stored()


def test_a_cancelled_run_ends_before_its_next_batch(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch, django_user_model: Any
) -> None:
    named(folder, 20)
    gone = orphans(folder, 2)
    user = django_user_model.objects.create_user("operator")
    monkeypatch.setattr("ingestion.runs.BEAT_EVERY", 0)
    asked = {"cancel_asked_at": timezone.now(), "cancel_asked_by": user}
    before_the_sweep(monkeypatch, lambda: SyncRun.objects.update(**asked))

    report = prune_logos(delete=True)

    assert report.error.startswith("cancelled by operator")
    assert (row().status, row().error) == ("cancelled", report.error)
    assert gone < folder.stored()


def at_each_deletion(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], Any]) -> None:
    """Lets the S3 server do something when it deletes an object, given how many it has deleted before."""
    really_delete = S3Backend.delete_object
    before: list[str] = []

    def delete_object(self: S3Backend, bucket_name: str, key_name: str, **kwargs: Any) -> Any:
        act(len(before))
        before.append(key_name)
        return really_delete(self, bucket_name, key_name, **kwargs)

    monkeypatch.setattr(S3Backend, "delete_object", delete_object)


def test_sigterm_ends_the_run_after_the_batch_at_hand_and_the_next_one_does_the_rest(
    bucket: BucketStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    live = named(bucket, 50)
    orphans(bucket, 10)
    at_each_deletion(monkeypatch, lambda before: os.kill(os.getpid(), signal.SIGTERM) if before == 4 else None)

    done = run("--delete")

    assert done.code == 1
    assert done.err == "CommandError: stopped by a signal; what was deleted is gone, the next run deletes the rest\n"
    assert done.out.startswith("deleted 6 of 60 files")
    assert len(bucket.stored()) == 54
    assert (row().status, row().done, row().total) == ("stopped", 6, 10)
    assert run("--delete").code == 0
    assert bucket.stored() == live


def test_a_run_that_is_interrupted_while_it_lists_deletes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 5)
    named(store, 20)
    orphans(store, 2)
    interrupt = threading.Event()
    interrupt.set()

    report = prune_logos(delete=True, interrupt=interrupt)

    assert (report.files, report.exit_code, report.deleted) == (5, 1, [])
    assert len(store.stored()) == 22
    assert (row().status, row().tripped) == ("stopped", False)


CHILD = """
import django
django.setup()
from django.core.management import call_command
from ingestion import prune_logos
prune_logos.AT_ONCE = 3
call_command("prune_logos", "--delete")
"""


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_killed_in_the_middle_is_finished_by_the_next_one(
    bucket: BucketStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = named(bucket, 50)
    orphans(bucket, 10)
    env = environment(
        AWS_S3_BUCKET=BUCKET, AWS_S3_ENDPOINT_URL=bucket.url, AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s"
    )
    child = subprocess.Popen([sys.executable, "-c", CHILD], env=env, cwd=project.BASE_DIR)
    at_each_deletion(monkeypatch, lambda before: child.kill() if before == 4 else None)
    assert child.wait(60) == -signal.SIGKILL
    assert live < bucket.stored()

    done = run("--delete")

    assert (done.code, done.err) == (0, "")
    assert bucket.stored() == live
    assert list(SyncRun.objects.order_by("id").values_list("status", flat=True)) == ["interrupted", "succeeded"]
