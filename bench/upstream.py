"""The stand-in in a process of its own, so that its work is not measured with ours.

Prints its addresses as a line of JSON; each line on stdin is answered by what happened since the last one.
"""

import argparse
import json
import sys
from zlib import crc32

from bench.world import GeneratedImdbIds, GeneratedShows
from demo.logos import draw_logo
from demo.upstream import Upstream


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shows", type=int, required=True)
    parser.add_argument("--regions", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--rate", type=float, help="API requests a second, over which it answers 429")
    options = parser.parse_args()
    # Drawn beforehand: drawing holds the interpreter, and a request that waits for it seems to arrive late.
    logos = [draw_logo(f"logo {number}", str(number)) for number in range(16)]
    upstream = Upstream(
        GeneratedShows(options.shows, options.regions),
        latency=options.latency,
        rate=options.rate,
        imdb_ids=GeneratedImdbIds(options.shows),
        draw=lambda path: logos[crc32(path.encode()) % len(logos)],
    )
    with upstream:
        say({"api_url": upstream.api_url, "image_url": upstream.image_url})
        for _ in sys.stdin:
            refused = sum(1 for request in upstream.requests if request.status == 429)
            api, images = upstream.count("/3/"), upstream.count("/t/p/")
            say({"api": api, "images": images, "refused": refused, "peak": upstream.peak_rate()})
            upstream.clear()


def say(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
