"""Moving in: what becomes of the rows of the old workbook."""

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import tablib
from django.db import IntegrityError, OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.changes import Author
from catalog.csv_file import CSV
from catalog.edits import decide_no_match, edit_show, lock_show, unlock_show
from catalog.models import Change, Network, Show, ShowNetwork
from catalog.revert import revert
from catalog.sheet import FileProblem
from catalog.trash import delete_show
from catalog.xlsx_file import XLSX
from demo.upstream import Upstream
from exports.tabs import ShowInfo, exported_shows
from ingestion import workbook as moving_in
from ingestion.models import Stage, SyncFailure, SyncRun, SyncState, WorkbookRow
from ingestion.options import Options
from ingestion.runs import AlreadyRunning, cancel, start_run
from ingestion.sync import sync_shows
from ingestion.workbook import Report, import_workbook
from ingestion.workbook_catalogue import Waits
from ingestion.workbook_file import read_csv, read_xlsx
from ingestion.workbook_plan import Outcome
from ingestion.workbook_tabs import LAYOUTS, SHOW_INFO, Workbook

from .workbooks import CAST, SURVIVOR, VOICE, contents, show_info, show_row
from .worlds import FIRST_ID, imdb_id_of, name_of, world

pytestmark = pytest.mark.django_db

ASKED = datetime(2026, 3, 1, tzinfo=UTC)
CAST_TAB = [LAYOUTS["CastInfo"].headings, CAST]


def move_in(*rows: list[Any], write: bool = True, **tabs: Any) -> tuple[Report, list[Outcome]]:
    """An import of a workbook whose ShowInfo has these rows, and how each of them ended."""
    outcomes: list[Outcome] = []

    def take(tab: str, outcome: Outcome) -> None:
        if tab == SHOW_INFO:
            outcomes.append(outcome)

    return import_workbook(show_info(*rows, **tabs), write=write, on_outcome=take), outcomes


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [outcome.kind for outcome in outcomes]


def reasons(outcomes: list[Outcome]) -> dict[int, str]:
    return {outcome.number: outcome.reason for outcome in outcomes if outcome.kind == "doubtful"}


def notes(outcomes: list[Outcome]) -> list[str]:
    return [note for outcome in outcomes for note in outcome.notes]


def known(**columns: Any) -> Show:
    """A show that TMDb was asked for, in all stages."""
    told = {"name": "Survivor", "tmdb_name": "Survivor", "tmdb_id": 14658, "tmdb_fetched_at": ASKED}
    show = Show.objects.create(**told | columns)
    SyncState.objects.create(
        show=show, stage=Stage.ENTITIES, status=SyncState.Status.OK, attempted_at=ASKED, last_success_at=ASKED
    )
    return show


def link(show: Show, *networks: Network) -> None:
    for position, network in enumerate(networks):
        ShowNetwork.objects.create(show=show, network=network, position=position)


def doubts(outcomes: list[Outcome]) -> list[str]:
    return [doubt for outcome in outcomes for doubt in outcome.doubts]


def linked(show: Show) -> list[tuple[str, str]]:
    return list(show.show_networks.order_by("position").values_list("network__name", "source"))


@pytest.fixture
def bravo() -> Network:
    return Network.objects.create(pk=74, name="Bravo")


@pytest.fixture
def cbs() -> Network:
    return Network.objects.create(pk=16, name="CBS")


@pytest.fixture
def author(django_user_model: Any) -> Author:
    return Author(user=django_user_model.objects.create_superuser("editor", password="secret"))


# --- new shows


def test_a_row_becomes_a_show_with_its_ids(cbs):
    report, _ = move_in(["Survivor", "CBS", 45, 640, "tt0239195", "14658", "2023-12-20", "skip"])

    show = Show.objects.get()
    assert (show.name, show.imdb_id, show.tmdb_id, show.override) == ("Survivor", "tt0239195", 14658, "SKIP")
    assert (show.show_total_seasons, show.show_total_episodes) == (45, 640)
    assert show.most_recent_episode_air_date == date(2023, 12, 20)
    assert (show.needs_tmdb_resolution, show.needs_imdb_resolution) == (False, False)
    assert show.locked_fields == ["name", "override"]
    assert linked(show) == [("CBS", "tmdb")]
    change = Change.objects.get()
    assert (change.show_id, change.kind, change.run_id) == (show.pk, "created", report.run_id)
    assert change.fields == {
        "name": [None, "Survivor"],
        "tmdb_id": [None, 14658],
        "imdb_id": [None, "tt0239195"],
        "show_total_seasons": [None, 45],
        "show_total_episodes": [None, 640],
        "most_recent_episode_air_date": [None, "2023-12-20"],
        "override": [None, "SKIP"],
        "networks": {"added": ["CBS (16)"], "removed": []},
        "locked_fields": {"added": ["name", "override"], "removed": []},
    }


def test_a_row_with_one_id_needs_the_other_resolved():
    move_in(show_row(name="A", tmdb_id=1), show_row(name="B", imdb_id="tt1234567"))

    a, b = Show.objects.order_by("name")
    assert (a.needs_imdb_resolution, a.needs_tmdb_resolution) == (True, False)
    assert (b.needs_imdb_resolution, b.needs_tmdb_resolution) == (False, True)
    assert Change.objects.get(show=b).fields["needs_tmdb_resolution"] == [None, True]


def test_new_shows_keep_the_order_of_the_rows(monkeypatch):
    monkeypatch.setattr(moving_in, "CHUNK", 2)
    Show.objects.create(name="Of tomorrow", tmdb_id=9)
    Show.objects.update(created_at=timezone.now() + timedelta(days=1))  # by a clock that was wrong
    names = ["Z", "B", "Y", "A", "X"]

    move_in(*(show_row(name=name, tmdb_id=number) for number, name in enumerate(names, 1)))

    found = list(Show.objects.order_by("created_at").values_list("name", "created_at"))
    assert [name for name, _ in found] == ["Of tomorrow", *names]
    assert len({moment for _, moment in found}) == 6


def test_new_shows_are_found_by_their_names():
    move_in(show_row(name="Réal  Housewives", tmdb_id=1))

    assert Show.objects.get().name_key == "real housewives"


# --- which show a row means


@pytest.mark.parametrize(
    "ids", [{"tmdb_id": "14658"}, {"imdb_id": "tt0239195"}, {"tmdb_id": 14658.0, "imdb_id": "tt0239195"}]
)
def test_a_row_means_the_show_that_has_its_ids(ids):
    known(imdb_id="tt0239195")

    _, outcomes = move_in(show_row(name="Survivor", **ids))

    assert kinds(outcomes) == ["unchanged"]
    assert Show.objects.count() == 1


def test_an_id_that_a_show_lacks_is_filled():
    show = known(tmdb_id=None, imdb_id="tt0239195", needs_tmdb_resolution=True)

    move_in(show_row(name="Survivor", imdb_id="tt0239195", tmdb_id=14658))

    show.refresh_from_db()
    assert (show.tmdb_id, show.needs_tmdb_resolution, show.locked_fields) == (14658, False, [])
    assert Change.objects.get().fields == {"tmdb_id": [None, 14658], "needs_tmdb_resolution": [True, False]}


def test_an_id_that_an_editor_decided_there_is_none_of_stays_away(author):
    show = known(tmdb_id=None, imdb_id="tt0239195", needs_tmdb_resolution=True)
    decide_no_match(show.pk, author)

    _, outcomes = move_in(show_row(name="Survivor", imdb_id="tt0239195", tmdb_id=14658))

    assert notes(outcomes) == ["TMDbSeriesID 14658: kept, the catalogue says nothing"]
    assert Show.objects.get().tmdb_id is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            show_row(name="Survivor", tmdb_id=14658, imdb_id="tt1839337"),
            "imdb_id is The Voice's and tmdb_id is Survivor's",
        ),
        (
            show_row(name="Survivor", tmdb_id=14658, imdb_id="tt9999999", override="SKIP"),
            "imdb_id tt9999999 differs from the catalogue's tt0239195 of Survivor",
        ),
        (
            show_row(name="Top Gear", tmdb_id=45, imdb_id="tt1628033", override="SKIP"),
            "its id is that of 'The Real Housewives of New Jersey', another name, so its tmdb_id is not taken",
        ),
    ],
)
def test_a_row_that_contradicts_the_catalogue_is_doubtful_and_nothing_of_it_is_taken(row, reason):
    known(imdb_id="tt0239195")
    known(name="The Voice", tmdb_id=41956, imdb_id="tt1839337")
    known(name="The Real Housewives of New Jersey", tmdb_id=None, imdb_id="tt1628033")
    before = contents()

    report, outcomes = move_in(row)

    assert reasons(outcomes) == {2: reason}
    assert contents() == before
    failure = SyncFailure.objects.get()
    assert (failure.item, failure.reason, failure.run_id) == ("ShowInfo row 2", reason, report.run_id)
    assert failure.show is not None
    assert report.status == "failed"


def test_an_id_that_is_there_twice_is_taken_once(monkeypatch):
    monkeypatch.setattr(moving_in, "CHUNK", 2)
    known(imdb_id="tt0239195")

    _, outcomes = move_in(
        show_row(name="A", tmdb_id=1),
        show_row(name="B", tmdb_id=1, imdb_id="tt1111111"),
        show_row(name="C", imdb_id="tt1111111"),
        show_row(name="Survivor", tmdb_id=14658),
        show_row(name="Another name", imdb_id="tt0239195"),
        show_row(name="D", tmdb_id=1),
    )

    assert reasons(outcomes) == {
        3: "repeats row 2",
        6: "it is the show of row 5 by its other id",
        7: "repeats row 2",
    }
    assert set(Show.objects.values_list("name", flat=True)) == {"A", "C", "Survivor"}


def test_a_show_in_the_trash_stays_there(author):
    show = known()
    delete_show(show.pk, Author(user=author.user, reason="a duplicate"))

    report, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, override="Y"))

    assert kinds(outcomes) == ["excluded"]
    assert outcomes[0].reason == "Survivor is in the trash (by editor: a duplicate)"
    assert report.status == "succeeded"
    assert not Show.objects.exists()


def test_a_row_that_can_not_be_read_costs_no_other():
    report, outcomes = move_in(SURVIVOR, show_row(name="B", tmdb_id="x"), VOICE)

    assert kinds(outcomes) == ["created", "doubtful", "created"]
    assert report.tabs[SHOW_INFO].counts == {"created": 2, "doubtful": 1}
    assert SyncRun.objects.get().counts == {"created": 2, "updated": 0, "unchanged": 0, "failed": 1}


def test_an_id_that_an_editor_has_corrected_brings_no_second_show(author):
    row = show_row(name="Survivor", tmdb_id=1)
    move_in(row, show_row(name="Voice", imdb_id="tt0000002"))
    survivor, voice = Show.objects.order_by("name")
    edit_show(survivor.pk, {"tmdb_id": 14658}, author)
    edit_show(voice.pk, {"imdb_id": None}, author)
    before = contents()

    report, outcomes = move_in(row, show_row(name="Voice", imdb_id="tt0000002"), VOICE)

    assert reasons(outcomes) == {
        2: "tmdb_id 1 was that of Survivor until editor changed it to 14658: mend the row",
        3: "imdb_id tt0000002 was that of Voice until editor took it away: mend the row",
    }
    assert kinds(outcomes)[2] == "created"
    assert list(Show.objects.exclude(name="The Voice").order_by("pk").values()) == before["shows"]
    assert SyncFailure.objects.filter(run_id=report.run_id).count() == 2


def test_an_id_that_a_job_has_changed_is_free(author):
    show = known(tmdb_id=1)
    Change.objects.create(show=show, kind="updated", run_id=1, fields={"tmdb_id": [2, 1]})
    gone = known(name="Gone", tmdb_id=3)
    edit_show(gone.pk, {"tmdb_id": 4}, author)
    delete_show(gone.pk, author)

    _, outcomes = move_in(show_row(name="A", tmdb_id=2), show_row(name="B", tmdb_id=3))

    assert kinds(outcomes) == ["created", "created"]


# --- names


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"name": "Survivor"}, "Survivor"),
        ({"name": "Survivor"}, " Survivor "),
        ({"name": "Ours", "tmdb_name": "Survivor", "locked_fields": ["name"]}, "Survivor"),
        ({"name": "Ours", "imdb_title": "Survivor", "locked_fields": ["name"]}, "Survivor"),
        (
            {"name": "Ours", "tmdb_name": None, "upstream_values": {"name": "Survivor"}, "locked_fields": ["name"]},
            "Survivor",
        ),
        ({"name": "Ours", "locked_fields": ["name"]}, "Ours"),
        ({"tmdb_name": None}, "Survivor"),
        ({"name": "The  Voice", "tmdb_name": "The  Voice"}, "The Voice"),
        ({"tmdb_fetched_at": None, "tmdb_name": None, "imdb_title": "Survivor"}, "Survivor"),
    ],
)
def test_a_name_that_upstream_or_the_catalogue_has_changes_nothing(columns, name):
    known(**columns)
    before = contents()

    _, outcomes = move_in(show_row(name=name, tmdb_id=14658))

    assert (kinds(outcomes), notes(outcomes)) == (["unchanged"], [])
    assert contents() == before


def test_another_name_is_a_persons_and_is_locked():
    show = known()

    move_in(show_row(name="Survivor (US)", tmdb_id=14658))

    show.refresh_from_db()
    assert (show.name, show.name_key, show.alias_keys) == ("Survivor (US)", "survivor (us)", "survivor")
    assert (show.locked_fields, show.upstream_values) == (["name"], {"name": "Survivor"})
    assert Change.objects.get().fields == {
        "name": ["Survivor", "Survivor (US)"],
        "locked_fields": {"added": ["name"], "removed": []},
    }


def test_a_name_that_an_editor_has_locked_stays_and_the_row_is_told():
    known(name="Ours", locked_fields=["name"])

    _, outcomes = move_in(show_row(name="Theirs", tmdb_id=14658))

    assert (kinds(outcomes), notes(outcomes)) == (["unchanged"], ["Show 'Theirs': kept, the catalogue says 'Ours'"])


def test_a_name_of_which_nobody_knows_yet_whose_it_is_is_locked():
    show = Show.objects.create(name="Survivor", tmdb_id=14658)
    other = Show.objects.create(name="The Voice", tmdb_id=41956)

    move_in(show_row(name="Survivor", tmdb_id=14658), show_row(name="Voice", tmdb_id=41956))

    show.refresh_from_db()
    other.refresh_from_db()
    assert (show.locked_fields, show.upstream_values) == (["name"], {})
    assert (other.name, other.locked_fields) == ("Voice", ["name"])
    assert Change.objects.get(show=show).fields == {"locked_fields": {"added": ["name"], "removed": []}}


# --- overrides


@pytest.mark.parametrize(
    ("columns", "cell", "override", "said"),
    [
        ({}, "skip", "SKIP", []),
        ({"override": "Y"}, "Y", "Y", []),
        ({"override": "Y"}, "", "Y", []),
        ({"override": "Y"}, "SKIP", "Y", ["OVERRIDE 'SKIP': kept, the catalogue says 'Y'"]),
        ({"locked_fields": ["override"]}, "SKIP", "", ["OVERRIDE 'SKIP': kept, the catalogue says nothing"]),
    ],
)
def test_an_override_fills_an_empty_one_and_is_locked(columns, cell, override, said):
    show = known(**columns)

    _, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, override=cell))

    show.refresh_from_db()
    assert (show.override, notes(outcomes)) == (override, said)
    assert show.is_locked("override") == (override == "SKIP" or bool(columns.get("locked_fields")))


def test_an_override_that_was_emptied_in_the_sheet_is_told(author):
    show = known(name="Survivor", tmdb_id=14658)
    voice = known(name="The Voice", tmdb_name="The Voice", tmdb_id=41956)
    move_in(show_row(name="Survivor", tmdb_id=14658, override="SKIP"))
    edit_show(voice.pk, {"override": "Y"}, author)  # this one is not of the sheet

    _, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658), show_row(name="The Voice", tmdb_id=41956))

    show.refresh_from_db()
    assert (kinds(outcomes), show.override) == (["unchanged"] * 2, "SKIP")
    assert notes(outcomes) == [
        "OVERRIDE: emptied since the last import: kept, the catalogue says 'SKIP'; empty it in admin if that is right"
    ]


# --- totals


@pytest.mark.parametrize(
    ("columns", "cell", "total", "locked", "older", "said"),
    [
        ({"show_total_seasons": 45}, 45, 45, False, 0, []),
        ({"show_total_seasons": 45}, 40, 45, False, 1, []),
        ({"show_total_seasons": 45}, "", 45, False, 0, []),
        ({"show_total_seasons": 45}, 46, 46, True, 0, []),
        ({"show_total_seasons": None}, 46, 46, True, 0, []),
        ({"show_total_seasons": None, "tmdb_fetched_at": None}, 46, 46, False, 0, []),
        ({"show_total_seasons": 45, "tmdb_fetched_at": None}, 46, 45, False, 0, []),
        (
            {"show_total_seasons": 45, "locked_fields": ["show_total_seasons"]},
            46, 45, True, 0, ["ShowTotalSeasons 46: kept, the catalogue says 45"],
        ),
        (
            {
                "show_total_seasons": 45,
                "locked_fields": ["show_total_seasons"],
                "upstream_values": {"show_total_seasons": 40},
            },
            39, 45, True, 1, [],
        ),
        (
            {
                "show_total_seasons": 45,
                "locked_fields": ["show_total_seasons"],
                "upstream_values": {"show_total_seasons": 40},
            },
            40, 45, True, 0, [],
        ),
    ],
)  # fmt: skip
def test_more_than_tmdb_says_is_a_persons_and_less_is_old(columns, cell, total, locked, older, said):
    show = known(**columns)

    report, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, seasons=cell))

    show.refresh_from_db()
    assert (show.show_total_seasons, show.is_locked("show_total_seasons")) == (total, locked)
    assert (report.older, notes(outcomes)) == (older, said)


def test_what_tmdb_says_is_kept_beside_a_persons_total():
    show = known(show_total_episodes=600)

    move_in(show_row(name="Survivor", tmdb_id=14658, episodes=640))

    show.refresh_from_db()
    assert show.upstream_values == {"show_total_episodes": 600}


# --- the most recent episode


@pytest.mark.parametrize(
    ("columns", "day"),
    [
        ({"tmdb_fetched_at": None}, date(2023, 12, 20)),
        ({}, None),
        ({"tmdb_fetched_at": None, "most_recent_episode_air_date": date(2024, 1, 1)}, date(2024, 1, 1)),
        ({"tmdb_fetched_at": None, "locked_fields": ["most_recent_episode_air_date"]}, None),
    ],
)
def test_the_most_recent_episode_fills_only_what_is_empty_and_not_told_yet(columns, day):
    show = known(**columns)

    move_in(show_row(name="Survivor", tmdb_id=14658, aired="2023-12-20"))

    show.refresh_from_db()
    assert show.most_recent_episode_air_date == day


def test_a_day_in_another_form_is_a_note_and_no_doubt():
    report, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, aired="20.12.2023"))

    assert kinds(outcomes) == ["created"]
    assert notes(outcomes) == ["Most Recent Episode '20.12.2023' is not a date like 2024-01-31: left out"]
    assert report.status == "succeeded"


# --- networks


def test_another_network_goes_before_those_of_tmdb_and_all_are_locked(bravo, cbs):
    show = known()
    link(show, cbs)

    move_in(show_row(name="Survivor", tmdb_id=14658, network="bravo"))

    show.refresh_from_db()
    assert linked(show) == [("Bravo", "editor"), ("CBS", "tmdb")]
    assert (show.locked_fields, show.upstream_values) == (["networks"], {"networks": [16]})
    assert Change.objects.get().fields == {
        "networks": {"added": ["Bravo (74)"], "removed": []},
        "locked_fields": {"added": ["networks"], "removed": []},
    }


@pytest.mark.parametrize("name", ["CBS", "cbs", " Cbs"])
def test_a_network_that_the_show_has_changes_nothing(bravo, cbs, name):
    link(known(), bravo, cbs)
    before = contents()

    move_in(show_row(name="Survivor", tmdb_id=14658, network=name))

    assert contents() == before


def test_a_network_that_was_merged_stands_for_that_one(bravo):
    Network.objects.create(pk=75, name="Bravo TV", merged_into=bravo)
    show, other = known(), known(name="The Voice", tmdb_name="The Voice", tmdb_id=41956)
    link(show, bravo)

    move_in(
        show_row(name="Survivor", tmdb_id=14658, network="Bravo TV"),
        show_row(name="The Voice", tmdb_id=41956, network="Bravo TV"),
    )

    assert (linked(show), linked(other)) == ([("Bravo", "tmdb")], [("Bravo", "editor")])
    show.refresh_from_db()
    assert show.locked_fields == []


def test_a_network_that_nobody_knows_yet_is_a_note():
    report, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, network="Bravo"))

    assert notes(outcomes) == ["Network 'Bravo': no network is yet known by that name; sync, then import again"]
    assert (doubts(outcomes), report.status) == ([], "succeeded")


def test_a_network_that_tmdb_does_not_have_is_doubtful_and_the_rest_of_the_row_is_taken(author):
    show = known()
    row = show_row(name="Survivor", tmdb_id=14658, network="Bravo TV", override="Y")

    report, outcomes = move_in(row)

    show.refresh_from_db()
    doubt = "Network 'Bravo TV': TMDb has no such network here: choose one in admin (the rest of the row is taken)"
    assert (doubts(outcomes), notes(outcomes), kinds(outcomes)) == ([doubt], [], ["updated"])
    assert (show.override, linked(show)) == ("Y", [])
    assert (report.doubts, report.doubtful, report.status) == (1, 0, "failed")
    failure = SyncFailure.objects.get()
    assert (failure.item, failure.reason, failure.show_id) == ("ShowInfo row 2", doubt, show.pk)

    # ... until somebody has chosen, or has locked none.
    lock_show(show.pk, ["networks"], author)
    report, outcomes = move_in(row)
    assert (doubts(outcomes), report.status) == ([], "succeeded")


def test_a_long_text_is_told_in_short():
    known()

    _, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, network="B" * 50_000))

    assert len(doubts(outcomes)[0]) < 200


@pytest.mark.parametrize("asked", [True, False])
def test_two_networks_of_a_name_are_for_an_editor_to_choose_from(bravo, asked):
    Network.objects.create(pk=75, name="BRAVO")
    show = known() if asked else Show.objects.create(name="Survivor", tmdb_id=14658)

    _, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, network="Bravo"))

    said = "Network 'Bravo': 2 networks are known by that name"
    assert doubts(outcomes) == ([f"{said}: choose one in admin (the rest of the row is taken)"] if asked else [])
    assert notes(outcomes) == ([] if asked else [f"{said}; choose in admin"])
    assert linked(show) == []


def test_networks_that_an_editor_has_locked_stay(bravo, cbs, author):
    show = known()
    edit_show(show.pk, {"networks": [16]}, author)

    _, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, network="Bravo"))

    assert notes(outcomes) == ["Network 'Bravo': kept, the catalogue says 'CBS'"]
    assert linked(show) == [("CBS", "editor")]


def test_what_tmdb_said_of_locked_networks_is_no_news(bravo, cbs, author):
    show = known()
    link(show, bravo)
    edit_show(show.pk, {"networks": [16]}, author)

    _, outcomes = move_in(show_row(name="Survivor", tmdb_id=14658, network="Bravo"))

    assert (kinds(outcomes), notes(outcomes)) == (["unchanged"], [])


def test_networks_that_tmdb_was_not_asked_for_are_not_locked(bravo, cbs):
    without = Show.objects.create(name="A", tmdb_id=1, locked_fields=["name"])
    having = Show.objects.create(name="B", tmdb_id=2, locked_fields=["name"])
    link(having, cbs)

    move_in(show_row(name="A", tmdb_id=1, network="Bravo"), show_row(name="B", tmdb_id=2, network="Bravo"))

    assert (linked(without), linked(having)) == ([("Bravo", "tmdb")], [("CBS", "tmdb")])
    assert set(map(str, Show.objects.values_list("locked_fields", flat=True))) == {"['name']"}


# --- again, and after a sync


@pytest.fixture
def whole(bravo, cbs) -> list[list[Any]]:
    """Rows that create, change and fill, and such that are doubtful, excluded or only noted."""
    show = known(name="The Voice", tmdb_name="The Voice", tmdb_id=41956, show_total_seasons=20)
    link(show, bravo)
    known(name="Gone", tmdb_id=5, deleted_at=timezone.now())
    Show.objects.create(name="Idol", imdb_id="tt0319931", needs_tmdb_resolution=True)
    return [
        SURVIVOR,
        ["Voice", "CBS", 24, 530, "", "41956", "2023-12-19", "Y"],
        show_row(name="Gone", tmdb_id=5),
        show_row(name="Idol", imdb_id="tt0319931", tmdb_id=3626, network="Nobody's", aired="soon"),
        show_row(name="Bad", tmdb_id="x"),
    ]


def test_importing_twice_changes_nothing(whole):
    first, outcomes = move_in(*whole, CastInfo=CAST_TAB[1:])
    before = contents()

    second, again = move_in(*whole, CastInfo=CAST_TAB[1:])

    assert kinds(outcomes) == ["created", "updated", "excluded", "updated", "doubtful"]
    assert kinds(again) == ["unchanged", "unchanged", "excluded", "unchanged", "doubtful"]
    assert contents() == before
    assert (first.tabs["CastInfo"].changed, second.tabs["CastInfo"].changed) == (True, False)


def test_a_dry_run_says_the_same_and_writes_nothing(whole):
    before = contents()

    report, dry = move_in(*whole, write=False, CastInfo=CAST_TAB[1:])
    assert (contents(), SyncRun.objects.count(), SyncFailure.objects.count()) == (before, 0, 0)
    assert (report.run_id, report.tabs["CastInfo"].changed) == (None, True)

    _, outcomes = move_in(*whole, CastInfo=CAST_TAB[1:])
    assert [(one.kind, one.fields, one.reason, one.notes) for one in dry] == [
        (one.kind, one.fields, one.reason, one.notes) for one in outcomes
    ]


def test_after_a_sync_another_import_tells_apart_what_people_wrote(upstream: Upstream):
    world(upstream, 3)
    Show.all_objects.all().delete()
    rows = [
        show_row(name=name_of(FIRST_ID), tmdb_id=FIRST_ID, seasons=3, episodes=20, network="Network 1"),
        show_row(name="By hand", tmdb_id=FIRST_ID + 1, seasons=4, network="Network 3"),
        show_row(name=name_of(FIRST_ID + 2), imdb_id=imdb_id_of(FIRST_ID + 2), tmdb_id=FIRST_ID + 2),
    ]
    report, _ = move_in(*rows)
    assert report.waiting[Waits.SYNC] == 3
    assert set(map(str, Show.objects.values_list("locked_fields", flat=True))) == {"['name']"}

    assert sync_shows(Options(skip_logos=True), kind="sync_shows").exit_code == 0
    Network.objects.create(pk=3, name="Network 3")
    report, outcomes = move_in(*rows)

    first, second, third = Show.objects.order_by("tmdb_id")
    assert (report.waiting[Waits.SYNC], report.older) == (0, 1)
    assert (first.locked_fields, first.show_total_episodes) == ([], 30)
    assert third.locked_fields == []
    assert (second.name, second.show_total_seasons) == ("By hand", 4)
    assert second.locked_fields == ["name", "show_total_seasons", "networks"]
    assert linked(second) == [("Network 3", "editor"), ("Network 1", "tmdb"), ("Network 2", "tmdb")]
    assert kinds(outcomes) == ["updated"] * 3
    before = contents()
    assert kinds(move_in(*rows)[1]) == ["unchanged"] * 3
    assert contents() == before

    # ... and no sync takes any of it back, nor locks what is TMDb's.
    upstream.shows[FIRST_ID]["name"] = "A new name"
    upstream.shows[FIRST_ID + 1] |= {"name": "Another", "number_of_seasons": 9}
    sync_shows(Options(force=True, skip_logos=True), kind="sync_shows")
    first, second, _ = Show.objects.order_by("tmdb_id")
    assert (first.name, second.name, second.show_total_seasons) == ("A new name", "By hand", 4)


def test_a_lock_that_an_editor_has_set_on_a_name_stays(upstream: Upstream, author):
    world(upstream, 1)
    Show.all_objects.all().delete()
    row = show_row(name=name_of(FIRST_ID), tmdb_id=FIRST_ID)
    move_in(row)
    sync_shows(Options(skip_logos=True), kind="sync_shows")
    show = Show.objects.get()
    Change.objects.filter(show=show).delete()
    show.locked_fields = []
    show.save()
    lock_show(show.pk, ["name"], author)

    _, outcomes = move_in(row)

    assert kinds(outcomes) == ["unchanged"]
    show.refresh_from_db()
    assert show.locked_fields == ["name"]


def test_what_an_editor_has_given_back_to_tmdb_is_not_taken_again(upstream: Upstream, bravo, author):
    world(upstream, 1)
    Show.all_objects.all().delete()
    row = show_row(name="By hand", tmdb_id=FIRST_ID, seasons=50, episodes=20, network="Bravo")
    move_in(row)
    sync_shows(Options(skip_logos=True), kind="sync_shows")
    move_in(row)
    show = Show.objects.get()
    assert show.locked_fields == ["name", "show_total_seasons", "networks"]

    unlock_show(show.pk, show.locked_fields, author)
    before = contents()
    report, outcomes = move_in(row)

    assert contents() == before
    assert (kinds(outcomes), report.status) == (["unchanged"], "succeeded")
    why = "as editor gave it back to TMDb"
    assert notes(outcomes) == [
        f"Show 'By hand': kept, the catalogue says 'Island 1001', {why}",
        f"ShowTotalSeasons 50: kept, the catalogue says 3, {why}",
        f"Network 'Bravo': kept, the catalogue says 'Network 1, Network 2', {why}",
    ]

    # ... but what a job has opened is taken, and so is what was locked anew.
    Change.objects.filter(user__isnull=False).update(user=None)
    assert kinds(move_in(row)[1]) == ["updated"]


def test_the_value_that_stood_beside_a_lock_goes_with_it(upstream: Upstream):
    world(upstream, 1)
    Show.all_objects.all().delete()
    row = show_row(name=name_of(FIRST_ID), tmdb_id=FIRST_ID)
    move_in(row)
    sync_shows(Options(skip_logos=True), kind="sync_shows")
    assert Show.objects.get().upstream_values == {"name": name_of(FIRST_ID)}

    move_in(row)

    show = Show.objects.get()
    assert (show.locked_fields, show.upstream_values) == ([], {})


@pytest.mark.parametrize(
    ("status", "mark", "waits"),
    [
        ("failed", True, Waits.UPSTREAM),
        ("gone", True, Waits.EDITOR),
        ("unresolved", True, Waits.EDITOR),
        ("gone", False, Waits.SYNC),  # an editor has given it another id since
        (None, True, Waits.SYNC),
    ],
)
def test_what_must_come_before_another_import_is_told(status, mark, waits):
    show = Show.objects.create(name="A", tmdb_id=1, needs_tmdb_resolution=mark)
    if status:
        SyncState.objects.create(show=show, stage=Stage.DETAILS, status=status, attempted_at=ASKED)

    report, outcomes = move_in(show_row(name="A", tmdb_id=1, network="Bravo"))

    assert report.waiting == {waits: 1}
    advice = "sync, then import again" if waits == Waits.SYNC else "import again once TMDb has told of the show"
    assert notes(outcomes) == [f"Network 'Bravo': no network is yet known by that name; {advice}"]


def test_a_show_that_tmdb_does_not_have_waits_for_nothing(author):
    show = Show.objects.create(name="A", imdb_id="tt0000001", needs_tmdb_resolution=True)
    decide_no_match(show.pk, author)

    report, outcomes = move_in(show_row(name="A", imdb_id="tt0000001", network="Bravo"))

    assert report.waiting == {Waits.NOTHING: 1}
    assert len(doubts(outcomes)) == 1


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_export_of_show_info_moves_into_an_empty_catalogue(kind, bravo, cbs):
    for number in range(1, 6):
        show = Show.objects.create(
            name=f"'=Show {number}, a & b",
            tmdb_id=number if number % 2 else None,
            imdb_id=f"tt{number:07}" if number > 1 else None,
            show_total_seasons=number - 1,
            show_total_episodes=None if number == 3 else 10 * number,
            most_recent_episode_air_date=date(2024, 1, number) if number > 2 else None,
            override=["", "Y", "6"][number % 3],
        )
        link(show, *([cbs, bravo] if number == 5 else [bravo] if number == 4 else []))
    rows = list(ShowInfo().rows(exported_shows()))
    dataset = tablib.Dataset(*rows, headers=ShowInfo.header, title=SHOW_INFO)
    if kind == "csv":
        read = Workbook("a folder", {SHOW_INFO: read_csv(SHOW_INFO, CSV().export_data(dataset))})
    else:
        read = read_xlsx("shows.xlsx", XLSX().export_data(dataset))
    Show.all_objects.all().delete()

    report = import_workbook(read, write=True)

    assert report.tabs[SHOW_INFO].counts == {"created": 5}
    assert list(ShowInfo().rows(exported_shows())) == rows


def test_a_run_is_reverted_as_one(whole, author):
    def columns() -> list[dict[str, Any]]:
        leave_out = ("updated_at", "upstream_values")
        links = ShowNetwork.objects.filter(show__deleted_at=None)
        return [
            {name: value for name, value in row.items() if name not in leave_out}
            for row in Show.objects.order_by("pk").values()
        ] + list(links.order_by("show_id", "position").values("show__tmdb_id", "network_id", "position", "source"))

    before = columns()
    report, _ = move_in(*whole)
    assert columns() != before

    revert({"run": report.run_id}, author, lock=False)

    assert columns() == before


# --- how it ends


def test_a_workbook_without_show_info_is_refused_and_says_what_it_has():
    with pytest.raises(FileProblem, match="It has no tab ShowInfo; its tabs: 'Overview'"):
        import_workbook(Workbook("x", {}, ("Overview",)), write=True)
    assert not SyncRun.objects.exists()


def test_an_empty_show_info_is_refused():
    workbook = show_info()
    workbook.tabs[SHOW_INFO] = read_csv(SHOW_INFO, b"\n")

    with pytest.raises(FileProblem, match="The tab ShowInfo is empty"):
        import_workbook(workbook, write=True)


def test_a_show_info_whose_header_lacks_a_column_is_refused():
    workbook = show_info()
    workbook.tabs[SHOW_INFO] = read_csv(SHOW_INFO, b"Show,IMDbSeriesID,TMDbSeriesID\nA,,1\n")

    with pytest.raises(FileProblem, match="ShowInfo row 1: no column OVERRIDE; it has 'Show', "):
        import_workbook(workbook, write=True)


def test_a_show_info_without_rows_creates_nothing():
    report, _ = move_in()

    assert (report.status, report.rows, Show.objects.count()) == ("succeeded", 0, 0)


def test_two_imports_at_once_are_one_too_many():
    start_run("import_workbook", {})

    with pytest.raises(AlreadyRunning):
        move_in(SURVIVOR)
    assert move_in(SURVIVOR, write=False)[0].status == "succeeded"


ROWS = [show_row(name=f"Show {number}", tmdb_id=number) for number in range(1, 8)]


def test_an_import_that_is_cut_off_leaves_whole_rows_and_the_next_one_finishes(monkeypatch):
    monkeypatch.setattr(moving_in, "CHUNK", 2)
    save_changes, calls = moving_in.save_changes, []

    def failing(changes):
        calls.append(1)
        if len(calls) == 3:
            raise MemoryError("enough")
        save_changes(changes)

    monkeypatch.setattr(moving_in, "save_changes", failing)
    with pytest.raises(MemoryError):
        move_in(*ROWS, CastInfo=CAST_TAB[1:])

    assert list(Show.objects.order_by("tmdb_id").values_list("tmdb_id", flat=True)) == [1, 2, 3, 4]
    assert Change.objects.count() == 4
    assert not WorkbookRow.objects.exists()
    run = SyncRun.objects.get()
    assert (run.status, run.error, run.done, run.total) == ("failed", "MemoryError: enough", 4, 8)

    _, outcomes = move_in(*ROWS, CastInfo=CAST_TAB[1:])
    assert kinds(outcomes) == ["unchanged"] * 4 + ["created"] * 3
    assert list(Show.objects.order_by("created_at").values_list("tmdb_id", flat=True)) == [1, 2, 3, 4, 5, 6, 7]


def test_a_row_that_the_database_refuses_costs_no_other(monkeypatch):
    create = moving_in.create

    def refusing(shows):
        if any(show.tmdb_id == 3 for show in shows):
            raise IntegrityError("duplicate key\nDETAIL: more")
        create(shows)

    monkeypatch.setattr(moving_in, "create", refusing)
    report, outcomes = move_in(*ROWS)

    assert reasons(outcomes) == {4: "the database refused it: duplicate key"}
    assert Show.objects.count() == 6
    assert report.tabs[SHOW_INFO].counts == {"created": 6, "doubtful": 1}


def test_a_database_that_is_away_ends_the_import(monkeypatch):
    def gone(*args, **options):
        raise OperationalError("gone")

    monkeypatch.setattr(moving_in, "read_catalogue", gone)
    monkeypatch.setattr(connections["default"], "is_usable", lambda: False)

    with pytest.raises(OperationalError):
        move_in(SURVIVOR)


def test_a_signal_ends_it_after_the_chunk_at_hand(monkeypatch):
    monkeypatch.setattr(moving_in, "CHUNK", 2)
    stop = threading.Event()
    stop.set()

    report = import_workbook(show_info(*ROWS, CastInfo=CAST_TAB[1:]), write=True, interrupt=stop)

    assert (report.status, Show.objects.count(), WorkbookRow.objects.count()) == ("stopped", 2, 0)
    assert SyncRun.objects.get().status == "stopped"


def test_a_second_signal_ends_it_on_the_spot(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(moving_in, "save_changes", interrupted)
    report, _ = move_in(SURVIVOR)

    assert (report.status, Show.objects.count()) == ("stopped", 0)


def test_a_run_that_is_cancelled_ends_after_the_chunk_at_hand(monkeypatch, author):
    monkeypatch.setattr("ingestion.runs.BEAT_EVERY", 0)
    monkeypatch.setattr(moving_in, "CHUNK", 2)
    save_changes = moving_in.save_changes

    def cancelled_meanwhile(changes):
        cancel(SyncRun.objects.get().pk, author.user)
        save_changes(changes)

    monkeypatch.setattr(moving_in, "save_changes", cancelled_meanwhile)
    report, _ = move_in(*ROWS)

    assert (report.status, Show.objects.count()) == ("cancelled", 2)
    assert "cancelled by editor" in report.error


# --- what it costs


def count_queries(rows: list[list[Any]], **tabs: Any) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        move_in(*rows, **tabs)
    return len(queries)


def test_rows_that_change_nothing_cost_the_same_few_queries_however_many_they_are():
    rows = [show_row(name=f"Show {number}", tmdb_id=number, override="Y", seasons=3) for number in range(1, 201)]
    move_in(*rows)

    few, many = count_queries(rows[:2]), count_queries(rows)

    assert many == few
    assert many < 20


def test_new_rows_cost_no_queries_of_their_own():
    rows = [show_row(name=f"Show {number}", tmdb_id=number, override="Y") for number in range(1, 201)]

    few, many = count_queries(rows[:2]), count_queries(rows[2:])

    assert many - few <= 12  # SQLite takes some 18 rows in a statement
