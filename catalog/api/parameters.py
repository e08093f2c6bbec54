"""What a request asks, read strictly: a parameter that is unknown, repeated or out of range is refused by its name."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q
from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser

LIMIT, MOST = 50, 100  # rows of a page: by default, at most
LONGEST: Final = 500  # characters of a parameter's value
LARGEST: Final = 2**63 - 1
WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,19}\Z")


class Json(JSONParser):
    """DRF's, which takes brackets a hundred thousand deep for a failure of its own."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


def refuse(parameter: str, reason: str) -> ValidationError:
    return ValidationError({parameter: [reason]})


def read_parameters(query: QueryDict, allowed: Collection[str], several: Collection[str] = ()) -> dict[str, str]:
    """The parameters that were given, those of `several` joined with commas. Raises ValidationError for all faults."""
    errors: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    for name, given in query.lists():
        if name not in allowed:
            errors[printable(name)] = [f"There is no such parameter here. Known are: {', '.join(sorted(allowed))}."]
        elif len(given) > 1 and name not in several:
            errors[name] = ["It is given more than once."]
        elif any("\x00" in value or "\ufffd" in value for value in given):
            errors[name] = ["It holds a character that can't be compared."]
        elif len(values.setdefault(name, ",".join(given))) > (most := MOST * 40 if name in several else LONGEST):
            errors[name] = [f"It is too long: at most {most} characters."]
    if errors:
        raise ValidationError(errors)
    return values


def printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text[:80]) or "(no name)"


def whole_number(parameter: str, text: str, least: int, most: int = LARGEST) -> int:
    if not WHOLE_NUMBER.match(text) or not least <= int(text) <= most:
        raise refuse(parameter, f"A whole number from {least} to {most} is expected.")
    return int(text)


def moment(parameter: str, text: str) -> datetime:
    """A date, or a date and time; without an offset it is UTC."""
    try:
        # In a query a `+` that was not escaped arrives as a blank.
        at = parse_datetime(text.replace(" ", "+") if "T" in text else text)
        if at is None and (day := parse_date(text)) is not None:
            at = datetime.combine(day, time.min)
        if at is None:
            raise ValueError
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse(parameter, "A date like 2026-01-31 or a moment like 2026-01-31T12:00:00Z is expected.") from None


def ids(parameter: str, text: str, kind: type[UUID] | type[int]) -> list[Any]:
    """The ids of a bulk read, each once, in their order."""
    parts = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not 1 <= len(parts) <= MOST:
        raise refuse(parameter, f"From 1 to {MOST} ids are expected.")
    if kind is int:
        return [whole_number(parameter, part, 1) for part in parts]
    try:
        return [UUID(part) for part in parts]
    except ValueError:
        raise refuse(parameter, "UUIDs are expected, separated by commas.") from None


def names(parameter: str, text: str, known: Sequence[str]) -> frozenset[str]:
    chosen = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := sorted(chosen - set(known)):
        raise refuse(parameter, f"There is no {', '.join(map(printable, unknown))}. Known are: {', '.join(known)}.")
    return chosen


@dataclass(frozen=True, slots=True)
class Page:
    """limit and offset; or `after`, the id after which a crawl goes on (`is_crawl`: by ids, in their order)."""

    limit: int
    offset: int = 0
    is_crawl: bool = False
    after: Any = None


def read_page(values: Mapping[str, str], kind: type[UUID] | type[int]) -> Page:
    limit = whole_number("limit", values["limit"], 1, MOST) if "limit" in values else LIMIT
    if "cursor" not in values:
        return Page(limit, whole_number("offset", values["offset"], 0) if "offset" in values else 0)
    for name in ("offset", "ordering"):
        if name in values:
            raise refuse(name, "It does not go with cursor, which reads everything in one fixed order.")
    cursor = values["cursor"]
    if not cursor:
        return Page(limit, is_crawl=True)
    try:
        return Page(limit, is_crawl=True, after=UUID(cursor) if kind is UUID else whole_number("cursor", cursor, 1))
    except ValueError:
        raise refuse("cursor", "Take it from `next` of a page, or leave it empty to begin.") from None


def read_ordering(values: Mapping[str, str], columns: Mapping[str, bool], default: str, pk: str) -> list[Any]:
    """`name,-premiere_date` as order_by takes it, ended by the primary key. `columns` says which can be null.

    Nulls stand last in either direction, on both databases.
    """
    order: list[Any] = []
    chosen = [part.strip() for part in values.get("ordering", default).split(",") if part.strip()] or [default]
    for part in chosen:
        name = part.removeprefix("-")
        if name not in columns:
            raise refuse("ordering", f"There is no {printable(name)}. Known are: {', '.join(columns)}.")
        if not columns[name]:
            order.append(part)
        else:
            order.append(F(name).desc(nulls_last=True) if part != name else F(name).asc(nulls_last=True))
    return [*order, pk]


def after(pk: str, page: Page) -> Q:
    return Q() if page.after is None else Q(**{f"{pk}__gt": page.after})
