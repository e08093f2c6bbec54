"""Jobs that are made to be planned. No app knows the others, so each adds its own when Django loads it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """A task that can be called without arguments, and the schedule that an installation begins with.

    func: its dotted name. label: what it does, for the form where people choose. cron: five fields, in UTC.
    """

    name: str
    func: str
    label: str
    cron: str


planned: list[Planned] = []


def labels() -> dict[str, str]:
    """What can be chosen, by the dotted name."""
    return {one.func: one.label for one in planned}
