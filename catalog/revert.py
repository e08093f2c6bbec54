"""Taking changes back: one change, what a person did in one step (a batch), or all that a run of a job did.

Each field goes back to what it was before, unless a newer edit stands in the way: that stays and is told, and
stops nothing else. A revert is a batch itself: it leaves Changes like any other edit, and can be reverted.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet
from django_q.tasks import async_task

from catalog.batches import AT_ONCE, CHANGED, FAILED, UNCHANGED, Progress, TakenOver, carry_on, in_words
from catalog.changes import Author, plain
from catalog.edits import UNIQUE, field_change, in_order, is_upstreams, lock_change, record, save, validate
from catalog.links import RELATIONS, linked_ids, replace_links, said_by_upstream
from catalog.locks import LOCKABLE
from catalog.merging import unmerge
from catalog.models import Batch, Change, Show
from catalog.models.change import Kind
from catalog.models.links import Source
from catalog.revert_conflicts import Conflict
from catalog.revert_fields import OFFERS
from catalog.revert_offers import write_offers
from catalog.revert_plan import ShowPlan, changes_by_show, is_tmdbs, plan_show, show_ids_of
from catalog.revert_scope import changes_of, settled, still_going_on
from catalog.revert_state import Present
from catalog.sync_queue import queue_sync
from catalog.trash import delete_show, restore_show
from catalog.values import field_of

logger = logging.getLogger(__name__)

TASK: Final = "catalog.tasks.apply_revert"


def revert(what: Mapping[str, Any], author: Author, *, lock: bool) -> Batch:
    """Takes the changes of `what` (as in `changes_of`) back: at once, or by the worker when they are of many shows.

    With `lock` what a sync would bring back is locked as it was, like an edit; without, the next sync says.
    What stays, with the reason, stands in the batch's failures. Call it outside of a transaction. Raises
    ValidationError when there is nothing to take back, or when it is still going on. Shows that get another id
    are synced anew.
    """
    if author.user is None:
        raise ValueError("a revert is a person's")
    if reason := still_going_on(what):
        raise ValidationError(reason)
    what = settled(what)
    show_ids = [str(pk) for pk in show_ids_of(changes_of(what))]
    if not show_ids:
        raise ValidationError("There is nothing to revert.")
    at_once = len(show_ids) <= AT_ONCE
    batch = Batch.objects.create(
        kind=Batch.Kind.REVERT,
        status=Batch.Status.RUNNING if at_once else Batch.Status.QUEUED,
        user=author.user,
        reason=author.reason,
        plan={"of": what, "lock": lock, "shows": show_ids},
        total=len(show_ids),
    )
    if at_once:
        try:
            return apply(batch)
        except DatabaseError:  # the database is away or too busy: the worker does the rest
            logger.exception("the revert %s was interrupted and is queued", batch.pk)
    queue(batch)
    batch.refresh_from_db()
    return batch


def undo_merge(merge: Batch, author: Author) -> Batch:
    """Undoes a merge of shows as a whole; raises ValidationError, in words, when it can't be."""
    unmerge(merge, author)
    return Batch.objects.filter(kind=Batch.Kind.REVERT, plan__batch=str(merge.pk)).latest("created_at")


def queue(batch: Batch) -> None:
    transaction.on_commit(partial(async_task, TASK, str(batch.pk)))


def apply(batch: Batch) -> Batch:
    """Reverts the shows of a batch that are left, each in its own transaction together with the batch's progress.

    Safe to run twice, side by side too, and again after it was killed: each show is reverted once.
    """
    return carry_on(batch, apply_shows)


def apply_shows(batch: Batch, progress: Progress) -> None:
    author = Author(user=batch.user, reason=batch.reason, batch_id=batch.pk)
    changes = changes_of(batch.plan["of"])
    for show_id in map(UUID, batch.plan["shows"][progress.done :]):
        try:
            with transaction.atomic():
                plan = revert_show(changes, show_id, author, lock=batch.plan["lock"])
                stays = [[str(show_id), plan.name, " ".join(kept)]] if (kept := plan.what_stays) else []
                if plan.changes_anything:
                    progress.failures += stays
                    progress.save_after(CHANGED)
        except (TakenOver, OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one show stops no other
            progress.add(FAILED, [str(show_id), name_of(show_id), reason_of(error)])
        else:
            if plan.changes_anything:
                progress.add(CHANGED)
            else:
                progress.add(FAILED if stays else UNCHANGED, *stays)
    with transaction.atomic():
        sync_new_ids(batch)
        progress.finish()


def sync_new_ids(batch: Batch) -> None:
    """Queues the sync of living shows to which the batch gave an id; its plan then says how many, and the run."""
    changed = Q(fields__has_key="tmdb_id") | Q(fields__has_key="imdb_id")
    given = {
        change.show_id
        for change in batch.changes.filter(changed, kind=Kind.UPDATED)
        if any(name in change.fields and change.fields[name][1] is not None for name in UNIQUE)
    }
    show_ids = list(Show.objects.filter(pk__in=given).order_by("pk").values_list("pk", flat=True))
    if show_ids:
        run_id = queue_sync(batch.user_id, show_ids)
        Batch.objects.filter(pk=batch.pk).update(plan=batch.plan | {"synced": len(show_ids), "sync_run": run_id})


def revert_show(changes: QuerySet[Change], show_id: UUID, author: Author, *, lock: bool) -> ShowPlan:
    """Takes the changes of one show back, worked out under its lock from what it is now; what was done."""
    of_show = changes_by_show(changes, [show_id])
    present = Present(of_show, for_update=True)
    plan = plan_show(present, show_id, of_show[show_id])
    if plan.trashed is False:
        restore_show(show_id, author)
    if plan.changes_fields:
        write_fields(present.shows[show_id], plan, of_show[show_id], author, lock=lock)
    if plan.trashed:
        delete_show(show_id, author)
    return plan


def write_fields(show: Show, plan: ShowPlan, changes: Sequence[Change], author: Author, *, lock: bool) -> None:
    """Writes a plan's fields and locks, in one row and one Change."""
    before = set(show.locked_fields)
    locked = before - plan.opened | plan.closed
    if lock:
        locked |= {name for name in plan.then if name in LOCKABLE and name not in plan.opened}
    said = {name: what_upstream_says(show, name) for name in sorted(locked - before) if not is_foreign(plan, name)}
    fields: dict[str, Any] = {}
    columns = {name: value for name, value in plan.then.items() if name not in RELATIONS and name != OFFERS}
    for name, value in columns.items():
        new = field_of(name).to_python(value)
        fields[name] = field_change(getattr(show, name), new)
        setattr(show, name, new)
    for name in RELATIONS:
        if name in plan.then or name in plan.opened:
            write_links(show, plan, name, locked=name in locked)
            if name in plan.then:
                fields[name] = field_change(plan.text(name, plan.now[name]), plan.text(name, plan.then[name]))
    if OFFERS in plan.then:
        fields |= offers_change(show, plan, changes)
    if locked != before:
        fields |= lock_change(show.locked_fields, new_locks := in_order(locked))
        show.locked_fields = new_locks
    kept = {
        name: value
        for name, value in show.upstream_values.items()
        if name not in plan.opened and not is_foreign(plan, name)
    }
    show.upstream_values = kept | {name: value for name, (known, value) in said.items() if known}
    validate(show, columns)
    save(show, columns)
    if fields:
        record(show, Kind.UPDATED, fields, author)


def is_foreign(plan: ShowPlan, name: str) -> bool:
    """Whether what upstream is known to say of a field is that of a show which this one was taken for."""
    return plan.foreign and is_tmdbs(name)


def what_upstream_says(show: Show, name: str) -> tuple[bool, Any]:
    """Of a field that is about to be locked: whether upstream has spoken of it, and what it said."""
    if name in RELATIONS:
        ids = said_by_upstream(show, name)
        return ids is not None, ids
    return is_upstreams(show, name), plain(getattr(show, name)) if name != OFFERS else None


def write_links(show: Show, plan: ShowPlan, relation: str, *, locked: bool) -> None:
    """A relation that is given back to upstream is upstream's; else rows that stay keep their source."""
    former = linked_ids(show.pk, relation)
    opened = relation in plan.opened
    replace_links(show, relation, plan.then.get(relation), by_editor=not opened)
    if not locked and not opened:
        model, entity, _ = RELATIONS[relation]
        back = set(plan.then[relation]).difference(former)
        model.objects.filter(**{"show": show, f"{entity}_id__in": back}).update(source=Source.TMDB)


def offers_change(show: Show, plan: ShowPlan, changes: Sequence[Change]) -> dict[str, Any]:
    """Writes where to watch; offers of which no record is left stay away, and the plan then says so."""
    now, then = plan.now[OFFERS], plan.then[OFFERS]
    taken = [one for one in now if one not in set(then)]
    back = [one for one in then if one not in set(now)]
    kept, lost = write_offers(show, taken, back, changes)
    label = plan.labels[OFFERS]
    if lost:
        reason = f"No record is left of {', '.join(sorted(label[one] for one in lost))}."
        plan.conflicts.append(Conflict(show.pk, show.name, OFFERS, reason))
    back = [one for one in back if one not in lost]
    if not taken and not back:
        del plan.then[OFFERS]
        return {}
    change: dict[str, Any] = {"added": [label[one] for one in back], "removed": [label[one] for one in taken]}
    for part, rows in kept.items():
        if rows:
            change[part] = {label[one]: row for one, row in rows.items()}
    return {OFFERS: change}


def name_of(show_id: UUID) -> str:
    return Show.all_objects.filter(pk=show_id).values_list("name", flat=True).first() or ""


def reason_of(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return in_words(error)
    logger.error("a show could not be reverted", exc_info=error)
    return f"it could not be reverted; the log says why ({type(error).__name__})"
