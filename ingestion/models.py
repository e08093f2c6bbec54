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
    """One run of one job. The row is also the job's lock: one running row a kind, and its heartbeat.

    A shared run is worked on by any number of workers, chunk by chunk; its heartbeat is that of the last of them.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "waits for a worker"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed", "finished with failures"
        STOPPED = "stopped", "stopped before its end"
        INTERRUPTED = "interrupted", "cut off"
        CANCELLED = "cancelled"

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
    error = models.CharField(blank=True, default="", help_text="Why it ends, or ended, before its end.")
    shared = models.BooleanField(default=False, help_text="Worked on by any number of workers.")
    tripped = models.BooleanField(default=False, help_text="A guard stopped it: it would have emptied too much.")
    version = models.CharField(blank=True, default="", help_text="Of the code that ran it.")
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries")
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    cancel_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
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
            models.UniqueConstraint(fields=("kind",), condition=Q(status="queued"), name="one_queued_run_per_kind"),
            models.CheckConstraint(
                condition=Q(
                    status__in=["queued", "running", "succeeded", "failed", "stopped", "interrupted", "cancelled"]
                ),
                name="sync_run_status",
            ),
        )
        permissions = (("cancel_syncrun", "Can cancel a run"),)

    def __str__(self) -> str:
        return f"run {self.pk}: {self.kind}"


class SyncChunk(models.Model):
    """A part of a shared run: the shows that one worker takes at a time. To claim it is a filtered UPDATE."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed", "given up"

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    status = models.CharField(choices=Status, default=Status.WAITING)
    work = models.JSONField(default=list, help_text="[[show id, [stages], whether its TMDb id is to be found], ...]")
    settles = models.BooleanField(default=False, help_text="Saves what was held back until the guard had seen all.")
    attempts = models.PositiveIntegerField(default=0, help_text="Counted before the work: a killed worker counts too.")
    host = models.CharField(blank=True, default="")
    pid = models.PositiveIntegerField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    seen = models.JSONField(default=dict, blank=True, help_text="For the guard: shows whose reply told a field.")
    blanked = models.JSONField(default=dict, blank=True, help_text="... and those that would lose it.")
    held = models.JSONField(default=list, blank=True, help_text="Work that waits for the guard's verdict.")

    class Meta:
        ordering = ("run_id", "number")
        constraints = (
            models.UniqueConstraint(fields=("run", "number"), name="one_chunk_per_number"),
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "running", "done", "failed"]), name="sync_chunk_status"
            ),
        )

    def __str__(self) -> str:
        return f"chunk {self.number} of run {self.run_id}: {self.status}"


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


class Worker(models.Model):
    """A worker process (`manage.py run_worker`), with its cluster: beats its heart while it lives."""

    id = models.CharField(primary_key=True, help_text="Host, process and a random part.")
    host = models.CharField()
    pid = models.PositiveIntegerField()
    version = models.CharField(blank=True, default="")
    started_at = models.DateTimeField(default=timezone.now)
    beat_at = models.DateTimeField(default=timezone.now)
    task_at = models.DateTimeField(null=True, blank=True, help_text="When it last began a task.")
    restarts = models.PositiveIntegerField(default=0, help_text="Of its cluster, by the watchdog.")
    stopping = models.BooleanField(default=False)
    note = models.CharField(blank=True, default="", help_text="Why its cluster was restarted, or why it stopped.")

    class Meta:
        ordering = ("host", "pid")

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"


class TaskAttempt(models.Model):
    """How often a queued task was begun: counted before the work, so that one that kills its worker ends some day."""

    message = models.CharField(primary_key=True, help_text="What the queue calls it.")
    func = models.CharField()
    count = models.PositiveIntegerField(default=0)
    host = models.CharField()
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("started_at",)

    def __str__(self) -> str:
        return f"{self.func}, attempt {self.count}"


class RequestBudget(models.Model):
    """The last requests to an upstream, where processes share a database and no Redis. See sources.limiter."""

    upstream = models.CharField(primary_key=True)
    taken = models.JSONField(default=list, help_text="Seconds by the database's clock, newest first.")

    def __str__(self) -> str:
        return self.upstream


class UpstreamTraffic(models.Model):
    """Requests to an upstream by their outcome, counted for ever: what /metrics tells."""

    upstream = models.CharField()
    outcome = models.CharField(help_text="A status, or what went wrong in a word.")
    requests = models.PositiveBigIntegerField(default=0)
    waited = models.FloatField(default=0.0, help_text="Seconds that they waited for their turn.")

    class Meta:
        ordering = ("upstream", "outcome")
        verbose_name_plural = "upstream traffic"
        constraints = (models.UniqueConstraint(fields=("upstream", "outcome"), name="one_row_per_outcome"),)

    def __str__(self) -> str:
        return f"{self.upstream} {self.outcome}: {self.requests}"


class Problem(models.Model):
    """Something that operators are told of: once when it begins, once when it is well again."""

    key = models.CharField(
        help_text="Of what it is, the same as long as it lasts: run:sync_shows, stale:details, queue."
    )
    text = models.CharField(help_text="What is wrong, where, and what to do.")
    since = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_told_at = models.DateTimeField(null=True, blank=True)
    telling_error = models.CharField(blank=True, default="", help_text="Why nobody could be told.")

    class Meta:
        ordering = ("-since", "-id")
        constraints = (
            models.UniqueConstraint(fields=("key",), condition=Q(ended_at=None), name="one_open_problem_per_key"),
        )

    def __str__(self) -> str:
        return self.text


class WorkbookRow(models.Model):
    """A row of the old workbook as it was read, of a tab that nothing makes use of yet. See workbook_rows."""

    tab = models.CharField()
    number = models.PositiveIntegerField(help_text="Of the row in the sheet; the header is 1.")
    cells = models.JSONField(help_text="{heading: text, number or boolean}; empty cells are left out.")
    run = models.ForeignKey(SyncRun, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("tab", "number")
        constraints = (models.UniqueConstraint(fields=("tab", "number"), name="one_row_per_number_of_a_tab"),)

    def __str__(self) -> str:
        return f"{self.tab} row {self.number}"
