from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django_q.models import OrmQ

from catalog.batches import draft, submit
from catalog.models import Batch, Change, Show
from catalog.tasks import apply_batch

pytestmark = pytest.mark.django_db


def queued(editor: Any, count: int, capture: Any) -> tuple[Batch, dict[str, Any]]:
    """A batch with a task in the broker, and that task."""
    Show.objects.bulk_create([Show(name=f"{number}", name_key=f"{number}") for number in range(count)])
    edits = [{"id": str(show.pk), "name": show.name, "values": {"override": "SKIP"}} for show in Show.objects.all()]
    with capture(execute=True):
        batch = submit(draft(Batch.Kind.EDIT, editor, edits))
    return batch, OrmQ.objects.get().task


@pytest.mark.once
def test_a_batch_of_1000_is_queued_and_done_by_its_task(editor: Any, django_capture_on_commit_callbacks: Any) -> None:
    batch, task = queued(editor, 1000, django_capture_on_commit_callbacks)
    assert (batch.status, task["func"]) == ("queued", "catalog.tasks.apply_batch")

    result = apply_batch(*task["args"], **task["kwargs"])

    assert result == {"status": "done", "done": 1000, "total": 1000, "changed": 1000, "unchanged": 0, "failed": 0}
    assert Show.objects.filter(override="SKIP").count() == 1000


def test_a_task_that_is_delivered_twice_changes_nothing_more(
    editor: Any, django_capture_on_commit_callbacks: Any
) -> None:
    _, task = queued(editor, 501, django_capture_on_commit_callbacks)

    first = apply_batch(*task["args"])
    second = apply_batch(*task["args"])

    assert first == second
    assert Change.objects.count() == 501


def test_a_malformed_id_is_refused(db: None) -> None:
    with pytest.raises(ValidationError):
        apply_batch("no id")
