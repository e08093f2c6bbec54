"""Logos: mirrored once for each upstream path, each on its own, none of them able to stop a run."""

import logging
from collections.abc import Iterable
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


def pending_logos() -> list[LogoJob]:
    """Every logo that is not mirrored yet: what an earlier run failed at, skipped, or was cut off from."""
    return [logo_job(entity) for model in MODELS for entity in model._default_manager.needing_logo()]


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
