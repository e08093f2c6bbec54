"""Offers that a revert takes away or brings back."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from catalog.models import Change, PastWatchProvider, Show, ShowWatchProvider
from catalog.revert_fields import OFFERS, OfferKey, offer_key


def write_offers(
    show: Show, taken: Collection[OfferKey], back: Collection[OfferKey], changes: Sequence[Change]
) -> tuple[dict[str, Any], set[OfferKey]]:
    """Takes offers away and brings ended ones back; what a later revert needs, and those of which no record is left.

    An offer comes back as it was from the change that took it, where that was a revert, and else from the
    past offers. One that is taken away was upstream's mistake, so no past offer is made of it, unless it
    had ended before: then it has ended again.
    """
    now = timezone.now()
    key_of = {change.pk: keyed(change) for change in changes}
    offers = {key(row): row for row in ShowWatchProvider.objects.filter(show=show)} if taken else {}
    past = list(PastWatchProvider.objects.filter(show=show)) if back else []
    rows: dict[OfferKey, list[Any]] = {}
    ended: dict[OfferKey, str] = {}
    ended_again, created, used, lost = [], [], [], set()
    for one in taken:
        row = offers[one]
        rows[one] = [row.first_seen_at.isoformat(), row.display_priority, row.link]
        last_seen = next((parts["ended"][one] for parts in reversed(key_of.values()) if one in parts["ended"]), None)
        if last_seen is not None:
            at = datetime.fromisoformat(last_seen)
            ended_again.append(PastWatchProvider(**columns(show, one, rows[one]), last_seen_at=at))
    for one in back:
        change = next(change for change in reversed(changes) if one in key_of[change.pk]["removed"])
        kept = key_of[change.pk]["rows"].get(one)
        if kept is None:
            found = [row for row in past if key(row) == one and row.last_seen_at <= change.ts]
            if not found:
                lost.add(one)
                continue
            last = max(found, key=lambda row: row.last_seen_at)
            used.append(last.pk)
            ended[one] = last.last_seen_at.isoformat()
            kept = [last.first_seen_at.isoformat(), last.display_priority, last.link]
        created.append(ShowWatchProvider(**columns(show, one, kept), fetched_at=now))
    ShowWatchProvider.objects.filter(pk__in=[offers[one].pk for one in taken]).delete()
    PastWatchProvider.objects.filter(pk__in=used).delete()
    PastWatchProvider.objects.bulk_create(ended_again)
    ShowWatchProvider.objects.bulk_create(created)
    return {"rows": rows, "ended": ended}, lost


def key(row: ShowWatchProvider | PastWatchProvider) -> OfferKey:
    return row.region, row.offer_type, row.provider_id


def columns(show: Show, one: OfferKey, kept: Sequence[Any]) -> dict[str, Any]:
    region, offer_type, provider_id = one
    first_seen_at, display_priority, link = kept
    return {
        "show": show,
        "region": region,
        "offer_type": offer_type,
        "provider_id": provider_id,
        "first_seen_at": datetime.fromisoformat(first_seen_at),
        "display_priority": display_priority,
        "link": link,
    }


def keyed(change: Change) -> dict[str, Any]:
    """What a change says of offers, by their keys."""
    said = change.fields.get(OFFERS) or {}
    return {
        "removed": {offer_key(label) for label in said.get("removed", ())},
        "rows": {offer_key(label): row for label, row in said.get("rows", {}).items()},
        "ended": {offer_key(label): at for label, at in said.get("ended", {}).items()},
    }
