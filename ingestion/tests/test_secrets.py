"""The key and the other secrets appear nowhere, whatever goes wrong."""

import io
import logging
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing import Queue, Value
from urllib.parse import quote, quote_plus

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from django_q.worker import worker

from catalog.models import Show
from demo.upstream import Reply, Upstream
from ingestion import health
from ingestion.alerts import check_problems
from ingestion.models import Problem, SyncFailure, SyncRun
from ingestion.sources.http import HttpClient, UpstreamError
from ingestion.sources.tmdb import ApiKeyAuth, BearerAuth, TmdbClient, decode_json
from ingestion.tests.test_http import raw_server
from trr_site.logs import MASK, SecretFilter, SecretFormatter, mask_secrets

KEY = "k+/=y&0123456789abcdef"
# Its beginning too: a message that is cut in the middle of the key tells as much.
FORMS = {form(part) for part in (KEY, KEY[:10]) for form in (str, quote, quote_plus, lambda text: quote(text, safe=""))}
FORMS |= {form.lower() for form in FORMS} | {form.replace("/", "\\/") for form in FORMS}


def told(text: str) -> list[str]:
    return [form for form in FORMS if form in text]


@pytest.fixture(autouse=True)
def secret_key(settings) -> None:
    settings.SECRETS = [KEY]


@pytest.fixture
def logged(caplog) -> Callable[[], str]:
    """All that any logger wrote at any level, as a handler that is not ours sees it."""
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def text() -> str:
        assert any(record.name.startswith("urllib3") for record in caplog.records)
        return caplog.text + "".join(repr(vars(record)) for record in caplog.records)

    return text


def served(answer: Reply) -> Callable[[Upstream, ExitStack], str]:
    def url(upstream: Upstream, stack: ExitStack) -> str:
        upstream.always("/3/x", answer)
        return f"{upstream.api_url}/x"

    return url


def refused_port(upstream: Upstream, stack: ExitStack) -> str:
    taken = stack.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{taken.getsockname()[1]}/3/x"


def raw(answer: bytes) -> Callable[[Upstream, ExitStack], str]:
    return lambda upstream, stack: stack.enter_context(raw_server(answer, answer))


ECHO = f"https://api.example/3/x?api_key={quote(KEY, safe='')} and {KEY}"
FAULTS = {
    "dropped": (served(Reply(drop=True)), "no connection"),
    "refused port": (refused_port, "no connection"),
    "cut off": (served(Reply(body={"a": 1}, cut=3)), "the reply was cut off"),
    "TLS to a port without it": (
        lambda upstream, stack: f"{upstream.api_url}/x".replace("http:", "https:"),
        "no secure connection (TLS)",
    ),
    "no host": (lambda upstream, stack: "http://", "the request failed (InvalidURL)"),
    "no scheme": (lambda upstream, stack: "x", "the request failed (MissingSchema)"),
    "too large": (served(Reply(body=b"x" * 2000)), "the reply is larger than 0 KiB"),
    "HTML that echoes the key": (
        served(Reply(body=f"<p>{ECHO}".encode())),
        f"the reply is not JSON: it starts with '<p>https://api.example/3/x?api_key={MASK} and {MASK}'",
    ),
    "HTML that echoes the key where the message ends": (
        served(Reply(body=b"x" * 75 + KEY.encode())),
        f"the reply is not JSON: it starts with '{'x' * 75}{MASK[:5]}'",
    ),
    "HTML error": (served(Reply(502, f"<p>{KEY}".encode())), f"HTTP 502: <p>{MASK}"),
    "401": (
        served(Reply(401)),
        "the key was refused (401): Invalid API key: You must be granted a valid key. (code 7)",
    ),
    "401 that echoes the key": (
        served(Reply(401, {"status_code": 7, "status_message": f"Bad: {KEY}"})),
        f"the key was refused (401): Bad: {MASK} (code 7)",
    ),
    "403 with errors": (served(Reply(403, {"errors": [ECHO]})), "the key was refused (403): https://api.example/3/x"),
    "404 that echoes the key": (served(Reply(404, ECHO.encode())), f"HTTP 404: https://api.example/3/x?api_key={MASK}"),
    "429": (served(Reply(429)), "HTTP 429: Your request count (51) is over the allowed limit of 50. (code 25)"),
    "redirect": (
        served(Reply(301, b"Moved to " + ECHO.encode(), {"location": ECHO})),
        f"HTTP 301: Moved to https://api.example/3/x?api_key={MASK}",
    ),
    "redirect to nonsense": (served(Reply(302, b"", {"location": f"foo://{KEY}"})), "HTTP 302: empty reply"),
    "not HTTP": (raw(b"220 smtp.example ESMTP\r\n\r\n"), "no connection"),
    "broken header": (
        raw(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\nbroken header\r\nA: b\r\n\r\nno"),
        "HTTP 404: no",
    ),
}


@pytest.fixture(params=[ApiKeyAuth, BearerAuth])
def client(request) -> Iterator[HttpClient]:
    client = HttpClient(max_bytes=1000, auth=request.param(KEY), tries=2, backoff=0)
    yield client
    client.close()


@pytest.mark.parametrize(("fault", "reason"), FAULTS.values(), ids=FAULTS)
def test_error_tells_what_happened_and_neither_it_nor_any_log_tells_the_key(client, upstream, logged, fault, reason):
    with ExitStack() as stack:
        url = fault(upstream, stack)
        with pytest.raises(UpstreamError) as caught:
            client.get(url, {"page": "1"}, decode_json)

    error, exc_info = caught.value, (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "%s", (error,), exc_info)
    formatted = [logging.Formatter().format(record), SecretFormatter().format(record)]
    assert str(error).startswith(reason)
    assert error.__cause__ is error.__context__ is None
    logging.getLogger("urllib3").debug("something was logged")
    for text in (str(error), repr(error), repr(vars(error)), *formatted, logged()):
        assert not told(text)


BAD_TOKENS = {"line break": f"{KEY}\nx", "not Latin-1": f"{KEY}\u20ac", "carriage return": f"{KEY}\u00fc\r"}


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_token_that_no_header_can_hold_is_not_told_either(upstream, token):
    client = HttpClient(max_bytes=1000, auth=BearerAuth(token))

    with pytest.raises(UpstreamError, match="the key can't stand in a header") as caught:
        client.get(f"{upstream.api_url}/x")
    client.close()

    assert not told("".join(traceback.format_exception(caught.value)))
    assert upstream.requests == []


def test_good_requests_leave_no_key_in_a_log(client, upstream, logged):
    upstream.always("/3/x", Reply(body={}))

    client.get(f"{upstream.api_url}/x")

    assert "GET /3/x" in logged()
    assert not told(logged())
    (request,) = upstream.requests
    assert KEY in (request.params.get("api_key"), request.headers.get("authorization", "").removeprefix("Bearer "))


def test_client_shows_no_key_when_it_is_printed(settings, upstream):
    settings.TMDB_API_KEY = KEY
    client = TmdbClient()

    assert not told(repr(client) + repr(client.api) + str(client.api.auth))
    client.close()


# Masking

MASKED = {KEY, quote(KEY), quote_plus(KEY), quote(KEY, safe="").lower(), "k%2B\\/=y&0123456789abcdef"}


@pytest.mark.parametrize("form", sorted(MASKED))
def test_every_form_of_a_secret_is_masked(form):
    assert mask_secrets(f"a {form} b {form}") == f"a {MASK} b {MASK}"


@pytest.mark.parametrize("text", ["", "nothing to hide", KEY[1:], KEY[:-1], KEY.upper()])
def test_what_is_no_secret_stays(text):
    assert mask_secrets(text) == text


def test_secret_that_contains_another_is_masked_whole(settings):
    settings.SECRETS = ["abc", "abc def", "ü.*"]

    assert mask_secrets("abc def, abc+def, abc, %C3%BC.*, üxx") == f"{MASK}, {MASK}, {MASK}, {MASK}, üxx"


def test_no_secrets_mask_nothing(settings):
    settings.SECRETS = []

    assert mask_secrets(KEY) == KEY


def test_formatter_masks_message_arguments_and_the_whole_traceback():
    try:
        try:
            raise ValueError(f"url ?api_key={quote(KEY, safe='')}")
        except ValueError:
            raise RuntimeError(f"with {KEY}")  # noqa: B904
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "%s %r", (KEY, {"a": KEY}), sys.exc_info())

    line = SecretFormatter("%(message)s").format(record)

    assert not told(line)
    assert line.count(MASK) == 4
    assert "RuntimeError" in line
    assert "ValueError" in line


def test_filter_masks_a_record_for_the_handlers_that_come_after_it():
    arguments = (f"/?api_key={quote_plus(KEY)}", 200)
    record = logging.LogRecord("x", logging.DEBUG, __file__, 1, "GET %s %d", arguments, None)

    assert SecretFilter().filter(record)
    assert record.getMessage() == f"GET /?api_key={MASK} 200"


# A whole run


def rows_of_every_table() -> Iterator[tuple[str, str]]:
    for model in apps.get_models(include_auto_created=True):
        for row in model._base_manager.values_list():
            yield model._meta.db_table, " ".join(map(str, row))


FAILING = {
    1: Reply(drop=True),
    2: Reply(429, ECHO.encode()),
    3: Reply(body=f"<html>{ECHO}".encode()),
    4: Reply(301, ECHO.encode(), {"location": ECHO}),
    5: Reply(body={"a": 1}, cut=2),
    6: Reply(404, {"status_code": 34, "status_message": ECHO}),
    7: Reply(body={"id": 7, "name": None, "error": ECHO}),
    8: Reply(500, b"\0\x1b[31m" + KEY.encode()),
    9: Reply(400, {"status_message": f"{KEY}\u0000"}),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["api_key", "bearer"])
def test_run_with_failures_leaves_the_key_in_no_table_log_or_output(settings, upstream, logged, capfd, kind):
    settings.TMDB_API_KEY, settings.TMDB_BEARER_TOKEN = (KEY, "") if kind == "api_key" else ("", KEY)
    upstream.key = upstream.bearer = KEY
    for number, answer in FAILING.items():
        upstream.always(f"/3/tv/{number}", answer)
        Show.objects.create(name=f"Show {number}", tmdb_id=number)
    out, err = io.StringIO(), io.StringIO()

    with pytest.raises(CommandError) as caught:
        call_command("sync_shows", stdout=out, stderr=err)

    assert caught.value.returncode == 1
    assert SyncFailure.objects.count() == 8  # and the 404
    assert SyncRun.objects.get().status == SyncRun.Status.FAILED
    assert "HTTP 500: [31m[secret]" in err.getvalue()
    rows = list(rows_of_every_table())
    assert {"ingestion_syncrun", "ingestion_syncfailure", "ingestion_syncstate"} <= {table for table, _ in rows}
    assert [table for table, text in rows if told(text)] == []
    for text in (out.getvalue(), err.getvalue(), str(caught.value), *capfd.readouterr(), logged()):
        assert not told(text)
        assert "\0" not in text
        assert "\x1b" not in text


@pytest.mark.django_db
def test_run_with_a_refused_key_says_so_without_it(settings, upstream, logged, capfd):
    settings.TMDB_API_KEY = KEY  # not the stand-in's
    Show.objects.create(name="Survivor", tmdb_id=14658)

    with pytest.raises(CommandError, match=r"TMDb: the key was refused \(401\)") as caught:
        call_command("sync_shows")

    assert caught.value.returncode == 2
    assert upstream.count() == 1
    texts = [text for _, text in rows_of_every_table()]
    for text in (*texts, str(caught.value), *capfd.readouterr(), logged()):
        assert not told(text)


# Tasks, alerts and pages


def fail_with_the_password() -> None:
    try:
        raise OperationalError(f'connection failed: FATAL: "postgres://trr:{quote(KEY, safe="")}@db/trr"')
    except OperationalError as error:
        raise RuntimeError(f"password {KEY}") from error


@pytest.mark.django_db
def test_a_task_that_fails_keeps_its_reason_without_the_password():
    tasks, results = Queue(), Queue()
    task = {"id": "1" * 32, "name": "t", "func": f"{__name__}.fail_with_the_password", "args": (), "kwargs": {}}
    tasks.put(task | {"started": timezone.now()})
    tasks.put("STOP")

    worker(tasks, results, Value("f", -1))

    done = results.get(timeout=10)
    assert not done["success"]
    assert done["result"].startswith(f"password {MASK} : Traceback")
    assert "OperationalError" in done["result"]
    assert not told(done["result"])
    for queue in (tasks, results):
        queue.close()
        queue.join_thread()


PAGES = (
    *("/", "/health", "/health/ready", "/metrics", "/api/v1/shows", "/api/v1/changes", "/admin/"),
    *(f"/admin/{name}/" for name in ("ingestion/syncrun", "ingestion/problem", "ingestion/syncstate")),
    *(f"/admin/{name}/" for name in ("django_q/failure", "django_q/success", "django_q/schedule", "django_q/ormq")),
)


@pytest.mark.django_db(transaction=True)
def test_after_all_that_can_go_wrong_no_secret_is_in_a_log_row_answer_or_page(
    settings, upstream, logged, capfd, monkeypatch, admin_client
):
    with socket.socket() as taken:  # nobody listens on it
        taken.bind(("127.0.0.1", 0))
        settings.EMAIL_HOST, settings.EMAIL_PORT = taken.getsockname()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "trr", KEY
        settings.ALERT_EMAILS = ["ops@example.org"]
        settings.ALERT_WEBHOOK_URL = f"http://127.0.0.1:{settings.EMAIL_PORT}/services/{KEY}?token={quote_plus(KEY)}"
        settings.SITE_URL, settings.METRICS_TOKEN, settings.TMDB_API_KEY = "http://127.0.0.1", KEY, KEY
        monkeypatch.setattr(health, "LOOKS", health.make_looks())
        upstream.key = KEY
        for number, answer in FAILING.items():
            upstream.always(f"/3/tv/{number}", answer)
            Show.objects.create(name=f"Show {number}", tmdb_id=number)

        with pytest.raises(CommandError):
            call_command("sync_shows", stdout=io.StringIO(), stderr=io.StringIO())
        problems = check_problems()
        upstream.key = "another"
        with pytest.raises(CommandError):
            call_command("sync_shows", "--force", stdout=io.StringIO(), stderr=io.StringIO())
        check_problems()
        answers = {path: admin_client.get(path, follow=True) for path in PAGES}
        answers |= {
            path: admin_client.get(path, follow=True)
            for row in (SyncRun.objects.first(), SyncRun.objects.last(), Problem.objects.first())
            for path in (f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/",)
        }

    assert [problem.key for problem in problems] == ["run:sync_shows"]
    errors = Problem.objects.get().telling_error
    assert ("mail: " in errors, "webhook: " in errors) == (True, True)
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert "HTTP 500" in answers[f"/admin/ingestion/syncrun/{SyncRun.objects.last().pk}/change/"].content.decode()
    assert [path for path, answer in answers.items() if told(answer.content.decode())] == []
    assert [table for table, text in rows_of_every_table() if told(text)] == []
    for text in (*capfd.readouterr(), logged()):
        assert not told(text)
