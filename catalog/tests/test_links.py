from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from catalog.changes import Author
from catalog.edits import edit_show, lock_show, unlock_show
from catalog.links import label_id, linked_ids
from catalog.models import Change, Network, ProductionCompany, Show, ShowNetwork


@pytest.fixture
def networks(show: Show, make_network: Callable[..., Network]) -> list[int]:
    """Bravo and HBO, brought by a sync; E! and Fox belong to no show."""
    for pk, name in ((74, "Bravo"), (49, "HBO"), (76, "E!"), (19, "FOX")):
        make_network(pk, name)
    for position, pk in enumerate((74, 49)):
        ShowNetwork.objects.create(show=show, network_id=pk, position=position)
    return [74, 49]


def sources(show: Show) -> list[tuple[int, str]]:
    return list(ShowNetwork.objects.filter(show=show).order_by("position").values_list("network_id", "source"))


def test_an_editors_networks_replace_the_others_in_his_order_and_are_locked(
    show: Show, author: Author, networks: list[int]
) -> None:
    change = edit_show(show.pk, {"networks": [76, 74]}, author)

    show.refresh_from_db()
    assert sources(show) == [(76, "editor"), (74, "tmdb")]
    assert change is not None
    assert change.fields["networks"] == {"added": ["E! (76)"], "removed": ["HBO (49)"], "at": [1]}
    assert show.locked_fields == ["networks"]
    assert show.upstream_values == {"networks": networks}


def test_unlocking_brings_upstreams_networks_back_at_once(show: Show, author: Author, networks: list[int]) -> None:
    edit_show(show.pk, {"networks": [76]}, author)

    change = unlock_show(show.pk, ["networks"], author)

    show.refresh_from_db()
    assert sources(show) == [(74, "tmdb"), (49, "tmdb")]
    assert change is not None
    assert change.fields["networks"] == {"added": ["Bravo (74)", "HBO (49)"], "removed": ["E! (76)"], "at": [0]}
    assert (show.locked_fields, show.upstream_values) == ([], {})


def test_unlocking_what_upstream_never_told_leaves_the_networks_to_the_next_sync(
    author: Author, make_network: Callable[..., Network]
) -> None:
    show = Show.objects.create(name="New")
    make_network(74)
    edit_show(show.pk, {"networks": [74]}, author)

    change = unlock_show(show.pk, ["networks"], author)

    assert change is not None
    assert list(change.fields) == ["locked_fields"]
    assert sources(show) == [(74, "tmdb")]


def test_another_order_is_a_change_and_the_same_is_none(show: Show, author: Author, networks: list[int]) -> None:
    change = edit_show(show.pk, {"networks": [49, 74]}, author)

    assert change is not None
    assert change.fields["networks"] == [["Bravo (74)", "HBO (49)"], ["HBO (49)", "Bravo (74)"]]
    assert edit_show(show.pk, {"networks": [49, 74, 49]}, author) is None
    assert linked_ids(show.pk, "networks") == [49, 74]


def test_companies_are_edited_in_the_same_way(show: Show, author: Author) -> None:
    ProductionCompany.objects.create(id=5, name="Evolution")

    edit_show(show.pk, {"production_companies": [5]}, author)

    show.refresh_from_db()
    assert linked_ids(show.pk, "production_companies") == [5]
    assert show.locked_fields == ["production_companies"]


def test_an_id_of_no_network_is_refused_at_the_field_and_nothing_is_saved(
    show: Show, author: Author, networks: list[int]
) -> None:
    with pytest.raises(ValidationError) as refusal:
        edit_show(show.pk, {"networks": [74, 999], "name": "Mine"}, author)

    assert refusal.value.message_dict == {"networks": ["There is none with the id 999."]}
    show.refresh_from_db()
    assert (show.name, linked_ids(show.pk, "networks"), Change.objects.count()) == ("Below Deck", networks, 0)


def test_locking_as_it_stands_keeps_the_members_and_upstreams_word(
    show: Show, author: Author, networks: list[int]
) -> None:
    change = lock_show(show.pk, ["networks", "name", "watch_providers"], author)

    show.refresh_from_db()
    assert show.locked_fields == ["name", "networks", "watch_providers"]
    assert show.upstream_values == {"name": "Below Deck", "networks": networks}
    assert change is not None
    assert change.fields == {"locked_fields": {"added": ["name", "networks", "watch_providers"], "removed": []}}
    assert lock_show(show.pk, ["name"], author) is None


@pytest.mark.parametrize(("label", "pk"), [("Bravo (74)", 74), ("A (1) (2)", 2)])
def test_the_id_is_read_from_a_label(label: str, pk: int) -> None:
    assert label_id(label) == pk


def test_a_text_that_is_no_label_names_no_entity() -> None:
    with pytest.raises(ValueError, match="names no entity"):
        label_id("Bravo")
