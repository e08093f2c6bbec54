"""The queue of shows that no sync could resolve: candidates to accept, or the decision that there is none."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from catalog.admin import desk
from catalog.admin.author import author_of, user_of
from catalog.admin.review import UNRESOLVED
from catalog.admin.text import queued_run
from catalog.edits import decide_no_match, edit_show
from catalog.models import Show, ShowNetwork
from ingestion.admin.identify import held_by, identify_url
from ingestion.identify import (
    Card,
    card_of_row,
    decide_no_imdb,
    holders_of,
    known_of,
    reject,
    rejected_among,
    take_match,
)
from ingestion.models import ResolutionCandidate, Stage, SyncState
from ingestion.references import parse_reference, reference_problem

MOST_CARDS = 6  # what a show is more likely to be; the others are found by its page of identification
LIKELY = 0.5  # score from which the best candidate is offered first, not only shown
ACCEPT, REJECT = "accept-", "reject-"


def unresolved_shows() -> QuerySet[Show]:
    waits = Q(needs_tmdb_resolution=True, tmdb_id__isnull=True) | Q(needs_imdb_resolution=True)
    shows: QuerySet[Show] = Show.objects.filter(waits)
    return shows


def unresolved_keys() -> list[str]:
    """Those without a TMDb id first: no sync brings anything for these."""
    has_one = ExpressionWrapper(Q(tmdb_id__isnull=False), BooleanField())
    return [str(pk) for pk in unresolved_shows().order_by(has_one, "name", "id").values_list("pk", flat=True)]


def unresolved_items(keys: list[str]) -> list[desk.Item]:
    networks = ShowNetwork.objects.select_related("network").only("show_id", "position", "network__name")
    resolve = SyncState.objects.filter(show_id=OuterRef("pk"), stage=Stage.RESOLVE).order_by()
    shows = (
        unresolved_shows()
        .defer("tmdb_meta", "imdb_meta")
        .annotate(reason=Coalesce(Subquery(resolve.values("last_error")[:1]), Value("")))
        .prefetch_related(Prefetch("show_networks", queryset=networks))
        .in_bulk([UUID(key) for key in keys])
    )
    cards, rejected = cards_of([show.pk for show in shows.values() if show.tmdb_id is None])
    held = holders_of(card.tmdb_id for some in cards.values() for card in some)
    return [
        item_of(shows[UUID(key)], cards.get(UUID(key), []), held, rejected[UUID(key)])
        for key in keys
        if UUID(key) in shows
    ]


def cards_of(show_ids: list[UUID]) -> tuple[dict[UUID, list[Card]], Counter[UUID]]:
    """The best candidates of each show, and how many a person has rejected."""
    rows = list(ResolutionCandidate.objects.filter(show_id__in=show_ids))
    rejected = rejected_among((row.show_id, row.tmdb_id) for row in rows)
    cards: dict[UUID, list[Card]] = defaultdict(list)
    for row in rows:
        if (row.show_id, row.tmdb_id) not in rejected and len(cards[row.show_id]) < MOST_CARDS:
            cards[row.show_id].append(card_of_row(row))
    return cards, Counter(show_id for show_id, _ in rejected)


def item_of(show: Any, cards: list[Card], held: Mapping[int, Show], rejected: int) -> desk.Item:
    choices = [(card, held_by(held[card.tmdb_id], show) if card.tmdb_id in held else "") for card in cards]
    known = known_of(show)
    body = render_to_string(
        "ingestion/unresolved.html",
        {
            "show": show,
            "known": known,
            "networks": sorted(known.networks),
            "needs_tmdb": waits_for_tmdb(show),
            "choices": choices,
            "reason": show.reason,
            "rejected": rejected,
            "kept_aside": show.upstream_values.get("imdb_id"),
            "identify_url": identify_url(show),
        },
    )
    actions = (*candidate_actions(choices), *other_actions(show, bool(cards)))
    return desk.Item(str(show.pk), str(show), reverse("admin:catalog_show_change", args=(show.pk,)), body, actions)


def candidate_actions(choices: list[tuple[Card, SafeString | str]]) -> Iterator[desk.Action]:
    """To accept each candidate that no other show has, by its number, and to reject each."""
    first_free = next((card for card, holder in choices if not holder), None)
    for number, (card, holder) in enumerate(choices, 1):
        if not holder:
            yield desk.Action(
                f"{ACCEPT}{card.tmdb_id}",
                f"Accept {number}: {Truncator(card.title).chars(40)}",
                primary=card is first_free and card.score >= LIKELY,
                key=str(number),
                doubtful=card.score < LIKELY,
            )
        yield desk.Action(f"{REJECT}{card.tmdb_id}", f"Not {number}")


def other_actions(show: Show, has_candidates: bool) -> Iterator[desk.Action]:
    if waits_for_tmdb(show):
        yield desk.Action("none", "None of these: not on TMDb" if has_candidates else "Not on TMDb", key="n")
    if show.needs_imdb_resolution:
        yield desk.Action("imdb", "Save", key="p", input="IMDb id or address")
        yield desk.Action("no-imdb", "Not on IMDb", key="i")


def waits_for_tmdb(show: Show) -> bool:
    return show.needs_tmdb_resolution and show.tmdb_id is None


def act(key: str, action: str, request: HttpRequest) -> str:
    show_id = UUID(key)
    if action == "none":
        decide_no_match(show_id, author_of(request, "none of the candidates"))
        return "It is decided that TMDb does not have it: no sync looks for it again."
    if action == "no-imdb":
        decide_no_imdb(show_id, author_of(request, "not on IMDb"))
        return "It is decided that IMDb does not have it."
    if action == "imdb":
        imdb_id = posted_imdb_id(request)
        edit_show(show_id, {"imdb_id": imdb_id}, author_of(request, "IMDb id from the inbox"))
        return f"Its IMDb id is {imdb_id}, locked."
    if action.startswith(REJECT):
        tmdb_id = int(action.removeprefix(REJECT))
        reject(show_id, tmdb_id, user_of(request))
        return f"TMDb {tmdb_id} is not offered for it any more; a search on its page Identify still finds it."
    row = ResolutionCandidate.objects.filter(show_id=show_id, tmdb_id=int(action.removeprefix(ACCEPT))).first()
    if row is None:
        raise ValidationError("A sync has found other candidates meanwhile: look again.")
    author = author_of(request, f"accepted from candidates: score {row.score:.2f}")
    _, run_id = take_match(show_id, author, tmdb_id=row.tmdb_id)
    return format_html("It is TMDb {}, locked. {}", row.tmdb_id, queued_run(request.user, run_id, "the show"))


def posted_imdb_id(request: HttpRequest) -> str:
    text = request.POST.get("text", "")
    reference = parse_reference(text)
    if reference is None:
        raise ValidationError(reference_problem(text))
    if reference.imdb_id is None:
        raise ValidationError("This is an id of TMDb: paste that of IMDb, like tt1720601.")
    return reference.imdb_id


desk.queues.insert(
    0,
    desk.Queue(
        slug=UNRESOLVED,
        title="Unresolved",
        empty="Every show has its ids, or it is decided that there is none.",
        permission="catalog.change_show",
        keys=unresolved_keys,
        items=unresolved_items,
        act=act,
    ),
)
