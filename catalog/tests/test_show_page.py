"""The page of a show: reading it, saving it, its padlocks, its history."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils.html import format_html

from catalog.admin import desk as registry
from catalog.admin.text import age, difference
from catalog.changes import Author
from catalog.edits import edit_show, lock_show
from catalog.models import (
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
from catalog.tests.pages import as_shown, errors_of, messages_of, page_of, run_link, save
from catalog.trash import delete_show

pytestmark = [pytest.mark.django_db, pytest.mark.once]

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SHOWS = "/admin/catalog/show/"
EVIL = "<script>alert(1)</script>"


def text_of(desk: Client, show: Show) -> str:
    return desk.get(page_of(show)).content.decode()


def press(desk: Client, name: str, show: Show, **data: Any) -> Any:
    return desk.post(reverse(f"admin:catalog_show_{name}", args=(show.pk,)), data, follow=True)


def press_json(desk: Client, name: str, show: Show, **data: Any) -> Any:
    return desk.post(
        reverse(f"admin:catalog_show_{name}", args=(show.pk,)), data, headers={"accept": "application/json"}
    )


def add_offer(show: Show, provider: WatchProvider, region: str, offer_type: str = "flatrate", link: str = "") -> None:
    ShowWatchProvider.objects.create(
        show=show,
        provider=provider,
        region=region,
        offer_type=offer_type,
        link=link,
        first_seen_at=NOW,
        fetched_at=NOW,
    )


def as_user(client: Client, django_user_model: Any, *permissions: str) -> Any:
    user = django_user_model.objects.create_user("anna", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="catalog", codename__in=permissions))
    client.force_login(user)
    return user


@pytest.fixture
def anna(django_user_model: Any) -> Author:
    return Author(user=django_user_model.objects.create_user("anna"))


# --- saving the form


def test_a_page_sent_back_as_it_was_shown_changes_nothing(desk: Client, show: Show) -> None:
    Show.objects.update(
        description="\n Two\nlines & <b>\n",
        name="  Below   Deck ",
        genres=["Drama", "Reality"],
        keywords=["a & b", "c"],
        override="Y",
        premiere_date="2013-07-01",
        imdb_rating_value=7.123456789,
        needs_imdb_resolution=True,
        tmdb_popularity=1.5,
        locked_fields=["name"],
        upstream_values={"name": "X"},
    )
    before = Show.objects.values().get()

    reply = save(desk, show)

    assert reply.status_code == 302
    assert Show.objects.values().get() == before
    assert not Change.objects.exists()


def test_an_edit_is_saved_locked_and_signed(desk: Client, show: Show, editor: Any) -> None:
    reply = save(desk, show, name="Below Deck!", genres="Reality\r\nDrama\r\n\r\n", tags="new")

    assert reply.status_code == 302
    show.refresh_from_db()
    assert (show.name, show.genres, show.tags) == ("Below Deck!", ["Reality", "Drama"], ["new"])
    assert show.locked_fields == ["name", "genres"]
    change = Change.objects.get()
    assert (change.user, change.kind) == (editor, "updated")
    assert set(change.fields) == {"name", "genres", "tags", "locked_fields"}


def test_what_a_sync_wrote_while_the_editor_was_typing_stays_and_is_not_locked(desk: Client, show: Show) -> None:
    data = as_shown(desk.get(page_of(show)))
    Show.objects.update(
        description="Newer.",
        genres=["Drama"],
        tmdb_status="Ended",
        needs_imdb_resolution=True,
        premiere_date="2020-01-01",
    )

    assert desk.post(page_of(show), data | {"name": "Mine"}).status_code == 302

    show.refresh_from_db()
    assert (show.name, show.description, show.genres) == ("Mine", "Newer.", ["Drama"])
    assert (show.tmdb_status, show.needs_imdb_resolution, str(show.premiere_date)) == ("Ended", True, "2020-01-01")
    assert show.locked_fields == ["name"]


def test_a_form_that_is_shown_again_with_an_error_still_knows_what_the_editor_saw(desk: Client, show: Show) -> None:
    again = save(desk, show, name="Mine", imdb_id="tt1")
    Show.objects.update(description="Newer.")

    reply = desk.post(page_of(show), as_shown(again) | {"imdb_id": "tt2342499"})

    assert reply.status_code == 302
    show.refresh_from_db()
    assert (show.name, show.description, show.locked_fields) == ("Mine", "Newer.", ["name"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "a\x00b"),
        ("imdb_id", "tt1"),
        ("imdb_id", "tt0000009"),
        ("tmdb_id", "0"),
        ("tmdb_id", "9"),
        ("tmdb_id", "tt1"),
        ("tmdb_id", "-1"),
        ("tmdb_id", "9" * 30),
        ("override", "maybe"),
        ("premiere_date", "2024-13-01"),
        ("premiere_date", "5/6/2020"),
        ("twitter_id", "https://x.com/survivor"),
        ("wikidata_id", "239195"),
        ("imdb_rating_value", "10.1"),
        ("imdb_rating_value", "nan"),
        ("genres", "a\x00"),
        ("show_total_seasons", "3000000000"),
    ],
)
def test_a_bad_value_is_an_error_of_its_field(desk: Client, show: Show, field: str, value: str) -> None:
    Show.objects.create(name="Other", tmdb_id=9, imdb_id="tt0000009")

    page = save(desk, show, **{field: value, "description": "New."})

    assert page.status_code == 200
    assert list(errors_of(page)) == [field]
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("premiere_date", "5/6/2020", "Write a date like 2026-01-31."),
        ("tmdb_id", "9" * 30, "A TMDb id is a number from 1."),
        ("tmdb_id", "-5", "A TMDb id is a number from 1."),
        ("tmdb_id", "0", "A TMDb id is a number from 1."),
    ],
)
def test_a_bad_value_is_told_as_an_import_tells_it(
    desk: Client, show: Show, field: str, value: str, words: str
) -> None:
    assert errors_of(save(desk, show, **{field: value})) == {field: [words]}


def test_an_id_may_be_given_as_the_address_of_its_title(desk: Client, show: Show) -> None:
    save(
        desk,
        show,
        imdb_id="https://www.imdb.com/title/tt0239195/?ref_=fn_al_tt_1",
        tmdb_id="https://www.themoviedb.org/tv/14658-survivor",
    )

    show.refresh_from_db()
    assert (show.imdb_id, show.tmdb_id) == ("tt0239195", 14658)


def test_what_stands_in_the_show_already_is_not_complained_of(desk: Client, show: Show) -> None:
    Show.objects.update(twitter_id="https://x.com/belowdeck", show_total_episodes=200_000)

    save(desk, show, description="New.")

    show.refresh_from_db()
    assert (show.description, show.twitter_id, show.locked_fields) == (
        "New.",
        "https://x.com/belowdeck",
        ["description"],
    )


def test_the_form_of_a_new_show_has_no_row_without_an_input(desk: Client) -> None:
    page = desk.get("/admin/catalog/show/add/").content.decode()

    assert 'id="row_name"' in page
    assert 'id="row_networks"' not in page
    assert 'id="row_production_companies"' not in page


def test_an_override_may_be_typed_in_small_letters(desk: Client, show: Show) -> None:
    save(desk, show, override=" skip ")

    show.refresh_from_db()
    assert show.override == "SKIP"


def test_the_queue_and_the_most_recent_episode_are_shown_and_not_typed(desk: Client, show: Show) -> None:
    Show.objects.update(
        needs_tmdb_resolution=True,
        most_recent_episode_season=5,
        most_recent_episode_number=3,
        most_recent_episode_title=EVIL,
        most_recent_episode_air_date="2024-01-02",
    )
    derived = {"needs_tmdb_resolution", "needs_imdb_resolution", "most_recent_episode"}

    page = desk.get(page_of(show))
    assert derived.isdisjoint(as_shown(page))
    assert "S5.E3 - &lt;script&gt;alert(1)&lt;/script&gt; (2024-01-02)" in page.content.decode()
    assert EVIL not in page.content.decode()
    reply = save(desk, show, needs_imdb_resolution="on", most_recent_episode="S1.E1")

    assert reply.status_code == 302
    show.refresh_from_db()
    assert (show.needs_tmdb_resolution, show.needs_imdb_resolution) == (True, False)
    assert not Change.objects.exists()


def test_a_new_show_is_created_with_its_change(desk: Client, editor: Any) -> None:
    data = as_shown(desk.get(f"{SHOWS}add/"))

    reply = desk.post(f"{SHOWS}add/", data | {"name": "Summer House", "imdb_id": "tt6296232", "_continue": "1"})

    show = Show.objects.get()
    assert reply["Location"] == page_of(show)
    assert show.locked_fields == ["name", "imdb_id"]
    assert list(Change.objects.values_list("kind", "user")) == [("created", editor.pk)]


def test_a_new_show_without_a_name_is_an_error_of_the_form(desk: Client) -> None:
    page = desk.post(f"{SHOWS}add/", as_shown(desk.get(f"{SHOWS}add/")))

    assert list(errors_of(page)) == ["name"]
    assert not Show.objects.exists()


def test_there_is_one_history_and_admins_button_leads_to_it(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine"}, author)
    save(desk, show, name="Mine again")

    page = desk.get(reverse("admin:catalog_show_history", args=(show.pk,)), follow=True)

    assert [change.show_id for change in page.context["cl"].result_list] == [show.pk, show.pk]
    assert not LogEntry.objects.exists()


def test_deleting_a_show_leaves_its_change(desk: Client, show: Show, editor: Any) -> None:
    assert "Below Deck" in desk.get(reverse("admin:catalog_show_delete", args=(show.pk,))).content.decode()

    desk.post(reverse("admin:catalog_show_delete", args=(show.pk,)), {"post": "yes"})

    assert not Show.objects.exists()
    assert Change.objects.get().kind == "deleted"
    assert Change.objects.get().user == editor


# --- what only the save itself finds


def test_an_id_that_another_editor_takes_in_the_same_moment_is_an_error_of_its_field(
    desk: Client, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = as_shown(desk.get(page_of(show)))

    def late(*arguments: Any, **options: Any) -> Any:
        Show.objects.create(name="Other", tmdb_id=9)
        return edit_show(*arguments, **options)

    monkeypatch.setattr("catalog.admin.show_page.edit_show", late)
    page = desk.post(page_of(show), data | {"tmdb_id": "9", "name": "Mine"})

    # The save was undone as a whole, the other show with it: it stood in the same transaction here.
    assert "already that of Other" in errors_of(page)["tmdb_id"][0]
    assert as_shown(page)["name"] == "Mine"
    show.refresh_from_db()
    assert (show.tmdb_id, show.name) == (55555, "Below Deck")


def test_a_show_that_somebody_deletes_in_the_same_moment_is_a_message(
    desk: Client, show: Show, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = as_shown(desk.get(page_of(show)))

    def late(show_id: uuid.UUID, *arguments: Any, **options: Any) -> Any:
        delete_show(show_id, author)
        return edit_show(show_id, *arguments, **options)

    monkeypatch.setattr("catalog.admin.show_page.edit_show", late)
    page = desk.post(page_of(show), data | {"name": "New"}, follow=True)

    assert "Somebody has deleted this show" in messages_of(page)


def test_an_id_of_a_show_in_the_trash_is_named_as_such(desk: Client, show: Show, author: Author) -> None:
    other = Show.objects.create(name="Gone", tmdb_id=9)
    delete_show(other.pk, author)

    page = save(desk, show, tmdb_id="9")

    assert errors_of(page) == {"tmdb_id": ["TMDb id 9 is already that of Gone in the trash."]}


def test_a_reason_is_kept_with_the_change(desk: Client, show: Show) -> None:
    save(desk, show, name="Mine", reason=" the network's spelling ")

    assert Change.objects.get().reason == "the network's spelling"


# --- two people, one show


def test_what_another_editor_changed_meanwhile_is_put_before_the_second(desk: Client, show: Show, anna: Author) -> None:
    data = as_shown(desk.get(page_of(show)))
    change = edit_show(show.pk, {"name": f"Hers {EVIL}"}, anna)
    assert change is not None

    page = desk.post(page_of(show), data | {"name": "Mine"})

    assert page.status_code == 200
    assert errors_of(page)["name"][0].startswith(f"anna changed this to “Hers {EVIL}” at {change.ts:%H:%M} UTC")
    text = page.content.decode()
    assert "Nothing was saved" in text
    assert 'name="choice-name" value="theirs"' in text
    assert EVIL not in text
    show.refresh_from_db()
    assert show.name == f"Hers {EVIL}"


@pytest.mark.parametrize(("choice", "name"), [(None, "Mine"), ("mine", "Mine"), ("theirs", "Hers")])
def test_saving_again_keeps_what_was_chosen(
    desk: Client, show: Show, anna: Author, choice: str | None, name: str
) -> None:
    data = as_shown(desk.get(page_of(show)))
    edit_show(show.pk, {"name": "Hers"}, anna)
    again = as_shown(desk.post(page_of(show), data | {"name": "Mine", "description": "Ours."}))
    again |= {"choice-name": choice} if choice else {}

    reply = desk.post(page_of(show), again)

    assert reply.status_code == 302
    show.refresh_from_db()
    assert (show.name, show.description) == (name, "Ours.")


def test_a_third_change_between_the_two_saves_is_put_before_him_again(desk: Client, show: Show, anna: Author) -> None:
    data = as_shown(desk.get(page_of(show)))
    edit_show(show.pk, {"name": "Hers"}, anna)
    again = as_shown(desk.post(page_of(show), data | {"name": "Mine"}))
    edit_show(show.pk, {"name": "Hers, better"}, anna)

    page = desk.post(page_of(show), again)

    assert "Hers, better" in errors_of(page)["name"][0]


def test_what_others_changed_elsewhere_stays_and_is_told(desk: Client, show: Show, anna: Author) -> None:
    data = as_shown(desk.get(page_of(show)))
    edit_show(show.pk, {"description": "Hers.", "genres": ["Drama"]}, anna)

    page = desk.post(page_of(show), data | {"name": "Mine"}, follow=True)

    assert "Meanwhile anna changed Description, Genres. That stays." in messages_of(page)
    show.refresh_from_db()
    assert (show.name, show.description, show.genres) == ("Mine", "Hers.", ["Drama"])


def test_a_form_that_is_shown_again_shows_what_others_wrote_elsewhere(
    desk: Client, show: Show, anna: Author, make_network: Callable[..., Network]
) -> None:
    make_network(74)
    data = as_shown(desk.get(page_of(show)))
    edit_show(show.pk, {"name": "Hers", "description": "Hers.", "genres": ["Drama", "News"], "networks": [74]}, anna)
    Show.objects.update(premiere_date="2020-01-02")

    again = as_shown(desk.post(page_of(show), data | {"name": "Mine"}))

    assert (again["name"], again["initial-name"]) == ("Mine", "Hers")
    assert (again["description"], again["initial-description"]) == ("Hers.", "Hers.")
    assert (again["genres"], again["initial-genres"]) == ("Drama\r\nNews", "Drama\r\nNews")
    assert (again["networks"], again["initial-networks"]) == ("74", "74")
    assert (again["premiere_date"], again["initial-premiere_date"]) == ("2020-01-02", "2020-01-02")


def test_the_same_change_by_two_is_no_conflict(desk: Client, show: Show, anna: Author) -> None:
    data = as_shown(desk.get(page_of(show)))
    edit_show(show.pk, {"name": "Same"}, anna)

    assert desk.post(page_of(show), data | {"name": "Same"}).status_code == 302
    assert Change.objects.count() == 1


def test_a_change_that_was_taken_back_meanwhile_is_no_conflict(desk: Client, show: Show, anna: Author) -> None:
    data = as_shown(desk.get(page_of(show)))
    edit_show(show.pk, {"name": "Hers"}, anna)
    edit_show(show.pk, {"name": "Below Deck"}, anna)

    assert desk.post(page_of(show), data | {"name": "Mine"}).status_code == 302
    show.refresh_from_db()
    assert show.name == "Mine"


def test_a_sync_and_the_editors_own_other_window_are_named(desk: Client, show: Show, author: Author) -> None:
    data = as_shown(desk.get(page_of(show)))
    Change.objects.create(show=show, kind="updated", run_id=7, fields={"description": ["a", "b"]})
    Show.objects.update(description="The run's.")
    edit_show(show.pk, {"name": "Other window"}, author)

    errors = errors_of(desk.post(page_of(show), data | {"name": "Mine", "description": "Mine."}))

    assert errors["description"][0].startswith("Run 7 changed this to “The run's.”")
    assert errors["name"][0].startswith("You, in another window, changed this")


def test_a_change_that_comes_between_the_look_and_the_save_is_put_before_the_editor(
    desk: Client, show: Show, anna: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = as_shown(desk.get(page_of(show)))
    tries = []

    def late(show_id: uuid.UUID, *arguments: Any, **options: Any) -> Any:
        tries.append(options["version"])
        edit_show(show_id, {"name": "Hers"}, anna)
        return edit_show(show_id, *arguments, **options)

    monkeypatch.setattr("catalog.admin.show_page.edit_show", late)
    page = desk.post(page_of(show), data | {"name": "Mine"}, follow=True)

    # In the test hers is undone with each try; the page gives up in words, and saves neither.
    assert tries == [0, 0, 0]
    assert "Nothing was saved" in messages_of(page)
    show.refresh_from_db()
    assert show.name == "Below Deck"


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40, "²", None])
def test_a_version_that_is_none_costs_nothing_but_the_name_of_the_other(
    desk: Client, show: Show, anna: Author, version: str | None
) -> None:
    data = as_shown(desk.get(page_of(show))) | {"version": version, "name": "Mine"}
    edit_show(show.pk, {"name": "Hers"}, anna)

    page = desk.post(page_of(show), {name: value for name, value in data.items() if value is not None})

    assert errors_of(page)["name"][0].startswith("Somebody changed this to “Hers” while")


# --- networks and companies


@pytest.fixture
def picked(show: Show, make_network: Callable[..., Network]) -> Show:
    for position, (pk, name) in enumerate([(9, "Bravo"), (2, "Peacock"), (5, "E!")]):
        ShowNetwork.objects.create(show=show, network=make_network(pk, name), position=position)
    ProductionCompany.objects.create(id=7, name="51 Minds")
    return show


def networks_of(show: Show) -> list[int]:
    return list(ShowNetwork.objects.filter(show=show).order_by("position").values_list("network_id", flat=True))


def test_networks_and_companies_are_put_in_order_and_locked(desk: Client, picked: Show) -> None:
    data = as_shown(desk.get(page_of(picked)))
    assert (data["networks"], data["production_companies"]) == ("9,2,5", "")

    save(desk, picked, networks="5,9", production_companies="7")

    picked.refresh_from_db()
    assert networks_of(picked) == [5, 9]
    assert ShowProductionCompany.objects.get().company_id == 7
    assert picked.locked_fields == ["networks", "production_companies"]
    assert Change.objects.get().fields["networks"]["removed"] == ["Peacock (2)"]


@pytest.mark.parametrize("value", ["9,abc", "0", "-1", "404", "9" * 40, "9;2"])
def test_what_is_no_network_is_an_error_of_the_field(desk: Client, picked: Show, value: str) -> None:
    page = save(desk, picked, networks=value)

    assert list(errors_of(page)) == ["networks"]
    assert networks_of(picked) == [9, 2, 5]


def test_networks_that_somebody_else_changed_are_put_before_the_editor_by_name(
    desk: Client, picked: Show, anna: Author
) -> None:
    data = as_shown(desk.get(page_of(picked)))
    edit_show(picked.pk, {"networks": [2, 9]}, anna)

    page = desk.post(page_of(picked), data | {"networks": "5"})

    assert errors_of(page)["networks"][0].startswith("anna changed this to “Peacock, Bravo”")


@pytest.mark.filterwarnings("ignore::django.core.paginator.UnorderedObjectListWarning")
def test_networks_are_shown_with_logos_and_found_by_name(desk: Client, picked: Show, media: Path) -> None:
    Network.objects.filter(pk=9).update(hosted_logo_key="images/a.png", name=EVIL)

    page = desk.get(page_of(picked))
    text = page.content.decode()
    search = "/admin/autocomplete/?app_label=catalog&model_name=shownetwork&field_name=network"

    assert 'src="/media/images/a.png"' in text
    assert EVIL not in text
    assert search.replace("&", "&amp;") in text
    assert desk.get(f"{search}&term=peac").json()["results"] == [{"id": "2", "text": "Peacock"}]


# --- padlocks, badges, and what upstream says


def test_a_locked_field_tells_who_locked_it_and_what_upstream_says(desk: Client, show: Show, editor: Any) -> None:
    edit_show(show.pk, {"name": "Mine"}, Author(user=editor, reason=f"why {EVIL}"))
    Show.objects.update(upstream_values={"name": EVIL})

    text = text_of(desk, show)

    assert "TMDb says: &lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "Name: locked. Unlock it" in text
    assert "Locked by editor, " in text
    assert re.search(r'title="Set by editor, since [^"]*: why [^"]*">editor · now<', text)
    assert "Description: follows TMDb. Lock it as it stands" in text
    assert "Name: take upstream" in text
    assert EVIL not in text


def test_another_editor_is_named_as_one(desk: Client, show: Show, anna: Author) -> None:
    edit_show(show.pk, {"name": "Mine"}, anna)

    assert "Editor anna · now" in text_of(desk, show)


def test_both_sources_are_told_beside_the_name_and_the_premiere(desk: Client, show: Show, author: Author) -> None:
    Show.objects.update(imdb_title="Below Deck: IMDb", imdb_date_published="2013-07-02", premiere_date="2013-07-02")
    edit_show(show.pk, {"name": "Mine"}, author)

    text = text_of(desk, show)

    assert "TMDb says: Below Deck<" in text
    assert "IMDb says: Below Deck: IMDb" in text
    assert "IMDb says: 2013-07-02" not in text
    Show.objects.update(premiere_date="2013-07-01")
    assert "IMDb says: 2013-07-02" in text_of(desk, show)


def test_nothing_is_not_struck_through_in_the_history(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"tmdb_status": "Ended"}, author)
    edit_show(show.pk, {"tmdb_status": None}, author)

    text = text_of(desk, show)

    assert '<span class="desk-quiet">(nothing)</span> → <ins class="desk-after">Ended</ins>' in text
    assert '<del class="desk-before">Ended</del> → <span class="desk-quiet">(nothing)</span>' in text
    assert '<del class="desk-before">(nothing)</del>' not in text


def test_a_badge_tells_the_source_and_how_old_its_word_is(
    desk: Client, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    Show.objects.update(tmdb_fetched_at=datetime.now(UTC) - timedelta(days=2, hours=1))
    assert "TMDb · 2 d" in text_of(desk, show)

    asked = {"tmdb": datetime.now(UTC) - timedelta(hours=5), "imdb": datetime.now(UTC) - timedelta(days=5)}
    monkeypatch.setattr(registry, "checked", [lambda show: asked])
    text = text_of(desk, show)

    assert "TMDb · 5 h" in text
    assert "TMDb · 2 d" not in text
    assert "IMDb · 5 d" in text


@pytest.mark.parametrize("name", ["watch_providers", "networks"])
def test_a_locked_relation_of_which_nothing_is_kept_comes_back_with_the_next_sync(
    desk: Client, author: Author, name: str, db: None
) -> None:
    show = Show.objects.create(name="Never synced")
    lock_show(show.pk, [name], author)

    assert "comes back with the next sync" in text_of(desk, show)
    assert "comes back with the next sync" in press_json(desk, "unlock", show, fields=name).json()["message"]
    show.refresh_from_db()
    assert show.locked_fields == []


def test_unlocking_brings_upstreams_value_back_at_once(desk: Client, show: Show, author: Author, editor: Any) -> None:
    edit_show(show.pk, {"name": "Mine", "description": "Ours"}, author)

    answer = press_json(desk, "unlock", show, fields="name", reason="they were right").json()

    show.refresh_from_db()
    assert (show.name, show.description, show.locked_fields) == ("Below Deck", "Ours", ["description"])
    assert (Change.objects.latest("id").user, Change.objects.latest("id").reason) == (editor, "they were right")
    assert answer["message"] == "Name follows TMDb again."
    field = answer["fields"]["name"]
    assert field["locked"] is False
    assert 'value="Below Deck"' in field["input"]
    assert 'name="initial-name"' in field["input"]
    assert "Name: follows TMDb" in field["side"]
    assert "they were right" in answer["trail"]


def test_unlocked_networks_come_back_in_upstreams_order(desk: Client, picked: Show, author: Author) -> None:
    edit_show(picked.pk, {"networks": [2]}, author)
    assert "TMDb says: Bravo, Peacock, E!" in text_of(desk, picked)

    answer = press_json(desk, "unlock", picked, fields="networks").json()

    assert networks_of(picked) == [9, 2, 5]
    assert 'value="9,2,5"' in answer["fields"]["networks"]["input"]


def test_a_padlock_works_without_a_script(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine"}, author)

    page = press(desk, "unlock", show, fields="name")

    assert page.redirect_chain == [(page_of(show), 302)]
    assert "Name follows TMDb again." in messages_of(page)
    page = press(desk, "lock", show, fields="description")
    assert "Description: locked as it stands." in messages_of(page)
    show.refresh_from_db()
    assert show.locked_fields == ["description"]
    assert show.upstream_values == {"description": show.description}


def test_all_are_unlocked_at_once(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine", "genres": ["Drama"], "override": "Y"}, author)

    page = press(desk, "unlock", show, all="1")

    show.refresh_from_db()
    assert (show.name, show.genres, show.override, show.locked_fields) == ("Below Deck", ["Reality"], "Y", [])
    assert "Override is unlocked." in messages_of(page)


def test_pressing_twice_changes_nothing_twice(desk: Client, show: Show, author: Author) -> None:
    for name, text in (("lock", "locked already"), ("unlock", "unlocked already")):
        press(desk, name, show, fields="name")
        assert text in messages_of(press(desk, name, show, fields="name"))
    assert Change.objects.count() == 2


@pytest.mark.parametrize("name", ["lock", "unlock"])
@pytest.mark.parametrize("fields", [[], ["tags"], ["nonsense"], ["name", "id"], [EVIL]])
def test_what_can_not_be_locked_is_refused_in_words(desk: Client, show: Show, name: str, fields: list[str]) -> None:
    answer = press_json(desk, name, show, fields=fields)

    assert answer.status_code == 409
    assert "No such field" in answer.json()["message"]
    assert "No such field" in messages_of(press(desk, name, show, fields=fields))
    assert not Change.objects.exists()


def test_an_id_that_another_show_has_by_now_can_not_be_taken_back(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"tmdb_id": 9}, author)
    Show.objects.filter(pk=show.pk).update(upstream_values={"tmdb_id": 8})
    Show.objects.create(name="Thief", tmdb_id=8)

    answer = press_json(desk, "unlock", show, fields="tmdb_id")

    assert answer.status_code == 409
    assert "TMDb id 8 is already that of Thief." in answer.json()["message"]


def test_an_id_that_upstream_contradicts_is_taken_as_a_decision(desk: Client, show: Show) -> None:
    Show.objects.update(upstream_values={"imdb_id": "tt9999999"})
    assert "IMDb id: take upstream" in text_of(desk, show)

    press(desk, "unlock", show, fields="imdb_id")

    show.refresh_from_db()
    assert (show.imdb_id, show.locked_fields) == ("tt9999999", ["imdb_id"])


@pytest.mark.parametrize("name", ["lock", "unlock", "sync", "comment"])
def test_what_is_pressed_on_a_deleted_show_is_answered_in_words(
    desk: Client, show: Show, author: Author, name: str
) -> None:
    delete_show(show.pk, author)

    page = press(desk, name, show, fields="name", text="x")

    assert page.redirect_chain[0][0] == SHOWS
    assert "Somebody has deleted this show" in messages_of(page)
    if name.endswith("lock"):
        assert press_json(desk, name, show, fields="name").status_code == 404


@pytest.mark.parametrize("name", ["lock", "unlock", "sync", "comment"])
def test_nothing_is_done_by_a_link(desk: Client, show: Show, name: str) -> None:
    assert desk.get(reverse(f"admin:catalog_show_{name}", args=(show.pk,))).status_code == 405


def test_a_way_back_that_leads_elsewhere_is_not_followed(desk: Client, show: Show) -> None:
    page = desk.post(
        reverse("admin:catalog_show_lock", args=(show.pk,)), {"fields": "name", "next": "https://evil.example/"}
    )

    assert page["Location"] == page_of(show)


# --- panels, buttons, syncs


def test_other_apps_put_panels_and_buttons_on_the_page(
    desk: Client, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "panels", [lambda show: format_html("<p>Synced {}</p>", show.name)])
    buttons = [
        registry.Button("Re-identify", lambda show: f"/identify/{show.pk}/", "catalog.change_show"),
        registry.Button("Act", lambda show: "/act/", "catalog.change_show", post=True),
    ]
    monkeypatch.setattr(registry, "buttons", buttons)

    text = text_of(desk, show)

    assert "<p>Synced Below Deck</p>" in text
    assert f'<a class="desk-button" href="/identify/{show.pk}/">Re-identify</a>' in text
    assert '<form method="post" action="/act/">' in text


def test_sync_now_asks_for_a_run_of_this_show_and_leads_to_it(
    desk: Client, show: Show, editor: Any, asked: list[Any]
) -> None:
    page = press(desk, "sync", show)

    assert asked == [(editor.pk, [show.pk])]
    assert f"{run_link(12)} is queued: it syncs this show." in messages_of(page)


# --- where to watch


def test_offers_are_shown_by_region_with_logos_and_their_source(desk: Client, show: Show, media: Path) -> None:
    provider = WatchProvider.objects.create(
        provider_id=386, provider_name=f"Peacock {EVIL}", hosted_logo_key="images/p.png"
    )
    add_offer(show, provider, "US", link="https://www.themoviedb.org/tv/1/watch")
    add_offer(show, provider, "GB", "rent", link="javascript:alert(1)")
    PastWatchProvider.objects.create(
        show=show, provider=provider, region="DE", offer_type="ads", first_seen_at=NOW, last_seen_at=NOW
    )

    text = text_of(desk, show)

    assert "Peacock &lt;script&gt;" in text
    assert 'src="/media/images/p.png"' in text
    assert "JustWatch" in text
    assert 'href="https://www.themoviedb.org/tv/1/watch"' in text
    assert "javascript:" not in text
    assert "Past offers (1)" in text
    assert 'data-region="US" open' in text  # few regions: no need to look for one
    assert 'id="show_region"' not in text
    assert EVIL not in text


def test_many_regions_are_closed_and_can_be_looked_for(desk: Client, show: Show) -> None:
    provider = WatchProvider.objects.create(provider_id=386, provider_name="Peacock")
    for region in ("AT", "DE", "GB", "US"):
        add_offer(show, provider, region)

    text = text_of(desk, show)

    assert 'data-region="US">' in text
    assert 'id="show_region"' in text


# --- the trail


def test_the_history_of_a_show_leaves_votes_and_popularity_out(desk: Client, show: Show) -> None:
    Change.objects.create(show=show, kind="updated", run_id=3, fields={"tmdb_popularity": [1, 2]}, volatile=True)
    Change.objects.create(show=show, kind="updated", run_id=4, fields={"genres": {"added": ["Drama"], "removed": []}})

    text = text_of(desk, show)

    assert "+ Drama" in text
    assert "run 4" in text
    assert "run 3" not in text


def test_a_change_is_told_with_before_after_and_why(desk: Client, show: Show, editor: Any) -> None:
    edit_show(show.pk, {"name": f"Mine {EVIL}"}, Author(user=editor, reason="better"))

    text = text_of(desk, show).partition('id="show_trail"')[2]

    assert '<del class="desk-before">Below Deck</del>' in text
    assert '<ins class="desk-after">Mine &lt;script&gt;alert(1)&lt;/script&gt;</ins>' in text
    assert "<td>better</td>" in text


def test_a_comment_is_shown_in_the_trail(desk: Client, show: Show, editor: Any) -> None:
    page = press(desk, "comment", show, text=f"Ask the network. {EVIL}")

    text = page.content.decode().partition('id="show_trail"')[2]
    assert "Ask the network. &lt;script&gt;" in text
    change = Change.objects.get()
    assert (change.kind, change.user) == ("commented", editor)


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001, "a\x00b"])
def test_what_is_no_comment_is_refused_in_words(desk: Client, show: Show, text: str) -> None:
    page = press(desk, "comment", show, text=text)

    assert "comment" in messages_of(page).lower()
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=59), "now"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(hours=3, minutes=50), "3 h"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=89), "89 d"),
        (timedelta(days=90), "3 mo"),
        (timedelta(days=800), "2 y"),
        (timedelta(seconds=-5), "now"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(passed: timedelta, text: str) -> None:
    assert age(NOW, NOW + passed) == text


def test_a_set_of_many_is_told_by_a_few_and_the_number_of_the_rest() -> None:
    told = difference("watch_providers", {"added": [f"US flatrate {n}" for n in range(100)], "removed": []})

    assert told.after.endswith("US flatrate 4 and 95 more")
    assert (told.before, told.is_set) == ("", True)


# --- what it costs


def test_the_page_costs_the_same_queries_whatever_the_show_has(
    client: Client,
    show: Show,
    author: Author,
    django_user_model: Any,
    make_network: Callable[..., Network],
    django_assert_max_num_queries: Any,
) -> None:
    every = ("view_show", "change_show", "delete_show", "sync_show", "revert_show", "view_change")
    user = as_user(client, django_user_model, *every)
    edit_show(show.pk, {"name": "Mine", "networks": [make_network(1).pk]}, Author(user=user))
    client.get(page_of(show))  # what a process asks once is not this page's
    counts, weights = [], []
    for first, number in ((2, 1), (100, 100)):
        for index in range(first, first + number):
            provider = WatchProvider.objects.create(provider_id=index, provider_name=f"P {index}")
            for kind in ("flatrate", "buy"):
                add_offer(show, provider, f"R{index}", kind)
            PastWatchProvider.objects.create(
                show=show, provider=provider, region="US", offer_type="buy", first_seen_at=NOW, last_seen_at=NOW
            )
            ShowNetwork.objects.create(show=show, network=make_network(index), position=index)
            company = ProductionCompany.objects.create(id=index, name=f"C {index}")
            ShowProductionCompany.objects.create(show=show, company=company, position=index)
            Change.objects.create(show=show, kind="updated", user=user, fields={"name": ["a", None]}, reason="x")
        with django_assert_max_num_queries(20) as queries:
            text = client.get(page_of(show)).content.decode()
        counts.append(len(queries))
        weights.append(len(text))
    assert counts[0] == counts[1]
    assert text.count("<time ") == 20
    assert weights[1] < 400_000  # bytes, with 100 of everything


# --- who may


def test_who_may_only_look_sees_all_and_can_press_nothing(
    client: Client, picked: Show, author: Author, django_user_model: Any
) -> None:
    edit_show(picked.pk, {"name": "Mine", "networks": [2]}, author)
    provider = WatchProvider.objects.create(provider_id=386, provider_name="Hulu")
    add_offer(picked, provider, "US")
    as_user(client, django_user_model, "view_show", "view_network")

    page = client.get(page_of(picked))
    text = (
        page.content.decode()
        .partition('id="content-main"')[2]
        .partition("command-submit")[0]
        .rpartition("</section>")[0]
    )

    assert page.status_code == 200
    for told in ("Mine", "Peacock", "Hulu", "Name: locked", "TMDb says: Below Deck", "editor · now", "From<br>TMDb."):
        assert told in text
    for pressed in ("<form", "<button", 'name="name"', "Sync now", "Delete", "Revert", "Take upstream"):
        assert pressed not in text
    for name in ("lock", "unlock", "sync", "comment"):
        reply = client.post(reverse(f"admin:catalog_show_{name}", args=(picked.pk,)), {"fields": "name", "text": "x"})
        assert reply.status_code == 403
    assert client.post(page_of(picked), {"name": "X"}).status_code == 403
    assert client.post(reverse("admin:catalog_show_delete", args=(picked.pk,)), {"post": "yes"}).status_code == 403
    assert Change.objects.count() == 1


def test_a_button_is_there_for_those_who_may_press_it(client: Client, show: Show, django_user_model: Any) -> None:
    as_user(client, django_user_model, "view_show", "change_show")
    text = text_of(client, show)

    assert "Save" in text
    assert "Sync now" not in text
    assert reverse("admin:catalog_show_delete", args=(show.pk,)) not in text
    assert client.post(reverse("admin:catalog_show_sync", args=(show.pk,))).status_code == 403


@pytest.mark.parametrize("address", ["nonsense", "0", "..", uuid.UUID(int=5)])
def test_a_show_that_never_was_is_answered_in_words(desk: Client, address: Any) -> None:
    page = desk.get(f"{SHOWS}{address}/change/", follow=True)

    assert page.status_code == 200
    assert "doesn’t exist" in messages_of(page)
