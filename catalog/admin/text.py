"""How admin writes values and changes, as escaped HTML."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Field
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst

from catalog.models import Change, Show
from catalog.models.change import Kind

LONGEST = 80  # characters of one value
NOTHING = "(nothing)"


def label(name: str) -> str:
    """A column's or a relation's name as people read it."""
    field = {field.name: field for field in Show._meta.get_fields()}.get(name)
    return capfirst(str(field.verbose_name)) if isinstance(field, Field) else capfirst(name.replace("_", " "))


def short(value: Any) -> str:
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, list):
        value = ", ".join(str(item) for item in value)
    return Truncator(str(value)).chars(LONGEST)


def describe_field(name: str, change: Any) -> str:
    """One entry of `Change.fields` in words, like `Name: Old → New` or `Genres: + Drama - News`."""
    if isinstance(change, Mapping):
        parts = [f"+ {item}" for item in change.get("added", ())] + [f"- {item}" for item in change.get("removed", ())]
        return f"{label(name)}: {Truncator(' '.join(map(str, parts))).chars(2 * LONGEST)}"
    if isinstance(change, list) and len(change) == 2:
        return f"{label(name)}: {short(change[0])} → {short(change[1])}"
    return f"{label(name)}: {short(change)}"


def describe_change(change: Change) -> SafeString:
    return format_html_join(
        SafeString("<br>"), "{}", ((describe_field(name, value),) for name, value in change.fields.items())
    )


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


def history(changes: Iterable[Change]) -> SafeString:
    return table(
        ("When (UTC)", "Who", "What", "Change", "Why"),
        (
            (
                f"{change.ts:%Y-%m-%d %H:%M}",
                describe_author(change),
                Kind(change.kind).label,
                describe_change(change),
                change.reason,
            )
            for change in changes
        ),
    )
