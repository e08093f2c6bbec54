"""Many WebSocket clients in one process, as lean as can be: for `bench.ws`, which asks it by lines on stdin.

    python -m bench.ws_clients ws://127.0.0.1:8000/api/v1/ws/shows

Each line on stdin is answered by one line of JSON: `open N` connects until there are N clients, `wait N` waits until
each has N events or no frame has come for ten seconds, `take` gives what has come since the last `take`:
{event id: [times of arrival]} by the clock of the machine (time.monotonic).
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import sys
import time
from collections import defaultdict
from urllib.parse import urlsplit

GIVE_UP = 10.0  # seconds
AT_ONCE = 50  # handshakes under way


class Client(asyncio.Protocol):
    """Shakes hands, answers pings, and notes when each event came."""

    def __init__(self, request: bytes, arrivals: dict[int, list[float]]) -> None:
        self.request, self.arrivals = request, arrivals
        self.buffer = b""
        self.events = 0
        self.frames = 0
        self.lost = False
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if not self.open.done():
            self.open.set_exception(ConnectionError("the server closed during the handshake"))

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        buffer = self.buffer + data if self.buffer else data
        if not self.frames and buffer.startswith(b"HTTP/"):
            head = buffer.find(b"\r\n\r\n")
            if head < 0:
                self.buffer = buffer
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                self.transport.close()
                return
            buffer = buffer[head + 4 :]
        at, size = 0, len(buffer)
        while size - at >= 2:
            length, start = buffer[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            if size - start < length:
                break
            self.take(buffer[at] & 15, buffer[start : start + length], now)
            at = start + length
        self.buffer = buffer[at:]

    def take(self, opcode: int, payload: bytes, now: float) -> None:
        self.frames += 1
        if opcode == 9:
            masked = bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload
            self.transport.write(masked)
        elif opcode == 8:
            self.transport.close()
        elif payload.startswith(b'{"type":"show_'):
            at = payload.rindex(b'"event_id":') + 11
            self.arrivals[int(payload[at : payload.index(b"}", at)])].append(now)
            self.events += 1
        if not self.open.done():
            self.open.set_result(None)  # a room greets; so its client hears of all that comes after


async def converse(url: str) -> None:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    arrivals: dict[int, list[float]] = defaultdict(list)
    clients: list[Client] = []
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def connect() -> None:
        _, client = await loop.create_connection(
            lambda: Client(request, arrivals), str(parts.hostname), parts.port or 80
        )
        await client.open
        clients.append(client)

    while line := (await lines.readline()).decode().split():
        answer: object = None
        if line[0] == "open":
            while (missing := int(line[1]) - len(clients)) > 0:
                await asyncio.gather(*(connect() for _ in range(min(AT_ONCE, missing))))
            answer = len(clients)
        elif line[0] == "wait":
            wanted = int(line[1])
            before, quiet_since = -1, time.monotonic()
            while any(client.events < wanted for client in clients):
                await asyncio.sleep(0.05)
                seen = sum(client.events for client in clients)
                if seen != before:
                    before, quiet_since = seen, time.monotonic()
                elif time.monotonic() - quiet_since > GIVE_UP:
                    break
            answer = {
                "events": sum(client.events for client in clients),
                "lost": sum(client.lost for client in clients),
            }
            for client in clients:
                client.events = 0
        elif line[0] == "take":
            answer = dict(arrivals)
            arrivals.clear()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(converse(options.url))


if __name__ == "__main__":
    main()
