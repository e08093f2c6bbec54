"""How Google writes of spreadsheets. Pure."""

import re
from typing import Final

# As a browser shows it, with the id in it.
ADDRESS: Final = re.compile(r"https?://docs\.google\.com/spreadsheets/(?:u/[0-9]+/)?d/([A-Za-z0-9_-]+)(?:[/?#].*)?")


def quoted(title: str) -> str:
    """The range that is a whole tab."""
    return "'" + title.replace("'", "''") + "'"
