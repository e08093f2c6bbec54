"""What people paste to name a show: an id or an address of TMDb or IMDb. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ingestion.shapes import MAX_ID

TMDB_HOSTS = frozenset({"themoviedb.org", "tmdb.org"})
IMDB_HOSTS = frozenset({"imdb.com"})
TMDB_ID = re.compile(r"[0-9]{1,19}")
IMDB_ID = re.compile(r"tt[0-9]{7,20}", re.IGNORECASE)
TMDB_PATH = re.compile(r"/tv/([0-9]{1,19})(?:-[^/]*)?(?:/.*)?")
IMDB_PATH = re.compile(r"(?:/[a-z]{2}(?:-[a-z]{2})?)?/title/(tt[0-9]{7,20})(?:/.*)?", re.IGNORECASE)

EXPECTED = (
    "Paste the id or the address of a series, like 32390, themoviedb.org/tv/32390, tt1720601 or "
    "imdb.com/title/tt1720601."
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Exactly one of the two ids."""

    tmdb_id: int | None = None
    imdb_id: str | None = None


def parse_reference(text: str) -> Reference | None:
    """The series that a pasted text names; None when it names none."""
    text = text.strip()
    if TMDB_ID.fullmatch(text):
        return tmdb_reference(text)
    if IMDB_ID.fullmatch(text):
        return Reference(imdb_id=text.lower())
    site, path = site_and_path(text)
    if site in TMDB_HOSTS and (match := TMDB_PATH.fullmatch(path)):
        return tmdb_reference(match[1])
    if site in IMDB_HOSTS and (match := IMDB_PATH.fullmatch(path)):
        return Reference(imdb_id=match[1].lower())
    return None


def reference_problem(text: str) -> str:
    """Why a text names no series, for the one who pasted it."""
    text = text.strip()
    site, path = site_and_path(text)
    if site in TMDB_HOSTS and re.match(r"/movie/", path):
        return f"This is a film on TMDb, not a series. {EXPECTED}"
    if (site in TMDB_HOSTS and re.match(r"/person/", path)) or "/name/nm" in path or re.fullmatch(r"nm[0-9]+", text):
        return f"This is a person, not a series. {EXPECTED}"
    return f"This names no series of TMDb or IMDb. {EXPECTED}"


def tmdb_reference(digits: str) -> Reference | None:
    number = int(digits)
    return Reference(tmdb_id=number) if 0 < number <= MAX_ID else None


def site_and_path(text: str) -> tuple[str, str]:
    """`https://m.imdb.com/title/tt1/?ref=x` -> (`imdb.com`, `/title/tt1/`); the scheme may be left out."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host = (parts.hostname or "").lower()
    except ValueError:  # an unfinished [IPv6] address
        return "", ""
    if parts.scheme not in ("http", "https"):
        return "", ""
    return re.sub(r"^(www|m)\.", "", host), parts.path
