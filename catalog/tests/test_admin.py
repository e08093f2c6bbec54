import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from catalog.changes import Author
from catalog.edits import delete_show, edit_show
from catalog.logos import upload_logo
from catalog.models import (
    Change,
    Network,
    ProductionCompany,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)
from catalog.tests.pictures import draw

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SHOWS = "/admin/catalog/show/"
EVIL = "<script>alert(1)</script>"
INPUT = re.compile(r"<input\b[^>]*>|<textarea\b[^>]*>.*?</textarea>", re.DOTALL)


def page_of(show: Show) -> str:
    return reverse("admin:catalog_show_change", args=(show.pk,))


def as_shown(page: Any) -> dict[str, Any]:
    """The fields of a page's form as a browser would send them back untouched."""
    data: dict[str, Any] = {}
    html = page.content.decode().partition('id="show_form"')[2]
    for tag in INPUT.findall(html):
        attributes = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        name = attributes.get("name")
        if name is None or attributes.get("type") in {"submit", "search"}:
            continue
        if attributes.get("type") == "checkbox":
            if " checked" in tag:
                data[name] = attributes.get("value", "on")
        elif tag.startswith("<textarea"):
            text = unescape(re.sub(r"<[^>]*>", "", tag)).removeprefix("\n")
            data[name] = text.replace("\n", "\r\n")
        else:
            data[name] = attributes.get("value", "").replace("\n", "\r\n")
    return data


def save(desk: Client, show: Show, **changes: Any) -> Any:
    """Opens a show's page and sends it back with changes; None takes a field out (an unticked box)."""
    data = as_shown(desk.get(page_of(show))) | changes
    return desk.post(page_of(show), {name: value for name, value in data.items() if value is not None})


def errors_of(page: Any) -> dict[str, Any]:
    return dict(page.context["adminform"].form.errors)


def messages_of(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


# --- the list of shows


def fill(number: int) -> None:
    networks = [Network(id=pk, name=f"Network {pk}") for pk in range(1, 6)]
    Network.objects.bulk_create(networks, ignore_conflicts=True)
    for index in range(number):
        show = Show.objects.create(name=f"Show {index}", tmdb_status="Ended", locked_fields=["name"])
        for position, network in enumerate(networks[:3]):
            ShowNetwork.objects.create(show=show, network=network, position=position)
        Change.objects.create(show=show, kind="updated", fields={"name": ["a", "b"]})


@pytest.mark.parametrize("path", [SHOWS, "/admin/catalog/change/"])
def test_a_list_costs_the_same_queries_however_long(
    desk: Client, path: str, django_assert_max_num_queries: Any
) -> None:
    counts = []
    for number in (5, 45):
        fill(number)
        with django_assert_max_num_queries(12) as queries:
            assert desk.get(path).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("path", ["network", "productioncompany", "watchprovider"])
def test_an_entity_list_costs_the_same_queries_however_long(
    desk: Client, media: Path, path: str, django_assert_max_num_queries: Any
) -> None:
    counts = []
    for first, number in ((1, 5), (100, 45)):
        for pk in range(first, first + number):
            columns = {"hosted_logo_key": f"images/logos/x/{pk}/a.png", "origin_country": "US"}
            target = Network.objects.first()
            Network.objects.create(id=pk, name=f"N {pk}", merged_into=target, **columns)
            ProductionCompany.objects.create(id=pk, name=f"C {pk}", **columns)
            WatchProvider.objects.create(provider_id=pk, provider_name=f"P {pk}", **columns)
        with django_assert_max_num_queries(12) as queries:
            assert desk.get(f"/admin/catalog/{path}/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_list_shows_networks_in_upstreams_order(
    desk: Client, show: Show, make_network: Callable[..., Network]
) -> None:
    ShowNetwork.objects.create(show=show, network=make_network(2, "Peacock"), position=1)
    ShowNetwork.objects.create(show=show, network=make_network(9, "Bravo"), position=0)

    assert "Bravo, Peacock" in desk.get(SHOWS).content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=below", {"Below Deck"}),
        ("q=tt2342499", {"Below Deck"}),
        ("q=tt23", {"Below Deck"}),
        ("q=55555", {"Below Deck"}),
        ("q=5555", set()),
        ("q=999999999999999999999999999999", set()),
        ("q=%27%22%25", set()),
        ("needs_tmdb_resolution__exact=1", {"Gone", "Waiting"}),
        ("needs_imdb_resolution__exact=1", {"Waiting"}),
        ("gone=yes", {"Gone"}),
        ("locked=yes", {"Locked"}),
        ("locked=no", {"Below Deck", "Gone", "Waiting"}),
        ("override_is=none", {"Below Deck", "Gone", "Locked"}),
        ("override_is=number", {"Waiting"}),
        ("override_is=nonsense", {"Below Deck", "Gone", "Locked", "Waiting"}),
        ("tmdb_status=Ended", {"Gone"}),
        ("networks__id__exact=74", {"Locked"}),
    ],
)
def test_the_list_finds_and_filters(
    desk: Client, show: Show, make_network: Callable[..., Network], query: str, found: set[str]
) -> None:
    Show.objects.create(name="Gone", tmdb_id=9, needs_tmdb_resolution=True, tmdb_status="Ended")
    Show.objects.create(name="Waiting", needs_tmdb_resolution=True, needs_imdb_resolution=True, override="4")
    locked = Show.objects.create(name="Locked", locked_fields=["name"])
    ShowNetwork.objects.create(show=locked, network=make_network(74), position=0)

    page = desk.get(f"{SHOWS}?{query}")

    assert page.status_code == 200
    assert {show.name for show in page.context["cl"].result_list} == found


# --- the page of a show


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


def test_an_override_may_be_typed_in_small_letters(desk: Client, show: Show) -> None:
    save(desk, show, override=" skip ")

    show.refresh_from_db()
    assert show.override == "SKIP"


def test_an_id_that_another_editor_takes_in_the_same_moment_is_a_message(
    desk: Client, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = as_shown(desk.get(page_of(show)))

    def late(*arguments: Any, **options: Any) -> Any:
        Show.objects.create(name="Other", tmdb_id=9)
        return edit_show(*arguments, **options)

    monkeypatch.setattr("catalog.admin.show.edit_show", late)
    page = desk.post(page_of(show), data | {"tmdb_id": "9"}, follow=True)

    assert "Nothing was saved." in messages_of(page)
    show.refresh_from_db()
    assert show.tmdb_id == 55555


def test_a_show_that_somebody_deletes_in_the_same_moment_is_a_message(
    desk: Client, show: Show, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = as_shown(desk.get(page_of(show)))

    def late(show_id: uuid.UUID, *arguments: Any) -> Any:
        delete_show(show_id, author)
        return edit_show(show_id, *arguments)

    monkeypatch.setattr("catalog.admin.show.edit_show", late)
    page = desk.post(page_of(show), data | {"name": "New"}, follow=True)

    assert "Somebody has deleted this show" in messages_of(page)


def test_locked_fields_stand_beside_what_upstream_says(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine"}, author)
    Show.objects.update(locked_fields=["name", "networks"], upstream_values={"name": EVIL})

    text = desk.get(page_of(show)).content.decode()

    assert "TMDb says: &lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "comes back with the next sync" in text
    assert EVIL not in text


def test_a_ticked_lock_opens_and_brings_upstreams_value_back(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine", "description": "Ours"}, author)

    save(desk, show, unlock="name", description="Ours, better")

    show.refresh_from_db()
    assert (show.name, show.description, show.locked_fields) == ("Below Deck", "Ours, better", ["description"])


def test_a_lock_beside_which_upstream_has_said_nothing_opens_and_keeps_the_value(
    desk: Client, author: Author, db: None
) -> None:
    show = Show.objects.create(name="Never synced")
    edit_show(show.pk, {"description": "Ours"}, author)

    assert "nothing yet" in desk.get(page_of(show)).content.decode()
    save(desk, show, unlock="description")

    show.refresh_from_db()
    assert (show.description, show.locked_fields) == ("Ours", [])


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


@pytest.mark.parametrize("unlock", ["nonsense", "tags", "id"])
def test_what_can_not_be_locked_can_not_be_unlocked(desk: Client, show: Show, unlock: str) -> None:
    page = save(desk, show, unlock=unlock)

    assert list(errors_of(page)) == ["unlock"]


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


def test_the_page_of_a_show_tells_all_with_constant_queries(
    desk: Client, show: Show, editor: Any, make_network: Callable[..., Network], django_assert_max_num_queries: Any
) -> None:
    provider = WatchProvider.objects.create(provider_id=386, provider_name=f"Peacock {EVIL}")
    counts = []
    for first, number in ((1, 2), (100, 300)):
        for index in range(first, first + number):
            ShowWatchProvider.objects.create(
                show=show,
                region=f"R{index}",
                offer_type="flatrate",
                provider=provider,
                first_seen_at=NOW,
                fetched_at=NOW,
            )
        for index in range(first, first + 30):
            ShowNetwork.objects.create(show=show, network=make_network(index, f"N {EVIL}"), position=index)
            company = ProductionCompany.objects.create(id=index, name=f"C {EVIL}")
            ShowProductionCompany.objects.create(show=show, company=company, position=index)
            Change.objects.create(show=show, kind="updated", user=editor, fields={"name": [EVIL, None]}, reason=EVIL)
        with django_assert_max_num_queries(12) as queries:
            text = desk.get(page_of(show)).content.decode()
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert EVIL not in text
    assert "Peacock &lt;script&gt;" in text
    assert "the first 200 are shown" in text
    assert text.count("Name: &lt;script&gt;") == 20


def test_the_history_of_a_show_leaves_votes_and_popularity_out(desk: Client, show: Show) -> None:
    Change.objects.create(show=show, kind="updated", run_id=3, fields={"tmdb_popularity": [1, 2]}, volatile=True)
    Change.objects.create(show=show, kind="updated", run_id=4, fields={"genres": {"added": ["Drama"], "removed": []}})

    text = desk.get(page_of(show)).content.decode()

    assert "Genres: + Drama" in text
    assert "run 4" in text
    assert "run 3" not in text


def test_there_is_one_history_and_admins_button_leads_to_it(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": "Mine"}, author)
    save(desk, show, name="Mine again")

    page = desk.get(reverse("admin:catalog_show_history", args=(show.pk,)), follow=True)

    assert [change.show_id for change in page.context["cl"].result_list] == [show.pk, show.pk]
    assert not LogEntry.objects.exists()


# --- deleting


def test_deleting_a_show_leaves_its_change(desk: Client, show: Show, editor: Any) -> None:
    assert "Below Deck" in desk.get(reverse("admin:catalog_show_delete", args=(show.pk,))).content.decode()

    desk.post(reverse("admin:catalog_show_delete", args=(show.pk,)), {"post": "yes"})

    assert not Show.objects.exists()
    assert Change.objects.get().kind == "deleted"
    assert Change.objects.get().user == editor


def act(desk: Client, path: str, action: str, *rows: Any, **more: Any) -> Any:
    return desk.post(path, {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}, follow=True)


def test_deleting_many_shows_leaves_a_change_for_each(desk: Client, show: Show) -> None:
    other = Show.objects.create(name="Other")

    asked = act(desk, SHOWS, "delete_selected", show, other)
    act(desk, SHOWS, "delete_selected", show, other, post="yes")

    assert "Below Deck" in asked.content.decode()
    assert not Show.objects.exists()
    assert Change.objects.filter(kind="deleted").count() == 2


# --- actions


def test_unlocking_takes_every_value_back_and_tells_what_it_could_not(desk: Client, show: Show, author: Author) -> None:
    other, free = Show.objects.create(name="Other", tmdb_id=8), Show.objects.create(name="Free")
    edit_show(show.pk, {"name": "Mine", "description": "Mine"}, author)
    edit_show(other.pk, {"tmdb_id": 9}, author)
    Show.objects.filter(pk=other.pk).update(upstream_values={"tmdb_id": 8})  # as a sync keeps it
    Show.objects.create(name="Thief", tmdb_id=8)

    page = act(desk, SHOWS, "unlock_all", show, other, free)

    show.refresh_from_db()
    other.refresh_from_db()
    assert (show.name, show.locked_fields) == ("Below Deck", [])
    assert other.locked_fields == ["tmdb_id"]
    assert "1 show unlocked." in messages_of(page)
    assert "Other: " in messages_of(page)


def test_no_match_is_decided_for_many_at_once(desk: Client, show: Show) -> None:
    other = Show.objects.create(name="Other", needs_tmdb_resolution=True)

    page = act(desk, SHOWS, "decide_no_matches", show, other)

    assert "2 shows decided" in messages_of(page)
    assert Show.objects.filter(tmdb_id=None, needs_tmdb_resolution=False, locked_fields=["tmdb_id"]).count() == 2


def test_sync_now_queues_one_task_by_its_name(
    desk: Client,
    show: Show,
    editor: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    queued = []
    monkeypatch.setattr("catalog.admin.show.async_task", lambda *names, **options: queued.append((names, options)))
    other = Show.objects.create(name="Other")

    with django_capture_on_commit_callbacks(execute=True):
        page = act(desk, SHOWS, "sync_now", show, other)

    ids = sorted([str(show.pk), str(other.pk)])
    assert queued == [(("ingestion.tasks.sync_shows",), {"show_ids": ids, "user_id": editor.pk})]
    assert "The sync of 2 shows is queued." in messages_of(page)


# --- networks, companies, providers


def upload(desk: Client, row: Any, content: bytes) -> Any:
    path = reverse(f"admin:catalog_{row._meta.model_name}_change", args=(row.pk,))
    return desk.post(path, {"new_logo": SimpleUploadedFile("logo.png", content)})


@pytest.mark.parametrize("model", [Network, ProductionCompany, WatchProvider])
def test_an_editor_uploads_a_logo_and_gives_it_back(desk: Client, media: Path, model: Any) -> None:
    named = {"provider_name": "A"} if model is WatchProvider else {"name": "A"}
    row = model.objects.create(pk=74, tmdb_logo_path="/a.png", **named)
    path = reverse(f"admin:catalog_{model._meta.model_name}_change", args=(74,))

    assert upload(desk, row, draw()).status_code == 302

    row.refresh_from_db()
    assert row.logo_locked
    assert (media / row.hosted_logo_key).read_bytes() == draw()
    assert f'src="/media/{row.hosted_logo_key}"' in desk.get(path).content.decode()
    assert desk.post(path, {}).status_code == 302  # the box "logo locked" is not ticked
    row.refresh_from_db()
    assert not row.logo_locked
    assert model.objects.needing_logo().exists()


@pytest.mark.parametrize("model", [Network, ProductionCompany, WatchProvider])
@pytest.mark.parametrize("order", ["", "?o=2", "?o=-3", "?o=8.2", "?logo=mirrored"])  # 8: a network's shows
def test_a_logo_is_mirrored_again_unless_it_is_an_editors_own(
    desk: Client, media: Path, author: Author, model: Any, order: str
) -> None:
    name = "provider_name" if model is WatchProvider else "name"
    hosted = {"hosted_logo_key": "k", "hosted_logo_sha256": "0" * 64, "hosted_logo_path": "/a.png"}
    for pk in (1, 2, 3, 4):
        path = None if pk == 3 else "/a.png"  # 3: upstream has taken its logo away
        model.objects.create(pk=pk, **{name: "A"}, **hosted, tmdb_logo_path=path)
    upload_logo(model.objects.get(pk=2), draw(), author)
    others = list(model.objects.exclude(pk=1).order_by("pk").values())
    assert not model.objects.needing_logo().exists()

    path = f"/admin/catalog/{model._meta.model_name}/{order}"
    page = act(desk, path, "mirror_again", *(model(pk=pk) for pk in (1, 2, 3)))

    row = model.objects.needing_logo().get()
    assert (row.pk, row.hosted_logo_key, row.hosted_logo_path, row.hosted_logo_sha256) == (1, "k", None, None)
    assert list(model.objects.exclude(pk=1).order_by("pk").values()) == others
    assert "The next sync mirrors 1 logo again." in messages_of(page)


def test_a_logo_that_is_mirrored_again_is_listed_as_waiting_and_not_as_uploaded(
    desk: Client, media: Path, author: Author, make_network: Callable[..., Network]
) -> None:
    hosted = {"hosted_logo_key": "k", "hosted_logo_sha256": "0" * 64, "hosted_logo_path": "/a.png"}
    upload_logo(make_network(1, "uploaded"), draw(), author)
    rows = [make_network(pk, "mirrored", tmdb_logo_path="/a.png", **hosted) for pk in (2, 3)]

    page = act(desk, "/admin/catalog/network/", "mirror_again", *rows)

    assert "The next sync mirrors 2 logos again." in messages_of(page)
    for answer, found in (("waiting", {2, 3}), ("uploaded", {1}), ("mirrored", set())):
        page = desk.get(f"/admin/catalog/network/?logo={answer}")
        assert {network.pk for network in page.context["cl"].result_list} == found


@pytest.mark.parametrize(
    ("content", "reason"), [(b"<svg onload=alert(1)>", "SVG"), (b"\x00" * 6_000_000, "5 MB"), (draw()[:-20], "broken")]
)
def test_an_unusable_upload_is_an_error_of_its_field(
    desk: Client, media: Path, make_network: Callable[..., Network], content: bytes, reason: str
) -> None:
    page = upload(desk, make_network(74), content)

    assert reason in errors_of(page)["new_logo"][0]
    assert not Network.objects.get().logo_locked


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("mirrored", {"mirrored", "outdated"}),
        ("none", {"none"}),
        ("waiting", {"new", "outdated"}),
        ("failed", {"failed"}),
        ("uploaded", {"uploaded"}),
    ],
)
def test_logos_are_filtered_by_what_became_of_them(
    desk: Client, media: Path, make_network: Callable[..., Network], answer: str, found: set[str]
) -> None:
    make_network(1, "mirrored", tmdb_logo_path="/a", hosted_logo_path="/a", hosted_logo_key="k")
    make_network(2, "outdated", tmdb_logo_path="/b", hosted_logo_path="/a", hosted_logo_key="k")
    make_network(3, "none")
    make_network(4, "failed", tmdb_logo_path="/a", logo_error="404")
    make_network(5, "uploaded", tmdb_logo_path="/a", hosted_logo_key="k", hosted_logo_sha256="0", logo_locked=True)
    make_network(6, "new", tmdb_logo_path="/a")

    page = desk.get(f"/admin/catalog/network/?logo={answer}")

    assert {network.name for network in page.context["cl"].result_list} == found


@pytest.mark.parametrize("model", ["network", "productioncompany", "watchprovider"])
def test_entities_are_found_by_name_and_id_and_never_added_or_deleted(desk: Client, media: Path, model: str) -> None:
    Network.objects.create(id=74, name="Bravo")
    ProductionCompany.objects.create(id=74, name="Bravo")
    WatchProvider.objects.create(provider_id=74, provider_name="Bravo")
    path = f"/admin/catalog/{model}/"

    for query, number in (("brav", 1), ("74", 1), ("7", 0)):
        assert len(desk.get(f"{path}?q={query}").context["cl"].result_list) == number
    assert desk.get(f"{path}add/").status_code == 403
    assert desk.post(f"{path}74/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in desk.get(path).content.decode()


def test_upstreams_columns_can_not_be_typed_over(
    desk: Client, media: Path, make_network: Callable[..., Network]
) -> None:
    network = make_network(74, origin_country="US")

    desk.post(
        reverse("admin:catalog_network_change", args=(74,)),
        {"name": "X", "origin_country": "DE", "tmdb_logo_path": "/x", "hosted_logo_key": "x", "merged_into": "74"},
    )

    network.refresh_from_db()
    assert (network.name, network.origin_country, network.tmdb_logo_path) == ("Bravo", "US", None)
    assert (network.hosted_logo_key, network.merged_into) == (None, None)


def test_duplicates_are_merged_into_the_network_with_the_most_shows(
    desk: Client, media: Path, show: Show, make_network: Callable[..., Network]
) -> None:
    small, large, empty = make_network(1), make_network(2), make_network(3)
    other = Show.objects.create(name="Other")
    for row, network in ((show, large), (other, large), (show, small)):
        ShowNetwork.objects.create(show=row, network=network, position=0)

    page = act(desk, "/admin/catalog/network/", "merge_into_largest", small, large, empty)

    assert dict(Network.objects.values_list("pk", "merged_into")) == {1: 2, 2: None, 3: 2}
    assert "Bravo (1) is merged into Bravo (2); 1 show followed." in messages_of(page)
    again = act(desk, "/admin/catalog/network/", "merge_into_largest", small, large)
    assert "already merged" in messages_of(again)
    alone = act(desk, "/admin/catalog/network/", "merge_into_largest", small)
    assert "Select the network to keep" in messages_of(alone)


# --- changes


def test_changes_are_read_only_and_keep_deleted_shows_by_name(desk: Client, show: Show, author: Author) -> None:
    edit_show(show.pk, {"name": EVIL}, author)
    kept = Show.objects.create(name="Kept")
    Change.objects.create(show=kept, kind="created", run_id=7)
    delete_show(show.pk, author)
    change = Change.objects.filter(kind="deleted").get()

    page = desk.get("/admin/catalog/change/")
    text = page.content.decode()

    assert len(page.context["cl"].result_list) == 3
    assert "&lt;script&gt;alert(1)&lt;/script&gt; (deleted)" in text
    assert EVIL not in text
    assert page_of(kept) in text
    assert desk.get(f"/admin/catalog/change/{change.pk}/change/").status_code == 200
    assert desk.post(f"/admin/catalog/change/{change.pk}/change/", {"reason": "x"}).status_code == 403
    assert desk.post(f"/admin/catalog/change/{change.pk}/delete/", {"post": "yes"}).status_code == 403
    assert desk.get("/admin/catalog/change/add/").status_code == 403


@pytest.mark.parametrize(
    ("query", "number"),
    [("", 2), ("volatile=all", 3), ("volatile=only", 1), ("volatile=x", 2), ("kind__exact=created", 1)],
)
def test_votes_and_popularity_are_hidden_unless_asked_for(desk: Client, show: Show, query: str, number: int) -> None:
    Change.objects.create(show=show, kind="created")
    Change.objects.create(show=show, kind="updated", fields={"name": ["a", "b"]})
    Change.objects.create(show=show, kind="updated", fields={"tmdb_popularity": [1, 2]}, volatile=True)

    assert len(desk.get(f"/admin/catalog/change/?{query}").context["cl"].result_list) == number


# --- who may


def test_a_viewer_reads_and_writes_nothing(
    client: Client, show: Show, media: Path, django_user_model: Any, make_network: Callable[..., Network]
) -> None:
    network = make_network(74, tmdb_logo_path="/a.png", hosted_logo_key="k", hosted_logo_path="/a.png")
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(viewer)

    assert client.get(page_of(show)).status_code == 200
    assert client.post(page_of(show), {"name": "X"}).status_code == 403
    assert client.post(reverse("admin:catalog_show_delete", args=(show.pk,)), {"post": "yes"}).status_code == 403
    act(client, SHOWS, "decide_no_matches", show)
    act(client, "/admin/catalog/network/", "mirror_again", network)
    assert not Network.objects.needing_logo().exists()
    assert not Change.objects.exists()


def test_nobody_else_sees_anything(client: Client, show: Show) -> None:
    assert client.get(page_of(show)).status_code == 302
