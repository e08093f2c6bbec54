from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class AccessEvent(models.Model):
    """Who came in, who was kept out, and whose rights were changed by whom. Written once, never edited."""

    class Kind(models.TextChoices):
        LOGIN = "login", "logged in"
        LOGOUT = "logout", "logged out"
        FAILED = "failed", "failed to log in"
        LOCKED_OUT = "locked_out", "locked out"
        RIGHTS = "rights", "rights changed"

    id = models.BigAutoField(primary_key=True)
    ts = models.DateTimeField(default=timezone.now)
    kind = models.CharField(choices=Kind)
    username = models.CharField(help_text="Of whom; as it was typed where the login failed.")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    address = models.CharField(blank=True, default="", help_text="The IP address it came from.")
    detail = models.CharField(blank=True, default="")

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["login", "logout", "failed", "locked_out", "rights"]), name="access_event_kind"
            ),
        )

    def __str__(self) -> str:
        return f"{self.username}: {self.get_kind_display()}"
