"""The public rooms, by the protocol of ASGI: what is told, to whom, and what is refused."""

import json
from typing import Any

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.db import transaction
from knox.models import get_token_model

from catalog.changes import Author, change_of, save_changes
from catalog.edits import edit_show
from catalog.feed import read_on
from catalog.models import Change, FeedStart, Show
from catalog.models.change import Kind
from catalog.origins import CheckedOrigin
from catalog.reading import in_thread
from catalog.routing import websocket_urlpatterns

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

application = CheckedOrigin(URLRouter(websocket_urlpatterns))
PATIENCE = 10  # seconds; nothing waits for so long unless it fails


class Talk:
    """One client, from its accepted connection on."""

    def __init__(self, path: str = "shows", headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.socket = WebsocketCommunicator(application, f"/api/v1/ws/{path}", headers=headers)

    async def __aenter__(self) -> "Talk":
        accepted, _ = await self.socket.connect(PATIENCE)
        assert accepted
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.socket.disconnect(timeout=PATIENCE)

    async def hear(self) -> tuple[str, dict[str, Any]]:
        frame = await self.socket.receive_json_from(PATIENCE)
        assert set(frame) == {"type", "ts", "payload"}
        return frame["type"], frame["payload"]

    async def say(self, message: Any) -> None:
        await self.socket.send_to(text_data=message if isinstance(message, str) else json.dumps(message))

    async def is_refused(self, code: int) -> str:
        kind, payload = await self.hear()
        assert kind == "error"
        closed = await self.socket.receive_output(PATIENCE)
        assert (closed["type"], closed["code"]) == ("websocket.close", code)
        return str(payload["detail"])


def edit(show: Show, text: str) -> int:
    change = edit_show(show.pk, {"description": text}, Author())
    assert change is not None
    return change.pk


@pytest.fixture
def shows(transactional_db: None) -> list[Show]:
    return [Show.objects.create(name=f"Show {number}") for number in range(2)]


async def test_a_change_is_told_after_its_commit(shows: list[Show]) -> None:
    async with Talk() as talk:
        greeting, where = await talk.hear()
        change_id = await in_thread(edit, shows[0], "New.")

        assert (greeting, where) == ("subscribed", {"show_id": None, "event_id": where["event_id"]})
        assert await talk.hear() == (
            "show_updated",
            {"show_id": str(shows[0].pk), "changed": ["description", "locked_fields"], "event_id": change_id},
        )


async def test_what_was_rolled_back_is_not_told(shows: list[Show]) -> None:
    def fail() -> None:
        with transaction.atomic():
            edit(shows[0], "Never.")
            transaction.set_rollback(True)

    async with Talk() as talk:
        await talk.hear()
        await in_thread(fail)
        change_id = await in_thread(edit, shows[1], "New.")

        assert (await talk.hear())[1]["event_id"] == change_id


async def test_the_room_of_a_show_tells_of_that_show_alone(shows: list[Show]) -> None:
    async with Talk(f"shows/{shows[1].pk}") as talk:
        assert (await talk.hear())[1]["show_id"] == str(shows[1].pk)
        await in_thread(edit, shows[0], "Of another.")
        change_id = await in_thread(edit, shows[1], "New.")

        assert (await talk.hear())[1]["event_id"] == change_id


async def test_with_since_what_was_missed_comes_first(shows: list[Show], monkeypatch: Any) -> None:
    monkeypatch.setattr("catalog.consumers.CHUNK", 2)
    ids = [await in_thread(edit, shows[0], f"Text {number}") for number in range(7)]
    async with Talk(f"shows?since={ids[1]}") as talk:
        assert await talk.hear() == ("subscribed", {"show_id": None, "event_id": ids[1]})
        ids += [await in_thread(edit, shows[1], f"Text {number}") for number in range(3)]

        assert [(await talk.hear())[1]["event_id"] for _ in ids[2:]] == ids[2:]
        assert await talk.socket.receive_nothing()


async def test_topics_leave_out_what_nobody_asked_for(shows: list[Show]) -> None:
    def merge_and_delete() -> None:
        fields = {"merged_into": [None, str(shows[1].pk)]}
        with transaction.atomic():
            save_changes([change_of(shows[0].pk, Kind.MERGED, fields, Author())])
            save_changes([change_of(shows[1].pk, Kind.DELETED, {}, Author())])

    async with Talk("shows?types=show_merged,show_deleted") as ends, Talk("shows?changed=name") as names:
        await ends.hear()
        await names.hear()
        await in_thread(edit, shows[0], "New.")
        await in_thread(merge_and_delete)

        kind, payload = await ends.hear()
        assert (kind, payload["merged_into"]) == ("show_merged", str(shows[1].pk))
        assert (await ends.hear())[0] == "show_deleted"
        assert (await names.hear())[0] == "show_merged"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("since=-1", "since"),
        ("since=abc", "since"),
        ("since=", "since"),
        ("since=99999999999999999999", "since"),
        ("since=999999999", "since"),
        ("since=0&since=0", "since"),
        ("since=%00", "since"),
        ("types=show_eaten", "types"),
        ("changed=nothing", "changed"),
        ("page=2", "page"),
        ("token=secret", "token"),
    ],
)
async def test_a_query_that_can_not_be_meant_is_named_and_closed(shows: list[Show], query: str, named: str) -> None:
    async with Talk(f"shows?{query}") as talk:
        detail = await talk.is_refused(4400)

    assert named in detail
    assert "secret" not in detail


async def test_who_has_read_less_than_is_kept_is_told_how_to_go_on(shows: list[Show]) -> None:
    change_id = await in_thread(edit, shows[0], "New.")
    await in_thread(lambda: FeedStart.objects.update_or_create(id=1, defaults={"pruned_through": change_id}))

    async with Talk("shows?since=0") as talk:
        assert f"read everything anew, then follow from event_id {change_id}" in await talk.is_refused(4410)


async def test_what_is_dropped_while_it_is_caught_up_with_is_not_left_out_unsaid(
    shows: list[Show], monkeypatch: Any
) -> None:
    monkeypatch.setattr("catalog.consumers.CHUNK", 2)
    ids = [await in_thread(edit, shows[0], f"Text {number}") for number in range(5)]

    def drop_and_read(*args: Any) -> Any:
        Change.objects.filter(pk__lte=ids[3]).delete()
        FeedStart.objects.create(id=1, pruned_through=ids[3])
        return read_on(*args)

    monkeypatch.setattr("catalog.consumers.read_on", drop_and_read)
    async with Talk(f"shows?since={ids[0]}") as talk:
        assert (await talk.hear())[0] == "subscribed"
        assert f"follow from event_id {ids[-1]}" in await talk.is_refused(4410)


async def test_who_can_not_be_let_in_for_a_mistake_of_ours_is_not_left_waiting(
    shows: list[Show], monkeypatch: Any, caplog: Any
) -> None:
    def broken(show_id: Any) -> bool:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("catalog.consumers.show_exists", broken)
    async with Talk(f"shows/{shows[0].pk}") as talk:
        assert "a mistake" not in await talk.is_refused(1011)
    assert "a mistake" in caplog.text


@pytest.mark.parametrize("show_id", ["00000000-0000-4000-8000-000000000000", "1", "%00", "x" * 500])
async def test_a_show_that_is_not_there_has_no_room(shows: list[Show], show_id: str) -> None:
    async with Talk(f"shows/{show_id}") as talk:
        await talk.is_refused(4404)


@pytest.mark.parametrize(
    "message", ["{", " ", "[]", "1", '"ping"', "{}", '{"type": 1}', '{"type": "shout"}', "[" * 50_000]
)
async def test_a_message_that_makes_no_sense_is_answered_and_the_connection_stays(
    shows: list[Show], message: str
) -> None:
    async with Talk() as talk:
        await talk.hear()
        await talk.say(message)
        assert (await talk.hear())[0] == "error"
        await talk.socket.send_to(bytes_data=b"\x00\xff")
        assert (await talk.hear())[0] == "error"
        await talk.say({"type": "ping"})
        assert (await talk.hear())[0] == "pong"


async def test_who_floods_is_closed(shows: list[Show]) -> None:
    async with Talk() as talk:
        await talk.hear()
        for _ in range(60):
            await talk.say({"type": "ping"})
        answers = [(await talk.hear())[0]]
        while answers[-1] == "pong":
            answers.append((await talk.hear())[0])

        assert answers[-1] == "error"
        assert (await talk.socket.receive_output(PATIENCE))["code"] == 1008


async def test_there_is_an_end_to_connections(shows: list[Show], settings: Any) -> None:
    settings.WS_MAX_CONNECTIONS = 1
    async with Talk() as first:
        await first.hear()
        async with Talk() as second:
            await second.is_refused(1013)
        async with Talk("shows?page=1") as third:
            await third.is_refused(1013)
    async with Talk() as later:
        assert (await later.hear())[0] == "subscribed"


@pytest.mark.parametrize("origin", [b"https://evil.example", b"null", b"http://[", b"https://localhost.evil.example"])
async def test_a_foreign_page_is_refused(shows: list[Show], settings: Any, origin: bytes) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    socket = WebsocketCommunicator(application, "/api/v1/ws/shows", headers=[(b"origin", origin)])

    assert await socket.connect(PATIENCE) == (False, 1000)


@pytest.mark.parametrize("origin", [b"https://localhost:8000", b"https://app.example"])
async def test_our_pages_and_those_that_may_read_the_api_are_let_in(
    shows: list[Show], settings: Any, origin: bytes
) -> None:
    settings.ALLOWED_HOSTS, settings.CORS_ALLOWED_ORIGINS = ["localhost"], ["https://app.example"]
    async with Talk(headers=[(b"origin", origin)]) as talk:
        assert (await talk.hear())[0] == "subscribed"


async def test_where_reading_needs_a_login_the_first_message_brings_a_token(
    shows: list[Show], settings: Any, django_user_model: Any
) -> None:
    settings.API_PUBLIC = False

    def token() -> str:
        user = django_user_model.objects.create_user("reader")
        return str(get_token_model().objects.create(user)[1])

    async with Talk() as talk:
        await talk.say({"type": "authenticate", "token": await in_thread(token)})
        assert (await talk.hear())[0] == "subscribed"


async def test_heartbeats_tell_the_position(shows: list[Show], settings: Any) -> None:
    settings.WS_HEARTBEAT_SECONDS = 0.05
    change_id = await in_thread(edit, shows[0], "New.")
    async with Talk() as talk:
        await talk.hear()
        assert await talk.hear() == ("heartbeat", {"event_id": change_id})


async def test_a_lost_bell_costs_a_poll_and_nothing_else(shows: list[Show], monkeypatch: Any) -> None:
    monkeypatch.setattr("catalog.bell.ring", lambda: None)
    async with Talk() as talk:
        await talk.hear()
        change_id = await in_thread(edit, shows[0], "New.")

        assert (await talk.hear())[1]["event_id"] == change_id


async def test_a_bell_that_fails_does_not_fail_the_write(shows: list[Show], monkeypatch: Any, caplog: Any) -> None:
    def broken() -> None:
        raise RuntimeError("no bell")

    monkeypatch.setattr("catalog.bell.ring", broken)
    change_id = await in_thread(edit, shows[0], "New.")

    assert await in_thread(Change.objects.filter(pk=change_id).exists)
