"""`/health/ready`: what makes a web process unready, what is only told, and that what hangs hangs nobody else."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from django_q.conf import Conf
from django_q.tasks import async_task
from moto.server import ThreadedMotoServer

from catalog.models import Show
from catalog.tests import daphnes
from ingestion import health
from ingestion.health import Look, NotReady
from ingestion.models import Stage, SyncState, Worker

READY = "/health/ready"


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> dict[str, Look]:
    """Fresh ones: those of the process remember what other tests saw."""
    settings.MEDIA_ROOT = tmp_path / "media"
    fresh = health.make_looks()
    monkeypatch.setattr(health, "LOOKS", fresh)
    return fresh


def ask(client: Client, expected: int) -> dict[str, Any]:
    response = client.get(READY)
    assert response.status_code == expected
    assert response["Cache-Control"] == "no-store"
    answer = response.json()
    assert answer["status"] == ("ok" if expected == 200 else "unavailable")
    checks: dict[str, Any] = answer["checks"]
    return checks


def beat(name: str, seconds: float = 0, **columns: Any) -> None:
    Worker.objects.create(id=name, host="h", pid=1, beat_at=timezone.now() - timedelta(seconds=seconds), **columns)


def succeed(stage: str, days: float) -> None:
    now = timezone.now()
    SyncState.objects.create(
        show=Show.objects.create(name=stage),
        stage=stage,
        status="ok",
        attempted_at=now,
        last_success_at=now - timedelta(days=days),
    )


def refusal(look: Callable[[], Any]) -> str:
    with pytest.raises(NotReady) as refused:
        look()
    return str(refused.value)


# --- the view


@pytest.mark.django_db(transaction=True)
def test_all_well_is_200_with_figures(client: Client) -> None:
    beat("a"), beat("b", 50), beat("gone", 90)
    async_task("math.sqrt", 2)
    for stage in Stage:
        succeed(stage, 1)

    checks = ask(client, 200)

    assert checks["database"] == {"ok": True}
    assert checks["queue"] == {"ok": True, "waiting": 1, "taken": 0, "workers": 2}
    assert checks["storage"] == {"ok": True, "kind": "folder"}
    assert checks["last_success"]["ok"]
    assert set(checks["last_success"]) == {"ok", "seconds"}
    assert all(86_400 <= age < 90_000 for age in checks["last_success"]["seconds"].values())


@pytest.mark.django_db(transaction=True)
def test_without_a_worker_or_a_sync_the_site_is_ready_and_says_so(client: Client) -> None:
    succeed(Stage.DETAILS, 11)

    checks = ask(client, 200)

    assert checks["queue"] == {
        "ok": True,
        "waiting": 0,
        "taken": 0,
        "workers": 0,
        "note": "no worker lives: what is queued waits",
    }
    assert (
        checks["last_success"]["note"] == "details: none within 10 days; entities: none yet; watch_providers: none yet"
    )


@pytest.mark.django_db(transaction=True)
def test_head_asks_too_and_other_methods_may_not(client: Client) -> None:
    answer = client.head(READY)

    assert (answer.status_code, answer.content) == (200, b"")
    for method in ("post", "put", "delete", "patch"):
        assert getattr(client, method)(READY).status_code == 405


@pytest.mark.parametrize("name", ["database", "queue", "storage"])
def test_one_look_that_fails_makes_it_503_and_the_others_are_told(
    client: Client, looks: dict[str, Look], name: str
) -> None:
    def fail() -> Any:
        raise OperationalError("FATAL: password s3cr3t of trr@10.0.0.1")

    for look in looks.values():
        look.look = dict
    looks[name].look = fail

    checks = ask(client, 503)

    assert checks == {other: {"ok": True} for other in looks} | {name: {"ok": False, "reason": "out of reach"}}


def test_what_hangs_is_told_in_time_and_keeps_nobody_else_waiting(
    client: Client, looks: dict[str, Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.2)
    gate = threading.Event()

    def hang() -> Any:
        gate.wait()
        return {}

    for look in looks.values():
        look.look = dict
    looks["database"].look = looks["last_success"].look = hang

    checks = ask(client, 503)
    gate.set()

    assert checks["database"] == {"ok": False, "reason": health.NO_ANSWER}
    assert checks["last_success"] == {"ok": True, "note": f"not known: {health.NO_ANSWER}"}
    assert checks["queue"] == {"ok": True}


# --- one look at a time


def counted(kept: float, gate: threading.Event | None = None) -> tuple[Look, list[int]]:
    calls: list[int] = []

    def look() -> dict[str, Any]:
        calls.append(1)
        if gate is not None:
            gate.wait()
        return {"number": len(calls)}

    return Look("it", look, kept), calls


def test_whoever_asks_while_it_is_looked_waits_for_the_same_answer() -> None:
    gate = threading.Event()
    look, calls = counted(0, gate)

    answers = [look.begin() for _ in range(20)]
    gate.set()

    assert {one.result(10)["number"] for one in answers} == {1}
    assert look.begin().result(10)["number"] == 2
    assert len(calls) == 2


def test_an_answer_counts_for_its_time_a_bad_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: clock[0])
    look, calls = counted(15)

    for clock[0] in (100.0, 114.9, 115.1, 130.0, 130.2):
        done: Future[Any] = look.begin()
        done.result(10)

    assert len(calls) == 3


def test_a_look_that_hangs_is_given_up_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: clock[0])
    gate = threading.Event()
    look, _ = counted(0, gate)
    first = look.begin()

    clock[0] += health.GIVEN_UP - 1
    assert look.begin() is first
    clock[0] += 2
    second = look.begin()
    gate.set()

    assert second is not first
    assert second.result(10)["ok"]


# --- the database


@pytest.mark.django_db
def test_a_database_that_is_not_migrated_is_not_ready() -> None:
    assert health.look_at_database() == {}

    MigrationRecorder(connection).record_unapplied("ingestion", "0001_initial")

    assert refusal(health.look_at_database) == "it is not up to date: run `manage.py migrate`"


def get(url: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = requests.get(url, timeout=20, headers=headers)
    return answer.status_code, answer.json()


def asked_until(site: str, *, database: bool) -> dict[str, Any]:
    """An answer counts for a second: asks until it says of the database what is expected."""
    until = time.monotonic() + 60
    while True:
        status, body = get(site + READY)
        checks: dict[str, Any] = body["checks"]
        assert status == (200 if all(check["ok"] for check in checks.values()) else 503)
        if checks["database"]["ok"] == database:
            return checks
        assert time.monotonic() < until


class Cable:
    """A way to the database that can be cut: `cut` refuses and drops, `freeze` takes and answers nothing."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.frozen = threading.Event()
        self.ends: list[socket.socket] = []
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            self.ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                while self.frozen.is_set():
                    time.sleep(0.05)
                sink.sendall(data)
        except OSError:
            pass

    def cut(self) -> None:
        self.listener.close()
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends = []

    def mend(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()


@pytest.fixture
def cable() -> Iterator[Cable]:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is no server that could be stopped")
    where = connection.settings_dict
    cable = Cable((where["HOST"], int(where["PORT"] or 5432)))
    yield cable
    cable.frozen.clear()
    cable.cut()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_stopped_makes_it_503_and_it_is_well_again_by_itself(cable: Cable, tmp_path: Path) -> None:
    where = connection.settings_dict
    through = f"postgres://{where['USER']}@127.0.0.1:{cable.port}/{where['NAME']}"
    log = tmp_path / "web.log"
    with daphnes.daphne(log, DATABASE_URL=through, LOG_FORMAT="json", METRICS_TOKEN="a-token") as rooms:
        site = rooms.replace("ws:", "http:").removesuffix("/api/v1/ws")
        asked_until(site, database=True)

        cable.cut()
        assert asked_until(site, database=False)["last_success"]["ok"]
        assert get(f"{site}/health") == (200, {"status": "ok"})
        assert get(f"{site}/metrics", Authorization="Bearer a-token")[0] == 503

        cable.mend()
        asked_until(site, database=True)
        cable.frozen.set()
        assert asked_until(site, database=False)["database"] == {"ok": False, "reason": health.NO_ANSWER}
        cable.frozen.clear()
        asked_until(site, database=True)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["message"] for line in lines if "not ready: database" in line["message"]]


# --- the queue


@pytest.mark.django_db
def test_a_redis_out_of_reach_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # nobody listens on it
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(Conf, "BROKER_CLASS", "ingestion.brokers.RedisBroker")
        monkeypatch.setattr(Conf, "REDIS", f"redis://:s3cr3t@127.0.0.1:{taken.getsockname()[1]}/0")

        assert refusal(health.look_at_queue) == "its Redis does not answer"


@pytest.mark.django_db
def test_a_worker_that_stops_does_not_count() -> None:
    beat("a"), beat("b", stopping=True)

    assert health.look_at_queue()["workers"] == 1


# --- the storage


def test_the_folder_is_written_to_and_left_as_it_was(tmp_path: Path, settings: Any) -> None:
    assert health.look_at_storage() == {"kind": "folder"}
    assert list(tmp_path.iterdir()) == []  # not even made

    settings.MEDIA_ROOT.mkdir()
    assert health.look_at_storage() == {"kind": "folder"}
    assert list(settings.MEDIA_ROOT.iterdir()) == []


def test_a_folder_that_is_none_or_full_is_not_ready(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = tmp_path / "file"
    settings.MEDIA_ROOT.write_text("no folder")

    assert refusal(health.look_at_storage) == "the folder can't be written to: Not a directory"

    settings.MEDIA_ROOT = tmp_path

    def full(**kwargs: Any) -> Any:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(health, "TemporaryFile", full)
    assert refusal(health.look_at_storage) == "the folder can't be written to: No space left on device"


@pytest.fixture
def bucket(settings: Any) -> Iterator[Any]:
    """The storage is a bucket on a real S3 server, which is not there yet."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "bucket_name": "ready",
        "region_name": "us-east-1",
        "endpoint_url": f"http://{host}:{port}",
        "access_key": "key",
        "secret_key": "secret",
    }
    default = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": default}
    health.s3_client.cache_clear()
    yield server
    default_storage.connection.meta.client.close()  # type: ignore[attr-defined]
    health.s3_client().close()
    health.s3_client.cache_clear()
    server.stop()


def test_the_bucket_has_to_answer(bucket: Any) -> None:
    assert refusal(health.look_at_storage) == "there is no such bucket"

    health.s3_client().create_bucket(Bucket="ready")
    assert health.look_at_storage() == {"kind": "bucket"}

    bucket.stop()
    assert refusal(health.look_at_storage) == "the bucket does not answer"


def test_s3_is_asked_once_by_many(bucket: Any, client: Client, looks: dict[str, Look]) -> None:
    asked: list[str] = []
    health.s3_client().create_bucket(Bucket="ready")
    health.s3_client().meta.events.register("before-send.s3", lambda request, **kwargs: asked.append(request.url))
    for name in ("database", "queue", "last_success"):
        looks[name].look = dict

    for _ in range(5):
        assert ask(client, 200)["storage"] == {"ok": True, "kind": "bucket"}

    (url,) = asked
    policy = json.loads((settings.BASE_DIR / "deploy" / "s3-policy.json").read_text())
    (allowed,) = [rule["Condition"]["StringLike"]["s3:prefix"] for rule in policy["Statement"] if "Condition" in rule]
    assert fnmatch(parse_qs(urlsplit(url).query)["prefix"][0], allowed)


# --- the last success


@pytest.mark.django_db
def test_a_database_that_is_away_makes_the_last_success_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(now: object) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(health, "states_by_stage", away)

    assert health.look_at_last_success() == {"note": "not known: the database does not answer"}
