"""No secret in any log line, whoever wrote it."""

import logging
from urllib.parse import quote, quote_plus

from django.conf import settings

MASK = "[secret]"


def mask_secrets(text: str) -> str:
    """`text` with every known secret masked, as it is and as it stands in a URL."""
    for secret in settings.SECRETS:
        for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
            text = text.replace(form, MASK)
    return text


class SecretFormatter(logging.Formatter):
    """Masks the finished line, so that arguments and tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_secrets(super().format(record))


class SecretFilter(logging.Filter):
    """Masks a record at its source, for handlers that are not ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_secrets(record.getMessage()), None
        return True
