from django.db import models
from django.db.models import F, Q

from .entities import Network, ProductionCompany, WatchProvider
from .show import Show


class Source(models.TextChoices):
    TMDB = "tmdb", "TMDb"
    EDITOR = "editor", "Editor"


class OrderedLink(models.Model):
    """A show's link to an entity, in upstream's order; an editor's own links outlive a sync."""

    position = models.PositiveIntegerField()
    source = models.CharField(choices=Source, default=Source.TMDB)

    class Meta:
        abstract = True
        ordering = ("position", "id")


class ShowNetwork(OrderedLink):
    show = models.ForeignKey(Show, on_delete=models.CASCADE, related_name="show_networks")
    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="show_networks")

    class Meta(OrderedLink.Meta):
        constraints = (
            models.UniqueConstraint(fields=("show", "network"), name="one_row_per_show_and_network"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="show_network_source"),
        )

    def __str__(self) -> str:
        return f"{self.show_id} {self.network_id}"


class ShowProductionCompany(OrderedLink):
    show = models.ForeignKey(Show, on_delete=models.CASCADE, related_name="show_companies")
    company = models.ForeignKey(ProductionCompany, on_delete=models.PROTECT, related_name="show_companies")

    class Meta(OrderedLink.Meta):
        constraints = (
            models.UniqueConstraint(fields=("show", "company"), name="one_row_per_show_and_company"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="show_company_source"),
        )

    def __str__(self) -> str:
        return f"{self.show_id} {self.company_id}"


class ShowWatchProvider(models.Model):
    """One offer: a show can be watched in a region, in one way, on one provider. (Data: JustWatch.)"""

    show = models.ForeignKey(Show, on_delete=models.CASCADE, related_name="watch_providers")
    region = models.CharField(help_text="ISO 3166-1 code, like US.")
    offer_type = models.CharField(help_text="flatrate, buy, rent, ads, free, or whatever upstream adds.")
    provider = models.ForeignKey(WatchProvider, on_delete=models.PROTECT, related_name="offers")
    display_priority = models.IntegerField(null=True, blank=True)
    link = models.CharField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    fetched_at = models.DateTimeField(help_text="When this row was last written.")

    class Meta:
        ordering = ("region", "offer_type", F("display_priority").asc(nulls_last=True), "provider_id")
        constraints = (
            models.UniqueConstraint(fields=("show", "region", "offer_type", "provider"), name="one_row_per_offer"),
            models.CheckConstraint(condition=~Q(region="") & ~Q(offer_type=""), name="offer_has_region_and_type"),
        )

    def __str__(self) -> str:
        return f"{self.region} {self.offer_type} {self.provider_id}"


class PastWatchProvider(models.Model):
    """An offer that has ended: it was seen from `first_seen_at` to `last_seen_at`."""

    show = models.ForeignKey(Show, on_delete=models.CASCADE, related_name="past_watch_providers")
    region = models.CharField()
    offer_type = models.CharField()
    provider = models.ForeignKey(WatchProvider, on_delete=models.PROTECT, related_name="past_offers")
    display_priority = models.IntegerField(null=True, blank=True)
    link = models.CharField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ("region", "offer_type", "provider_id", "-last_seen_at")

    def __str__(self) -> str:
        return f"{self.region} {self.offer_type} {self.provider_id}"
