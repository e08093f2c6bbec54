import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from catalog.admin import desk as registry
from catalog.admin.desk import open_counts
from catalog.admin.review_queues import QUEUES
from catalog.changes import Author
from catalog.disagreements import differences_in, fingerprint
from catalog.edits import edit_show, lock_show
from catalog.models import Change, Network, ProductionCompany, ReviewMark, Show, ShowNetwork, WatchProvider
from catalog.review import dismiss, put_off
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db

INBOX = "/admin/catalog/show/review/"
EVIL = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def catalogue_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queues of the catalogue itself: what other apps add is theirs to test."""
    monkeypatch.setattr(registry, "queues", list(QUEUES))


@pytest.fixture
def gone(show: Show) -> Show:
    Show.objects.filter(pk=show.pk).update(needs_tmdb_resolution=True)
    show.refresh_from_db()
    return show


@pytest.fixture
def viewer(client: Client, django_user_model: Any) -> Client:
    user = django_user_model.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_show"))
    client.force_login(user)
    return client


def gone_key(show: Show) -> str:
    return f"{show.pk}:{show.tmdb_id}:0"  # no change has said so


def send(desk: Client, queue: str, key: str, do: str, **data: str) -> Any:
    return desk.post(f"{INBOX}?queue={queue}", {"queue": queue, "key": key, "do": do, **data}, follow=True)


def html_of(page: Any) -> str:
    return page.content.decode()


def messages_of(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def titles(page: Any) -> list[str]:
    return [card.item.title for card in page.context["cards"]]


# --- the page


def test_the_inbox_has_a_tab_for_every_queue_with_its_count(desk: Client, gone: Show) -> None:
    page = desk.get(INBOX)

    assert [(tab.queue.slug, tab.count) for tab in page.context["tabs"]] == [
        ("gone", 1),
        ("disagreements", 0),
        ("logos", 0),
    ]
    assert titles(page) == ["Below Deck"]


def test_without_a_queue_the_first_that_holds_something_is_shown(desk: Client, make_network: Any) -> None:
    make_network(74, logo_error="404", tmdb_logo_path="/b.png")

    assert desk.get(INBOX).context["queue"].slug == "logos"


@pytest.mark.parametrize("queue", [queue.slug for queue in QUEUES])
def test_an_empty_queue_says_so(desk: Client, queue: str) -> None:
    page = desk.get(INBOX, {"queue": queue})

    assert page.context["queue"].empty in html_of(page)


def test_an_unknown_queue_is_told_and_leads_to_the_inbox(desk: Client) -> None:
    page = desk.get(INBOX, {"queue": EVIL}, follow=True)

    assert page.status_code == 200
    assert "The inbox has no queue “<script>" in messages_of(page)
    assert EVIL not in html_of(page)


@pytest.mark.parametrize("number", ["x", "0", "-1", "999", ""])
def test_a_page_that_is_not_there_shows_one_that_is(desk: Client, gone: Show, number: str) -> None:
    assert titles(desk.get(INBOX, {"queue": "gone", "page": number})) == ["Below Deck"]


def test_twenty_five_items_are_on_a_page(desk: Client, db: None) -> None:
    fill(30)

    first, second = (desk.get(INBOX, {"queue": "gone", "page": page}) for page in (1, 2))

    assert (len(first.context["cards"]), len(second.context["cards"])) == (25, 5)
    assert "26 to 30 of 30" in html_of(second)


def fill(number: int) -> None:
    start = Show.all_objects.count() * 10 + 1
    for one in range(start, start + number):
        show = Show.objects.create(
            name=f"Show {one}",
            tmdb_id=one,
            needs_tmdb_resolution=True,
            locked_fields=["name", "networks"],
            upstream_values={"name": f"Other {one}", "networks": [one], "imdb_id": f"tt{one:07}"},
        )
        network = Network.objects.create(id=one, name=f"N {one}", logo_error="404", tmdb_logo_path="/n.png")
        ProductionCompany.objects.create(id=one, name=f"C {one}", logo_error="404", tmdb_logo_path="/c.png")
        WatchProvider.objects.create(provider_id=one, provider_name=f"P {one}", logo_error="404")
        ShowNetwork.objects.create(show=show, network=Network.objects.get(pk=start), position=0)
        assert network.pk == one


@pytest.mark.parametrize("queue", [queue.slug for queue in QUEUES])
def test_a_page_costs_the_same_queries_however_many_items(desk: Client, queue: str) -> None:
    sizes = []
    for number in (2, 20):
        fill(number)
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(INBOX, {"queue": queue}).status_code == 200
        sizes.append(len(queries))
    assert sizes[1] <= sizes[0] <= 12  # a page of more logos may hold fewer kinds of them


def test_names_are_text_and_never_html(desk: Client, make_network: Any) -> None:
    Show.objects.create(name=EVIL, tmdb_id=1, needs_tmdb_resolution=True)
    Show.objects.create(
        name=f"{EVIL}2", description=EVIL, tmdb_id=2, locked_fields=["name"], upstream_values={"name": EVIL}
    )
    make_network(74, EVIL, logo_error=EVIL, tmdb_logo_path=EVIL)

    for queue in QUEUES:
        page = desk.get(INBOX, {"queue": queue.slug})
        assert page.context["cards"]
        assert EVIL not in html_of(page)


def test_the_inbox_is_for_those_who_may_see_shows(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))

    assert client.get(INBOX).status_code == 403


def test_who_may_not_edit_sees_no_button_and_can_do_nothing(viewer: Client, gone: Show) -> None:
    page = viewer.get(INBOX, {"queue": "gone"})

    assert titles(page) == ["Below Deck"]
    assert 'name="do"' not in html_of(page)
    for do in ("act", "later", "assign", "back"):
        assert send(viewer, "gone", gone_key(gone), do, action="no_match").status_code == 403
    assert not ReviewMark.objects.exists()
    assert not Change.objects.exists()


def test_every_input_has_a_label(desk: Client, gone: Show) -> None:
    html = html_of(desk.get(INBOX, {"queue": "gone"}))

    labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', html))
    inbox = html.partition('class="desk review"')[2]
    assert set(re.findall(r'<select[^>]* id="([^"]+)"', inbox)) <= labelled


# --- marks


def test_an_item_that_is_put_off_is_neither_shown_nor_counted_for_a_week(desk: Client, gone: Show) -> None:
    page = send(desk, "gone", gone_key(gone), "later")

    assert titles(page) == []
    assert open_counts()["gone"] == 0
    hidden = desk.get(INBOX, {"queue": "gone", "show": "hidden"})
    assert titles(hidden) == ["Below Deck"]
    ReviewMark.objects.update(later_until=timezone.now() - timedelta(minutes=1))
    assert open_counts()["gone"] == 1


def test_what_was_put_off_can_be_put_back(desk: Client, gone: Show, editor: Any) -> None:
    put_off("gone", gone_key(gone), editor)

    send(desk, "gone", gone_key(gone), "back")

    assert open_counts()["gone"] == 1


def test_an_item_is_assigned_to_a_colleague_and_found_under_mine(
    desk: Client, gone: Show, editor: Any, django_user_model: Any
) -> None:
    anna = django_user_model.objects.create_user("anna", is_staff=True)
    anna.groups.add(Group.objects.get(name="editor"))

    page = send(desk, "gone", gone_key(gone), "assign", to=str(anna.pk))

    assert "for anna" in html_of(page)
    assert titles(desk.get(INBOX, {"queue": "gone", "mine": "1"})) == []
    send(desk, "gone", gone_key(gone), "assign", to=str(editor.pk))
    assert titles(desk.get(INBOX, {"queue": "gone", "mine": "1"})) == ["Below Deck"]
    send(desk, "gone", gone_key(gone), "assign", to="")
    assert ReviewMark.objects.get().assigned_to is None


def test_to_assign_hides_nothing_and_to_put_off_keeps_who_it_is_for(desk: Client, gone: Show, editor: Any) -> None:
    send(desk, "gone", gone_key(gone), "assign", to=str(editor.pk))
    assert open_counts()["gone"] == 1

    send(desk, "gone", gone_key(gone), "later")

    assert ReviewMark.objects.get().assigned_to == editor


@pytest.mark.parametrize("to", ["999999", "x", "-1", "²", "9" * 40])
def test_nobody_unknown_can_be_assigned(desk: Client, gone: Show, to: str) -> None:
    page = send(desk, "gone", gone_key(gone), "assign", to=to)

    assert "There is no such colleague" in messages_of(page)
    assert not ReviewMark.objects.exists()


@pytest.mark.parametrize(
    ("columns", "role"),
    [
        ({"is_staff": False}, "editor"),
        ({"is_staff": True}, "viewer"),
        ({"is_staff": True, "is_active": False}, "editor"),
    ],
)
def test_who_can_not_decide_it_is_neither_offered_nor_assigned(
    desk: Client, gone: Show, editor: Any, django_user_model: Any, columns: dict[str, bool], role: str
) -> None:
    outsider = django_user_model.objects.create_user("outsider", **columns)
    outsider.groups.add(Group.objects.get(name=role))

    assert list(desk.get(INBOX, {"queue": "gone"}).context["colleagues"]) == [editor]
    send(desk, "gone", gone_key(gone), "assign", to=str(outsider.pk))

    assert not ReviewMark.objects.exists()


def test_who_may_set_no_mark_can_decide_but_not_put_off_or_assign(
    viewer: Client, gone: Show, django_user_model: Any
) -> None:
    django_user_model.objects.get(username="viewer").user_permissions.add(
        Permission.objects.get(codename="change_show")
    )

    html = html_of(viewer.get(INBOX, {"queue": "gone"}))

    assert 'value="no_match"' in html
    assert 'value="later"' not in html
    assert 'value="assign"' not in html
    for do in ("later", "assign", "back"):
        assert send(viewer, "gone", gone_key(gone), do).status_code == 403
    assert not ReviewMark.objects.exists()
    send(viewer, "gone", gone_key(gone), "act", action="no_match")
    assert Change.objects.count() == 1


# --- stale and malformed requests


@pytest.mark.parametrize("do", ["act", "later", "assign", "back"])
@pytest.mark.parametrize("key", ["", "x", "00000000-0000-4000-8000-000000000001:1", "../../etc", "\x00"])
def test_an_item_that_does_not_wait_is_told(desk: Client, gone: Show, do: str, key: str) -> None:
    page = send(desk, "gone", key, do, action="keep")

    assert page.status_code == 200
    assert "waits no more" in messages_of(page)
    assert not ReviewMark.objects.exists()


@pytest.mark.parametrize(
    "data", [{}, {"queue": "gone"}, {"queue": "nothing", "do": "later"}, {"queue": "gone", "do": "x"}]
)
def test_a_malformed_request_does_nothing(desk: Client, gone: Show, data: dict[str, str]) -> None:
    page = desk.post(INBOX, {"key": gone_key(gone), **data}, follow=True)

    assert "Nothing was done" in messages_of(page)
    assert not ReviewMark.objects.exists()


def test_an_action_that_the_item_does_not_offer_is_refused(desk: Client, gone: Show) -> None:
    page = send(desk, "gone", gone_key(gone), "act", action="delete")

    assert "not offered" in messages_of(page)
    assert not Change.objects.exists()


@pytest.fixture
def failing_queue(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Makes every act of a queue of its own raise what it is told."""
    raised: list[Exception] = []

    def act(key: str, action: str, request: Any) -> str:
        raise raised[0]

    item = registry.Item("1", "One", "/", format_html("<p>{}</p>", "one"), (registry.Action("do", "Do"),))
    queue = registry.Queue("failing", "Failing", "None.", "catalog.view_show", lambda: ["1"], lambda keys: [item], act)
    monkeypatch.setattr(registry, "queues", [queue])
    return raised.append


def test_a_show_that_is_deleted_while_it_is_acted_on_is_told(
    desk: Client, failing_queue: Callable[[Exception], None]
) -> None:
    failing_queue(Show.DoesNotExist())

    assert "somebody has deleted this show" in messages_of(send(desk, "failing", "1", "act", action="do"))


def test_get_does_nothing(desk: Client, gone: Show) -> None:
    desk.get(INBOX, {"queue": "gone", "key": gone_key(gone), "do": "later"})

    assert not ReviewMark.objects.exists()


# --- undo


def test_what_was_done_leads_to_its_undoing(desk: Client, gone: Show) -> None:
    page = send(desk, "gone", gone_key(gone), "act", action="no_match")

    undo = reverse("admin:catalog_change_revert", args=(Change.objects.get().pk,))
    assert f'<a class="review-link" href="{undo}">Undo</a>' in html_of(page)


# --- gone upstream


def test_a_show_that_is_gone_upstream_waits(gone: Show) -> None:
    Show.objects.create(name="Without an id", needs_tmdb_resolution=True)
    trashed = Show.objects.create(name="Trash", tmdb_id=7, needs_tmdb_resolution=True)
    delete_show(trashed.pk, Author())

    assert QUEUES[0].keys() == [gone_key(gone)]


def test_no_match_is_decided_from_the_inbox(desk: Client, gone: Show, editor: Any) -> None:
    send(desk, "gone", gone_key(gone), "act", action="no_match")

    gone.refresh_from_db()
    assert (gone.tmdb_id, gone.needs_tmdb_resolution, gone.locked_fields) == (None, False, ["tmdb_id"])
    assert Change.objects.get().user == editor
    assert open_counts()["gone"] == 0


def test_a_show_that_keeps_its_id_comes_back_only_with_another(desk: Client, gone: Show) -> None:
    send(desk, "gone", gone_key(gone), "act", action="keep")

    assert open_counts()["gone"] == 0
    gone.refresh_from_db()
    assert gone.tmdb_id == 55555
    Show.objects.filter(pk=gone.pk).update(tmdb_id=66666)
    assert open_counts()["gone"] == 1


def test_a_show_that_keeps_its_id_comes_back_when_it_is_lost_again(desk: Client, show: Show) -> None:
    run = Author(run_id=1)
    edit_show(show.pk, {"needs_tmdb_resolution": True}, run)
    [key] = QUEUES[0].keys()
    send(desk, "gone", key, "act", action="keep")
    edit_show(show.pk, {"description": "Another."}, run)
    assert open_counts()["gone"] == 0

    edit_show(show.pk, {"needs_tmdb_resolution": False}, run)
    edit_show(show.pk, {"needs_tmdb_resolution": True}, run)

    assert open_counts()["gone"] == 1


# --- logos


def test_a_logo_is_tried_again(desk: Client, make_network: Callable[..., Network]) -> None:
    columns = {"tmdb_logo_path": "/b.png", "hosted_logo_path": "/b.png", "hosted_logo_sha256": "a" * 64}
    network = make_network(74, logo_error="HTTP 404", **columns)

    page = desk.get(INBOX, {"queue": "logos"})
    assert (titles(page), "HTTP 404" in html_of(page)) == (["Bravo (74)"], True)
    send(desk, "logos", "network:74:/b.png", "act", action="again")

    network.refresh_from_db()
    assert (network.logo_error, network.needs_logo) == ("", True)
    assert open_counts()["logos"] == 0


def test_a_logo_that_was_left_comes_back_with_another_path(desk: Client, make_network: Any) -> None:
    make_network(74, logo_error="HTTP 404", tmdb_logo_path="/b.png")

    send(desk, "logos", "network:74:/b.png", "act", action="without")

    assert open_counts()["logos"] == 0
    Network.objects.update(tmdb_logo_path="/c.png")
    assert open_counts()["logos"] == 1


def test_an_editors_own_logo_is_no_failure(make_network: Any) -> None:
    make_network(74, logo_error="HTTP 404", tmdb_logo_path="/b.png", logo_locked=True)

    assert open_counts()["logos"] == 0


def test_a_logo_that_upstream_has_no_more_can_not_be_tried_again(desk: Client, make_network: Any) -> None:
    make_network(74, logo_error="HTTP 404")

    page = send(desk, "logos", "network:74:", "act", action="again")

    assert "Upstream has no logo for it any more" in messages_of(page)


def test_logos_of_all_three_kinds_are_tried_again(desk: Client, db: None) -> None:
    fill(1)
    WatchProvider.objects.update(tmdb_logo_path="/p.png")

    for key in QUEUES[2].keys():  # noqa: SIM118
        send(desk, "logos", key, "act", action="again")

    assert open_counts()["logos"] == 0


# --- disagreements


@pytest.fixture
def disputed(show: Show, author: Author) -> Show:
    """An editor's name, and upstream's networks, which are not ours."""
    edit_show(show.pk, {"name": "Below Deck (US)"}, author)
    show.refresh_from_db()
    return show


def disagreement_key(show: Show) -> str:
    [key] = QUEUES[1].keys()
    assert key.startswith(str(show.pk))
    return key


def test_a_locked_field_that_upstream_sees_otherwise_waits(desk: Client, disputed: Show) -> None:
    html = html_of(desk.get(INBOX, {"queue": "disagreements"}))

    assert "<td>Name</td><td>Below Deck (US)</td><td>Below Deck</td>" in html


def test_a_locked_field_that_upstream_sees_alike_does_not_wait(disputed: Show) -> None:
    Show.objects.filter(pk=disputed.pk).update(upstream_values={"name": "Below Deck (US)"})

    assert open_counts()["disagreements"] == 0


@pytest.mark.parametrize("said", [None, "", []])
def test_where_upstream_says_nothing_there_is_no_disagreement(disputed: Show, said: Any) -> None:
    Show.objects.filter(pk=disputed.pk).update(upstream_values={"name": said})

    assert open_counts()["disagreements"] == 0


def test_dates_and_numbers_are_compared_as_values(show: Show, author: Author) -> None:
    values = {"premiere_date": "2013-07-01", "show_total_seasons": 3, "genres": ["Reality"]}
    edit_show(show.pk, values, author)
    lock_show(show.pk, ["genres"], author)
    Show.objects.filter(pk=show.pk).update(upstream_values=values)

    assert open_counts()["disagreements"] == 0


def test_an_id_kept_aside_waits_though_nobody_locked_it(desk: Client, show: Show) -> None:
    Show.objects.create(name="Twin", imdb_id="tt7654321")
    Show.objects.filter(pk=show.pk).update(upstream_values={"imdb_id": "tt7654321"})

    html = html_of(desk.get(INBOX, {"queue": "disagreements"}))

    assert "tt7654321" in html
    assert "Twin</a>: duplicates?" in html


def test_networks_disagree_by_their_members_and_are_named(
    desk: Client, show: Show, make_network: Any, author: Author
) -> None:
    bravo, peacock = make_network(74), make_network(9, "Peacock")
    ShowNetwork.objects.create(show=show, network=bravo, position=0)
    edit_show(show.pk, {"networks": [74, 9]}, author)
    assert "<td>Networks</td><td>Bravo, Peacock</td><td>Bravo</td>" in html_of(
        desk.get(INBOX, {"queue": "disagreements"})
    )

    Show.objects.filter(pk=show.pk).update(upstream_values={"networks": [peacock.pk, bravo.pk]})

    assert open_counts()["disagreements"] == 0  # the order alone is no contradiction


def test_upstreams_values_are_taken_and_unlocked(desk: Client, disputed: Show) -> None:
    page = send(desk, "disagreements", disagreement_key(disputed), "act", action="take")

    disputed.refresh_from_db()
    assert (disputed.name, disputed.locked_fields) == ("Below Deck", [])
    assert "Upstream's values are taken: Name" in messages_of(page).replace("&#x27;", "'")
    assert open_counts()["disagreements"] == 0


def test_an_id_of_another_show_is_not_taken_and_nothing_is_half_done(desk: Client, disputed: Show) -> None:
    Show.objects.create(name="Twin", imdb_id="tt7654321")
    Show.objects.filter(pk=disputed.pk).update(upstream_values={"name": "Below Deck", "imdb_id": "tt7654321"})

    page = send(desk, "disagreements", disagreement_key(disputed), "act", action="take")

    assert "already that of Twin" in messages_of(page)
    disputed.refresh_from_db()
    assert (disputed.name, disputed.locked_fields) == ("Below Deck (US)", ["name"])


def test_ours_that_was_kept_comes_back_when_upstream_says_something_else(desk: Client, disputed: Show) -> None:
    send(desk, "disagreements", disagreement_key(disputed), "act", action="keep")
    assert open_counts()["disagreements"] == 0

    Show.objects.filter(pk=disputed.pk).update(upstream_values={"name": "Under Deck"})

    assert open_counts()["disagreements"] == 1


def test_a_fingerprint_is_that_of_what_upstream_says(disputed: Show) -> None:
    before = fingerprint(differences_in([disputed])[disputed.pk])
    disputed.name = "Something else of ours"
    same = fingerprint(differences_in([disputed])[disputed.pk])
    disputed.upstream_values = {"name": "Under Deck"}

    assert before == same != fingerprint(differences_in([disputed])[disputed.pk])


# --- counts


def test_the_counts_leave_out_what_was_dismissed(show: Show, gone: Show, editor: Any) -> None:
    dismiss("gone", gone_key(gone), editor)
    dismiss("other", "something", editor)

    assert open_counts() == {"gone": 0, "disagreements": 0, "logos": 0}


def test_the_counts_cost_the_same_queries_however_much_waits(db: None, editor: Any) -> None:
    sizes = []
    for number in (1, 20):
        fill(number)
        for key in QUEUES[0].keys():  # noqa: SIM118
            put_off("gone", key, editor)
        with CaptureQueriesContext(connection) as queries:
            open_counts()
        sizes.append(len(queries))
    assert sizes[0] == sizes[1] <= 7


@pytest.mark.parametrize("queue", [queue.slug for queue in QUEUES])
def test_every_action_has_a_letter_that_walks_no_cards(desk: Client, disputed: Show, queue: str) -> None:
    fill(2)

    cards = desk.get(INBOX, {"queue": queue}).context["cards"]

    for card in cards:
        letters = [action.key for action in card.item.actions]
        assert len(set(letters)) == len(letters)
        assert set(letters) <= set("abcdefghinpqrstuvwxyz")  # j k l m o are the page's own, digits a candidate's


def test_what_is_not_hidden_by_what_was_done_does_not_lead_to_what_is_hidden(desk: Client, make_network: Any) -> None:
    make_network(74, logo_error="404", tmdb_logo_path="/b.png")

    page = send(desk, "logos", "network:74:/b.png", "act", action="again")

    assert "What is put off or left" not in messages_of(page)


def test_the_short_address_leads_to_the_unresolved(desk: Client) -> None:
    answer = desk.get("/admin/catalog/show/resolution/")

    assert (answer.status_code, answer.url) == (302, f"{INBOX}?queue=unresolved")


def test_the_time_of_a_mark_is_that_of_its_last_decision(gone: Show, editor: Any) -> None:
    mark = put_off("gone", gone_key(gone), editor)
    ReviewMark.objects.update(ts=datetime(2020, 1, 1, tzinfo=UTC))

    dismiss("gone", gone_key(gone), editor)

    mark.refresh_from_db()
    assert (mark.dismissed, mark.later_until, mark.ts.year > 2020) == (True, None, True)
