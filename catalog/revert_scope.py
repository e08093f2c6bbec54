"""What a revert takes back: which Changes belong to it, and whether they are all there yet."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db.models import QuerySet

from catalog.changes import plain
from catalog.models import Batch, Change, Show
from catalog.models.change import Kind

FILTERS: Final = {"change": "pk", "batch": "batch_id", "run": "run_id"}
OPEN: Final = (Batch.Status.QUEUED, Batch.Status.RUNNING)

# Whether a run is still at work, by its id: the app that knows the runs appends to it.
is_running: list[Callable[[int], bool]] = []


def changes_of(what: Mapping[str, Any]) -> QuerySet[Change]:
    """The changes of `{"change": id}`, `{"batch": id}` or `{"run": id}`; `{"since": id}`: a change and all since.

    A change that gave its show another TMDb id stands for what runs have brought under that id, too; these
    are looked up now, unless `along` says which.
    """
    if "change" in what:
        along = what["along"] if "along" in what else brought_by(what["change"])
        return Change.objects.filter(pk__in=[what["change"], *along])
    if "since" in what:
        show_id = Change.objects.filter(pk=what["since"]).values("show_id")
        return Change.objects.filter(show_id__in=show_id, pk__gte=what["since"])
    return Change.objects.filter(**{FILTERS[name]: value for name, value in what.items()})


def settled(what: Mapping[str, Any]) -> dict[str, Any]:
    """`what` as a batch keeps it, with what a change takes along."""
    along = brought_by(what["change"]) if "change" in what else []
    return {name: plain(value) for name, value in what.items()} | ({"along": along} if along else {})


def took(of: Mapping[str, Any], change: Change) -> bool:
    """Whether an older change of the same show was among those that a revert `of` (as it is settled) took back."""
    if "since" in of:
        return bool(change.pk >= of["since"])
    if "change" in of:
        return change.pk == of["change"] or change.pk in of.get("along", ())
    if "batch" in of:
        return bool(str(change.batch_id) == of["batch"])
    return bool(change.run_id == of.get("run", 0))


def brought_by(change_id: int) -> list[int]:
    """The changes that runs have made since a change gave its show another TMDb id, and so because of that id.

    None where the id stays whatever is reverted: somebody has decided on it since, or its former one is another
    show's now.
    """
    change = Change.objects.filter(pk=change_id, kind=Kind.UPDATED).select_related("batch").first()
    ids = change.fields.get("tmdb_id") if change else None
    if change is None or not isinstance(ids, list) or ids[0] == ids[1] or is_of_merge(change.batch):
        return []
    if ids[0] is not None and Show.all_objects.filter(tmdb_id=ids[0]).exclude(pk=change.show_id).exists():
        return []
    found = []
    for newer in Change.objects.filter(show_id=change.show_id, pk__gt=change.pk, kind=Kind.UPDATED).order_by("pk"):
        if "tmdb_id" in newer.fields or "tmdb_id" in (newer.fields.get("locked_fields") or {}).get("added", ()):
            return []
        if newer.run_id is not None:
            found.append(newer.pk)
    return found


def is_of_merge(batch: Batch | None) -> bool:
    """Whether a batch is the merge of two shows, or the undoing of one."""
    return batch is not None and (
        batch.kind == Batch.Kind.MERGE or (batch.kind == Batch.Kind.REVERT and "batch" in batch.plan)
    )


def still_going_on(what: Mapping[str, Any]) -> str:
    """Why a batch or run can't be reverted yet, in words; empty when it can."""
    if "run" in what and any(runs(what["run"]) for runs in is_running):
        return f"Run {what['run']} is still going on. Revert it when it has ended: it would go on changing shows."
    batch = (
        Batch.objects.filter(pk=what["batch"], status__in=OPEN).defer("plan", "failures").first()
        if "batch" in what
        else None
    )
    if batch is None:
        return ""
    return (
        f"This {batch.get_kind_display()} is still going on: {batch.done} of {batch.total} shows are done. "
        "Revert it when it has ended; if it stands still, its page can queue it again."
    )
