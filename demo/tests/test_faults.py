"""The stand-in fails as it is told to, keeps to its rate, and remembers what it was asked."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from demo.upstream import Reply, Request, Upstream, start_upstream

pytestmark = pytest.mark.once

TOP_GEAR = 45


def test_answers_that_were_queued_come_first_and_run_out(upstream: Upstream, session: requests.Session) -> None:
    upstream.answer("/3/tv/45", Reply(503), Reply(200, b"<html>", {"Content-Type": "text/html"}))
    url = f"{upstream.api_url}/tv/45"

    failed, page, real = session.get(url), session.get(url), session.get(url)

    assert (failed.status_code, failed.json()["status_code"]) == (503, 46)
    assert (page.text, page.headers["content-type"]) == ("<html>", "text/html")
    assert real.json()["id"] == TOP_GEAR


def test_an_answer_for_a_pattern_yields_to_one_for_the_exact_path(
    upstream: Upstream, session: requests.Session
) -> None:
    upstream.always("/3/tv/*", Reply(500))
    upstream.answer("/3/tv/45", Reply(200, []))
    url = f"{upstream.api_url}/tv/45"

    assert session.get(url).json() == []
    assert [session.get(url).status_code for _ in range(3)] == [500] * 3


def test_clear_forgets_answers_and_requests(upstream: Upstream, session: requests.Session) -> None:
    upstream.always("/3/*", Reply(500))
    session.get(f"{upstream.api_url}/tv/45")

    upstream.clear()

    assert upstream.count() == 0
    assert session.get(f"{upstream.api_url}/tv/45").status_code == 200


def test_a_cut_reply_breaks_off_in_the_body(upstream: Upstream, session: requests.Session) -> None:
    upstream.answer("/3/tv/45", Reply(cut=20))

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(f"{upstream.api_url}/tv/45")
    assert session.get(f"{upstream.api_url}/tv/45").status_code == 200


def test_a_dropped_request_gets_no_word(upstream: Upstream, session: requests.Session) -> None:
    upstream.answer("/3/tv/45", Reply(drop=True))

    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(f"{upstream.api_url}/tv/45")
    assert [request.status for request in upstream.requests] == [None]


def test_a_delayed_reply_does_not_hold_up_the_end(session: requests.Session) -> None:
    with ThreadPoolExecutor(1) as pool:
        with Upstream(latency=60) as upstream:
            waiting = pool.submit(session.get, f"{upstream.api_url}/tv/45")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.1)

        waiting.exception(timeout=5)  # cut off or answered at once, but not a minute later


# The rate


def test_what_comes_over_the_rate_within_a_second_gets_429() -> None:
    with Upstream(rate=3) as upstream:
        answers = [upstream.respond(_request_at(100.0 + n / 10)).status for n in range(5)]
        later = upstream.respond(_request_at(101.05)).status

    assert answers == [200, 200, 200, 429, 429]
    assert later == 200


def test_429_looks_like_the_one_of_the_cdn(session: requests.Session) -> None:
    with Upstream(rate=0) as upstream:
        refused = session.get(f"{upstream.api_url}/configuration")
        image = session.get(f"{upstream.image_url}/w500/demo-network-74.png")

    assert (refused.status_code, refused.json()["status_code"]) == (429, 25)
    assert "success" not in refused.json()
    assert "retry-after" not in refused.headers
    assert image.status_code == 200


def test_peak_rate_is_the_most_requests_in_any_second(upstream: Upstream) -> None:
    for moment in (100.0, 100.9, 101.0, 101.2, 101.3, 105.0):
        upstream.respond(_request_at(moment))

    assert upstream.peak_rate() == 4


def _request_at(moment: float) -> Request:
    return Request(moment, "GET", "/3/configuration", {"api_key": "demo-key"}, {})


# The requests it keeps


def test_it_keeps_every_request_with_its_status(upstream: Upstream, session: requests.Session) -> None:
    session.get(f"{upstream.api_url}/tv/45", params={"append_to_response": "keywords"})
    session.get(f"{upstream.image_url}/w500/nothing.png")

    show, image = upstream.requests
    assert (show.method, show.path, show.status) == ("GET", "/3/tv/45", 200)
    assert show.params == {"append_to_response": "keywords"}
    assert show.headers["authorization"] == "Bearer demo-bearer-token"
    assert (image.path, image.status) == ("/t/p/w500/nothing.png", 404)
    assert (upstream.count(), upstream.count("/t/p/")) == (1, 1)


def test_it_counts_right_when_many_ask_at_once(upstream: Upstream) -> None:
    url = f"{upstream.api_url}/configuration?api_key=demo-key"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: requests.get(url, timeout=10).status_code, range(100)))

    assert answers == [200] * 100
    assert upstream.count() == 100


def test_a_connection_is_kept_alive(upstream: Upstream) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5) as connection:
        for _ in range(2):
            connection.sendall(b"GET /_demo HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


# A running demo


def test_a_running_demo_can_be_told_to_answer_429(upstream: Upstream, session: requests.Session) -> None:
    told = session.post(f"{upstream.url}/_demo/answer?status=429&count=2")
    answers = [session.get(f"{upstream.api_url}/tv/45") for _ in range(3)]

    assert told.status_code == 200
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "1"


@pytest.mark.parametrize("query", ["", "status=429", "status=abc&count=1", "status=429&count=-1", "status=99&count=1"])
def test_an_order_that_makes_no_sense_is_refused(upstream: Upstream, session: requests.Session, query: str) -> None:
    assert session.post(f"{upstream.url}/_demo/answer?{query}").status_code == 400
    assert session.get(f"{upstream.api_url}/tv/45").status_code == 200


def test_a_taken_port_is_replaced_by_a_free_one(upstream: Upstream) -> None:
    other = start_upstream(upstream.port)
    try:
        assert other.port != upstream.port
    finally:
        other.close()


def test_nothing_answers_after_it_was_closed(session: requests.Session) -> None:
    with Upstream() as upstream:
        url = f"{upstream.api_url}/tv/45"
        assert session.get(url).status_code == 200

    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(url)
