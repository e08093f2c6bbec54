import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Batch(models.Model):
    """What a person did to many shows in one step: it is previewed, applied, told of, and reverted as one."""

    class Kind(models.TextChoices):
        EDIT = "edit", "bulk edit"
        CELLS = "cells", "edit in the list"
        IMPORT = "import", "file import"
        MERGE = "merge", "merge of duplicates"
        REVERT = "revert", "revert"

    class Status(models.TextChoices):
        DRAFT = "draft", "not applied"
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed", "done with failures"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(choices=Kind)
    status = models.CharField(choices=Status, default=Status.DRAFT)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(blank=True, default="")
    plan = models.JSONField(default=dict, help_text="What is to be done, in the form of its kind.")
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="Shows by outcome: changed, unchanged, failed.")
    failures = models.JSONField(default=list, help_text="[[show id or line, name, reason], ...]")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "id")
        verbose_name_plural = "batches"
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["edit", "cells", "import", "merge", "revert"]), name="batch_kind"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "queued", "running", "done", "failed"]), name="batch_status"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.total} shows, {self.created_at:%Y-%m-%d %H:%M}"
