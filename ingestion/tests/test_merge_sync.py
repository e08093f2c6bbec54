"""A merge can be undone although syncs ran in between, which keep the merged show to what upstream says of its id."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from catalog.changes import Author
from catalog.merging import merge_shows, unmerge
from catalog.models import PastWatchProvider, Show, ShowNetwork, ShowProductionCompany, ShowWatchProvider
from demo.upstream import Upstream
from ingestion.options import Options
from ingestion.sync import sync_shows
from ingestion.tests.worlds import network, provider, world

pytestmark = pytest.mark.django_db(transaction=True)


def sync(*, force: bool = False) -> None:
    assert sync_shows(Options(force=force), kind="sync_shows").exit_code == 0


def rows() -> dict[str, list[dict[str, Any]]]:
    # A sync writes of its show's own offers when it saw them.
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name != "fetched_at"}
            for row in model.objects.order_by("pk").values()
        ]
        for model in (ShowNetwork, ShowProductionCompany, ShowWatchProvider, PastWatchProvider)
    }


@pytest.mark.parametrize("pick", ["both", "source", "target"])
def test_an_undo_gives_each_show_its_rows_although_a_sync_took_them_away(upstream: Upstream, pick: str) -> None:
    target, source = world(upstream, 2)
    upstream.shows[1002] |= {
        "networks": [network(1), network(3)],
        "production_companies": [network(9, "company")],
        "watch/providers": {"results": {"US": {"flatrate": [provider(11)]}, "DE": {"buy": [provider(8)]}}},
    }
    sync()
    before = rows()
    why = Author(user=User.objects.create_user("anna"), reason="the same show")

    picks = dict.fromkeys(("networks", "production_companies", "watch_providers"), pick)
    batch = merge_shows(source.pk, target.pk, picks, why)
    sync(force=True)

    if pick == "both":
        assert not ShowNetwork.objects.filter(show=target, network=3).exists()
    assert unmerge(batch, why) == []
    assert rows() == before
    sync()
    assert rows() == before
    assert Show.objects.count() == 2
