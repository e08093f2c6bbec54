from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from .batch import Batch
from .show import Show


class Kind(models.TextChoices):
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    MERGED = "merged"
    COMMENTED = "commented"


class Change(models.Model):
    """One change of one show, written in the transaction that makes it and never edited.

    `fields` maps a name to `[before, after]`; a set to `{"added": [...], "removed": [...]}`, with `at` where
    the removed ones had stood. Who made it is a user, or a run of a job (its id in ingestion: the catalogue
    does not know that app). Changes that were made in one step, by one click, have the same `batch`. A
    comment is a change of no field, with its text as the reason; the feed leaves it out.
    """

    Kind = Kind

    id = models.BigAutoField(primary_key=True)
    ts = models.DateTimeField(default=timezone.now)
    show = models.ForeignKey(Show, on_delete=models.DO_NOTHING, db_constraint=False, related_name="changes")
    kind = models.CharField(choices=Kind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="catalog_changes"
    )
    run_id = models.PositiveBigIntegerField(null=True, blank=True, db_index=True)
    batch = models.ForeignKey(
        Batch, null=True, blank=True, on_delete=models.PROTECT, related_name="changes", db_index=False
    )
    reason = models.CharField(blank=True, default="")
    fields = models.JSONField(default=dict)
    volatile = models.BooleanField(default=False, help_text="Votes and popularity alone.")

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="change_kind"),
            models.CheckConstraint(
                condition=Q(user__isnull=True) | Q(run_id__isnull=True), name="change_has_one_author"
            ),
        )
        indexes = (
            models.Index(fields=("show", "-id"), name="changes_of_a_show"),
            models.Index(fields=("batch",), condition=Q(batch__isnull=False), name="changes_of_a_batch"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.show_id}: {', '.join(self.fields)}"
