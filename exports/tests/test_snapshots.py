"""What was published is kept as it was, the last few times, also when nobody came to note it."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as project
from hypothesis import given
from hypothesis import strategies as st

from catalog.models import Show
from catalog.tests.daphnes import environment
from demo.sheets import Call, SheetsServer, Workbook
from exports.export import export_tabs
from exports.models import ExportedTab, ExportRun, Snapshot
from exports.options import Options
from exports.publish import STAGE
from exports.snapshots import last_published, pack, save_snapshot, tables_of_run, unpack
from exports.tables import Table

from .conftest import BOOK, HEADER, a_show, cells

KEYS = (("Id",), ("Show", "Year"))
COLUMNS = ("Show", "Year", "Id")
CELLS = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**53), 2**53), st.booleans())


def table(*names: str) -> Table:
    return Table("ShowInfo", COLUMNS, [(name, 2000, name) for name in names], KEYS)


def keep(table: Table, workbook: str = BOOK, title: str = "ShowInfo") -> ExportRun:
    run = ExportRun.objects.create(format="google", status="succeeded", workbook=workbook)
    exported = ExportedTab.objects.create(run=run, title=title, is_published=True, sheet_id=7)
    save_snapshot(exported, table)
    return run


@pytest.mark.once
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=10))
def test_what_is_packed_is_unpacked_as_it_was(rows: list[Any]) -> None:
    kept = Table("ShowInfo", COLUMNS, rows, KEYS)

    unpacked = unpack("ShowInfo", pack(kept))

    assert unpacked == kept
    assert [[type(cell) for cell in row] for row in unpacked.rows] == [[type(cell) for cell in row] for row in rows]
    assert pack(unpacked) == pack(kept), "at any time the same bytes"


@pytest.mark.django_db
def test_what_was_last_published_is_known_by_workbook_and_tab(settings: Any) -> None:
    settings.SPREADSHEET_ID = BOOK
    assert last_published("ShowInfo").table is None

    keep(table("first"))
    keep(table("last"))
    keep(table("another tab"), title="ShowInfo ended")
    keep(table("another workbook"), workbook="another")

    assert last_published("ShowInfo").table == table("last")
    assert last_published("ShowInfo").sheet_id == 7


@pytest.mark.django_db
def test_the_last_few_of_each_tab_are_kept(settings: Any) -> None:
    settings.SPREADSHEET_ID, settings.EXPORT_SNAPSHOTS = BOOK, 3
    other = keep(table("x"), title="ShowInfo ended")

    runs = [keep(table(str(number))) for number in range(5)]

    assert list(Snapshot.objects.filter(title="ShowInfo").values_list("exported__run", flat=True).order_by("pk")) == [
        run.pk for run in runs[2:]
    ]
    assert [len(tables_of_run(run.pk)) for run in (*runs[2:], other)] == [1, 1, 1, 1]
    with pytest.raises(ValueError, match=f"what export {runs[1].pk} published is no longer kept"):
        tables_of_run(runs[1].pk)
    assert ExportedTab.objects.count() == 6, "the ledger itself stays"


@pytest.mark.django_db
def test_an_export_that_changes_nothing_keeps_nothing(server: SheetsServer) -> None:
    a_show(1)
    for _ in range(3):
        export_tabs(Options())

    assert (ExportRun.objects.count(), Snapshot.objects.count()) == (3, 1)


@pytest.mark.django_db
def test_rows_are_kept_in_the_order_in_which_readers_have_them(server: SheetsServer, workbook: Workbook) -> None:
    for number in (1, 2, 3):
        a_show(number)
    export_tabs(Options())
    Show.objects.filter(tmdb_id=1).update(override="SKIP")
    export_tabs(Options())
    Show.objects.filter(tmdb_id=1).update(override="")
    export_tabs(Options())

    kept = last_published("ShowInfo").table

    assert kept is not None
    assert [row[0] for row in kept.rows] == ["Show 2", "Show 3", "Show 1"]
    assert [row[0] for row in workbook.values("ShowInfo")[1:]] == ["Show 2", "Show 3", "Show 1"]


# --- killed


@pytest.mark.parametrize("call", [4, 7, 8])
@pytest.mark.django_db(transaction=True)
def test_killed_at_a_call_readers_have_one_tab_or_the_other_and_the_next_run_puts_all_in_order(
    server: SheetsServer, workbook: Workbook, call: int
) -> None:
    a_show(1)
    a_show(2)
    export_tabs(Options())
    Show.objects.filter(tmdb_id=1).update(name="Renamed")
    server.clear()
    env = environment(GOOGLE_SHEETS_API_URL=server.url, SPREADSHEET_ID=BOOK)
    child = subprocess.Popen(
        [sys.executable, "manage.py", "export_sheets"], env=env, cwd=project.BASE_DIR, stdout=subprocess.DEVNULL
    )

    def kill(made: Call) -> None:
        if made.number == call:
            os.kill(child.pid, signal.SIGKILL)

    server.after_call = kill
    assert child.wait(60) == -signal.SIGKILL
    server.after_call = None

    was_done = call == 8  # the call that publishes
    new, old = [HEADER, cells(1, "Renamed"), cells(2)], [HEADER, cells(1), cells(2)]
    assert [[*row, ""][:8] for row in workbook.values("ShowInfo")] == (new if was_done else old)
    assert bool([sheet for sheet in workbook.sheets if STAGE.match(sheet.title)]) != was_done
    server.clear()

    report = export_tabs(Options())

    assert (report.exit_code, report.tabs[0].is_sent) == (0, not was_done)
    assert [[*row, ""][:8] for row in workbook.values("ShowInfo")] == new
    assert not [sheet for sheet in workbook.sheets if STAGE.match(sheet.title)]
    kept = last_published("ShowInfo").table
    assert kept is not None
    assert [row[0] for row in kept.rows] == ["Renamed", "Show 2"], "though the killed one has noted nothing"
    assert list(ExportRun.objects.order_by("pk").values_list("status", flat=True)) == [
        "succeeded",
        "interrupted",
        "succeeded",
    ]
    assert report.tabs[0].difference.by_hand == []
