"""The differences alone; how they are saved is tested in test_persist.py."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from catalog.models import Network, ProductionCompany, ShowNetwork, ShowProductionCompany, WatchProvider
from ingestion.links import LinkWrites, OfferKey, OfferRow, diff_companies, diff_networks, diff_offers
from ingestion.tests.builders import NOW, make_offer

SHOW = UUID(int=1)
NETWORKS = {pk: Network(id=pk, name=f"N{pk}") for pk in range(1, 7)}
COMPANIES = {pk: ProductionCompany(id=pk, name=f"C{pk}") for pk in range(1, 7)}
PROVIDERS = {pk: WatchProvider(provider_id=pk, provider_name=f"P{pk}") for pk in range(1, 4)}

ids = st.lists(st.integers(1, 6), max_size=6)
rows = st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=6, unique_by=lambda row: row[0])
offer_keys = st.tuples(st.sampled_from(["US", "GB"]), st.sampled_from(["buy", "rent"]), st.integers(1, 3))
offer_values = st.tuples(st.none() | st.integers(0, 2), st.none() | st.just("https://example.org"))
offers = st.dictionaries(offer_keys, offer_values, max_size=6)


def stored_networks(members: list[tuple[int, bool]]) -> list[ShowNetwork]:
    return [
        ShowNetwork(pk=pk, network=NETWORKS[pk], position=place, source="editor" if by_editor else "tmdb")
        for place, (pk, by_editor) in enumerate(members)
    ]


def after(stored: list[ShowNetwork], writes: LinkWrites) -> list[int]:
    """The networks in order, once the writes are made (they change the rows in place)."""
    kept = [row for row in stored if row not in writes.deleted]
    return [row.network_id for row in sorted([*kept, *writes.created], key=lambda row: row.position)]


@given(upstream=ids, members=rows)
def test_the_writes_make_the_networks_what_upstream_says(upstream: list[int], members: list[tuple[int, bool]]) -> None:
    stored, writes = stored_networks(members), LinkWrites()

    change = diff_networks(SHOW, upstream, stored, NETWORKS, writes, locked=False)

    said = list(dict.fromkeys(upstream))
    order = said + [pk for pk, by_editor in members if by_editor and pk not in said]
    assert after(stored, writes) == order
    assert (change is None) == (order == [pk for pk, _ in members])
    if change is None:
        assert writes == LinkWrites()


@given(upstream=ids, members=rows)
def test_a_second_look_at_the_networks_finds_nothing(upstream: list[int], members: list[tuple[int, bool]]) -> None:
    stored, writes, again = stored_networks(members), LinkWrites(), LinkWrites()
    diff_networks(SHOW, upstream, stored, NETWORKS, writes, locked=False)
    now = sorted([row for row in stored if row not in writes.deleted] + writes.created, key=lambda row: row.position)
    for row in writes.created:
        row.network = NETWORKS[row.network_id]

    assert diff_networks(SHOW, upstream, now, NETWORKS, again, locked=False) is None
    assert again == LinkWrites()


@given(upstream=ids, members=rows)
def test_a_locked_set_stays_as_it_is(upstream: list[int], members: list[tuple[int, bool]]) -> None:
    networks, writes = stored_networks(members), LinkWrites()
    companies = [
        ShowProductionCompany(pk=row.pk, company=COMPANIES[row.network_id], position=row.position, source=row.source)
        for row in networks
    ]

    assert diff_networks(SHOW, upstream, networks, NETWORKS, writes, locked=True) is None
    assert diff_companies(SHOW, upstream, companies, COMPANIES, writes, locked=True) is None
    assert writes == LinkWrites()
    places = list(range(len(members)))
    assert [row.position for row in networks] == [row.position for row in companies] == places


def test_an_editors_company_that_upstream_also_tells_stays_the_editors() -> None:
    row = ShowProductionCompany(pk=1, company=COMPANIES[2], position=0, source="editor")
    writes = LinkWrites()

    change = diff_companies(SHOW, [1, 2], [row], COMPANIES, writes, locked=False)

    assert change == {"added": ["C1 (1)"], "removed": []}
    assert ([link.company_id for link in writes.created], writes.deleted) == ([1], [])
    assert (writes.updated, row.position, row.source) == ([row], 1, "editor")


@given(said=offers, there=offers)
def test_the_writes_make_the_offers_what_upstream_says(
    said: dict[OfferKey, tuple[int | None, str | None]], there: dict[OfferKey, tuple[int | None, str | None]]
) -> None:
    stored: dict[OfferKey, OfferRow] = {key: (pk, *values, NOW) for pk, (key, values) in enumerate(there.items(), 1)}
    records = [make_offer(*key, priority=priority, link=link) for key, (priority, link) in said.items()]
    writes, now = LinkWrites(), NOW + timedelta(days=1)

    change = diff_offers(SHOW, records, stored, PROVIDERS, NOW, now, writes)

    rows = {pk: (key, values) for pk, (key, values) in enumerate(there.items(), 1)}
    for row in writes.deleted:
        del rows[row.pk]
    for number, row in enumerate([*writes.updated, *writes.created]):
        key = (row.region, row.offer_type, row.provider_id)
        rows[row.pk or -number - 1] = (key, (row.display_priority, row.link))
    assert dict(rows.values()) == said
    assert (change is None) == (said == there)
    assert {(row.region, row.offer_type, row.provider_id) for row in writes.past} == set(there) - set(said)
    assert all(row.first_seen_at == NOW for row in writes.updated)
    assert all(row.first_seen_at == now for row in writes.created)


def test_an_offer_that_was_never_confirmed_was_seen_when_it_began() -> None:
    writes = LinkWrites()

    diff_offers(SHOW, [], {("US", "buy", 1): (1, None, None, NOW)}, PROVIDERS, NOW - timedelta(days=9), NOW, writes)
    diff_offers(SHOW, [], {("US", "buy", 1): (1, None, None, NOW)}, PROVIDERS, None, NOW, writes)

    assert [(row.first_seen_at, row.last_seen_at) for row in writes.past] == [(NOW, NOW)] * 2
