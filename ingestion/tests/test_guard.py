from uuid import uuid4

import pytest

from ingestion.guard import Guard
from ingestion.outcomes import Outcome, Saved

FIELDS = frozenset({"description", "networks", "watch_providers"})


def saved(*blanked: str, outcome: Outcome | None = None, told: frozenset[str] = FIELDS) -> Saved:
    """A show whose reply spoke of every field, unless told otherwise."""
    kept = Outcome.HELD if blanked else Outcome.UNCHANGED
    return Saved(uuid4(), "A", outcome or kept, told=told, blanked=blanked)


def watched(seen: int, **losses: int) -> Guard:
    """A guard that has seen so many shows, of which so many lose a field."""
    guard = Guard()
    losing = [saved(name) for name, count in losses.items() for _ in range(count)]
    guard.watch(losing + [saved() for _ in range(seen - len(losing))])
    return guard


@pytest.mark.parametrize(
    ("seen", "losing", "stops"),
    [
        (100, 30, False),  # 30 % are let through, more are not
        (100, 31, True),
        (10, 3, False),
        (10, 4, True),
        (5, 2, False),  # one or two never stop a run
        (2, 2, False),
        (3, 3, True),
        (0, 0, False),
    ],
)
def test_a_run_stops_when_too_many_shows_would_lose_a_field(seen: int, losing: int, stops: bool) -> None:
    assert bool(watched(seen, watch_providers=losing).verdict(final=True)) == stops


@pytest.mark.parametrize(("seen", "stops"), [(3, False), (19, False), (20, True), (21, True)])
def test_before_the_end_a_verdict_needs_twenty_shows(seen: int, stops: bool) -> None:
    guard = watched(seen, watch_providers=seen)

    assert bool(guard.verdict(final=False)) == stops
    assert guard.verdict(final=True)


def test_each_field_is_counted_by_itself() -> None:
    assert watched(100, description=20, networks=20, watch_providers=20).verdict(final=True) == ""


@pytest.mark.parametrize("final", [False, True])
def test_a_show_counts_only_for_the_fields_that_its_reply_spoke_of(final: bool) -> None:
    guard = Guard()
    guard.watch([saved(told=frozenset({"description"})) for _ in range(75)])
    guard.watch([saved("watch_providers", told=frozenset({"watch_providers"})) for _ in range(25)])

    assert guard.seen == {"description": 75, "watch_providers": 25}
    assert guard.verdict(final=final).startswith("25 of the 25 shows seen would lose their watch_providers")


def test_before_the_end_twenty_shows_must_have_spoken_of_the_field() -> None:
    guard = Guard()
    guard.watch([saved(told=frozenset({"description"})) for _ in range(75)])
    guard.watch([saved("watch_providers", told=frozenset({"watch_providers"})) for _ in range(19)])

    assert guard.verdict(final=False) == ""


def test_the_verdict_names_the_field_and_says_what_to_do() -> None:
    verdict = watched(100, description=5, watch_providers=40).verdict(final=True)

    assert verdict.startswith("40 of the 100 shows seen would lose their watch_providers (over 30%)")
    assert "--show-id" in verdict


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.GONE, Outcome.UNRESOLVED])
def test_shows_that_brought_nothing_do_not_count(outcome: Outcome) -> None:
    guard = watched(10, watch_providers=4)
    guard.watch([saved(outcome=outcome) for _ in range(90)])

    assert guard.seen["watch_providers"] == 10
    assert guard.verdict(final=True)


def test_a_show_that_was_held_is_not_counted_again_when_it_is_saved() -> None:
    guard = Guard()
    held = [saved("watch_providers") for _ in range(10)]
    guard.watch([*held, *(saved() for _ in range(30))])

    guard.watch([Saved(one.show_id, one.name, Outcome.UPDATED, told=FIELDS, blanked=one.blanked) for one in held])

    assert guard.seen["watch_providers"] == 40
    assert guard.verdict(final=False) == ""


def test_the_share_is_a_setting(settings: object) -> None:
    settings.SYNC_GUARD_SHARE = 0.5  # type: ignore[attr-defined]

    assert watched(100, watch_providers=50).verdict(final=True) == ""
