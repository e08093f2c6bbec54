import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db.models import F, Value
from django.test import Client
from django.utils import timezone

from catalog import show_filters
from catalog.admin import desk as registry
from catalog.admin import paginator
from catalog.admin.columns import all_columns
from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import Batch, Change, Network, SavedView, Show, ShowNetwork, ShowWatchProvider, WatchProvider
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SHOWS = "/admin/catalog/show/"
EVIL = "<script>alert(1)</script>"


def listed(page: Any) -> list[str]:
    return [show.name for show in page.context["cl"].result_list]


def row_of(page: Any, show: Show) -> str:
    match = re.search(rf'<tr data-row="{show.pk}".*?</tr>', page.content.decode())
    assert match
    return match[0]


def cell_of(page: Any, show: Show, column: str) -> str:
    match = re.search(rf'<t[dh][^>]*class="column-{column}[ "].*?</t[dh]>', row_of(page, show))
    assert match
    return match[0]


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def order(desk: Client, text: str) -> list[str]:
    return listed(desk.get(f"{SHOWS}?o={text}"))


# --- cells


def test_a_row_shows_what_is_known_of_a_show(
    desk: Client, media: Path, author: Author, make_network: Callable[..., Network]
) -> None:
    show = Show.objects.create(
        name="Below & Deck",
        tmdb_status="Returning Series",
        show_total_seasons=12,
        show_total_episodes=180,
        imdb_id="tt2342499",
        tmdb_id=55555,
        needs_tmdb_resolution=True,
        needs_imdb_resolution=True,
        most_recent_episode_season=12,
        most_recent_episode_number=3,
        most_recent_episode_title="Ahoy",
        most_recent_episode_air_date=date(2026, 1, 2),
    )
    edit_show(show.pk, {"tags": ["new", "a, b"], "override": "SKIP"}, author)
    logo = "images/logos/networks/74/a.png"
    ShowNetwork.objects.create(show=show, network=make_network(9, "Peacock"), position=1)
    ShowNetwork.objects.create(show=show, network=make_network(74, "Bravo", hosted_logo_key=logo), position=0)

    page = desk.get(SHOWS)

    assert f'<a href="{SHOWS}{show.pk}/change/">Below &amp; Deck</a>' in cell_of(page, show, "name")
    assert f'src="/media/{logo}"' in cell_of(page, show, "network")
    assert text_of(cell_of(page, show, "network")) == "Bravo, Peacock"
    assert text_of(cell_of(page, show, "status")) == "Returning Series"
    assert text_of(cell_of(page, show, "seasons")) == "12"
    assert text_of(cell_of(page, show, "episodes")) == "180"
    assert '<a href="https://www.imdb.com/title/tt2342499" target="_blank" rel="noopener">tt2342499</a>' in cell_of(
        page, show, "imdb_id"
    )
    assert '<a href="https://www.themoviedb.org/tv/55555" target="_blank" rel="noopener">55555</a>' in cell_of(
        page, show, "tmdb_id"
    )
    assert text_of(cell_of(page, show, "recent")) == "S12.E3 - Ahoy (2026-01-02)"
    assert text_of(cell_of(page, show, "override")) == "SKIP"
    assert text_of(cell_of(page, show, "tags")) == 'new, "a, b"'
    assert text_of(cell_of(page, show, "needs")) == "Gone from TMDb IMDb id"
    assert text_of(cell_of(page, show, "locked")) == "lock1 locked: Override"


def test_a_show_of_which_nothing_is_known_has_empty_cells(desk: Client) -> None:
    show = Show.objects.create(name="New")
    every = ",".join(all_columns())

    page = desk.get(f"{SHOWS}?columns={every}")

    for name in set(all_columns()) - {"name", "updated", "created", *(each.name for each in registry.columns)}:
        assert text_of(cell_of(page, show, name)) == "", name


def test_cells_carry_what_an_edit_needs(desk: Client, show: Show, author: Author) -> None:
    other = Show.objects.create(name="Other")
    change = edit_show(show.pk, {"name": 'A "name"'}, author)

    page = desk.get(SHOWS)

    assert f'data-version="{change.pk}"' in row_of(page, show)
    assert 'data-version="0"' in row_of(page, other)
    assert f'data-id="{show.pk}" data-field="name" data-value="A &quot;name&quot;"' in cell_of(page, show, "name")
    assert "is-locked" in cell_of(page, show, "name")
    assert 'data-field="tags" data-value=""' in cell_of(page, show, "tags")
    assert 'data-field="override"' in cell_of(page, show, "override")
    assert "data-field" not in cell_of(page, show, "imdb_id")


def test_html_in_data_is_text(desk: Client, media: Path, make_network: Callable[..., Network]) -> None:
    show = Show.objects.create(
        name=EVIL,
        tags=[EVIL],
        genres=[EVIL],
        tmdb_status=EVIL,
        tmdb_name=EVIL,
        wikidata_id=EVIL,
        most_recent_episode_season=1,
        most_recent_episode_number=1,
        most_recent_episode_title=EVIL,
    )
    network = make_network(74, EVIL, hosted_logo_key='a"><script>.png')
    ShowNetwork.objects.create(show=show, network=network, position=0)

    text = desk.get(f"{SHOWS}?columns={','.join(all_columns())}&q={EVIL}").content.decode()

    assert EVIL not in text
    assert '"><script>' not in text


def test_the_trash_is_not_listed(desk: Client, show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    page = desk.get(SHOWS)

    assert listed(page) == []
    assert "There are no shows yet." in page.content.decode()


def test_a_page_of_the_list_leads_back_to_it(desk: Client, show: Show) -> None:
    page = desk.get(f"{SHOWS}?status=none&o=-name")

    assert f"{show.pk}/change/?_changelist_filters=status%3Dnone%26o%3D-name" in unescape(cell_of(page, show, "name"))


# --- columns


def test_columns_are_chosen_and_the_name_is_always_there(desk: Client, show: Show) -> None:
    for text, names in (
        ("tags,status", ["name", "tags", "status"]),
        ("status,name,status", ["name", "status"]),
        ("premiere_date", ["name", "premiere_date"]),
    ):
        page = desk.get(f"{SHOWS}?columns={text}")
        assert [column.name for column in page.context["cl"].columns] == names
    page = desk.get(f"{SHOWS}?columns=tags&columns=status")  # as boxes are sent
    assert [column.name for column in page.context["cl"].columns] == ["name", "tags", "status"]


def test_an_unknown_column_is_told(desk: Client, show: Show) -> None:
    page = desk.get(f"{SHOWS}?columns=tags,password")

    assert "There is no column “password”." in page.content.decode()
    assert listed(page) == ["Below Deck"]


def test_a_column_of_another_app_is_shown_and_sorted_by(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    shows = [Show.objects.create(name=name, tmdb_id=pk) for name, pk in (("A", 2), ("B", 1), ("C", 3))]
    mine = registry.Column(
        "double",
        "Doubled",
        annotate=lambda found: found.annotate(doubled=F("tmdb_id") * Value(2)),
        text=lambda show: f"<{show.doubled}>",
        order_by="doubled",
    )
    monkeypatch.setattr(registry, "columns", [mine])

    page = desk.get(f"{SHOWS}?o=-double")

    assert listed(page) == ["C", "A", "B"]
    assert cell_of(page, shows[0], "double") == '<td class="column-double">&lt;4&gt;</td>'


# --- order


@pytest.mark.parametrize("name", [column.name for column in all_columns().values() if column.order_by])
def test_every_sortable_column_sorts_both_ways(desk: Client, show: Show, name: str) -> None:
    Show.objects.create(name="Other")

    for text in (name, f"-{name}"):
        page = desk.get(f"{SHOWS}?o={text}")
        assert page.context["cl"].errors == {}
        assert len(listed(page)) == 2


def test_shows_are_sorted_by_name_without_case_and_accents(desk: Client) -> None:
    for name in ("Éclair", "eagle", "Zebra", "Fox"):
        Show.objects.create(name=name)

    assert listed(desk.get(SHOWS)) == ["eagle", "Éclair", "Fox", "Zebra"]
    assert order(desk, "-name") == ["Zebra", "Fox", "Éclair", "eagle"]


def test_empty_cells_come_last_whichever_way(desk: Client) -> None:
    for name, seasons in (("A", None), ("B", 1), ("C", 2)):
        Show.objects.create(name=name, show_total_seasons=seasons)

    assert order(desk, "seasons") == ["B", "C", "A"]
    assert order(desk, "-seasons") == ["C", "B", "A"]


def test_equals_keep_one_order_by_their_id(desk: Client) -> None:
    ids = [uuid.UUID(int=number) for number in (3, 1, 2)]
    for pk in ids:
        Show.objects.create(pk=pk, name="Same", tmdb_status="Ended")

    for text in ("status", "-status", "name", "-name"):
        page = desk.get(f"{SHOWS}?o={text}")
        assert [show.pk for show in page.context["cl"].result_list] == sorted(ids)


def test_one_column_sorts_within_another(desk: Client) -> None:
    for name, status, seasons in (("A", "Ended", 1), ("B", "Canceled", 2), ("C", "Ended", 3)):
        Show.objects.create(name=name, tmdb_status=status, show_total_seasons=seasons)

    assert order(desk, "-status,-seasons") == ["C", "A", "B"]


def test_shows_are_sorted_by_their_first_network(desk: Client, make_network: Callable[..., Network]) -> None:
    bravo, mtv = make_network(1, "Bravo"), make_network(2, "MTV")
    for name, networks in (("A", [mtv, bravo]), ("B", [bravo]), ("C", [])):
        show = Show.objects.create(name=name)
        for position, network in enumerate(networks):
            ShowNetwork.objects.create(show=show, network=network, position=position)

    assert order(desk, "network") == ["B", "A", "C"]


@pytest.mark.parametrize("text", ["nonsense", "-nonsense", "tags", "1", "name__x", "%00", "--name"])
def test_an_order_that_can_not_be_is_told(desk: Client, show: Show, text: str) -> None:
    page = desk.get(f"{SHOWS}?o={text}")

    assert "can&#x27;t be sorted by" in page.content.decode()
    assert listed(page) == ["Below Deck"]


def test_headers_say_how_the_list_is_sorted_and_turn_it_round(desk: Client, show: Show) -> None:
    headers = {each["column"].name: each for each in desk.get(f"{SHOWS}?o=status&gone=no").context["cl"].headers}

    assert (headers["status"]["sort"], headers["status"]["url"]) == ("ascending", "?gone=no&o=-status")
    assert (headers["name"]["sort"], headers["name"]["url"]) == ("none", "?gone=no&o=name")
    assert headers["tags"]["url"] == ""


# --- pages


def fill(number: int) -> list[Show]:
    return Show.objects.bulk_create(
        Show(name=f"Show {n:04}", name_key=f"show {n:04}", tmdb_status="Ended") for n in range(number)
    )


def test_a_page_has_a_hundred_rows(desk: Client) -> None:
    fill(105)

    first, second = desk.get(SHOWS), desk.get(f"{SHOWS}?p=2&status=Ended")

    assert (len(listed(first)), len(listed(second))) == (100, 5)
    assert listed(second)[0] == "Show 0100"
    assert "page 2 of 2" in second.content.decode()


@pytest.mark.parametrize(("text", "number"), [("99", 5), ("0", 5), ("-1", 5), ("x", 100), ("9" * 30, 5), ("", 100)])
def test_a_page_that_is_not_there_is_told_and_keeps_the_filter(desk: Client, text: str, number: int) -> None:
    fill(105)
    Show.objects.create(name="Other")

    page = desk.get(f"{SHOWS}?p={text}&status=Ended")

    assert page.status_code == 200
    assert "There is no page" in page.content.decode()
    assert len(listed(page)) == number
    assert "Other" not in listed(page)


def test_a_long_list_says_that_there_are_more(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paginator, "COUNTED", 200)
    fill(205)

    page = desk.get(SHOWS)

    assert "<strong>more than 200</strong> shows, page 1 of 2" in page.content.decode()


# --- filters and search


def offer(show: Show, provider: WatchProvider, region: str) -> None:
    ShowWatchProvider.objects.create(
        show=show, provider=provider, region=region, offer_type="flatrate", first_seen_at=NOW, fetched_at=NOW
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=below", {"Below Deck"}),
        ("q=deck+below", {"Below Deck"}),
        ("q=b%C3%A9low", {"Below Deck"}),
        ("q=tt2342499", {"Below Deck"}),
        ("q=tt23", {"Below Deck"}),
        ("q=55555", {"Below Deck"}),
        ("q=5555", set()),
        ("q=999999999999999999999999999999", set()),
        ("q=%27%22%25", set()),
        ("q=charter", {"Below Deck"}),
        ("needs=tmdb", {"Gone", "Waiting"}),
        ("needs=imdb", {"Waiting"}),
        ("gone=yes", {"Gone"}),
        ("locked=yes", {"Locked"}),
        ("locked=name", {"Locked"}),
        ("locked=no", {"Below Deck", "Gone", "Waiting"}),
        ("override=none", {"Below Deck", "Gone", "Locked"}),
        ("override=number", {"Waiting"}),
        ("status=Ended", {"Gone"}),
        ("network=74", {"Locked"}),
        ("network=Bravo+(74)", {"Locked"}),
        ("provider=15", {"Below Deck", "Gone"}),
        ("provider=15&region=us", {"Gone"}),
        ("status=Ended&gone=yes&q=gone", {"Gone"}),
        ("status=&gone=&q=", {"Below Deck", "Gone", "Locked", "Waiting"}),
    ],
)
def test_the_list_finds_and_filters(
    desk: Client, show: Show, make_network: Callable[..., Network], query: str, found: set[str]
) -> None:
    gone = Show.objects.create(name="Gone", tmdb_id=9, needs_tmdb_resolution=True, tmdb_status="Ended")
    Show.objects.create(name="Waiting", needs_tmdb_resolution=True, needs_imdb_resolution=True, override="4")
    locked = Show.objects.create(name="Locked", locked_fields=["name"])
    Show.all_objects.create(name="Charter", merged_into=show, deleted_at=timezone.now())
    ShowNetwork.objects.create(show=locked, network=make_network(74), position=0)
    hulu = WatchProvider.objects.create(provider_id=15, provider_name="Hulu")
    offer(gone, hulu, "US")
    offer(show, hulu, "DE")

    page = desk.get(f"{SHOWS}?{query}")

    assert page.status_code == 200
    assert set(listed(page)) == found
    assert page.context["cl"].errors == {}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("override=nonsense", "“nonsense” is no answer here"),
        ("network=9999", "There is no network “9999”"),
        ("region=USA", "A region is two letters"),
        ("q=%00", "can&#x27;t be stored"),
        ("nonsense=1", "Shows are not filtered by “nonsense”"),
        ("networks__id__exact=74", "Shows are not filtered by"),
        ("password__startswith=a", "Shows are not filtered by"),
        ("id__in=x", "Shows are not filtered by"),
        ("e=1&gone=maybe", "“maybe” is no answer here"),
    ],
)
def test_what_is_asked_wrongly_is_told_and_shows_nothing(desk: Client, show: Show, query: str, words: str) -> None:
    page = desk.get(f"{SHOWS}?{query}")

    assert page.status_code == 200
    assert words in page.content.decode()
    assert "what was asked above is not understood" in page.content.decode()
    assert listed(page) == []


def test_a_filter_of_another_app_has_a_field(desk: Client, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [("yes", "Matched"), ("no", "Not matched")]
    mine = show_filters.ContributedFilter(
        "matched", "Match", lambda: answers, lambda found, value: found.filter(tmdb_id__isnull=value == "no")
    )
    monkeypatch.setattr(show_filters, "contributed", [mine])
    Show.objects.create(name="Other")

    page = desk.get(f"{SHOWS}?matched=no")

    assert listed(page) == ["Other"]
    assert '<option value="no" selected>Not matched</option>' in page.content.decode()


def test_fields_show_what_is_asked(desk: Client, show: Show) -> None:
    Show.objects.update(tmdb_status="Ended")
    text = desk.get(f"{SHOWS}?status=Ended&region=us&q=deck&columns=tags&o=-name").content.decode()

    assert '<option value="Ended" selected>Ended</option>' in text
    assert re.search(r'<input id="filter-region"[^>]* value="us"', text)
    assert re.search(r'<input id="searchbar"[^>]* value="deck"', text)
    form = text.partition('<form id="grid-filters"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="columns" value="tags">' in form
    assert '<input type="hidden" name="o" value="-name">' in form
    assert 'type="hidden" name="status"' not in form


def test_names_of_networks_and_providers_are_completed_not_listed(
    desk: Client, make_network: Callable[..., Network]
) -> None:
    for pk, name in ((1, "The Bravo"), (74, "Bravo"), (75, "BET"), (76, "Bravo")):
        make_network(pk, name)
    WatchProvider.objects.create(provider_id=386, provider_name="Peacock  Premium")
    text = desk.get(SHOWS).content.decode()

    networks, providers = (unescape(url) for url in re.findall(r'data-complete="([^"]*)"', text))

    assert "Bravo" not in text
    assert desk.get(f"{networks}?term=brav").json() == {"names": ["Bravo (74)", "Bravo (76)", "The Bravo (1)"]}
    assert desk.get(f"{networks}?term=%00zz").json() == {"names": []}
    assert desk.get(f"{providers}?term=").json() == {"names": ["Peacock Premium (386)"]}
    assert desk.get(f"{SHOWS}names/password/").status_code == 404


def test_at_most_twenty_names_are_offered(desk: Client, make_network: Callable[..., Network]) -> None:
    for pk in range(1, 30):
        make_network(pk, f"Network {pk}")

    assert len(desk.get(f"{SHOWS}names/network/?term=net").json()["names"]) == 20


# --- what it costs


def catalogue(number: int) -> None:
    networks = [Network(id=pk, name=f"Network {pk}", hosted_logo_key=f"{pk}.png") for pk in range(1, 6)]
    Network.objects.bulk_create(networks, ignore_conflicts=True)
    WatchProvider.objects.get_or_create(provider_id=15, provider_name="Hulu")
    provider = WatchProvider.objects.get()
    for show in fill(number):
        ShowNetwork.objects.bulk_create(
            ShowNetwork(show=show, network=network, position=position) for position, network in enumerate(networks[:3])
        )
        offer(show, provider, "US")
        Change.objects.create(show=show, kind="updated", fields={"name": ["a", "b"]})


EVERYTHING = (
    "?filter=own&q=show&network=1&provider=15&region=US&status=Ended&needs=none&locked=no&gone=no&override=none"
    "&o=network,-updated"
)


@pytest.mark.parametrize("query", ["", EVERYTHING])
def test_a_list_costs_at_most_twelve_queries_however_long(
    client: Client, media: Path, query: str, django_user_model: Any, django_assert_max_num_queries: Any
) -> None:
    # An editor by his group, as rights of a superuser cost no query.
    group = Group.objects.create(name="those who edit")
    group.permissions.set(Permission.objects.filter(content_type__model="show"))
    anna = django_user_model.objects.create_user("anna", is_staff=True)
    anna.groups.add(group)
    client.force_login(anna)
    SavedView.objects.create(slug="own", name="Own", owner=anna, params={"status": "Ended"})
    counts = []
    for number in (5, 100, 100):
        catalogue(number)
        address = f"{SHOWS}{query}{'&' if query else '?'}columns={','.join(all_columns())}"
        with django_assert_max_num_queries(12) as queries:
            page = client.get(address)
        assert page.context["cl"].errors == {}
        assert len(listed(page)) == min(100, page.context["cl"].result_count)
        counts.append(len(queries))
    few, many, more = counts
    assert few < many == more  # what is on one page needs no counting


# --- who may, and actions


@pytest.fixture
def viewer(client: Client, django_user_model: Any) -> Client:
    user = django_user_model.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_show"))
    client.force_login(user)
    return client


def test_a_viewer_reads_a_grid_that_takes_no_edits(viewer: Client, show: Show) -> None:
    page = viewer.get(SHOWS)

    text = page.content.decode()
    assert listed(page) == ["Below Deck"]
    assert "data-field" not in text
    assert 'aria-readonly="true"' in text
    assert "data-url" not in text


def test_nobody_else_sees_the_list(client: Client, show: Show, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("guest", is_staff=True))

    assert client.get(SHOWS).status_code == 403
    assert client.get(f"{SHOWS}names/network/").status_code == 403


def test_an_action_over_the_whole_filter_reaches_no_other_show(desk: Client) -> None:
    shows = fill(103)
    Show.objects.create(name="Other", tmdb_status="Canceled")

    desk.post(
        f"{SHOWS}?status=Ended",
        {"action": "decide_no_matches", "_selected_action": [str(shows[0].pk)], "select_across": "1", "index": "0"},
    )

    assert {edit["name"] for edit in Batch.objects.get().plan["edits"]} == {show.name for show in shows}


def test_an_action_over_a_filter_that_is_not_understood_reaches_none(desk: Client) -> None:
    shows = fill(3)

    desk.post(
        f"{SHOWS}?status=Ended&gone=maybe",
        {"action": "decide_no_matches", "_selected_action": [str(shows[0].pk)], "select_across": "1", "index": "0"},
    )

    assert not Batch.objects.filter(total__gt=0).exists()


def test_the_search_of_all_pages_finds_shows_like_the_list(desk: Client, show: Show) -> None:
    assert "Below Deck" in desk.get("/admin/search/?s=tt2342&extended=1").content.decode()


def test_a_filter_that_is_asked_twice_is_refused_at_its_field(desk: Client, show: Show) -> None:
    Show.objects.update(tmdb_status="Ended")

    page = desk.get(f"{SHOWS}?status=Ended&status=Canceled")

    assert listed(page) == []
    assert page.context["cl"].errors == {"status": ["It is asked for “Ended” and “Canceled”: one answer is possible."]}
    assert listed(desk.get(f"{SHOWS}?status=Ended&status=Ended")) == ["Below Deck"]


def test_rare_filters_are_folded_away_until_they_are_asked(desk: Client, show: Show) -> None:
    folded, asked, wrong = (
        desk.get(f"{SHOWS}{query}").content.decode() for query in ("", "?needs=none", "?region=nowhere")
    )

    assert '<details class="grid-more">' in folded
    assert '<details class="grid-more" open>' in asked
    assert '<details class="grid-more" open>' in wrong
    assert "<title>Shows" in " ".join(folded.split()).replace("<title> ", "<title>")


def test_deleting_is_the_last_of_the_actions(desk: Client, show: Show) -> None:
    actions = [value for value, _ in desk.get(SHOWS).context["action_form"].fields["action"].choices]

    assert actions[-1] == "delete_selected"
