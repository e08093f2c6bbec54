from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from catalog.admin.saved_views import create_view, views_for
from catalog.models import SavedView, Show
from catalog.show_filters import filtered_shows

pytestmark = pytest.mark.django_db

SHOWS = "/admin/catalog/show/"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def anna(django_user_model: Any) -> Any:
    user = django_user_model.objects.create_user("anna", is_staff=True)
    wanted = ("view_show", "add_savedview", "change_savedview")
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    return user


def make(owner: Any, name: str = "Ended", **columns: Any) -> SavedView:
    given = {"slug": name.lower(), "params": {"status": "Ended"}} | columns
    return SavedView.objects.create(name=name, owner=owner, **given)


def save(client: Client, **fields: str) -> Any:
    return client.post(reverse("admin:catalog_show_saved_views"), fields, follow=True)


def edit(client: Client, view: SavedView, **fields: str) -> Any:
    return client.post(reverse("admin:catalog_show_saved_view", args=(view.slug,)), fields, follow=True)


def told(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def shown(page: Any) -> set[str]:
    return {show.name for show in page.context["cl"].result_list}


# --- saving


def test_what_the_list_shows_is_saved_and_shown_again_by_its_slug(desk: Client, editor: Any) -> None:
    Show.objects.create(name="A", tmdb_status="Ended")
    Show.objects.create(name="B", tmdb_status="Ended")
    Show.objects.create(name="C")
    list_page = desk.get(f"{SHOWS}?status=Ended&o=-name&columns=name,tags").context["cl"]

    page = save(desk, name=" Ended  shows ", shared="on", params=list_page.to_save, columns=list_page.columns_to_save)

    view = SavedView.objects.get()
    assert (view.slug, view.name, view.owner, view.shared) == ("ended-shows", "Ended shows", editor, True)
    assert (view.params, view.columns) == ({"status": "Ended", "o": "-name"}, ["name", "tags"])
    assert page.redirect_chain[-1][0] == f"{SHOWS}?filter=ended-shows"
    assert [show.name for show in page.context["cl"].result_list] == ["B", "A"]
    assert [column.name for column in page.context["cl"].columns] == ["name", "tags"]
    assert "is saved" in told(page)
    assert set(filtered_shows({"filter": "ended-shows"}).values_list("name", flat=True)) == shown(page)


def test_a_view_is_private_unless_it_is_shared(desk: Client, anna: Any) -> None:
    save(desk, name="Mine", params="status=Ended")

    assert SavedView.objects.get().shared is False
    assert views_for(anna) == []


def test_the_usual_columns_are_not_fixed_in_a_view(desk: Client) -> None:
    assert desk.get(SHOWS).context["cl"].columns_to_save == ""


def test_a_view_saved_from_a_view_holds_all_that_was_asked(desk: Client, editor: Any) -> None:
    make(editor, params={"status": "Ended", "override": "y"})

    asked = desk.get(f"{SHOWS}?filter=ended&override=&gone=no").context["cl"].to_save

    assert dict(parse_qsl(asked)) == {"status": "Ended", "gone": "no"}


def test_each_view_has_a_slug_of_its_own(editor: Any, anna: Any) -> None:
    slugs = [
        create_view(user, name, shared=True, params={}, columns=[]).slug
        for user, name in ((editor, "To do"), (anna, "To do"), (editor, "to-do!"), (editor, "日本"), (editor, "ß" * 80))
    ]

    assert slugs[:4] == ["to-do", "to-do-2", "to-do-3", "view"]
    assert len(set(slugs)) == 5
    assert len(create_view(editor, "long " * 16, shared=True, params={}, columns=[]).slug) <= 50


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "  "}, "needs a name"),
        ({"name": "x" * 81}, "at most 80"),
        ({"name": "a\x00b"}, "can't be stored"),
        ({"name": "A", "params": "nonsense=1"}, "not filtered by"),
        ({"name": "A", "params": "gone=maybe"}, "no answer"),
        ({"name": "A", "params": "o=%00"}, "can't be stored"),
        ({"name": "A", "columns": "name,nonsense"}, "no column"),
        ({"name": "A", "columns": "\x00"}, "no column"),
    ],
)
def test_a_view_that_can_not_be_is_refused_in_words(desk: Client, fields: dict[str, str], words: str) -> None:
    page = save(desk, **fields)

    assert page.status_code == 200
    assert "The view was not saved." in told(page)
    assert words in told(page)
    assert not SavedView.objects.exists()


# --- choosing


def test_own_and_shared_views_are_listed_and_a_private_one_works_by_its_link(
    desk: Client, editor: Any, anna: Any
) -> None:
    own, shared = make(editor, "Own", shared=False), make(anna, "Shared")
    private = make(anna, "Private", shared=False)

    assert views_for(editor) == [own, shared]
    assert views_for(editor, "private") == [own, private, shared]
    text = desk.get(SHOWS).content.decode()
    assert "?filter=own" in text
    assert "?filter=shared" in text
    assert "?filter=private" not in text
    assert desk.get(f"{SHOWS}?filter=private").context["cl"].view == private


def test_a_view_composes_with_further_filters(desk: Client, editor: Any) -> None:
    make(editor)
    for name, override in (("A", "Y"), ("B", "")):
        Show.objects.create(name=name, tmdb_status="Ended", override=override)
    Show.objects.create(name="C", override="Y")

    assert shown(desk.get(f"{SHOWS}?filter=ended")) == {"A", "B"}
    assert shown(desk.get(f"{SHOWS}?filter=ended&override=y")) == {"A"}
    assert shown(desk.get(f"{SHOWS}?filter=ended&status=&override=y")) == {"A", "C"}
    assert [column.name for column in desk.get(f"{SHOWS}?filter=ended&columns=tags").context["cl"].columns] == [
        "name",
        "tags",
    ]


@pytest.mark.parametrize("slug", ["nonsense", "%00", "a%27b", "%F0%9F%98%80"])
def test_an_unknown_view_says_so_and_shows_nothing(desk: Client, show: Show, slug: str) -> None:
    page = desk.get(f"{SHOWS}?filter={slug}")

    assert page.status_code == 200
    assert "There is no saved view" in page.content.decode()
    assert shown(page) == set()


def test_a_view_whose_filter_became_impossible_says_so_at_the_field(desk: Client, editor: Any, show: Show) -> None:
    make(editor, params={"network": "74"})

    page = desk.get(f"{SHOWS}?filter=ended")

    assert page.context["cl"].errors["network"]
    assert "There is no network" in page.content.decode()
    assert shown(page) == set()


def test_a_name_with_html_is_text(desk: Client, editor: Any) -> None:
    make(editor, EVIL, slug="evil")

    text = desk.get(f"{SHOWS}?filter=evil").content.decode()

    assert EVIL not in text
    assert "&lt;script&gt;alert(1)" in text


# --- changing


def test_its_owner_renames_and_shares_a_view_under_the_same_address(desk: Client, editor: Any) -> None:
    view = make(editor, shared=False)

    page = edit(desk, view, name="Finished", shared="on", params="status=Canceled", columns="tags")

    view.refresh_from_db()
    assert (view.slug, view.name, view.shared, view.params) == ("ended", "Finished", True, {"status": "Ended"})
    assert page.redirect_chain[-1][0] == f"{SHOWS}?filter=ended"


def test_its_owner_replaces_what_a_view_asks(desk: Client, editor: Any) -> None:
    view = make(editor)

    edit(desk, view, name="Ended", replace="on", params="status=Canceled&o=-updated", columns="name,tags")

    view.refresh_from_db()
    assert (view.params, view.columns) == ({"status": "Canceled", "o": "-updated"}, ["name", "tags"])


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "A", "replace": "on", "params": "gone=maybe"}])
def test_a_change_that_can_not_be_saves_nothing(desk: Client, editor: Any, fields: dict[str, str]) -> None:
    view = make(editor)

    assert "Nothing was saved." in told(edit(desk, view, **fields))

    view.refresh_from_db()
    assert (view.name, view.params) == ("Ended", {"status": "Ended"})


def test_its_owner_deletes_a_view(desk: Client, editor: Any) -> None:
    assert "is deleted" in told(edit(desk, make(editor), delete="yes"))

    assert not SavedView.objects.exists()


def test_nobody_changes_the_view_of_another_but_a_superuser(
    client: Client, desk: Client, editor: Any, anna: Any
) -> None:
    theirs, own = make(editor, "Theirs"), make(anna, "Own")
    other = Client()
    other.force_login(anna)

    assert edit(other, theirs, delete="yes").status_code == 403
    assert edit(other, own, name="Still mine").status_code == 200
    assert edit(desk, own, name="Everyone's").status_code == 200
    assert {view.name for view in SavedView.objects.all()} == {"Theirs", "Everyone's"}
    assert 'name="delete"' not in other.get(f"{SHOWS}?filter=theirs").content.decode()
    assert 'name="delete"' in other.get(f"{SHOWS}?filter=own").content.decode()


def test_only_those_who_see_shows_keep_views_of_them(client: Client, django_user_model: Any, editor: Any) -> None:
    view = make(editor)
    client.force_login(django_user_model.objects.create_user("guest", is_staff=True))

    assert save(client, name="A").status_code == 403
    assert edit(client, view, name="A").status_code == 403


def test_views_are_changed_by_post_alone(desk: Client, editor: Any) -> None:
    view = make(editor)

    assert desk.get(reverse("admin:catalog_show_saved_views")).status_code == 405
    assert desk.get(reverse("admin:catalog_show_saved_view", args=(view.slug,))).status_code == 405
    assert desk.post(reverse("admin:catalog_show_saved_view", args=("gone",))).status_code == 404


def test_a_name_is_needed(editor: Any) -> None:
    with pytest.raises(ValidationError):
        create_view(editor, "", shared=True, params={}, columns=[])
