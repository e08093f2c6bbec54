"""How admin writes values and changes, as escaped HTML."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from catalog.models import Change
from catalog.values import label

LONGEST = 80  # characters of one value
FEW = 5  # items of a set that are named
NOTHING = "(nothing)"


def short(value: Any) -> str:
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, list):
        value = ", ".join(str(item) for item in value)
    return Truncator(str(value)).chars(LONGEST)


# The largest unit in which an age is told, from this age on.
UNITS = (
    (timedelta(days=730), timedelta(days=365), "y"),
    (timedelta(days=90), timedelta(days=30), "mo"),
    (timedelta(days=1), timedelta(days=1), "d"),
    (timedelta(hours=1), timedelta(hours=1), "h"),
    (timedelta(minutes=1), timedelta(minutes=1), "min"),
)


def age(then: datetime, now: datetime) -> str:
    """How long ago, like `3 h` or `2 d`; `now` for less than a minute."""
    passed = now - then
    for least, unit, name in UNITS:
        if passed >= least:
            return f"{passed // unit} {name}"
    return "now"


def moment(ts: datetime) -> str:
    return f"{ts:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry of `Change.fields` in its parts: of a set, `before` is what left it and `after` what joined."""

    label: str
    before: str
    after: str
    is_set: bool = False
    note: str = ""


def difference(name: str, change: Any) -> Difference:
    if isinstance(change, Mapping):
        words = label if name == "locked_fields" else str
        before, after = (joined(map(words, change.get(key) or ())) for key in ("removed", "added"))
        changed = change.get("changed") or ()
        return Difference(label(name), before, after, is_set=True, note=f"{len(changed)} changed" if changed else "")
    if isinstance(change, list) and len(change) == 2:
        return Difference(label(name), short(change[0]), short(change[1]))
    return Difference(label(name), "", short(change))


def joined(items: Any) -> str:
    """A few of them by name, the rest by number."""
    texts = [str(item) for item in items or ()]
    rest = len(texts) - FEW
    text = Truncator(", ".join(texts[:FEW])).chars(2 * LONGEST)
    return f"{text} and {rest} more" if rest > 0 else text


def describe_field(name: str, change: Any) -> str:
    """One entry of `Change.fields` in words, like `Name: Old → New` or `Genres: + Drama - News`."""
    if isinstance(change, Mapping):
        parts = [f"+ {item}" for item in change.get("added", ())] + [f"- {item}" for item in change.get("removed", ())]
        return f"{label(name)}: {Truncator(' '.join(map(str, parts))).chars(2 * LONGEST)}"
    if isinstance(change, list) and len(change) == 2:
        return f"{label(name)}: {short(change[0])} → {short(change[1])}"
    return f"{label(name)}: {short(change)}"


def describe_author(change: Change) -> str:
    """Who made it; the user must have been selected with the change."""
    if change.user:
        return change.user.get_username()
    return f"run {change.run_id}" if change.run_id else "-"


def table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> SafeString:
    head = format_html_join("", '<th scope="col">{}</th>', ((heading,) for heading in headings))
    body = format_html_join(
        "", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows)
    )
    return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, body)


def counted(number: int, noun: str = "show") -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def queued_run(user: Any, run_id: int | None, what: str) -> str:
    """`Run 12 is queued: it syncs 2 shows.` It leads to the run's page, for those who may see runs."""
    if run_id is None:
        return "Nothing is queued."
    name = f"Run {run_id}"
    if not user.has_perm("ingestion.view_syncrun"):
        return f"{name} is queued: it syncs {what}."
    page = reverse("admin:ingestion_syncrun_change", args=(run_id,))
    return format_html('<a class="run-link" href="{}">{}</a> is queued: it syncs {}.', page, name, what)


def badge(text: str, tone: str = "") -> SafeString:
    """`tone` is good, warn, bad, or empty."""
    return format_html('<span class="desk-badge {}">{}</span>', tone, text)
