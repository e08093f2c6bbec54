"""What TMDb says, in TMDb's shapes: the replies built from our facts, the list rows, the errors."""

from collections.abc import Iterator, Mapping
from typing import Any

from demo.facts import GENRES, NETWORKS, PROVIDERS, SHOWS, Show

Json = dict[str, Any]

# The parts of a /tv/{id} reply that are sent only when append_to_response asks for them.
APPENDABLE = frozenset(
    {
        *("aggregate_credits", "alternative_titles", "changes", "content_ratings", "credits", "episode_groups"),
        *("external_ids", "images", "keywords", "lists", "recommendations", "reviews", "screened_theatrically"),
        *("similar", "translations", "videos", "watch/providers"),
    }
)
LIST_KEYS = (
    *("adult", "backdrop_path", "id", "name", "original_name", "overview", "poster_path", "original_language"),
    *("popularity", "first_air_date", "softcore", "vote_average", "vote_count", "origin_country"),
)
CATALOGUE_OF_ERRORS = {
    5: (422, "Invalid parameters: Your request parameters are incorrect."),
    7: (401, "Invalid API key: You must be granted a valid key."),
    11: (500, "Internal error: Something went wrong, contact TMDb."),
    18: (422, "query must be provided"),
    20: (422, "Invalid date range: Should be a range no longer than 14 days."),
    22: (400, "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer."),
    23: (400, "Invalid date: Format needs to be YYYY-MM-DD."),
    25: (429, "Your request count (51) is over the allowed limit of 50."),
    27: (400, "Too many append to response objects: The maximum number of remote calls is 20."),
    34: (404, "The resource you requested could not be found."),
    42: (405, "This request method is not supported for this resource."),
    46: (503, "The API is undergoing maintenance. Try again later."),
}
# Which of the codes stands for a status that a test or a demo asks for by number alone.
ERROR_OF_STATUS = {401: 7, 404: 34, 405: 42, 422: 5, 429: 25, 500: 11, 503: 46}


def error_body(code: int) -> Json:
    """TMDb's envelope; code 25 lacks `success`, as it does upstream, and a wrong parameter has one of its own."""
    message = CATALOGUE_OF_ERRORS[code][1]
    if code == 18:
        return {"errors": [message]}
    if code == 25:
        return {"status_code": code, "status_message": message}
    return {"status_code": code, "status_message": message, "success": False}


def demo_shows() -> dict[int, Json]:
    """Every show of the facts as a full /tv/{id} reply, by TMDb id. A new, independent copy each time."""
    return {show.id: show_reply(show) for show in SHOWS}


def show_reply(show: Show) -> Json:
    average, count = show.votes or (None, None)
    return {
        "adult": False,
        "backdrop_path": None,
        "created_by": [],
        "episode_run_time": [],
        "first_air_date": show.first_air_date,
        "genres": [{"id": genre, "name": GENRES[genre]} for genre in show.genres],
        "homepage": "",
        "id": show.id,
        "in_production": True if show.status == "Returning Series" else None,
        "languages": [show.language],
        "last_air_date": None,
        "last_episode_to_air": None,
        "name": show.name,
        "next_episode_to_air": None,
        "networks": [network_row(network) for network in show.networks],
        "number_of_episodes": None,
        "number_of_seasons": None,
        "origin_country": [show.country],
        "original_language": show.language,
        "original_name": show.original_name or show.name,
        "overview": show.overview,
        "popularity": None,
        "poster_path": f"/demo-poster-{show.id}.png",
        "production_companies": [],
        "production_countries": [],
        "seasons": [],
        "softcore": False,
        "spoken_languages": [],
        "status": show.status,
        "tagline": "",
        "type": show.type,
        "vote_average": average,
        "vote_count": count,
        "external_ids": external_ids(show),
        "keywords": {"results": []},
        "content_ratings": {"results": []},
        "aggregate_credits": {"cast": [], "crew": []},
        "watch/providers": {"results": {region: watch_block(show, region) for region in sorted(show.watch)}},
    }


def network_row(network_id: int) -> Json:
    network = NETWORKS[network_id]
    return {
        "id": network_id,
        "logo_path": f"/demo-network-{network_id}.png",
        "name": network.name,
        "origin_country": network.origin_country,
    }


def external_ids(show: Show) -> Json:
    """The block as it is appended: it has no `id`, unlike the reply of /tv/{id}/external_ids."""
    others = "freebase_mid freebase_id tvdb_id tvrage_id wikidata_id facebook_id instagram_id twitter_id"
    return {"imdb_id": show.imdb_id, **dict.fromkeys(others.split())}


def watch_block(show: Show, region: str) -> Json:
    link = f"https://www.themoviedb.org/tv/{show.id}/watch?locale={region}"
    offers = {
        offer_type: [provider_row(provider, region) for provider in providers]
        for offer_type, providers in show.watch[region].items()
    }
    return {"link": link, **offers}


def provider_row(provider_id: int, region: str) -> Json:
    provider = PROVIDERS[provider_id]
    return {
        "logo_path": f"/demo-provider-{provider_id}.png",
        "provider_id": provider_id,
        "provider_name": provider.name,
        "display_priority": provider.priorities.get(region, provider.priority),
    }


def without_appendable(show: Json, wanted: frozenset[str]) -> Json:
    """The reply with only those appendable parts that were asked for."""
    return {key: value for key, value in show.items() if key in wanted or not is_appendable(key)}


def is_appendable(key: str) -> bool:
    return key in APPENDABLE or key.startswith("season/")


def list_row(show: Json) -> Json:
    """A show as /find carries it: a row of the lists, and what kind of title it is."""
    return {**search_row(show), "media_type": "tv"}


def search_row(show: Json) -> Json:
    """A show as the lists carry it: genre ids, no networks, no numbers of anything."""
    row = {key: show[key] for key in LIST_KEYS if key in show}
    return {**row, "genre_ids": [genre["id"] for genre in show.get("genres") or []]}


def episode_row(show_id: int) -> Json:
    """An episode of a show as /find carries it. Its own id and name are placeholders, never facts."""
    return {
        "id": 1,
        "name": "Episode 1",
        "overview": "",
        "media_type": "tv_episode",
        "vote_average": 0.0,
        "vote_count": 0,
        "air_date": None,
        "episode_number": 1,
        "episode_type": "standard",
        "production_code": "",
        "runtime": None,
        "season_number": 1,
        "show_id": show_id,
        "still_path": None,
    }


def find_body(shows: list[Json], episodes: list[Json]) -> Json:
    return {
        "movie_results": [],
        "person_results": [],
        "tv_results": shows,
        "tv_episode_results": episodes,
        "tv_season_results": [],
    }


def configuration_body(image_url: str) -> Json:
    logo_sizes = ["w45", "w92", "w154", "w185", "w300", "w500", "original"]
    images = {"base_url": f"{image_url}/", "secure_base_url": f"{image_url}/", "logo_sizes": logo_sizes}
    return {"change_keys": [], "images": images}


def named_logos(shows: Mapping[int, Json]) -> Iterator[tuple[str, str]]:
    """(logo_path, name) of every network, company and provider, with repeats."""
    for show in shows.values():
        for row in [*(show.get("networks") or []), *(show.get("production_companies") or [])]:
            if row.get("logo_path"):
                yield row["logo_path"], row["name"]
        for block in show.get("watch/providers", {}).get("results", {}).values():
            for offers in block.values():
                for row in offers if isinstance(offers, list) else []:
                    if row.get("logo_path"):
                        yield row["logo_path"], row["provider_name"]


def named_posters(shows: Mapping[int, Json]) -> Iterator[tuple[str, str]]:
    """(poster_path, name) of every show that has a poster."""
    for show in shows.values():
        if show.get("poster_path"):
            yield show["poster_path"], show["name"]
