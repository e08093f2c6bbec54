"""The ledger of the syncs: what was done for each show, and by which run."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from catalog.models import Show


class Stage(models.TextChoices):
    RESOLVE = "resolve"
    DETAILS = "details"
    ENTITIES = "entities"
    WATCH_PROVIDERS = "watch_providers"


class SyncState(models.Model):
    """Where one stage of one show stands. A show without a row has never been tried."""

    class Status(models.TextChoices):
        OK = "ok", "up to date"
        STALE = "stale", "changed upstream"
        FAILED = "failed"
        GONE = "gone", "gone upstream"
        UNRESOLVED = "unresolved", "waits for an editor"

    show = models.ForeignKey(Show, on_delete=models.CASCADE, related_name="sync_states")
    stage = models.CharField(choices=Stage)
    status = models.CharField(choices=Status)
    attempted_at = models.DateTimeField()
    last_success_at = models.DateTimeField(null=True, blank=True)
    marker = models.CharField(blank=True, default="", help_text="Hash of the reply that was last stored.")
    asked_for = models.CharField(
        blank=True, default="", help_text="The id that it was asked by: another one makes the stage due."
    )
    last_error = models.CharField(blank=True, default="")
    attempts = models.PositiveIntegerField(default=0, help_text="Tries since the last success, or since it was gone.")

    class Meta:
        ordering = ("show_id", "stage")
        constraints = (
            models.UniqueConstraint(fields=("show", "stage"), name="one_state_per_show_and_stage"),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="sync_state_stage"),
            models.CheckConstraint(
                condition=Q(status__in=["ok", "stale", "failed", "gone", "unresolved"]), name="sync_state_status"
            ),
        )
        indexes = (models.Index(fields=("stage", "status"), name="sync_states_by_status"),)

    def __str__(self) -> str:
        return f"{self.show_id} {self.stage}: {self.status}"


class SyncRun(models.Model):
    """One run of one job. The row is also the job's lock: one running row a kind, and its heartbeat."""

    class Status(models.TextChoices):
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed", "finished with failures"
        STOPPED = "stopped", "stopped before its end"
        INTERRUPTED = "interrupted", "cut off"

    kind = models.CharField(help_text="The command or task.")
    status = models.CharField(choices=Status, default=Status.RUNNING)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    host = models.CharField()
    pid = models.PositiveIntegerField()
    options = models.JSONField(default=dict, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    total = models.PositiveIntegerField(null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    error = models.CharField(blank=True, default="")
    changes_until = models.DateTimeField(
        null=True, blank=True, help_text="TMDb's list of changes was read and its shows marked up to here."
    )
    started_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("kind",), condition=Q(status="running"), name="one_running_run_per_kind"),
            models.CheckConstraint(
                condition=Q(status__in=["running", "succeeded", "failed", "stopped", "interrupted"]),
                name="sync_run_status",
            ),
        )

    def __str__(self) -> str:
        return f"run {self.pk}: {self.kind}, {self.status}"


class SyncFailure(models.Model):
    """One thing that a run could not do, with the reason in words."""

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="failures")
    show = models.ForeignKey(Show, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    item = models.CharField(help_text="The show, logo or line, as a person would call it.")
    reason = models.CharField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.item}: {self.reason}"


class ResolutionCandidate(models.Model):
    """A TMDb show that a show of ours might be: for an editor to decide, never guessed."""

    show = models.ForeignKey(Show, on_delete=models.CASCADE, related_name="resolution_candidates")
    tmdb_id = models.PositiveBigIntegerField()
    name = models.CharField(null=True, blank=True)
    first_air_date = models.DateField(null=True, blank=True)
    networks = models.JSONField(default=list, blank=True)
    poster_path = models.CharField(null=True, blank=True)
    score = models.FloatField(help_text="0 (nothing fits) to 1 (all that is known fits).")
    reasons = models.JSONField(default=list, blank=True)
    found_at = models.DateTimeField()

    class Meta:
        ordering = ("-score", "tmdb_id")
        constraints = (
            models.UniqueConstraint(fields=("show", "tmdb_id"), name="one_row_per_candidate"),
            models.CheckConstraint(condition=Q(tmdb_id__gte=1), name="candidate_tmdb_id_positive"),
            models.CheckConstraint(condition=Q(score__gte=0) & Q(score__lte=1), name="candidate_score_range"),
        )

    def __str__(self) -> str:
        return f"{self.name or 'TMDb show'} ({self.tmdb_id}), score {self.score:.2f}"
