"""The staff room: who may enter, and what is told of runs."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings as current
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from knox.models import get_token_model

from catalog.reading import in_thread
from catalog.rooms import Room
from ingestion.models import SyncRun
from ingestion.routing import websocket_urlpatterns

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
PATIENCE = 10  # seconds


def room(cookie: str = "") -> WebsocketCommunicator:
    headers = [(b"cookie", f"{current.SESSION_COOKIE_NAME}={cookie}".encode())] if cookie else []
    return WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/api/v1/ws/sync", headers=headers)


async def hear(socket: WebsocketCommunicator) -> tuple[str, dict[str, Any]]:
    frame = await socket.receive_json_from(PATIENCE)
    return frame["type"], frame["payload"]


async def is_closed(socket: WebsocketCommunicator, code: int) -> None:
    assert (await hear(socket))[0] == "error"
    assert (await socket.receive_output(PATIENCE))["code"] == code
    await socket.disconnect(timeout=PATIENCE)


@pytest.fixture
def staff(transactional_db: None, django_user_model: Any) -> Any:
    user = django_user_model.objects.create_user("staff", password="secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    return user


@pytest.fixture
def cookie(staff: Any) -> str:
    client = Client()
    client.force_login(staff)
    return client.cookies[current.SESSION_COOKIE_NAME].value


async def test_a_run_is_told_as_it_goes_and_when_it_ends(cookie: str) -> None:
    run = await in_thread(
        lambda: SyncRun.objects.create(kind="sync_shows", host="here", pid=1, total=10, error="key=hidden-word")
    )
    socket = room(cookie)
    await socket.connect(PATIENCE)
    assert (await hear(socket))[0] == "subscribed"
    kind, told = await hear(socket)
    assert (kind, told["run_id"], told["done"], told["total"]) == ("sync_progress", run.pk, 0, 10)

    await in_thread(lambda: SyncRun.objects.filter(pk=run.pk).update(done=5, counts={"updated": 5}))
    kind, told = await hear(socket)
    assert (kind, told["done"], told["counts"]) == ("sync_progress", 5, {"updated": 5})

    await in_thread(lambda: SyncRun.objects.filter(pk=run.pk).update(done=10, status="failed"))
    kind, told = await hear(socket)
    assert (kind, told["status"], told["done"]) == ("sync_finished", "failed", 10)
    assert "hidden-word" not in json.dumps(told)
    await socket.disconnect(timeout=PATIENCE)


async def test_a_run_that_waits_for_a_worker_is_told_too_and_when_it_begins(cookie: str) -> None:
    socket = room(cookie)
    await socket.connect(PATIENCE)
    assert (await hear(socket))[0] == "subscribed"
    run = await in_thread(
        lambda: SyncRun.objects.create(kind="sync_shows", status="queued", host="", pid=0, shared=True)
    )
    kind, told = await hear(socket)
    assert (kind, told["run_id"], told["status"], told["total"]) == ("sync_progress", run.pk, "queued", None)

    later = room(cookie)
    await later.connect(PATIENCE)
    assert (await hear(later))[0] == "subscribed"
    assert (await hear(later))[1]["status"] == "queued"
    await later.disconnect(timeout=PATIENCE)

    await in_thread(lambda: SyncRun.objects.filter(pk=run.pk).update(status="running"))
    assert (await hear(socket))[1]["status"] == "running"
    await in_thread(lambda: SyncRun.objects.filter(pk=run.pk).update(status="cancelled"))
    kind, told = await hear(socket)
    assert (kind, told["status"]) == ("sync_finished", "cancelled")
    await socket.disconnect(timeout=PATIENCE)


async def test_what_failed_and_the_time_that_is_left_are_told_as_figures(cookie: str) -> None:
    began = timezone.now() - timedelta(seconds=30)
    await in_thread(
        lambda: SyncRun.objects.create(
            **{"kind": "sync_shows", "host": "here", "pid": 1, "done": 30, "total": 90, "started_at": began},
            **{
                "counts": {"updated": 28, "failed": 2, "logos failed": 1},
                "heartbeat_at": began + timedelta(seconds=30),
            },
        )
    )
    socket = room(cookie)
    await socket.connect(PATIENCE)
    assert (await hear(socket))[0] == "subscribed"

    _, told = await hear(socket)

    assert (told["failed"], told["seconds_left"]) == (3, 60)
    assert set(told) == {
        *("run_id", "kind", "status", "done", "total", "counts", "requests", "started_at", "finished_at"),
        *("failed", "seconds_left"),
    }
    await socket.disconnect(timeout=PATIENCE)


async def test_without_the_right_nobody_enters(cookie: str, staff: Any) -> None:
    await in_thread(staff.user_permissions.clear)
    socket = room(cookie)
    await socket.connect(PATIENCE)

    await is_closed(socket, 4403)


async def test_a_token_of_somebody_without_the_right_does_not_help(staff: Any) -> None:
    await in_thread(staff.user_permissions.clear)
    token = await in_thread(lambda: str(get_token_model().objects.create(staff)[1]))
    socket = room()
    await socket.connect(PATIENCE)
    await socket.send_json_to({"type": "authenticate", "token": token})

    await is_closed(socket, 4403)


@pytest.mark.parametrize("lost", ["session", "staff", "right", "active"])
async def test_who_loses_login_or_right_is_put_out(cookie: str, staff: Any, settings: Any, lost: str) -> None:
    settings.WS_RECHECK_SECONDS = 0.1
    socket = room(cookie)
    await socket.connect(PATIENCE)
    assert (await hear(socket))[0] == "subscribed"

    def lose() -> None:
        if lost == "session":
            Session.objects.all().delete()
        elif lost == "right":
            staff.user_permissions.clear()
        else:
            setattr(staff, f"is_{lost}", False)
            staff.save()

    await in_thread(lose)
    await is_closed(socket, 4401)


async def test_who_leaves_before_the_login_is_gone_at_once(transactional_db: None) -> None:
    socket = room()
    await socket.connect(PATIENCE)
    await socket.send_input({"type": "websocket.disconnect", "code": 1001})
    await asyncio.wait_for(asyncio.shield(socket.future), PATIENCE)

    assert Room.connections == 0


async def test_who_says_nothing_is_put_out(transactional_db: None, settings: Any) -> None:
    settings.WS_LOGIN_SECONDS = 0.05
    socket = room("made-up")
    await socket.connect(PATIENCE)

    await is_closed(socket, 4401)
