import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.admin import desk as desk_registry
from catalog.admin.desk import find_queue, open_counts
from catalog.admin.merge import merge_selected
from catalog.admin.merge_choices import EPISODE, FACTS, compare, picks_of
from catalog.admin.merge_suspects import SUSPECTS
from catalog.changes import Author
from catalog.edits import edit_show, lock_show
from catalog.locks import EDITABLE
from catalog.merging import merge_shows
from catalog.models import Batch, Change, Network, ReviewMark, Show, ShowNetwork, ShowWatchProvider, WatchProvider
from catalog.suspects import pair_key
from catalog.trash import delete_show

pytestmark = [pytest.mark.django_db, pytest.mark.once]

MakeNetwork = Callable[..., Network]
URL = "/admin/catalog/show/merge/"
LIST = "/admin/catalog/show/"


@pytest.fixture
def double(db: None) -> Show:
    return Show.objects.create(name="Below  Deck!", tags=["ours"], override="Y", description="By <b>hand</b>")


@pytest.fixture
def why(author: Author) -> Author:
    return Author(user=author.user, reason="the same show")


def page_url(target: Show, source: Show | None = None) -> str:
    return f"{URL}?a={target.pk}" + (f"&b={source.pk}" if source else "")


def form_of(page: str) -> dict[str, str]:
    """What a browser would send of the page's form, untouched."""
    hidden = re.findall(r'<input type="hidden" name="(version_[ab])" value="(\d+)">', page)
    picked = re.findall(r'<input type="radio" name="(pick_\w+)" value="(\w+)"[^>]*? checked>', page)
    return dict(hidden + picked)


def text_of(response: Any) -> str:
    return str(response.content.decode())


def told(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def viewer(client: Client, django_user_model: Any, *codenames: str) -> Client:
    user = django_user_model.objects.create_user("viewer", password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames, content_type__app_label="catalog"))
    client.force_login(user)
    return client


# --- the page


def test_the_page_shows_both_and_suggests_what_loses_nothing(desk: Client, show: Show, double: Show) -> None:
    response = desk.get(page_url(show, double))

    page = text_of(response)
    assert response.status_code == 200
    assert form_of(page) == {
        "version_a": "0",
        "version_b": "0",
        "pick_name": "target",
        "pick_description": "target",
        "pick_tmdb_id": "target",
        "pick_imdb_id": "target",
        "pick_genres": "target",
        "pick_tags": "source",
        "pick_override": "source",
    }
    assert "By &lt;b&gt;hand&lt;/b&gt;" in page
    assert "<b>hand" not in page
    assert page_url(double, show).replace("&", "&amp;") in page  # the swap


def test_the_page_takes_as_many_queries_for_any_number_of_rows(
    desk: Client, show: Show, double: Show, make_network: MakeNetwork
) -> None:
    counts = []
    for start, end in ((1, 2), (2, 40)):
        for pk in range(start, end):
            ShowNetwork.objects.create(show=double, network=make_network(pk + 100, f"N{pk}"), position=pk)
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(page_url(show, double)).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] <= 40


def test_merging_says_so_and_leads_to_the_undo(desk: Client, show: Show, double: Show) -> None:
    form = form_of(text_of(desk.get(page_url(show, double)))) | {"reason": "seen on TV", "pick_name": "source"}

    response = desk.post(page_url(show, double), form)

    assert (response.status_code, response["Location"]) == (302, f"{LIST}{show.pk}/change/")
    batch = Batch.objects.get(kind="merge")
    (message,) = told(response)
    assert "Below  Deck! is merged into this show" in message
    assert reverse("admin:catalog_show_unmerge", args=(batch.pk,)) in message
    show.refresh_from_db()
    double.refresh_from_db()
    assert (show.name, show.tags, show.override, show.tmdb_id) == ("Below  Deck!", ["ours"], "Y", 55555)
    assert show.locked_fields == ["name", "override"]
    assert (double.merged_into_id, batch.reason) == (show.pk, "seen on TV")


def test_a_name_with_markup_stays_text_in_what_is_told(desk: Client, show: Show, double: Show) -> None:
    Show.objects.filter(pk=double.pk).update(name="<script>alert(1)</script>")
    form = form_of(text_of(desk.get(page_url(show, double)))) | {"reason": "x"}

    (message,) = told(desk.post(page_url(show, double), form))

    assert "<script>" not in message
    assert "&lt;script&gt;" in message


def test_without_a_reason_nothing_is_merged_and_the_choices_stay(desk: Client, show: Show, double: Show) -> None:
    form = form_of(text_of(desk.get(page_url(show, double)))) | {"reason": " ", "pick_name": "source"}

    response = desk.post(page_url(show, double), form)

    page = text_of(response)
    assert response.status_code == 200
    assert re.search(r'id="merge_reason_error"[^>]*>Say why these are one show', page)
    assert form_of(page)["pick_name"] == "source"
    assert not Batch.objects.exists()


def test_a_reason_that_is_too_long_is_refused_at_its_field(desk: Client, show: Show, double: Show) -> None:
    form = form_of(text_of(desk.get(page_url(show, double)))) | {"reason": "x" * 501}

    assert "At most 500 characters." in text_of(desk.post(page_url(show, double), form))
    assert not Batch.objects.exists()


@pytest.mark.parametrize("changed", ["show", "double"])
def test_a_stale_form_is_shown_again_with_what_has_changed(
    desk: Client, show: Show, double: Show, author: Author, changed: str
) -> None:
    form = form_of(text_of(desk.get(page_url(show, double)))) | {"reason": "the reason", "pick_tags": "target"}
    edit_show(show.pk if changed == "show" else double.pk, {"name": "Newer name"}, author)

    response = desk.post(page_url(show, double), form)

    page = text_of(response)
    assert response.status_code == 200
    assert any("editor changed Name, Locked fields of Newer name." in message for message in told(response))
    assert "Newer name" in page
    assert 'value="the reason"' in page
    assert form_of(page)["pick_tags"] == "target"
    assert not Batch.objects.exists()
    assert desk.post(page_url(show, double), form_of(page) | {"reason": "again"}).status_code == 302
    assert Batch.objects.filter(kind="merge").exists()


@pytest.mark.parametrize(
    "broken", [{"pick_name": "both"}, {"pick_name": "x"}, {"version_a": "x"}, {"version_b": ""}, {"version_a": None}]
)
def test_a_form_that_no_page_has_shown_merges_nothing(
    desk: Client, show: Show, double: Show, broken: dict[str, str | None]
) -> None:
    form = form_of(text_of(desk.get(page_url(show, double)))) | {"reason": "x"} | broken

    response = desk.post(page_url(show, double), {name: value for name, value in form.items() if value is not None})

    assert response.status_code == 200
    assert any(message.startswith("Nothing was merged.") for message in told(response))
    assert not Batch.objects.exists()


def test_picks_of_rows_that_there_are_not_are_no_picks(desk: Client, show: Show, double: Show) -> None:
    form = form_of(text_of(desk.get(page_url(show, double)))) | {"reason": "x", "pick_locked_fields": "source"}

    assert desk.post(page_url(show, double), form).status_code == 302


def test_what_can_not_be_merged_any_more_is_told(desk: Client, show: Show, double: Show, why: Author) -> None:
    form = form_of(text_of(desk.get(page_url(show, double)))) | {"reason": "x"}
    merge_shows(double.pk, show.pk, {}, why)

    response = desk.post(page_url(show, double), form)

    assert response.status_code == 200
    assert any("Below  Deck! was already merged into" in message for message in told(response))
    assert Batch.objects.count() == 1


def test_a_stale_form_says_who_changed_what_of_which_show(
    desk: Client, show: Show, author: Author, django_user_model: Any
) -> None:
    other = Show.objects.create(name="Below Deck", premiere_date="2020-01-01")
    form = form_of(text_of(desk.get(page_url(show, other)))) | {"reason": "x"}
    values = {"description": "D", "tags": ["a"], "override": "Y", "tmdb_name": "T", "tvdb_id": 5, "twitter_id": "t"}
    edit_show(show.pk, values, author)
    edit_show(other.pk, {"tags": ["b"]}, Author(user=django_user_model.objects.create_user("anna")))

    (message,) = told(desk.post(page_url(show, other), form))

    assert "anna changed Tags of Below Deck (2020); editor changed " in message
    assert " and 2 more of Below Deck (year unknown)." in message


def test_namesakes_are_told_apart_wherever_they_are_named(
    desk: Client, show: Show, make_network: MakeNetwork, why: Author
) -> None:
    other = Show.objects.create(name="BELOW DECK")
    one, two = "Below Deck (TMDb 55555)", "BELOW DECK (without TMDb id)"

    page = text_of(desk.get(page_url(show, other)))
    assert f"Merge {two} into {one}" in page
    assert f"Left: {one} " in page
    assert f"Right: {two} " in page
    assert f">Merge into {one}<" in page

    ShowNetwork.objects.create(show=other, network=make_network(74), position=0)
    assert "Merge BELOW DECK (Bravo) into Below Deck (no network)" in text_of(desk.get(page_url(show, other)))
    Show.objects.filter(pk=other.pk).update(premiere_date="2013-07-01")
    assert "Merge BELOW DECK (2013) into Below Deck (year unknown)" in text_of(desk.get(page_url(show, other)))
    batch = merge_shows(other.pk, show.pk, {}, why)
    undo = text_of(desk.get(reverse("admin:catalog_show_unmerge", args=(batch.pk,))))
    assert "Undo the merge of BELOW DECK (2013) into Below Deck (year unknown)" in undo


# --- picks


@pytest.mark.parametrize(
    ("mine", "theirs", "picked"),
    [(False, False, "both"), (True, False, "target"), (False, True, "source"), (True, True, "both")],
)
def test_networks_are_a_choice_and_the_locked_side_suggests_itself(
    desk: Client, show: Show, double: Show, make_network: MakeNetwork, mine: bool, theirs: bool, picked: str
) -> None:
    ShowNetwork.objects.create(show=show, network=make_network(74), position=0)
    ShowNetwork.objects.create(show=double, network=make_network(49, "HBO"), position=0)
    for one, locked in ((show, mine), (double, theirs)):
        Show.objects.filter(pk=one.pk).update(locked_fields=["networks"] if locked else [])

    form = form_of(text_of(desk.get(page_url(show, double))))
    assert form["pick_networks"] == picked
    assert "pick_watch_providers" not in form  # neither has any

    assert desk.post(page_url(show, double), form | {"reason": "x", "pick_networks": "source"}).status_code == 302
    assert list(show.show_networks.values_list("network_id", flat=True)) == [49]
    assert list(double.show_networks.values_list("network_id", flat=True)) == [74]


def test_facts_go_with_the_id_that_is_chosen(show: Show, why: Author) -> None:
    other = Show.objects.create(name="B", tmdb_id=7, tmdb_name="B on TMDb", tmdb_vote_count=3, imdb_title="B on IMDb")

    ours = picks_of(compare(show, other), show, other)
    theirs = picks_of(compare(show, other, {"tmdb_id": "source"}), show, other)

    assert not {"tmdb_name", "tmdb_vote_count", "imdb_title"} & set(ours)
    assert (theirs["tmdb_name"], theirs["tmdb_vote_count"]) == ("source", "source")
    assert "imdb_title" not in theirs


def test_a_fact_that_somebody_locked_is_a_choice(show: Show, why: Author) -> None:
    other = Show.objects.create(name="B", tmdb_name="B on TMDb")
    lock_show(other.pk, ["tmdb_name"], why)
    other.refresh_from_db()

    names = [choice.name for choice in compare(show, other).choices]

    assert "tmdb_name" in names


def test_the_latest_episode_is_one_choice(show: Show) -> None:
    other = Show.objects.create(name="B", most_recent_episode_season=2, most_recent_episode_number=3)

    comparison = compare(show, other, {"most_recent_episode": "source"})

    (choice,) = [choice for choice in comparison.choices if choice.name == "most_recent_episode"]
    assert (choice.label, choice.target, choice.source) == ("Most recent episode", "(nothing)", "S2.E3")
    assert {name for name, pick in picks_of(comparison, show, other).items() if pick == "source"} >= set(EPISODE)


def test_every_field_has_its_row(show: Show) -> None:
    other = Show.objects.create(name="B", tmdb_name="x")
    comparison = compare(show, other)

    names = {row.name for row in (*comparison.equal, *comparison.facts)} | {
        field for choice in comparison.choices for field in choice.fields
    }

    assert (names - {"most_recent_episode"}) | set(EPISODE) == EDITABLE
    assert set().union(*FACTS.values()) <= EDITABLE


def test_what_both_tagged_is_kept_and_an_empty_field_filled_by_what_people_wrote(show: Show, why: Author) -> None:
    Show.objects.filter(pk=show.pk).update(tags=["a"], description=None, wikidata_id=None, premiere_date="2020-01-01")
    show.refresh_from_db()
    other = Show.objects.create(
        name="B", tags=["b"], description="hand", locked_fields=["description"], wikidata_id="Q1", premiere_date=None
    )

    picks = {choice.name: choice.picked for choice in compare(show, other).choices}

    assert (picks["tags"], picks["description"], picks["wikidata_id"], picks["premiere_date"]) == (
        "both",
        "source",
        "target",
        "target",
    )


# --- who may, and what is asked for


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_may_not_merge_is_refused(
    client: Client, django_user_model: Any, show: Show, double: Show, why: Author, method: str
) -> None:
    batch = merge_shows(Show.objects.create(name="C").pk, show.pk, {}, why)
    viewer(client, django_user_model, "view_show", "change_show", "delete_show")

    for url in (page_url(show, double), reverse("admin:catalog_show_unmerge", args=(batch.pk,))):
        assert getattr(client, method)(url).status_code == 403
    assert Batch.objects.count() == 1


def test_who_may_merge_can(client: Client, django_user_model: Any, show: Show, double: Show) -> None:
    viewer(client, django_user_model, "view_show", "merge_show")
    form = form_of(text_of(client.get(page_url(show, double)))) | {"reason": "x"}

    assert client.post(page_url(show, double), form).status_code == 302
    assert Batch.objects.get().user.username == "viewer"


def test_who_is_not_logged_in_is_asked_to(client: Client, show: Show) -> None:
    response = client.get(page_url(show))

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("x", "'x' is no id of a show."),
        ("<b>", "'<b>' is no id of a show."),
        ("00000000-0000-4000-8000-000000000001", "There is no show with this id."),
    ],
)
def test_an_id_that_is_none_is_told_and_asked_for_again(desk: Client, show: Show, given: str, words: str) -> None:
    for parameters in ({"a": given}, {"a": str(show.pk), "b": given}, {"a": given, "b": str(show.pk)}):
        response = desk.get(URL, parameters)

        assert response.status_code == 200
        assert words in told(response)
        assert 'id="merge_q"' in text_of(response)
        assert "<b>'" not in text_of(response)


def test_a_show_that_is_gone_or_the_same_is_told(desk: Client, show: Show, double: Show, why: Author) -> None:
    gone = Show.objects.create(name="Gone")
    delete_show(gone.pk, why)
    merge_shows(double.pk, show.pk, {}, why)

    for other, words in [(gone, "in the trash"), (double, "already merged into"), (show, "same show twice")]:
        assert any(words in message for message in told(desk.get(page_url(show, other))))


@pytest.mark.parametrize("text", ["below", "BÉLOW", "55555", "tt2342499", "TT2342499", "id"])
def test_the_other_show_is_found_by_name_or_id(desk: Client, show: Show, double: Show, text: str) -> None:
    other = Show.objects.create(name="Something else")

    response = desk.get(URL, {"a": str(other.pk), "q": str(show.pk) if text == "id" else text})

    assert f"{page_url(other, show)}".replace("&", "&amp;") in text_of(response)


@pytest.mark.parametrize("text", ["nothing like it", "9" * 30, "9" * 5000, "\x00", "<script>", "tt", "%", "_"])
def test_a_search_for_what_there_is_not_says_so(desk: Client, show: Show, text: str) -> None:
    response = desk.get(URL, {"a": str(show.pk), "q": text})

    assert response.status_code == 200
    assert "<script>&" not in text_of(response)
    assert "Compare with" not in text_of(response)


def test_the_search_names_some_and_says_that_there_are_more(desk: Client, show: Show) -> None:
    for number in range(21):
        Show.objects.create(name=f"Idol {number:02}")

    page = text_of(desk.get(URL, {"a": str(show.pk), "q": "idol"}))

    assert page.count("Compare with") == 20
    assert "More were found" in page


def test_the_page_without_a_show_asks_for_one(desk: Client, show: Show) -> None:
    assert "Find the show that stays" in text_of(desk.get(URL))
    assert page_url(show) in text_of(desk.get(URL, {"q": "below"}))


# --- from the list and from the show


def select(editor: Any, shows: Any) -> tuple[Any, list[str]]:
    request = RequestFactory().post(LIST)
    request.user, request.session = editor, {}
    request._messages = FallbackStorage(request)

    class Admin:
        @staticmethod
        def message_user(request: Any, text: str, level: int) -> None:
            messages.add_message(request, level, text)

    response = merge_selected(Admin(), request, shows)
    return response, [str(message) for message in get_messages(request)]


def test_two_that_are_selected_are_compared_and_the_matched_one_stays(editor: Any, show: Show, double: Show) -> None:
    response, _ = select(editor, Show.objects.order_by("name"))

    assert response["Location"] == page_url(show, double)


def test_one_or_three_that_are_selected_are_not_two(editor: Any, show: Show, double: Show) -> None:
    Show.objects.create(name="C")

    for shows in (Show.objects.filter(pk=show.pk), Show.objects.all(), Show.objects.none()):
        assert select(editor, shows) == (None, ["Select the two shows that are one."])


def test_who_may_not_merge_is_told_in_the_list(django_user_model: Any, show: Show, double: Show) -> None:
    user = django_user_model.objects.create_user("viewer", is_staff=True)

    response, (message,) = select(user, Show.objects.all())

    assert response is None
    assert "may not merge" in message


def test_the_show_page_has_the_button(show: Show) -> None:
    (button,) = [button for button in desk_registry.buttons if button.label == "Merge…"]

    assert (button.url(show), button.permission, button.post) == (page_url(show), "catalog.merge_show", False)


# --- undo


def test_the_undo_says_what_it_does_and_does_it(desk: Client, show: Show, double: Show, why: Author) -> None:
    batch = merge_shows(double.pk, show.pk, {"name": "source", "tags": "source"}, why)
    url = reverse("admin:catalog_show_unmerge", args=(batch.pk,))

    page = text_of(desk.get(url))
    assert "gets back: Name, Tags" in page
    assert not Batch.objects.filter(kind="revert").exists()

    response = desk.post(url, {"reason": "they are two"})
    assert (response.status_code, response["Location"]) == (302, f"{LIST}{double.pk}/change/")
    assert told(response) == ["Below  Deck! is a show of its own again."]
    assert Batch.objects.get(kind="revert").reason == "they are two"
    show.refresh_from_db()
    assert show.name == "Below Deck"


def test_the_undo_tells_what_it_left(desk: Client, show: Show, double: Show, why: Author) -> None:
    batch = merge_shows(double.pk, show.pk, {"name": "source"}, why)
    edit_show(show.pk, {"name": "Newest"}, why)

    response = desk.post(reverse("admin:catalog_show_unmerge", args=(batch.pk,)))

    assert told(response)[1:] == ["Name was changed since the merge and stays as it is."]


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_undo_that_can_not_be_is_told(desk: Client, show: Show, double: Show, why: Author, method: str) -> None:
    batch = merge_shows(double.pk, show.pk, {}, why)
    delete_show(show.pk, why)

    for pk, words in [(batch.pk, "Below Deck is in the trash"), (uuid.uuid4(), "There is no such merge")]:
        response = getattr(desk, method)(reverse("admin:catalog_show_unmerge", args=(pk,)))

        assert response.status_code == 302
        assert any(words in message for message in told(response))


def test_the_undo_says_before_what_it_can_not_bring_back(desk: Client, show: Show, double: Show, why: Author) -> None:
    batch = merge_shows(double.pk, show.pk, {"name": "source", "tags": "source"}, why)
    edit_show(show.pk, {"name": "Newest"}, why)

    page = text_of(desk.get(reverse("admin:catalog_show_unmerge", args=(batch.pk,))))

    assert "<li>Name was changed since the merge and stays as it is.</li>" in page
    assert "gets back: Tags." in page


# --- the inbox


def test_suspected_duplicates_wait_in_the_inbox_until_they_are_told_apart(
    desk: Client, editor: Any, show: Show
) -> None:
    other = Show.objects.create(name="below deck <i>")
    Show.objects.filter(pk=other.pk).update(name_key=show.name_key)
    key = pair_key(show.pk, other.pk)
    inbox = f"{reverse('admin:catalog_show_review')}?queue=duplicates"

    assert find_queue("duplicates") is SUSPECTS
    assert open_counts()["duplicates"] == 1
    page = text_of(desk.get(inbox))
    assert "the same name; no year is known" in page
    assert page_url(show, other).replace("&", "&amp;") in page
    assert "<i>" not in page

    response = desk.post(inbox, {"queue": "duplicates", "key": key, "do": "act", "action": "not_duplicates"})
    assert any("are not duplicates" in message for message in told(response))
    assert open_counts()["duplicates"] == 0
    mark = ReviewMark.objects.get()
    assert (mark.queue, mark.key, mark.dismissed, mark.user) == ("duplicates", key, True, editor)


def test_a_decision_that_two_shows_are_not_one_sticks_to_these_two(editor: Any, show: Show) -> None:
    other = Show.objects.create(name="Below Deck")
    ReviewMark.objects.create(queue="duplicates", key=pair_key(other.pk, show.pk), dismissed=True, user=editor)
    assert open_counts()["duplicates"] == 0

    Show.objects.create(name="Below Deck")
    assert open_counts()["duplicates"] == 2


def test_the_items_of_a_page_take_as_many_queries_for_any_number(
    show: Show, make_network: MakeNetwork, django_assert_num_queries: Any
) -> None:
    network = make_network(74)
    for number in (1, 6):
        for _ in range(number):
            other = Show.objects.create(name="Below Deck")
            ShowNetwork.objects.create(show=other, network=network, position=0)
        keys = SUSPECTS.keys()
        with django_assert_num_queries(4):  # names, ids kept aside, shows, networks
            items = SUSPECTS.items(keys)
        assert [item.key for item in items] == keys
        assert all("Bravo" in item.body for item in items)


def test_a_pair_that_is_no_longer_suspected_is_no_item(show: Show) -> None:
    assert SUSPECTS.items([pair_key(show.pk, uuid.uuid4())]) == []


def test_offers_that_go_over_are_counted_on_the_page(desk: Client, show: Show, double: Show, why: Author) -> None:
    for pk in range(1, 8):
        provider = WatchProvider.objects.create(provider_id=pk, provider_name=f"P{pk}")
        for owner in (double, show) if pk == 1 else (double,):
            ShowWatchProvider.objects.create(
                show=owner,
                provider=provider,
                region="US",
                offer_type="buy",
                first_seen_at="2026-01-01T00:00Z",
                fetched_at="2026-01-01T00:00Z",
            )

    page = text_of(desk.get(page_url(show, double)))

    assert "Watch providers: 6 go over: US buy P2 (2), US buy P3 (3)" in page
    assert "US buy P6 (6), 1 more; 1 it has already." in page
    assert not Change.objects.exists()
