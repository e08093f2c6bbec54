"""What one WebSocket client wants to hear, from the address that it connects to."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from catalog.feed import TYPES, Event, in_api
from catalog.locks import LOCKABLE_RELATIONS
from catalog.models import Show

LARGEST_ID: Final = 2**63 - 1
UPDATED: Final = "show_updated"


class NotUnderstood(Exception):
    """A query that can't be meant; the message names the parameter."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Events of one show, or of all; of these types; updates only where one of these fields changed."""

    show_id: UUID | None = None
    types: frozenset[str] | None = None
    changed: frozenset[str] | None = None

    def wants(self, event: Event) -> bool:
        return (
            (self.show_id is None or self.show_id == event.show_id)
            and (self.types is None or event.type in self.types)
            and (self.changed is None or event.type != UPDATED or not self.changed.isdisjoint(event.changed))
        )


ALL: Final = Topic()  # most clients' topic is this one


def read_query(query: bytes, allowed: tuple[str, ...] = ("since", "types", "changed")) -> dict[str, str]:
    """The parameters of a query string; raises NotUnderstood for one that is not allowed or stands there twice."""
    parameters: dict[str, str] = {}
    try:
        pairs = parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise NotUnderstood("too many parameters") from None
    for name, value in pairs:
        if name == "token":
            raise NotUnderstood(
                "token: a token never travels in an address, which is logged; send it as the first message: "
                '{"type": "authenticate", "token": "..."}'
            )
        if name not in allowed:
            known = f"known are {', '.join(allowed)}" if allowed else "this room takes none"
            raise NotUnderstood(f"{shown(name)}: unknown parameter; {known}")
        if name in parameters:
            raise NotUnderstood(f"{name}: given twice")
        parameters[name] = value
    return parameters


def topic_of(parameters: dict[str, str], show_id: UUID | None) -> Topic:
    types = choice("types", parameters, frozenset(TYPES.values()))
    changed = choice("changed", parameters, field_names())
    return ALL if (show_id, types, changed) == (None, None, None) else Topic(show_id, types, changed)


def since_of(parameters: dict[str, str]) -> int | None:
    text = parameters.get("since")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) > LARGEST_ID:
        raise NotUnderstood(f"since: {shown(text)} is not the id of an event: expected a whole number, 0 or above")
    return int(text)


def choice(name: str, parameters: dict[str, str], known: frozenset[str]) -> frozenset[str] | None:
    if name not in parameters:
        return None
    chosen = frozenset(part.strip() for part in parameters[name].split(","))
    if unknown := sorted(chosen - known):
        raise NotUnderstood(f"{name}: {shown(unknown[0])} is not one of {', '.join(sorted(known))}")
    return chosen


def field_names() -> frozenset[str]:
    """The names that an event's `changed` can hold."""
    columns = [field.name for field in Show._meta.concrete_fields]
    return frozenset(in_api([*columns, *LOCKABLE_RELATIONS]))


def shown(text: str) -> str:
    """What a client sent, safe and short enough to be told back."""
    return repr(text[:40] + "…" if len(text) > 40 else text)
