"""Which fields of a show a sync may fill, and which can be locked against it.

A field enters `Show.locked_fields` when a person edits it. A sync then leaves it alone and keeps what
upstream says in `Show.upstream_values`, from where unlocking takes it back.
"""

from typing import Final

# In the order in which they are shown to people.
UPSTREAM_FIELDS: Final[tuple[str, ...]] = (
    "name",
    "description",
    "premiere_date",
    "tmdb_id",
    "imdb_id",
    "tvdb_id",
    "wikidata_id",
    "facebook_id",
    "instagram_id",
    "twitter_id",
    "show_total_seasons",
    "show_total_episodes",
    "most_recent_episode_season",
    "most_recent_episode_number",
    "most_recent_episode_title",
    "most_recent_episode_air_date",
    "most_recent_episode_imdb_id",
    "genres",
    "keywords",
    "tmdb_name",
    "tmdb_status",
    "tmdb_type",
    "tmdb_first_air_date",
    "tmdb_last_air_date",
    "tmdb_vote_average",
    "tmdb_vote_count",
    "tmdb_popularity",
    "imdb_title",
    "imdb_content_rating",
    "imdb_rating_value",
    "imdb_rating_count",
    "imdb_date_published",
    "imdb_end_year",
)

# Sets of rows; their upstream values are the rows themselves and are not kept in `upstream_values`.
LOCKABLE_RELATIONS: Final[tuple[str, ...]] = ("networks", "production_companies", "watch_providers")

# No sync touches an override, but a file import fills an empty one: a lock keeps one that was emptied empty.
LOCKABLE: Final[frozenset[str]] = frozenset(UPSTREAM_FIELDS) | frozenset(LOCKABLE_RELATIONS) | {"override"}

# What people alone write: no sync touches these.
EDITORIAL_FIELDS: Final[tuple[str, ...]] = ("tags", "listed_on", "override")
RESOLUTION_FLAGS: Final[dict[str, str]] = {"tmdb_id": "needs_tmdb_resolution", "imdb_id": "needs_imdb_resolution"}

EDITABLE: Final[frozenset[str]] = (
    frozenset(UPSTREAM_FIELDS) | frozenset(EDITORIAL_FIELDS) | set(RESOLUTION_FLAGS.values())
)
