"""One show's trip to TMDb and back, in a worker thread: requests and parsing, nothing of the database."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from ingestion.matching import Candidate, candidate_of_found, choose, rank, with_record
from ingestion.models import Stage
from ingestion.outcomes import Fetched, Outcome
from ingestion.parse import parse_find, parse_show, parse_watch_providers
from ingestion.records import InvalidRecord
from ingestion.selection import Job
from ingestion.sources.http import KeyRefused, NotFound, Stopped, UpstreamError
from ingestion.sources.tmdb import APPENDED_TO_SHOW, WATCH_PROVIDERS, TmdbClient
from trr_site.logs import mask_secrets

log = logging.getLogger(__name__)


def fetch_job(client: TmdbClient, job: Job) -> Fetched:
    """Everything that is due for a show, in one request (and one /find where its id is to be found).

    Whatever goes wrong is the show's own failure; only a refused key and a stop are raised.
    """
    fetched = Fetched(job.show_id, job.known.name, job.tmdb_id, job.imdb_id, job.stages, timezone.now())
    try:
        fetch_into(fetched, client, job)
    except (KeyRefused, Stopped):
        raise
    except NotFound:
        fetched.problem, fetched.reason = Outcome.GONE, f"TMDb has no show {job.tmdb_id} any more (404)"
        if fetched.resolved:
            fetched.problem, fetched.resolved = Outcome.FAILED, None
            fetched.reason = "TMDb names a show for its IMDb id, but does not have it (404)"
    except UpstreamError as error:
        fetched.problem, fetched.reason = Outcome.FAILED, str(error)
    except InvalidRecord as error:
        fetched.problem, fetched.reason = Outcome.FAILED, f"the reply can't be used: {error}"
    except Exception as error:
        # A mistake of ours must not stop the other shows either; the log has the traceback.
        log.exception("show %s (%s)", job.known.name, job.show_id)
        fetched.problem, fetched.reason = Outcome.FAILED, f"internal error: {error!r}"
    fetched.reason = mask_secrets(fetched.reason)
    return fetched


def fetch_into(fetched: Fetched, client: TmdbClient, job: Job) -> None:
    tmdb_id = job.tmdb_id
    if job.find:
        chosen = find_show(fetched, client, job)
        if chosen is None:
            return
        if chosen.tmdb_id != job.tmdb_id:
            fetched.resolved, tmdb_id = chosen, chosen.tmdb_id
            if job.stages == {Stage.RESOLVE}:
                return
    assert tmdb_id is not None
    if job.stages == {Stage.WATCH_PROVIDERS}:
        fetched.offers = parse_watch_providers(client.fetch_watch_providers(tmdb_id))
        return
    payload = client.fetch_show(tmdb_id, appends(job.stages))
    fetched.record = parse_show(payload)
    if fetched.record.tmdb_id != tmdb_id:
        raise InvalidRecord(f"it is that of show {fetched.record.tmdb_id}, not of {tmdb_id}")
    assert isinstance(payload, dict)
    fetched.payload = without_offers(payload)
    if fetched.resolved:
        check_with_record(fetched, job)


def find_show(fetched: Fetched, client: TmdbClient, job: Job) -> Candidate | None:
    """The show that its IMDb id leads to; None, and the candidates for an editor, where that is in doubt."""
    assert job.imdb_id is not None
    try:
        found = parse_find(client.fetch_find(job.imdb_id))
    except NotFound as error:  # /find answers an unknown id with empty lists; a 404 says nothing of the show
        raise UpstreamError(str(error), status=404) from None
    fetched.candidates = rank(job.known, map(candidate_of_found, found.shows))
    same = next((one for one in fetched.candidates if one.tmdb_id == job.tmdb_id), None)
    chosen = same or choose(fetched.candidates)
    if chosen is not None:
        return chosen
    if job.tmdb_id is not None and not fetched.candidates:
        fetched.problem, fetched.reason = (
            Outcome.GONE,
            f"TMDb has no show {job.tmdb_id} any more, nor one for {job.imdb_id}",
        )
    else:
        fetched.problem, fetched.reason = Outcome.UNRESOLVED, why_unresolved(fetched.candidates, job.imdb_id)
    return None


def check_with_record(fetched: Fetched, job: Job) -> None:
    """Looks at the match again, now that its networks are known."""
    assert fetched.record is not None
    assert fetched.resolved is not None
    taken = fetched.resolved.tmdb_id
    fetched.candidates = rank(
        job.known, [with_record(c, fetched.record) if c.tmdb_id == taken else c for c in fetched.candidates]
    )
    chosen = choose(fetched.candidates)
    if chosen is None or chosen.tmdb_id != taken:
        fetched.resolved = fetched.record = fetched.payload = None
        fetched.problem, fetched.reason = Outcome.UNRESOLVED, why_unresolved(fetched.candidates, job.imdb_id)


def why_unresolved(candidates: Any, imdb_id: str | None) -> str:
    if not candidates:
        return f"TMDb knows no show with {imdb_id}"
    best = candidates[0]
    return f"not sure of TMDb {best.tmdb_id} for {imdb_id} (score {best.score:.2f}): {'; '.join(best.reasons)}"


def appends(stages: frozenset[Stage]) -> tuple[str, ...]:
    parts: tuple[str, ...] = ()
    if stages & {Stage.DETAILS, Stage.RESOLVE}:
        parts += APPENDED_TO_SHOW if Stage.DETAILS in stages else APPENDED_TO_SHOW[:1]
    if Stage.WATCH_PROVIDERS in stages:
        parts += (WATCH_PROVIDERS,)
    return parts


def without_offers(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name != WATCH_PROVIDERS}


@contextmanager
def quick_thread_switches() -> Iterator[None]:
    """Lets the threads that fetch go on while this one saves.

    A busy thread lets go of the interpreter every 5 ms, and a request takes it some twenty times: while a batch was
    saved, requests left so long after their turn that a second could hold 41 of 40.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # seconds
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
