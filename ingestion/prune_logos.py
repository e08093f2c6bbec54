"""The whole trip of `prune_logos`: deletes the stored logos that no row names and that are older than LOGO_GRACE.

The files are listed first and the names read after that: what is stored in between was not listed. Who stores a
logo does it before a row names it, and the grace period is for that gap. An old file can be named again
too, when an upstream or an editor goes back to an earlier picture: it is stored again first, which makes it young, or
its row names it. So both are looked at again right before each batch is deleted. What is left is a file that is
stored again within that very request; if its row names it later, the next run counts it among the missing.

Where too much would go, or the names do not fit the files, nothing does: more likely this is another database, or
another bucket, than that the logos are waste. There is no way round that but to delete by hand.
"""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.utils import timezone

from catalog.logo_files import (
    AT_ONCE,
    StorageError,
    StoredFile,
    logo_store,
    named_among,
    named_keys,
    printable,
)
from ingestion.checks import HALF_A_KEY_PAIR, has_half_a_key_pair
from ingestion.models import SyncRun
from ingestion.runs import Run, RunLost, start_run
from trr_site.command_line import environment_problems, first_line

log = logging.getLogger(__name__)

KIND: Final = "prune_logos"
GUARD_SHARE: Final = 0.2  # of the stored files: a run that would delete more deletes none
FEWEST: Final = 3  # one or two may always go: they are half of a small installation
STOPPED = "stopped by a signal; what was deleted is gone, the next run deletes the rest"


@dataclass
class PruneReport:
    """What was found, and what became of it. error: why the run ended before its end."""

    dry_run: bool = True
    files: int = 0
    named: int = 0  # files that a row names
    young: int = 0  # files that none names, yet
    orphans: list[StoredFile] = field(default_factory=list)  # those that go
    missing: list[str] = field(default_factory=list)  # keys that rows name, and no file is there
    done: int = 0  # orphans that were dealt with
    deleted: list[StoredFile] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    tripped: bool = False
    error: str = ""
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        return 1 if self.error or self.failures else 0

    def counts(self) -> dict[str, int]:
        return {
            "files": self.files,
            "deleted": len(self.deleted),
            "kept": self.files - len(self.deleted),
            "bytes": sum(file.bytes for file in self.deleted),
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "counts": self.counts()
            | {
                "named": self.named,
                "young": self.young,
                "orphans": len(self.orphans),
                "orphan_bytes": sum(file.bytes for file in self.orphans),
                "missing": len(self.missing),
            },
            "seconds": round(self.seconds, 1),
            "tripped": self.tripped,
            "error": self.error,
            "failures": [{"item": printable(key), "reason": reason} for key, reason in self.failures],
            "orphans": [printable(file.key) for file in self.orphans],
            "missing": [printable(key) for key in self.missing],
            "exit_code": self.exit_code,
        }


def prune_logos(
    *, delete: bool = False, user: User | None = None, interrupt: threading.Event | None = None
) -> PruneReport:
    """Deletes what no row names, or says what would go, and returns the report.

    Nothing is raised for a file that can't be deleted. Set `interrupt` and the run ends after the batch at hand.
    Raises ImproperlyConfigured, one problem a line, when nothing could be tried, and AlreadyRunning when another one
    is going on. Without `delete` nothing is written: no row of a run, no lock.
    """
    if problems := configuration_problems():
        raise ImproperlyConfigured("\n".join(problems))
    run = start_run(KIND, {"delete": True}, user) if delete else None
    return LogoPrune(run, interrupt or threading.Event()).run_to_end()


def configuration_problems() -> list[str]:
    """Why it can't be known which files to look at, or which are old: empty when all is there."""
    problems = environment_problems("AWS_", "MEDIA_", "LOGO_", "DATABASE_URL", "ENV_FILE")
    if has_half_a_key_pair():
        problems.append(HALF_A_KEY_PAIR)
    return problems


class LogoPrune:
    """One run. Its parts are called in the order in which they stand here."""

    def __init__(self, run: Run | None, interrupt: threading.Event) -> None:
        self.run, self.interrupt = run, interrupt
        self.started_at = timezone.now()
        self.store = logo_store()
        self.report = PruneReport(dry_run=run is None)

    def run_to_end(self) -> PruneReport:
        started = time.monotonic()
        status = SyncRun.Status.STOPPED
        try:
            self.prune()
            if not self.report.error:
                status = SyncRun.Status.FAILED if self.report.failures else SyncRun.Status.SUCCEEDED
            elif self.run is not None and self.run.cancelled:
                status = SyncRun.Status.CANCELLED
        except KeyboardInterrupt:
            self.report.error = STOPPED
        except StorageError as error:
            self.report.error = str(error)
        except RunLost as error:
            self.report.error = f"{error}; this one ends"
        except DatabaseError as error:
            self.report.error = f"the database is out of reach: {first_line(error)}"
            log.debug("run ended", exc_info=True)
        finally:
            self.report.seconds = time.monotonic() - started
            self.close_run(status)
        return self.report

    def close_run(self, status: SyncRun.Status) -> None:
        if self.run is None:
            return
        try:
            self.run.finish(status, error=self.report.error, tripped=self.report.tripped, **self.figures())
        except (RunLost, DatabaseError):
            log.warning("the row of run %s could not be closed; the next run closes it", self.run.id)

    def figures(self) -> dict[str, Any]:
        return {"counts": self.report.counts(), "total": len(self.report.orphans), "done": self.report.done}

    def prune(self) -> None:
        files = self.list_files()
        if self.report.error:
            return
        self.mark(files)
        self.report.error = verdict(self.report, f"{self.store}", f"{connection.settings_dict['NAME']}")
        self.report.tripped = bool(self.report.error)
        if self.run is not None and not self.report.tripped:
            self.sweep()

    def list_files(self) -> dict[str, StoredFile]:
        files: dict[str, StoredFile] = {}
        for file in self.store.files():
            files[file.key] = file
            self.report.files = len(files)
            if self.report.files % AT_ONCE == 0 and self.has_to_stop():
                break
        return files

    def mark(self, files: dict[str, StoredFile]) -> None:
        """Says of each file what it is."""
        names = named_keys()
        grown_up = self.started_at.timestamp() - settings.LOGO_GRACE.total_seconds()
        unnamed = [file for key, file in sorted(files.items()) if key not in names]
        self.report.orphans = [file for file in unnamed if file.modified < grown_up]
        self.report.named = len(files) - len(unnamed)
        self.report.young = len(unnamed) - len(self.report.orphans)
        self.report.missing = sorted(
            key
            for key, stored_at in names.items()
            if key not in files and not (stored_at and stored_at >= self.started_at)  # stored behind the listing's back
        )

    def sweep(self) -> None:
        for batch in batches(self.report.orphans):
            if self.has_to_stop():
                return
            left = self.store.unchanged(batch)
            named = named_among(file.key for file in left)
            going = [file for file in left if file.key not in named]
            refused = self.store.delete(going)
            self.report.deleted += [file for file in going if file.key not in refused]
            self.report.done += len(batch)
            self.keep_failures(list(refused.items()))
        self.store.remove_empty_folders()

    def has_to_stop(self) -> bool:
        if self.interrupt.is_set():
            self.report.error = STOPPED
        elif self.run is not None:
            self.run.beat(**self.figures())
            self.report.error = self.run.ending
        return bool(self.report.error)

    def keep_failures(self, failures: list[tuple[str, str]]) -> None:
        self.report.failures += failures
        if self.run is not None and failures:
            self.run.fail((None, printable(key), reason) for key, reason in failures)


def batches(files: list[StoredFile]) -> Iterator[list[StoredFile]]:
    for start in range(0, len(files), AT_ONCE):
        yield files[start : start + AT_ONCE]


def verdict(report: PruneReport, where: str, database: str) -> str:
    """Why nothing may be deleted, and what to do; empty when the orphans may go."""
    orphans, named = len(report.orphans), report.named + len(report.missing)
    if not orphans:
        return ""
    told = f"nothing was deleted. Is {where} that of the database {database} (AWS_S3_BUCKET, MEDIA_ROOT, DATABASE_URL)?"
    if not named:
        return (
            f"no row names a logo, and {report.files} files are stored: the database looks empty, so {told} "
            "If it is, sync first"
        )
    if len(report.missing) > named / 2:
        return (
            f"{len(report.missing)} of the {named} logos that rows name are not among the {report.files} files that "
            f"are stored, so {told} If it is, mirror them again: select them in admin, and sync"
        )
    if orphans >= FEWEST and orphans > GUARD_SHARE * report.files:
        return (
            f"{orphans} of the {report.files} stored files would go (over {GUARD_SHARE:.0%}), so {told} "
            "If it is, delete them by hand: `prune_logos -v 2` lists them"
        )
    return ""
