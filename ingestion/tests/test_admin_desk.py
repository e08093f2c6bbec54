"""What syncs add to the editors' desk: the queue of the unresolved, parts of the show pages, the ledger of runs."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from catalog.admin import desk as registry
from catalog.admin.desk import find_queue, open_counts
from catalog.changes import Author
from catalog.models import Change, Show
from catalog.show_filters import contributed
from catalog.tests.pages import run_link
from catalog.trash import delete_show
from ingestion.admin import run_words
from ingestion.admin.panels import last_asked, sync_panel
from ingestion.freshness import age, next_due, of_freshness, with_details_age
from ingestion.models import ResolutionCandidate, Stage, SyncFailure, SyncRun, SyncState
from ingestion.tests.asked_runs import messages_queued, waiting_runs
from ingestion.tests.builders import NOW, add_network, make_show, make_state, synced

pytestmark = pytest.mark.django_db

INBOX = "/admin/catalog/show/review/?queue=unresolved"
RUNS = "/admin/ingestion/syncrun/"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def editor(django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("editor", password="secret")


@pytest.fixture
def desk(client: Client, editor: Any) -> Client:
    client.force_login(editor)
    return client


@pytest.fixture
def show(db: None) -> Show:
    """A show that no sync could resolve, with two candidates."""
    show = make_show(name="Survivor", tmdb_id=None, imdb_id="tt0239195", needs_tmdb_resolution=True)
    make_candidate_row(
        show, 14658, "Survivor", 0.86, networks=["CBS"], poster_path="/s.png", reasons=["named 'Survivor'"]
    )
    make_candidate_row(show, 99, "Survivors", 0.4, first_air_date=date(1975, 4, 16))
    return show


def make_candidate_row(show: Show, tmdb_id: int, name: str, score: float, **columns: Any) -> ResolutionCandidate:
    return ResolutionCandidate.objects.create(
        show=show, tmdb_id=tmdb_id, name=name, score=score, found_at=NOW, **columns
    )


def send(desk: Client, show: Show, action: str, **data: str) -> Any:
    sent = {"queue": "unresolved", "key": str(show.pk), "do": "act", "action": action, **data}
    return desk.post(INBOX, sent, follow=True)


def html_of(page: Any) -> str:
    return page.content.decode()


def messages_of(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def actions_on(page: Any) -> list[str]:
    return [action.name for card in page.context["cards"] for action in card.item.actions]


# --- the queue of the unresolved


def test_candidates_are_shown_with_all_that_helps_to_decide(desk: Client, show: Show, settings: Any) -> None:
    settings.TMDB_IMAGE_URL = "https://image.example.org/t/p"

    html = html_of(desk.get(INBOX))

    for told in (
        "https://www.themoviedb.org/tv/14658",
        "https://image.example.org/t/p/w92/s.png",
        "score 0.86",
        "CBS",
        "named &#x27;Survivor&#x27;",
        "Survivors (1975)",
        "https://www.imdb.com/title/tt0239195/",
        f"/admin/catalog/show/{show.pk}/identify/",
    ):
        assert told in html


def test_a_candidate_is_accepted(desk: Client, show: Show, editor: Any) -> None:
    page = send(desk, show, "accept-14658")

    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields, show.needs_tmdb_resolution) == (14658, ["tmdb_id"], False)
    change = Change.objects.get()
    assert (change.user, change.reason) == (editor, "accepted from candidates: score 0.86")
    assert page.context["cards"] == []
    assert open_counts()["unresolved"] == 0


def test_an_accepted_candidate_is_synced_by_a_run_that_the_message_leads_to(desk: Client, show: Show) -> None:
    page = send(desk, show, "accept-14658")

    assert waiting_runs() == [("sync_selected", {"show_ids": [str(show.pk)], "force": True}, "editor")]
    assert f"locked. {run_link(SyncRun.objects.get().pk)} is queued: it syncs the show." in messages_of(page)


def test_none_of_the_candidates_is_a_decision(desk: Client, show: Show) -> None:
    send(desk, show, "none")

    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields, show.needs_tmdb_resolution) == (None, ["tmdb_id"], False)
    assert open_counts()["unresolved"] == 0


@pytest.mark.parametrize("action", ["accept-1", "accept-x", "accept-", "no-imdb", "delete"])
def test_what_is_not_offered_is_refused(desk: Client, show: Show, action: str) -> None:
    page = send(desk, show, action)

    assert "not offered" in messages_of(page)
    assert not Change.objects.exists()


def test_a_candidate_that_another_show_is_can_not_be_accepted(desk: Client, show: Show) -> None:
    other = make_show(name="Survivor (US)", tmdb_id=14658)

    page = desk.get(INBOX)

    assert actions_on(page) == ["reject-14658", "accept-99", "reject-99", "none"]
    assert f'Already that of <a class="review-link" href="/admin/catalog/show/{other.pk}/change/">' in html_of(page)


def test_at_most_six_candidates_are_shown(desk: Client, show: Show) -> None:
    for number in range(200, 210):
        make_candidate_row(show, number, f"Show {number}", 0.1)

    assert len([name for name in actions_on(desk.get(INBOX)) if name.startswith("accept-")]) == 6


def test_a_show_without_an_imdb_id_waits_and_can_be_decided_to_have_none(desk: Client) -> None:
    show = make_show(name="Running Man", needs_imdb_resolution=True)
    assert actions_on(desk.get(INBOX)) == ["imdb", "no-imdb"]

    send(desk, show, "no-imdb")

    show.refresh_from_db()
    assert (show.needs_imdb_resolution, show.locked_fields) == (False, ["imdb_id"])


def test_an_imdb_id_is_pasted_in_the_inbox(desk: Client, editor: Any) -> None:
    show = make_show(name="Running Man", needs_imdb_resolution=True)

    page = send(desk, show, "imdb", text=" https://www.imdb.com/title/tt2185037/?ref_=x ")

    show.refresh_from_db()
    assert (show.imdb_id, show.needs_imdb_resolution, show.locked_fields) == ("tt2185037", False, ["imdb_id"])
    assert Change.objects.get().user == editor
    assert page.context["cards"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no series"),
        (EVIL, "names no series"),
        ("tt" + "1" * 21, "names no series"),
        ("32390", "This is an id of TMDb"),
        ("tt7654321", "already that of Twin"),
    ],
)
def test_a_text_that_is_no_free_imdb_id_is_told_at_its_field(desk: Client, text: str, said: str) -> None:
    make_show(name="Twin", imdb_id="tt7654321")
    show = make_show(name="Running Man", needs_imdb_resolution=True)

    page = send(desk, show, "imdb", text=text)

    assert page.status_code == 200
    html = html_of(page)
    error = html.partition('<p class="review-error" id="text-1-error">')[2].partition("</p>")[0]
    assert said in error
    assert f'value="{escape(text)}" aria-invalid="true" aria-describedby="text-1-error"' in html
    assert EVIL not in html
    assert not Change.objects.exists()


def test_one_candidate_is_rejected_and_the_others_stay(desk: Client, show: Show) -> None:
    page = send(desk, show, "reject-14658")

    assert actions_on(page) == ["accept-99", "reject-99", "none"]
    assert "1 more was rejected" in html_of(page)
    assert "What is put off or left" not in messages_of(page)
    assert "not offered" in messages_of(send(desk, show, "accept-14658"))
    assert "The only candidate was" not in html_of(page)
    assert "All candidates were rejected" in html_of(send(desk, show, "reject-99"))
    show.refresh_from_db()
    assert show.tmdb_id is None
    assert not Change.objects.exists()


def test_digits_are_the_numbers_of_candidates_and_letters_all_else(desk: Client, show: Show) -> None:
    Show.objects.filter(pk=show.pk).update(needs_imdb_resolution=True)
    make_show(tmdb_id=14658)
    make_candidate_row(show, 98, "Survivor", 0.5)

    [card] = desk.get(INBOX).context["cards"]

    assert [(action.name, action.key, action.doubtful) for action in card.item.actions if action.key] == [
        ("accept-98", "2", False),
        ("accept-99", "3", True),
        ("none", "n", False),
        ("imdb", "p", False),
        ("no-imdb", "i", False),
    ]


def test_only_living_shows_that_wait_are_in_the_queue(show: Show) -> None:
    make_show(needs_tmdb_resolution=True)  # gone upstream: another queue
    make_show()
    trashed = make_show(tmdb_id=None, needs_tmdb_resolution=True)
    delete_show(trashed.pk, Author())

    assert open_counts()["unresolved"] == 1


def test_the_reason_of_the_last_sync_is_told(desk: Client, show: Show) -> None:
    make_state(show, Stage.RESOLVE, "unresolved", last_error="TMDb knows no show with tt0239195")

    assert "TMDb knows no show with tt0239195" in html_of(desk.get(INBOX))


def test_names_of_candidates_are_text_and_never_html(desk: Client, show: Show) -> None:
    ResolutionCandidate.objects.update(name=EVIL, reasons=[EVIL], networks=[EVIL])
    Show.objects.filter(pk=show.pk).update(name=EVIL)

    page = desk.get(INBOX)

    assert page.context["cards"]
    assert EVIL not in html_of(page)


def test_the_queue_costs_the_same_queries_however_many_wait(desk: Client) -> None:
    sizes = []
    for number in (2, 20):
        for one in range(number):
            show = make_show(name=f"Show {one}", tmdb_id=None, needs_tmdb_resolution=True)
            add_network(show, 74, "Bravo")
            for candidate in range(3):
                make_candidate_row(show, 1 + candidate, "Show", 0.5)
            make_state(show, Stage.RESOLVE, "unresolved")
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(INBOX).status_code == 200
        sizes.append(len(queries))
    assert sizes[0] == sizes[1] <= 20


def test_an_empty_queue_says_so(desk: Client) -> None:
    assert find_queue("unresolved").empty in html_of(desk.get(INBOX))  # type: ignore[union-attr]


# --- parts of the show page and of the list


def test_the_page_of_a_show_tells_each_stage_and_its_error(desk: Client) -> None:
    show = make_show()
    make_state(show, Stage.DETAILS, "failed", last_error=f"HTTP 500 {EVIL}", attempts=3)

    html = html_of(desk.get(f"/admin/catalog/show/{show.pk}/change/"))

    assert "HTTP 500 &lt;script&gt;" in html
    assert EVIL not in html


def test_the_panel_reads_the_states_once_for_all_its_parts() -> None:
    show = synced(make_show())

    with CaptureQueriesContext(connection) as queries:
        panel = sync_panel(show)
        asked = last_asked(show)

    assert len(queries) == 1
    assert panel.count("Up to date") == 4
    assert asked == {"tmdb": NOW}


def test_a_show_that_was_never_synced_was_never_asked_about() -> None:
    show = make_show()

    assert last_asked(show) == {}
    assert sync_panel(show).count("Not yet tried") == 4


@pytest.mark.parametrize(
    ("since", "words"),
    [
        (timedelta(seconds=10), "just now"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(hours=1, minutes=50), "1 hour"),
        (timedelta(days=2, hours=23), "2 days"),
        (timedelta(days=21), "3 weeks"),
    ],
)
def test_an_age_is_its_largest_unit(since: timedelta, words: str) -> None:
    assert age(NOW - since, NOW) == words


def due_words(show: Show, stage: Stage = Stage.DETAILS, **after: float) -> str:
    states = {state.stage: state for state in SyncState.objects.filter(show=show)}
    return next_due(show, stage, states, NOW + timedelta(**after))


def test_when_a_stage_is_due_follows_the_rules_of_the_syncs() -> None:
    show = synced(make_show(imdb_id="tt0239195"))

    assert due_words(show, days=1) == "in 6 days"
    assert due_words(show, Stage.WATCH_PROVIDERS, days=1) == "in 1 day"
    assert due_words(show, days=8) == "at the next sync"
    assert due_words(show, Stage.RESOLVE) == "not needed: both ids are there, or decided"
    show.tmdb_status = "Returning Series"
    assert due_words(show, days=1) == "in 2 days"


def test_a_failed_stage_is_due_at_once_and_an_untried_one_too() -> None:
    show = make_show(imdb_id="tt0239195")
    assert due_words(show) == "at the next sync"
    make_state(show, Stage.DETAILS, "failed")
    assert due_words(show) == "at the next sync"


def test_a_show_that_is_gone_is_looked_for_more_and_more_rarely() -> None:
    show = make_show(needs_tmdb_resolution=True, imdb_id="tt0239195")
    make_state(show, Stage.DETAILS, "gone", attempts=3)

    assert due_words(show, days=1) == "in 6 days"


def test_an_unresolved_show_is_tried_again_after_a_week_and_one_without_ids_never() -> None:
    show = make_show(tmdb_id=None, imdb_id="tt0239195", needs_tmdb_resolution=True)
    make_state(show, Stage.RESOLVE, "unresolved")
    assert due_words(show, days=1) == "in 6 days"

    assert due_words(make_show(tmdb_id=None)) == "when it has a TMDb id"
    assert due_words(make_show(tmdb_id=None, imdb_id="tt0000001", locked_fields=["tmdb_id"])) == "when it has a TMDb id"


def named(shows: Any) -> set[str]:
    return set(shows.values_list("name", flat=True))


@pytest.fixture
def ages(db: None) -> None:
    now = timezone.now()
    synced(make_show(name="fresh"), now - timedelta(hours=1))
    synced(make_show(name="old"), now - timedelta(days=30))
    synced(make_show(name="old offers"), now - timedelta(days=3))
    synced(make_show(name="old for a returning one", tmdb_status="Returning Series"), now - timedelta(days=4))
    SyncState.objects.filter(show__name="old for a returning one", stage="watch_providers").update(last_success_at=now)
    synced(make_show(name="changed"), now - timedelta(hours=1))
    SyncState.objects.filter(show__name="changed", stage="details").update(status="stale")
    synced(make_show(name="failed"), now - timedelta(hours=1))
    SyncState.objects.filter(show__name="failed", stage="watch_providers").update(status="failed")
    make_show(name="never")


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("fresh", {"fresh"}),
        ("stale", {"old", "old offers", "old for a returning one", "changed"}),
        ("failed", {"failed"}),
        ("never", {"never"}),
    ],
)
def test_shows_are_filtered_by_their_age(ages: None, answer: str, names: set[str]) -> None:
    assert named(of_freshness(Show.objects.all(), answer)) == names


@pytest.mark.parametrize("answer", ["stale", "never", "failed", "fresh"])
def test_the_list_of_shows_has_the_filter_and_the_column(desk: Client, ages: None, answer: str) -> None:
    page = desk.get("/admin/catalog/show/", {"stale": answer})

    assert page.status_code == 200
    assert [each.parameter for each in contributed if each.parameter == "stale"] == ["stale"]


def test_shows_are_sorted_by_their_age_in_one_query(ages: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        names = [
            show.name
            for show in with_details_age(Show.objects.filter(name__in=("fresh", "old"))).order_by("details_synced_at")
        ]

    assert (names, len(queries)) == (["old", "fresh"], 1)


def test_the_column_tells_the_age(ages: None) -> None:
    column = next(each for each in registry.columns if each.name == "freshness")

    texts = {show.name: column.text(show) for show in column.annotate(Show.objects.filter(name__in=("fresh", "never")))}

    assert "1 hour" in texts["fresh"]
    assert "never" in texts["never"]


# --- runs


def make_run(**columns: Any) -> SyncRun:
    started = datetime(2026, 3, 1, 12, tzinfo=UTC)
    defaults = {"kind": "sync_shows", "status": "succeeded", "host": "here", "pid": 1, "started_at": started}
    return SyncRun.objects.create(**defaults | {"finished_at": started + timedelta(minutes=3, seconds=20)} | columns)


def test_the_list_of_runs_tells_how_each_went(desk: Client, editor: Any) -> None:
    make_run(status="failed", started_by=editor, counts={"updated": 3, "failed": 1, "gone": 0}, done=4, total=5)

    html = html_of(desk.get(RUNS))

    for told in ("Finished with failures", "3 min 20 s", "editor", "3 updated, 1 failed", "4 of 5"):
        assert told in html


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_a_duration_is_in_words(seconds: float, words: str) -> None:
    assert run_words.in_words(seconds) == words


def test_the_list_of_runs_costs_the_same_queries_however_long(
    desk: Client, editor: Any, django_user_model: Any, django_assert_max_num_queries: Any
) -> None:
    counts = []
    for number in (2, 30):
        for one in range(number):
            user = django_user_model.objects.create_user(f"user {number} {one}")
            make_run(started_by=user)
        with django_assert_max_num_queries(12) as queries:
            assert desk.get(RUNS).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_page_of_a_run_leads_to_its_shows_its_changes_and_their_revert(desk: Client) -> None:
    run, show = make_run(status="failed", options={"limit": 5, "by": EVIL}, error=EVIL), make_show()
    Change.objects.create(show=show, kind="updated", run_id=run.pk, fields={"name": ["a", "b"]})
    SyncFailure.objects.create(run=run, show=show, item=show.name, reason=f"HTTP 500 {EVIL}")

    html = html_of(desk.get(f"{RUNS}{run.pk}/change/"))

    assert f'href="/admin/catalog/show/{show.pk}/change/"' in html
    assert f'href="/admin/catalog/change/?run_id={run.pk}">Changes of this run (1)' in html
    assert re.search(f'href="[^"]*/run/{run.pk}/revert/">Revert this run', html)
    assert "at most 5" in html
    assert "by: &lt;script&gt;" in html
    assert EVIL not in html


def test_a_run_that_changed_nothing_or_still_runs_has_nothing_to_revert(desk: Client) -> None:
    quiet, running = make_run(), make_run(status="running", finished_at=None)
    Change.objects.create(show=make_show(), kind="updated", run_id=running.pk, fields={"name": ["a", "b"]})

    assert "Changes of this run" not in html_of(desk.get(f"{RUNS}{quiet.pk}/change/"))
    html = html_of(desk.get(f"{RUNS}{running.pk}/change/"))
    assert "Changes of this run" in html
    assert "Revert this run" not in html


def test_failures_are_told_page_by_page_at_the_same_number_of_queries(desk: Client) -> None:
    counts = []
    for number in (2, 80):
        run = make_run()
        for one in range(number):
            SyncFailure.objects.create(run=run, show=make_show(), item=f"item {one}", reason="no")
        with CaptureQueriesContext(connection) as queries:
            html = html_of(desk.get(f"{RUNS}{run.pk}/change/"))
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert "item 49" in html
    assert "item 50" not in html


def test_a_failure_of_a_show_in_the_trash_is_told_without_a_link(desk: Client) -> None:
    run, show = make_run(), make_show(name="Old")
    SyncFailure.objects.create(run=run, show=show, item="Old", reason="no")
    delete_show(show.pk, Author())

    html = html_of(desk.get(f"{RUNS}{run.pk}/change/"))

    assert "Old (in the trash)" in html


@pytest.mark.parametrize("pk", ["999", "x", "9" * 30, "²"])
def test_a_run_that_is_not_there_is_told(desk: Client, pk: str) -> None:
    assert desk.get(f"{RUNS}{pk}/change/", follow=True).status_code == 200


# --- the button


def press(client: Client, callbacks: Any) -> Any:
    with callbacks(execute=True):
        return client.post(f"{RUNS}sync-all/", follow=True)


def test_the_button_makes_a_run_that_waits_and_rings_for_it_once_it_is_there_for_all(
    desk: Client, django_capture_on_commit_callbacks: Any
) -> None:
    assert "Sync all that is due" in html_of(desk.get(RUNS))

    page = press(desk, django_capture_on_commit_callbacks)

    run = SyncRun.objects.get()
    assert waiting_runs() == [("sync_shows", {}, "editor")]
    assert messages_queued() == [("ingestion.tasks.work_on", (run.pk,))]
    assert f"{run_link(run.pk)} is queued: it syncs all that is due." in messages_of(page)


def test_who_presses_again_while_it_waits_is_led_to_the_same_run(
    desk: Client, django_capture_on_commit_callbacks: Any
) -> None:
    press(desk, django_capture_on_commit_callbacks)
    page = press(desk, django_capture_on_commit_callbacks)

    run = SyncRun.objects.get()
    assert set(messages_queued()) == {("ingestion.tasks.work_on", (run.pk,))}
    assert run_link(run.pk) in messages_of(page)


def test_while_a_sync_of_all_is_going_on_none_is_queued(desk: Client, django_capture_on_commit_callbacks: Any) -> None:
    run = make_run(status="running", finished_at=None, host="elsewhere", heartbeat_at=timezone.now())

    page = press(desk, django_capture_on_commit_callbacks)

    assert waiting_runs() == []
    assert f"sync_shows is already running: run {run.pk}" in messages_of(page)


def test_a_run_whose_process_is_dead_holds_no_button_up(desk: Client, django_capture_on_commit_callbacks: Any) -> None:
    make_run(status="running", finished_at=None, host="elsewhere", heartbeat_at=timezone.now() - timedelta(hours=1))

    press(desk, django_capture_on_commit_callbacks)

    assert len(waiting_runs()) == len(messages_queued()) == 1


@pytest.mark.parametrize("rights", [[], ["sync_show"], ["view_syncrun"]])
def test_the_button_is_for_those_with_both_rights(client: Client, django_user_model: Any, rights: list[str]) -> None:
    user = django_user_model.objects.create_user("someone", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)

    assert client.post(f"{RUNS}sync-all/").status_code == 403
    assert waiting_runs() == []
    if "view_syncrun" in rights:
        assert "Sync all that is due" not in html_of(client.get(RUNS))


def test_the_button_is_pressed_not_followed(desk: Client) -> None:
    assert desk.get(f"{RUNS}sync-all/").status_code == 405
    assert waiting_runs() == []


@pytest.mark.parametrize("path", ["syncstate", "resolutioncandidate"])
def test_the_other_ledgers_are_lists_of_constant_cost(desk: Client, path: str) -> None:
    counts = []
    for number in (2, 20):
        for _ in range(number):
            show = synced(make_show(tmdb_id=None, needs_tmdb_resolution=True))
            make_candidate_row(show, 1, "Show", 0.5)
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(f"/admin/ingestion/{path}/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12
