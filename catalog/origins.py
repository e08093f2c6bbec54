"""Which pages of the web may open a WebSocket: ours, and those of the origins that may read the API."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host


class CheckedOrigin:
    """Refuses a foreign Origin with 403; who sends none is no browser, and has no cookie that could be misused."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        origin = next((value.decode("latin1") for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None or is_ours(origin):
            return await self.application(scope, receive, send)
        await receive()
        # Here and not by the consumer of channels: that one opens a channel in Redis for whomever it refuses.
        await send({"type": "websocket.close"})
        return None


def is_ours(origin: str) -> bool:
    try:
        host = urlsplit(origin).hostname
    except ValueError:
        return False
    if origin in settings.CORS_ALLOWED_ORIGINS:
        return True
    return host is not None and validate_host(host if ":" not in host else f"[{host}]", settings.ALLOWED_HOSTS)
