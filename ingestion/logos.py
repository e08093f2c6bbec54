"""Logos: mirrored once for each upstream path, each on its own, none of them able to stop a run."""

import logging
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from catalog.logos import UnusableLogo, hosted_columns, logo_folder, logo_key, read_logo, save_logo_file
from catalog.models import Logo, Network, ProductionCompany, WatchProvider
from ingestion.sources.http import Stopped, UpstreamError
from ingestion.sources.tmdb import TmdbClient
from trr_site.logs import mask_secrets

log = logging.getLogger(__name__)
MODELS: tuple[type[Logo], ...] = (Network, ProductionCompany, WatchProvider)


@dataclass(frozen=True, slots=True)
class LogoJob:
    """A logo to mirror. sha256: of the hosted file, which is not stored again when the bytes are the same."""

    model: type[Logo]
    pk: int
    name: str
    path: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class LogoResult:
    """columns: what to store; error: why there is nothing to store."""

    job: LogoJob
    columns: dict[str, Any]
    error: str = ""

    @property
    def item(self) -> str:
        return f"logo of {self.job.model._meta.verbose_name} {self.job.name} ({self.job.pk})"


def logo_job(entity: Logo) -> LogoJob:
    assert entity.tmdb_logo_path is not None
    return LogoJob(type(entity), entity.pk, str(entity), entity.tmdb_logo_path, entity.hosted_logo_sha256)


def pending_logos() -> list[Logo]:
    """Every logo that is not mirrored yet: what an earlier run failed at, skipped, or was cut off from."""
    return [entity for model in MODELS for entity in model._default_manager.needing_logo()]


def mirror_logo(client: TmdbClient, job: LogoJob) -> LogoResult:
    """Fetches, checks and stores one logo; asks the database nothing, so that it can run in any thread."""
    try:
        file = read_logo(client.fetch_image(job.path))
        key = logo_key(logo_folder(job.model), job.pk, file)
        if file.sha256 != job.sha256:
            save_logo_file(key, file)
        return LogoResult(job, hosted_columns(key, file, job.path, timezone.now()))
    except Stopped:
        raise
    except (UpstreamError, UnusableLogo) as error:
        reason = str(error)
    except Exception as error:
        # Storage errors come in as many classes as there are storages; the log has the traceback.
        log.exception("logo %s of %s %s", job.path, job.model._meta.verbose_name, job.pk)
        reason = f"it could not be stored: {type(error).__name__}: {error}"
    return LogoResult(job, {}, mask_secrets(reason))


def save_logos(results: Iterable[LogoResult]) -> None:
    """Keeps what was mirrored, and why what failed did; not where an editor or another path came first."""
    for result in results:
        job = result.job
        row = job.model._default_manager.filter(pk=job.pk, logo_locked=False, tmdb_logo_path=job.path)
        if result.error:
            row.exclude(logo_error=result.error).update(logo_error=result.error)
        else:
            row.update(**result.columns)


class LogoMirror:
    """The logos of one run: fetched and stored by threads of their own, each path tried once."""

    def __init__(self, client: TmdbClient, connections: int) -> None:
        self.client = client
        self.pending: set[Future[LogoResult]] = set()
        self._executor = ThreadPoolExecutor(connections, thread_name_prefix="logos")
        self._tried: set[tuple[type[Logo], int, str]] = set()

    def add(self, entities: Iterable[Logo]) -> None:
        for job in map(logo_job, entities):
            key = (job.model, job.pk, job.path)
            if key not in self._tried:
                self._tried.add(key)
                self.pending.add(self._executor.submit(mirror_logo, self.client, job))

    def save_done(self) -> list[LogoResult]:
        """Saves what has been mirrored, or why not, and returns it."""
        done = {future for future in self.pending if future.done()}
        self.pending -= done
        results = [result for future in done if (result := result_of(future)) is not None]
        save_logos(results)
        return results

    def cancel(self) -> None:
        """Gives up what no thread has begun."""
        for future in self.pending:
            future.cancel()

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def result_of(future: Future[LogoResult]) -> LogoResult | None:
    try:
        return future.result()
    except (CancelledError, Stopped):
        return None
