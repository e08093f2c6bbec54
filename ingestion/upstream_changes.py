"""TMDb's list of changed shows: read once a run, kept as marks, so that a run that is cut off forgets none."""

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta

from django.db.models import Max, Min

from ingestion.models import Stage, SyncRun, SyncState
from ingestion.options import Options
from ingestion.parse import parse_changes
from ingestion.sources.tmdb import TmdbClient

# https://developer.themoviedb.org/reference/changes-tv-list: at most 14 days a question.
LONGEST = timedelta(days=14)
# Replies may come from a cache that is up to 12 hours old: what the last run could not see yet is asked again.
OVERLAP = timedelta(hours=12)
MARKED = (Stage.DETAILS, Stage.ENTITIES)


def changes_start(options: Options, now: datetime) -> datetime | None:
    """From when on changes are to be read; None when no show has been synced, so that none can be stale.

    `since` makes it earlier, never later: what is skipped once would not be read by any later run.
    """
    read_until: datetime | None = SyncRun.objects.aggregate(last=Max("changes_until"))["last"]
    if read_until is None:
        synced = SyncState.objects.filter(stage__in=MARKED, status=SyncState.Status.OK)
        read_until = synced.aggregate(first=Min("last_success_at"))["first"]
    if read_until is None:
        return None
    start = read_until - OVERLAP
    if options.since:
        start = min(start, datetime.combine(options.since, time(), UTC))
    return max(start, now - LONGEST)


def fetch_changed_ids(client: TmdbClient, start: datetime, end: datetime) -> frozenset[int]:
    ids: set[int] = set()
    page = pages = 1
    while page <= pages:
        changed = parse_changes(client.fetch_changes(start.date(), end.date(), page))
        ids.update(changed.tmdb_ids)
        pages = changed.total_pages
        page += 1
    return frozenset(ids)


def mark_changed(tmdb_ids: Collection[int], before: datetime) -> int:
    """Marks the stages of changed shows as stale; those that TMDb could not tell of (over 14 days) too."""
    fresh = SyncState.objects.filter(stage__in=MARKED, status=SyncState.Status.OK)
    ids, marked = sorted(tmdb_ids), 0
    for start in range(0, len(ids), 1000):
        part = fresh.filter(show__tmdb_id__in=ids[start : start + 1000])
        marked += part.update(status=SyncState.Status.STALE)
    return marked + fresh.filter(last_success_at__lt=before - LONGEST).update(status=SyncState.Status.STALE)
