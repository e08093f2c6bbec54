"""The health check of a worker goes by the heart of one of this machine."""

import io
import socket
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ingestion.models import Worker
from ingestion.tests.test_checks import manage
from ingestion.workers import ALIVE, enlist, say_stopping

HERE = socket.gethostname()


def worker(host: str = HERE, ago: timedelta = timedelta(0)) -> Worker:
    now = timezone.now()
    return Worker.objects.create(id=f"{host}:1:{ago.seconds}", host=host, pid=1, beat_at=now - ago)


def check() -> str:
    out = io.StringIO()
    call_command("check_worker", stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRR_WORKER", "")


@pytest.mark.django_db
def test_worker_that_has_just_come_is_alive():
    enlist()

    assert check() == f"a worker on {HERE} is alive\n"


@pytest.mark.django_db
def test_one_of_several_is_enough():
    worker(ago=timedelta(days=3))
    worker(ago=timedelta(seconds=20))

    assert check() == f"a worker on {HERE} is alive\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "beaten", [None, (HERE, ALIVE + timedelta(seconds=1)), ("elsewhere.example", timedelta(0))], ids=str
)
def test_no_worker_of_this_machine_is_alive(beaten):
    if beaten:
        worker(*beaten)

    with pytest.raises(CommandError) as error:
        check()

    assert error.value.returncode == 1
    assert str(error.value) == f"no worker on {HERE} has beaten its heart in the last 60 s"


@pytest.mark.django_db
def test_one_that_is_being_stopped_is_not_alive():
    say_stopping(enlist())

    with pytest.raises(CommandError):
        check()


def test_database_that_is_away_is_a_line_and_no_traceback(tmp_path):
    code, lines = manage("check_worker", SECRET_KEY="x", DATABASE_URL=f"sqlite:///{tmp_path}/none/db.sqlite3")

    assert code == 1
    assert len(lines) == 1
    assert lines[0].endswith("failed: unable to open database file")
