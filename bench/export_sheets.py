"""The stand-in for Google Sheets in a process of its own; a line on stdin asks what it has seen since the last one."""

import json
import sys

from demo.sheets import SheetsServer, Workbook


def main() -> None:
    latency, per_minute = float(sys.argv[1]), int(sys.argv[2])
    book = Workbook("bench")
    book.add("Sheet1")
    with SheetsServer(
        {"bench": book}, latency=latency, reads_per_minute=per_minute, writes_per_minute=per_minute
    ) as server:
        tell({"url": server.url})
        for _ in sys.stdin:
            tell(
                {
                    "reads": server.reads,
                    "writes": server.writes,
                    "calls": len(server.calls),
                    "refused": server.refused,
                    "largest": max((call.bytes for call in server.calls), default=0),
                    "rows": len(book.values("ShowInfo")),
                }
            )
            server.calls.clear()  # the quota goes on counting


def tell(seen: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(seen) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
