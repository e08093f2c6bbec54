"""The words by which shows are filtered, one for every door: admin's list, the API, exports.

A parameter is one question and its value the answer. What is asked wrongly is refused by its name and
never taken for "everything".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.db.models.lookups import Contains

from catalog.locks import LOCKABLE_RELATIONS, UPSTREAM_FIELDS
from catalog.models import Network, SavedView, Show, ShowNetwork, ShowWatchProvider, WatchProvider
from catalog.search import name_key
from catalog.values import check, label

SEARCH: Final = "q"
VIEW: Final = "filter"  # the slug of a saved view
ORDER: Final = "o"  # kept with a view; it filters nothing

MOST_WORDS = 20  # of one search
SHORTEST_UUID = 8  # digits; fewer of them could be a word, like "facade"
MOST_NAMESAKES = 50

# What TMDb says of a show's course; a status that some show has is known too.
TMDB_STATUSES = ("Returning Series", "Planned", "In Production", "Ended", "Canceled", "Pilot")

ENTITY_ID = re.compile(r"(?:.*\()?([0-9]{1,18})\)?\Z", re.DOTALL)  # 74, or as people are shown it: Bravo (74)
REGION = re.compile(r"[A-Z]{2}\Z")


class Filter(Protocol):
    """One question. `answers` gives its (value, label) pairs, none where a text of the right form is the answer."""

    @property
    def parameter(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def answers(self) -> Callable[[], list[tuple[str, str]]]: ...
    @property
    def apply(self) -> Callable[[QuerySet[Show], str], QuerySet[Show]]: ...


@dataclass(frozen=True, slots=True)
class ContributedFilter:
    """A filter that another app brings: one of its answers is chosen. `apply` takes the answer's value."""

    parameter: str
    label: str
    answers: Callable[[], list[tuple[str, str]]]  # (value, label)
    apply: Callable[[QuerySet[Show], str], QuerySet[Show]]


@dataclass(frozen=True, slots=True)
class ShowFilter:
    """A filter of ours: a closed question has `conditions` ({value: (label, condition)}), an open one has `ask`."""

    parameter: str
    label: str
    conditions: Mapping[str, tuple[str, Q]] = field(default_factory=dict)
    ask: Callable[[str], Q] | None = None

    def answers(self) -> list[tuple[str, str]]:
        return [(value, label) for value, (label, _) in self.conditions.items()]

    def condition(self, value: str) -> Q:
        """Raises ValidationError for what is no answer."""
        if value in self.conditions:
            return self.conditions[value][1]
        if self.ask is None:
            raise no_answer(value, self.conditions)
        return self.ask(value)

    def apply(self, shows: QuerySet[Show], value: str) -> QuerySet[Show]:
        return shows.filter(self.condition(value))


def no_answer(value: str, answers: Iterable[str]) -> ValidationError:
    return ValidationError(f"“{value}” is no answer here. Choose one of: {', '.join(answers)}.")


# --- the questions


def has_status(value: str) -> Q:
    if value.casefold() not in map(str.casefold, TMDB_STATUSES):
        statuses = Show.objects.filter(tmdb_status__isnull=False).order_by("tmdb_status")
        known = list(statuses.values_list("tmdb_status", flat=True).distinct()[:MOST_NAMESAKES])
        if value.casefold() not in map(str.casefold, known):
            raise no_answer(value, (*dict.fromkeys((*known, *TMDB_STATUSES)), "none"))
    return Q(tmdb_status__iexact=value)


def has_lock(name: str) -> Q:
    # As text, since SQLite can't look into a list of JSON. Names of columns are the same in both.
    return Q(Contains(Cast("locked_fields", TextField()), f'"{name}"'))


def entities_named(model: type[Any], name_field: str, value: str) -> QuerySet[Any]:
    """The one with the id that `value` gives, or all who have that name. Raises ValidationError where there is none.

    It is a part of the statement that it goes into, not its result of now: the API keeps answers by what that
    statement has seen.
    """
    match = ENTITY_ID.match(value)
    wanted = {"pk": int(match[1])} if match else {f"{name_field}__iexact": value}
    entities: QuerySet[Any] = model.objects.filter(**wanted).order_by()
    if not entities.exists():
        raise ValidationError(f"There is no {model._meta.verbose_name} “{value}”. Give a whole name, or an id of TMDb.")
    return entities.values("pk")


def of_network(value: str) -> Q:
    named = entities_named(Network, "name", value)
    return Q(Exists(ShowNetwork.objects.filter(show=OuterRef("pk"), network__in=named)))


def by_provider(value: str) -> Q:
    return Q(provider__in=entities_named(WatchProvider, "provider_name", value))


def in_region(value: str) -> Q:
    if not REGION.match(value.upper()):
        raise ValidationError(f"“{value}” is no region. A region is two letters, like US.")
    return Q(region=value.upper())


NO_TMDB, NO_IMDB = Q(needs_tmdb_resolution=True), Q(needs_imdb_resolution=True)

SHOW_FILTERS: Final[tuple[ShowFilter, ...]] = (
    ShowFilter("network", "Network", ask=of_network),
    ShowFilter("status", "Status", {"none": ("No status", Q(tmdb_status__isnull=True))}, ask=has_status),
    ShowFilter(
        "override",
        "Override",
        {
            "none": ("None", Q(override="")),
            "any": ("Any", ~Q(override="")),
            "skip": ("SKIP", Q(override="SKIP")),
            "y": ("Y", Q(override="Y")),
            "number": ("A number of episodes", ~Q(override__in=("", "SKIP", "Y"))),
        },
    ),
    ShowFilter(
        "needs",
        "Needs an id",
        {
            "any": ("Any id", NO_TMDB | NO_IMDB),
            "tmdb": ("TMDb id", NO_TMDB),
            "imdb": ("IMDb id", NO_IMDB),
            "none": ("None", ~(NO_TMDB | NO_IMDB)),
        },
    ),
    ShowFilter(
        "locked",
        "Locked",
        {"yes": ("Some field", ~Q(locked_fields=[])), "no": ("No field", Q(locked_fields=[]))}
        | {name: (label(name), has_lock(name)) for name in (*UPSTREAM_FIELDS, "override", *LOCKABLE_RELATIONS)},
    ),
    ShowFilter(
        "gone",
        "Gone upstream",
        {
            "yes": ("TMDb no longer knows its id", Q(needs_tmdb_resolution=True, tmdb_id__isnull=False)),
            "no": ("Not gone", ~Q(needs_tmdb_resolution=True, tmdb_id__isnull=False)),
        },
    ),
)

# These say of one offer what it is, so together they ask for one offer that is all of it.
OFFER_FILTERS: Final[tuple[ShowFilter, ...]] = (
    ShowFilter("provider", "Provider", ask=by_provider),
    ShowFilter("region", "Region", ask=in_region),
)

# Those that other apps bring: an app's admin module appends to it when Django loads it.
contributed: list[Filter] = []


def show_filters() -> list[Filter]:
    """All filters, in the order in which they are shown to people."""
    first, *rest = SHOW_FILTERS
    return [first, *OFFER_FILTERS, *rest, *contributed]


# --- asking


def filtered_shows(params: Mapping[str, str], shows: QuerySet[Show] | None = None) -> QuerySet[Show]:
    """The living shows (or those of `shows`) that answer to all of `params`, unordered.

    A parameter is that of a filter, `q` (a search) or `filter` (the slug of a saved view, whose own
    parameters the others go before). An empty value asks nothing. Raises ValidationError, keyed by
    parameter, for one that is unknown or has no such answer.
    """
    found = Show.objects.all() if shows is None else shows
    if slug := params.get(VIEW):
        params = with_view(saved_view(slug), params)
    filters = {each.parameter: each for each in show_filters()}
    offers, offer = {each.parameter: each for each in OFFER_FILTERS}, Q()
    errors: dict[str, ValidationError] = {}
    for parameter, text in params.items():
        value = text.strip()
        try:
            check("description", value)
            if parameter not in filters and parameter not in (SEARCH, VIEW):
                raise ValidationError(f"Shows are not filtered by “{parameter}”.")
            if not value:
                continue
            if parameter == SEARCH:
                found = searched_shows(value, found)
            elif parameter in offers:
                offer &= offers[parameter].condition(value)
            else:
                found = applied(filters[parameter], found, value)
        except ValidationError as error:
            errors[parameter] = error
    if errors:
        raise ValidationError(errors)
    if offer:
        found = found.filter(Exists(ShowWatchProvider.objects.filter(offer, show=OuterRef("pk"))))
    return found


def applied(chosen: Filter, shows: QuerySet[Show], value: str) -> QuerySet[Show]:
    if not isinstance(chosen, ShowFilter):
        answers = [answer for answer, _ in chosen.answers()]
        if value not in answers:
            raise no_answer(value, answers)
    return chosen.apply(shows, value)


def saved_view(slug: str) -> SavedView:
    """Raises ValidationError for a slug that no view has."""
    view = None if "\x00" in slug else SavedView.objects.filter(slug=slug.strip()).first()
    if view is None:
        raise ValidationError({VIEW: f"There is no saved view “{slug}”. It may have been renamed or deleted."})
    return view


def with_view(view: SavedView, params: Mapping[str, str]) -> dict[str, str]:
    """What a view and further parameters ask together; the latter win, an empty one takes the view's away."""
    saved = {str(name): str(value) for name, value in view.params.items() if name not in (ORDER, VIEW)}
    return saved | {name: value for name, value in params.items() if name != VIEW}


# --- searching


def searched_shows(text: str, shows: QuerySet[Show]) -> QuerySet[Show]:
    """Those of `shows` of which every word of `text` is part of a name, or an id (or the beginning of one).

    Names are compared without case and accents. A show is also found by the names and ids of those that
    were merged into it. Raises ValidationError for a text that can't be searched.
    """
    check("description", text)  # characters that a database can't compare
    words = name_key(text).split()
    if len(words) > MOST_WORDS:
        raise ValidationError(f"At most {MOST_WORDS} words are searched at once.")
    for word in words:
        says = said_by(word)
        merged = Show.all_objects.filter(says, merged_into__isnull=False).order_by()
        shows = shows.filter(says | Q(pk__in=merged.values("merged_into")))
    return shows


def said_by(word: str) -> Q:
    """The condition that a show has this word; it is folded, so ids of letters are compared without case."""
    says = Q(name_key__contains=word) | Q(alias_keys__contains=word)
    for name in ("wikidata_id", "facebook_id", "instagram_id", "twitter_id"):
        says |= Q(**{f"{name}__iexact": word})
    if re.match(r"tt[0-9]*\Z", word):
        says |= Q(imdb_id__startswith=word)
    if re.match(r"[0-9]{1,18}\Z", word):
        says |= Q(tmdb_id=int(word)) | Q(tvdb_id=int(word))
    digits = word.replace("-", "")
    if SHORTEST_UUID <= len(digits) <= 32 and re.match(r"[0-9a-f]+\Z", digits):
        says |= Q(pk__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
    return says
