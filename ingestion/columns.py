"""Which columns of a show upstream speaks of, stage by stage, and what it says."""

from typing import Any

from catalog.models import Show
from ingestion.models import Stage
from ingestion.records import EpisodeRecord, ShowRecord


def show_columns(show: Show, record: ShowRecord, stages: frozenset[Stage]) -> dict[str, Any]:
    """Column -> upstream's value. A column that the reply does not speak of is absent."""
    columns: dict[str, Any] = {}
    if Stage.DETAILS in stages:
        columns |= detail_columns(record) | episode_columns(show, record.last_episode)
        if record.keywords is not None:
            columns["keywords"] = list(record.keywords)
    if record.external_ids is not None and stages & {Stage.DETAILS, Stage.RESOLVE}:
        ids = record.external_ids
        columns |= {
            "imdb_id": ids.imdb_id,
            "tvdb_id": ids.tvdb_id,
            "wikidata_id": ids.wikidata_id,
            "facebook_id": ids.facebook_id,
            "instagram_id": ids.instagram_id,
            "twitter_id": ids.twitter_id,
        }
    return columns


def detail_columns(record: ShowRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "description": record.overview,
        "premiere_date": record.first_air_date,
        "show_total_seasons": record.number_of_seasons,
        "show_total_episodes": record.number_of_episodes,
        "genres": list(record.genres),
        "tmdb_name": record.name,
        "tmdb_status": record.status,
        "tmdb_type": record.type,
        "tmdb_first_air_date": record.first_air_date,
        "tmdb_last_air_date": record.last_air_date,
        "tmdb_vote_average": record.vote_average,
        "tmdb_vote_count": record.vote_count,
        "tmdb_popularity": record.popularity,
    }


def episode_columns(show: Show, episode: EpisodeRecord | None) -> dict[str, Any]:
    """The most recent episode. TMDb does not tell its IMDb id, so that of another episode is cleared.

    Season and number that an editor has set stay, and so the show keeps that episode, and its id.
    """
    season, number = (episode.season_number, episode.episode_number) if episode else (None, None)
    columns: dict[str, Any] = {
        "most_recent_episode_season": season,
        "most_recent_episode_number": number,
        "most_recent_episode_title": episode.title if episode else None,
        "most_recent_episode_air_date": episode.air_date if episode else None,
    }
    numbers = ("most_recent_episode_season", "most_recent_episode_number")
    if any(getattr(show, name) != columns[name] and not show.is_locked(name) for name in numbers):
        columns["most_recent_episode_imdb_id"] = None
    return columns
