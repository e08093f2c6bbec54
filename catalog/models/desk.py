"""What the desk keeps for its editors: their views of the list, and what they decided about the inbox."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class SavedView(models.Model):
    """A named choice of filters, order and columns of the list of shows; its address is `?filter=slug`."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    shared = models.BooleanField(default=True, help_text="Listed for every editor; its link works for all in any case.")
    params = models.JSONField(default=dict, blank=True, help_text="Parameters of the list, like {'status': 'Ended'}.")
    columns = models.JSONField(default=list, blank=True, help_text="Names of the columns; empty: the usual ones.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name", "id")
        constraints = (models.CheckConstraint(condition=~Q(slug=""), name="saved_view_has_slug"),)

    def __str__(self) -> str:
        return self.name


class ReviewMark(models.Model):
    """What people decided about one item of the inbox. `key` names the item within its queue."""

    queue = models.CharField()
    key = models.CharField()
    later_until = models.DateTimeField(null=True, blank=True, help_text="Not shown before.")
    dismissed = models.BooleanField(default=False, help_text="Not shown again, as long as the key is the same.")
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="review_marks"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ts = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("queue", "key")
        constraints = (models.UniqueConstraint(fields=("queue", "key"), name="one_mark_per_item"),)

    def __str__(self) -> str:
        return f"{self.queue} {self.key}"
