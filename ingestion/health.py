"""`GET /health/ready`: whether this process can do its work. `GET /health` says no more than that it lives.

200 or 503. What makes it 503 is what a web process can't work without: its database, the broker of the queue, the
store of the logos. That no worker lives, or that the last sync is long ago, is told and changes nothing: to take the
site away would help neither. Anybody may ask, so nothing is told but words and figures.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from functools import cache
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import boto3
import redis
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import Error as DatabaseError
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from catalog.logos import FOLDER
from ingestion.dashboard import states_by_stage
from ingestion.models import Stage
from ingestion.queue import queue_depth
from ingestion.workers import alive_workers
from trr_site.version import known_migrations

log = logging.getLogger(__name__)

Answer = dict[str, Any]  # `ok`, and what else is told

PATIENCE: Final = 5.0  # seconds for all looks together
GIVEN_UP: Final = 30.0  # seconds after which another look is made beside one that hangs
NO_ANSWER: Final = f"no answer within {PATIENCE:.0f} s"
S3_TIMEOUT: Final = 3  # seconds: to connect, between two bytes


class NotReady(Exception):
    """Why, in words for everybody."""


class Look:
    """Looks at one thing, in a thread of its own: what hangs must not hang who asks.

    There is one look at a time, and its answer counts for `kept` seconds: however many ask, the thing itself is
    asked no more often. `look` returns what is told beside `ok`, or raises.
    """

    def __init__(self, name: str, look: Callable[[], Answer], kept: float) -> None:
        self.name, self.look, self.kept = name, look, kept
        self._lock = threading.Lock()
        self._begun = self._ended = 0.0
        self._answer: Future[Answer] | None = None

    def begin(self) -> "Future[Answer]":
        """The answer that counts, or that of the look at work, or of a new one."""
        with self._lock:
            now = time.monotonic()
            if self._answer is None or now >= self._counts_until():
                self._answer, self._begun = Future(), now
                # A daemon: a process that stops does not wait for it.
                work = threading.Thread(target=self._work, args=(self._answer,), name=self.name, daemon=True)
                work.start()
            return self._answer

    def _counts_until(self) -> float:
        is_done = self._answer is not None and self._answer.done()
        return self._ended + self.kept if is_done else self._begun + GIVEN_UP

    def _work(self, answer: "Future[Answer]") -> None:
        try:
            told: Answer = {"ok": True, **self.look()}
        except NotReady as error:
            told = {"ok": False, "reason": str(error)}
            log.warning("not ready: %s: %s", self.name, error)
        except Exception as error:  # noqa: BLE001  whatever it is, it is an answer
            told = {"ok": False, "reason": "out of reach"}
            log.warning("not ready: %s: %s: %s", self.name, type(error).__name__, error)
        finally:
            connections.close_all()  # this thread's own
        self._ended = time.monotonic()
        answer.set_result(told)


def answer_of(look: "Future[Answer]", until: float) -> Answer:
    try:
        return look.result(timeout=max(0.0, until - time.monotonic()))
    except TooLate:
        return {"ok": False, "reason": NO_ANSWER}


# --- what is looked at


def look_at_database() -> Answer:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if known_migrations() - MigrationRecorder(connection).applied_migrations().keys():
        raise NotReady("it is not up to date: run `manage.py migrate`")
    return {}


def look_at_queue() -> Answer:
    """Its depth, and how many workers live."""
    try:
        depth = queue_depth()
    except redis.RedisError:
        raise NotReady("its Redis does not answer") from None
    told: Answer = {"waiting": depth.waiting, "taken": depth.taken, "workers": len(alive_workers())}
    return told if told["workers"] else told | {"note": "no worker lives: what is queued waits"}


def look_at_storage() -> Answer:
    if isinstance(default_storage, FileSystemStorage):
        look_at_folder(Path(default_storage.location))
        return {"kind": "folder"}
    look_at_bucket()
    return {"kind": "bucket"}


def look_at_folder(folder: Path) -> None:
    """Writes to it; the file has no name and is gone with this call, or with the process."""
    while not folder.exists():  # it is made when the first logo is stored
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        raise NotReady(f"the folder can't be written to: {error.strerror}") from None


def look_at_bucket() -> None:
    try:
        # Not HeadBucket: a right to list our folder alone (deploy/s3-policy.json) does not allow it.
        bucket = default_storage.bucket_name  # type: ignore[attr-defined]
        s3_client().list_objects_v2(Bucket=bucket, Prefix=FOLDER, MaxKeys=1)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        words = {403: "the bucket refuses us", 404: "there is no such bucket"}
        raise NotReady(words.get(status, f"the bucket answers with HTTP {status}")) from None
    except BotoCoreError:
        raise NotReady("the bucket does not answer") from None


@cache
def s3_client() -> Any:
    """As the storage's own, with short timeouts and no second try."""
    storage: Any = default_storage
    config = Config(connect_timeout=S3_TIMEOUT, read_timeout=S3_TIMEOUT, retries={"total_max_attempts": 1})
    return boto3.session.Session().client(
        "s3",
        region_name=storage.region_name,
        endpoint_url=storage.endpoint_url,
        aws_access_key_id=storage.access_key,
        aws_secret_access_key=storage.secret_key,
        config=config,
    )


def look_at_last_success() -> Answer:
    """Seconds since a sync last succeeded, by stage. Whatever they are: ok."""
    now = timezone.now()
    try:
        states = states_by_stage(now)
    except DatabaseError:
        return {"note": "not known: the database does not answer"}
    stages: dict[str, int | None] = {}
    old = []
    for stage in Stage:
        newest = states.get(stage, {}).get("newest")
        stages[stage] = int((now - newest).total_seconds()) if newest else None
        limit = settings.ALERT_AGE.get(stage)
        if limit is not None and (newest is None or now - newest > limit):
            old.append(f"{stage}: {f'none within {limit.days} days' if newest else 'none yet'}")
    return {"seconds": stages} | ({"note": "; ".join(old)} if old else {})


def make_looks() -> dict[str, Look]:
    return {
        name: Look(name, look, kept)
        for name, look, kept in (
            ("database", look_at_database, 1.0),
            ("queue", look_at_queue, 1.0),
            ("storage", look_at_storage, 15.0),  # S3 costs money by the request
            ("last_success", look_at_last_success, 15.0),
        )
    }


LOOKS = make_looks()


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    until = time.monotonic() + PATIENCE
    begun = {name: look.begin() for name, look in LOOKS.items()}
    checks = {name: answer_of(look, until) for name, look in begun.items()}
    if checks["last_success"].get("reason") == NO_ANSWER:
        checks["last_success"] = {"ok": True, "note": f"not known: {NO_ANSWER}"}
    is_ready = all(check["ok"] for check in checks.values())
    return JsonResponse(
        {"status": "ok" if is_ready else "unavailable", "checks": checks},
        status=HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Cache-Control": "no-store"},
    )
