"""Every write of what the API tells draws new tokens, whoever makes it and however."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

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
from catalog.revisions import ENTITIES, SHOWS, read_revisions, show_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Rows:
    def __init__(self) -> None:
        self.show = Show.objects.create(name="Below Deck")
        self.other = Show.objects.create(name="Summer House")
        self.network = Network.objects.create(id=74, name="Bravo")
        self.company = ProductionCompany.objects.create(id=51, name="51 Minds")
        self.provider = WatchProvider.objects.create(provider_id=8, provider_name="Netflix")
        ShowNetwork.objects.create(show=self.show, network=self.network, position=0)
        self.offer()

    def offer(self, **columns: Any) -> ShowWatchProvider:
        values = {"region": "US", "offer_type": "flatrate", "first_seen_at": NOW, "fetched_at": NOW} | columns
        return ShowWatchProvider.objects.create(show=self.show, provider=self.provider, **values)

    def sql(self, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.fixture
def rows(transactional_db: None) -> Rows:
    return Rows()


SHOW_WRITES: dict[str, Callable[[Rows], object]] = {
    "save": lambda rows: rows.show.save(),
    "update": lambda rows: Show.objects.filter(pk=rows.show.pk).update(tmdb_vote_count=3),
    "bulk update": lambda rows: Show.objects.bulk_update([rows.show], ["description"]),
    "a person at a SQL prompt": lambda rows: rows.sql("UPDATE catalog_show SET description = '' WHERE name LIKE 'B%'"),
    "a raw reply": lambda rows: Show.objects.filter(pk=rows.show.pk).update(tmdb_meta={"id": 1}, tmdb_fetched_at=NOW),
    "a link": lambda rows: ShowProductionCompany.objects.create(show=rows.show, company=rows.company, position=0),
    "another order of links": lambda rows: ShowNetwork.objects.update(position=3),
    "a link that goes": lambda rows: ShowNetwork.objects.all().delete(),
    "an offer": lambda rows: rows.offer(region="GB"),
    "offers, in bulk": lambda rows: ShowWatchProvider.objects.bulk_create(
        [ShowWatchProvider(show=rows.show, provider=rows.provider, region=region, offer_type="buy", first_seen_at=NOW,
                           fetched_at=NOW) for region in ("AT", "DE")]
    ),
    "an offer's priority": lambda rows: ShowWatchProvider.objects.update(display_priority=4),
    "an offer that had ended": lambda rows: PastWatchProvider.objects.create(
        show=rows.show, provider=rows.provider, region="US", offer_type="buy", first_seen_at=NOW, last_seen_at=NOW
    ),
    "an offer that goes": lambda rows: ShowWatchProvider.objects.all().delete(),
}  # fmt: skip


@pytest.mark.parametrize("write", SHOW_WRITES.values(), ids=SHOW_WRITES)
def test_a_write_of_a_show_draws_its_token_and_that_of_all_shows(rows: Rows, write: Callable[[Rows], object]) -> None:
    keys = (show_key(rows.show.pk), show_key(rows.other.pk), SHOWS, ENTITIES)
    before = read_revisions(keys)

    write(rows)

    after = read_revisions(keys)
    assert {key for key in keys if before[key] != after[key]} == {show_key(rows.show.pk), SHOWS}


def test_a_link_that_goes_to_another_show_is_news_of_both(rows: Rows) -> None:
    keys = (show_key(rows.show.pk), show_key(rows.other.pk))
    before = read_revisions(keys)

    ShowNetwork.objects.update(show=rows.other)

    after = read_revisions(keys)
    assert all(before[key] != after[key] for key in keys)


ENTITY_WRITES: dict[str, Callable[[Rows], object]] = {
    "a name": lambda rows: Network.objects.update(name="Bravo TV"),
    "a logo": lambda rows: WatchProvider.objects.update(hosted_logo_key="images/logos/watch_providers/8/a.png"),
    "a new company": lambda rows: ProductionCompany.objects.create(id=52, name="Evolution"),
    "a network that goes": lambda rows: (ShowNetwork.objects.all().delete(), Network.objects.all().delete()),
    "one that is merged": lambda rows: Network.objects.update(merged_into=Network.objects.create(id=1, name="B")),
}


@pytest.mark.parametrize("write", ENTITY_WRITES.values(), ids=ENTITY_WRITES)
def test_a_write_of_a_network_company_or_provider_draws_the_token_of_all(
    rows: Rows, write: Callable[[Rows], object]
) -> None:
    before = read_revisions((ENTITIES,))

    write(rows)

    assert read_revisions((ENTITIES,)) != before


@pytest.mark.parametrize(
    "write",
    [
        lambda: Network.objects.update(name="Bravo"),
        lambda: Network.objects.update(logo_error="404", tmdb_meta={"id": 74}),
        lambda: Network.objects.filter(pk=0).update(name="x"),
        lambda: Show.objects.filter(name="nobody").update(description="x"),
    ],
    ids=["the same again", "what no answer has", "no entity", "no show"],
)
def test_what_changes_no_answer_draws_nothing(rows: Rows, write: Callable[[], object]) -> None:
    before = dict(Revision.objects.values_list("key", "token"))

    write()

    assert dict(Revision.objects.values_list("key", "token")) == before


def test_what_is_rolled_back_leaves_the_tokens_as_they_were(rows: Rows) -> None:
    before = dict(Revision.objects.values_list("key", "token"))

    with transaction.atomic():
        rows.show.save()
        Network.objects.update(name="x")
        transaction.set_rollback(True)

    assert dict(Revision.objects.values_list("key", "token")) == before


def test_every_migrate_puts_the_triggers_in_place_and_draws_new_tokens(rows: Rows) -> None:
    before = read_revisions((SHOWS, ENTITIES))

    call_command("migrate", verbosity=0)

    after = read_revisions((SHOWS, ENTITIES))
    assert before.keys() == after.keys()
    assert all(before[key] != after[key] for key in before)
    own = read_revisions((show_key(rows.show.pk),))
    rows.show.save()
    assert read_revisions((show_key(rows.show.pk),)) != own


def test_a_show_that_was_last_written_before_there_were_triggers_gets_a_token(rows: Rows) -> None:
    Revision.objects.all().delete()

    call_command("migrate", verbosity=0)

    assert show_key(rows.show.pk) in read_revisions((show_key(rows.show.pk),))


def test_the_triggers_leave_with_the_table_that_they_write(rows: Rows) -> None:
    call_command("migrate", "catalog", "0003", verbosity=0)
    try:
        rows.show.save()
    finally:
        call_command("migrate", verbosity=0)
    rows.show.save()

    assert read_revisions((show_key(rows.show.pk),))
