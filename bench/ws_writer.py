"""Edits shows at a pace, for `bench.ws`: prints the moment of each commit (time.monotonic) by its event, as JSON."""

import argparse
import json
import time

import django


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", type=int, required=True)
    parser.add_argument("--pace", type=float, required=True, help="changes a second; 0: as fast as it goes")
    options = parser.parse_args()
    django.setup()
    from catalog.changes import Author
    from catalog.edits import edit_show
    from catalog.models import Show

    stamp = time.monotonic_ns()
    shows = Show.objects.bulk_create(Show(name=f"Show {stamp} {number}") for number in range(options.changes))
    author = Author(reason="bench")
    committed: dict[int, float] = {}
    due = time.monotonic()
    for number, show in enumerate(shows):
        if options.pace:
            due += 1 / options.pace
            time.sleep(max(0.0, due - time.monotonic()))
        change = edit_show(show.pk, {"description": f"Text {number}"}, author)
        assert change is not None
        committed[change.pk] = time.monotonic()
    time.sleep(0.5)  # the bell rings in a thread, which ends with the process
    print(json.dumps(committed))


if __name__ == "__main__":
    main()
