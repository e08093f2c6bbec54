"""What a failed task leaves in the database: django-q2 keeps the text of its exception, which may hold a secret."""

from typing import Any

from trr_site.logs import mask_secrets


def mask_result(task: dict[str, Any], **kwargs: Any) -> None:
    """In the worker, after a task and before its result is kept. What a good task returns is its own affair."""
    if isinstance(result := task.get("result"), str) and not task.get("success"):
        task["result"] = mask_secrets(result)
