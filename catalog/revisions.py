"""How an answer is known to be of today: every transaction that writes what the API tells draws new tokens.

Triggers of the database do it, so that no writer can forget it: neither a bulk statement nor a person at a
SQL prompt (but for TRUNCATE, after which `manage.py migrate` draws new ones). A row of `Revision` has a token of
the state of one show with its links and offers, of all shows, and of all entities (networks, companies,
providers: a logo stands in thousands of shows, whose own tokens stay).
Tokens are random, not counted: a backup that is put back, or a transaction rolled back, never gives two states
the same one.

Who makes an answer reads the tokens first and the data after that: then an answer is never older than its tokens,
and is kept for as long as they are the ones that the database has.

PostgreSQL has many writers. The token of a show is drawn by the statement that writes it, whose transaction has
that show's row locked anyway; those of all shows and all entities, which every writer shares, only at the commit
(constraint triggers, deferred), so that none waits for another's whole transaction and none can deadlock.

They are put in place after every `migrate`: on SQLite a migration that alters a table makes it anew, without its
triggers. That also draws new tokens, as migrations write too.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final
from uuid import UUID

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from catalog.models import (
    Network,
    PastWatchProvider,
    ProductionCompany,
    Revision,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)

SHOWS: Final = "shows"
ENTITIES: Final = "entities"

TABLE: Final = Revision._meta.db_table
LINKS: Final = (ShowNetwork, ShowProductionCompany, ShowWatchProvider, PastWatchProvider)
# Table -> the column with the show's id.
SHOW_TABLES: Final[dict[str, str]] = {
    Show._meta.db_table: "id",
    **{model._meta.db_table: "show_id" for model in LINKS},
}
ENTITY_MODELS: Final[tuple[type[Any], ...]] = (Network, ProductionCompany, WatchProvider)
UNTOLD: Final = {"tmdb_meta", "logo_error", "logo_locked", "hosted_logo_path"}  # no answer has these


def show_key(show_id: UUID) -> str:
    return f"show:{show_id.hex}"


def read_revisions(keys: Collection[str]) -> dict[str, str]:
    """The tokens of these keys, in one query. A show that was never written since the triggers exist has none."""
    marks = ", ".join(["%s"] * len(keys))
    statement = f'SELECT key, token FROM "{TABLE}" WHERE key IN ({marks})'
    database = connections[DEFAULT_DB_ALIAS]
    pool = getattr(database, "pool", None)
    if pool is not None and database.connection is None:
        # Straight from the pool, and planned once: Django's connection and the plan take longer than the query.
        with database.wrap_database_errors, pool.connection() as raw:
            if raw.prepare_threshold is None:  # as Django, whose pool it is, has it prepare nothing
                raw.autocommit, raw.prepare_threshold = True, 5
            return dict(psycopg.Cursor(raw).execute(statement, list(keys)).fetchall())
    with database.cursor() as cursor:
        cursor.execute(statement, list(keys))
        return dict(cursor.fetchall())


def install(using: str = DEFAULT_DB_ALIAS, **kwargs: Any) -> None:
    """Puts the triggers in place and draws new tokens: after `migrate`, and the tokens alone after `flush`."""
    database = connections[using]
    with database.cursor() as cursor:
        if TABLE not in database.introspection.table_names(cursor):
            return
        if "plan" in kwargs:
            for statement in TRIGGERS[database.vendor]():
                cursor.execute(statement)
            cursor.execute(DRAW_MISSING[database.vendor])
        for key in (SHOWS, ENTITIES):
            cursor.execute(DRAW[database.vendor].format(key=f"'{key}'"))


def uninstall(vendor: str) -> Iterator[str]:
    """The statements that take the triggers away."""
    if vendor == "postgresql":
        for function in ("revise_shows", "revise_show_rows", "revise"):
            yield f"DROP FUNCTION IF EXISTS catalog_{function} CASCADE"
        return
    for table in (*SHOW_TABLES, *(model._meta.db_table for model in ENTITY_MODELS)):
        for event in ("insert", "update", "delete"):
            yield f'DROP TRIGGER IF EXISTS "{table}_revised_by_{event}"'


def told_columns(model: type[Any]) -> list[str]:
    return [field.column for field in model._meta.concrete_fields if field.name not in UNTOLD]


# --- SQLite: one writer at a time, and triggers for each row alone.

# The names of our own tables and keys alone stand in these statements.
DRAW: Final = {
    "sqlite": f'INSERT INTO "{TABLE}" (key, token) VALUES ({{key}}, lower(hex(randomblob(16)))) '
    "ON CONFLICT (key) DO UPDATE SET token = excluded.token",
    "postgresql": f'INSERT INTO "{TABLE}" (key, token) VALUES ({{key}}, gen_random_uuid()::text) '
    "ON CONFLICT (key) DO UPDATE SET token = excluded.token",
}

# For shows that were last written before there were triggers. (`WHERE true`: else SQLite takes ON for a join.)
MISSING: Final = f"""
INSERT INTO "{TABLE}" (key, token)
SELECT 'show:' || {{show}}, {{drawn}} FROM "{Show._meta.db_table}" WHERE true ON CONFLICT (key) DO NOTHING
"""
DRAW_MISSING: Final = {
    "sqlite": MISSING.format(show="id", drawn="lower(hex(randomblob(16)))"),
    "postgresql": MISSING.format(show="replace(id::text, '-', '')", drawn="gen_random_uuid()::text"),
}


def sqlite_triggers() -> Iterator[str]:
    yield from uninstall("sqlite")
    draw = DRAW["sqlite"]
    for table, column in SHOW_TABLES.items():
        for event, rows in (("insert", ("NEW",)), ("update", ("OLD", "NEW")), ("delete", ("OLD",))):
            keys = [f"'show:' || {row}.{column}" for row in rows] + [f"'{SHOWS}'"]
            yield sqlite_trigger(table, event, "", [draw.format(key=key) for key in keys])
    for model in ENTITY_MODELS:
        differs = " OR ".join(f'OLD."{column}" IS NOT NEW."{column}"' for column in told_columns(model))
        for event, when in (("insert", ""), ("update", f"WHEN {differs}"), ("delete", "")):
            yield sqlite_trigger(model._meta.db_table, event, when, [draw.format(key=f"'{ENTITIES}'")])


def sqlite_trigger(table: str, event: str, when: str, statements: list[str]) -> str:
    body = "; ".join(statements)
    return (
        f'CREATE TRIGGER "{table}_revised_by_{event}" AFTER {event.upper()} ON "{table}" '
        f"FOR EACH ROW {when} BEGIN {body}; END"
    )


# --- PostgreSQL

# `written` is a transition table: the rows that the statement has written (or, of a row that changes its show, had).
REVISE_SHOWS: Final = f"""
CREATE OR REPLACE FUNCTION {{name}}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "{TABLE}" (key, token)
    SELECT 'show:' || replace(shows.id::text, '-', ''), gen_random_uuid()::text
    FROM (SELECT DISTINCT {{column}} AS id FROM written ORDER BY 1) AS shows
    ON CONFLICT (key) DO UPDATE SET token = excluded.token;
    RETURN NULL;
END $$
"""
# Once a transaction is enough: a row that this one has written carries its number. Both rows are locked first, in one
# order: transactions come to them from different tables.
REVISE: Final = f"""
CREATE OR REPLACE FUNCTION catalog_revise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM "{TABLE}" WHERE key = TG_ARGV[0] AND xmin = pg_current_xact_id()::xid) THEN
        RETURN NULL;
    END IF;
    PERFORM 1 FROM "{TABLE}" WHERE key IN ('{ENTITIES}', '{SHOWS}') ORDER BY key FOR UPDATE;
    INSERT INTO "{TABLE}" (key, token) VALUES (TG_ARGV[0], gen_random_uuid()::text)
    ON CONFLICT (key) DO UPDATE SET token = excluded.token;
    RETURN NULL;
END $$
"""


def postgresql_triggers() -> Iterator[str]:
    yield REVISE_SHOWS.format(name="catalog_revise_shows", column="show_id")
    yield REVISE_SHOWS.format(name="catalog_revise_show_rows", column="id")
    yield REVISE
    for table, column in SHOW_TABLES.items():
        function = "catalog_revise_show_rows" if column == "id" else "catalog_revise_shows"
        for name, event, rows in (
            ("insert", "INSERT", "NEW"),
            ("update", "UPDATE", "NEW"),
            ("move", "UPDATE", "OLD"),
            ("delete", "DELETE", "OLD"),
        ):
            yield (
                f'CREATE OR REPLACE TRIGGER "{table}_revised_by_{name}" AFTER {event} ON "{table}" '
                f"REFERENCING {rows} TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            )
    yield from at_commit(TABLE, "INSERT OR UPDATE", "WHEN (NEW.key LIKE 'show:%')", SHOWS)
    for model in ENTITY_MODELS:
        columns = told_columns(model)
        old, new = (", ".join(f'{row}."{column}"' for column in columns) for row in ("OLD", "NEW"))
        yield from at_commit(model._meta.db_table, "INSERT OR DELETE", "", ENTITIES)
        yield from at_commit(model._meta.db_table, "UPDATE", f"WHEN (({old}) IS DISTINCT FROM ({new}))", ENTITIES)


def at_commit(table: str, events: str, when: str, key: str) -> Iterator[str]:
    name = f"{table}_revised_by_{events.lower().replace(' ', '_')}"
    yield f'DROP TRIGGER IF EXISTS "{name}" ON "{table}"'  # a constraint trigger can't be replaced
    yield (
        f'CREATE CONSTRAINT TRIGGER "{name}" AFTER {events} ON "{table}" DEFERRABLE INITIALLY DEFERRED '
        f"FOR EACH ROW {when} EXECUTE FUNCTION catalog_revise('{key}')"
    )


TRIGGERS: Final = {"sqlite": sqlite_triggers, "postgresql": postgresql_triggers}
