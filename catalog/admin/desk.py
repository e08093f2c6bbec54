"""What the apps put on the editors' desk, beside what the catalogue has itself.

The catalogue imports no other app, so these come to it: an app's admin module appends to the lists below
when Django loads it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.safestring import SafeString

from catalog.models import Show
from catalog.review import marks_of, sort_out


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list of shows. `annotate` brings what `text` needs, for all rows in one query."""

    name: str
    label: str
    annotate: Callable[[QuerySet[Show]], QuerySet[Show]]
    text: Callable[[Any], str]
    order_by: str


@dataclass(frozen=True, slots=True)
class Button:
    """A button of the show page. It leads to `url`; one with `post` asks for nothing more and acts at once."""

    label: str
    url: Callable[[Show], str]
    permission: str
    post: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done with an item of the inbox; `name` comes back to `Queue.act`.

    `key` presses it: a letter that means the same on every card, or the number that a choice has on its card.
    One that is `doubtful` must be pressed twice. One with an `input`, its label, comes with a text, which
    `Queue.act` finds in the request's POST as `text`; what it raises of that text is told at the input.
    """

    name: str
    label: str
    primary: bool = False
    key: str = ""
    doubtful: bool = False
    input: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the inbox. `key` is its name within the queue; `body` is HTML that says what is in doubt."""

    key: str
    title: str
    url: str
    body: SafeString
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue of the inbox. `keys` gives the keys of all open items, in order; `items` those of one page."""

    slug: str
    title: str
    empty: str  # what an empty queue says
    permission: str  # to act
    keys: Callable[[], list[str]]
    items: Callable[[list[str]], list[Item]]
    act: Callable[[str, str, HttpRequest], str]  # (key, action, request) -> what was done, in words


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the dashboard: its order among the others, a template, and what that needs."""

    order: int
    template: str
    context: Callable[[HttpRequest], dict[str, Any]]


columns: list[Column] = []
buttons: list[Button] = []
queues: list[Queue] = []
sections: list[Section] = []
panels: list[Callable[[Show], SafeString]] = []  # parts of the show page
# When a source was last asked about a show: {"tmdb": ..., "imdb": ...}.
checked: list[Callable[[Show], Mapping[str, datetime]]] = []
# The names of jobs by the ids of their runs; a run that is not known is left out.
run_names: list[Callable[[Collection[int]], Mapping[int, str]]] = []
# Jobs by name, each with a query of the ids of its runs.
jobs: list[Callable[[], Mapping[str, Any]]] = []
# Parts of the bar above the list of shows: each is told the request and the list.
list_parts: list[Callable[[HttpRequest, Any], SafeString]] = []
# Addresses below /admin/catalog/show/, made for the show admin.
pages: list[Callable[["ModelAdmin[Any]"], list[URLPattern]]] = []


def find_queue(slug: str) -> Queue | None:
    return next((queue for queue in queues if queue.slug == slug), None)


def open_counts() -> dict[str, int]:
    """How many items wait in each queue, by its slug."""
    marks = marks_of(queue.slug for queue in queues)
    return {queue.slug: len(sort_out(queue.slug, queue.keys(), marks).open) for queue in queues}
