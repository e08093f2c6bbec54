"""The least that answers the same rows: no Django, one hand-written statement for each answer, orjson.

`granian --interface wsgi bench.api_ceiling:wsgi` or `daphne bench.api_ceiling:asgi`; DATABASE_URL says where.
/show/ID is a show with networks, companies and offers; /list is 50 shows and their number; /narrow is one narrow
query and an empty 304.
"""

import operator
import os
from functools import cache
from typing import Any
from uuid import UUID

import django
import orjson
import psycopg_pool
from psycopg.types.json import set_json_loads

set_json_loads(orjson.loads)
django.setup()  # for the names of the columns; no request comes near it

from catalog.api.documents import DETAIL_COLUMNS, LOGO_COLUMNS, SHOW_COLUMNS  # noqa: E402

URL = os.environ["DATABASE_URL"].replace("postgres://", "postgresql://", 1)
OPTIONS: dict[str, Any] = {"min_size": 2, "max_size": 8, "kwargs": {"autocommit": True}, "open": False}

LOGO = ", ".join(
    f"'{name}', e.{name}" for name in ("tmdb_logo_path", *LOGO_COLUMNS) if name not in ("hosted_logo_url",)
)
ENTITY = f"'id', e.id, 'name', e.name, 'origin_country', e.origin_country, 'tmdb_fetched_at', e.tmdb_fetched_at, {LOGO}"
PROVIDER = (
    "'provider_id', e.provider_id, 'provider_name', e.provider_name, "
    f"'origin_country', e.origin_country, 'tmdb_fetched_at', e.tmdb_fetched_at, {LOGO}"
)
COLUMNS = ", ".join(f"s.{name}" for name in (*SHOW_COLUMNS, *DETAIL_COLUMNS))
SHOW = f"""
SELECT {COLUMNS},
    (SELECT json_agg(json_build_object({ENTITY}) ORDER BY l.position) FROM catalog_shownetwork l
     JOIN catalog_network e ON e.id = l.network_id WHERE l.show_id = s.id) AS tmdb_networks,
    (SELECT json_agg(json_build_object({ENTITY}) ORDER BY l.position) FROM catalog_showproductioncompany l
     JOIN catalog_productioncompany e ON e.id = l.company_id WHERE l.show_id = s.id) AS tmdb_production_companies,
    (SELECT json_agg(json_build_array(o.region, o.offer_type, o.link, o.provider_id, o.display_priority))
     FROM catalog_showwatchprovider o WHERE o.show_id = s.id) AS offers,
    (SELECT json_agg(json_build_object({PROVIDER})) FROM catalog_watchprovider e WHERE e.provider_id IN
        (SELECT provider_id FROM catalog_showwatchprovider WHERE show_id = s.id)) AS providers
FROM catalog_show s WHERE s.id = %s AND s.deleted_at IS NULL
"""  # noqa: S608
LIST_COLUMNS = ", ".join(SHOW_COLUMNS)
LIST = f"""
SELECT {LIST_COLUMNS}, (SELECT count(*) FROM catalog_show WHERE deleted_at IS NULL) AS count
FROM catalog_show WHERE deleted_at IS NULL ORDER BY name, id LIMIT 50
"""  # noqa: S608
NARROW = "SELECT token FROM catalog_revision WHERE key = %s"


def statement(path: str) -> tuple[str, list[Any]]:
    if path.startswith("/show/"):
        return SHOW, [UUID(path.rpartition("/")[2])]
    return (LIST, []) if path == "/list" else (NARROW, ["shows"])


def body_of(path: str, cursor: Any, rows: list[Any]) -> bytes:
    if path == "/narrow":
        return b""
    names = [column.name for column in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    if path.startswith("/show/"):
        return orjson.dumps(with_offers(found[0]))
    return orjson.dumps({"count": found[0]["count"], "results": found})


def with_offers(show: dict[str, Any]) -> dict[str, Any]:
    """Each provider is sent once by the database, and stands in many groups."""
    providers = {row["provider_id"]: row for row in show.pop("providers") or []}
    groups: list[dict[str, Any]] = []
    place = operator.itemgetter(0, 1, 4)
    for region, offer_type, link, provider_id, priority in sorted(show.pop("offers") or [], key=place):
        if not groups or (groups[-1]["region"], groups[-1]["offer_type"]) != (region, offer_type):
            groups.append({"region": region, "offer_type": offer_type, "link": link, "providers": []})
        groups[-1]["providers"].append(providers[provider_id] | {"display_priority": priority})
    return show | {"watch_providers": groups}


@cache
def pool() -> psycopg_pool.ConnectionPool[Any]:
    made: psycopg_pool.ConnectionPool[Any] = psycopg_pool.ConnectionPool(URL, **OPTIONS)
    made.open()
    return made


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"]
    with pool().connection() as connection:
        cursor = connection.execute(*statement(path))
        body = body_of(path, cursor, cursor.fetchall())
    status = "304 Not Modified" if path == "/narrow" else "200 OK"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


pools: dict[str, psycopg_pool.AsyncConnectionPool[Any]] = {}


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if not pools:
        pools["all"] = psycopg_pool.AsyncConnectionPool(URL, **OPTIONS)
        await pools["all"].open()
    path = scope["path"]
    async with pools["all"].connection() as connection:
        cursor = await connection.execute(*statement(path))
        body = body_of(path, cursor, await cursor.fetchall())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 304 if path == "/narrow" else 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
