import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.changes import Author
from catalog.edits import ChangedMeanwhile, edit_show, in_order, lock_show, unlock_show, version_of
from catalog.locks import EDITABLE, LOCKABLE, LOCKABLE_RELATIONS
from catalog.merging import merge_shows, merged_pair, resolve_merged, unmerge
from catalog.models import (
    Batch,
    Change,
    Network,
    PastWatchProvider,
    ProductionCompany,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)
from catalog.moving import STAYING, TOLD, UNTOLD, relations, table, unique_columns
from catalog.picks import LISTS
from catalog.trash import delete_show, restore_show

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MakeNetwork = Callable[..., Network]


@pytest.fixture
def why(author: Author) -> Author:
    return Author(user=author.user, reason="the same show")


@pytest.fixture
def double(db: None) -> Show:
    """A second row of Below Deck, which upstream has never filled."""
    return Show.objects.create(name="Below  Deck!", tags=["ours"], override="Y")


def link(show: Show, *networks: Network, source: str = "tmdb") -> None:
    for position, network in enumerate(networks):
        ShowNetwork.objects.create(show=show, network=network, position=position, source=source)


def links(show: Show) -> list[tuple[int, int]]:
    return list(show.show_networks.values_list("network_id", "position"))


def fresh(show: Show) -> Show:
    return Show.all_objects.get(pk=show.pk)


def offer(show: Show, provider: WatchProvider, region: str = "US", kind: str = "flatrate") -> ShowWatchProvider:
    return ShowWatchProvider.objects.create(
        show=show, provider=provider, region=region, offer_type=kind, first_seen_at=NOW, fetched_at=NOW
    )


# --- merging: the columns


def test_the_target_keeps_its_own_and_the_source_says_where_it_went(show: Show, double: Show, why: Author) -> None:
    batch = merge_shows(double.pk, show.pk, {}, why)

    source, target = fresh(double), fresh(show)
    assert (target.name, target.tags, target.override, target.locked_fields) == ("Below Deck", [], "", [])
    assert source.deleted_at is not None
    assert source.merged_into_id == show.pk
    assert list(Show.objects.all()) == [target]
    assert (batch.kind, batch.status, batch.reason, batch.user) == ("merge", "done", "the same show", why.user)
    assert (batch.total, batch.done, batch.counts) == (2, 2, {"changed": 1, "unchanged": 1})
    assert (batch.plan["source"], batch.plan["target"]) == (str(double.pk), str(show.pk))
    change = Change.objects.get()  # the target has not changed
    assert (change.show_id, change.kind, change.batch_id, change.reason) == (
        double.pk,
        "merged",
        batch.pk,
        "the same show",
    )
    assert change.fields == {"merged_into": [None, str(show.pk)]}


def test_a_picked_value_that_upstream_does_not_say_is_locked(show: Show, double: Show, why: Author) -> None:
    batch = merge_shows(double.pk, show.pk, {"name": "source", "tags": "source", "override": "source"}, why)

    target = fresh(show)
    assert (target.name, target.name_key, target.tags, target.override) == (
        "Below  Deck!",
        "below deck!",
        ["ours"],
        "Y",
    )
    assert target.locked_fields == ["name", "override"]
    assert target.upstream_values == {"name": "Below Deck"}
    change = Change.objects.get(show_id=show.pk)
    assert (change.kind, change.batch_id) == ("updated", batch.pk)
    assert change.fields == {
        "name": ["Below Deck", "Below  Deck!"],
        "tags": {"added": ["ours"], "removed": []},
        "override": ["", "Y"],
        "locked_fields": {"added": ["name", "override"], "removed": []},
    }
    unlock_show(show.pk, ["name"], why)
    assert fresh(show).name == "Below Deck"


def test_a_picked_value_whose_tmdb_id_comes_along_follows_upstream(show: Show, double: Show, why: Author) -> None:
    lock_show(double.pk, ["name"], why)

    merge_shows(show.pk, double.pk, {"tmdb_id": "source", "name": "source", "description": "source"}, why)

    target = fresh(double)
    assert (target.tmdb_id, target.name, target.description) == (55555, "Below Deck", "From\nTMDb.")
    assert (target.locked_fields, target.upstream_values) == ([], {})
    assert target.tmdb_fetched_at == NOW
    change = Change.objects.get(show_id=show.pk)
    assert change.fields == {"merged_into": [None, str(double.pk)], "tmdb_id": [55555, None]}


def test_a_picked_value_that_was_locked_stays_locked_and_upstreams_word_comes_along(
    show: Show, double: Show, why: Author
) -> None:
    edit_show(show.pk, {"name": "Mine"}, why)

    merge_shows(show.pk, double.pk, {"tmdb_id": "source", "name": "source"}, why)

    target = fresh(double)
    assert (target.name, target.locked_fields, target.upstream_values) == ("Mine", ["name"], {"name": "Below Deck"})


def test_a_value_that_was_kept_on_purpose_is_locked_when_another_tmdb_id_comes(
    show: Show, double: Show, why: Author
) -> None:
    merge_shows(show.pk, double.pk, {"tmdb_id": "source", "name": "target", "description": "target"}, why)

    target = fresh(double)
    assert (target.name, target.description) == ("Below  Deck!", None)
    assert target.locked_fields == ["name", "description"]
    assert target.upstream_values == {"name": "Below Deck", "description": "From\nTMDb."}


def test_what_nobody_has_said_yet_of_a_picked_field_is_not_made_up(why: Author) -> None:
    one, two = Show.objects.create(name="One"), Show.objects.create(name="Two")

    merge_shows(one.pk, two.pk, {"name": "source"}, why)

    assert (fresh(two).name, fresh(two).locked_fields, fresh(two).upstream_values) == ("One", ["name"], {})


def test_what_the_source_had_kept_of_upstream_comes_along_where_the_target_has_nothing(
    show: Show, double: Show, why: Author
) -> None:
    edit_show(show.pk, {"name": "Mine"}, why)

    merge_shows(show.pk, double.pk, {"name": "source"}, why)

    assert (fresh(double).name, fresh(double).upstream_values) == ("Mine", {"name": "Below Deck"})


def test_figures_that_a_person_picked_are_no_volatile_change(show: Show, why: Author) -> None:
    other = Show.objects.create(name="B", tmdb_vote_count=7)

    merge_shows(other.pk, show.pk, {"tmdb_vote_count": "source"}, why)

    change = Change.objects.get(show_id=show.pk)
    assert (set(change.fields), change.volatile) == ({"tmdb_vote_count", "locked_fields"}, False)
    Show.objects.filter(pk=show.pk).update(locked_fields=["tmdb_vote_count"])
    third = Show.objects.create(name="C", tmdb_vote_count=8)
    merge_shows(third.pk, show.pk, {"tmdb_vote_count": "source"}, why)
    change = Change.objects.filter(show_id=show.pk).latest("id")
    assert (set(change.fields), change.volatile) == ({"tmdb_vote_count"}, False)


@pytest.mark.parametrize("name", LISTS)
def test_of_a_list_both_can_be_picked(show: Show, why: Author, name: str) -> None:
    Show.objects.filter(pk=show.pk).update(**{name: ["a", "b"]})
    other = Show.objects.create(name="B", **{name: ["b", "c"]})

    merge_shows(other.pk, show.pk, {name: "both"}, why)

    target = fresh(show)
    assert getattr(target, name) == ["a", "b", "c"]
    assert target.is_locked(name) == (name in LOCKABLE)
    assert target.upstream_values == ({name: ["a", "b"]} if name in LOCKABLE else {})


def test_both_of_two_lists_of_which_one_holds_the_other_changes_nothing(show: Show, why: Author) -> None:
    other = Show.objects.create(name="B", genres=["Reality"])
    Show.objects.filter(pk=show.pk).update(genres=["Drama", "Reality"])

    merge_shows(other.pk, show.pk, {"genres": "both"}, why)

    assert (fresh(show).genres, fresh(show).locked_fields) == (["Drama", "Reality"], [])


def test_picked_ids_change_places_so_that_no_import_makes_a_third_show(show: Show, why: Author) -> None:
    other = Show.objects.create(
        name="B", tmdb_id=7, imdb_id="tt7777777", tmdb_meta={"id": 7}, needs_tmdb_resolution=True
    )
    Show.objects.filter(pk=show.pk).update(tmdb_meta={"id": 55555})

    batch = merge_shows(other.pk, show.pk, {"tmdb_id": "source"}, why)

    target, source = fresh(show), fresh(other)
    assert (target.tmdb_id, target.imdb_id, target.tmdb_meta) == (7, "tt2342499", {"id": 7})
    assert (source.tmdb_id, source.imdb_id, source.tmdb_meta) == (55555, "tt7777777", {"id": 55555})
    assert target.tmdb_fetched_at is None
    assert target.needs_tmdb_resolution
    assert Change.objects.get(show_id=other.pk).fields == {
        "merged_into": [None, str(show.pk)],
        "tmdb_id": [7, 55555],
    }
    unmerge(batch, why)
    assert (fresh(show).tmdb_id, fresh(other).tmdb_id, fresh(other).tmdb_meta) == (55555, 7, {"id": 7})


def test_an_id_that_contradicted_and_is_now_taken_contradicts_no_more(show: Show, why: Author) -> None:
    other = Show.objects.create(name="B", imdb_id="tt7777777")
    Show.objects.filter(pk=show.pk).update(upstream_values={"imdb_id": "tt7777777"}, needs_imdb_resolution=True)

    batch = merge_shows(other.pk, show.pk, {"imdb_id": "source"}, why)

    target = fresh(show)
    assert (target.imdb_id, target.needs_imdb_resolution) == ("tt7777777", False)
    assert (target.locked_fields, target.upstream_values) == ([], {})
    unmerge(batch, why)
    target = fresh(show)
    assert (target.imdb_id, target.upstream_values) == ("tt2342499", {"imdb_id": "tt7777777"})


# --- merging: the rows


def test_networks_go_over_after_the_targets_own_but_for_what_it_has(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    bravo, hbo, e = make_network(74), make_network(49, "HBO"), make_network(76, "E!")
    link(show, bravo, e)
    link(double, hbo, bravo)

    batch = merge_shows(double.pk, show.pk, {}, why)

    assert links(show) == [(74, 0), (76, 1), (49, 2)]
    assert links(double) == [(74, 1)]
    moved = ShowNetwork.objects.get(show=show, network=hbo)
    assert batch.plan["moved"] == {
        "catalog.ShowNetwork": [
            {"id": moved.pk, "show_id": str(double.pk), "network_id": 49, "position": 0, "source": "tmdb"}
        ]
    }
    change = Change.objects.get(show_id=show.pk)
    assert change.fields == {"networks": {"added": ["HBO (49)"], "removed": []}}


def test_companies_offers_and_past_offers_go_over(show: Show, double: Show, why: Author) -> None:
    company = ProductionCompany.objects.create(id=1, name="51 Minds")
    hulu, max_ = (WatchProvider.objects.create(provider_id=pk, provider_name=f"P{pk}") for pk in (15, 189))
    ShowProductionCompany.objects.create(show=double, company=company, position=0)
    offer(show, hulu)
    offer(double, hulu)
    offer(double, max_)
    for one in (show, double):
        PastWatchProvider.objects.create(
            show=one, provider=hulu, region="DE", offer_type="buy", first_seen_at=NOW, last_seen_at=NOW
        )

    merge_shows(double.pk, show.pk, {}, why)

    assert [row.company_id for row in show.show_companies.all()] == [1]
    assert list(show.watch_providers.values_list("provider_id", flat=True)) == [15, 189]
    assert show.past_watch_providers.count() == 2
    assert list(double.watch_providers.values_list("provider_id", flat=True)) == [15]
    assert Change.objects.get(show_id=show.pk).fields == {
        "production_companies": {"added": ["51 Minds (1)"], "removed": []},
        "watch_providers": {"added": ["US flatrate P189 (189)"], "removed": []},
    }


@pytest.mark.parametrize("relation", LOCKABLE_RELATIONS)
def test_a_set_that_was_locked_stays_locked_where_it_goes(
    show: Show, double: Show, make_network: MakeNetwork, why: Author, relation: str
) -> None:
    bravo, hbo = make_network(74), make_network(49, "HBO")
    link(show, bravo)
    link(double, hbo)
    company = ProductionCompany.objects.create(id=1, name="51 Minds")
    ShowProductionCompany.objects.create(show=double, company=company, position=0)
    offer(double, WatchProvider.objects.create(provider_id=15, provider_name="Hulu"))
    lock_show(double.pk, [relation], why)

    batch = merge_shows(double.pk, show.pk, {}, why)

    said = {"networks": [74], "production_companies": []}
    assert fresh(show).locked_fields == [relation]
    assert fresh(show).upstream_values == {name: ids for name, ids in said.items() if name == relation}
    unmerge(batch, why)
    assert (fresh(show).locked_fields, fresh(show).upstream_values) == ([], {})


def test_a_set_that_the_target_has_locked_keeps_what_upstream_says_of_it(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    link(double, make_network(49, "HBO"))
    for one, ids in ((show, [74]), (double, [49])):
        Show.objects.filter(pk=one.pk).update(locked_fields=["networks"], upstream_values={"networks": ids})

    merge_shows(double.pk, show.pk, {}, why)

    assert (fresh(show).locked_fields, fresh(show).upstream_values) == (["networks"], {"networks": [74]})


@pytest.mark.parametrize(
    ("pick", "mine", "theirs", "locked"),
    [
        ("both", [74, 76, 49], [76], []),
        ("target", [74, 76], [49, 76], []),
        ("source", [49, 76], [74, 76], ["networks"]),
    ],
)
def test_networks_are_picked_as_a_whole_and_what_upstream_would_take_back_is_locked(
    show: Show,
    double: Show,
    make_network: MakeNetwork,
    why: Author,
    pick: str,
    mine: list[int],
    theirs: list[int],
    locked: list[str],
) -> None:
    bravo, hbo, e = make_network(74), make_network(49, "HBO"), make_network(76, "E!")
    link(show, bravo, e)
    link(double, hbo, e)
    before = state()

    batch = merge_shows(double.pk, show.pk, {"networks": pick}, why)

    assert [pk for pk, _ in links(show)] == mine
    assert [pk for pk, _ in links(double)] == theirs
    assert fresh(show).locked_fields == locked
    assert fresh(show).upstream_values == ({"networks": [74, 76]} if locked else {})
    changed = Change.objects.filter(show_id=show.pk).values_list("fields__networks", flat=True)
    added_removed = {"both": (["HBO (49)"], []), "source": (["HBO (49)"], ["Bravo (74)"])}
    assert [(one["added"], one["removed"]) for one in changed] == ([added_removed[pick]] if pick != "target" else [])
    assert unmerge(batch, why) == []
    assert state() == before


def test_a_locked_set_is_not_forced_on_the_one_that_stays(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    link(show, make_network(74))
    link(double, make_network(49, "HBO"))
    lock_show(double.pk, ["networks"], why)

    merge_shows(double.pk, show.pk, {"networks": "target"}, why)

    assert (links(show), fresh(show).locked_fields) == ([(74, 0)], [])


def test_the_targets_offers_are_locked_where_another_tmdb_id_comes(show: Show, double: Show, why: Author) -> None:
    hulu, max_ = (WatchProvider.objects.create(provider_id=pk, provider_name=f"P{pk}") for pk in (15, 189))
    offer(show, hulu)
    offer(double, max_)

    merge_shows(show.pk, double.pk, {"tmdb_id": "source", "watch_providers": "target"}, why)

    assert list(double.watch_providers.values_list("provider_id", flat=True)) == [189]
    assert fresh(double).locked_fields == ["watch_providers"]


def test_every_relation_of_a_show_is_moved_or_named() -> None:
    moved = {relation.get_accessor_name() for relation in relations()}
    ours = {
        relation.get_accessor_name() or relation.name
        for relation in Show._meta.related_objects
        if relation.related_model._meta.app_label == "catalog"
    }

    assert moved | STAYING == ours
    assert not moved & STAYING
    # What a change does not tell of is named, so that a new table is thought of.
    assert moved == TOLD.keys() | UNTOLD
    # The keys of a plan.
    assert len({relation.related_model._meta.label for relation in relations()}) == len(moved)


def test_no_unique_constraint_is_of_a_kind_that_moving_does_not_understand() -> None:
    for relation in relations():
        for constraint in relation.related_model._meta.constraints:
            if isinstance(constraint, models.UniqueConstraint):
                assert constraint.fields, f"{constraint.name} is of expressions"
    found = {relation.get_accessor_name(): unique_columns(relation) for relation in relations()}
    assert found == {
        "past_watch_providers": [],
        "show_companies": [("company_id",)],
        "show_networks": [("network_id",)],
        "watch_providers": [("region", "offer_type", "provider_id")],
    }


def test_the_number_of_queries_does_not_grow_with_the_rows(show: Show, make_network: MakeNetwork, why: Author) -> None:
    networks = [make_network(pk, f"N{pk}") for pk in range(1, 41)]
    providers = [WatchProvider.objects.create(provider_id=pk, provider_name=f"P{pk}") for pk in range(1, 41)]
    counts = []
    for number in (1, 40):
        other = Show.objects.create(name=f"With {number}")
        link(other, *networks[-number:])
        for provider in providers[-number:]:
            offer(other, provider, region=f"R{number}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            batch = merge_shows(other.pk, show.pk, {"name": "source"}, why)
        merging = len(queries)
        with CaptureQueriesContext(connection) as queries:
            unmerge(batch, why)
        counts.append((merging, len(queries)))

    assert counts[0] == counts[1]
    assert max(counts[0]) <= 60


# --- ids that were merged


def test_an_old_id_leads_to_the_living_show_also_over_several_merges(show: Show, why: Author) -> None:
    first, second = Show.objects.create(name="1"), Show.objects.create(name="2")
    merge_shows(first.pk, second.pk, {}, why)
    batch = merge_shows(second.pk, show.pk, {}, why)

    assert fresh(first).merged_into_id == show.pk
    assert [resolve_merged(one.pk) for one in (first, second, show)] == [show.pk] * 3
    unmerge(batch, why)
    assert fresh(first).merged_into_id == second.pk
    assert resolve_merged(first.pk) == second.pk


def test_an_old_id_leads_nowhere_when_the_show_is_gone(show: Show, double: Show, why: Author) -> None:
    merge_shows(double.pk, show.pk, {}, why)
    delete_show(show.pk, why)

    assert resolve_merged(double.pk) is None
    assert resolve_merged(show.pk) is None
    assert resolve_merged(uuid.uuid4()) is None


def test_a_merged_show_is_not_restored_from_the_trash(show: Show, double: Show, why: Author) -> None:
    merge_shows(double.pk, show.pk, {}, why)

    with pytest.raises(ValidationError, match="undo the merge"):
        restore_show(double.pk, why)


# --- refusals


def test_a_merge_needs_a_reason(show: Show, double: Show, author: Author) -> None:
    with pytest.raises(ValidationError) as refusal:
        merge_shows(double.pk, show.pk, {}, Author(user=author.user, reason=" "))

    assert list(refusal.value.message_dict) == ["reason"]
    assert not Batch.objects.exists()


@pytest.mark.parametrize("picks", [{"id": "source"}, {"name": "both"}, {"name": "x"}, {"locked_fields": "source"}])
def test_a_pick_that_no_page_offers_is_a_mistake(show: Show, double: Show, why: Author, picks: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no such pick"):
        merge_shows(double.pk, show.pk, picks, why)


def test_what_can_not_be_merged_is_refused_in_words(show: Show, double: Show, why: Author) -> None:
    gone, merged = Show.objects.create(name="Gone"), Show.objects.create(name="Merged")
    delete_show(gone.pk, why)
    merge_shows(merged.pk, show.pk, {}, why)
    before = Change.objects.count()

    for source, target, words in [
        (show, show, "into itself"),
        (gone, show, "Gone is in the trash"),
        (show, gone, "Gone is in the trash"),
        (merged, double, "Merged was already merged into Below Deck"),
        (double, merged, "Merged was already merged into Below Deck"),
    ]:
        with pytest.raises(ValidationError, match=words):
            merge_shows(source.pk, target.pk, {}, why)
    with pytest.raises(Show.DoesNotExist):
        merge_shows(uuid.uuid4(), show.pk, {}, why)
    assert Change.objects.count() == before


@pytest.mark.parametrize("changed", ["source", "target"])
def test_a_merge_of_a_show_that_somebody_changed_meanwhile_is_refused(
    show: Show, double: Show, why: Author, changed: str
) -> None:
    versions = {show.pk: version_of(show.pk), double.pk: version_of(double.pk)}
    edit_show(double.pk if changed == "source" else show.pk, {"description": "new"}, why)

    with pytest.raises(ChangedMeanwhile) as refusal:
        merge_shows(double.pk, show.pk, {}, why, versions=versions)

    assert [set(change.fields) for change in refusal.value.changes] == [{"description", "locked_fields"}]
    assert fresh(double).merged_into_id is None


def test_a_merge_of_shows_as_they_were_seen_is_done(show: Show, double: Show, why: Author) -> None:
    edit_show(show.pk, {"description": "new"}, why)
    versions = {show.pk: version_of(show.pk), double.pk: version_of(double.pk)}

    assert merge_shows(double.pk, show.pk, {}, why, versions=versions).status == "done"


# --- undo


def test_an_undo_is_told_as_a_batch_of_its_own(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    link(show, make_network(74))
    link(double, make_network(49, "HBO"))
    offer(double, WatchProvider.objects.create(provider_id=15, provider_name="Hulu"))
    batch = merge_shows(double.pk, show.pk, {"name": "source"}, why)

    assert unmerge(batch, Author(user=why.user)) == []

    undo = Batch.objects.get(kind="revert")
    assert (undo.status, undo.reason, undo.plan["batch"]) == ("done", "Undo of the merge: the same show", str(batch.pk))
    source, target = Change.objects.filter(batch=undo).order_by("id")
    assert (source.show_id, source.kind) == (double.pk, "created")
    assert source.fields == {"name": [None, "Below  Deck!"], "merged_into": [str(show.pk), None]}
    assert (target.show_id, target.kind) == (show.pk, "updated")
    assert target.fields == {
        "name": ["Below  Deck!", "Below Deck"],
        "locked_fields": {"added": [], "removed": ["name"]},
        "networks": {"added": [], "removed": ["HBO (49)"], "at": [1]},
        "watch_providers": {"added": [], "removed": ["US flatrate Hulu (15)"]},
    }


def test_what_somebody_changed_since_stays_and_is_named(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    link(double, make_network(49, "HBO"), make_network(76, "E!"))
    batch = merge_shows(double.pk, show.pk, {"name": "source", "tags": "source"}, why)
    edit_show(show.pk, {"name": "Newest", "networks": [76]}, why)

    left = unmerge(batch, why)

    assert left == ["Name was changed since the merge and stays as it is."]
    target = fresh(show)
    assert (target.name, target.tags) == ("Newest", [])
    assert "name" in target.locked_fields
    assert links(double) == [(49, 0), (76, 1)]
    assert links(show) == []
    assert Batch.objects.get(kind="revert").plan["left"] == left


def test_an_unlocked_field_that_a_sync_wrote_since_is_nobodys_and_goes_back(
    show: Show, double: Show, why: Author
) -> None:
    batch = merge_shows(show.pk, double.pk, {"tmdb_id": "source", "description": "source"}, why)
    Show.objects.filter(pk=double.pk).update(description="Newer.")

    assert unmerge(batch, why) == []

    assert fresh(double).description is None
    assert (fresh(show).tmdb_id, fresh(show).description) == (55555, "From\nTMDb.")


def test_upstreams_newest_word_is_taken_where_a_lock_of_the_merge_is_opened(
    show: Show, double: Show, why: Author
) -> None:
    batch = merge_shows(double.pk, show.pk, {"name": "source"}, why)
    Show.objects.filter(pk=show.pk).update(upstream_values={"name": "Below Deck (US)"})

    assert unmerge(batch, why) == []

    assert (fresh(show).name, fresh(show).locked_fields, fresh(show).upstream_values) == ("Below Deck (US)", [], {})


def test_upstreams_newest_word_stays_beside_a_field_that_was_locked_before(
    show: Show, double: Show, why: Author
) -> None:
    edit_show(show.pk, {"name": "Mine"}, why)
    batch = merge_shows(double.pk, show.pk, {"name": "source"}, why)
    Show.objects.filter(pk=show.pk).update(upstream_values={"name": "Below Deck (US)"})

    unmerge(batch, why)

    target = fresh(show)
    assert (target.name, target.locked_fields) == ("Mine", ["name"])
    assert target.upstream_values == {"name": "Below Deck (US)"}


def test_what_upstream_said_of_an_id_that_went_back_is_forgotten(show: Show, double: Show, why: Author) -> None:
    batch = merge_shows(show.pk, double.pk, {"tmdb_id": "source", "name": "target"}, why)
    Show.objects.filter(pk=double.pk).update(upstream_values={"name": "Newer"})

    unmerge(batch, why)

    target = fresh(double)
    assert (target.name, target.locked_fields, target.upstream_values) == ("Below  Deck!", [], {})


def test_a_row_that_both_shows_have_since_stays_and_is_named(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    bravo, hbo = make_network(74), make_network(49, "HBO")
    link(double, hbo)
    batch = merge_shows(double.pk, show.pk, {}, why)
    ShowNetwork.objects.create(show=double, network=hbo, position=0)
    ShowNetwork.objects.create(show=show, network=bravo, position=1)

    left = unmerge(batch, why)

    assert left == ["Networks: 1 of the 1 that had gone over stay, as both shows have them now."]
    assert links(show) == [(49, 0), (74, 1)]


def test_rows_that_are_gone_since_are_made_again_with_all_that_they_held(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    link(double, make_network(49, "HBO"), make_network(76, "E!"), source="editor")
    offer(double, WatchProvider.objects.create(provider_id=15, provider_name="Hulu"))
    before = state()
    batch = merge_shows(double.pk, show.pk, {}, why)
    show.show_networks.all().delete()
    (gone,) = show.watch_providers.all()
    seen = {"region": "US", "offer_type": "flatrate", "provider_id": 15, "first_seen_at": NOW}
    PastWatchProvider.objects.create(show=show, **seen, last_seen_at=NOW)
    other = PastWatchProvider.objects.create(show=show, **seen | {"region": "DE"}, last_seen_at=NOW)
    gone.delete()

    assert unmerge(batch, why) == []

    assert list(show.past_watch_providers.all()) == [other]
    other.delete()
    assert state() == before


def test_a_row_whose_network_was_deleted_since_is_named(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    hbo = make_network(49, "HBO")
    link(double, hbo, make_network(76, "E!"))
    batch = merge_shows(double.pk, show.pk, {}, why)
    show.show_networks.all().delete()
    hbo.delete()

    assert unmerge(batch, why) == ["Networks: 1 of the 2 that had gone over are lost, as what they name was deleted."]
    assert links(double) == [(76, 1)]


def test_a_row_that_lives_on_elsewhere_stays_there_and_is_made_again(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    link(double, make_network(49, "HBO"))
    batch = merge_shows(double.pk, show.pk, {}, why)
    third = Show.objects.create(name="Third")
    ShowNetwork.objects.update(show=third)

    unmerge(batch, why)

    assert links(double) == links(third) == [(49, 0)]


def test_rows_that_gave_place_come_back_beside_what_somebody_has_added_since(
    show: Show, double: Show, make_network: MakeNetwork, why: Author
) -> None:
    bravo, hbo, e = make_network(74), make_network(49, "HBO"), make_network(76, "E!")
    link(show, bravo)
    link(double, hbo)
    batch = merge_shows(double.pk, show.pk, {"networks": "source"}, why)
    edit_show(show.pk, {"networks": [74, 76]}, why)

    assert unmerge(batch, why) == []

    assert {pk for pk, _ in links(show)} == {bravo.pk, e.pk}
    assert links(double) == [(hbo.pk, 0)]


@pytest.mark.parametrize("synced_since", [False, True])
def test_each_show_keeps_the_reply_to_its_own_id_where_the_targets_was_changed_since(
    show: Show, why: Author, synced_since: bool
) -> None:
    Show.objects.filter(pk=show.pk).update(tmdb_meta={"id": 55555})
    other = Show.objects.create(name="B", tmdb_id=7, tmdb_meta={"id": 7}, tmdb_fetched_at=NOW)
    batch = merge_shows(other.pk, show.pk, {"tmdb_id": "source"}, why)
    edit_show(show.pk, {"tmdb_id": 9}, why)
    if synced_since:
        later = batch.created_at + timedelta(days=1)
        Show.objects.filter(pk=show.pk).update(tmdb_meta={"id": 9}, tmdb_fetched_at=later)

    left = unmerge(batch, why)

    assert left == [
        "TMDb id was changed since the merge and stays as it is.",
        "TMDb id 55555, which Below Deck had before the merge, is that of no show afterwards.",
    ]
    target, source = fresh(show), fresh(other)
    assert (target.tmdb_id, source.tmdb_id) == (9, 7)
    if synced_since:
        assert (target.tmdb_meta, target.tmdb_fetched_at) == ({"id": 9}, later)
        assert (source.tmdb_meta, source.tmdb_fetched_at) == (None, None)
    else:
        assert (target.tmdb_meta, target.tmdb_fetched_at) == (None, None)
        assert (source.tmdb_meta, source.tmdb_fetched_at) == ({"id": 7}, NOW)


def test_an_id_that_a_third_show_has_meanwhile_stops_the_undo(show: Show, double: Show, why: Author) -> None:
    batch = merge_shows(show.pk, double.pk, {"tmdb_id": "source", "name": "source"}, why)
    edit_show(double.pk, {"tmdb_id": 9}, why)
    third = Show.objects.create(name="Third", tmdb_id=55555)

    with pytest.raises(ValidationError, match="TMDb id 55555 of Below Deck is that of Third meanwhile"):
        unmerge(batch, why)

    assert fresh(show).merged_into_id == double.pk
    assert fresh(double).name == "Below Deck"
    third.delete()
    assert unmerge(batch, why) == ["TMDb id was changed since the merge and stays as it is."]
    assert (fresh(show).tmdb_id, fresh(double).tmdb_id) == (55555, 9)


def test_a_merge_is_undone_once(show: Show, double: Show, why: Author) -> None:
    first = merge_shows(double.pk, show.pk, {}, why)
    unmerge(first, why)

    with pytest.raises(ValidationError, match="undone already"):
        unmerge(first, why)
    second = merge_shows(double.pk, show.pk, {}, why)
    with pytest.raises(ValidationError, match="undone already"):
        unmerge(first, why)
    assert merged_pair(second) == (double, show)


def test_an_undo_that_can_not_be_is_refused_in_words(show: Show, double: Show, why: Author) -> None:
    batch = merge_shows(double.pk, show.pk, {}, why)
    third = Show.objects.create(name="Third")
    later = merge_shows(show.pk, third.pk, {}, why)

    with pytest.raises(ValidationError, match="Below Deck itself was merged into Third since"):
        unmerge(batch, why)
    unmerge(later, why)
    delete_show(show.pk, why)
    with pytest.raises(ValidationError, match="Below Deck is in the trash"):
        unmerge(batch, why)
    other = Batch.objects.create(kind="edit", status="done", user=why.user)
    with pytest.raises(ValidationError, match="no merge"):
        unmerge(other, why)
    batch.plan["source"] = str(uuid.uuid4())
    with pytest.raises(ValidationError, match="deleted for good"):
        unmerge(batch, why)


# --- undo is the inverse of merge, whatever the shows

TEXT = st.sampled_from(["", "a", "b", "Ü"])
DAY = st.sampled_from([None, date(2020, 1, 1), date(2021, 2, 3)])
NUMBER = st.sampled_from([None, 0, 1, 7])
LIST = st.lists(st.sampled_from(["x", "y", "z"]), unique=True, max_size=3)
COLUMNS: dict[str, Any] = {
    "description": TEXT.map(lambda text: text or None),
    "premiere_date": DAY,
    "show_total_episodes": NUMBER,
    "tmdb_popularity": st.sampled_from([None, 0.5, 12.25]),
    "imdb_title": TEXT.map(lambda text: text or None),
    "genres": LIST,
    "tags": LIST,
    "override": st.sampled_from(["", "Y", "12"]),
    "needs_tmdb_resolution": st.booleans(),
}
SHOW = st.fixed_dictionaries(
    {
        "columns": st.fixed_dictionaries({"name": st.sampled_from(["A", "B"]), **COLUMNS}),
        "tmdb": st.booleans(),
        "imdb": st.booleans(),
        "fetched": st.booleans(),
        "locked": st.sets(
            st.sampled_from(["name", "genres", "tmdb_id", "imdb_title", "override", *LOCKABLE_RELATIONS])
        ),
        "said": st.dictionaries(
            st.sampled_from(["name", "imdb_id", "networks"]), st.sampled_from(["A", "tt9999999"]), max_size=2
        ),
        "networks": st.lists(st.integers(1, 4), unique=True),
        "companies": st.lists(st.integers(1, 3), unique=True),
        "offers": st.sets(st.tuples(st.sampled_from(["US", "DE"]), st.integers(1, 3))),
        "past": st.integers(0, 2),
        "followers": st.integers(0, 1),
    }
)
SIDES = st.sampled_from(["source", "target", "both"])
COLUMN_PICKS = st.dictionaries(st.sampled_from(sorted(EDITABLE)), SIDES).map(
    lambda picks: {name: pick for name, pick in picks.items() if pick != "both" or name in LISTS}
)
SET_PICKS = st.dictionaries(st.sampled_from(LOCKABLE_RELATIONS), SIDES)
PICKS = st.tuples(COLUMN_PICKS, SET_PICKS).map(lambda both: both[0] | both[1])


def build(number: int, facts: dict[str, Any]) -> Show:
    show = Show.objects.create(
        **facts["columns"],
        tmdb_id=number if facts["tmdb"] else None,
        imdb_id=f"tt000000{number}" if facts["imdb"] else None,
        tmdb_fetched_at=NOW if facts["fetched"] else None,
        tmdb_meta={"id": number} if facts["fetched"] else None,
        imdb_fetched_at=NOW if facts["fetched"] else None,
        locked_fields=in_order(facts["locked"]),
        upstream_values={name: [1] if name == "networks" else value for name, value in facts["said"].items()},
    )
    link(show, *(Network.objects.get_or_create(id=pk, defaults={"name": "N"})[0] for pk in facts["networks"]))
    for position, pk in enumerate(facts["companies"]):
        ProductionCompany.objects.get_or_create(id=pk, defaults={"name": "C"})
        ShowProductionCompany.objects.create(show=show, company_id=pk, position=2 * position)
    for pk in range(1, 4):
        WatchProvider.objects.get_or_create(provider_id=pk, defaults={"provider_name": "P"})
    for region, pk in facts["offers"]:
        offer(show, WatchProvider(pk=pk), region)
    for _ in range(facts["past"]):
        PastWatchProvider.objects.create(
            show=show, provider_id=1, region="US", offer_type="buy", first_seen_at=NOW, last_seen_at=NOW
        )
    for _ in range(facts["followers"]):
        Show.objects.create(name="Before", deleted_at=NOW, merged_into=show)
    return show


def state() -> dict[str, Any]:
    """Every column of every row, but the stamp of the last write."""
    tables = [relation.related_model for relation in relations()]
    rows = {table.__name__: list(table.objects.order_by("pk").values()) for table in tables}
    shows = [
        {name: value for name, value in row.items() if name != "updated_at"}
        for row in Show.all_objects.order_by("pk").values()
    ]
    return rows | {"Show": shows}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=SHOW, two=SHOW, picks=PICKS, pruned=st.booleans())
def test_undoing_a_merge_gives_the_state_before_also_where_rows_went_away_since(
    why: Author, one: dict[str, Any], two: dict[str, Any], picks: dict[str, str], pruned: bool
) -> None:
    Show.all_objects.filter(merged_into__isnull=False).delete()
    Show.all_objects.all().delete()
    source, target = build(1, one), build(2, two)
    before = state()
    ids = {source.tmdb_id, target.tmdb_id}

    batch = merge_shows(source.pk, target.pk, picks, why)

    assert {fresh(source).tmdb_id, fresh(target).tmdb_id} == ids
    assert resolve_merged(source.pk) == target.pk
    assert sum(len(rows) for rows in state().values()) == sum(len(rows) for rows in before.values())
    batch.refresh_from_db()
    for relation in relations() if pruned else ():
        moved = batch.plan["moved"].get(table(relation), ())
        relation.related_model.objects.filter(pk__in=[row["id"] for row in moved]).delete()
    assert unmerge(batch, why) == []
    assert state() == before
