import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.changes import Author
from catalog.models import Batch, Change, Show
from catalog.tests.pages import messages_of, page_of
from catalog.trash import delete_show

pytestmark = [pytest.mark.django_db, pytest.mark.once]

TRASH = "/admin/catalog/show/trash/"
EVIL = "<script>alert(1)</script>"


def names_in(page: Any) -> list[str]:
    return [row["show"].name for row in page.context["rows"]]


def restore(desk: Client, show: Show) -> Any:
    return desk.post(reverse("admin:catalog_show_restore", args=(show.pk,)), follow=True)


def merge(duplicate: Show, target: Show, user: Any) -> Batch:
    batch = Batch.objects.create(kind="merge", user=user)
    Show.all_objects.filter(pk=duplicate.pk).update(deleted_at=timezone.now(), merged_into=target)
    Change.objects.create(show=duplicate, kind="merged", user=user, reason="the same show", batch=batch)
    return batch


def test_the_trash_tells_who_deleted_what_when_and_why(desk: Client, show: Show, editor: Any) -> None:
    delete_show(show.pk, Author(user=editor, reason=f"a spoof {EVIL}"))
    Show.objects.create(name="Living")

    page = desk.get(TRASH)
    text = page.content.decode()

    assert names_in(page) == ["Below Deck"]
    assert "a spoof &lt;script&gt;" in text
    assert "<td>editor</td>" in text
    assert EVIL not in text


def test_the_newest_come_first_a_hundred_a_page(desk: Client, db: None, django_assert_max_num_queries: Any) -> None:
    now = timezone.now()
    for number in range(105):
        Show.objects.create(name=f"Show {number:03}", deleted_at=now - timedelta(minutes=number))

    with django_assert_max_num_queries(10):
        first = desk.get(TRASH)

    assert (len(names_in(first)), names_in(first)[0]) == (100, "Show 000")
    assert names_in(desk.get(f"{TRASH}?page=2")) == [f"Show {number:03}" for number in range(100, 105)]
    assert names_in(desk.get(f"{TRASH}?page=nonsense")) == names_in(first)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("réal", ["The Real World"]),
        ("tt0000009", ["The Real World"]),
        ("TT0000009", ["The Real World"]),
        ("77", ["The Real World"]),
        ("nothing", []),
        ("9" * 50, []),
        ("²", []),
        ("%", []),
        ("a%00b", []),
    ],
)
def test_the_trash_is_searched_by_name_and_id(desk: Client, query: str, found: list[str], db: None) -> None:
    now = timezone.now()
    Show.objects.create(name="The Real World", imdb_id="tt0000009", tmdb_id=77, deleted_at=now)
    Show.objects.create(name="Other", deleted_at=now)

    assert names_in(desk.get(TRASH, {"q": query})) == found


def test_a_show_is_found_in_the_trash_by_its_own_id(desk: Client, show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    assert names_in(desk.get(TRASH, {"q": str(show.pk)})) == ["Below Deck"]


def test_a_restored_show_is_as_it_was(desk: Client, show: Show, author: Author, editor: Any) -> None:
    before = Show.objects.values().get()
    delete_show(show.pk, author)

    page = restore(desk, show)

    assert page.redirect_chain[-1][0] == page_of(show)
    assert "The show is back" in messages_of(page)
    after = Show.objects.values().get()
    assert {**after, "updated_at": None} == {**before, "updated_at": None}
    assert Change.objects.latest("id").user == editor
    assert "restored it already" in messages_of(restore(desk, show))


def test_a_merged_show_says_into_which_and_is_not_restored(desk: Client, show: Show, editor: Any) -> None:
    target = Show.objects.create(name="Target")
    batch = merge(show, target, editor)

    text = desk.get(TRASH).content.decode()

    assert f'merged into <a href="{page_of(target)}">Target</a>' in text
    assert "Restore Below Deck" not in text
    assert reverse("admin:catalog_show_unmerge", args=(batch.pk,)) in text
    assert "undo the merge" in messages_of(restore(desk, show))
    assert not Show.objects.filter(pk=show.pk).exists()


def test_an_empty_trash_says_so(desk: Client) -> None:
    assert "The trash is empty." in desk.get(TRASH).content.decode()
    assert "Nothing in the trash" in desk.get(f"{TRASH}?q={EVIL}").content.decode()
    assert EVIL not in desk.get(f"{TRASH}?q={EVIL}").content.decode()


def test_what_never_was_can_not_be_restored(desk: Client) -> None:
    assert "There is no such show." in messages_of(restore(desk, Show(pk=uuid.UUID(int=5))))


def test_who_may_not_delete_can_look_and_not_restore(
    client: Client, show: Show, author: Author, django_user_model: Any
) -> None:
    delete_show(show.pk, author)
    user = django_user_model.objects.create_user("viewer", is_staff=True)
    client.force_login(user)
    assert client.get(TRASH).status_code == 403
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_show", "change_show")))
    client.force_login(django_user_model.objects.get(pk=user.pk))

    text = client.get(TRASH).content.decode()

    assert "Below Deck" in text
    assert "Restore Below Deck" not in text
    assert client.post(reverse("admin:catalog_show_restore", args=(show.pk,))).status_code == 403
    assert not Show.objects.exists()


def test_nothing_is_restored_by_a_link(desk: Client, show: Show) -> None:
    assert desk.get(reverse("admin:catalog_show_restore", args=(show.pk,))).status_code == 405


# --- on the way there, and what is left


def test_deleting_asks_for_a_reason_and_says_where_it_goes(desk: Client, show: Show, editor: Any) -> None:
    Show.objects.update(name=EVIL)
    address = reverse("admin:catalog_show_delete", args=(show.pk,))
    text = desk.get(address).content.decode()
    assert "trash" in text
    assert "ids stay reserved" in text
    assert EVIL not in text

    desk.post(address, {"post": "yes", "reason": " a spoof "})

    assert not Show.objects.exists()
    change = Change.objects.get()
    assert (change.kind, change.user, change.reason) == ("deleted", editor, "a spoof")


def test_the_page_of_a_deleted_show_says_so_and_leads_to_the_trash(desk: Client, show: Show, editor: Any) -> None:
    delete_show(show.pk, Author(user=editor, reason=f"a spoof {EVIL}"))

    page = desk.get(page_of(show))
    text = page.content.decode()

    assert page.status_code == 410
    assert "was deleted by editor on" in text
    assert f"{TRASH}?q={show.pk}" in text
    assert EVIL not in text


def test_the_page_of_a_merged_show_leads_to_the_one_it_is_now(desk: Client, show: Show, editor: Any) -> None:
    middle, last = Show.objects.create(name="Middle"), Show.objects.create(name="Last")
    merge(show, middle, editor)
    merge(middle, last, editor)

    text = desk.get(page_of(show)).content.decode()

    assert f'was merged into <a href="{page_of(last)}">Last</a> by editor' in text
    assert "the same show" in text


def test_what_is_sent_to_a_deleted_show_is_answered_in_words(desk: Client, show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    page = desk.post(page_of(show), {"name": "X"}, follow=True)

    assert "Somebody has deleted this show meanwhile." in messages_of(page)
    again = desk.post(reverse("admin:catalog_show_delete", args=(show.pk,)), {"post": "yes"}, follow=True)
    assert "Somebody has deleted this show meanwhile." in messages_of(again)
    assert Change.objects.count() == 1
