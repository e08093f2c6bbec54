"""The worker's doors: each takes plain values and makes one call."""

from typing import Any

from catalog import batches
from catalog.models import Batch


def apply_batch(batch_id: str) -> dict[str, Any]:
    """Applies what is left of a submitted batch; safe to run twice, and again after it was killed."""
    batch = batches.apply(Batch.objects.get(pk=batch_id))
    return {"status": batch.status, "done": batch.done, "total": batch.total, **batch.counts}
