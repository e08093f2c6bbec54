"""The worker's doors: each takes plain values and makes one call."""

from typing import Any

from catalog import batches, revert
from catalog.models import Batch


def apply_batch(batch_id: str) -> dict[str, Any]:
    """Applies what is left of a submitted batch; safe to run twice, and again after it was killed."""
    return outcome(batches.apply(Batch.objects.get(pk=batch_id)))


def apply_revert(batch_id: str) -> dict[str, Any]:
    """Does what is left of a revert; safe to run twice, and again after it was killed."""
    return outcome(revert.apply(Batch.objects.get(pk=batch_id)))


def outcome(batch: Batch) -> dict[str, Any]:
    return {"status": batch.status, "done": batch.done, "total": batch.total, **batch.counts}
