"""What an upstream says of a failure, as a message or a pause."""

from urllib3.util import Retry

from trr_site.logs import mask_secrets


def parse_retry_after(value: str | None, most: int = 60) -> float | None:
    """Seconds to wait, from a number or an HTTP date, `most` at most; None when absent or unreadable."""
    if value is None:
        return None
    try:
        return Retry(retry_after_max=most).parse_retry_after(value)
    except Exception:  # noqa: BLE001  a header is no reason to fail, whatever stands in it
        return None


def readable(text: str, length: int = 200) -> str:
    """One short line of what upstream says: without secrets, which it may echo, and without control characters."""
    line = "".join(char if char.isprintable() else " " for char in mask_secrets(text))  # masked before it is cut
    return " ".join(line.split())[:length]
