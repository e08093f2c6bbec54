"""Edits of many shows in one step: drafted, submitted, applied one by one, and told of as one batch.

An edit and the batch's progress are saved in one transaction, and the progress only moves on from where it
was read: whatever is killed, delivered twice or clicked twice, each edit is made once.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NotRequired, TypedDict
from uuid import UUID

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.utils import timezone
from django.utils.text import Truncator
from django_q.tasks import async_task

from catalog.changes import Author, plain
from catalog.edits import (
    ChangedMeanwhile,
    create_show,
    edit_show,
    lock_show,
    locked_row,
    refuse_stale,
    unlock_show,
)
from catalog.links import RELATIONS
from catalog.models import Batch, Change, Show
from catalog.trash import delete_show
from catalog.values import label

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

TASK = "catalog.tasks.apply_batch"
AT_ONCE: Final = 500  # edits that are applied while the browser waits; more go to the worker
SAVE_EVERY: Final = 50  # edits that changed nothing, and so wait to be counted
DRAFTS_LIVE: Final = timedelta(days=1)
CHANGED, UNCHANGED, FAILED = "changed", "unchanged", "failed"


class Edit(TypedDict):
    """What is to be done to one show: values first, then locks, then unlocks. Without an id it is created.

    `version` is what `version_of` gave when the editor was shown the show; None does not ask. A failure is
    told under `line` (of a file) where there is one. With `delete` it goes to the trash, and nothing else is
    done. Other keys are the drafter's own.
    """

    id: str | None
    name: str
    values: dict[str, Any]
    lock: NotRequired[Sequence[str]]
    unlock: NotRequired[Sequence[str]]
    version: NotRequired[int | None]
    line: NotRequired[int]
    delete: NotRequired[bool]


class TakenOver(Exception):
    """Another worker is applying the same batch and has come further."""


def draft(kind: str, user: "User", edits: Iterable[Any], reason: str = "", **plan_extra: Any) -> Batch:
    """A batch that does nothing until it is submitted. It is never changed: another preview is another draft.

    Drafts that nobody submitted for a day are deleted on the way.
    """
    delete_old_drafts()
    rows = [{**edit, "values": {name: plain(value) for name, value in edit["values"].items()}} for edit in edits]
    plan = {**plan_extra, "edits": rows}
    return Batch.objects.create(kind=kind, user=user, reason=reason.strip(), plan=plan, total=len(rows))


def delete_old_drafts() -> None:
    with transaction.atomic():
        old = Batch.objects.filter(status=Batch.Status.DRAFT, created_at__lt=timezone.now() - DRAFTS_LIVE)
        # Locked first: one that is submitted at this moment stays, or is gone for whoever submits it.
        Batch.objects.filter(pk__in=list(old.select_for_update().values_list("pk", flat=True))).delete()


def submit(batch: Batch) -> Batch:
    """Applies a draft: at once, or by the worker when it is long. One that is submitted already is left to that.

    Call it outside of a transaction. Raises Batch.DoesNotExist for a draft that has been deleted meanwhile.
    """
    at_once = batch.total <= AT_ONCE
    status = Batch.Status.RUNNING if at_once else Batch.Status.QUEUED
    if Batch.objects.filter(pk=batch.pk, status=Batch.Status.DRAFT).update(status=status):
        if not at_once:
            queue(batch)
        else:
            try:
                apply(batch)
            except DatabaseError:  # the database is away or too busy: the worker does the rest
                logger.exception("batch %s was interrupted and is queued", batch.pk)
                queue(batch)
    batch.refresh_from_db()
    return batch


def queue(batch: Batch) -> None:
    """Has the worker apply what is left of a submitted batch; safe to call again for one that stands still."""
    transaction.on_commit(partial(async_task, TASK, str(batch.pk)))


def apply(batch: Batch) -> Batch:
    """Makes the edits of a submitted batch that have not been made yet, each in its own transaction.

    What fails is noted with its reason and stops no other.
    """
    return carry_on(batch, apply_edits)


def carry_on(batch: Batch, work: Callable[[Batch, "Progress"], None]) -> Batch:
    """Has `work` do what is left of a submitted batch.

    Returns when all is done, or when another worker turns out to be doing the same; does nothing for a draft
    and for a batch that is done. A database that fails as such raises, with all that was saved still true:
    call it again.
    """
    unfinished = (Batch.Status.QUEUED, Batch.Status.RUNNING)
    if Batch.objects.filter(pk=batch.pk, status__in=unfinished).update(status=Batch.Status.RUNNING):
        current = Batch.objects.select_related("user").get(pk=batch.pk)
        try:
            work(current, Progress(current))
        except TakenOver:
            logger.info("batch %s is being applied by another worker", batch.pk)
    batch.refresh_from_db()
    return batch


def apply_edits(batch: Batch, progress: "Progress") -> None:
    author = Author(user=batch.user, reason=batch.reason, batch_id=batch.pk)
    for edit in batch.plan["edits"][progress.done :]:
        try:
            with transaction.atomic():
                changed = apply_edit(edit, author)
                if changed:
                    progress.save_after(CHANGED)
        except (TakenOver, OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one show stops no other
            progress.add(FAILED, [str(edit.get("line") or edit["id"] or ""), edit["name"], reason_of(error, edit)])
        else:
            progress.add(CHANGED if changed else UNCHANGED)
        if progress.waiting >= SAVE_EVERY:
            progress.save()
    progress.finish()


def apply_edit(edit: Edit, author: Author) -> bool:
    """Whether it changed anything."""
    values, lock, unlock = edit["values"], edit.get("lock") or (), edit.get("unlock") or ()
    if edit.get("delete") and edit["id"] is not None:
        delete_show(UUID(edit["id"]), author)
        return True
    if edit["id"] is None:
        links = {name: value for name, value in values.items() if name in RELATIONS}
        show_id = create_show({name: values[name] for name in values if name not in RELATIONS}, author).pk
        changes: list[Change | None] = [edit_show(show_id, links, author)] if links else []
    else:
        show_id, version = UUID(edit["id"]), edit.get("version")
        if version is not None and (lock or unlock):
            refuse_stale(locked_row(show_id), version, {*lock, *unlock}, whole_row=False)
        changes = [edit_show(show_id, values, author, version=version)]
    if lock:
        changes.append(lock_show(show_id, lock, author))
    if unlock:
        changes.append(unlock_show(show_id, unlock, author))
    return edit["id"] is None or any(change is not None for change in changes)


class Progress:
    """How far a batch is, in memory and, by `saved`, in the database.

    An edit that changed something is saved in its own transaction. Those that changed nothing are saved with
    the next one, or in one go: if that gets lost they are tried again, which is harmless.
    """

    def __init__(self, batch: Batch) -> None:
        self.pk = batch.pk
        self.done = self.saved = batch.done
        self.counts = {CHANGED: 0, UNCHANGED: 0, FAILED: 0} | batch.counts
        self.failures = list(batch.failures)
        self.saved_failures = len(self.failures)

    @property
    def waiting(self) -> int:
        return self.done - self.saved

    def save_after(self, outcome: str) -> None:
        """Saves the state that this outcome will lead to, in the transaction that leads to it."""
        self.write(done=self.done + 1, counts={**self.counts, outcome: self.counts[outcome] + 1})

    def add(self, outcome: str, failure: list[str] | None = None) -> None:
        """Counts what has happened; a change has been saved by now."""
        self.counts[outcome] += 1
        self.done += 1
        if failure:
            self.failures.append(failure)
        if outcome == CHANGED:
            self.note_saved()

    def save(self, **more: Any) -> None:
        self.write(done=self.done, counts=self.counts, **more)
        self.note_saved()

    def finish(self) -> None:
        status = Batch.Status.FAILED if self.counts[FAILED] else Batch.Status.DONE
        self.save(status=status, finished_at=timezone.now())

    def note_saved(self) -> None:
        self.saved, self.saved_failures = self.done, len(self.failures)

    def write(self, **columns: Any) -> None:
        """Raises TakenOver where the database is no longer where this worker left it."""
        if len(self.failures) > self.saved_failures:  # they may be many: not written again without need
            columns["failures"] = self.failures
        rows = Batch.objects.filter(pk=self.pk, status=Batch.Status.RUNNING, done=self.saved)
        if not rows.update(**columns):
            raise TakenOver


def reason_of(error: Exception, edit: Edit) -> str:
    """Why an edit was not made, for the person who asked for it."""
    if isinstance(error, ChangedMeanwhile):
        names = {*edit["values"], *(edit.get("lock") or ()), *(edit.get("unlock") or ())}
        return f"{theirs(error.changes[0], names)}: left alone"
    if isinstance(error, Show.DoesNotExist):
        return "it has been deleted"
    if isinstance(error, ValidationError):
        return in_words(error)
    logger.error("an edit of %s failed", edit["id"] or edit["name"], exc_info=error)
    return f"it could not be saved; the log says why ({type(error).__name__})"


def in_words(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        " ".join(texts) if name == NON_FIELD_ERRORS else f"{label(name)}: {' '.join(texts)}"
        for name, texts in error.message_dict.items()
    )


def theirs(change: Change, names: set[str]) -> str:
    """Like `anna changed Override to SKIP at 12:03 UTC`."""
    who = change.user.get_username() if change.user else "a sync" if change.run_id else "somebody"
    what = " and ".join(new_value(name, value) for name, value in change.fields.items() if name in names)
    return f"{who} changed {what} {at(change.ts)}"


def new_value(name: str, change: Any) -> str:
    if not isinstance(change, list):
        return label(name)
    after = change[1]
    text = ", ".join(map(str, after)) if isinstance(after, list) else "" if after is None else str(after)
    return f"{label(name)} to {Truncator(text).chars(60) or 'nothing'}"


def at(moment: datetime) -> str:
    day = "" if moment.date() == timezone.now().date() else f"on {moment:%Y-%m-%d} "
    return f"{day}at {moment:%H:%M} UTC"
