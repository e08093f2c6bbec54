"""Which version of the code this process runs: its name for the ledger, and the migrations that it knows."""

import os
import subprocess
from functools import cache

from django.conf import settings
from django.db.migrations.loader import MigrationLoader


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


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Those of the code, which does not change while it runs."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.nodes)
