"""Which TMDb show is ours? An editor asks, sees candidates, and decides; what was decided stays."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction

from catalog.changes import Author
from catalog.edits import locked_row, refuse_stale, write
from catalog.locks import RESOLUTION_FLAGS
from catalog.models import Change, ReviewMark, Show
from catalog.review import dismiss
from catalog.sync_queue import queue_sync
from catalog.values import differing
from ingestion.checks import tmdb_problems
from ingestion.matching import Candidate, Known, candidate_of_found, rank, with_record
from ingestion.models import ResolutionCandidate
from ingestion.parse import parse_find, parse_search, parse_show
from ingestion.records import FoundShow, FoundTitles, InvalidRecord
from ingestion.references import Reference
from ingestion.shapes import read_image_path
from ingestion.sources.http import NotFound, Stopped, UpstreamError
from ingestion.sources.tmdb import TmdbClient
from trr_site.logs import mask_secrets

if TYPE_CHECKING:
    from django.contrib.auth.models import User

T = TypeVar("T")

REJECTED = "rejected"  # the queue of the marks of rejected candidates: it is shown nowhere

TRIES = 2
PATIENCE = 8.0  # seconds for an answer: somebody looks at the page
PATIENCE_FOR_MORE = 4.0  # seconds for the networks of candidates, which the page can do without
ASKED_MORE_OF = 5  # of the best candidates


class CantAsk(Exception):
    """TMDb gave no answer that can be used; the message says why, without a secret."""


@dataclass(frozen=True, slots=True)
class Card:
    """A candidate as a person sees it."""

    tmdb_id: int
    name: str
    year: int | None
    networks: tuple[str, ...]
    poster_url: str
    score: float
    reasons: tuple[str, ...]
    through_episode: bool = False

    @property
    def url(self) -> str:
        return f"https://www.themoviedb.org/tv/{self.tmdb_id}"

    @property
    def title(self) -> str:
        return f"{self.name} ({self.year})" if self.year else self.name

    @property
    def grade(self) -> str:
        """How good the score is: good, warn or bad, as badges are called."""
        return "good" if self.score >= 0.8 else "warn" if self.score >= 0.5 else "bad"


def known_of(show: Show) -> Known:
    """What we know of a show; its networks must be prefetched where there are many shows."""
    networks = frozenset(link.network.name for link in show.show_networks.all())
    return Known(show.name, show.premiere_date.year if show.premiere_date else None, networks)


def search(known: Known, name: str, year: int | None) -> list[Candidate]:
    """TMDb's shows with a name, of a year if one is given, ranked by how well they fit. Raises CantAsk."""
    found = ask(lambda client: parse_search(client.fetch_search(name, year)))
    return with_networks(known, rank(known, map(candidate_of_found, found.shows)))


def look_up(known: Known, reference: Reference) -> list[Candidate]:
    """The shows behind a reference, none where TMDb knows no such show. Raises CantAsk."""
    if reference.imdb_id is not None:
        imdb_id = reference.imdb_id
        found: FoundTitles = ask(lambda client: parse_find(client.fetch_find(imdb_id)))
        return with_networks(known, rank(known, map(candidate_of_found, found.shows)))
    assert reference.tmdb_id is not None
    tmdb_id = reference.tmdb_id
    try:
        return rank(known, [ask(lambda client: full_candidate(client, candidate_of_id(tmdb_id)))])
    except NotFound:
        return []


def with_networks(known: Known, ranked: Sequence[Candidate]) -> list[Candidate]:
    """The candidates ranked anew with what the full replies of the best of them add, where TMDb tells in time."""
    best, rest = ranked[:ASKED_MORE_OF], ranked[ASKED_MORE_OF:]
    fuller = {candidate.tmdb_id: candidate for candidate in best}

    def ask_all(client: TmdbClient) -> None:
        for candidate in best:
            with suppress(NotFound, InvalidRecord):
                fuller[candidate.tmdb_id] = full_candidate(client, candidate)

    if best:
        with suppress(CantAsk):
            ask(ask_all, PATIENCE_FOR_MORE)
    return rank(known, [*list(fuller.values()), *rest])


def full_candidate(client: TmdbClient, candidate: Candidate) -> Candidate:
    payload = client.fetch_show(candidate.tmdb_id, ())
    record = parse_show(payload)
    if record.tmdb_id != candidate.tmdb_id:
        raise InvalidRecord(f"it is that of show {record.tmdb_id}, not of {candidate.tmdb_id}")
    assert isinstance(payload, dict)  # or it could not be parsed
    poster = candidate.poster_path or read_image_path(payload, "poster_path", "")
    return replace(with_record(candidate, record), poster_path=poster)


def candidate_of_id(tmdb_id: int) -> Candidate:
    return candidate_of_found(FoundShow(tmdb_id, None, None, None, None, through_episode=False))


def ask(question: Callable[[TmdbClient], T], patience: float = PATIENCE) -> T:
    """The answer to a question, asked in a thread that is left behind when it takes too long.

    Raises NotFound, and CantAsk for everything else that keeps TMDb from answering. A time-out of each read
    would not do: a slow drip, a wait for the rate limit and a Retry-After add up to minutes.
    """
    if problems := tmdb_problems():
        raise CantAsk(f"TMDb can't be asked: {'; '.join(problems)}.")
    stop, answer = threading.Event(), Future[T]()

    def work() -> None:
        client = TmdbClient(stop, tries=TRIES)
        try:
            answer.set_result(question(client))
        except Exception as error:  # noqa: BLE001  it is raised where the answer is waited for
            answer.set_exception(error)
        finally:
            client.close()

    threading.Thread(target=work, name="ask-tmdb", daemon=True).start()
    try:
        return answer.result(patience)
    except NotFound:
        raise
    except (TimeoutError, Stopped):
        reason = f"TMDb did not answer within {patience:.0f} seconds. Try again in a moment."
    except UpstreamError as error:
        reason = f"TMDb gave no answer: {mask_secrets(str(error)).rstrip('.')}."
    except InvalidRecord as error:
        reason = f"TMDb's answer can't be used: {mask_secrets(str(error))}."
    finally:
        stop.set()
    raise CantAsk(reason)


# --- cards


def card_of(candidate: Candidate) -> Card:
    return Card(
        tmdb_id=candidate.tmdb_id,
        name=candidate.names[0] if candidate.names else f"TMDb {candidate.tmdb_id}",
        year=candidate.first_air_date.year if candidate.first_air_date else None,
        networks=candidate.networks or (),
        poster_url=poster_url(candidate.poster_path),
        score=candidate.score,
        reasons=candidate.reasons,
        through_episode=candidate.through_episode,
    )


def card_of_row(row: ResolutionCandidate) -> Card:
    return Card(
        tmdb_id=row.tmdb_id,
        name=row.name or f"TMDb {row.tmdb_id}",
        year=row.first_air_date.year if row.first_air_date else None,
        networks=tuple(row.networks),
        poster_url=poster_url(row.poster_path),
        score=row.score,
        reasons=tuple(row.reasons),
    )


def poster_url(path: str | None) -> str:
    return f"{settings.TMDB_IMAGE_URL}/w92{path}" if path else ""


def holders_of(tmdb_ids: Iterable[int]) -> dict[int, Show]:
    """The shows that have these TMDb ids, also those in the trash, by the id."""
    shows = Show.all_objects.filter(tmdb_id__in=set(tmdb_ids)).only("name", "tmdb_id", "deleted_at")
    return {show.tmdb_id: show for show in shows if show.tmdb_id is not None}


# --- candidates that a person has rejected


def reject(show_id: UUID, tmdb_id: int, user: "User") -> None:
    """Remembers that a TMDb show is not this one: it is not offered for it again."""
    dismiss(REJECTED, rejected_key(show_id, tmdb_id), user)


def rejected_among(pairs: Iterable[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Those of the pairs of a show and a TMDb id that a person has rejected."""
    keys = {rejected_key(*pair): pair for pair in pairs}
    marks = (
        ReviewMark.objects.filter(queue=REJECTED, key__in=keys, dismissed=True) if keys else ReviewMark.objects.none()
    )
    return {keys[key] for key in marks.order_by().values_list("key", flat=True)}


def rejected_key(show_id: UUID, tmdb_id: int) -> str:
    return f"{show_id}:{tmdb_id}"


# --- the decision


@transaction.atomic
def take_match(
    show_id: UUID, author: Author, *, tmdb_id: int | None = None, imdb_id: str | None = None, version: int | None = None
) -> tuple[Change | None, int | None]:
    """Gives a show the ids that a person chose, and queues its sync: they are locked, so that no job changes them.

    An id that the show has already is confirmed: locked too. Returns the change, if it was one, and the number of the
    run that syncs the show. Raises what edit_show raises.
    """
    ids = {name: value for name, value in (("tmdb_id", tmdb_id), ("imdb_id", imdb_id)) if value is not None}
    show = locked_row(show_id)
    if version is not None:
        refuse_stale(show, version, set(ids), whole_row=False)
    decided = ids | {RESOLUTION_FLAGS[name]: False for name in ids}
    change = write(show, differing(show, decided), author, lock=ids)
    return change, queue_sync(author.user.pk if author.user else None, [show_id])


@transaction.atomic
def decide_no_imdb(show_id: UUID, author: Author) -> Change | None:
    """Decides that IMDb does not have this show: its id is locked as it is, empty."""
    show = locked_row(show_id)
    return write(show, differing(show, {"needs_imdb_resolution": False}), author, lock=("imdb_id",))
