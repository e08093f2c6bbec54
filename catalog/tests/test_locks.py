from django.db import models

from catalog.changes import VOLATILE_FIELDS
from catalog.locks import EDITABLE, EDITORIAL_FIELDS, LOCKABLE, LOCKABLE_RELATIONS, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models import Show

# Columns that neither upstream fills as facts nor people write.
OWN_COLUMNS = {"id", "tmdb_meta", "imdb_meta", "tmdb_fetched_at", "imdb_fetched_at", "created_at", "updated_at"}
LOCK_COLUMNS = {"locked_fields", "upstream_values"}
LIFE_COLUMNS = {"deleted_at", "merged_into"}
SEARCH_COLUMNS = {"name_key", "alias_keys"}


def test_every_upstream_field_is_a_column_of_show() -> None:
    columns = {field.name for field in Show._meta.concrete_fields}

    assert set(UPSTREAM_FIELDS) <= columns
    assert len(set(UPSTREAM_FIELDS)) == len(UPSTREAM_FIELDS)


def test_every_column_of_show_is_in_exactly_one_group() -> None:
    groups = (
        *(set(UPSTREAM_FIELDS), set(EDITORIAL_FIELDS), set(RESOLUTION_FLAGS.values())),
        *(OWN_COLUMNS, LOCK_COLUMNS, LIFE_COLUMNS, SEARCH_COLUMNS),
    )

    assert sum(map(len, groups)) == len(set.union(*groups))
    assert set.union(*groups) == {field.name for field in Show._meta.concrete_fields}


def test_every_lockable_relation_is_a_relation_of_show() -> None:
    assert all(Show._meta.get_field(name).is_relation for name in LOCKABLE_RELATIONS)
    assert set(UPSTREAM_FIELDS) | set(LOCKABLE_RELATIONS) | {"override"} == LOCKABLE


def test_editorial_fields_are_no_upstream_fields_and_but_for_override_need_no_lock() -> None:
    assert set(EDITORIAL_FIELDS) == {"tags", "listed_on", "override"}
    assert set(EDITORIAL_FIELDS).isdisjoint(UPSTREAM_FIELDS)
    assert LOCKABLE & set(EDITORIAL_FIELDS) == {"override"}
    assert set(EDITORIAL_FIELDS) < EDITABLE


def test_ids_that_can_be_decided_are_upstream_fields_with_a_flag() -> None:
    assert set(RESOLUTION_FLAGS) <= set(UPSTREAM_FIELDS)
    assert all(isinstance(Show._meta.get_field(flag), models.BooleanField) for flag in RESOLUTION_FLAGS.values())


def test_volatile_fields_are_upstream_fields() -> None:
    assert set(UPSTREAM_FIELDS) >= VOLATILE_FIELDS
