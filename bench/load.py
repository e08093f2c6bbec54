"""A load on one HTTP server of this machine: requests a second, p50 and p99, from a process of its own.

    python -m bench.load http://127.0.0.1:8000/health --connections 8 --seconds 2

Each connection sends its next request when the last reply is complete. Prints one line of JSON.
"""

import argparse
import asyncio
import json
import sys
import time
from urllib.parse import urlsplit


class Connection(asyncio.Protocol):
    """Sends `request` over and over; notes how long each reply took, and its status."""

    def __init__(self, request: bytes, until: float, seconds: list[float], statuses: dict[int, int]) -> None:
        self.request, self.until, self.seconds, self.statuses = request, until, seconds, statuses
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0 or len(self.buffer) < head + 4 + self.length(head):
            return
        self.seconds.append(time.perf_counter() - self.started)
        status = int(self.buffer[9:12])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buffer.clear()
        if time.perf_counter() < self.until:
            self.send()
        else:
            self.transport.close()

    def length(self, head: int) -> int:
        """Of the body; every server here says it."""
        lowered = bytes(self.buffer[:head]).lower()
        _, found, rest = lowered.partition(b"content-length:")
        return int(rest.split(b"\r\n", 1)[0]) if found else 0

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def load(url: str, headers: list[str], connections: int, seconds: float) -> dict[str, object]:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", "Accept-Encoding: gzip", *headers]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    taken: list[float] = []
    statuses: dict[int, int] = {}
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    pairs = [
        await loop.create_connection(
            lambda: Connection(request, started + seconds, taken, statuses), str(parts.hostname), parts.port or 80
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in pairs))
    elapsed = time.perf_counter() - started
    taken.sort()
    return {
        "rate": len(taken) / elapsed,
        "p50_ms": taken[len(taken) // 2] * 1000,
        "p99_ms": taken[int(len(taken) * 0.99)] * 1000,
        "statuses": statuses,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    figures = asyncio.run(load(options.url, options.header, options.connections, options.seconds))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
