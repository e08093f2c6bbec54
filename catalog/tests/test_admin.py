import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from catalog.changes import Author
from catalog.edits import edit_show, locked_row
from catalog.logos import upload_logo
from catalog.models import (
    Batch,
    Change,
    Network,
    ProductionCompany,
    Show,
    ShowNetwork,
    WatchProvider,
)
from catalog.tests.pages import errors_of, messages_of, page_of, run_link
from catalog.tests.pictures import draw
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SHOWS = "/admin/catalog/show/"
EVIL = "<script>alert(1)</script>"


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


# --- deleting


def act(desk: Client, path: str, action: str, *rows: Any, **more: Any) -> Any:
    return desk.post(path, {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}, follow=True)


def test_deleting_many_shows_asks_and_is_one_step_with_a_reason(desk: Client, show: Show) -> None:
    other = Show.objects.create(name=EVIL)

    asked = act(desk, SHOWS, "delete_selected", show, other)
    assert Show.objects.count() == 2
    desk.post(asked.request["PATH_INFO"], {"reason": "spoofs"})
    again = desk.post(asked.request["PATH_INFO"], {"reason": "twice"})

    batch = Batch.objects.get()
    assert "Below Deck" in asked.content.decode()
    assert EVIL not in asked.content.decode()
    assert not Show.objects.exists()
    assert set(Change.objects.values_list("kind", "reason", "batch")) == {("deleted", "spoofs", batch.pk)}
    assert again["Location"] == reverse("admin:catalog_batch_change", args=(batch.pk,))
    assert batch.counts == {"changed": 2, "unchanged": 0, "failed": 0}
    assert "Moved to the trash" in desk.get(again["Location"]).content.decode()


def test_a_show_that_is_gone_when_many_are_deleted_is_named(desk: Client, show: Show, author: Author) -> None:
    other = Show.objects.create(name="Other")
    asked = act(desk, SHOWS, "delete_selected", show, other)
    delete_show(show.pk, author)

    desk.post(asked.request["PATH_INFO"])

    assert not Show.objects.exists()
    assert Batch.objects.get().failures == [[str(show.pk), "Below Deck", "it has been deleted"]]


def test_who_may_not_delete_is_not_asked(desk: Client, client: Client, show: Show, django_user_model: Any) -> None:
    address = act(desk, SHOWS, "delete_selected", show).request["PATH_INFO"]
    anna = django_user_model.objects.create_user("anna", is_staff=True)
    anna.user_permissions.set(Permission.objects.filter(codename__in=["view_show", "change_show", "bulk_edit_show"]))
    client = Client()
    client.force_login(anna)

    act(client, SHOWS, "delete_selected", show)
    assert client.post(address).status_code == 403
    assert Show.objects.exists()
    anna.user_permissions.add(Permission.objects.get(codename="delete_show"))
    assert client.post(address)["Location"] == SHOWS  # the draft is somebody else's
    assert Show.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer: none waits for another's row")
def test_deleting_many_shows_waits_for_a_writer_and_holds_nobody_up(desk: Client) -> None:
    """Another one holds the second show and then writes to the feed: neither may wait for what the other holds."""
    first, second = (Show.objects.create(name=name) for name in ("A", "B"))
    asked = act(desk, SHOWS, "delete_selected", first, second)
    is_held, first_is_gone = threading.Event(), threading.Event()

    def write() -> None:
        try:
            with transaction.atomic():
                locked_row(second.pk)
                is_held.set()
                first_is_gone.wait(30)
                edit_show(second.pk, {"override": "Y"}, Author())
        finally:
            connection.close()

    def watch(*args: Any, **more: Any) -> Any:
        change = delete_show(*args, **more)
        first_is_gone.set()
        return change

    with ThreadPoolExecutor(1) as pool, patch("catalog.batches.delete_show", watch):
        writer = pool.submit(write)
        assert is_held.wait(30)
        desk.post(asked.request["PATH_INFO"])
        writer.result(30)

    assert not Show.objects.exists()
    assert Batch.objects.get().counts == {"changed": 2, "unchanged": 0, "failed": 0}
    assert Show.all_objects.get(pk=second.pk).override == "Y"


# --- actions


def test_unlocking_takes_every_value_back_and_tells_what_it_could_not(desk: Client, show: Show, author: Author) -> None:
    other, free = Show.objects.create(name="Other", tmdb_id=8), Show.objects.create(name="Free")
    edit_show(show.pk, {"name": "Mine", "description": "Mine"}, author)
    edit_show(other.pk, {"tmdb_id": 9}, author)
    Show.objects.filter(pk=other.pk).update(upstream_values={"tmdb_id": 8})  # as a sync keeps it
    Show.objects.create(name="Thief", tmdb_id=8)

    preview = act(desk, SHOWS, "unlock_all", show, other, free)
    assert Show.objects.exclude(locked_fields=[]).count() == 2
    desk.post(preview.request["PATH_INFO"].replace("/preview/", "/apply/"))

    show.refresh_from_db()
    other.refresh_from_db()
    assert (show.name, show.locked_fields) == ("Below Deck", [])
    assert other.locked_fields == ["tmdb_id"]
    assert Batch.objects.get().counts == {"changed": 1, "unchanged": 0, "failed": 0}
    assert "TMDb id 8 is already that of Thief." in preview.content.decode()
    assert "1 need no change" in preview.content.decode()


def test_no_match_is_decided_for_many_and_leaves_good_ids_alone(desk: Client, show: Show) -> None:
    waits = Show.objects.create(name="Waits", needs_tmdb_resolution=True)
    gone = Show.objects.create(name="Gone", tmdb_id=9, needs_tmdb_resolution=True)

    preview = act(desk, SHOWS, "decide_no_matches", show, waits, gone)
    text = preview.content.decode()
    assert not Change.objects.exists()
    assert "Apply to 2 shows" in text
    assert "It has the TMDb id 55555, which nobody doubts." in text
    desk.post(preview.request["PATH_INFO"].replace("/preview/", "/apply/"))

    batch = Batch.objects.get()
    assert batch.counts["changed"] == 2
    assert Change.objects.filter(batch=batch, reason="no match on TMDb").exists()
    decided = Show.objects.filter(tmdb_id=None, needs_tmdb_resolution=False, locked_fields=["tmdb_id"])
    assert set(decided) == {waits, gone}
    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields) == (55555, [])
    page = desk.get(reverse("admin:catalog_batch_change", args=(batch.pk,))).content.decode()
    assert "No match on TMDb: the id is empty, and locked" in page


def test_sync_now_asks_for_one_run_of_the_selection_and_leads_to_it(
    desk: Client, show: Show, editor: Any, asked: list[Any]
) -> None:
    other = Show.objects.create(name="Other")

    page = act(desk, SHOWS, "sync_now", show, other)

    assert asked == [(editor.pk, sorted([show.pk, other.pk]))]
    assert f"{run_link(12)} is queued: it syncs 2 shows." in messages_of(page)


def test_who_may_not_see_runs_is_not_led_to_one(
    client: Client, show: Show, asked: list[Any], django_user_model: Any
) -> None:
    user = django_user_model.objects.create_user("someone", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_show", "sync_show"]))
    client.force_login(user)

    page = act(client, SHOWS, "sync_now", show)

    assert "Run 12 is queued: it syncs 1 show." in messages_of(page)


def test_a_selection_that_is_gone_meanwhile_does_not_become_a_sync_of_all(
    desk: Client, show: Show, asked: list[Any]
) -> None:
    Show.objects.create(name="Other")
    delete_show(show.pk, Author())

    page = act(desk, SHOWS, "sync_now", show)

    assert asked == []
    assert "Nothing is queued: somebody has deleted these shows meanwhile." in messages_of(page)


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
