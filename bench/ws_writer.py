"""Edits shows at a pace, for `bench.ws`: prints the moment of each commit (time.monotonic) by its event, as JSON."""

import argparse
import json
import time

import django


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", type=int, required=True)
    parser.add_argument("--pace", type=float, required=True, help="changes a second; 0: as fast as it goes")
    parser.add_argument("--batch", type=int, default=1, help="changes in one transaction; a sync has 20")
    options = parser.parse_args()
    django.setup()
    from django.db import transaction

    from catalog.changes import Author
    from catalog.edits import edit_show
    from catalog.models import Show

    stamp = time.monotonic_ns()
    shows = Show.objects.bulk_create(Show(name=f"Show {stamp} {number}") for number in range(options.changes))
    author = Author(reason="bench")
    committed: dict[int, float] = {}
    due = time.monotonic()
    for start in range(0, len(shows), options.batch):
        if options.pace:
            due += options.batch / options.pace
            time.sleep(max(0.0, due - time.monotonic()))
        changes = []
        with transaction.atomic():
            for show in shows[start : start + options.batch]:
                change = edit_show(show.pk, {"description": "Another text."}, author)
                assert change is not None
                changes.append(change.pk)
        committed |= dict.fromkeys(changes, time.monotonic())
    time.sleep(0.5)  # the bell rings in a thread, which ends with the process
    print(json.dumps(committed))


if __name__ == "__main__":
    main()
