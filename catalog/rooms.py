"""One WebSocket connection from its first message to its last: who it is, what it sends, and when it is closed.

A room is an ASGI application. It accepts first and closes with a code after that, as a browser is told nothing of
a refusal before. No connection has a channel of the channel layer or a task of its own while it only listens.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

from django.conf import settings

from catalog.broadcast import Broadcast
from catalog.daphne_connection import outbox_of
from catalog.frames import frame
from catalog.origins import is_site, origin_of
from catalog.outbox import Outbox
from catalog.reading import OUT_OF_REACH, in_thread
from catalog.socket_login import Login, Refused, by_token, session_key, user_of, user_of_session
from catalog.topics import NotUnderstood

log = logging.getLogger(__name__)

NOT_UNDERSTOOD: Final = 4400
NOT_LOGGED_IN: Final = 4401
NOT_ALLOWED: Final = 4403
NOTHING_THERE: Final = 4404
TOO_BIG: Final = 1009
FLOOD: Final = 1008
FULL: Final = 1013
AWAY: Final = 1011

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Closing(Exception):
    """The connection is to be closed with this code; the reason is sent as an `error` frame too."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Gone(Exception):
    """The client has left; nothing more will be received."""


class Client:
    """A connection, as small as it can be: there are thousands."""

    __slots__ = ("__weakref__", "after", "login", "may", "outbox", "topic", "turns", "turns_at")

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.login: Login | None = None
        self.may: Callable[[Any], bool] | None = None
        self.topic: Any = None
        self.after = 0
        self.turns, self.turns_at = float(settings.WS_MESSAGES_AT_ONCE), time.monotonic()

    def check(self) -> Callable[[], str] | None:
        """What its reader asks again from time to time, in a thread: an empty text while it may stay."""
        login, may = self.login, self.may
        if login is None or may is None:
            return None

        def verdict() -> str:
            user = user_of(login)
            if user is None:
                return "your login has ended: log in and connect again"
            return "" if may(user) else "you may not be here any more"

        return verdict

    def expel(self, verdict: str) -> None:
        self.end(NOT_LOGGED_IN, verdict)

    def say(self, kind: str, **payload: Any) -> None:
        self.outbox.put(frame(kind, payload))

    def end(self, code: int, reason: str) -> None:
        self.say("error", detail=reason)
        self.outbox.close(code, reason)

    def takes_turn(self) -> bool:
        """Whether it may send a message now."""
        now = time.monotonic()
        earned = (now - self.turns_at) * settings.WS_MESSAGES_PER_SECOND
        self.turns = min(float(settings.WS_MESSAGES_AT_ONCE), self.turns + earned)
        self.turns_at = now
        if self.turns < 1:
            return False
        self.turns -= 1
        return True


class Room:
    """A subclass names its reader and says who may enter (`may_enter`), what for (`asked`), and how (`join`)."""

    reader: ClassVar[type[Broadcast]]
    connections: ClassVar[int] = 0  # of all rooms, in this process

    def is_open(self) -> bool:
        """Whether who is not logged in may enter."""
        return True

    def may_enter(self, user: Any) -> bool:
        return True

    def asked(self, scope: Any) -> Any:
        """What the address asks for; raises NotUnderstood."""

    async def join(self, reader: Any, client: Client, asked: Any) -> None:
        raise NotImplementedError

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        client = Client(outbox_of(send))
        await receive()  # websocket.connect
        await client.outbox.accept()
        Room.connections += 1
        try:
            await self.attend(client, scope, receive)
        finally:
            Room.connections -= 1
            client.outbox.give_up()

    async def attend(self, client: Client, scope: Any, receive: Receive) -> None:
        try:
            if Room.connections > settings.WS_MAX_CONNECTIONS:
                raise Closing(FULL, "too many connections at the moment: try again later")
            asked = self.asked(scope)
            if not self.is_open():
                await self.log_in(client, scope, receive)
        except NotUnderstood as error:
            client.end(NOT_UNDERSTOOD, str(error))
        except Closing as error:
            client.end(error.code, error.reason)
        except OUT_OF_REACH:
            client.end(AWAY, "the database does not answer: try again later")
        except Gone:
            return
        else:
            await self.listen(client, asked, receive)
            return
        await until_gone(receive)

    async def listen(self, client: Client, asked: Any, receive: Receive) -> None:
        reader = self.reader.here()
        reader.admit(client)
        joining = asyncio.ensure_future(self.enter(reader, client, asked))
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                if not client.outbox.closed:
                    self.hear(client, message)
        finally:
            joining.cancel()
            reader.leave(client)

    async def enter(self, reader: Broadcast, client: Client, asked: Any) -> None:
        try:
            await reader.is_ready()
            await self.join(reader, client, asked)
        except Closing as error:
            client.end(error.code, error.reason)
        except OUT_OF_REACH:
            client.end(AWAY, "the database does not answer: reconnect with since=ID of the last event")
        except Exception:
            log.exception("a WebSocket client could not join: it is closed")
            client.end(AWAY, "an error: reconnect with since=ID of the last event")

    def hear(self, client: Client, message: dict[str, Any]) -> None:
        """What a client says when all is said: a ping. Everything else is answered with what is wrong with it."""
        try:
            word = read_message(client, message)
        except Closing as error:
            client.end(error.code, error.reason)
        except NotUnderstood as error:
            client.say("error", detail=str(error))
        else:
            if word["type"] == "ping":
                client.say("pong")
            elif word["type"] == "authenticate":
                client.say("error", detail="authenticate: it is expected as the first message, where one must log in")
            else:
                client.say("error", detail="unknown type: this room takes ping alone; what it tells is in its address")

    async def log_in(self, client: Client, scope: Any, receive: Receive) -> None:
        """By the cookie, or by the first message. Raises Closing, and Gone."""
        login, user = await self.who_is(client, scope, receive)
        if not await in_thread(self.may_enter, user):
            raise Closing(NOT_ALLOWED, "you may not enter this room")
        client.login, client.may = login, self.may_enter

    async def who_is(self, client: Client, scope: Any, receive: Receive) -> tuple[Login, Any]:
        origin = origin_of(scope["headers"])
        key = session_key(scope["headers"]) if origin is None or is_site(origin) else None
        if key is not None and (user := await in_thread(user_of_session, key)) is not None:
            return Login(session=key), user
        try:
            async with asyncio.timeout(settings.WS_LOGIN_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "websocket.disconnect":
                        raise Gone
                    try:
                        word = read_message(client, message)
                        if word["type"] == "authenticate":
                            return await in_thread(by_token, word.get("token"))
                        raise NotUnderstood('log in first: {"type": "authenticate", "token": "..."}')
                    except NotUnderstood as error:
                        client.say("error", detail=str(error))
        except TimeoutError:
            raise Closing(NOT_LOGGED_IN, "log in: nothing that authenticates you was sent in time") from None
        except Refused as error:
            raise Closing(NOT_LOGGED_IN, str(error)) from None


class NoRoom:
    """What is at no address: accepted, told, closed."""

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        client = Client(outbox_of(send))
        await receive()
        await client.outbox.accept()
        client.end(NOTHING_THERE, "there is no such room: see /api/v1/ws/shows")
        await until_gone(receive)


def read_message(client: Client, message: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with a `type`. Raises NotUnderstood, and Closing for one too long or too many."""
    if not client.takes_turn():
        raise Closing(FLOOD, f"too many messages: at most {settings.WS_MESSAGES_PER_SECOND} a second")
    text = message.get("text")
    if text is None:
        raise NotUnderstood("binary: expected text, a JSON object")
    if len(text) > settings.WS_MAX_MESSAGE:
        raise Closing(TOO_BIG, f"too long: at most {settings.WS_MAX_MESSAGE} bytes")
    try:
        word = json.loads(text)
    except (ValueError, RecursionError):
        raise NotUnderstood('not JSON: expected an object like {"type": "ping"}') from None
    if not isinstance(word, dict) or not isinstance(word.get("type"), str):
        raise NotUnderstood('expected a JSON object with a type, like {"type": "ping"}')
    return word


async def until_gone(receive: Receive) -> None:
    """A client that was closed answers with its own close; until then the protocol needs the application."""
    while (await receive())["type"] != "websocket.disconnect":
        pass
