"""The queue of shows that no sync could resolve: candidates to accept, or the decision that there is none."""

from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, ExpressionWrapper, Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import Truncator

from catalog.admin import desk
from catalog.admin.author import author_of
from catalog.admin.review import UNRESOLVED
from catalog.edits import decide_no_match
from catalog.models import Show, ShowNetwork
from ingestion.admin.identify import held_by, identify_url
from ingestion.identify import Card, card_of_row, decide_no_imdb, holders_of, known_of, take_match
from ingestion.models import ResolutionCandidate, Stage, SyncState

MOST_CARDS = 6  # what a show is more likely to be; the others are found by its page of identification
LIKELY = 0.5  # score from which the best candidate is offered first, not only shown
ACCEPT = "accept-"


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
    shows = (
        unresolved_shows()
        .defer("tmdb_meta", "imdb_meta")
        .prefetch_related(Prefetch("show_networks", queryset=networks))
        .in_bulk([UUID(key) for key in keys])
    )
    cards = cards_of([show.pk for show in shows.values() if show.tmdb_id is None])
    reasons = dict(
        SyncState.objects.filter(show_id__in=shows, stage=Stage.RESOLVE).order_by().values_list("show_id", "last_error")
    )
    held = holders_of(card.tmdb_id for some in cards.values() for card in some)
    return [
        item_of(shows[UUID(key)], cards.get(UUID(key), []), held, reasons.get(UUID(key), ""))
        for key in keys
        if UUID(key) in shows
    ]


def cards_of(show_ids: list[UUID]) -> dict[UUID, list[Card]]:
    cards: dict[UUID, list[Card]] = defaultdict(list)
    for row in ResolutionCandidate.objects.filter(show_id__in=show_ids):
        if len(cards[row.show_id]) < MOST_CARDS:
            cards[row.show_id].append(card_of_row(row))
    return cards


def item_of(show: Show, cards: list[Card], held: Mapping[int, Show], reason: str) -> desk.Item:
    choices = [(card, held_by(held[card.tmdb_id], show) if card.tmdb_id in held else "") for card in cards]
    free = [(number, card) for number, (card, holder) in enumerate(choices, 1) if not holder]
    actions = [
        desk.Action(
            f"{ACCEPT}{card.tmdb_id}",
            f"Accept {number}: {Truncator(card.title).chars(40)}",
            primary=not place and card.score >= LIKELY,
        )
        for place, (number, card) in enumerate(free)
    ]
    if waits_for_tmdb(show):
        actions.append(desk.Action("none", "None of these: not on TMDb" if cards else "Not on TMDb"))
    if show.needs_imdb_resolution:
        actions.append(desk.Action("no-imdb", "Not on IMDb"))
    known = known_of(show)
    body = render_to_string(
        "ingestion/unresolved.html",
        {
            "show": show,
            "known": known,
            "networks": sorted(known.networks),
            "needs_tmdb": waits_for_tmdb(show),
            "choices": choices,
            "reason": reason,
            "kept_aside": show.upstream_values.get("imdb_id"),
            "identify_url": identify_url(show),
        },
    )
    return desk.Item(
        str(show.pk), str(show), reverse("admin:catalog_show_change", args=(show.pk,)), body, tuple(actions)
    )


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
    row = ResolutionCandidate.objects.filter(show_id=show_id, tmdb_id=int(action.removeprefix(ACCEPT))).first()
    if row is None:
        raise ValidationError("A sync has found other candidates meanwhile: look again.")
    author = author_of(request, f"accepted from candidates: score {row.score:.2f}")
    take_match(show_id, author, tmdb_id=row.tmdb_id)
    return f"It is TMDb {row.tmdb_id}, locked; its sync is queued."


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
