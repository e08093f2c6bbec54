import io
import threading
from datetime import date

import pytest
from django.apps import apps
from django.db import IntegrityError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.changes import Author
from catalog.models import Change, Show
from catalog.trash import delete_show, restore_show
from ingestion import imports
from ingestion.imports import Outcome, Report, import_shows, save_lines
from ingestion.models import SyncFailure, SyncRun
from ingestion.runs import AlreadyRunning, cancel, start_run
from ingestion.shows_csv import GoodLine

pytestmark = pytest.mark.django_db

HEADER = "name,imdb_id,tmdb_id,premiere_date,override\n"


def import_text(text: str, **options) -> tuple[Report, list[Outcome]]:
    outcomes: list[Outcome] = []
    report = import_shows(io.BytesIO((HEADER + text).encode()), on_outcome=outcomes.append, **options)
    return report, outcomes


def reasons(outcomes: list[Outcome]) -> dict[int, str]:
    return {outcome.line: outcome.reason for outcome in outcomes if outcome.kind == "failed"}


def counts(**values: int) -> dict[str, int]:
    return {"created": 0, "updated": 0, "unchanged": 0, "failed": 0} | values


def rows_of_every_table() -> dict[str, int]:
    return {model._meta.db_table: model._default_manager.count() for model in apps.get_models()}


def test_new_show_is_created_with_its_change():
    report, _ = import_text("Survivor,tt0239195,14658,2000-05-31,\n")

    show = Show.objects.get()
    assert (show.name, show.imdb_id, show.tmdb_id) == ("Survivor", "tt0239195", 14658)
    assert (show.premiere_date, show.locked_fields) == (date(2000, 5, 31), [])
    assert (show.needs_imdb_resolution, show.needs_tmdb_resolution) == (False, False)
    change = Change.objects.get()
    assert (change.show_id, change.kind, change.run_id) == (show.pk, "created", report.run_id)
    assert change.fields == {
        "name": [None, "Survivor"],
        "imdb_id": [None, "tt0239195"],
        "tmdb_id": [None, 14658],
        "premiere_date": [None, "2000-05-31"],
    }


def test_show_with_one_id_needs_the_other_resolved():
    import_text("Survivor,tt0239195,\nThe Voice,,41956\n")

    survivor, voice = Show.objects.order_by("name")
    assert (survivor.needs_imdb_resolution, survivor.needs_tmdb_resolution) == (False, True)
    assert (voice.needs_imdb_resolution, voice.needs_tmdb_resolution) == (True, False)
    assert Change.objects.get(show=survivor).fields["needs_tmdb_resolution"] == [None, True]


def test_override_of_the_file_is_locked_as_an_editors():
    Show.objects.create(name="Known", tmdb_id=1, locked_fields=["name"])

    import_text("Known,,1,,skip\nNew,,2,,3\n")

    known, new = Show.objects.order_by("tmdb_id")
    assert (known.override, known.locked_fields) == ("SKIP", ["name", "override"])
    assert (new.override, new.locked_fields) == ("3", ["override"])
    locked = {"added": ["override"], "removed": []}
    assert Change.objects.get(show=known).fields == {"override": ["", "SKIP"], "locked_fields": locked}


def test_known_show_gets_what_it_lacks():
    show = Show.objects.create(name="Survivor", imdb_id="tt0239195", needs_tmdb_resolution=True)
    stamp = show.updated_at

    report, _ = import_text("SURVIVOR!,tt0239195,14658,2000-05-31,\n")

    show.refresh_from_db()
    assert report.counts == counts(updated=1)
    assert (show.name, show.tmdb_id, show.premiere_date) == ("Survivor", 14658, date(2000, 5, 31))
    assert not show.needs_tmdb_resolution
    assert show.updated_at > stamp
    change = Change.objects.get()
    assert (change.kind, change.run_id) == ("updated", report.run_id)
    assert change.fields == {
        "tmdb_id": [None, 14658],
        "needs_tmdb_resolution": [True, False],
        "premiere_date": [None, "2000-05-31"],
    }


@pytest.mark.parametrize(
    ("known", "line", "refused"),
    [
        ({"imdb_id": "tt0239195"}, "The Voice,tt0239195,41956,2000-05-31,SKIP", "tmdb_id"),
        ({"tmdb_id": 41956}, "The Voice,tt0239195,41956,2000-05-31,SKIP", "imdb_id"),
    ],
)
def test_id_is_not_filled_under_another_name(known, line, refused):
    Show.objects.create(name="The Good Wife", **known)
    before = Show.objects.values().get()

    report, outcomes = import_text(f"{line}\nSurvivor,,14658,,\n")

    assert report.counts == counts(created=1, failed=1)
    assert reasons(outcomes) == {
        2: f"its id is that of 'The Good Wife', another name, so its {refused} is not taken",
    }
    assert Show.objects.values().get(pk=before["id"]) == before
    assert list(Change.objects.values_list("kind", flat=True)) == ["created"]


def test_other_columns_are_filled_under_another_name():
    show = Show.objects.create(name="Survivor", imdb_id="tt0239195", tmdb_id=14658)

    report, _ = import_text("Another name,tt0239195,14658,2000-05-31,\n")

    show.refresh_from_db()
    assert report.counts == counts(updated=1)
    assert (show.name, show.premiere_date) == ("Survivor", date(2000, 5, 31))


def test_known_show_keeps_what_it_has():
    show = Show.objects.create(name="Survivor", tmdb_id=14658, premiere_date=date(2000, 5, 31), override="Y")

    report, _ = import_text("Survivor!,,14658,1999-01-01,SKIP\n")

    show.refresh_from_db()
    assert report.counts == counts(unchanged=1)
    assert (show.name, show.premiere_date, show.override, show.locked_fields) == (
        "Survivor", date(2000, 5, 31), "Y", [],
    )  # fmt: skip
    assert not Change.objects.exists()


@pytest.mark.parametrize("field", ["tmdb_id", "premiere_date", "override"])
def test_empty_column_that_an_editor_locked_stays_empty(field):
    values = {"tmdb_id": 14658, "premiere_date": date(2000, 5, 31), "override": "Y"}
    del values[field]
    show = Show.objects.create(name="Survivor", imdb_id="tt0239195", locked_fields=[field], **values)

    report, _ = import_text("Survivor,tt0239195,14658,2000-05-31,Y\n")

    show.refresh_from_db()
    assert report.counts == counts(unchanged=1)
    assert not getattr(show, field)
    assert not Change.objects.exists()


def test_second_import_changes_nothing():
    text = "Survivor,tt0239195,14658,2000-05-31,Y\nThe Voice,,41956,,\nThe Circle,tt8943296,,,skip\n"
    import_text(text)
    stamps = list(Show.objects.values_list("updated_at", flat=True))
    Change.objects.all().delete()

    report, _ = import_text(text)

    assert report.counts == counts(unchanged=3)
    assert not Change.objects.exists()
    assert list(Show.objects.values_list("updated_at", flat=True)) == stamps


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("X,tt0239195,41956", "imdb_id is Survivor's and tmdb_id is The Voice's"),
        ("X,tt0239195,1", "tmdb_id 1 differs from the catalogue's 14658 of Survivor"),
        ("X,tt0000001,14658", "imdb_id tt0000001 differs from the catalogue's tt0239195 of Survivor"),
        ("X,tt12,", "imdb_id 'tt12' is not tt and at least 7 digits"),
    ],
)
def test_line_that_contradicts_the_catalogue_is_refused(line, reason):
    Show.objects.create(name="Survivor", imdb_id="tt0239195", tmdb_id=14658)
    Show.objects.create(name="The\nVoice", tmdb_id=41956)

    report, outcomes = import_text(f"{line}\nNew,,5\n")

    assert reasons(outcomes) == {2: reason}
    assert report.counts == counts(created=1, failed=1)
    assert report.status == "failed"
    failure = SyncFailure.objects.get(run_id=report.run_id)
    assert (failure.item, failure.reason) == ("line 2", reason)
    assert Show.objects.get(imdb_id="tt0239195").tmdb_id == 14658


def test_line_that_repeats_an_earlier_one_is_refused():
    _, outcomes = import_text("A,tt0000001,1\nB,tt0000002,2\nC,tt0000001,\nD,tt0000004,2\nE,tt0000005,5\n")

    assert reasons(outcomes) == {4: "repeats line 2", 5: "repeats line 3"}


@pytest.mark.parametrize("dry_run", [False, True])
def test_repeats_are_found_across_chunks(monkeypatch, dry_run):
    monkeypatch.setattr(imports, "CHUNK", 2)

    report, outcomes = import_text("A,,1\nB,,2\nC,,3\nD,,1\nE,,4\n", dry_run=dry_run)

    assert reasons(outcomes) == {5: "repeats line 2"}
    assert report.counts == counts(created=4, failed=1)


def test_line_after_a_refused_one_is_no_repeat():
    Show.objects.create(name="Survivor", imdb_id="tt0239195", tmdb_id=14658)

    _, outcomes = import_text("Survivor,tt0239195,1\nSurvivor,tt0239195,14658\n")

    assert [outcome.kind for outcome in outcomes] == ["failed", "unchanged"]


def test_two_lines_may_fill_one_show_through_different_ids():
    Show.objects.create(name="Survivor", imdb_id="tt0239195", tmdb_id=14658)

    report, _ = import_text("Survivor,tt0239195,,2000-05-31\nSurvivor,,14658,,Y\n")

    show = Show.objects.get()
    assert report.counts == counts(updated=2)
    assert (show.premiere_date, show.override) == (date(2000, 5, 31), "Y")
    assert Change.objects.filter(show=show).count() == 2


def test_bad_lines_are_told_in_the_order_of_the_file():
    _, outcomes = import_text("A,,1\nB,,x\nC,,1\nD,,\nE,,5\n")

    assert [(outcome.line, outcome.kind) for outcome in outcomes] == [
        (2, "created"), (3, "failed"), (4, "failed"), (5, "failed"), (6, "created"),
    ]  # fmt: skip


def test_limit_counts_good_lines_only():
    Show.objects.create(name="Known", tmdb_id=9, imdb_id="tt0000009")

    report, outcomes = import_text("A,,x\nK,tt0000008,9\nB,,1\nK,,9\nC,,3\nD,,y\n", limit=2)

    assert report.counts == counts(created=1, unchanged=1, failed=2)
    assert outcomes[-1].line == 5


def test_run_is_kept_in_the_ledger():
    report, _ = import_text("A,,1\nB,,x\n", options={"file": "shows.csv"})

    run = SyncRun.objects.get()
    assert (run.pk, run.kind, run.status) == (report.run_id, "import_shows", "failed")
    assert (run.done, run.total, run.counts) == (2, 2, counts(created=1, failed=1))
    assert run.options == {"file": "shows.csv"}
    assert run.finished_at


def test_header_that_can_not_be_used_imports_nothing():
    outcomes: list[Outcome] = []

    report = import_shows(io.BytesIO(b"Survivor,tt0239195,14658\n" * 3), on_outcome=outcomes.append)

    assert report.counts == counts(failed=1)
    assert outcomes[0].line == 1
    assert "no column name" in outcomes[0].reason
    assert not Show.objects.exists()
    assert SyncRun.objects.get().status == "failed"


def test_second_import_at_once_is_refused():
    start_run("import_shows", {})

    with pytest.raises(AlreadyRunning):
        import_text("A,,1\n")

    assert not Show.objects.exists()


def test_dry_run_writes_no_row_in_any_table():
    Show.objects.create(name="Survivor", imdb_id="tt0239195")
    Show.objects.create(name="The Voice", tmdb_id=41956)
    before = rows_of_every_table()
    text = "Survivor,tt0239195,14658\nThe Voice,,41956\nNew,,5\nBad,,x\n"

    with CaptureQueriesContext(
        connection,
    ) as queries:
        report, outcomes = import_text(text, dry_run=True)

    assert [outcome.kind for outcome in outcomes] == ["updated", "unchanged", "created", "failed"]
    assert report.run_id is None
    assert rows_of_every_table() == before
    assert [query["sql"][:6] for query in queries] == ["SELECT"]
    assert Show.objects.get(name="Survivor").tmdb_id is None
    assert import_text(text)[0].counts == report.counts


def test_dry_run_goes_beside_a_real_one():
    start_run("import_shows", {})

    assert import_text("A,,1\n", dry_run=True)[0].counts == counts(created=1)


def test_show_saved_by_somebody_else_meanwhile_costs_no_other_line(monkeypatch):
    find_shows, calls = imports._find_shows, []

    def find_before_the_other(lines, *, lock):
        """Sees nothing the first time, as if the other's rows came just after."""
        calls.append(lines)
        return find_shows(lines, lock=lock) if len(calls) > 1 else []

    monkeypatch.setattr(imports, "_find_shows", find_before_the_other)
    Show.objects.create(name="Survivor", imdb_id="tt0239195", tmdb_id=14658)

    report, outcomes = import_text("A,,1\nSurvivor,tt0239195,14658\nSurvivor,tt0000001,14658\nB,,2\n")

    assert report.counts == counts(created=2, unchanged=1, failed=1)
    assert reasons(outcomes) == {4: "repeats line 3"}
    assert Change.objects.count() == 2


def test_line_that_the_database_refuses_is_named_and_no_good_line(monkeypatch):
    monkeypatch.setattr(imports, "_find_shows", lambda lines, *, lock: [])
    Show.objects.create(name="Survivor", tmdb_id=14658)

    _, outcomes = import_text("A,,1\nSurvivor,tt0239195,14658\nB,tt0239195,\n")

    assert [outcome.kind for outcome in outcomes] == ["created", "failed", "created"]
    assert reasons(outcomes)[3].startswith("the database refused it: ")
    assert "\n" not in reasons(outcomes)[3]


def test_change_rows_live_and_die_with_their_shows(monkeypatch):
    def refuse(*args, **kwargs):
        raise IntegrityError("no")

    monkeypatch.setattr(Change.objects, "bulk_create", refuse)

    outcomes = save_lines([GoodLine(2, "A", None, 1)], Author(), {})

    assert outcomes[0].kind == "failed"
    assert not Show.objects.exists()


def test_lost_database_is_not_a_bad_line(monkeypatch):
    def lose(*args, **kwargs):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(imports, "_find_shows", lose)

    with pytest.raises(OperationalError):
        import_text("A,,1\nB,,2\n")

    assert SyncRun.objects.get().status == "failed"
    assert not SyncFailure.objects.exists()


def test_an_import_that_is_asked_to_stop_ends_after_the_chunk_at_hand(monkeypatch):
    monkeypatch.setattr(imports, "CHUNK", 2)
    interrupt = threading.Event()
    interrupt.set()

    report = import_shows(io.BytesIO((HEADER + "A,,1\nB,,2\nC,,3\n").encode()), interrupt=interrupt)

    assert report.status == "stopped"
    assert Show.objects.count() == 2
    assert SyncRun.objects.get().status == "stopped"


def test_an_import_that_is_cancelled_ends_after_the_chunk_at_hand(monkeypatch, django_user_model):
    monkeypatch.setattr(imports, "CHUNK", 2)
    monkeypatch.setattr("ingestion.runs.BEAT_EVERY", 0)
    anna = django_user_model.objects.create_user("anna")

    def press(outcome):
        if outcome.line == 2:
            assert cancel(SyncRun.objects.get().pk, anna)

    report = import_shows(io.BytesIO((HEADER + "A,,1\nB,,2\nC,,3\n").encode()), on_outcome=press)

    row = SyncRun.objects.get()
    assert (report.status, row.status, row.done) == ("cancelled", "cancelled", 2)
    assert row.error == report.error == "cancelled by anna; what was done is kept"
    assert Show.objects.count() == 2


def test_stopped_by_hand_keeps_the_chunks_that_are_done(monkeypatch):
    monkeypatch.setattr(imports, "CHUNK", 2)
    done: list[Outcome] = []

    def stop(outcome):
        done.append(outcome)
        if len(done) == 4:
            raise KeyboardInterrupt

    report = import_shows(io.BytesIO((HEADER + "A,,1\nB,,2\nC,,3\nD,,4\nE,,5\n").encode()), on_outcome=stop)

    assert report.status == "stopped"
    assert Show.objects.count() == 4
    assert SyncRun.objects.get().status == "stopped"


def test_file_that_breaks_off_keeps_the_chunks_that_are_done(monkeypatch):
    class Broken(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            data = super().read1(20)
            if not data:
                raise OSError(5, "Input/output error")
            return data

    monkeypatch.setattr(imports, "CHUNK", 1)

    report = import_shows(Broken(b"name,tmdb_id\nA,1\nB,2\n"))

    assert (report.status, report.error) == ("failed", "the file can't be read: Input/output error")
    assert Show.objects.count() == 2
    assert SyncRun.objects.get().error == report.error


def test_statements_go_by_the_chunk_not_by_the_line():
    lines = 4 * imports.CHUNK
    text = "".join(f"Show {n},tt{n:07},{n}\n" for n in range(1, lines + 1))
    chunks = lines // imports.CHUNK

    with CaptureQueriesContext(connection) as first:
        report, _ = import_text(text)
    with CaptureQueriesContext(connection) as second:
        again, _ = import_text(text)

    assert report.counts == counts(created=lines)
    assert again.counts == counts(unchanged=lines)
    assert len(second) <= 4 * chunks + 10  # savepoint, select, release
    # SQLite takes a limited number of values in a statement, so that a chunk is several INSERTs there.
    assert len(first) <= (8 if connection.vendor == "postgresql" else 100) * chunks + 10


@pytest.mark.once
def test_updates_go_by_the_batch():
    lines = 2_000
    Show.objects.bulk_create(Show(name=f"Show {n}", tmdb_id=n, needs_imdb_resolution=True) for n in range(1, lines + 1))

    with CaptureQueriesContext(connection) as queries:
        report, _ = import_text("".join(f"Show {n},tt{n:07},{n}\n" for n in range(1, lines + 1)))

    assert report.counts == counts(updated=lines)
    assert len(queries) < lines / 10
    assert not Show.objects.filter(needs_imdb_resolution=True).exists()


# --- what an editor has put away


def test_a_show_in_the_trash_stays_there_and_its_line_is_excluded(django_user_model):
    anna = django_user_model.objects.create_user("anna")
    show = Show.objects.create(name="Survivor", imdb_id="tt0239195")
    delete_show(show.pk, Author(user=anna, reason="not reality"))

    report, outcomes = import_text("Survivor,tt0239195,14658,,\nThe Voice,,41956,,\n")

    assert (report.counts, report.status) == (counts(created=1, excluded=1), "succeeded")
    assert (outcomes[0].kind, outcomes[0].reason) == ("excluded", "Survivor is in the trash (by anna: not reality)")
    show.refresh_from_db()
    assert (show.deleted_at is not None, show.tmdb_id) == (True, None)
    assert Show.objects.get().name == "The Voice"
    assert not SyncFailure.objects.exists()


def test_a_line_of_a_merged_show_says_into_which():
    kept = Show.objects.create(name="Survivor", tmdb_id=14658)
    Show.objects.create(name="Survivor (US)", imdb_id="tt0239195", merged_into=kept, deleted_at=timezone.now())

    _, outcomes = import_text("Survivor,tt0239195,14658,,\n")

    assert [(o.kind, o.reason) for o in outcomes] == [("excluded", "Survivor (US) was merged into Survivor")]


def test_a_dry_run_excludes_the_same_lines():
    Show.objects.create(name="Survivor", tmdb_id=14658, deleted_at=timezone.now())

    report, outcomes = import_text("Survivor,,14658,,\nSurvivor,,14658,,\n", dry_run=True)

    assert report.counts == counts(excluded=2)  # nor is the second one told to repeat the first
    assert {o.reason for o in outcomes} == {"Survivor is in the trash"}


def test_a_show_that_was_restored_is_imported_again():
    show = Show.objects.create(name="Survivor", tmdb_id=14658)
    delete_show(show.pk, Author(reason="a slip"))
    restore_show(show.pk, Author())

    report, _ = import_text("Survivor,tt0239195,14658,,\n")

    assert report.counts == counts(updated=1)


def test_a_chunk_with_many_excluded_lines_costs_as_many_queries_as_one():
    sizes = []
    for first, number in ((1, 1), (100, 40)):
        for one in range(first, first + number):
            delete_show(Show.objects.create(name=f"Show {one}", tmdb_id=one).pk, Author())
        lines = "".join(f"Show {one},,{one},,\n" for one in range(first, first + number))
        with CaptureQueriesContext(connection) as queries:
            import_text(lines, dry_run=True)
        sizes.append(len(queries))
    assert sizes[0] == sizes[1]
