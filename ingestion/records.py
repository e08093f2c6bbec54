"""What an upstream reply says, in our words: frozen, typed, no Django and no HTTP.

`parse.py` makes these; `persist.py` and `matching.py` read them. An empty tuple is a statement of upstream
("no networks"); None in the place of a tuple says that the reply was not asked for that part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


class InvalidRecord(ValueError):
    """A reply that can't be used; `str(error)` is the reason.

    Example: "networks[2].id is 'abc' (str), not a positive integer below 2**63". One line, a few hundred
    characters at most, all of which a database can hold.
    """


@dataclass(frozen=True, slots=True)
class EntityRecord:
    """A network or a production company: two id spaces, one shape. `name` is as sent, stray blanks too."""

    id: int
    name: str
    origin_country: str | None
    logo_path: str | None


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """Who shows it. `provider_name` is as sent: dirty and not unique, so only `provider_id` identifies."""

    provider_id: int
    provider_name: str
    logo_path: str | None


@dataclass(frozen=True, slots=True)
class OfferRecord:
    """One provider in one region ("US") under one type ("flatrate"). The least `display_priority` leads."""

    region: str
    offer_type: str
    provider: ProviderRecord
    display_priority: int | None
    link: str | None


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """The most recent episode. Season 0 holds the specials."""

    season_number: int
    episode_number: int
    title: str | None
    air_date: date | None


@dataclass(frozen=True, slots=True)
class ExternalIds:
    """A show's ids elsewhere; None is "upstream has none, or has one that can't be right"."""

    imdb_id: str | None
    tvdb_id: int | None
    wikidata_id: str | None
    facebook_id: str | None
    instagram_id: str | None
    twitter_id: str | None


@dataclass(frozen=True, slots=True)
class ShowRecord:
    """One show. `keywords`, `external_ids` and `watch_providers` are None where the reply lacks that part."""

    tmdb_id: int
    name: str
    original_name: str | None
    overview: str | None
    first_air_date: date | None
    last_air_date: date | None
    status: str | None
    type: str | None
    number_of_seasons: int | None  # without season 0
    number_of_episodes: int | None
    last_episode: EpisodeRecord | None
    genres: tuple[str, ...]
    keywords: tuple[str, ...] | None
    vote_average: float | None  # 0 to 10
    vote_count: int | None
    popularity: float | None  # upstream's own scale, which it has changed before
    networks: tuple[EntityRecord, ...]
    production_companies: tuple[EntityRecord, ...]
    external_ids: ExternalIds | None
    watch_providers: tuple[OfferRecord, ...] | None


@dataclass(frozen=True, slots=True)
class FoundShow:
    """A candidate for an external id or a name. Behind an episode or a season only the show's id is known."""

    tmdb_id: int
    name: str | None
    original_name: str | None
    first_air_date: date | None
    poster_path: str | None
    through_episode: bool  # the id was that of an episode or a season of the show


@dataclass(frozen=True, slots=True)
class FoundTitles:
    """The shows found, distinct by id: direct hits first, in upstream's order. Empty if there is none."""

    shows: tuple[FoundShow, ...]


@dataclass(frozen=True, slots=True)
class ChangedIds:
    """One page of the ids that changed, each once. Pages count from 1."""

    tmdb_ids: tuple[int, ...]
    page: int
    total_pages: int
