"""The inbox: which items of a queue wait for a person, and what people have decided about them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils import timezone

from catalog.models import ReviewMark

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LATER = timedelta(days=7)

Marks = Mapping[tuple[str, str], ReviewMark]  # by (queue, key)


@dataclass(frozen=True, slots=True)
class Sorted:
    """The keys of a queue in its order: those that wait, and those that somebody has put off or settled."""

    open: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)


def marks_of(slugs: Iterable[str]) -> dict[tuple[str, str], ReviewMark]:
    """What people have decided, or whom they have assigned, in one query."""
    says_something = Q(dismissed=True) | Q(later_until__gt=timezone.now()) | Q(assigned_to__isnull=False)
    marks = ReviewMark.objects.filter(says_something, queue__in=list(slugs)).select_related("assigned_to", "user")
    return {(mark.queue, mark.key): mark for mark in marks.order_by()}


def sort_out(queue: str, keys: Iterable[str], marks: Marks) -> Sorted:
    sorted_keys = Sorted()
    for key in keys:
        (sorted_keys.hidden if is_hidden(marks.get((queue, key))) else sorted_keys.open).append(key)
    return sorted_keys


def is_hidden(mark: ReviewMark | None) -> bool:
    if mark is None:
        return False
    return mark.dismissed or (mark.later_until is not None and mark.later_until > timezone.now())


def put_off(queue: str, key: str, user: "User") -> ReviewMark:
    """Hides an item for a week."""
    return save_mark(queue, key, user, later_until=timezone.now() + LATER, dismissed=False)


def dismiss(queue: str, key: str, user: "User") -> ReviewMark:
    """Hides an item for good: it comes back only as another item, under another key."""
    return save_mark(queue, key, user, later_until=None, dismissed=True)


def put_back(queue: str, key: str, user: "User") -> ReviewMark:
    return save_mark(queue, key, user, later_until=None, dismissed=False)


def assign(queue: str, key: str, user: "User", assigned_to: "User | None") -> ReviewMark:
    return save_mark(queue, key, user, assigned_to=assigned_to)


def save_mark(queue: str, key: str, user: "User", **values: Any) -> ReviewMark:
    values |= {"user": user, "ts": timezone.now()}
    mark, _ = ReviewMark.objects.update_or_create(queue=queue, key=key, defaults=values)
    return mark
