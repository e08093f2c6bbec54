"""TMDb's API v3, one method per question. Replies come back as decoded JSON; ingestion.parse reads them."""

import threading
from datetime import date

import orjson
import requests
from django.conf import settings
from requests.auth import AuthBase

from ingestion.sources.http import HttpClient, Traffic, excerpt
from ingestion.sources.limiter import shared_limiter

MAX_REPLY = 20 * 1024 * 1024  # bytes; the largest recorded reply, with every block appended, is 2 MB
MAX_LOGO = 5 * 1024 * 1024  # bytes
APPENDED_TO_SHOW = ("external_ids", "keywords")
WATCH_PROVIDERS = "watch/providers"


class BearerAuth(AuthBase):
    """A v4 read access token. https://developer.themoviedb.org/docs/authentication-application"""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class ApiKeyAuth(AuthBase):
    """A v3 key, which TMDb takes in the query string only. It is added last, so no message of ours holds it."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.prepare_url(request.url, {"api_key": self.key})
        return request


def decode_json(body: bytes) -> object:
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError(f"the reply is not JSON: it starts with {excerpt(body)!r}") from None
    if b"\\u0000" not in body:
        return value
    try:
        return without_nul(value)
    except RecursionError:
        raise ValueError("the reply is nested too deeply") from None


def without_nul(value: object) -> object:
    """The value without NUL characters, which PostgreSQL can store neither as text nor as JSON."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    return value


class TmdbClient:
    """Every question that is asked of TMDb. Methods raise what HttpClient.get raises."""

    def __init__(self, stop: threading.Event | None = None, *, tries: int = 5) -> None:
        token, key = settings.TMDB_BEARER_TOKEN, settings.TMDB_API_KEY
        stop = stop or threading.Event()
        self.api = HttpClient(
            max_bytes=MAX_REPLY,
            auth=BearerAuth(token) if token else ApiKeyAuth(key),
            limiter=shared_limiter(settings.TMDB_REQUESTS_PER_SECOND),
            tries=tries,
            backoff=settings.TMDB_BACKOFF,
            stop=stop,
        )
        # Images come from another host, which has no documented rate; the connections bound them.
        self.images = HttpClient(max_bytes=MAX_LOGO, tries=3, backoff=settings.TMDB_BACKOFF, stop=stop)

    @property
    def requests_made(self) -> int:
        return self.api.requests_made

    def traffic(self) -> dict[str, dict[str, Traffic]]:
        """What was asked since the last call, by upstream and outcome."""
        return {"tmdb": self.api.take_traffic(), "tmdb images": self.images.take_traffic()}

    def close(self) -> None:
        self.api.close()
        self.images.close()

    def fetch_find(self, imdb_id: str) -> object:
        """https://developer.themoviedb.org/reference/find-by-id"""
        return self._get(f"/find/{imdb_id}", external_source="imdb_id")

    def fetch_search(self, name: str, year: int | None = None, page: int = 1) -> object:
        """https://developer.themoviedb.org/reference/search-tv; `year` is that of the first air date."""
        params = {"query": name, "page": str(page)}
        if year is not None:
            params["first_air_date_year"] = str(year)
        return self._get("/search/tv", **params)

    def fetch_show(self, tmdb_id: int, append: tuple[str, ...]) -> object:
        """https://developer.themoviedb.org/reference/tv-series-details, with blocks appended (20 at most)."""
        return self._get(f"/tv/{tmdb_id}", append_to_response=",".join(append))

    def fetch_watch_providers(self, tmdb_id: int) -> object:
        """https://developer.themoviedb.org/reference/tv-series-watch-providers"""
        return self._get(f"/tv/{tmdb_id}/watch/providers")

    def fetch_changes(self, start: date, end: date, page: int) -> object:
        """https://developer.themoviedb.org/reference/changes-tv-list; 14 days at most."""
        return self._get("/tv/changes", start_date=start.isoformat(), end_date=end.isoformat(), page=str(page))

    def fetch_image(self, path: str) -> bytes:
        """An image in its original size. An SVG is asked for as PNG: TMDb draws it, and no script is stored.

        https://developer.themoviedb.org/docs/image-basics
        """
        stem, dot, extension = path.rpartition(".")
        if extension.lower() == "svg":
            path = f"{stem}{dot}png"
        return self.images.get(f"{settings.TMDB_IMAGE_URL}/original{path}")

    def _get(self, path: str, **params: str) -> object:
        return self.api.get(f"{settings.TMDB_API_URL}{path}", params, decode_json)
