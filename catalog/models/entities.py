from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import models
from django.db.models import F, Q


class LogoQuerySet(models.QuerySet[Any]):
    def needing_logo(self) -> "LogoQuerySet":
        """Rows whose logo is not mirrored, or was mirrored from another path than upstream's of today."""
        return self.filter(logo_locked=False, tmdb_logo_path__isnull=False).filter(
            Q(hosted_logo_key__isnull=True)
            | Q(hosted_logo_path__isnull=True)
            | ~Q(hosted_logo_path=F("tmdb_logo_path"))
        )


class Logo(models.Model):
    """The logo columns of a network, a company or a provider.

    `hosted_logo_key` names the mirrored file; its URL is derived, so that another CDN costs no write.
    `hosted_logo_path` is the upstream path that the file was made from, null for one that an editor
    uploaded (then `logo_locked` is set and upstream's is left alone).
    """

    tmdb_logo_path = models.CharField(null=True, blank=True)
    hosted_logo_key = models.CharField(null=True, blank=True, editable=False)
    hosted_logo_sha256 = models.CharField(null=True, blank=True, editable=False)
    hosted_logo_content_type = models.CharField(null=True, blank=True, editable=False)
    hosted_logo_bytes = models.PositiveIntegerField(null=True, blank=True, editable=False)
    hosted_logo_etag = models.CharField(null=True, blank=True, editable=False)
    hosted_logo_at = models.DateTimeField(null=True, blank=True, editable=False)
    hosted_logo_path = models.CharField(null=True, blank=True, editable=False)
    logo_locked = models.BooleanField(default=False)
    logo_error = models.CharField(blank=True, default="", editable=False)

    objects = LogoQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def needs_logo(self) -> bool:
        """The rule of `needing_logo`, for a row in hand."""
        return (
            not self.logo_locked
            and self.tmdb_logo_path is not None
            and (not self.hosted_logo_key or self.hosted_logo_path != self.tmdb_logo_path)
        )

    @property
    def hosted_logo_url(self) -> str | None:
        """Where the mirrored logo is served; None when there is none."""
        if not self.hosted_logo_key:
            return None
        if settings.AWS_CDN_BASE_URL:
            return f"{settings.AWS_CDN_BASE_URL}/{self.hosted_logo_key}"
        return str(default_storage.url(self.hosted_logo_key))


class Network(Logo):
    id = models.PositiveBigIntegerField(primary_key=True, help_text="TMDb's id.")
    name = models.CharField()
    origin_country = models.CharField(null=True, blank=True)
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="duplicates",
        help_text="Set on a duplicate: what upstream says of this network is taken as said of that one.",
    )
    tmdb_meta = models.JSONField(null=True, blank=True, editable=False)
    tmdb_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name", "id")
        constraints = (models.CheckConstraint(condition=Q(id__gte=1), name="network_id_positive"),)

    def __str__(self) -> str:
        return " ".join(self.name.split())


class ProductionCompany(Logo):
    id = models.PositiveBigIntegerField(primary_key=True, help_text="TMDb's id.")
    name = models.CharField()
    origin_country = models.CharField(null=True, blank=True)
    tmdb_meta = models.JSONField(null=True, blank=True, editable=False)
    tmdb_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("name", "id")
        verbose_name_plural = "production companies"
        constraints = (models.CheckConstraint(condition=Q(id__gte=1), name="company_id_positive"),)

    def __str__(self) -> str:
        return " ".join(self.name.split())


class WatchProvider(Logo):
    """A service that shows can be watched on. Names are as upstream sends them (stray blanks, repeats)."""

    provider_id = models.PositiveBigIntegerField(primary_key=True, help_text="TMDb's id.")
    provider_name = models.CharField()
    display_priority = models.IntegerField(
        null=True, blank=True, help_text="The best (lowest) one seen in any region; each offer has its own."
    )
    origin_country = models.CharField(null=True, blank=True)
    tmdb_meta = models.JSONField(null=True, blank=True, editable=False)
    tmdb_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("provider_name", "provider_id")
        constraints = (models.CheckConstraint(condition=Q(provider_id__gte=1), name="provider_id_positive"),)

    def __str__(self) -> str:
        return " ".join(self.provider_name.split())
