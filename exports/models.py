"""The ledger of the exports: who published what and when, what it changed, and what can be published again."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ExportRun(models.Model):
    """One export. The row of one to Google is also the lock: one of them runs, and one waits for a worker."""

    class Format(models.TextChoices):
        GOOGLE = "google", "Google Sheets"
        CSV = "csv", "CSV"
        XLSX = "xlsx", "XLSX"

    class Status(models.TextChoices):
        QUEUED = "queued", "waits for a worker"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        INTERRUPTED = "interrupted", "cut off"

    format = models.CharField(choices=Format)
    status = models.CharField(choices=Status, default=Status.RUNNING)
    workbook = models.CharField(blank=True, default="", help_text="Google's id of the workbook.")
    tabs = models.JSONField(default=list, help_text="Titles of the tabs that were asked for, in order.")
    view = models.CharField(blank=True, default="", help_text="The saved view whose shows alone are exported.")
    columns = models.JSONField(default=list, blank=True, help_text="The chosen ones; empty: all.")
    force = models.BooleanField(default=False, help_text="Publishes however many rows go.")
    confirms = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="confirmed_by",
        help_text="The export that the guard stopped and that is published all the same: as much may go, and no more.",
    )
    restore_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="restores", help_text="Published again."
    )
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    host = models.CharField(blank=True, default="")
    pid = models.PositiveIntegerField(null=True, blank=True)
    version = models.CharField(blank=True, default="", help_text="Of the code that ran it.")
    asked_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    step = models.CharField(blank=True, default="", help_text="What it is doing, in words.")
    reads = models.PositiveIntegerField(default=0, help_text="Calls of Google that read.")
    writes = models.PositiveIntegerField(default=0, help_text="Calls of Google that write.")
    bytes_sent = models.PositiveBigIntegerField(default=0)
    error = models.CharField(blank=True, default="", help_text="Why it did not succeed, and what to do.")
    tripped = models.BooleanField(default=False, help_text="The guard stopped it: it would have taken too many rows.")
    link = models.CharField(blank=True, default="", help_text="Of the workbook.")

    class Meta:
        verbose_name = "export"
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("format",), condition=Q(status="running", format="google"), name="one_running_google_export"
            ),
            models.UniqueConstraint(
                fields=("format",), condition=Q(status="queued", format="google"), name="one_queued_google_export"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "succeeded", "failed", "interrupted"]),
                name="export_run_status",
            ),
            models.CheckConstraint(condition=Q(format__in=["google", "csv", "xlsx"]), name="export_run_format"),
        )
        permissions = (("publish_exportrun", "Can publish tabs to Google Sheets"),)

    def __str__(self) -> str:
        return f"export {self.pk}"


class ExportedTab(models.Model):
    """What one run found of one tab, and made of it."""

    run = models.ForeignKey(ExportRun, on_delete=models.CASCADE, related_name="exported")
    title = models.CharField(help_text="Of the tab in the workbook, or the name of the file.")
    rows = models.PositiveIntegerField(default=0, help_text="Without the header.")
    added = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    by_hand = models.PositiveIntegerField(default=0, help_text="Cells that somebody had edited in the sheet.")
    difference = models.JSONField(default=dict, blank=True, help_text="See exports.difference.Difference.as_json.")
    warnings = models.JSONField(default=list, blank=True)
    error = models.CharField(blank=True, default="", help_text="Why this tab was not published.")
    is_published = models.BooleanField(default=False, help_text="False: nothing had changed, so nothing was sent.")
    link = models.CharField(blank=True, default="")
    sheet_id = models.BigIntegerField(null=True, blank=True, help_text="Google's number of the tab, as in its link.")

    class Meta:
        ordering = ("run_id", "id")
        constraints = (models.UniqueConstraint(fields=("run", "title"), name="one_row_per_tab_of_an_export"),)

    def __str__(self) -> str:
        return f"{self.title} of export {self.run_id}"


class Snapshot(models.Model):
    """The rows that a tab was published with. Apart from ExportedTab: lists of runs must not read them."""

    exported = models.OneToOneField(ExportedTab, on_delete=models.CASCADE, primary_key=True, related_name="snapshot")
    title = models.CharField()
    is_pending = models.BooleanField(
        default=False, help_text="It was about to be published: whether it was, the sheet itself tells."
    )
    data = models.BinaryField(help_text="JSON {header: [...], rows: [[...], ...]}, packed with gzip.")

    class Meta:
        ordering = ("-exported_id",)
        indexes = (models.Index(fields=("title", "-exported"), name="snapshots_of_a_tab"),)

    def __str__(self) -> str:
        return f"{self.title} as of {self.exported_id}"
