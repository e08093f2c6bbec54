"""What every command has in common: its exit codes, its arguments, and that it never ends in a traceback.

Exit codes: 0 all done; 1 some items failed, each named on stderr; 2 wrong usage or configuration, nothing
was tried; 3 another run of the same kind is going on.
"""

import signal
import threading
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor


class TextOutput(Protocol):
    """What a command's stdout and stderr can do."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...

    def isatty(self) -> bool: ...


def environment_problems(*names: str) -> list[str]:
    """What is malformed among the variables whose names begin so."""
    return [problem for problem in settings.ENVIRONMENT_ERRORS if problem.startswith(names)]


def database_problems() -> list[str]:
    return environment_problems("DATABASE_URL", "ENV_FILE")


def check_database() -> None:
    """Raises CommandError with exit code 2 when the database is not there, or not up to date."""
    reason = "\n".join(database_problems())
    if reason:
        raise CommandError(reason, returncode=2)
    try:
        if has_pending_migrations():
            reason = "the database is not up to date: run `manage.py migrate`"
    except DatabaseError as error:
        reason = f"no connection to the database {database_name()} ({first_line(error)})"
    if reason:
        raise CommandError(reason, returncode=2)


def has_pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def database_name() -> str:
    """Which database, without user and password."""
    config = connection.settings_dict
    host = config.get("HOST")
    return f"{config['NAME']} on {host}:{config.get('PORT') or 5432}" if host else str(config["NAME"])


@contextmanager
def one_line_errors() -> Iterator[None]:
    """A database that goes away is a line and exit code 1, not a traceback."""
    reason = ""
    try:
        yield
    except DatabaseError as error:
        reason = f"the database {database_name()} failed: {first_line(error)}"
    if reason:
        raise CommandError(reason, returncode=1)


@contextmanager
def signals_as_event() -> Iterator[threading.Event]:
    """SIGTERM and Ctrl-C set the event, for the run to end where it is safe; a second signal ends it on the spot.

    An exception out of a signal handler can hit Django in the middle of a commit: then the connection stays
    in a transaction that nobody ends, and all that the run writes after it is lost without a word.
    """
    event = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():  # whoever runs that has its own way to stop
        yield event
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def first_line(error: Exception) -> str:
    """A database's error without the statement and the hints that it appends."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def argument(read: Callable[[str], Any], expected: str) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not {expected}") from None

    return convert


def read_positive(text: str) -> int:
    number = int(text)
    if not 1 <= number < 2**63:
        raise ValueError
    return number


positive = argument(read_positive, "a whole number above 0")
