"""No secret in any log line, whoever wrote it."""

import logging
import re
from functools import lru_cache

from django.conf import settings

MASK = "[secret]"


def mask_secrets(text: str) -> str:
    """`text` with every known secret masked, as it is and however much of it a URL or JSON has escaped."""
    secrets = tuple(settings.SECRETS)
    return secrets_pattern(secrets).sub(MASK, text) if secrets else text


@lru_cache(maxsize=8)
def secrets_pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(secrets, key=len, reverse=True)
    return re.compile("|".join("".join(map(any_form, secret)) for secret in longest_first))


def any_form(char: str) -> str:
    """A pattern for a character, as it is, percent-encoded, or with JSON's optional backslash."""
    percent = "".join(f"%{byte:02x}" for byte in char.encode())
    plain = {" ": "[ +]", "/": r"\\?/"}.get(char, re.escape(char))
    return f"(?:{plain}|(?i:{percent}))"


class SecretFormatter(logging.Formatter):
    """Masks the finished line, so that arguments and tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_secrets(super().format(record))


class SecretFilter(logging.Filter):
    """Masks a record at its source, for handlers that are not ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_secrets(record.getMessage()), None
        return True
