import time
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from catalog.changes import Author
from catalog.edits import version_of
from catalog.models import Change, Show
from catalog.tests.pages import run_link
from catalog.trash import delete_show
from demo.replies import demo_shows
from demo.upstream import Reply, Upstream
from ingestion import identify
from ingestion.identify import CantAsk, decide_no_imdb, look_up, reject, search, take_match
from ingestion.matching import Known
from ingestion.models import ResolutionCandidate, SyncRun
from ingestion.references import Reference
from ingestion.tests.asked_runs import messages_queued, waiting_runs
from ingestion.tests.builders import add_network, make_show

pytestmark = pytest.mark.django_db

ORANGE_COUNTY, BEVERLY_HILLS, TOP_GEAR, SURVIVOR, BIG_BROTHER = 10222, 32390, 45, 14658, 10160
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def tmdb(upstream: Upstream) -> Upstream:
    upstream.shows = demo_shows()
    return upstream


@pytest.fixture
def editor(django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("editor", password="secret")


@pytest.fixture
def desk(client: Client, editor: Any) -> Client:
    client.force_login(editor)
    return client


@pytest.fixture
def show(db: None) -> Show:
    return make_show(name="Survivor", tmdb_id=None, needs_tmdb_resolution=True, premiere_date=date(2000, 5, 31))


def page_of(show: Show) -> str:
    return f"/admin/catalog/show/{show.pk}/identify/"


def choose(desk: Client, show: Show, pick: str, **data: Any) -> Any:
    sent = {"pick": pick, "version": version_of(show.pk), **data}
    return desk.post(page_of(show), sent, follow=True)


def ids_on(page: Any) -> list[int]:
    return [card.tmdb_id for card, _ in page.context["choices"]]


def messages_of(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def html_of(page: Any) -> str:
    return page.content.decode()


# --- asking


def test_candidates_of_a_search_are_ranked_by_name_year_and_network(tmdb: Upstream) -> None:
    known = Known("The Real Housewives of Beverly Hills", 2010, frozenset({"Bravo"}))

    found = search(known, "Real Housewives", None)

    assert found[0].tmdb_id == BEVERLY_HILLS
    assert {ORANGE_COUNTY, BEVERLY_HILLS} <= {candidate.tmdb_id for candidate in found}
    assert found[0].networks == ("Bravo",)  # which a search does not tell: asked for one by one
    assert "on Bravo, as Bravo" in found[0].reasons


def test_a_search_survives_candidates_whose_details_are_not_told(tmdb: Upstream) -> None:
    tmdb.always(f"/3/tv/{SURVIVOR}", Reply(500))

    [found] = search(Known("Survivor"), "Survivor", None)

    assert (found.tmdb_id, found.networks) == (SURVIVOR, None)


def test_more_is_asked_of_the_best_candidates_only(upstream: Upstream) -> None:
    upstream.shows = {number: {"id": number, "name": f"Island {number}", "networks": []} for number in range(1, 19)}

    found = search(Known("Island"), "Island", None)

    assert len(found) == 18
    assert upstream.count("/3/tv/") == identify.ASKED_MORE_OF


@pytest.mark.parametrize(
    ("reference", "ids"),
    [
        (Reference(tmdb_id=SURVIVOR), [SURVIVOR]),
        (Reference(imdb_id="tt0239195"), [SURVIVOR]),
        (Reference(tmdb_id=999), []),
        (Reference(imdb_id="tt9999999"), []),
    ],
)
def test_a_reference_leads_to_its_shows(tmdb: Upstream, reference: Reference, ids: list[int]) -> None:
    assert [candidate.tmdb_id for candidate in look_up(Known("Survivor"), reference)] == ids


def test_a_candidate_of_a_pasted_id_has_its_poster(tmdb: Upstream) -> None:
    [found] = look_up(Known("Survivor"), Reference(tmdb_id=SURVIVOR))

    assert found.poster_path == f"/demo-poster-{SURVIVOR}.png"


def test_an_upstream_that_does_not_answer_is_left_after_a_while(
    tmdb: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmdb.always("/3/search/tv", Reply(delay=30))
    monkeypatch.setattr(identify, "PATIENCE", 0.2)
    started = time.monotonic()

    with pytest.raises(CantAsk, match="did not answer within"):
        identify.ask(lambda client: client.fetch_search("Survivor"), 0.2)

    assert time.monotonic() - started < 10


def test_a_wait_that_upstream_asks_for_is_not_waited_for(tmdb: Upstream) -> None:
    tmdb.always("/3/search/tv", Reply(429, headers={"retry-after": "50"}))

    with pytest.raises(CantAsk, match="did not answer within"):
        identify.ask(lambda client: client.fetch_search("Survivor"), 0.5)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply(500), r"TMDb gave no answer: HTTP 500.* \(2 tries\)\."),
        (Reply(401), r"TMDb gave no answer: the key was refused \(401\)"),
        (Reply(drop=True), "TMDb gave no answer: "),
        (Reply(body=b"<html>"), "TMDb gave no answer: the reply is not JSON"),
        (Reply(body={"results": "none"}), "TMDb's answer can't be used: results is 'none'"),
        (Reply(body=[]), "TMDb's answer can't be used"),
    ],
)
def test_what_goes_wrong_upstream_is_told_without_the_key(
    tmdb: Upstream, settings: Any, answer: Reply, said: str
) -> None:
    tmdb.always("/3/search/tv", answer)

    with pytest.raises(CantAsk, match=said) as caught:
        search(Known("Survivor"), "Survivor", None)

    assert settings.TMDB_API_KEY not in str(caught.value)


def test_an_echoed_key_is_masked(tmdb: Upstream, settings: Any) -> None:
    settings.SECRETS = [settings.TMDB_API_KEY]
    tmdb.always("/3/search/tv", Reply(500, {"status_message": f"no {settings.TMDB_API_KEY}"}))

    with pytest.raises(CantAsk) as caught:
        search(Known("Survivor"), "Survivor", None)

    assert settings.TMDB_API_KEY not in str(caught.value)


# --- the page


def test_the_page_opens_with_what_a_search_for_the_show_finds(desk: Client, tmdb: Upstream, show: Show) -> None:
    page = desk.get(page_of(show))

    assert (page.status_code, ids_on(page)) == (200, [SURVIVOR])
    [(card, holder)] = page.context["choices"]
    assert (card.title, card.networks, holder) == ("Survivor (2000)", ("CBS",), None)
    assert card.poster_url == f"{tmdb.image_url}/w92/demo-poster-{SURVIVOR}.png"
    assert card.poster_url in html_of(page)
    search_request = next(request for request in tmdb.requests if request.path == "/3/search/tv")
    assert search_request.params.items() >= {"query": "Survivor", "first_air_date_year": "2000"}.items()


def test_a_year_that_finds_nothing_is_left_out(desk: Client, tmdb: Upstream, show: Show) -> None:
    page = desk.get(page_of(show), {"name": "Survivor", "year": "1950"})

    assert ids_on(page) == [SURVIVOR]
    assert "of 1950; these are of any year" in html_of(page)


def test_a_name_that_nobody_has_says_so(desk: Client, tmdb: Upstream, show: Show) -> None:
    page = desk.get(page_of(show), {"name": "Qwertz"})

    assert ids_on(page) == []
    assert "TMDb knows no series “Qwertz”" in html_of(page)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a", "year": "x"}, "year"),
        ({"name": "a", "year": "99999"}, "year"),
        ({"reference": "https://www.themoviedb.org/movie/603"}, "reference"),
        ({"reference": "https://www.imdb.com/name/nm0000206/"}, "reference"),
        ({"reference": EVIL}, "reference"),
        ({"reference": "999"}, "reference"),
    ],
)
def test_bad_input_gets_a_message_at_its_field(
    desk: Client, tmdb: Upstream, show: Show, data: dict[str, str], field: str
) -> None:
    page = desk.get(page_of(show), data)

    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert f'id="id_{field}-error"' in html_of(page)
    assert EVIL not in html_of(page)


def test_names_of_upstream_are_text_and_never_html(desk: Client, upstream: Upstream, show: Show) -> None:
    upstream.shows = {7: {"id": 7, "name": EVIL, "original_name": EVIL, "networks": [{"id": 1, "name": EVIL}]}}

    page = desk.get(page_of(show), {"name": "script"})

    assert ids_on(page) == [7]
    assert EVIL not in html_of(page)


@pytest.mark.parametrize("answer", [Reply(500), Reply(401), Reply(drop=True), Reply(body=b"<html>")])
def test_an_upstream_in_trouble_is_told_on_the_page(
    desk: Client, tmdb: Upstream, show: Show, settings: Any, answer: Reply
) -> None:
    tmdb.always("/3/*", answer)

    page = desk.get(page_of(show))

    assert page.status_code == 200
    assert "TMDb gave no answer" in html_of(page)
    assert settings.TMDB_API_KEY not in html_of(page)


def test_without_a_key_the_page_says_what_is_missing(desk: Client, show: Show, settings: Any) -> None:
    settings.TMDB_API_KEY = settings.TMDB_BEARER_TOKEN = ""

    assert "TMDB_API_KEY is not set" in html_of(desk.get(page_of(show)))


def test_when_tmdb_does_not_answer_the_candidates_of_the_last_sync_are_there(
    desk: Client, show: Show, settings: Any
) -> None:
    settings.TMDB_API_KEY = ""
    ResolutionCandidate.objects.create(show=show, tmdb_id=5, name="Kept", score=0.5, found_at=timezone.now())

    assert ids_on(desk.get(page_of(show))) == [5]


def test_the_page_is_for_those_who_may_change_shows(
    client: Client, show: Show, tmdb: Upstream, django_user_model: Any
) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_show"))
    client.force_login(viewer)

    assert client.get(page_of(show)).status_code == 403
    assert client.post(page_of(show), {"pick": "1", "version": "0"}).status_code == 403
    assert tmdb.count() == 0


def test_a_show_that_is_not_there_leads_back_to_the_list(desk: Client, show: Show) -> None:
    delete_show(show.pk, Author())

    page = desk.get(page_of(show), follow=True)

    assert "no such show" in messages_of(page)


def test_the_show_page_leads_here(desk: Client, show: Show) -> None:
    assert page_of(show) in html_of(desk.get(f"/admin/catalog/show/{show.pk}/change/"))


# --- the choice


def test_the_choice_sets_the_id_locks_it_and_queues_a_sync(
    desk: Client, show: Show, editor: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        page = choose(desk, show, str(SURVIVOR), reason="same cast")

    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields, show.needs_tmdb_resolution) == (SURVIVOR, ["tmdb_id"], False)
    change = Change.objects.get()
    assert (change.user, change.reason) == (editor, "same cast")
    run = SyncRun.objects.get()
    assert waiting_runs() == [("sync_selected", {"show_ids": [str(show.pk)], "force": True}, "editor")]
    assert messages_queued() == [("ingestion.tasks.work_on", (run.pk,))]
    assert f"no job changes it. {run_link(run.pk)} is queued" in messages_of(page)


def test_a_pasted_imdb_id_becomes_the_shows_too(desk: Client, show: Show, tmdb: Upstream) -> None:
    page = desk.get(page_of(show), {"reference": "https://www.imdb.com/title/tt0239195/"})
    assert f'value="{SURVIVOR} tt0239195"' in html_of(page)

    choose(desk, show, f"{SURVIVOR} tt0239195")

    show.refresh_from_db()
    assert (show.tmdb_id, show.imdb_id, show.locked_fields) == (SURVIVOR, "tt0239195", ["tmdb_id", "imdb_id"])


def test_the_imdb_id_of_an_episode_is_not_taken_for_the_shows(desk: Client, show: Show, tmdb: Upstream) -> None:
    tmdb.episodes["tt5555555"] = SURVIVOR

    page = desk.get(page_of(show), {"reference": "tt5555555"})

    assert ids_on(page) == [SURVIVOR]
    assert f'name="pick" value="{SURVIVOR}">' in html_of(page)
    assert "though TMDb has it as an episode" in html_of(page)


def test_a_pasted_imdb_id_can_be_taken_without_the_show_that_tmdb_has_it_for(
    desk: Client, show: Show, tmdb: Upstream
) -> None:
    page = desk.get(page_of(show), {"reference": "tt0239195"})

    assert ids_on(page) == [SURVIVOR]
    assert 'value="tt0239195">Take tt0239195 alone' in html_of(page)


def test_what_was_rejected_is_left_out_until_somebody_searches_for_it(
    desk: Client, show: Show, editor: Any, tmdb: Upstream
) -> None:
    other = make_show(name="Survivor", tmdb_id=None, needs_tmdb_resolution=True)
    reject(show.pk, SURVIVOR, editor)

    page = desk.get(page_of(show))

    assert ids_on(page) == []
    assert "1 candidate that somebody has rejected for this show is left out" in html_of(page)
    assert ids_on(desk.get(page_of(show), {"name": "Survivor"})) == [SURVIVOR]
    assert ids_on(desk.get(page_of(other))) == [SURVIVOR]


def test_an_imdb_id_that_tmdb_does_not_know_can_be_taken_alone(desk: Client, show: Show, tmdb: Upstream) -> None:
    page = desk.get(page_of(show), {"reference": "tt5555555"})
    assert 'value="tt5555555">Take tt5555555 alone' in html_of(page)

    choose(desk, show, "tt5555555")

    show.refresh_from_db()
    assert (show.imdb_id, show.tmdb_id, show.needs_tmdb_resolution) == ("tt5555555", None, True)


def test_an_id_of_another_show_is_refused_and_that_show_is_named(desk: Client, show: Show, tmdb: Upstream) -> None:
    other = make_show(name=f"Other {EVIL}", tmdb_id=SURVIVOR)

    page = desk.get(page_of(show))
    assert 'name="pick"' not in html_of(page)
    assert "Already that of" in html_of(page)
    page = choose(desk, show, str(SURVIVOR))

    show.refresh_from_db()
    assert show.tmdb_id is None
    assert f'href="/admin/catalog/show/{other.pk}/change/"' in messages_of(page)
    assert "merge them" in messages_of(page)
    assert EVIL not in html_of(page)


def test_an_id_of_a_show_in_the_trash_is_refused(desk: Client, show: Show, tmdb: Upstream) -> None:
    delete_show(make_show(name="Old", tmdb_id=SURVIVOR).pk, Author())

    page = choose(desk, show, str(SURVIVOR))

    assert "already that of Old, which is in the trash" in messages_of(page)
    assert not Change.objects.filter(show=show).exists()


@pytest.mark.parametrize("pick", ["", "x", "0", "-1", "1.5", "tt1", f"{2**63}", "9" * 5000, "1 x", "²", "\x00"])
def test_a_malformed_choice_saves_nothing(desk: Client, show: Show, tmdb: Upstream, pick: str) -> None:
    page = choose(desk, show, pick)

    assert page.status_code == 200
    assert "Nothing was saved" in messages_of(page)
    assert not Change.objects.exists()


@pytest.mark.parametrize("version", ["", "x", "1.5"])
def test_a_malformed_version_saves_nothing(desk: Client, show: Show, tmdb: Upstream, version: str) -> None:
    assert "Nothing was saved" in messages_of(choose(desk, show, str(SURVIVOR), version=version))


def test_a_choice_that_somebody_else_has_made_meanwhile_is_refused(desk: Client, show: Show, tmdb: Upstream) -> None:
    seen = version_of(show.pk)
    take_match(show.pk, Author(), tmdb_id=BIG_BROTHER)

    page = choose(desk, show, str(SURVIVOR), version=seen)

    show.refresh_from_db()
    assert show.tmdb_id == BIG_BROTHER
    assert "changed meanwhile" in messages_of(page)


def test_the_same_id_is_confirmed_and_locked(show: Show) -> None:
    Show.objects.filter(pk=show.pk).update(tmdb_id=SURVIVOR)

    take_match(show.pk, Author(), tmdb_id=SURVIVOR)

    show.refresh_from_db()
    assert (show.tmdb_id, show.locked_fields, show.needs_tmdb_resolution) == (SURVIVOR, ["tmdb_id"], False)


def test_a_choice_that_changes_nothing_leaves_no_change(show: Show) -> None:
    take_match(show.pk, Author(), tmdb_id=SURVIVOR)

    change, run_id = take_match(show.pk, Author(), tmdb_id=SURVIVOR)

    assert (change, run_id) == (None, SyncRun.objects.get().pk)
    assert Change.objects.count() == 1


def test_the_choice_sticks(desk: Client, tmdb: Upstream) -> None:
    """The IMDb id is that of Top Gear, as hand-made lists have it: a forced sync must not follow it."""
    show = make_show(name="Top Gear", tmdb_id=TOP_GEAR, imdb_id="tt1628033")
    choose(desk, show, str(SURVIVOR))

    call_command("sync_shows", "--force", "--all", "--skip-logos", verbosity=0)

    show.refresh_from_db()
    assert (show.tmdb_id, show.tmdb_name) == (SURVIVOR, "Survivor")


def test_a_choice_sticks_though_upstream_loses_it(desk: Client, tmdb: Upstream) -> None:
    show = make_show(name="Top Gear", tmdb_id=TOP_GEAR, imdb_id="tt1628033")
    choose(desk, show, str(SURVIVOR))
    tmdb.shows = {TOP_GEAR: demo_shows()[TOP_GEAR]}

    call_command("sync_shows", "--force", "--all", "--skip-logos", verbosity=0)
    call_command("sync_shows", "--force", "--all", "--skip-logos", verbosity=0)

    show.refresh_from_db()
    assert (show.tmdb_id, show.needs_tmdb_resolution) == (SURVIVOR, True)


def test_that_imdb_has_none_is_a_decision_that_a_sync_keeps(tmdb: Upstream) -> None:
    show = make_show(name="Survivor", tmdb_id=SURVIVOR, needs_imdb_resolution=True)
    decide_no_imdb(show.pk, Author(reason="not on IMDb"))

    call_command("sync_shows", "--force", "--all", "--skip-logos", verbosity=0)

    show.refresh_from_db()
    assert (show.imdb_id, show.needs_imdb_resolution, show.locked_fields) == (None, False, ["imdb_id"])


def test_what_we_know_of_a_show_is_on_the_page(desk: Client, show: Show, tmdb: Upstream) -> None:
    add_network(show, 16, "CBS")

    page = desk.get(page_of(show))

    assert "2000, on CBS" in html_of(page)
    assert page.context["choices"][0][0].score == 1.0
