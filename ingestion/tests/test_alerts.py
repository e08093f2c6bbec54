"""People are told once of each problem and once when it is well again, over what is configured and reachable."""

import logging
import os
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from demo.upstream import Reply, Upstream
from ingestion import alerts
from ingestion.alerts import CLAIM, TELLING, begun, check_problems, ended, tell_each
from ingestion.models import Problem, SyncFailure, SyncRun, Worker
from ingestion.options import Options
from ingestion.sync import sync_shows
from trr_site.settings import path_of

from .builders import NOW
from .webhooks import PATH, Webhook, serving
from .worlds import FIRST_ID, world

MINUTE = timedelta(minutes=1)
FAILING = f"/3/tv/{FIRST_ID + 1}"


@pytest.fixture(autouse=True)
def channels(settings: Any) -> None:
    settings.ALERT_EMAILS, settings.ALERT_FROM, settings.ALERT_WEBHOOK_URL = ["ops@example.org"], "trr@example.org", ""
    settings.SITE_URL = "https://trr.example.org"


@pytest.fixture
def hook(settings: Any) -> Iterator[Webhook]:
    with serving() as server:
        settings.ALERT_WEBHOOK_URL = server.url
        settings.SECRETS = [*settings.SECRETS, server.url, path_of(server.url)]
        yield server


@pytest.fixture
def no_mail(settings: Any) -> None:
    settings.ALERT_EMAILS = []


def run(status: str = "failed", kind: str = "sync_shows", **columns: Any) -> SyncRun:
    return SyncRun.objects.create(**{"kind": kind, "status": status, "host": "here", "pid": 1} | columns)


def subjects(mailbox: list[EmailMessage]) -> list[str]:
    return [mail.subject for mail in mailbox]


def at(moment: datetime) -> list[Problem]:
    """A pass at that moment."""
    with time_machine.travel(moment, tick=False):
        return check_problems()


# --- once


@pytest.mark.django_db
def test_a_sync_that_fails_twice_is_one_mail_and_one_more_when_it_is_well(
    upstream: Upstream, mailoutbox: list[EmailMessage]
) -> None:
    world(upstream, 3)
    upstream.always(FAILING, Reply(status=500))
    for _ in range(2):
        assert sync_shows(Options(), kind="sync_shows").exit_code == 1
        check_problems()
        check_problems()
    last = SyncRun.objects.latest("pk")

    [mail] = mailoutbox
    assert mail.subject.startswith(f"TRR, problem: sync_shows: run {last.pk - 1} finished with failures, 1 of 3 failed")
    assert len(mail.subject) <= 120
    assert "http" not in mail.subject
    assert (mail.from_email, mail.to) == ("trr@example.org", ["ops@example.org"])
    assert f"https://trr.example.org/admin/ingestion/syncrun/{last.pk - 1}/change/" in mail.body
    assert Problem.objects.get().text.startswith(f"sync_shows: run {last.pk} ")  # what stands in admin is the newest

    upstream.clear()
    assert sync_shows(Options(), kind="sync_shows").exit_code == 0
    check_problems()
    assert check_problems() == []

    assert len(mailoutbox) == 2
    assert mailoutbox[1].subject.startswith("TRR, well again: sync_shows: run")
    problem = Problem.objects.get()
    assert problem.told_at < problem.ended_at < problem.end_told_at
    assert problem.telling_error == ""


@pytest.mark.django_db
def test_a_problem_that_comes_back_is_a_new_one(mailoutbox: list[EmailMessage]) -> None:
    for status in ("failed", "succeeded", "failed"):
        run(status)
        check_problems()

    assert [subject.partition(":")[0] for subject in subjects(mailoutbox)] == [
        "TRR, problem",
        "TRR, well again",
        "TRR, problem",
    ]
    assert Problem.objects.count() == 2


@pytest.mark.django_db
def test_where_a_guard_stops_the_next_run_nothing_is_called_well(mailoutbox: list[EmailMessage]) -> None:
    run()
    check_problems()
    run("stopped", tripped=True)
    check_problems()

    assert [subject.partition(":")[0] for subject in subjects(mailoutbox)] == ["TRR, problem", "TRR, problem"]
    run("succeeded")
    check_problems()
    check_problems()
    assert [subject.partition(":")[0] for subject in subjects(mailoutbox)[2:]] == ["TRR, well again"]


@pytest.mark.django_db
def test_each_problem_is_told_for_itself(mailoutbox: list[EmailMessage], hook: Webhook) -> None:
    run()
    run(kind="sync_watch_providers")

    assert [problem.key for problem in check_problems()] == ["run:sync_shows", "run:sync_watch_providers"]
    assert len(mailoutbox) == 2
    assert hook.states == [("run:sync_shows", "problem"), ("run:sync_watch_providers", "problem")]


@pytest.mark.django_db
def test_a_pass_in_which_nothing_has_changed_writes_nothing() -> None:
    run()
    check_problems()
    before = list(Problem.objects.values())

    with connection.execute_wrapper(refuse_writes):
        check_problems()
    assert list(Problem.objects.values()) == before


def refuse_writes(execute: Any, sql: str, *args: Any) -> Any:
    assert not sql.startswith(("INSERT", "UPDATE", "DELETE")), sql
    return execute(sql, *args)


@pytest.mark.django_db
def test_without_a_channel_problems_are_kept_all_the_same(settings: Any, mailoutbox: list[EmailMessage]) -> None:
    settings.ALERT_EMAILS = []
    run()
    check_problems()
    problem = Problem.objects.get()
    assert problem.told_at is not None

    run("succeeded")
    check_problems()
    problem.refresh_from_db()
    assert None not in (problem.ended_at, problem.end_told_at)
    assert mailoutbox == []


# --- what must last


def waiting_message() -> None:
    OrmQ.objects.create(key="trr", payload="x", lock=NOW - timedelta(days=1))


@pytest.mark.django_db
def test_a_queue_is_told_when_it_has_not_drained_for_ten_minutes(mailoutbox: list[EmailMessage]) -> None:
    Worker.objects.create(id="w", host="here", pid=1, beat_at=NOW, task_at=NOW - 60 * MINUTE)
    waiting_message()

    for minute in range(10):
        assert at(NOW + minute * MINUTE) == []
    assert mailoutbox == []

    assert [problem.key for problem in at(NOW + 10 * MINUTE)] == ["queue"]
    assert len(mailoutbox) == 1

    OrmQ.objects.all().delete()
    assert at(NOW + 11 * MINUTE) == []
    assert len(mailoutbox) == 2


@pytest.mark.django_db
def test_a_message_that_waits_for_a_moment_after_a_quiet_night_leaves_no_trace(mailoutbox: list[EmailMessage]) -> None:
    worker = Worker.objects.create(id="w", host="here", pid=1, beat_at=NOW, task_at=NOW - 600 * MINUTE)
    waiting_message()
    at(NOW)
    assert Problem.objects.exists()

    OrmQ.objects.all().delete()
    Worker.objects.filter(pk=worker.pk).update(task_at=NOW)
    at(NOW + MINUTE)

    assert mailoutbox == []
    assert not Problem.objects.exists()


@pytest.mark.django_db
def test_who_looks_once_a_day_does_not_take_two_moments_for_one_problem(mailoutbox: list[EmailMessage]) -> None:
    waiting_message()
    Worker.objects.create(id="w", host="here", pid=1, beat_at=NOW, task_at=NOW - 600 * MINUTE)
    at(NOW)
    Worker.objects.update(task_at=NOW + MINUTE)  # it was taken up a minute later; a day later another one waits

    assert at(NOW + timedelta(days=1)) == []
    assert Problem.objects.get().since == NOW + timedelta(days=1)
    assert at(NOW + timedelta(days=1) + 10 * MINUTE) != []
    assert len(mailoutbox) == 1


@pytest.mark.django_db
def test_a_run_that_waits_for_ever_is_told_although_other_tasks_are_begun(mailoutbox: list[EmailMessage]) -> None:
    Worker.objects.create(id="w", host="here", pid=1, beat_at=NOW, task_at=NOW)
    run("queued", started_at=NOW - 60 * MINUTE)
    for minute in range(11):
        Worker.objects.update(task_at=NOW + minute * MINUTE)
        at(NOW + minute * MINUTE)

    assert len(mailoutbox) == 1


@pytest.mark.django_db
def test_a_worker_that_is_away_is_told_instead_of_the_queue_that_waits_for_it(mailoutbox: list[EmailMessage]) -> None:
    [plan] = Schedule.objects.bulk_create(
        [Schedule(name="Mine", func="ingestion.tasks.sync_shows", schedule_type="D", next_run=NOW)]
    )
    worker = Worker.objects.create(id="w", host="here", pid=1, beat_at=NOW, task_at=NOW - 60 * MINUTE)
    waiting_message()
    at(NOW)
    at(NOW + 10 * MINUTE)  # alive, and takes nothing
    assert [mail.subject.split(":")[1].strip()[:13] for mail in mailoutbox] == ["Tasks wait in"]

    for minute in range(11, 32):
        at(NOW + minute * MINUTE)
    assert [mail.subject.split(":")[1].strip()[:13] for mail in mailoutbox[1:]] == ["Schedules and"]

    Worker.objects.filter(pk=worker.pk).update(beat_at=NOW + 32 * MINUTE, task_at=NOW + 32 * MINUTE)
    at(NOW + 32 * MINUTE)
    assert [subject.partition(":")[0] for subject in subjects(mailoutbox)[2:]] == ["TRR, well again"]
    assert plan.pk


# --- the channels


@pytest.mark.django_db
def test_a_webhook_gets_json_that_chats_show_as_text(hook: Webhook, no_mail: None) -> None:
    bad = run(total=1)
    SyncFailure.objects.create(run=bad, item="Love & <!channel>", reason="HTTP 500")
    with time_machine.travel(NOW, tick=False):
        check_problems()

    [message] = hook.posted
    problem = Problem.objects.get()
    assert message == {
        "text": f"TRR, problem: sync_shows: run {bad.pk} finished with failures, 1 of 1 failed. "
        f"Love &amp; &lt;!channel&gt;: HTTP 500. https://trr.example.org/admin/ingestion/syncrun/{bad.pk}/change/\n"
        f"Since 2026-03-01 12:00 UTC.\nhttps://trr.example.org/admin/ingestion/problem/{problem.pk}/change/",
        "problem": "run:sync_shows",
        "state": "problem",
        "since": "2026-03-01T12:00:00+00:00",
        "url": f"https://trr.example.org/admin/ingestion/problem/{problem.pk}/change/",
    }


@pytest.mark.django_db
def test_a_webhook_that_fails_is_tried_again_until_it_takes_it(hook: Webhook, no_mail: None) -> None:
    run()
    hook.status = 500
    check_problems()
    check_problems()
    problem = Problem.objects.get()
    assert (problem.told_at, problem.telling_error, hook.tries) == (None, "webhook: HTTP 500", 2)

    hook.status = 204
    check_problems()
    check_problems()
    problem.refresh_from_db()
    assert (problem.telling_error, hook.tries, len(hook.posted)) == ("", 3, 1)
    assert problem.told_at is not None


@pytest.mark.django_db
def test_an_end_that_could_not_be_told_is_tried_again(hook: Webhook, no_mail: None) -> None:
    run()
    check_problems()
    run("succeeded")
    hook.status = 503
    check_problems()
    assert Problem.objects.get().telling_error == "webhook: HTTP 503"

    hook.status = 200
    check_problems()
    check_problems()
    assert hook.states == [("run:sync_shows", "problem"), ("run:sync_shows", "well")]


@pytest.mark.django_db
def test_a_problem_that_ended_before_anybody_could_be_told_is_kept_and_not_called_well(
    hook: Webhook, no_mail: None
) -> None:
    run()
    hook.status = 500
    check_problems()
    run("succeeded")
    hook.status = 200
    check_problems()

    assert hook.posted == []
    problem = Problem.objects.get()
    assert problem.ended_at is not None
    assert problem.telling_error == "webhook: HTTP 500"


@pytest.mark.django_db
def test_told_by_one_channel_is_told_and_the_other_is_not_tried_for_ever(
    hook: Webhook, mailoutbox: list[EmailMessage]
) -> None:
    run()
    hook.status = 500
    check_problems()
    check_problems()

    assert (len(mailoutbox), hook.tries) == (1, 1)
    assert Problem.objects.get().telling_error == "webhook: HTTP 500"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (smtplib.SMTPAuthenticationError(535, b"login user:s3cret refused"), "mail: SMTPAuthenticationError (535)"),
        (smtplib.SMTPServerDisconnected("bye s3cret"), "mail: SMTPServerDisconnected"),
        (TimeoutError("s3cret"), "mail: TimeoutError"),
        (ConnectionRefusedError(111, "s3cret"), "mail: ConnectionRefusedError"),
        (UnicodeEncodeError("ascii", "s3cret", 0, 1, "no"), "mail: UnicodeEncodeError"),
    ],
)
@pytest.mark.django_db
def test_a_mail_that_fails_stops_no_webhook_and_says_why_without_a_secret(
    hook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    words: str,
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(alerts, "send_mail", refuse)
    run()
    check_problems()

    assert hook.states == [("run:sync_shows", "problem")]
    assert Problem.objects.get().telling_error == words
    assert words in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.django_db
def test_a_redirect_is_not_followed(hook: Webhook, no_mail: None) -> None:
    hook.status, hook.headers = 302, [f"Location: {hook.url}"]
    run()
    check_problems()

    assert hook.tries == 1
    assert Problem.objects.get().telling_error == "webhook: HTTP 302, and no redirect is followed"


@pytest.mark.django_db
def test_a_closed_port_and_an_answer_that_does_not_come_are_told_in_a_word(
    settings: Any, hook: Webhook, no_mail: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    settings.ALERT_WEBHOOK_URL = f"http://127.0.0.1:{port}{PATH}"
    run()
    check_problems()
    assert Problem.objects.get().telling_error == "webhook: ConnectionError"

    monkeypatch.setattr(alerts, "TIMEOUT", (5, 0.05))
    settings.ALERT_WEBHOOK_URL, hook.wait = hook.url, 0.5
    check_problems()
    assert Problem.objects.get().telling_error == "webhook: ReadTimeout"


@pytest.mark.django_db
def test_the_address_of_the_webhook_gets_into_no_log_row_or_message(
    settings: Any, hook: Webhook, caplog: pytest.LogCaptureFixture, mailoutbox: list[EmailMessage]
) -> None:
    caplog.set_level(logging.DEBUG)
    for logger in ("urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger)
    run()
    for status, headers in ((500, []), (302, [f"Location: {hook.url}"]), (200, ["no header at all", "X: 1"])):
        hook.status, hook.headers = status, headers
        Problem.objects.update(told_at=None)
        check_problems()
    hook.wait = 0.0
    settings.ALERT_WEBHOOK_URL = hook.url.replace("127.0.0.1", "127.0.0.1.nip.invalid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", raise_with_address)
        Problem.objects.update(told_at=None)
        check_problems()

    told = caplog.text + repr(list(Problem.objects.values())) + "".join(mail.body for mail in mailoutbox)
    assert "a-token-of-the-hook" not in told


def raise_with_address(session: Any, request: Any, **_: Any) -> Any:
    raise requests.ConnectionError(f"can't reach {request.url}")


@pytest.mark.django_db
def test_when_nobody_can_be_told_the_others_wait_for_the_next_pass(hook: Webhook, no_mail: None) -> None:
    """A pass is no place to wait half a minute for each of a dozen problems."""
    for kind in ("a", "b", "c"):
        run(kind=kind)
    hook.status = 500
    check_problems()
    assert hook.tries == 1
    check_problems()
    check_problems()
    assert hook.tries == 3
    assert all(problem.telling_error for problem in Problem.objects.all())  # each had its turn


# --- processes


@pytest.mark.parametrize("status", ["failed", "succeeded"])
@pytest.mark.django_db(transaction=True)
def test_of_any_number_of_passes_at_once_one_tells(hook: Webhook, mailoutbox: list[EmailMessage], status: str) -> None:
    run()
    if status == "succeeded":
        check_problems()
        run(status)
    told = len(hook.posted)
    gate, errors = threading.Barrier(5), []

    def check() -> None:
        gate.wait()
        try:
            check_problems()
        except Exception as error:  # noqa: BLE001  whatever it is, it is one too many
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=check) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(hook.posted) == told + 1
    assert len(mailoutbox) == told + 1
    assert Problem.objects.count() == 1


@pytest.mark.django_db
def test_what_another_pass_has_claimed_meanwhile_is_left_to_it(mailoutbox: list[EmailMessage]) -> None:
    Problem.objects.create(key="run:sync_shows", text="It failed.")
    as_both_saw_it = begun(timezone.now())
    assert tell_each(as_both_saw_it, "problem")
    assert tell_each(as_both_saw_it, "problem")
    assert len(mailoutbox) == 1

    Problem.objects.update(ended_at=timezone.now())
    as_both_saw_it = ended()
    assert tell_each(as_both_saw_it, "well")
    assert tell_each(as_both_saw_it, "well")
    assert len(mailoutbox) == 2


@pytest.mark.django_db
def test_what_is_over_before_it_is_told_is_not_told(mailoutbox: list[EmailMessage]) -> None:
    Problem.objects.create(key="run:sync_shows", text="It failed.")
    as_it_was = begun(timezone.now())
    Problem.objects.update(ended_at=timezone.now())

    assert tell_each(as_it_was, "problem")
    assert mailoutbox == []


@pytest.mark.django_db(transaction=True)
def test_two_processes_at_once_tell_once(hook: Webhook) -> None:
    run()
    config = connection.settings_dict
    url = f"sqlite:///{config['NAME']}"
    if connection.vendor == "postgresql":
        url = f"postgres://{config['USER']}@{config['HOST']}:{config['PORT'] or 5432}/{config['NAME']}"
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ALERT_", "REDIS_URL", "TRR_"))},
        **{"DJANGO_SETTINGS_MODULE": "trr_site.settings", "ENV_FILE": "", "SECRET_KEY": "x"},
        **{"DATABASE_URL": url, "ALERT_WEBHOOK_URL": hook.url},
    }
    connection.close()
    command = [sys.executable, "manage.py", "check_problems"]
    both = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 1, err
        assert out.startswith("run:sync_shows, since "), (out, err)

    assert hook.states == [("run:sync_shows", "problem")]


@pytest.mark.django_db
def test_what_a_process_died_telling_is_told_by_another(mailoutbox: list[EmailMessage]) -> None:
    run()
    at(NOW)
    del mailoutbox[:]
    Problem.objects.update(telling_error=TELLING)  # as a kill in the middle leaves it
    at(NOW + CLAIM)
    assert mailoutbox == []  # it may still be at it

    at(NOW + CLAIM + MINUTE)
    assert len(mailoutbox) == 1
    assert Problem.objects.get().telling_error == ""

    run("succeeded")
    at(NOW + CLAIM + 2 * MINUTE)
    Problem.objects.update(telling_error=TELLING)
    at(NOW + 2 * CLAIM + 3 * MINUTE)
    assert len(mailoutbox) == 3


@pytest.mark.django_db(transaction=True)
def test_a_pass_is_refused_in_a_transaction_as_it_would_wait_for_others_in_it() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        check_problems()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_in_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    sent_in_one: list[bool] = []
    monkeypatch.setattr(alerts, "send_mail", lambda *_: sent_in_one.append(connection.in_atomic_block))
    run()
    check_problems()

    assert sent_in_one == [False]


# --- the command


@pytest.mark.django_db
def test_the_command_prints_what_is_open_and_ends_with_1(capsys: pytest.CaptureFixture[str], hook: Webhook) -> None:
    bad = run()
    hook.status = 500
    with pytest.raises(CommandError, match="1 problem") as caught, time_machine.travel(NOW, tick=False):
        call_command("check_problems")
    told = capsys.readouterr()

    assert caught.value.returncode == 1
    assert told.out.startswith(f"run:sync_shows, since 2026-03-01 12:00 UTC: sync_shows: run {bad.pk} finished")
    assert told.err == "run:sync_shows was not told everywhere: webhook: HTTP 500\n"


@pytest.mark.django_db
def test_the_command_ends_with_0_and_no_word_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    run("succeeded")
    waiting_message()  # for a moment: no problem yet
    call_command("check_problems")

    assert capsys.readouterr().out == ""


@pytest.mark.django_db
def test_a_wrong_setting_ends_the_command_with_2(settings: Any) -> None:
    settings.ENVIRONMENT_ERRORS = ["ALERT_EMAILS is malformed: expected addresses, several with commas"]
    with pytest.raises(CommandError, match="ALERT_EMAILS is malformed") as caught:
        call_command("check_problems")

    assert caught.value.returncode == 2


@pytest.mark.django_db
def test_a_database_that_goes_away_ends_the_command_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise DatabaseError("server closed the connection\nand a hint")

    monkeypatch.setattr(alerts, "find_problems", refuse)
    with pytest.raises(CommandError, match=r"failed: server closed the connection$") as caught:
        call_command("check_problems")

    assert caught.value.returncode == 2
