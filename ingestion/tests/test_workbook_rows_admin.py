"""The rows of the old workbook in admin: looked up by anybody of the desk, changed by nobody."""

from html import unescape
from re import sub
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from ingestion.models import SyncRun, WorkbookRow

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LIST = "/admin/ingestion/workbookrow/"
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def viewer(client: Client, django_user_model: Any) -> Client:
    user = django_user_model.objects.create_user("viewer", is_staff=True)
    user.groups.add(Group.objects.get(name="viewer"))
    client.force_login(user)
    return client


def row(number: int = 2, tab: str = "CastInfo", **cells: Any) -> WorkbookRow:
    run, _ = SyncRun.objects.get_or_create(kind="import_workbook", defaults={"host": "x", "pid": 1})
    return WorkbookRow.objects.create(tab=tab, number=number, cells=cells or {"Name": f"Person {number}"}, run=run)


def text_of(client: Client, url: str) -> str:
    page = client.get(url).content.decode()
    return unescape(" ".join(sub(r"<[^>]*>", " ", page).split()))


def test_the_list_shows_the_cells_in_the_order_of_the_tab(viewer):
    row(TotalSeasons="1, 2", Name="Kyle Richards", M="use THIS", IMDbCastID="nm0724153")

    assert "CastInfo row 2 Kyle Richards · nm0724153 · 1, 2 · use THIS" in text_of(viewer, LIST)


def test_the_list_is_filtered_by_tab(viewer):
    row(2)
    row(2, "FinalList", Name="Ana")

    text = text_of(viewer, f"{LIST}?tab=FinalList")
    assert "Ana" in text
    assert "Person 2" not in text


@pytest.mark.parametrize("term", ["Zoë", "nm0724153", "richards Zoë", "724", 'a"b'])
def test_a_row_is_found_by_what_stands_in_a_cell(viewer, term):
    row(2, Name='Zoë Richards a"b', IMDbCastID="nm0724153")
    row(3)

    text = text_of(viewer, f"{LIST}?q={term}")
    assert "Zoë Richards" in text
    assert "Person 3" not in text


def test_a_heading_is_found_too_and_the_search_says_so(viewer):
    row(2, Name="Ana", Zodiac="Aries")
    row(3)

    text = text_of(viewer, f"{LIST}?q=zodiac")
    assert "CastInfo row 2" in text
    assert "Person 3" not in text
    assert "Any text of a row: a name, an id; headings too." in viewer.get(LIST).content.decode()


def test_an_empty_list_says_how_rows_come_here(viewer, admin_client):
    for client in (viewer, admin_client):
        text = text_of(client, LIST)
        assert "Nothing was kept of the old workbook yet: python manage.py import_workbook SOURCE --write" in text
        assert "Create a new item" not in text


@pytest.mark.parametrize("query", ["q=nobody", "tab=WWHLinfo"])
def test_a_list_that_is_filtered_away_leads_back_to_all(viewer, query):
    row(2)
    row(2, "FinalList", Name="Ana")

    text = text_of(viewer, f"{LIST}?{query}")

    assert "No row is like that. Show all rows" in text
    assert "Nothing was kept" not in text


def test_the_page_of_a_row_shows_every_cell_and_the_run(viewer):
    kept = row(Name="Kyle Richards", TotalEpisodes=250, M="use THIS")

    text = text_of(viewer, f"{LIST}{kept.pk}/change/")
    assert "Name Kyle Richards TotalEpisodes 250 M use THIS" in text
    assert f"run {kept.run_id}" in text


def test_a_row_outlives_its_run(viewer):
    kept = row()
    SyncRun.objects.all().delete()

    assert "a run that is no longer kept" in text_of(viewer, f"{LIST}{kept.pk}/change/")


def test_nobody_edits_or_deletes_one(viewer, admin_client):
    kept = row()
    for client in (viewer, admin_client):
        assert client.get(f"{LIST}{kept.pk}/change/").status_code == 200
        assert client.post(f"{LIST}{kept.pk}/change/", {"tab": "x"}).status_code == 403
        assert client.post(f"{LIST}{kept.pk}/delete/", {"post": "yes"}).status_code == 403
        assert client.get(f"{LIST}add/").status_code == 403


def test_the_sidebar_leads_there(viewer):
    assert f'href="{LIST}"' in viewer.get("/admin/").content.decode()


def test_hostile_cells_are_shown_as_text(viewer):
    kept = row(Name=HOSTILE)

    for url in (LIST, f"{LIST}{kept.pk}/change/"):
        assert HOSTILE not in viewer.get(url).content.decode()


def test_the_run_says_which_workbook_it_read(viewer):
    run = SyncRun.objects.create(
        kind="import_workbook", host="x", pid=1, status="succeeded", options={"workbook": "old.xlsx (/tmp/old.xlsx)"}
    )

    text = text_of(viewer, f"/admin/ingestion/syncrun/{run.pk}/change/")
    assert "the workbook old.xlsx (/tmp/old.xlsx)" in text
    assert "a command" in text
