"""From end to end: a real daphne (two, with Redis), changes written by another process, clients over TCP."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from knox.models import get_token_model
from redis import StrictRedis
from websockets import Origin
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_and_queue

from catalog.feed import newest_id
from catalog.models import Change, Show
from catalog.tests.daphnes import daphne, edit_elsewhere, free_port, redis

pytestmark = pytest.mark.django_db(transaction=True)
# Without a bound of its own: a client that leaves what it has not read waits ten seconds for the server's close.
connect = partial(connect_and_queue, max_queue=None)
PATIENCE = 20  # seconds; nothing waits for so long unless it fails


@pytest.fixture(scope="module")
def rooms(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[str]:
    """The rooms of a daphne without Redis: it hears of other processes by the poll alone."""
    log = tmp_path_factory.mktemp("daphne") / "log"
    with daphne(log, WS_LOGIN_SECONDS="2", WS_RECHECK_SECONDS="0.3") as address:
        yield address


@pytest.fixture
def show(transactional_db: None) -> Show:
    return Show.objects.create(name="Below Deck")


def hear(client: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(client.recv(timeout=PATIENCE)))


def code_of(client: ClientConnection) -> tuple[int, str]:
    """How it was closed, after all that came before."""

    def to_the_end() -> None:
        while True:
            client.recv(timeout=PATIENCE)

    with pytest.raises(ConnectionClosed) as closed:
        to_the_end()
    received = closed.value.rcvd
    assert received is not None
    return received.code, received.reason


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def ids(client: ClientConnection, number: int) -> list[int]:
    return [hear(client)["payload"]["event_id"] for _ in range(number)]


def test_without_redis_changes_of_another_process_are_heard(rooms: str, show: Show) -> None:
    with connect(f"{rooms}/shows") as all_shows, connect(f"{rooms}/shows/{show.pk}") as one_show:
        assert hear(all_shows)["payload"]["show_id"] is None
        assert hear(one_show)["payload"]["show_id"] == str(show.pk)
        written = edit_elsewhere(show.pk, 3)

        assert ids(all_shows, 3) == written
        assert ids(one_show, 3) == written


def test_two_servers_tell_their_clients_what_a_third_process_wrote(show: Show, tmp_path: Path) -> None:
    # Their poll is slower than this test is patient: it is the bell that they hear.
    with (
        redis(tmp_path / "redis") as url,
        daphne(tmp_path / "one", REDIS_URL=url, WS_POLL_SECONDS="600") as one,
        daphne(tmp_path / "two", REDIS_URL=url, WS_POLL_SECONDS="600") as two,
        connect(f"{one}/shows") as first,
        connect(f"{two}/shows") as second,
    ):
        position = hear(first)["payload"]["event_id"]
        hear(second)
        # Whether both have joined the group can be seen by nothing but that they hear.
        for number, client in enumerate((first, second)):
            for attempt in count():
                edit_elsewhere(show.pk, text=f"Text {number} {attempt}", REDIS_URL=url)
                try:
                    client.recv(timeout=2)
                except TimeoutError:
                    continue
                break
        last = edit_elsewhere(show.pk, text="last", REDIS_URL=url)[0]
        for client in (first, second):
            heard = position
            while heard != last:
                heard = hear(client)["payload"]["event_id"]


def test_with_redis_out_of_reach_writes_go_on_and_clients_hear_by_the_poll(show: Show, tmp_path: Path) -> None:
    url = f"redis://:hidden-word@127.0.0.1:{free_port()}/0"
    log = tmp_path / "log"
    with daphne(log, REDIS_URL=url) as rooms, connect(f"{rooms}/shows") as client:
        hear(client)
        written = edit_elsewhere(show.pk, 3, REDIS_URL=url)

        assert ids(client, 3) == written
    text = log.read_text()
    assert text.count("Redis is out of reach") == 1
    assert "hidden-word" not in text


def test_with_redis_out_of_reach_a_foreign_page_is_refused_all_the_same(tmp_path: Path, transactional_db: None) -> None:
    log = tmp_path / "log"
    with (
        daphne(log, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0") as rooms,
        pytest.raises(InvalidStatus) as refused,
        connect(f"{rooms}/shows", origin=Origin("https://evil.example")),
    ):
        pass

    assert refused.value.response.status_code == 403
    assert "Traceback" not in log.read_text()


def test_where_nobody_listens_any_more_redis_has_nobody_to_ring_for(show: Show, tmp_path: Path) -> None:
    def heard_of(group: StrictRedis) -> int:
        return int(group.zcard("trr:group:changes"))

    with (
        redis(tmp_path / "redis") as url,
        daphne(tmp_path / "log", REDIS_URL=url) as rooms,
        closing(StrictRedis.from_url(url)) as group,
    ):
        for _ in range(2):
            with connect(f"{rooms}/shows"):
                wait_until(lambda: heard_of(group) == 1)
            wait_until(lambda: heard_of(group) == 0)


def test_a_client_that_was_cut_off_during_a_sync_catches_up_without_gap_or_repeat(rooms: str, show: Show) -> None:
    heard = []
    with connect(f"{rooms}/shows") as client:
        start = hear(client)["payload"]["event_id"]
        edit_elsewhere(show.pk, 40, "First")
        heard += ids(client, 15)
    edit_elsewhere(show.pk, 30, "Meanwhile")
    with connect(f"{rooms}/shows?since={heard[-1]}") as client:
        assert hear(client)["payload"]["event_id"] == heard[-1]
        edit_elsewhere(show.pk, 10, "After")
        heard += ids(client, 65)

    assert heard == list(Change.objects.filter(id__gt=start).order_by("id").values_list("id", flat=True))


def test_a_client_that_stops_reading_is_closed_while_others_go_on(show: Show, tmp_path: Path) -> None:
    with (
        daphne(tmp_path / "log", WS_POLL_SECONDS="0.05") as rooms,
        connect(f"{rooms}/shows") as reading,
        socket.socket() as stuck,
    ):
        hear(reading)
        address = rooms.removeprefix("ws://").split("/")[0]
        host, port = address.split(":")
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect((host, int(port)))
        stuck.sendall(
            f"GET /api/v1/ws/shows HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        received = stuck.recv(4096)
        while b"subscribed" not in received:
            received += stuck.recv(4096)
        big = {f"field_{number}" * 40: [1, 2] for number in range(40)}
        for _ in range(30):  # 9 MB as frames: more than the system's own buffers hold
            changes = Change.objects.bulk_create(Change(show_id=show.pk, kind="updated", fields=big) for _ in range(20))
            assert ids(reading, 20) == [change.pk for change in changes]
        stuck.settimeout(PATIENCE)
        rest = bytearray()
        while chunk := stuck.recv(1 << 20):
            rest += chunk
            if b"too slow" in rest[-200:]:
                break

    assert (1013).to_bytes(2, "big") + b"too slow: reconnect with since=ID of the last event" in rest[-200:]


def test_who_comes_late_reads_much_at_its_own_pace(rooms: str, show: Show) -> None:
    start = newest_id()
    changes = Change.objects.bulk_create(
        Change(show_id=show.pk, kind="updated", fields={f"field_{number}": [1, 2] for number in range(100)})
        for _ in range(3_000)
    )
    with connect(f"{rooms}/shows?since={start}") as client:
        hear(client)
        assert ids(client, 3_000) == [change.pk for change in changes]


@pytest.mark.parametrize("message", ["{", "[]", "null", '{"type":"shout"}', b"\x00\x01"])
def test_nonsense_is_answered_and_the_connection_stays(rooms: str, show: Show, message: str | bytes) -> None:
    with connect(f"{rooms}/shows") as client:
        hear(client)
        client.send(message)
        assert hear(client)["type"] == "error"
        client.send('{"type":"ping"}')
        assert hear(client)["type"] == "pong"


@pytest.mark.parametrize("message", ["x" * 1_000_000, b"x" * 1_000_000])
def test_a_message_of_a_megabyte_is_too_big(rooms: str, show: Show, message: str | bytes) -> None:
    with connect(f"{rooms}/shows") as client:
        hear(client)
        client.send(message)
        assert code_of(client)[0] == 1009


def test_a_flood_is_closed(rooms: str, show: Show) -> None:
    with connect(f"{rooms}/shows") as client:
        hear(client)
        for _ in range(60):
            client.send('{"type":"ping"}')
        assert code_of(client)[0] == 1008


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("shows?since=-1", 4400),
        ("shows?since=999999999", 4400),
        ("shows?page=1", 4400),
        ("shows/%00", 4404),
        ("shows/none", 4404),
        ("nothing", 4404),
    ],
)
def test_a_wrong_address_is_closed_with_its_code_and_the_reason(rooms: str, show: Show, path: str, code: int) -> None:
    with connect(f"{rooms}/{path}") as client:
        assert hear(client)["type"] == "error"
        closed, reason = code_of(client)

    assert closed == code
    assert reason


def test_a_foreign_page_is_refused_with_403(rooms: str, show: Show) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"{rooms}/shows", origin="https://evil.example"):  # type: ignore[arg-type]
        pass

    assert refused.value.response.status_code == 403


def test_a_token_lets_into_the_staff_room_until_its_user_is_put_out(
    rooms: str, show: Show, django_user_model: Any
) -> None:
    user = django_user_model.objects.create_superuser("boss", password="secret")
    token = str(get_token_model().objects.create(user)[1])
    with connect(f"{rooms}/sync") as client:
        client.send(json.dumps({"type": "authenticate", "token": token}))
        assert hear(client)["type"] == "subscribed"
        django_user_model.objects.filter(pk=user.pk).update(is_active=False)

        assert code_of(client)[0] == 4401


@pytest.mark.parametrize("how", ["expired", "wrong", "silent", "zero"])
def test_who_is_not_logged_in_is_put_out(rooms: str, show: Show, django_user_model: Any, how: str) -> None:
    user = django_user_model.objects.create_superuser("boss", password="secret")
    row, token = get_token_model().objects.create(user)
    if how == "expired":
        row.expiry = timezone.now() - timedelta(seconds=1)
        row.save()
    with connect(f"{rooms}/sync") as client:
        if how != "silent":
            sent = {"expired": token, "wrong": "trr_" + "0" * 64, "zero": "trr_\0"}[how]
            client.send(json.dumps({"type": "authenticate", "token": sent}))
        assert hear(client)["type"] == "error"
        assert code_of(client)[0] == 4401
