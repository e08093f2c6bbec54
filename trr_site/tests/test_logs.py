"""Log lines: one JSON object each, plain lines where people read, and no secret in either."""

import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from django.db import OperationalError

from catalog.tests import daphnes
from trr_site.logs import MASK, JsonFormatter, SecretFilter, SecretFormatter

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
SECRET = "p\"a\\ss/w ö\n'rd<&>"
FORMATTERS = [JsonFormatter(), SecretFormatter("{asctime} {levelname} {name} {message}", style="{")]


@pytest.fixture(autouse=True)
def secrets(settings: Any) -> None:
    settings.SECRETS = [SECRET, "8675309"]


def record(message: str, *arguments: Any, exc_info: Any = None, **extra: Any) -> logging.LogRecord:
    log = logging.getLogger("ingestion.sync")
    return log.makeRecord(log.name, logging.WARNING, __file__, 1, message, arguments, exc_info, None, extra or None)


def line(*arguments: Any, **more: Any) -> dict[str, Any]:
    text = JsonFormatter().format(record(*arguments, **more))
    assert "\n" not in text
    told: dict[str, Any] = json.loads(text)
    return told


def forms(secret: str) -> set[str]:
    """How it looks in JSON, in a repr, and in JSON within JSON."""
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret} | escaped | {json.dumps(one)[1:-1] for one in escaped}


# --- a line


def test_a_line_says_when_where_and_what() -> None:
    one = record("run %d of %s", 12, "sync_shows")
    one.created = datetime(2026, 11, 1, 12, 30, 5, 61_000, tzinfo=UTC).timestamp()

    assert json.loads(JsonFormatter().format(one)) == {
        "ts": "2026-11-01T12:30:05.061Z",
        "level": "WARNING",
        "logger": "ingestion.sync",
        "message": "run 12 of sync_shows",
        "process": os.getpid(),
    }


def test_what_is_given_beside_the_message_are_fields_of_their_own() -> None:
    show = UUID("6a3f0a3e-0000-4000-8000-000000000001")

    told = line("m", run=12, show=show, took=1.5, late=True, nothing=None, day=date(2026, 11, 1), odd=float("nan"))

    assert {name: told[name] for name in ("run", "show", "took", "late", "nothing", "day", "odd")} == {
        "run": 12,
        "show": str(show),
        "took": 1.5,
        "late": True,
        "nothing": None,
        "day": "2026-11-01",
        "odd": "nan",
    }


def test_they_replace_nothing_of_the_line() -> None:
    told = line("m", level="low", logger="x", ts="y")

    assert (told["level"], told["logger"]) == ("WARNING", "ingestion.sync")
    assert told["ts"] != "y"


def test_an_exception_is_text_in_its_line() -> None:
    try:
        raise ValueError("bad\nworse")
    except ValueError:
        told = line("m", exc_info=sys.exc_info())

    assert told["exception"].startswith("Traceback (most recent call last):\n")
    assert told["exception"].endswith("ValueError: bad\nworse")


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_a_log_call_that_is_wrong_is_told_and_breaks_nothing() -> None:
    assert line("%s %s", "one")["message"] == "%s %s (a log call whose arguments do not fit: ('one',))"
    assert line("m", thing=Unspeakable())["thing"] == "a Unspeakable"
    for formatter in FORMATTERS:
        assert "do not fit" in formatter.format(record("%d", "x"))


def test_the_record_stays_as_it_was_for_other_handlers() -> None:
    one = record("%s", SECRET)

    for formatter in FORMATTERS:
        formatter.format(one)

    assert (one.msg, one.args) == ("%s", (SECRET,))


# --- secrets


@pytest.mark.parametrize("form", sorted(forms(SECRET)))
@pytest.mark.parametrize("formatter", FORMATTERS, ids=["json", "line"])
def test_no_form_of_a_secret_is_in_a_line(formatter: logging.Formatter, form: str) -> None:
    try:
        raise OperationalError(f"connection to postgres://trr:{form}@db failed")
    except OperationalError:
        one = record(f"a {form} %s %r", form, {"x": SECRET}, exc_info=sys.exc_info(), show=form, **{f"n {form}": 1})

    text = formatter.format(one)

    assert not [told for told in forms(SECRET) if told in text]
    assert text.count(MASK) >= 4


def test_a_secret_that_is_a_number_is_masked_and_the_line_is_json_still() -> None:
    told = line("pin %d", 8675309, pin=8675309, other=42)

    assert (told["message"], told["pin"], told["other"]) == (f"pin {MASK}", MASK, 42)


def test_the_filter_masks_a_wrong_call_too() -> None:
    one = record(f"%s %s {SECRET}", SECRET)

    assert SecretFilter().filter(one)

    assert SECRET not in one.getMessage()


def test_the_password_of_a_redis_and_the_path_of_a_webhook_are_secrets() -> None:
    code = (
        "import logging, django; django.setup(); log = logging.getLogger('x')\n"
        "log.error('Max retries exceeded with url: /services/T0/B0/hook-token?x=1')\n"
        "log.error('to https://hooks.example.org/services/T0/B0/hook-token?x=1')\n"
        "log.error('redis: s3c/ret or s3c%2Fret, smtp: mail-password, bearer: metrics-token, and hooks')\n"
    )

    lines = run(
        "-c",
        code,
        REDIS_URL="redis://:s3c%2Fret@127.0.0.1:6379/0",
        ALERT_WEBHOOK_URL="https://hooks.example.org/services/T0/B0/hook-token?x=1",
        EMAIL_URL="smtp+tls://user:mail-password@mail.example.org:587",
        METRICS_TOKEN="metrics-token",
    )

    assert [one["message"] for one in lines] == [
        f"Max retries exceeded with url: /{MASK}",
        f"to {MASK}",
        f"redis: {MASK} or {MASK}, smtp: {MASK}, bearer: {MASK}, and hooks",
    ]


# --- the processes


def run(*arguments: str, **environment: str) -> list[dict[str, Any]]:
    """What a python process writes to stderr, line by line."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=daphnes.environment(LOG_FORMAT="json") | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_warnings_and_uncaught_errors_of_requests_are_lines_too() -> None:
    code = (
        "import django, warnings; django.setup(); warnings.warn('old way')\n"
        "from django.test import Client; from catalog import views\n"
        "def fail(request): raise ValueError('secret-key-1 is in it')\n"
        "from django.urls import path; import trr_site.urls as urls; urls.urlpatterns = [path('fail', fail)]\n"
        "Client(raise_request_exception=False).get('/fail', HTTP_HOST='127.0.0.1')\n"
    )

    warned, failed = run("-c", code, SECRET_KEY="secret-key-1", DEBUG="true")

    assert (warned["logger"], warned["level"]) == ("py.warnings", "WARNING")
    assert "UserWarning: old way" in warned["message"]
    assert (failed["logger"], failed["message"], failed["status_code"]) == (
        "django.request",
        "Internal Server Error: /fail",
        500,
    )
    assert f"ValueError: {MASK} is in it" in failed["exception"]
    assert "request" not in failed


def test_lines_for_people_are_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import logging, django; django.setup(); logging.getLogger('x').info('hello')"],
        cwd=ROOT,
        env=daphnes.environment(LOG_FORMAT="line"),
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    assert done.stderr.endswith(" INFO x hello\n")


@pytest.mark.django_db(transaction=True)
def test_all_that_daphne_says_is_json(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with daphnes.daphne(log, LOG_FORMAT="json") as rooms:
        site = rooms.replace("ws:", "http:").removesuffix("/api/v1/ws")
        assert requests.get(f"{site}/nowhere", timeout=20).status_code == 404

    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert {"daphne.server", "django.request"} <= {one["logger"] for one in lines}


@pytest.mark.django_db(transaction=True)
def test_all_that_a_worker_says_is_json(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "run_worker"],
            cwd=ROOT,
            env=daphnes.environment(LOG_FORMAT="json"),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            wait_for_line(log, "running", worker)
            worker.send_signal(signal.SIGTERM)
            worker.wait(60)
        finally:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()

    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert "django-q" in {one["logger"] for one in lines}


def wait_for_line(log: Path, word: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(1200):
        if word in log.read_text():
            return
        assert process.poll() is None, log.read_text()
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(log.read_text())


def test_warnings_are_errors_in_this_suite_still() -> None:
    with pytest.raises(UserWarning):
        warnings.warn("x", UserWarning, stacklevel=1)
