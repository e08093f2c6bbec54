"""Log lines: JSON or plain text, and no secret in any of them, whoever wrote it."""

import copy
import json
import logging
import logging.config
import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.conf import settings

MASK = "[secret]"
# What every record has; anything beside it was given as `extra`. Django's extra `request` is an object for handlers.
OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "request"}


def configure(config: dict[str, Any]) -> None:
    """settings.LOGGING_CONFIG. Warnings become log lines, and a failing handler prints no raw arguments to stderr."""
    logging.config.dictConfig(config)
    logging.captureWarnings(True)
    logging.raiseExceptions = False


def mask_secrets(text: str) -> str:
    """`text` with every known secret masked, as it is and however much of it a URL or JSON has escaped."""
    secrets = tuple(settings.SECRETS)
    return secrets_pattern(secrets).sub(MASK, text) if secrets else text


@lru_cache(maxsize=8)
def secrets_pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(secrets, key=len, reverse=True)
    return re.compile("|".join("".join(map(any_form, secret)) for secret in longest_first))


def any_form(char: str) -> str:
    """A pattern for a character: as it is, percent-encoded, or escaped by JSON or Python's repr, also twice."""
    forms = ["".join(f"%{byte:02x}" for byte in char.encode(errors="surrogatepass"))]
    escaped = {"/": r"\/", "'": r"\'"}.get(char, json.dumps(char)[1:-1])
    if escaped != char:
        forms.append(r"\\{1,8}" + re.escape(escaped[1:]))
    plain = "[ +]" if char == " " else re.escape(char)
    return f"(?:(?i:{'|'.join(forms)})|{plain})"


def message_of(record: logging.LogRecord) -> str:
    """Its text; a call whose arguments do not fit is told as such, where logging would print a traceback."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  whatever an argument's __str__ raises
        return f"{record.msg} (a log call whose arguments do not fit: {record.args!r})"


class SecretFormatter(logging.Formatter):
    """Masks the finished line, so that arguments and tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)  # other handlers get it as it was
        record.msg, record.args = message_of(record), None
        return mask_secrets(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, logger, message, process, what was given as `extra`, an exception's text."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "ts": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            "process": record.process,
        }
        for name, value in vars(record).items():
            if name not in OF_EVERY_RECORD:
                line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        # Masked before the line is made of it: JSON must still be JSON where a secret is a number.
        return json.dumps({mask_secrets(name): masked(value) for name, value in line.items()})


def masked(value: Any) -> Any:
    """A number or truth value as it is, anything else as text; nothing that is or holds a secret."""
    try:
        told = str(value)
    except Exception:  # noqa: BLE001  it is somebody else's object
        return f"a {type(value).__name__}"
    text = mask_secrets(told)
    is_plain = value is None or (isinstance(value, int | float) and math.isfinite(value))
    return value if is_plain and text == told else text


class SecretFilter(logging.Filter):
    """Masks a record at its source, for handlers that are not ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_secrets(message_of(record)), None
        return True
