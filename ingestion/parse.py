"""TMDb's replies, already decoded from JSON, to records. Pure: no Django, no HTTP, no clock.

Every `parse_` function returns a record or raises `InvalidRecord`, whatever it is given. A wrong shape is
refused rather than guessed at, because what is returned here replaces what the catalogue holds.
"""

from __future__ import annotations

import re

from ingestion import records
from ingestion.shapes import (
    ABSENT,
    MAX_ID,
    Row,
    clean_text,
    path_of,
    read_count,
    read_count_or_none,
    read_date,
    read_foreign_id,
    read_id,
    read_image_path,
    read_name,
    read_names,
    read_number,
    read_object,
    read_objects,
    read_reply,
    read_text,
    refused,
)

REGION = re.compile(r"[A-Z]{2}")
IMDB_ID = re.compile(r"tt[0-9]{7,}")  # 7 digits, 8 since those ran out
WIKIDATA_ID = re.compile(r"Q[1-9][0-9]*")
ANY_TEXT = re.compile(r".+", re.DOTALL)

_FIND_LISTS = ("movie_results", "person_results", "tv_results", "tv_episode_results", "tv_season_results")
_Providers = dict[int, tuple[object, object, records.ProviderRecord]]  # by id: name and logo as sent, record


def parse_show(payload: object) -> records.ShowRecord:
    """A /tv/{id} body, with or without `keywords`, `external_ids` and `watch/providers` appended.

    `genres`, `networks` and `production_companies` must be there: every reply since 2015 has them, and a
    lost key taken for an empty list would unlink what is stored. Old records lack other keys, and may.
    https://developer.themoviedb.org/reference/tv-series-details
    https://developer.themoviedb.org/docs/append-to-response
    """
    show = read_reply(payload)
    for where, season in read_objects(show, "seasons") if "seasons" in show else ():
        read_id(season, "id", where)
    original_name = read_text(show, "original_name")
    name = read_text(show, "name") or original_name  # as TMDb does where a language has no name
    if name is None:
        raise refused("name", show.get("name", ABSENT), "a text that is not blank")
    keywords, ids, offers = (show.get(key, ABSENT) for key in ("keywords", "external_ids", "watch/providers"))
    return records.ShowRecord(
        tmdb_id=read_id(show, "id"),
        name=name,
        original_name=original_name,
        overview=read_text(show, "overview"),
        first_air_date=read_date(show, "first_air_date"),
        last_air_date=read_date(show, "last_air_date"),
        status=read_text(show, "status"),
        type=read_text(show, "type"),
        number_of_seasons=read_count_or_none(show, "number_of_seasons"),
        number_of_episodes=read_count_or_none(show, "number_of_episodes"),
        last_episode=_last_episode(show),
        genres=read_names(show, "genres"),
        # Shows keep their keywords under "results"; only movies call that list "keywords".
        keywords=None if keywords is ABSENT else read_names(read_reply(keywords, "keywords"), "results", "keywords"),
        vote_average=read_number(show, "vote_average"),
        vote_count=read_count_or_none(show, "vote_count"),
        popularity=read_number(show, "popularity"),
        networks=_entities(show, "networks"),
        production_companies=_entities(show, "production_companies"),
        external_ids=None if ids is ABSENT else parse_external_ids(ids, "external_ids"),
        watch_providers=None if offers is ABSENT else parse_watch_providers(offers, "watch/providers"),
    )


def parse_watch_providers(payload: object, where: str = "") -> tuple[records.OfferRecord, ...]:
    """A /tv/{id}/watch/providers body, stand-alone or appended: {"results": {"US": {"flatrate": [...]}}}.

    One record for each (region, offer type, provider) in upstream's order; of repeated ones the first.
    `where` is the path of an appended block, for the reason of a refusal.
    https://developer.themoviedb.org/reference/tv-series-watch-providers
    """
    body = read_reply(payload, where)
    if "id" in body:
        read_id(body, "id", where)
    at = path_of(where, "results")
    offers: dict[tuple[str, str, int], records.OfferRecord] = {}
    providers: _Providers = {}
    for region, value in read_object(body.get("results", ABSENT), at).items():
        if not REGION.fullmatch(region):
            raise refused(f"a region in {at}", region, "two capital letters")
        block = read_object(value, f"{at}.{region}")
        link = read_text(block, "link", f"{at}.{region}")
        for sent_type in block:
            if sent_type == "link":
                continue
            # Types are not a closed list: "free" and "ads" came later, and a type without offers is left out.
            offer_type = clean_text(sent_type)
            if not offer_type.strip():
                raise refused(f"an offer type in {at}.{region}", sent_type, "a text that is not blank")
            for row_at, row in read_objects(block, sent_type, f"{at}.{region}"):
                provider = _provider(row, row_at, providers)
                priority = read_count_or_none(row, "display_priority", row_at)
                offer = records.OfferRecord(region, offer_type, provider, priority, link)
                offers.setdefault((region, offer_type, provider.provider_id), offer)
    return tuple(offers.values())


def parse_external_ids(payload: object, where: str = "") -> records.ExternalIds:
    """A /tv/{id}/external_ids body, stand-alone (with `id`) or appended (without).

    An id that can't be right counts as none: people type these upstream, and one typo must not cost the show.
    https://developer.themoviedb.org/reference/tv-series-external-ids
    """
    body = read_reply(payload, where)
    if "id" in body:
        read_id(body, "id", where)
    tvdb_id = body.get("tvdb_id")
    return records.ExternalIds(
        imdb_id=read_foreign_id(body, "imdb_id", IMDB_ID),
        tvdb_id=tvdb_id if type(tvdb_id) is int and 0 < tvdb_id <= MAX_ID else None,
        wikidata_id=read_foreign_id(body, "wikidata_id", WIKIDATA_ID),
        facebook_id=read_foreign_id(body, "facebook_id", ANY_TEXT),
        instagram_id=read_foreign_id(body, "instagram_id", ANY_TEXT),
        twitter_id=read_foreign_id(body, "twitter_id", ANY_TEXT),
    )


def parse_find(payload: object) -> records.FoundTitles:
    """A /find/{external_id} body: five lists, always all there; an id nobody knows gives five empty ones.

    The id of an episode or a season is in a list of its own, with `show_id`, and `tv_results` is then empty.
    https://developer.themoviedb.org/reference/find-by-id
    """
    found = read_reply(payload)
    rows = {key: list(read_objects(found, key)) for key in _FIND_LISTS}
    shows: dict[int, records.FoundShow] = {}
    for where, row in rows["tv_results"]:
        show = _found_show(row, where)
        shows.setdefault(show.tmdb_id, show)
    for where, row in rows["tv_episode_results"] + rows["tv_season_results"]:
        show_id = read_id(row, "show_id", where)
        # Name, date and picture of such a row are the episode's own.
        shows.setdefault(show_id, records.FoundShow(show_id, None, None, None, None, through_episode=True))
    return records.FoundTitles(tuple(shows.values()))


def parse_search(payload: object) -> records.FoundTitles:
    """One page of /search/tv: 20 rows at most, the best match first. An id counts once.

    https://developer.themoviedb.org/reference/search-tv
    """
    found = read_reply(payload)
    shows: dict[int, records.FoundShow] = {}
    for where, row in read_objects(found, "results"):
        show = _found_show(row, where)
        shows.setdefault(show.tmdb_id, show)
    return records.FoundTitles(tuple(shows.values()))


def parse_changes(payload: object) -> records.ChangedIds:
    """One page of /tv/changes: 100 rows of {"id", "adult"}, `adult` being null in some. An id counts once.

    https://developer.themoviedb.org/reference/changes-tv-list
    """
    changes = read_reply(payload)
    ids = dict.fromkeys(read_id(row, "id", where) for where, row in read_objects(changes, "results"))
    return records.ChangedIds(tuple(ids), read_count(changes, "page"), read_count(changes, "total_pages"))


def _found_show(row: Row, where: str) -> records.FoundShow:
    """A show as lists carry it: without its networks."""
    return records.FoundShow(
        tmdb_id=read_id(row, "id", where),
        name=read_text(row, "name", where),
        original_name=read_text(row, "original_name", where),
        first_air_date=read_date(row, "first_air_date", where),
        poster_path=read_image_path(row, "poster_path", where),
        through_episode=False,
    )


def _provider(row: Row, where: str, known: _Providers) -> records.ProviderRecord:
    """One record for each id of a reply, though it stands in a hundred regions; the first wins."""
    provider_id = read_id(row, "provider_id", where)
    sent = row.get("provider_name"), row.get("logo_path")
    if provider_id in known and known[provider_id][:2] == sent:
        return known[provider_id][2]
    name, logo_path = read_name(row, "provider_name", where), read_image_path(row, "logo_path", where)
    record = records.ProviderRecord(provider_id, name, logo_path)
    return known.setdefault(provider_id, (*sent, record))[2]


def _last_episode(show: Row) -> records.EpisodeRecord | None:
    """Null before the first broadcast; old records lack the key."""
    where = "last_episode_to_air"
    if show.get(where) is None:
        return None
    episode = read_object(show[where], where)
    return records.EpisodeRecord(
        season_number=read_count(episode, "season_number", where),
        episode_number=read_count(episode, "episode_number", where),
        title=read_text(episode, "name", where),
        air_date=read_date(episode, "air_date", where),
    )


def _entities(show: Row, key: str) -> tuple[records.EntityRecord, ...]:
    """Networks or companies in upstream's order, the first of each id. Old records lack logo and country."""
    entities: dict[int, records.EntityRecord] = {}
    for where, row in read_objects(show, key):
        entity = records.EntityRecord(
            id=read_id(row, "id", where),
            name=read_name(row, "name", where),
            origin_country=read_text(row, "origin_country", where),
            logo_path=read_image_path(row, "logo_path", where),
        )
        entities.setdefault(entity.id, entity)
    return tuple(entities.values())
