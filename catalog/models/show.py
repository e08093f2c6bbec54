import re
import uuid
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from catalog.search import name_key

# `\Z`, not `$`: Python's `$` also matches before a final newline, PostgreSQL's does not.
IMDB_ID = r"^tt[0-9]{7,}\Z"  # 7 digits until 2019 or so, 8 since
OVERRIDE = r"^(SKIP|Y|[0-9]{1,4})?\Z"

imdb_id_validator = RegexValidator(IMDB_ID, "An IMDb title id is tt and at least 7 digits, like tt1720601.")


# What `name_key` and `alias_keys` are made of.
NAMES = frozenset({"name", "tmdb_name", "imdb_title"})


class ShowQuerySet(models.QuerySet[Any]):
    def bulk_create(self, objs: "Iterable[Any]", *args: Any, **kwargs: Any) -> list[Any]:
        """As Django's, which does not call `save`, where the search keys are made."""
        shows = list(objs)
        for show in shows:
            show.set_search_keys()
        return super().bulk_create(shows, *args, **kwargs)


class LivingShows(models.Manager.from_queryset(ShowQuerySet)):  # type: ignore[misc]
    """Shows that are neither in the trash nor merged into another."""

    def get_queryset(self) -> "models.QuerySet[Show]":
        shows: models.QuerySet[Show] = super().get_queryset().filter(deleted_at__isnull=True)
        return shows


class Show(models.Model):
    """One show. A null column means that nothing is known, an empty list that there is none.

    `name`, `description` and the other columns that upstream fills follow upstream until an editor
    changes them; then the column stands in `locked_fields` and what upstream says is kept in
    `upstream_values`, where it can be compared and taken back.

    A deleted show stays as a row in the trash, with its ids, so that no import brings it back unasked.
    One that was merged into another is such a row too, and says into which.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField()
    description = models.TextField(null=True, blank=True)
    premiere_date = models.DateField(null=True, blank=True)

    tmdb_id = models.PositiveBigIntegerField("TMDb id", null=True, blank=True, unique=True)
    imdb_id = models.CharField("IMDb id", null=True, blank=True, unique=True, validators=[imdb_id_validator])
    tvdb_id = models.PositiveBigIntegerField("TVDB id", null=True, blank=True)
    wikidata_id = models.CharField(null=True, blank=True)
    facebook_id = models.CharField(null=True, blank=True)
    instagram_id = models.CharField(null=True, blank=True)
    twitter_id = models.CharField(null=True, blank=True)

    show_total_seasons = models.PositiveIntegerField(null=True, blank=True)
    show_total_episodes = models.PositiveIntegerField(null=True, blank=True)
    most_recent_episode_season = models.PositiveIntegerField(null=True, blank=True)
    most_recent_episode_number = models.PositiveIntegerField(null=True, blank=True)
    most_recent_episode_title = models.CharField(null=True, blank=True)
    most_recent_episode_air_date = models.DateField(null=True, blank=True)
    most_recent_episode_imdb_id = models.CharField(null=True, blank=True, validators=[imdb_id_validator])

    genres = models.JSONField(default=list, blank=True)
    keywords = models.JSONField(default=list, blank=True)
    tags = models.JSONField(default=list, blank=True)
    listed_on = models.JSONField(default=list, blank=True)

    tmdb_name = models.CharField(null=True, blank=True)
    tmdb_status = models.CharField(null=True, blank=True)
    tmdb_type = models.CharField(null=True, blank=True)
    tmdb_first_air_date = models.DateField(null=True, blank=True)
    tmdb_last_air_date = models.DateField(null=True, blank=True)
    tmdb_vote_average = models.FloatField(null=True, blank=True)
    tmdb_vote_count = models.PositiveIntegerField(null=True, blank=True)
    tmdb_popularity = models.FloatField(null=True, blank=True)

    imdb_title = models.CharField(null=True, blank=True)
    imdb_content_rating = models.CharField(null=True, blank=True)
    imdb_rating_value = models.FloatField(null=True, blank=True)
    imdb_rating_count = models.PositiveIntegerField(null=True, blank=True)
    imdb_date_published = models.DateField(null=True, blank=True)
    imdb_end_year = models.PositiveIntegerField(null=True, blank=True)

    tmdb_meta = models.JSONField(null=True, blank=True, editable=False)
    imdb_meta = models.JSONField(null=True, blank=True, editable=False)
    tmdb_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)
    imdb_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)

    needs_tmdb_resolution = models.BooleanField(default=False)
    needs_imdb_resolution = models.BooleanField(default=False)

    override = models.CharField(
        blank=True,
        default="",
        validators=[RegexValidator(OVERRIDE, "Empty, SKIP, Y, or a minimum number of episodes.")],
        help_text="Empty, SKIP (in no tab), Y (a minimum of 2 episodes), or the minimum number of episodes.",
    )
    locked_fields = models.JSONField(default=list, blank=True, editable=False)
    upstream_values = models.JSONField(default=dict, blank=True, editable=False)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="duplicates"
    )
    name_key = models.CharField(
        editable=False, default="", help_text="The name as it is searched: no case, no accents."
    )
    alias_keys = models.CharField(
        editable=False, default="", help_text="TMDb's and IMDb's names in that form, where they differ; one a line."
    )

    networks = models.ManyToManyField("catalog.Network", through="catalog.ShowNetwork", related_name="shows")
    production_companies = models.ManyToManyField(
        "catalog.ProductionCompany", through="catalog.ShowProductionCompany", related_name="shows"
    )

    all_objects = ShowQuerySet.as_manager()  # first: Django's own checks (of unique ids, of keys) must see the trash
    objects = LivingShows()

    class Meta:
        ordering = ("name", "id")
        permissions = (
            ("sync_show", "Can have shows synced"),
            ("bulk_edit_show", "Can edit many shows at once"),
            ("merge_show", "Can merge duplicate shows"),
            ("revert_show", "Can revert changes of shows"),
            ("revert_run", "Can revert a whole sync run"),
        )
        constraints = (
            models.CheckConstraint(condition=~Q(name=""), name="show_name_is_set"),
            # Whatever writes shows past `save` and forgets the key fails here.
            models.CheckConstraint(condition=~Q(name_key=""), name="show_name_key_is_set"),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | Q(deleted_at__isnull=False), name="merged_show_is_deleted"
            ),
            models.CheckConstraint(condition=Q(tmdb_id__isnull=True) | Q(tmdb_id__gte=1), name="show_tmdb_id_positive"),
            models.CheckConstraint(
                condition=Q(imdb_id__isnull=True) | Q(imdb_id__regex=IMDB_ID), name="show_imdb_id_format"
            ),
            models.CheckConstraint(
                condition=Q(most_recent_episode_imdb_id__isnull=True) | Q(most_recent_episode_imdb_id__regex=IMDB_ID),
                name="show_episode_imdb_id_format",
            ),
            models.CheckConstraint(condition=Q(override__regex=OVERRIDE), name="show_override_value"),
        )
        indexes = (
            models.Index(fields=("name", "id"), name="show_by_name"),
            models.Index(fields=("created_at", "id"), name="show_by_age"),
            models.Index(fields=("name_key",), name="show_by_name_key"),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keeps the search keys true; an update, which writes past it, takes them from `search_keys`."""
        names = kwargs.get("update_fields")
        if names is None or NAMES & set(names):
            self.set_search_keys()
            if names is not None:
                kwargs["update_fields"] = {*names, "name_key", "alias_keys"}
        super().save(*args, **kwargs)

    def set_search_keys(self) -> None:
        for name, value in search_keys(self.name, self.tmdb_name, self.imdb_title).items():
            setattr(self, name, value)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        self.set_search_keys()
        self.override = self.override.strip().upper()
        super().clean_fields(exclude=exclude)
        if self.tmdb_id == 0 and "tmdb_id" not in (exclude or ()):
            raise ValidationError({"tmdb_id": "A TMDb id is a number from 1."})

    @property
    def most_recent_episode(self) -> str | None:
        """See `episode_text`."""
        return episode_text(
            self.most_recent_episode_season,
            self.most_recent_episode_number,
            self.most_recent_episode_title,
            self.most_recent_episode_air_date,
        )

    def is_locked(self, field: str) -> bool:
        return field in self.locked_fields


def episode_text(season: int | None, number: int | None, title: str | None, air_date: date | None) -> str | None:
    """Text for people, like `S5.E3 - Title (2024-01-02)`; None where no episode is known."""
    if number is None:
        return None
    parts = [f"S{season}.E{number}"]
    if title:
        parts.append(f"- {title}")
    if air_date:
        parts.append(f"({air_date.isoformat()})")
    return " ".join(parts)


def search_keys(name: str, tmdb_name: str | None, imdb_title: str | None) -> dict[str, str]:
    """The two columns that a search looks at."""
    key = name_key(name)
    aliases = dict.fromkeys(name_key(alias) for alias in (tmdb_name, imdb_title) if alias)
    return {"name_key": key, "alias_keys": "\n".join(alias for alias in aliases if alias and alias != key)}


def is_imdb_id(text: str) -> bool:
    return re.match(IMDB_ID, text) is not None
