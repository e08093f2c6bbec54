"""The rows of the page where two shows are merged: what differs, what is picked, and what becomes of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from catalog.admin.text import NOTHING
from catalog.locks import EDITORIAL_FIELDS, LOCKABLE, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models import Show
from catalog.moving import NAMES, Moving, differ, labels, noun, relations, rows_to_move
from catalog.picks import LISTS
from catalog.values import label

EPISODE: Final = tuple(name for name in UPSTREAM_FIELDS if name.startswith("most_recent_episode_"))
# What is known by an id goes with the id, unless an editor has locked it: nobody picks figures one by one.
FACTS: Final[dict[str, tuple[str, ...]]] = {
    key: (*(name for name in UPSTREAM_FIELDS if name.startswith(key[:5]) and name != key), RESOLUTION_FLAGS[key])
    for key in ("tmdb_id", "imdb_id")
}
OURS: Final = ("tags", "listed_on")  # no upstream fills them: what both hold is worth keeping
NAMED: Final = 5  # members of a set that are named where more go over


@dataclass(frozen=True, slots=True)
class Choice:
    """One row: fields that are picked together, as both shows have them."""

    name: str
    fields: tuple[str, ...]
    target: str
    source: str
    target_locked: bool
    source_locked: bool
    picked: str

    @property
    def label(self) -> str:
        return label(self.name)

    @property
    def is_list(self) -> bool:
        return self.name in LISTS

    @property
    def is_set(self) -> bool:
        """Whether it is of rows: networks, companies or offers."""
        return self.name in NAMES

    @property
    def lockable(self) -> bool:
        return self.name in LOCKABLE or self.name == "most_recent_episode"

    @property
    def options(self) -> tuple[str, ...]:
        return ("target", "source", "both") if self.is_list or self.is_set else ("target", "source")


@dataclass(frozen=True, slots=True)
class Row:
    """A row without a choice."""

    name: str
    target: str
    source: str

    @property
    def label(self) -> str:
        return label(self.name)


@dataclass(slots=True)
class Comparison:
    choices: list[Choice] = field(default_factory=list)
    equal: list[Row] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # picks that are not offered, by their row


def compare(target: Show, source: Show, picked: Mapping[str, str] | None = None) -> Comparison:
    """Both shows side by side; `picked` is what a form has sent, by row, None for the picks that suggest themselves."""
    comparison, facts = Comparison(), {name for names in FACTS.values() for name in names}
    takes_id = target.tmdb_id is None and source.tmdb_id is not None
    for name, fields in rows_of_fields():
        differs = any(getattr(target, one) != getattr(source, one) for one in fields)
        texts = (text(target, name), text(source, name))
        mine, theirs = (any(show.is_locked(one) for one in fields) for show in (target, source))
        if not differs:
            comparison.equal.append(Row(name, *texts))
        elif name in facts and not (mine or theirs):
            comparison.facts.append(Row(name, *texts))
        else:
            pick = suggested(target, source, name, fields, takes_id)
            choice = Choice(name, fields, *texts, mine, theirs, pick)
            comparison.choices.append(with_pick(choice, picked, comparison.refused))
    for moving in movings(target, source):
        if moving.told is None or not differ(moving):
            continue
        name, texts = moving.told.name, (members(moving, moving.own), members(moving, moving.theirs))
        mine, theirs = target.is_locked(name), source.is_locked(name)
        if moving.theirs or theirs:
            pick = "both" if mine == theirs else "target" if mine else "source"
            choice = Choice(name, (name,), *texts, mine, theirs, pick)
            comparison.choices.append(with_pick(choice, picked, comparison.refused))
    return comparison


def movings(target: Show, source: Show) -> list[Moving]:
    return [rows_to_move(relation, source.pk, target.pk) for relation in relations()]


def members(moving: Moving, rows: Sequence[Any]) -> str:
    """The rows of one side: some by name, of many the number too."""
    names = labels(moving.relation, rows[:NAMED])
    if len(rows) > NAMED:
        return f"{len(rows)}: {', '.join(names)}, {len(rows) - NAMED} more"
    return ", ".join(names) or NOTHING


def rows_of_fields() -> Iterable[tuple[str, tuple[str, ...]]]:
    for name in (*UPSTREAM_FIELDS, *EDITORIAL_FIELDS, *RESOLUTION_FLAGS.values()):
        if name == EPISODE[0]:
            yield "most_recent_episode", EPISODE
        elif name not in EPISODE:
            yield name, (name,)


def with_pick(choice: Choice, picked: Mapping[str, str] | None, refused: list[str]) -> Choice:
    if picked is None or choice.name not in picked:
        return choice
    if picked[choice.name] not in choice.options:
        refused.append(choice.label)
        return choice
    return replace(choice, picked=picked[choice.name])


def suggested(target: Show, source: Show, name: str, fields: tuple[str, ...], takes_id: bool) -> str:
    """The target's value, but where it has none: then an id, what people wrote, and what comes with the TMDb id."""
    mine, theirs = ([getattr(show, one) for one in fields] for show in (target, source))
    if name in OURS and mine[0] and theirs[0]:
        return "both"
    if any(map(is_something, mine)) or not any(map(is_something, theirs)) or target.is_locked(name):
        return "target"
    by_people = name in EDITORIAL_FIELDS or any(source.is_locked(one) for one in fields)
    return "source" if name in FACTS or by_people or takes_id else "target"


def is_something(value: Any) -> bool:
    return value not in (None, "", [], False)


def picks_of(comparison: Comparison, target: Show, source: Show) -> dict[str, str]:
    """What `merge_shows` is asked for: the choices, by field, and the facts that go with their id."""
    picks = {name: choice.picked for choice in comparison.choices for name in choice.fields}
    facts = {row.name for row in comparison.facts}
    for key, names in FACTS.items():
        if picks.get(key) == "source" and getattr(source, key) is not None:
            picks |= {name: "source" for name in names if name in facts}
    return picks


def text(show: Show, name: str) -> str:
    value = getattr(show, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return NOTHING if value is None or value == "" else str(value)


def going_over(target: Show, source: Show) -> list[str]:
    """What the merge does with the rows that belong to the source, in words, where both sides are kept."""
    told = []
    for moving in movings(target, source):
        parts, number = [], len(moving.rows)
        names = labels(moving.relation, moving.rows[:NAMED])
        if names and number > NAMED:
            names.append(f"{number - NAMED} more")
        if number:
            going = f"{number} {'goes' if number == 1 else 'go'} over"
            parts.append(f"{going}: {', '.join(names)}" if names else going)
        if moving.staying:
            parts.append(f"{len(moving.staying)} it has already")
        if parts:
            told.append(f"{noun(moving.relation)}: {'; '.join(parts)}.")
    return told
