"""Which pages of the web may open a WebSocket: ours, and those of the origins that may read the API."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host


class CheckedOrigin:
    """Refuses a foreign Origin with 403; who sends none is no browser, and has no cookie that could be misused."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        origin = origin_of(scope["headers"])
        if origin is None or may_connect(origin):
            return await self.application(scope, receive, send)
        await receive()
        # Here and not by the consumer of channels: that one opens a channel in Redis for whomever it refuses.
        await send({"type": "websocket.close"})
        return None


def origin_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    return next((value.decode("latin1") for name, value in headers if name == b"origin"), None)


def may_connect(origin: str) -> bool:
    return is_site(origin) or origin in settings.CORS_ALLOWED_ORIGINS


def is_site(origin: str) -> bool:
    """Whether it is a page of ours. Another origin, also one that may read the API, has to send a token: the cookie
    that its browser sends along is not for it to use."""
    try:
        host = urlsplit(origin).hostname
    except ValueError:
        return False
    return host is not None and validate_host(host if ":" not in host else f"[{host}]", settings.ALLOWED_HOSTS)
