"""Moving in from end to end, in the steps that README names: on the stand-ins, over real HTTP."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from catalog.models import Show
from demo.replies import demo_shows
from demo.sheets import SheetsServer, Workbook, demo_workbook
from demo.upstream import Upstream

from .workbooks import contents

pytestmark = pytest.mark.django_db

BOOK = "book"


@pytest.fixture
def workbook(settings: Any) -> Iterator[Workbook]:
    workbook = demo_workbook()
    with SheetsServer({BOOK: workbook}) as server:
        settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = server.url, BOOK
        yield workbook


def run(*args: str) -> str:
    """What a command says; it raises where a shell would see another exit code than 0."""
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_import_sync_import_export_ends_well(upstream: Upstream, workbook: Workbook):
    upstream.shows = demo_shows()

    run("import_workbook", "google", "--write")
    run("sync_shows", "--skip-logos")  # TMDb's stand-in knows no totals: what the workbook says of them is no loss
    run("import_workbook", "google", "--write")
    survivor = Show.objects.get(tmdb_id=14658)
    assert (survivor.show_total_seasons, survivor.locked_fields) == (45, ["show_total_seasons"])

    before = contents()
    assert "updated 0, unchanged 4" in run("import_workbook", "google", "--write")
    assert contents() == before

    with pytest.raises(CommandError, match="never published from here"):
        run("export_sheets", "--dry-run")
    run("export_sheets", "--force")
    assert workbook.values("ShowInfo")[1][:6] == ["Survivor", "CBS", 45, "", "tt0239195", "14658"]
    run("export_sheets")  # no --force: the tab is ours now
