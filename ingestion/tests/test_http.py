import gzip
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest
import requests
import time_machine

from demo.upstream import Reply, Upstream
from ingestion.sources import http
from ingestion.sources.http import HttpClient, KeyRefused, NotFound, Stopped, UpstreamError
from ingestion.sources.limiter import LocalLimiter
from ingestion.sources.tmdb import ApiKeyAuth, BearerAuth, decode_json
from trr_site.replies import parse_retry_after

pytestmark = pytest.mark.once

GOOD = Reply(body={"good": True})
HTML = {"content-type": "text/html"}


class PatientEvent(threading.Event):
    """A stop event on a clock of its own: a wait is noted and moves the clock, and takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.now += timeout
        return self.is_set()


class NoticedEvent(threading.Event):
    """A stop event that lets a test know that somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_for = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_for.set()
        return super().wait(timeout)


@pytest.fixture
def stop(monkeypatch) -> PatientEvent:
    event = PatientEvent()
    monkeypatch.setattr(http, "time", SimpleNamespace(monotonic=lambda: event.now))
    return event


@pytest.fixture
def make_client(upstream: Upstream, stop: PatientEvent) -> Iterator[Callable[..., HttpClient]]:
    clients = []

    def make(**options) -> HttpClient:
        options = {"max_bytes": 10_000, "auth": ApiKeyAuth(upstream.key), "stop": stop} | options
        clients.append(HttpClient(**options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@contextmanager
def raw_server(*answers: bytes) -> Iterator[str]:
    """Sends each connection the next of these bytes as they are; the last one is held open after them."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError):  # the client, or the test, was done before
            for number, answer in enumerate(answers, 1):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
                    if number == len(answers):
                        over.wait(30)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/3/x"
    finally:
        over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def fetch(client: HttpClient, upstream: Upstream) -> object:
    return client.get(f"{upstream.api_url}/x", {"a": "1"}, decode_json)


FAULTS = {
    "429": (Reply(429), 429, "HTTP 429: Your request count (51) is over the allowed limit of 50. (code 25)"),
    "500": (Reply(500), 500, "HTTP 500: Internal error: Something went wrong, contact TMDb. (code 11)"),
    "502 in HTML": (Reply(502, b"<h1>Bad\n gateway</h1>", HTML), 502, "HTTP 502: <h1>Bad gateway</h1>"),
    "503": (Reply(503), 503, "HTTP 503: The API is undergoing maintenance. Try again later. (code 46)"),
    "504 without a body": (Reply(504, b""), 504, "HTTP 504: empty reply"),
    "connection dropped": (Reply(drop=True), None, "no connection"),
    "cut off before the body": (Reply(body={"good": True}, cut=0), None, "the reply was cut off"),
    "cut off in the body": (Reply(body={"good": True}, cut=5), None, "the reply was cut off"),
    "HTML with 200": (
        Reply(body=b"<html>Sorry", headers=HTML),
        200,
        "the reply is not JSON: it starts with '<html>Sorry'",
    ),
    "empty with 200": (Reply(body=b""), 200, "the reply is not JSON: it starts with ''"),
    "broken gzip": (Reply(body=b"no gzip", headers={"content-encoding": "gzip"}), None, "the reply can't be unpacked"),
}


@pytest.mark.parametrize(("fault", "status", "reason"), FAULTS.values(), ids=FAULTS)
def test_fault_is_retried_until_the_answer_is_good(make_client, upstream, fault, status, reason):
    upstream.answer("/3/x", fault, fault, GOOD)
    client = make_client()

    assert fetch(client, upstream) == {"good": True}
    assert upstream.count() == client.requests_made == 3


@pytest.mark.parametrize(("fault", "status", "reason"), FAULTS.values(), ids=FAULTS)
def test_fault_that_stays_ends_after_five_tries_with_its_reason(make_client, upstream, fault, status, reason):
    upstream.always("/3/x", fault)
    client = make_client()

    with pytest.raises(UpstreamError) as caught:
        fetch(client, upstream)

    assert (str(caught.value), caught.value.status) == (f"{reason} (5 tries)", status)
    assert upstream.count() == client.requests_made == 5


def test_json_that_ends_early_is_retried_though_no_length_was_announced(make_client):
    start = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"good": tr'
    with raw_server(start, start + b"ue}", b"") as url:
        assert make_client().get(url, decode=decode_json) == {"good": True}


def test_chunked_body_that_breaks_off_is_retried(make_client):
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1, 2\r\n"
    with raw_server(start, start + b"1\r\n]\r\n0\r\n\r\n") as url:
        assert make_client().get(url, decode=decode_json) == [1, 2]


def test_body_that_drips_is_given_up_at_the_deadline(make_client, monkeypatch):
    # The rest never comes: whoever waits for a whole chunk waits for the read timeout instead.
    monkeypatch.setattr(http, "TIMEOUT", (5.0, 2.0))
    monkeypatch.setattr(http, "DEADLINE", -1.0)
    with (
        raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[") as url,
        pytest.raises(UpstreamError, match="the reply was not complete"),
    ):
        make_client(tries=1).get(url)


PERMANENT = {
    "invalid id with HTTP 500": (
        Reply(500, {"success": False, "status_code": 44, "status_message": "The ID is invalid."}),
        "HTTP 500: The ID is invalid. (code 44)",
    ),
    "400": (
        Reply(400, {"success": False, "status_code": 27, "status_message": "Too many append to response objects."}),
        "HTTP 400: Too many append to response objects. (code 27)",
    ),
    "404 of a proxy": (Reply(404, b"<h1>Not here</h1>", HTML), "HTTP 404: <h1>Not here</h1>"),
    "404 without a body": (Reply(404, b""), "HTTP 404: empty reply"),
    "404 with another code": (
        Reply(404, {"success": False, "status_code": 5, "status_message": "Invalid parameters."}),
        "HTTP 404: Invalid parameters. (code 5)",
    ),
    "404 with a code that is none": (
        Reply(404, {"status_code": [34], "status_message": "Odd."}),
        "HTTP 404: Odd. (code [34])",
    ),
    "404 that is a list": (Reply(404, [34]), "HTTP 404: [34]"),
    "405": (Reply(405), "HTTP 405: This request method is not supported for this resource. (code 42)"),
    "422 with a list of errors": (
        Reply(422, {"errors": ["query must be provided", "page is wrong"]}),
        "HTTP 422: query must be provided; page is wrong",
    ),
    "422 with no error in its list": (Reply(422, {"errors": []}), 'HTTP 422: {"errors":[]}'),
    "success is absent": (
        Reply(400, {"status_code": 22, "status_message": "Invalid page."}),
        "HTTP 400: Invalid page. (code 22)",
    ),
    "code is absent": (Reply(400, {"status_message": "As you asked."}), "HTTP 400: As you asked."),
    "a key more": (
        Reply(406, {"success": False, "failure": True, "status_code": 19, "status_message": "Accept header."}),
        "HTTP 406: Accept header. (code 19)",
    ),
    "message is null": (Reply(400, {"status_code": 5, "status_message": None}), "HTTP 400: None (code 5)"),
    "a JSON list": (Reply(400, [1, 2]), "HTTP 400: [1,2]"),
    "lines and control characters": (Reply(400, b"a\0b\x1b[31mc\r\n d\xff"), "HTTP 400: a b [31mc d\ufffd"),
    "a long message": (Reply(400, {"status_message": "x" * 5000}), f"HTTP 400: {'x' * 200}"),
    "301": (Reply(301, b"moved", {"location": "/3/y"}), "HTTP 301: moved"),
    "304": (Reply(304, b""), "HTTP 304: empty reply"),
    "204": (Reply(204, b""), "HTTP 204: empty reply"),
}


@pytest.mark.parametrize(("answer", "reason"), PERMANENT.values(), ids=PERMANENT)
def test_permanent_error_costs_one_request_and_is_readable(make_client, upstream, answer, reason):
    upstream.answer("/3/x", answer, GOOD)

    with pytest.raises(UpstreamError) as caught:
        fetch(make_client(), upstream)

    assert str(caught.value) == reason
    assert type(caught.value) is UpstreamError
    assert caught.value.status == answer.status
    assert upstream.count() == 1


def test_missing_thing_is_not_found_after_one_request(make_client, upstream):
    with pytest.raises(NotFound, match=r"HTTP 404: The resource you requested could not be found. \(code 34\)"):
        fetch(make_client(), upstream)

    assert upstream.count() == 1


@pytest.mark.parametrize("code", [6, 34])
def test_not_found_is_said_by_a_code_of_tmdbs(make_client, upstream, code):
    upstream.always("/3/x", Reply(404, {"success": False, "status_code": code, "status_message": "No such id."}))

    with pytest.raises(NotFound, match=rf"HTTP 404: No such id. \(code {code}\)"):
        fetch(make_client(), upstream)

    assert upstream.count() == 1


def test_code_of_a_missing_thing_is_none_without_the_status(make_client, upstream):
    upstream.always("/3/x", Reply(400, {"success": False, "status_code": 34, "status_message": "No such id."}))

    with pytest.raises(UpstreamError) as caught:
        fetch(make_client(), upstream)

    assert type(caught.value) is UpstreamError


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_sends_nothing_to_the_other_host(make_client, upstream, status):
    with Upstream(shows={}) as other:
        upstream.answer("/3/x", Reply(status, b"", {"location": f"{other.api_url}/x"}))

        with pytest.raises(UpstreamError, match=f"HTTP {status}: empty reply"):
            fetch(make_client(), upstream)

        assert (upstream.count(), other.requests) == (1, [])


# Waiting


RETRY_AFTER = {
    "absent": (None, None),
    "zero": ("0", 0),
    "seconds": ("7", 7),
    "blanks around": (" 7 ", 7),
    "the longest": ("60", 60),
    "too long": ("61", 60),
    "a day": ("86400", 60),
    "a date": ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
    "a date in another zone": ("Mon, 23 Nov 2026 13:00:30 +0100", 30),
    "a date of long ago": ("Mon, 23 Nov 2015 12:00:30 GMT", 0),
    "a date far ahead": ("Mon, 23 Nov 2099 12:00:30 GMT", 60),
    "a date that can't be": ("Mon, 23 Nov 99999 12:00:30 GMT", None),
    "negative, which is no form of it": ("-5", None),
    "a fraction, which is no form of it": ("1.5", None),
    "a word": ("soon", None),
    "blank": ("", None),
    "more digits than a number may have": ("9" * 5000, None),
}


@time_machine.travel("2026-11-23T12:00:00Z", tick=False)
@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_retry_after_is_read_in_both_forms(value, seconds):
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("value", "waits"), [("7", [7]), ("86400", [60])])
def test_retry_after_is_waited_for(make_client, upstream, stop, status, value, waits):
    upstream.answer("/3/x", Reply(status, headers={"Retry-After": value}), GOOD)

    fetch(make_client(), upstream)

    assert stop.waits == waits


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("value", ["0", "Mon, 23 Nov 2015 12:00:30 GMT"])
def test_retry_after_of_no_time_is_an_ordinary_back_off(make_client, upstream, stop, monkeypatch, status, value):
    monkeypatch.setattr(http, "random", SimpleNamespace(uniform=lambda low, high: high))
    upstream.answer("/3/x", *[Reply(status, headers={"Retry-After": value})] * 3, GOOD)

    fetch(make_client(backoff=0.5), upstream)

    assert stop.waits == [0.75, 1.5, 3]
    assert upstream.count() == 4


@pytest.mark.parametrize("tries", [1, 5])
def test_retry_after_makes_the_other_threads_wait_too(make_client, upstream, stop, tries):
    upstream.answer("/3/slow", *[Reply(429, headers={"Retry-After": "7"})] * tries)
    upstream.answer("/3/x", GOOD, GOOD)
    client = make_client(tries=tries)
    fetch(client, upstream)  # the key is good

    with pytest.raises(UpstreamError):
        client.get(f"{upstream.api_url}/slow")
    before = len(stop.waits)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(fetch, client, upstream).result()

    assert stop.waits[before:] == [7]


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_backoff_doubles_up_to_its_limit_with_jitter(make_client, upstream, stop, monkeypatch, factor):
    asked = []
    monkeypatch.setattr(http, "random", SimpleNamespace(uniform=lambda *bounds: asked.append(bounds) or factor))
    upstream.always("/3/x", Reply(503))

    with pytest.raises(UpstreamError):
        fetch(make_client(tries=9, backoff=0.5), upstream)

    assert stop.waits == [seconds * factor for seconds in (0.5, 1, 2, 4, 8, 16, 20, 20)]
    assert asked == [(0.5, 1.5)] * 8


def test_jitter_differs_between_waits(make_client, upstream, stop):
    upstream.always("/3/x", Reply(503))
    with pytest.raises(UpstreamError):
        fetch(make_client(backoff=0.5), upstream)

    factors = [wait / 0.5 / 2**number for number, wait in enumerate(stop.waits)]
    assert all(0.5 <= factor <= 1.5 for factor in factors)
    assert len(set(factors)) == 4


@pytest.mark.parametrize("cause", ["backoff", "retry after", "rate limit"])
def test_stop_wakes_whoever_waits(upstream, cause):
    headers = {"Retry-After": "60"} if cause == "retry after" else {}
    upstream.always("/3/x", GOOD if cause == "rate limit" else Reply(503, headers=headers))
    stop = NoticedEvent()
    client = HttpClient(max_bytes=1000, limiter=LocalLimiter(1, window=1000, gap=0), backoff=1000, stop=stop)
    if cause == "rate limit":
        fetch(client, upstream)  # takes the only moment of the next 1000 seconds

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetch, client, upstream)
        assert stop.waited_for.wait(30)
        stop.set()
        with pytest.raises(Stopped):
            waiting.result(30)

    client.close()
    assert upstream.count() == client.requests_made == 1


def test_nothing_is_sent_once_the_stop_is_set(make_client, upstream, stop):
    stop.set()

    with pytest.raises(Stopped):
        fetch(make_client(), upstream)
    assert upstream.requests == []


# Size


TOO_LARGE = r"^the reply is larger than 9 KiB$"


def body_of(size: int) -> bytes:
    return b"x" * size


FRAMINGS = {
    "announced": lambda body: b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
    "until it closes": lambda body: b"Connection: close\r\n\r\n" + body,
    "in chunks": lambda body: b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_body_over_the_cap_is_refused_and_not_asked_for_again(make_client, framing):
    answer = b"HTTP/1.1 200 OK\r\n" + framing(body_of(10_001))
    client = make_client()
    with raw_server(answer, answer) as url, pytest.raises(UpstreamError, match=TOO_LARGE):
        client.get(url)
    assert client.requests_made == 1


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_body_of_just_the_cap_is_taken(make_client, framing):
    answer = b"HTTP/1.1 200 OK\r\n" + framing(body_of(10_000))
    with raw_server(answer, b"") as url:
        assert make_client().get(url) == body_of(10_000)


@pytest.mark.parametrize("start", [b"200 OK", b"500 No", b"301 Moved\r\nLocation: /3/y"])
def test_body_over_the_cap_is_refused_before_the_rest_has_come(make_client, monkeypatch, start):
    monkeypatch.setattr(http, "TIMEOUT", (5.0, 2.0))
    sent_and_silent = b"HTTP/1.1 %b\r\nContent-Length: 1000000\r\n\r\n%b" % (start, body_of(20_000))
    with raw_server(sent_and_silent) as url, pytest.raises(UpstreamError, match=TOO_LARGE):
        make_client().get(url)


def test_gzip_bomb_counts_by_what_it_unpacks_to_and_is_not_unpacked(make_client, upstream):
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    upstream.answer("/3/x", Reply(body=bomb, headers={"content-encoding": "gzip"}))
    client = make_client(max_bytes=len(bomb) * 2)

    tracemalloc.start()
    try:
        with pytest.raises(UpstreamError, match="the reply is larger than"):
            fetch(client, upstream)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_gzip_body_is_unpacked(make_client, upstream):
    upstream.answer("/3/x", Reply(body=gzip.compress(b'{"good": true}'), headers={"content-encoding": "gzip"}))

    assert fetch(make_client(), upstream) == {"good": True}


def test_connection_is_used_again_after_good_and_bad_replies(make_client, upstream, caplog):
    caplog.set_level("DEBUG", logger="urllib3.connectionpool")
    upstream.answer("/3/x", Reply(503), Reply(404), *[GOOD] * 3)
    client = make_client()

    with pytest.raises(NotFound):
        fetch(client, upstream)
    for _ in range(3):
        fetch(client, upstream)

    assert sum("Starting new HTTP connection" in message for message in caplog.messages) == 1


# Keys


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_costs_one_request_whatever_the_number_of_threads(make_client, upstream, status):
    upstream.always("/3/x", Reply(status, {"status_code": 7, "status_message": "Invalid API key."}))
    client = make_client()
    together = threading.Barrier(16)

    def get() -> Exception | None:
        together.wait(30)
        try:
            fetch(client, upstream)
        except KeyRefused as error:
            return error
        return None

    with ThreadPoolExecutor(16) as pool:
        errors = [future.result() for future in [pool.submit(get) for _ in range(16)]]

    assert {str(error) for error in errors} == {f"the key was refused ({status}): Invalid API key. (code 7)"}
    assert upstream.count() == 1
    with pytest.raises(KeyRefused):
        client.get(f"{upstream.api_url}/elsewhere")
    assert upstream.count() == client.requests_made == 1


def test_key_that_is_refused_later_is_not_sent_again(make_client, upstream):
    upstream.answer("/3/x", GOOD, Reply(401), GOOD)
    client = make_client()
    fetch(client, upstream)

    for _ in range(3):
        with pytest.raises(KeyRefused):
            fetch(client, upstream)

    assert upstream.count() == 2


def test_threads_go_side_by_side_once_the_key_is_known_to_be_good(make_client, upstream):
    together = threading.Barrier(4)
    upstream.answer("/3/x", GOOD)
    client = make_client()
    fetch(client, upstream)

    def decode(body: bytes) -> int:
        return together.wait(30)  # passes only when all four have their reply

    upstream.always("/3/x", GOOD)
    with ThreadPoolExecutor(4) as pool:
        replies = [pool.submit(client.get, f"{upstream.api_url}/x", None, decode) for _ in range(4)]
        assert sorted(future.result() for future in replies) == [0, 1, 2, 3]


@pytest.mark.parametrize("status", [401, 403])
def test_client_without_a_key_takes_a_refusal_as_that_requests_own(make_client, upstream, status):
    upstream.answer("/3/x", Reply(status, b"<Error>AccessDenied</Error>"), GOOD)
    client = HttpClient(max_bytes=1000)

    with pytest.raises(UpstreamError, match=f"HTTP {status}: <Error>AccessDenied</Error>") as caught:
        fetch(client, upstream)

    assert not isinstance(caught.value, KeyRefused)
    assert fetch(client, upstream) == {"good": True}
    client.close()


NETRC_AUTHORIZATION = requests.auth._basic_auth_str("netrc-user", "netrc-password")


@pytest.mark.parametrize(
    ("options", "authorization"),
    [({}, None), ({"auth": ApiKeyAuth("key")}, None), ({"auth": BearerAuth("token")}, "Bearer token")],
    ids=["no auth", "api_key", "Bearer"],
)
def test_netrc_is_never_used(upstream, tmp_path, monkeypatch, options, authorization):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login netrc-user password netrc-password\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    upstream.always("/3/x", GOOD)
    client = HttpClient(max_bytes=1000, **options)

    fetch(client, upstream)
    client.close()
    with requests.Session() as session:
        session.get(f"{upstream.api_url}/x")  # the file is good: requests itself does send it

    arrived = [request.headers.get("authorization") for request in upstream.requests]
    assert arrived == [authorization, NETRC_AUTHORIZATION]


def test_every_request_is_counted_once_by_what_became_of_it(upstream):
    upstream.answer("/3/x", Reply(429, headers={"Retry-After": "0"}), Reply(500), Reply(drop=True), Reply(body={}))
    client = HttpClient(max_bytes=1000, backoff=0, limiter=LocalLimiter(100, window=1, gap=0))

    client.get(f"{upstream.api_url}/x")
    traffic = client.take_traffic()
    client.close()

    assert sum(one.requests for one in traffic.values()) == client.requests_made == 4
    assert {name: one.requests for name, one in traffic.items() if name.isdecimal()} == {"429": 1, "500": 1, "200": 1}
    assert all(one.waited >= 0 for one in traffic.values())
    assert client.take_traffic() == {}


def test_reply_that_is_cut_off_is_no_success(upstream):
    upstream.always("/3/x", Reply(body={"good": True}, cut=5))
    client = HttpClient(max_bytes=100_000, backoff=0, tries=2)

    with pytest.raises(UpstreamError):
        client.get(f"{upstream.api_url}/x")

    traffic = client.take_traffic()
    client.close()
    assert "200" not in traffic
    assert sum(one.requests for one in traffic.values()) == 2
