"""Admin's first page: figures that are true, links that can be followed, and few queries at any size."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django.utils.html import escape
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from catalog import dashboard
from catalog.admin import desk as desk_registry
from catalog.dashboard import Share
from catalog.models import Change, Network, ReviewMark, Show, ShowNetwork, ShowWatchProvider, WatchProvider

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def page_of(client: Client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> desk_registry.Queue:
    """The only queue of the inbox, with three items."""
    queue = desk_registry.Queue(
        slug="doubts",
        title="Doubtful <matches>",
        empty="Nothing.",
        permission="catalog.change_show",
        keys=lambda: ["a", "b", "c"],
        items=lambda keys: [desk_registry.Item(key, key, "/", SafeString("")) for key in keys],
        act=lambda key, action, request: "done",
    )
    monkeypatch.setattr(desk_registry, "queues", [queue])
    return queue


# --- sections


def test_an_empty_catalogue_is_told_what_to_do_first(desk: Client) -> None:
    page = page_of(desk)

    assert "import_shows" in page
    assert "sync_shows" in page


def test_with_shows_there_are_figures_and_no_advice(desk: Client, show: Show) -> None:
    page = page_of(desk)

    assert "There are no shows yet" not in page
    assert "Coverage" in page


def test_sections_stand_in_their_order_and_one_that_has_nothing_to_say_is_left_out(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def section(order: int, says: bool) -> desk_registry.Section:
        def context(request: Any) -> dict[str, Any]:
            asked.append(order)
            return {"open": order, "queues": [], "inbox": ""} if says else {}

        return desk_registry.Section(order, "catalog/dashboard_queues.html", context)

    monkeypatch.setattr(desk_registry, "sections", [section(30, True), section(10, True), section(20, False)])
    page = page_of(desk)

    assert asked == [10, 20, 30]
    assert page.index('data-open-items="10"') < page.index('data-open-items="30"')
    assert 'data-open-items="20"' not in page


def test_recent_actions_of_the_theme_are_not_shown(desk: Client) -> None:
    assert "recent-actions-module" not in page_of(desk)


# --- what waits


def test_each_queue_shows_how_much_waits_and_leads_to_the_inbox(
    desk: Client, editor: Any, queue: desk_registry.Queue
) -> None:
    ReviewMark.objects.create(queue="doubts", key="b", dismissed=True, user=editor)
    page = page_of(desk)

    assert 'data-open-items="2"' in page
    assert 'href="/admin/catalog/show/review/?queue=doubts"' in page
    assert "Doubtful &lt;matches&gt;" in page


def test_the_number_beside_the_inbox_is_its_open_items(
    desk: Client, editor: Any, queue: desk_registry.Queue, client: Client, django_user_model: Any
) -> None:
    ReviewMark.objects.create(queue="doubts", key="b", dismissed=True, user=editor)

    assert desk.get("/admin/catalog/show/open-items/").json() == {"open": 2}
    assert desk.post("/admin/catalog/show/open-items/").status_code == 405


def test_the_number_is_not_for_those_who_may_not_see_shows(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))

    assert client.get("/admin/catalog/show/open-items/").status_code == 403


# --- coverage


def test_coverage_counts_living_shows_with_ids_and_offers(show: Show) -> None:
    Show.objects.create(name="No ids")
    Show.objects.create(name="In the trash", tmdb_id=9, deleted_at=NOW)
    provider = WatchProvider.objects.create(provider_id=8, provider_name="Netflix")
    for region in ("US", "GB"):
        ShowWatchProvider.objects.create(
            show=show, region=region, offer_type="flatrate", provider=provider, first_seen_at=NOW, fetched_at=NOW
        )

    found = {share.label: (share.part, share.whole) for share in dashboard.coverage()}

    assert found == {
        "Shows with a TMDb id": (1, 2),
        "Shows with an IMDb id": (1, 2),
        "Shows with somewhere to watch": (1, 2),
    }


def test_coverage_of_nothing_is_nothing() -> None:
    assert {(share.part, share.whole, share.percent) for share in dashboard.coverage()} == {(0, 0, 0)}


@given(whole=st.integers(1, 10_000), data=st.data())
def test_only_all_is_100_percent_and_only_none_is_0(whole: int, data: Any) -> None:
    part = data.draw(st.integers(0, whole))
    percent = Share("x", part, whole).percent

    assert 0 <= percent <= 100
    assert (percent == 100) == (part == whole)
    assert (percent == 0) == (part == 0)
    assert abs(percent - 100 * part / whole) <= 1


def test_of_the_networks_that_have_shows_those_with_a_logo_are_counted(
    desk: Client, show: Show, make_network: Callable[..., Network]
) -> None:
    make_network(1, hosted_logo_key="images/unused.png")
    for pk, key in ((74, "images/x.png"), (75, None), (76, "")):
        ShowNetwork.objects.create(show=show, network=make_network(pk, hosted_logo_key=key), position=pk)

    assert '33 % <span class="desk-quiet">(1 of 3)</span>' in page_of(desk)


def test_twelve_networks_are_drawn_and_the_others_counted(
    desk: Client, show: Show, make_network: Callable[..., Network]
) -> None:
    for pk in range(1, 15):
        ShowNetwork.objects.create(show=show, network=make_network(pk, f"Network {pk}"), position=pk)
    page = page_of(desk)

    assert page.count("?network=") == 12
    assert "and 2 <a" in page


def test_networks_are_counted_by_living_shows_the_largest_first(make_network: Callable[..., Network]) -> None:
    bravo, tlc = make_network(74, "Bravo"), make_network(84, "TLC")
    for number, (network, deleted) in enumerate([(tlc, None), (tlc, None), (bravo, None), (bravo, NOW), (bravo, NOW)]):
        show = Show.objects.create(name=f"Show {number}", deleted_at=deleted)
        ShowNetwork.objects.create(show=show, network=network, position=0)

    assert [(row["name"], row["shows"]) for row in dashboard.networks_with_shows()] == [("TLC", 2), ("Bravo", 1)]


def test_two_networks_of_one_name_stay_two(make_network: Callable[..., Network], show: Show) -> None:
    for pk in (1, 2):
        ShowNetwork.objects.create(show=show, network=make_network(pk, "Channel 4"), position=pk)

    assert [row["network_id"] for row in dashboard.networks_with_shows()] == [1, 2]


def test_a_network_is_shown_as_text_and_leads_to_its_shows(
    desk: Client, show: Show, make_network: Callable[..., Network]
) -> None:
    ShowNetwork.objects.create(show=show, network=make_network(74, "<script>x</script>"), position=0)
    page = page_of(desk)

    assert "<script>x</script>" not in page
    assert "/admin/catalog/show/?network=74" in page
    assert desk.get("/admin/catalog/show/?network=74", follow=True).status_code == 200


# --- what changed


def change(show: Show, **columns: Any) -> Change:
    return Change.objects.create(
        **{"show": show, "kind": "updated", "fields": {"name": ["A", "B"]}, "ts": NOW} | columns
    )


def today() -> dashboard.Activity:
    return dashboard.activity(NOW.replace(hour=0))


def test_today_counts_changes_by_people_and_by_runs(show: Show, editor: Any, django_user_model: Any) -> None:
    other = Show.objects.create(name="Other")
    anna = django_user_model.objects.create_user("anna")
    change(show, user=anna)
    change(show, user=editor)
    change(show, user=editor)
    change(other, run_id=1)
    change(other, run_id=1, volatile=True)
    change(other, user=editor, ts=NOW - timedelta(days=1))

    found = today()

    assert (found.by_people, found.by_runs, found.more) == (3, 1, False)
    assert found.people == [("editor", 2), ("anna", 1)]


def test_beyond_the_window_it_says_that_there_are_more(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "WINDOW", 3)
    for _ in range(4):
        change(show, run_id=1)

    assert (today().by_runs, today().more) == (3, True)


def test_a_window_that_reaches_back_before_today_has_all_of_it(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "WINDOW", 3)
    change(show, run_id=1, ts=NOW - timedelta(days=2))
    change(show, run_id=1, ts=NOW - timedelta(days=1))
    change(show, run_id=1)
    change(show, run_id=1)

    assert (today().by_runs, today().more) == (2, False)


@time_machine.travel(NOW, tick=False)
def test_the_newest_changes_lead_to_their_shows_but_not_into_the_trash(desk: Client, show: Show, editor: Any) -> None:
    gone = Show.objects.create(name="Gone", deleted_at=NOW)
    change(show, user=editor, reason="<i>because</i>")
    change(gone, user=editor)
    page = page_of(desk)

    assert f"/admin/catalog/show/{show.pk}/change/" in page
    assert f"/admin/catalog/show/{gone.pk}/change/" not in page
    assert escape("<i>because</i>") in page
    assert "<i>because" not in page


def test_a_change_of_a_show_that_is_gone_for_good_is_no_error(desk: Client, show: Show) -> None:
    change(show)
    Show.all_objects.filter(pk=show.pk).delete()

    assert "(deleted for good)" in page_of(desk)


def test_eight_changes_of_people_are_shown_and_none_of_votes_alone(show: Show, editor: Any) -> None:
    for _ in range(9):
        change(show, user=editor)
    change(show, user=editor, volatile=True)
    for _ in range(20):
        change(show, run_id=1)

    found = dashboard.newest_changes()
    assert len(found) == 8
    assert not any(row.volatile or row.run_id for row in found)


def test_each_run_is_one_line_with_its_counts(
    desk: Client, show: Show, editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Show.objects.create(name="Other")
    change(show, run_id=7)
    change(other, run_id=7, kind="created")
    change(other, run_id=7)
    change(other, run_id=7, volatile=True)
    change(show, run_id=8)
    change(show, run_id=9, volatile=True)
    monkeypatch.setattr(desk_registry, "run_names", [lambda run_ids: {7: f"sync {EVIL}"} if 7 in run_ids else {}])

    runs = [(row["run_id"], row["changes"], row["shows"], row["created"]) for row in dashboard.newest_runs()]
    page = page_of(desk)

    assert runs == [(8, 1, 1, 0), (7, 3, 2, 1)]
    assert f'<a href="/admin/catalog/change/?run_id=7">sync {escape(EVIL)}, run 7</a>' in page
    assert '<a href="/admin/catalog/change/?run_id=8">run 8</a>' in page


# --- who sees what


def test_a_viewer_sees_the_figures(client: Client, show: Show, django_user_model: Any) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name="viewer"))
    client.force_login(viewer)
    page = page_of(client)

    assert "Coverage" in page
    assert "Shows per network" in page


def test_who_may_not_see_shows_sees_no_figure_of_them(client: Client, show: Show, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("nobody", is_staff=True))
    page = page_of(client)

    assert "Coverage" not in page
    assert "What changed" not in page


def test_the_dashboard_costs_the_same_for_many_shows(
    desk: Client, editor: Any, make_network: Callable[..., Network], django_assert_max_num_queries: Any
) -> None:
    networks = [make_network(pk, f"Network {pk}") for pk in range(1, 20)]
    shows = Show.objects.bulk_create(Show(name=f"Show {number}", tmdb_id=number + 1) for number in range(60))
    for show in shows:
        ShowNetwork.objects.create(show=show, network=networks[show.tmdb_id % 19], position=0)
        change(show, user=editor)

    with django_assert_max_num_queries(20):
        page_of(desk)


# --- networks, companies and providers


@pytest.mark.parametrize("page", ["network", "productioncompany", "watchprovider"])
def test_the_lists_of_entities_cost_the_same_for_many(
    desk: Client, show: Show, make_network: Callable[..., Network], page: str, django_assert_max_num_queries: Any
) -> None:
    for pk in range(1, 60):
        network = make_network(pk, f"Network {pk}", hosted_logo_key="images/x.png")
        ShowNetwork.objects.create(show=show, network=network, position=pk)
        WatchProvider.objects.create(provider_id=pk, provider_name=f"Provider {pk}")

    with django_assert_max_num_queries(12):
        assert desk.get(f"/admin/catalog/{page}/").status_code == 200


def test_the_list_of_networks_says_how_each_logo_stands(desk: Client, make_network: Callable[..., Network]) -> None:
    make_network(1, "Locked", logo_locked=True)
    make_network(2, "Failed", tmdb_logo_path="/a", logo_error="<b>404</b>")
    make_network(3, "Waiting", tmdb_logo_path="/a")
    make_network(4, "Bare")
    page = desk.get("/admin/catalog/network/").content.decode()

    for words in (">locked<", ">failed</span> &lt;b&gt;404&lt;/b&gt;", ">waits for the next sync<", "none upstream"):
        assert words in page


def test_the_shows_of_a_network_are_counted_without_the_trash(
    desk: Client, show: Show, make_network: Callable[..., Network]
) -> None:
    gone = Show.objects.create(name="Gone", deleted_at=NOW)
    network = make_network(74)
    for each in (show, gone):
        ShowNetwork.objects.create(show=each, network=network, position=0)

    assert '<a href="/admin/catalog/show/?network=74">1</a>' in desk.get("/admin/catalog/network/").content.decode()


# --- the sidebar


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/admin/", "Dashboard"),
        ("/admin/catalog/show/", "Shows"),
        ("/admin/catalog/show/review/", "Review"),
        ("/admin/catalog/show/trash/", "Trash"),
        ("/admin/catalog/show/add/", "Shows"),
        ("/admin/catalog/accessevent/", "Logins and rights"),
        ("/admin/password_change/", None),
    ],
)
def test_the_entry_of_the_page_that_is_open_is_marked_and_no_other(desk: Client, path: str, title: str | None) -> None:
    groups = desk.get(path).context["sidebar_navigation"]

    assert [item["title"] for group in groups for item in group["items"] if item["active"]] == (
        [title] if title else []
    )
