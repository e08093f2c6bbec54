"""Which version of the code this process runs, for the ledger: a run, a worker and a log line name it."""

import os
import subprocess
from functools import cache

from django.conf import settings


@cache
def code_version() -> str:
    """TRR_VERSION, which an image carries; else the commit of a checkout; else nothing."""
    if version := os.environ.get("TRR_VERSION", "").strip():
        return version
    command = ["git", "-C", str(settings.BASE_DIR), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
