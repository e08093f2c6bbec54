"""The worker's door to reverts that are too long for a request."""

from typing import Any

from catalog import revert
from catalog.models import Batch


def apply_revert(batch_id: str) -> dict[str, Any]:
    """Does what is left of a revert; safe to run twice, and again after it was killed."""
    batch = Batch.objects.get(pk=batch_id)
    revert.apply(batch)
    batch.refresh_from_db()
    return {"status": batch.status, "done": batch.done, "total": batch.total, **batch.counts}
