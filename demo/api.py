"""The routes under /3: which reply TMDb gives to which question."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from demo.replies import (
    CATALOGUE_OF_ERRORS,
    Json,
    configuration_body,
    episode_row,
    error_body,
    find_body,
    is_appendable,
    list_row,
    search_row,
    without_appendable,
)
from demo.server import Reply, Request

PAGE = 100  # rows of /tv/changes
SEARCH_PAGE = 20  # rows of /search/tv
LAST_PAGE = 500
LONGEST_RANGE = timedelta(days=14)
MOST_APPENDED = 20


class World(Protocol):
    """What the API tells of, and who may ask."""

    shows: Mapping[int, Json]
    episodes: dict[str, int]
    changed: list[int]
    imdb_ids: Mapping[str, int] | None
    key: str
    bearer: str

    @property
    def image_url(self) -> str: ...


class Api:
    def __init__(self, world: World) -> None:
        self.world = world
        self.routes: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
            (re.compile(r"/3/configuration"), self.configuration),
            (re.compile(r"/3/find/([^/]+)"), self.find),
            (re.compile(r"/3/search/tv"), self.search),
            (re.compile(r"/3/tv/changes"), self.changes),
            (re.compile(r"/3/tv/(\d+)"), self.show),
            (re.compile(r"/3/tv/(\d+)/(.+)"), self.part),
        ]

    def reply(self, request: Request) -> Reply:
        if not self.is_allowed(request):
            return error(7)
        if request.method != "GET":
            return error(42)
        for pattern, answer in self.routes:
            if match := pattern.fullmatch(request.path):
                return answer(request, *match.groups())
        return error(34)

    def is_allowed(self, request: Request) -> bool:
        bearer = request.headers.get("authorization") == f"Bearer {self.world.bearer}"
        return bearer or request.params.get("api_key") == self.world.key

    def configuration(self, request: Request) -> Reply:
        return Reply(200, configuration_body(self.world.image_url))

    def find(self, request: Request, imdb_id: str) -> Reply:
        if request.params.get("external_source") != "imdb_id":
            return error(5)
        if imdb_id in self.world.episodes:
            return Reply(200, find_body([], [episode_row(self.world.episodes[imdb_id])]))
        return Reply(200, find_body([list_row(show) for show in self.shows_of(imdb_id)], []))

    def shows_of(self, imdb_id: str) -> list[Json]:
        """Every show with this IMDb id: TMDb does not promise that there is only one."""
        shows = self.world.shows
        if self.world.imdb_ids is not None:
            known = self.world.imdb_ids.get(imdb_id)
            return [shows[known]] if known is not None and known in shows else []
        return [show for show in shows.values() if show.get("external_ids", {}).get("imdb_id") == imdb_id]

    def search(self, request: Request) -> Reply:
        """Shows whose name, or original name, holds every word that is looked for; the same name first."""
        query, page = folded(request.params.get("query", "")), page_of(request)
        year = request.params.get("first_air_date_year") or request.params.get("year", "")
        if not query:
            return error(18)
        if page is None:
            return error(22)
        found = [show for show in self.world.shows.values() if is_named(show, query) and is_of(show, year)]
        found.sort(key=lambda show: query not in names_of(show))
        body = {
            "page": page,
            "results": [search_row(show) for show in found[(page - 1) * SEARCH_PAGE : page * SEARCH_PAGE]],
            "total_pages": max(1, -(-len(found) // SEARCH_PAGE)),
            "total_results": len(found),
        }
        return Reply(200, body)

    def show(self, request: Request, tmdb_id: str) -> Reply:
        wanted = frozenset(filter(None, request.params.get("append_to_response", "").split(",")))
        if len(wanted) > MOST_APPENDED:
            return error(27)
        show = self.world.shows.get(int(tmdb_id))
        return error(34) if show is None else Reply(200, without_appendable(show, wanted))

    def part(self, request: Request, tmdb_id: str, name: str) -> Reply:
        """An appendable part on its own, which unlike the appended one carries the show's id."""
        show = self.world.shows.get(int(tmdb_id))
        if show is None or name not in show or not is_appendable(name):
            return error(34)
        return Reply(200, {"id": int(tmdb_id), **show[name]})

    def changes(self, request: Request) -> Reply:
        try:
            end = parse_date(request.params.get("end_date"), datetime.now(UTC).date())
            start = parse_date(request.params.get("start_date"), end - timedelta(days=1))
        except ValueError:
            return error(23)
        if end - start > LONGEST_RANGE:
            return error(20)
        page = page_of(request)
        return error(22) if page is None else Reply(200, self.changes_page(page))

    def changes_page(self, page: int) -> Json:
        changed = list(self.world.changed)
        rows = changed[(page - 1) * PAGE : page * PAGE]
        return {
            "results": [{"id": tmdb_id, "adult": False, "softcore": False} for tmdb_id in rows],
            "page": page,
            "total_pages": max(1, -(-len(changed) // PAGE)),
            "total_results": len(changed),
        }


def page_of(request: Request) -> int | None:
    """The page that is asked for; None for one that can't be."""
    page = request.params.get("page", "1")
    return int(page) if page.isdecimal() and 1 <= int(page) <= LAST_PAGE else None


def folded(text: str) -> str:
    """Text as it is searched: without case, accents and signs."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter)).replace("'", "")
    return " ".join(re.sub(r"[^\w]+", " ", plain).split())


def names_of(show: Json) -> set[str]:
    return {folded(show.get(key) or "") for key in ("name", "original_name")}


def is_named(show: Json, query: str) -> bool:
    """Whether each word of the query begins a word of one of the show's names."""
    return any(
        all(any(word.startswith(part) for word in name.split()) for part in query.split()) for name in names_of(show)
    )


def is_of(show: Json, year: str) -> bool:
    return not year or (show.get("first_air_date") or "").startswith(f"{year}-")


def parse_date(text: str | None, default: date) -> date:
    return date.fromisoformat(text) if text else default


def error(code: int) -> Reply:
    return Reply(CATALOGUE_OF_ERRORS[code][0], error_body(code))
