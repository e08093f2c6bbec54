"""What is wrong with the exports right now: the last one failed, or readers see rows of some days ago.

Keys: run:export_sheets, stale:google_sheets.
"""

from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from exports.models import ExportRun
from exports.runs import STALE_AFTER

WHOLE: Final[dict[str, Any]] = {"view": "", "columns": [], "restore_of": None}
ENDED: Final[dict[str, str]] = {
    ExportRun.Status.FAILED: "failed",
    ExportRun.Status.INTERRUPTED: "was cut off",
}


def find_problems(now: datetime) -> dict[str, str]:
    """Each problem by its key, in words."""
    if not settings.SPREADSHEET_ID:
        return {}
    here = {"format": ExportRun.Format.GOOGLE, "workbook": settings.SPREADSHEET_ID}
    # A part, or what was published again, says nothing of the whole: who asks for it sees how it ends.
    ended = ExportRun.objects.filter(**here, **WHOLE, finished_at__isnull=False)
    last = ended.order_by("-finished_at").first()
    running = ExportRun.objects.filter(**here, status=ExportRun.Status.RUNNING)
    silent = running.filter(heartbeat_at__lt=now - STALE_AFTER).first()
    found = {}
    if silent is not None:
        found["run:export_sheets"] = (
            f"Export {silent.pk} to Google Sheets gives no sign of life since {silent.heartbeat_at:%Y-%m-%d %H:%M} "
            f"UTC. The next export closes it.{page_of(silent)}"
        )
    elif last is not None and last.status in ENDED:
        reason = " ".join(last.error.split()) or "nobody knows why"
        found["run:export_sheets"] = f"Export {last.pk} to Google Sheets {ENDED[last.status]}: {reason}{page_of(last)}"
    good = ended.filter(status=ExportRun.Status.SUCCEEDED).order_by("-finished_at").first()
    since = good.finished_at if good else None
    if since is not None and now - since > settings.ALERT_EXPORT_AGE:
        found["stale:google_sheets"] = (
            f"Readers of the workbook see rows of {since:%Y-%m-%d %H:%M} UTC: nothing was exported to Google Sheets "
            "since. Is there a schedule for it, and a worker?"
        )
    return found


def page_of(run: ExportRun) -> str:
    """A blank and the address of its page; nothing where it is not known under which one the site is."""
    path = reverse("admin:exports_exportrun_change", args=(run.pk,))
    return f" {settings.SITE_URL}{path}" if settings.SITE_URL else ""
