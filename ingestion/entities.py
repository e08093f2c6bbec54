"""Networks, companies and providers as upstream last described them: written only where that differs."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

from catalog.logos import COLUMNS
from catalog.models import Network, ProductionCompany, WatchProvider
from ingestion.records import EntityRecord, OfferRecord

HOSTED_COLUMNS = [name for name in COLUMNS if name != "logo_error"]

E = TypeVar("E", Network, ProductionCompany, WatchProvider)


def load_entities(model: type[E], ids: Iterable[int]) -> dict[int, E]:
    rows = model.objects.filter(pk__in=set(ids))
    if model is Network:
        rows = rows.select_related("merged_into")  # type: ignore[misc]  # E may be any of three
    return {row.pk: row for row in rows}


def entity_columns(records: Iterable[EntityRecord]) -> dict[int, dict[str, Any]]:
    return {
        record.id: {
            "name": record.name,
            "origin_country": record.origin_country,
            "tmdb_logo_path": record.logo_path,
            "tmdb_meta": asdict(record),
        }
        for record in records
    }


def provider_columns(offers: Iterable[OfferRecord], known: Mapping[int, WatchProvider]) -> dict[int, dict[str, Any]]:
    """A provider's own priority is the best of its offers'; it only ever gets better, so it does not flap."""
    columns: dict[int, dict[str, Any]] = {}
    for offer in offers:
        provider = offer.provider
        row = columns.get(provider.provider_id)
        if row is None:
            before = known.get(provider.provider_id)
            row = columns[provider.provider_id] = {
                "provider_name": provider.provider_name,
                "tmdb_logo_path": provider.logo_path,
                "display_priority": before.display_priority if before else None,
            }
        if offer.display_priority is not None:
            best = row["display_priority"]
            row["display_priority"] = offer.display_priority if best is None else min(best, offer.display_priority)
    return columns


def merge_entities(
    model: type[E], columns: Mapping[int, Mapping[str, Any]], known: dict[int, E], now: datetime
) -> tuple[list[E], list[E]]:
    """Brings `known` up to date in memory; returns the rows to create and those to update."""
    created, updated = [], []
    for pk, values in sorted(columns.items()):  # by id: two runs lock rows in the same order
        row = known.get(pk)
        if row is None:
            known[pk] = row = model(pk=pk, tmdb_fetched_at=now, **values)
            created.append(row)
        elif any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            row.tmdb_fetched_at = now
            updated.append(row)
    return created, updated


def save_entities(model: type[E], created: list[E], updated: list[E], names: Iterable[str]) -> None:
    fields = [*names, "tmdb_fetched_at"]
    if created:
        # Another process may have just created the same network: then ours is an update of it.
        model.objects.bulk_create(
            created, update_conflicts=True, unique_fields=[model._meta.pk.name], update_fields=fields
        )
    if updated:
        model.objects.bulk_update(updated, fields)
        without = [row.pk for row in updated if row.tmdb_logo_path is None and row.hosted_logo_key]
        if without:  # gone upstream, gone here; the file is swept later
            model.objects.filter(pk__in=without, logo_locked=False).update(**dict.fromkeys(HOSTED_COLUMNS))
