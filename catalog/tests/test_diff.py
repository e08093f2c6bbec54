from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from catalog.changes import Author
from catalog.edits import edit_show, lock_show
from catalog.models import Change, Network, Show, ShowNetwork
from catalog.tests.pages import messages_of, page_of
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


def diff(desk: Client, show: Show) -> Any:
    return desk.get(reverse("admin:catalog_show_diff", args=(show.pk,)))


def rows_of(page: Any) -> dict[str, Any]:
    return {row["name"]: row for row in page.context["rows"]}


def press(desk: Client, name: str, show: Show, *fields: str, **more: str) -> Any:
    address = reverse("admin:catalog_show_diff", args=(show.pk,))
    data = {"fields": list(fields), "next": address, **more}
    return desk.post(reverse(f"admin:catalog_show_{name}", args=(show.pk,)), data, follow=True)


@pytest.fixture
def edited(show: Show, editor: Any, make_network: Callable[..., Network]) -> Show:
    """A show with two locked fields that differ, one that does not, and an id that upstream contradicts."""
    ShowNetwork.objects.create(show=show, network=make_network(74, "Bravo"), position=0)
    make_network(2, "Peacock")
    edit_show(show.pk, {"name": "Mine", "networks": [2, 74]}, Author(user=editor, reason=f"why {EVIL}"))
    lock_show(show.pk, ["genres"], Author(user=editor))
    show.refresh_from_db()
    show.upstream_values["imdb_id"] = "tt9999999"
    show.save(update_fields=["upstream_values"])
    return show


def test_every_locked_field_and_contradicted_id_stands_beside_upstreams(desk: Client, edited: Show) -> None:
    page = diff(desk, edited)

    rows = rows_of(page)
    assert list(rows) == ["name", "imdb_id", "genres", "networks"]
    told = {name: (row["ours"], row["theirs"], row["differs"], row["locked"]) for name, row in rows.items()}
    assert told == {
        "name": ("Mine", "Below Deck", True, True),
        "imdb_id": ("tt2342499", "tt9999999", True, False),
        "genres": ("Reality", "Reality", False, True),
        "networks": ("Peacock, Bravo", "Bravo", True, True),
    }
    assert (rows["name"]["lock"].who, rows["name"]["lock"].why) == ("editor", f"why {EVIL}")
    assert EVIL not in page.content.decode()


def test_one_is_taken_and_the_page_comes_back(desk: Client, edited: Show) -> None:
    page = press(desk, "unlock", edited, "name", reason="theirs is right")

    assert list(rows_of(page)) == ["imdb_id", "genres", "networks"]
    assert "Name follows TMDb again." in messages_of(page)
    assert Change.objects.latest("id").reason == "theirs is right"


def test_an_id_is_kept_by_locking_it(desk: Client, edited: Show) -> None:
    row = rows_of(press(desk, "lock", edited, "imdb_id"))["imdb_id"]

    assert (row["ours"], row["theirs"], row["locked"], row["lock"].who) == ("tt2342499", "tt9999999", True, "editor")


def test_all_are_taken_at_once(desk: Client, edited: Show) -> None:
    page = diff(desk, edited)
    assert page.context["can_take"] == ["name", "imdb_id", "genres", "networks"]

    page = press(desk, "unlock", edited, *page.context["can_take"])

    edited.refresh_from_db()
    assert (edited.name, edited.imdb_id) == ("Below Deck", "tt9999999")
    assert list(edited.networks.values_list("id", flat=True)) == [74]
    assert edited.locked_fields == ["imdb_id"]  # a decision of the editor's
    assert [row["differs"] for row in page.context["rows"]] == [False]


def test_all_or_nothing_is_taken(desk: Client, edited: Show) -> None:
    Show.objects.create(name="Thief", imdb_id="tt9999999")

    page = press(desk, "unlock", edited, "name", "imdb_id")

    assert "already that of Thief" in messages_of(page)
    edited.refresh_from_db()
    assert (edited.name, edited.imdb_id) == ("Mine", "tt2342499")


def test_a_relation_that_was_never_synced_comes_back_with_the_next_sync(desk: Client, author: Author) -> None:
    show = Show.objects.create(name="New")
    lock_show(show.pk, ["watch_providers", "description", "override"], author)

    rows = rows_of(diff(desk, show))

    assert rows["watch_providers"]["theirs"] == "comes back with the next sync"
    assert rows["description"]["theirs"] == "nothing yet"
    assert rows["override"]["theirs"] == "no source speaks of it"


def test_a_show_that_follows_upstream_says_so(desk: Client, show: Show) -> None:
    page = diff(desk, show)

    assert page.context["rows"] == []
    assert "everything follows upstream" in page.content.decode()


def test_a_deleted_show_tells_what_became_of_it(desk: Client, show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    page = desk.get(reverse("admin:catalog_show_diff", args=(show.pk,)), follow=True)

    assert page.redirect_chain[0][0] == page_of(show)
    assert page.status_code == 410


def test_who_may_only_look_can_decide_nothing(client: Client, edited: Show, django_user_model: Any) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    client.force_login(viewer)
    assert diff(client, edited).status_code == 403
    viewer.user_permissions.set(Permission.objects.filter(codename="view_show"))
    client.force_login(django_user_model.objects.get(pk=viewer.pk))

    text = diff(client, edited).content.decode()

    assert "tt9999999" in text
    for pressed in ("Take upstream", "Keep ours", "Take all"):
        assert pressed not in text


def test_it_costs_the_same_queries_whatever_is_locked(
    desk: Client, show: Show, author: Author, django_assert_max_num_queries: Any
) -> None:
    diff(desk, show)  # what a process asks once is not this page's
    counts = []
    for names in (["name"], ["description", "genres", "keywords", "tvdb_id", "tmdb_name", "override"]):
        lock_show(show.pk, names, author)
        with django_assert_max_num_queries(12) as queries:
            diff(desk, show)
        counts.append(len(queries))
    assert counts[0] == counts[1]
