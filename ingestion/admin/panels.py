"""What syncs add to the pages of shows: the status of each stage, a column of ages, a filter by them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.admin import desk
from catalog.models import Show
from catalog.show_filters import ContributedFilter, contributed
from ingestion.freshness import STAGE_LABELS, age, next_due, of_freshness, with_details_age
from ingestion.models import SyncState

GRADES: Mapping[str, str] = {"ok": "good", "stale": "warn", "failed": "bad", "gone": "bad", "unresolved": "warn"}


def states_of(show: Show) -> dict[str, SyncState]:
    """The state of each stage that was ever tried; read once, however many parts of a page ask."""
    prefetch_related_objects([show], "sync_states")
    return {state.stage: state for state in show.sync_states.all()}


def sync_panel(show: Show) -> SafeString:
    states, now = states_of(show), timezone.now()
    rows = [
        {
            "label": STAGE_LABELS[stage],
            "state": states.get(stage),
            "grade": GRADES.get(states[stage].status, "") if stage in states else "",
            "age": age(states[stage].last_success_at, now) if stage in states else "never",
            "next": next_due(show, stage, states, now),
        }
        for stage in STAGE_LABELS
    ]
    return render_to_string("ingestion/sync_panel.html", {"rows": rows})


def last_asked(show: Show) -> Mapping[str, datetime]:
    """When TMDb last told of it, whether or not anything had changed."""
    times = [state.last_success_at for state in states_of(show).values() if state.last_success_at]
    return {"tmdb": max(times)} if times else {}


def freshness(show: Any) -> str:
    moment = show.details_synced_at
    if moment is None:
        return format_html('<span class="desk-quiet">{}</span>', "never")
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', moment.isoformat(), stamp(moment), age(moment))


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def answers() -> list[tuple[str, str]]:
    return [
        ("stale", "Older than it may be"),
        ("never", "Never synced"),
        ("failed", "Failed"),
        ("fresh", "Fresh"),
    ]


desk.panels.append(sync_panel)
desk.checked.append(last_asked)
desk.columns.append(desk.Column("freshness", "Synced", with_details_age, freshness, "details_synced_at"))
contributed.append(ContributedFilter("stale", "Freshness", answers, of_freshness))
