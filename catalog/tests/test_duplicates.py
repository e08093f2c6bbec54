from collections.abc import Callable
from typing import Any

import pytest

from catalog.changes import Author
from catalog.duplicates import MergeRefused, merge_networks
from catalog.models import Change, Network, Show, ShowNetwork

pytestmark = pytest.mark.django_db

MakeNetwork = Callable[..., Network]


def link(show: Show, *networks: Network, source: str = "tmdb") -> None:
    for position, network in enumerate(networks):
        ShowNetwork.objects.create(show=show, network=network, position=position, source=source)


def links(show: Show) -> list[tuple[int, int, str]]:
    return list(show.show_networks.values_list("network_id", "position", "source"))


def test_shows_of_the_duplicate_follow_in_its_place(make_network: MakeNetwork, author: Author) -> None:
    hbo, bravo, double = make_network(49, "HBO"), make_network(74), make_network(5000, "Bravo  TV")
    show, other = Show.objects.create(name="A"), Show.objects.create(name="B")
    link(show, double, hbo)
    link(other, bravo)

    assert merge_networks(double, bravo, author) == 1

    assert links(show) == [(74, 0, "tmdb"), (49, 1, "tmdb")]
    assert links(other) == [(74, 0, "tmdb")]
    double.refresh_from_db()
    assert double.merged_into == bravo
    change = Change.objects.get()
    assert (change.show_id, change.kind, change.user) == (show.pk, "updated", author.user)
    assert change.fields == {"networks": {"added": ["Bravo (74)"], "removed": ["Bravo TV (5000)"]}}
    assert change.reason == "Bravo TV was merged into Bravo"


@pytest.mark.parametrize(
    ("first", "second", "kept"), [("tmdb", "tmdb", "tmdb"), ("editor", "tmdb", "editor"), ("tmdb", "editor", "editor")]
)
def test_a_show_with_both_keeps_one_in_the_earlier_place_and_an_editors_source_wins(
    make_network: MakeNetwork, author: Author, show: Show, first: str, second: str, kept: str
) -> None:
    bravo, double = make_network(74), make_network(5000)
    ShowNetwork.objects.create(show=show, network=double, position=0, source=first)
    ShowNetwork.objects.create(show=show, network=bravo, position=3, source=second)

    assert merge_networks(double, bravo, author) == 1

    assert links(show) == [(74, 0, kept)]
    assert Change.objects.get().fields == {"networks": {"added": [], "removed": ["Bravo (5000)"]}}


def test_a_show_that_followed_counts_as_updated(make_network: MakeNetwork, author: Author, show: Show) -> None:
    bravo, double = make_network(74), make_network(5000)
    link(show, double)
    before = show.updated_at

    merge_networks(double, bravo, author)

    show.refresh_from_db()
    assert show.updated_at > before


def test_a_merge_into_a_merged_one_goes_to_its_target(make_network: MakeNetwork, author: Author, show: Show) -> None:
    one, two, three = make_network(1), make_network(2), make_network(3)
    merge_networks(two, one, author)
    link(show, three)

    merge_networks(three, two, author)

    three.refresh_from_db()
    assert three.merged_into == one
    assert links(show) == [(1, 0, "tmdb")]


def test_what_was_merged_into_the_duplicate_follows(make_network: MakeNetwork, author: Author) -> None:
    one, two, three = make_network(1), make_network(2), make_network(3)
    merge_networks(three, two, author)

    merge_networks(two, one, author)

    assert dict(Network.objects.values_list("pk", "merged_into")) == {1: None, 2: 1, 3: 1}


def test_no_merge_makes_a_circle_or_happens_twice(make_network: MakeNetwork, author: Author) -> None:
    one, two = make_network(1), make_network(2)

    with pytest.raises(MergeRefused, match="itself"):
        merge_networks(one, one, author)
    merge_networks(two, one, author)
    with pytest.raises(MergeRefused, match="itself"):
        merge_networks(one, two, author)  # two is one by now
    with pytest.raises(MergeRefused, match="already"):
        merge_networks(two, one, author)
    assert dict(Network.objects.values_list("pk", "merged_into")) == {1: None, 2: 1}


def test_the_queries_of_a_merge_do_not_grow_with_the_shows(
    make_network: MakeNetwork, author: Author, django_assert_num_queries: Any
) -> None:
    counts = []
    for number, size in ((10, 3), (20, 60)):
        bravo, double = make_network(number), make_network(number + 1)
        for index in range(size):
            link(Show.objects.create(name=f"Show {index}"), double, *([bravo] if index % 2 else []))
        with django_assert_num_queries(14, exact=False) as queries:
            assert merge_networks(double, bravo, author) == size
        counts.append(len(queries))
    assert counts[0] == counts[1]
