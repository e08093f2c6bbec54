"""From records to rows: the only writer of what upstream says.

A batch of shows is one transaction; if the database refuses it, each show gets one of its own, so that
one bad row never costs another show its update. Nothing is asked of the network in here.
"""

import logging
from collections.abc import Sequence

from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from catalog.changes import Author, change_of, save_changes
from catalog.models import Change, Show, ShowNetwork, ShowProductionCompany, ShowWatchProvider
from ingestion.links import LinkWrites
from ingestion.models import ResolutionCandidate, SyncState
from ingestion.outcomes import Batch, Fetched, Outcome
from ingestion.plan import Plan, plan_show
from ingestion.stored import Stored
from trr_site.command_line import first_line

log = logging.getLogger(__name__)

STATE_FIELDS = ("status", "attempted_at", "last_success_at", "marker", "asked_for", "last_error", "attempts")
CANDIDATE_FIELDS = ("name", "first_air_date", "networks", "poster_path", "score", "reasons", "found_at")


def save_shows(
    fetched: Sequence[Fetched], author: Author, *, hold_blanks: bool = False, dry_run: bool = False
) -> Batch:
    """Saves what was fetched. With `hold_blanks` a show that would lose a value is left for later (`Batch.held`).

    Raises DatabaseError only when the database itself is out of reach.
    """
    try:
        with transaction.atomic():
            return save_batch(fetched, author, hold_blanks=hold_blanks, dry_run=dry_run)
    except DatabaseError as error:
        if not connection.is_usable():
            raise
        reason = f"the database refused it: {first_line(error)}"
    except Exception as error:
        # A mistake of ours is the show's own failure too; the log has the traceback.
        log.exception("%d shows could not be saved together", len(fetched))
        reason = f"internal error: {error!r}"
    if len(fetched) == 1:
        fetched[0].problem, fetched[0].reason = Outcome.FAILED, reason
        with transaction.atomic():
            return save_batch(fetched, author, hold_blanks=False, dry_run=dry_run)
    whole = Batch()
    for one in fetched:
        batch = save_shows([one], author, hold_blanks=hold_blanks, dry_run=dry_run)
        whole.saved += batch.saved
        whole.logos += batch.logos
        whole.held += batch.held
    return whole


def save_batch(fetched: Sequence[Fetched], author: Author, *, hold_blanks: bool, dry_run: bool) -> Batch:
    now = timezone.now()
    stored = Stored(fetched, now)
    batch, plans = Batch(), []
    for one in fetched:
        plan = plan_show(one, stored, now)
        if plan.saved.blanked and hold_blanks:
            plan.saved.outcome = Outcome.HELD
            batch.held.append(one)
        else:
            plans.append(plan)
        batch.saved.append(plan.saved)
    if not dry_run:
        stored.save_entities()
        write_plans(plans, author, now)
        batch.logos = [
            entity
            for entities in (stored.networks, stored.companies, stored.providers)
            for entity in entities.values()
            if entity.needs_logo
        ]
    return batch


def write_plans(plans: Sequence[Plan], author: Author, now: object) -> None:
    """One statement a table, and one for each show whose own columns change."""
    write_links([plan.networks for plan in plans], ShowNetwork, ("position",))
    write_links([plan.companies for plan in plans], ShowProductionCompany, ("position",))
    write_links([plan.offers for plan in plans], ShowWatchProvider, ("display_priority", "link", "fetched_at"))
    for plan in plans:
        if plan.saved.changes:
            plan.values["updated_at"] = now
        if plan.values:
            Show.objects.filter(pk=plan.saved.show_id).update(**plan.values)
    write_candidates(plans)
    SyncState.objects.bulk_create(
        [state for plan in plans for state in plan.states],
        update_conflicts=True,
        unique_fields=("show", "stage"),
        update_fields=STATE_FIELDS,
    )
    save_changes(
        change_of(plan.saved.show_id, Change.Kind.UPDATED, plan.saved.changes, author)
        for plan in plans
        if plan.saved.changes
    )


def write_links(parts: Sequence[LinkWrites], model: type, fields: Sequence[str]) -> None:
    whole = LinkWrites()
    for part in parts:
        whole.add(part)
    whole.save(model, fields)


def write_candidates(plans: Sequence[Plan]) -> None:
    """A show's candidates are replaced as a whole; one that is found again keeps its row."""
    settled = {plan.saved.show_id: plan.candidates for plan in plans if plan.candidates is not None}
    if not settled:
        return
    stale = Q(show_id__in=[show_id for show_id, rows in settled.items() if not rows])
    for show_id, rows in settled.items():
        if rows:
            stale |= Q(show_id=show_id) & ~Q(tmdb_id__in=[row.tmdb_id for row in rows])
    ResolutionCandidate.objects.filter(stale).delete()
    ResolutionCandidate.objects.bulk_create(
        [row for rows in settled.values() for row in rows],
        update_conflicts=True,
        unique_fields=("show", "tmdb_id"),
        update_fields=CANDIDATE_FIELDS,
    )
