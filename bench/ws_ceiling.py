"""The least that a WebSocket application under daphne can do: a ready text for every client, no Django, no rows.

`daphne bench.ws_ceiling:application`. A POST to any path sends the next text to all, and is answered with its
number and the moment (time.monotonic) before the first was sent.
"""

import asyncio
import json
import time
from typing import Any

TEXT = (
    '{{"type":"show_updated","ts":"2026-01-01T00:00:00.000000Z","payload":'
    '{{"show_id":"00000000-0000-0000-0000-000000000000","changed":["description","locked_fields"],"event_id":{}}}}}'
)
GREETING = '{"type":"subscribed","ts":"2026-01-01T00:00:00.000000Z","payload":{"show_id":null,"event_id":0}}'
clients: dict[Any, None] = {}
numbers = iter(range(1, 1_000_000))


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        number, started = next(numbers), time.monotonic()
        message = {"type": "websocket.send", "text": TEXT.format(number)}
        for client in clients:
            await client(message)
        body = json.dumps([number, started]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": GREETING})
    clients[send] = None
    try:
        while (await receive())["type"] != "websocket.disconnect":
            await asyncio.sleep(0)
    finally:
        del clients[send]
