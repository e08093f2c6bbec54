import csv
import io
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import openpyxl
import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from catalog.admin import import_export, show_export
from catalog.batches import apply
from catalog.changes import Author
from catalog.edits import edit_show
from catalog.file_formats import read_sheet
from catalog.models import Batch, Change, Network, SavedView, Show, ShowNetwork
from catalog.show_resource import COLUMNS
from catalog.trash import delete_show

pytestmark = [pytest.mark.django_db, pytest.mark.once]

EXPORT, IMPORT = "/admin/catalog/show/export/", "/admin/catalog/show/import/"


def table(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200
    sheet = read_sheet(response.content)
    return [dict(zip(sheet.header, row.cells, strict=True)) for row in sheet.rows]


def names(response: Any) -> list[str]:
    return [row["name"] for row in table(response)]


def csv_of(*rows: list[Any]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    return stream.getvalue().encode()


def upload(client: Client, data: bytes, name: str = "shows.csv", *, follow: bool = True) -> Any:
    return client.post(IMPORT, {"file": SimpleUploadedFile(name, data)}, follow=follow)


def drafted(client: Client, *rows: list[Any]) -> Batch:
    """The draft that an upload of these rows leaves."""
    assert upload(client, csv_of(*rows), follow=False).status_code == 302
    return Batch.objects.get(status="draft")


def confirm(client: Client, batch: Batch, **fields: str) -> Any:
    return client.post(reverse("admin:catalog_show_import_confirm", args=[batch.pk]), fields)


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture
def person(client: Client, django_user_model: Any) -> Callable[..., Client]:
    """Logs in somebody of the staff who has these permissions and no others."""

    def log_in(*codenames: str) -> Client:
        user = django_user_model.objects.create_user("person", password="secret", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return client

    return log_in


# --- export


@pytest.mark.parametrize(
    ("format_name", "content_type"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_the_list_is_a_file(desk: Client, show: Show, format_name: str, content_type: str) -> None:
    response = desk.get(EXPORT, {"format": format_name})

    [row] = table(response)
    assert list(row) == list(COLUMNS)
    assert row["id"] == str(show.pk)
    assert response["Content-Type"] == content_type
    assert response["Content-Disposition"].endswith(f'.{format_name}"')


def test_an_export_holds_what_the_list_shows_in_its_order(desk: Client, show: Show, author: Author) -> None:
    for name, status in (("Below Zero", "Ended"), ("below deck med", "Ended"), ("Survivor", "Ended"), ("Gone", None)):
        Show.objects.create(name=name, tmdb_status=status)
    delete_show(Show.objects.get(name="Gone").pk, author)

    assert names(desk.get(EXPORT, {"format": "csv"})) == ["Below Deck", "below deck med", "Below Zero", "Survivor"]
    asked = {"format": "csv", "status": "ended", "q": "BELOW", "o": "-name", "p": "3", "columns": "name"}
    assert names(desk.get(EXPORT, asked)) == ["Below Zero", "below deck med"]


def test_a_saved_view_is_exported_in_its_order(desk: Client, editor: Any) -> None:
    for name in ("A", "B", "C"):
        Show.objects.create(name=name, override="" if name == "B" else "SKIP")
    SavedView.objects.create(slug="skipped", name="Skipped", owner=editor, params={"override": "skip", "o": "-name"})

    response = desk.get(EXPORT, {"format": "csv", "filter": "skipped"})

    assert names(response) == ["C", "A"]
    assert "shows-skipped-" in response["Content-Disposition"]


def test_one_show_is_exported_by_its_id(desk: Client, show: Show) -> None:
    Show.objects.create(name="Survivor")

    assert names(desk.get(EXPORT, {"format": "csv", "id": str(show.pk)})) == ["Below Deck"]


@pytest.mark.parametrize("given", ["tags,name", ["tags", "name"]])
def test_columns_are_chosen(desk: Client, show: Show, given: Any) -> None:
    [row] = table(desk.get(EXPORT, {"format": "csv", "columns": given}))

    assert list(row) == ["id", "version", "name", "tags"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"format": "exe"}, "Choose csv or xlsx, not “exe”."),
        ({"columns": "name,tmdb_meta"}, "There is no column tmdb_meta"),
        ({"wrong": "1"}, "Shows are not filtered by “wrong”."),
        ({"override": "maybe"}, "“maybe” is no answer here."),
        ({"network": "<script>"}, "There is no network “&lt;script&gt;”"),
        ({"filter": "nowhere"}, "There is no saved view “nowhere”."),
        ({"q": "a\x00b"}, "stored"),
        ({"id": "55555"}, "“55555” is no id of a show."),
        ({"id": "' OR 1=1"}, "is no id of a show."),
        ({"id": ""}, "There is no such show"),
        ({"id": str(uuid4())}, "There is no such show"),
    ],
)
def test_a_wrong_parameter_is_named(desk: Client, show: Show, asked: dict[str, str], reason: str) -> None:
    response = desk.get(EXPORT, {"format": "csv"} | asked)

    assert response.status_code == 400
    assert reason in text_of(response)
    assert "Content-Disposition" not in response


def test_without_a_format_the_page_asks_for_one_and_keeps_the_filter(desk: Client, show: Show) -> None:
    Show.objects.create(name="Survivor")

    response = desk.get(EXPORT, {"q": "below", "columns": "name,network", "o": "-name"})

    assert response.status_code == 200
    assert "Export 1 show" in text_of(response)
    assert '<input type="hidden" name="q" value="below">' in text_of(response)
    assert 'type="hidden" name="columns"' not in text_of(response)


def test_a_selection_is_taken_to_the_page_and_from_there_to_a_file(
    desk: Client, editor: Any, show: Show, rf: Any
) -> None:
    other = Show.objects.create(name="Survivor")
    Show.objects.create(name="Not selected")
    request = rf.post("/admin/catalog/show/")
    request.user = editor
    chosen = Show.objects.filter(pk__in=[show.pk, other.pk])

    page = show_export.export_selected(admin.site._registry[Show], request, chosen)
    ids = ",".join(str(pk) for pk in (show.pk, other.pk))
    response = desk.post(EXPORT, {"format": "csv", "ids": ids, "columns": ["name"]})

    assert "Export 2 shows" in page.rendered_content
    assert 'method="post"' in page.rendered_content
    assert names(response) == ["Below Deck", "Survivor"]


def test_who_may_not_see_shows_exports_none(person: Callable[..., Client], show: Show) -> None:
    assert person().get(EXPORT, {"format": "csv"}).status_code == 403


def test_who_may_see_shows_exports_them_and_is_not_sent_to_the_import(
    person: Callable[..., Client], desk: Client, show: Show
) -> None:
    assert f'href="{IMPORT}"' in text_of(desk.get(EXPORT))

    client = person("view_show")

    assert names(client.get(EXPORT, {"format": "csv"})) == ["Below Deck"]
    assert f'href="{IMPORT}"' not in text_of(client.get(EXPORT))


@pytest.mark.parametrize("count", [1, 40])
def test_an_export_costs_the_same_queries_whatever_the_number_of_shows(
    desk: Client, make_network: Callable[..., Network], django_assert_num_queries: Any, count: int
) -> None:
    network = make_network(74)
    shows = Show.objects.bulk_create([Show(name=f"Show {number}") for number in range(count)])
    ShowNetwork.objects.bulk_create([ShowNetwork(show=show, network=network, position=0) for show in shows])

    with django_assert_num_queries(5):  # session, user, shows, networks, companies
        desk.get(EXPORT, {"format": "csv"})


# --- who may import


@pytest.mark.parametrize("codenames", [(), ("view_show", "change_show"), ("view_show", "bulk_edit_show")])
def test_who_lacks_a_right_imports_nothing(
    person: Callable[..., Client], editor: Any, show: Show, codenames: tuple[str, ...]
) -> None:
    client = person(*codenames)
    batch = Batch.objects.create(kind="import", user=editor, plan={})

    assert client.get(IMPORT).status_code == 403
    assert upload(client, csv_of(["id", "override"], [show.pk, "Y"])).status_code == 403
    assert client.get(reverse("admin:catalog_show_import_preview", args=[batch.pk])).status_code == 403
    assert confirm(client, batch).status_code == 403
    assert not Change.objects.exists()


def test_an_import_needs_no_more_than_the_right_to_edit_many_shows(person: Callable[..., Client], show: Show) -> None:
    client = person("view_show", "change_show", "bulk_edit_show")
    batch = drafted(client, ["id", "name", "override"], [show.pk, "Below Deck", "Y"], ["", "New", ""])

    confirm(client, batch)

    show.refresh_from_db()
    assert (show.override, Show.objects.count()) == ("Y", 1)
    assert "may not add" in batch.plan["flaws"][0][3]


def test_the_right_to_add_is_asked_again_when_it_is_confirmed(person: Callable[..., Client]) -> None:
    client = person("view_show", "change_show", "bulk_edit_show", "add_show")
    batch = drafted(client, ["name"], ["New"])
    batch.user.user_permissions.remove(Permission.objects.get(codename="add_show"))

    assert confirm(client, batch).status_code == 403
    assert not Show.objects.exists()


def test_a_preview_belongs_to_who_uploaded_it(desk: Client, django_user_model: Any, show: Show) -> None:
    other = django_user_model.objects.create_superuser("other", password="secret")
    batch = Batch.objects.create(kind="import", user=other, plan={"edits": []}, total=1)

    response = desk.get(reverse("admin:catalog_show_import_preview", args=[batch.pk]), follow=True)

    assert "This import is no longer there" in text_of(response)


# --- upload


def test_a_get_shows_what_a_file_does(desk: Client) -> None:
    page = text_of(desk.get(IMPORT))

    assert "An empty cell empties its field" in page
    assert '<label for="id_file">' in page


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "The file is empty."),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff", "neither a CSV nor an XLSX"),
        (b"PK\x03\x04broken", "broken"),
        ("id,name\n1,Été\n".encode("cp1252"), "not in UTF-8"),
        (b"a,b\n1,2\n", "There is no column id, imdb_id, tmdb_id or name"),
        (b"id,name,name\n1,a,b\n", "Two columns are headed Name"),
        (b"id,name\n", "There are headings and no rows below them."),
        (b"<script>alert(1)</script>\n1\n", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused_at_its_field(desk: Client, data: bytes, reason: str) -> None:
    response = upload(desk, data)

    assert response.status_code == 200
    assert reason in text_of(response)
    assert 'aria-invalid="true"' in text_of(response)
    assert not Batch.objects.exists()


def test_no_file_is_asked_for(desk: Client) -> None:
    assert "This field is required." in text_of(desk.post(IMPORT))


def test_a_file_that_is_too_large_is_not_read(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_export, "MOST_BYTES", 2**20)

    assert "At most 1 MB. Split the file." in text_of(upload(desk, b"id,name\n" + b"a" * 2**20))


# --- preview


def test_a_preview_shows_each_difference_and_changes_nothing(desk: Client, show: Show) -> None:
    Show.objects.update(tags=["old", "kept"])
    survivor = Show.objects.create(name="Survivor")

    response = upload(
        desk,
        csv_of(
            ["id", "name", "override", "tags", "notes", "networks"],
            [show.pk, "Below Deck", "skip", "kept; new", "x", ""],
            [survivor.pk, "Survivor", "", "", "", ""],
            ["", "The Voice", "", "", "", ""],
            ["", "survivor", "", "", "", ""],
        ),
    )

    page = text_of(response)
    for badge in ("4 rows", "1 will change", "1 new", "1 unchanged, skipped", "0 bad"):
        assert f">{badge}</span>" in page
    assert '<span class="desk-quiet">(nothing)</span>' in page
    assert '<span class="desk-after">SKIP</span>' in page
    assert '<span class="desk-before">old</span>' in page
    assert '<span class="desk-after">+ new</span>' in page
    assert page.count("the show of this name") == 1
    assert "Add this 1 as a new show too" in page
    assert "The file has no column <strong>version</strong>" in page
    assert "<strong>notes</strong>" in page
    assert "Ignored, as they are not taken from files: networks." in page
    assert "Apply to 2 shows" in page
    assert not Change.objects.exists()


def test_markup_in_a_file_is_shown_as_text(desk: Client, show: Show) -> None:
    script = "<script>alert(1)</script>"
    response = upload(
        desk,
        csv_of(["id", "name", "override", script], [show.pk, script, "", ""], ["<b>", "x", script, ""]),
        name="<img src=x>.csv",
    )

    page = response.content.decode()
    assert script not in page
    assert "<b>" not in page
    assert "<img src=x>" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2


def test_a_long_text_is_shown_where_it_differs(desk: Client, show: Show) -> None:
    Show.objects.update(description="a" * 500 + " old end")

    page = text_of(upload(desk, csv_of(["id", "description"], [show.pk, "a" * 500 + " new end"])))

    assert "aaa old end</span>" in page
    assert "aaa new end</span>" in page
    assert "a" * 200 not in page


def test_a_long_preview_has_pages(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_export, "PER_PAGE", 2)
    batch = drafted(desk, ["name"], ["A show"], ["B show"], ["C show"])

    page = text_of(desk.get(reverse("admin:catalog_show_import_preview", args=[batch.pk]), {"page": "2"}))

    assert "C show" in page
    assert "A show" not in page
    assert "3 to 3 of 3" in page


def test_flaws_beyond_those_that_are_shown_are_counted(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_export, "MOST_FLAWS", 2)

    page = text_of(upload(desk, csv_of(["id", "name"], *(["x", "a"] for _ in range(5)))))

    assert "These are the first 2 flaws; there are 3 more." in page
    assert ">5 bad</span>" in page
    assert "No row can be applied" in page


def test_a_file_that_changes_nothing_has_nothing_to_apply(desk: Client, show: Show) -> None:
    batch = drafted(desk, ["id", "name"], [show.pk, "Below Deck"])

    page = text_of(desk.get(reverse("admin:catalog_show_import_preview", args=[batch.pk])))
    confirm(desk, batch)

    batch.refresh_from_db()
    assert "There is nothing to apply." in page
    assert "Apply" not in page
    assert batch.status == "draft"


def test_formulas_of_an_xlsx_are_named_cells(desk: Client, show: Show) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "name", "override"])
    book.active.append([str(show.pk), "Below Deck", '=IF(1,"SKIP","")'])
    stream = io.BytesIO()
    book.save(stream)

    page = text_of(upload(desk, stream.getvalue(), "shows.xlsx"))

    assert "A formula. Paste its value instead." in page
    assert "=IF(1,&quot;SKIP&quot;,&quot;&quot;)" in page


# --- confirming


def test_a_confirmed_import_is_a_batch_that_sets_and_locks(desk: Client, editor: Any, show: Show) -> None:
    batch = drafted(desk, ["id", "name", "override"], [show.pk, "Mine", "skip"], ["", "New", ""])

    response = confirm(desk, batch, reason=" spring clean ")

    batch.refresh_from_db()
    show.refresh_from_db()
    assert response.url == reverse("admin:catalog_batch_change", args=[batch.pk])
    assert (batch.status, batch.reason) == ("done", "spring clean")
    assert batch.counts == {"changed": 2, "unchanged": 0, "failed": 0}
    assert (show.name, show.override, show.locked_fields) == ("Mine", "SKIP", ["name", "override"])
    new = Show.objects.get(name="New")
    assert new.locked_fields == ["name"]
    for change in Change.objects.filter(show__in=[show, new]):
        assert (change.user, change.reason, change.batch) == (editor, "spring clean", batch)
    assert desk.get(response.url).status_code == 200


@pytest.mark.parametrize(("ticked", "shows"), [({}, 1), ({"namesakes": "1"}, 2)])
def test_a_namesake_becomes_a_new_show_only_where_that_is_ticked(
    desk: Client, show: Show, ticked: dict[str, str], shows: int
) -> None:
    batch = drafted(desk, ["name"], ["below deck"])

    confirm(desk, batch, **ticked)
    confirm(desk, batch, **ticked)

    assert Show.objects.filter(name_key="below deck").count() == shows


def test_an_old_export_reverts_nobody_and_names_what_both_changed(desk: Client, show: Show, author: Author) -> None:
    old = desk.get(EXPORT, {"format": "csv"}).content
    edit_show(show.pk, {"override": "SKIP", "name": "Theirs"}, author)

    untouched = text_of(upload(desk, old))
    both = text_of(upload(desk, old.replace(b"Below Deck", b"Mine")))

    assert "There is nothing to apply." in untouched
    assert "The file has no column" not in untouched
    assert "tmdb_popularity" in untouched  # as one that is not taken
    for told in (">1 cell in conflict<", "<td>Name</td>", ">Mine</td>", "editor changed it to “Theirs” at "):
        assert told in both
    assert not [batch for batch in Batch.objects.all() if batch.total]


def test_a_field_that_somebody_changed_meanwhile_is_left_alone_and_named(
    desk: Client, show: Show, django_user_model: Any
) -> None:
    anna = Author(user=django_user_model.objects.create_user("anna"))
    survivor = Show.objects.create(name="Survivor")
    batch = drafted(desk, ["id", "override"], [show.pk, "SKIP"], [survivor.pk, "SKIP"])
    edit_show(show.pk, {"override": "Y"}, anna)
    edit_show(survivor.pk, {"name": "Survivor!"}, anna)

    confirm(desk, batch)

    batch.refresh_from_db()
    show.refresh_from_db()
    survivor.refresh_from_db()
    assert (show.override, survivor.override) == ("Y", "SKIP")
    [[_, name, reason]] = batch.failures
    assert name == "Below Deck"
    assert "anna changed Override to Y" in reason


def test_a_second_click_applies_nothing_twice(desk: Client, show: Show) -> None:
    batch = drafted(desk, ["name"], ["New"])

    first, second = confirm(desk, batch), confirm(desk, batch)

    assert first.url == second.url
    assert Show.objects.filter(name="New").count() == 1


def test_a_cancelled_import_is_gone(desk: Client, show: Show) -> None:
    batch = drafted(desk, ["id", "override"], [show.pk, "Y"])

    response = confirm(desk, batch, cancel="1")
    again = desk.get(reverse("admin:catalog_show_import_preview", args=[batch.pk]))

    assert response.url == again.url == reverse("admin:catalog_show_import")
    assert not Batch.objects.exists()


def test_a_reason_that_is_too_long_is_refused_and_kept(desk: Client, show: Show) -> None:
    batch = drafted(desk, ["id", "override"], [show.pk, "Y"])

    response = confirm(desk, batch, reason="a" * 501)

    assert "at most 500 characters" in text_of(response)
    assert not Change.objects.exists()


def test_a_get_confirms_nothing(desk: Client, show: Show) -> None:
    batch = drafted(desk, ["id", "override"], [show.pk, "Y"])

    desk.get(reverse("admin:catalog_show_import_confirm", args=[batch.pk]))

    assert not Change.objects.exists()


@pytest.mark.parametrize("format_name", ["csv", "xlsx"])
def test_an_export_imported_again_changes_nothing(desk: Client, show: Show, format_name: str) -> None:
    data = desk.get(EXPORT, {"format": format_name}).content

    upload(desk, data)

    plan = Batch.objects.get().plan
    assert (plan["edits"], plan["unchanged"], plan["bad"]) == ([], 1, 0)


def test_of_10_000_rows_with_3_wrong_ones_the_others_are_applied(
    desk: Client, django_capture_on_commit_callbacks: Any, django_assert_max_num_queries: Any
) -> None:
    shows = Show.objects.bulk_create([Show(name=f"Show {number:05}") for number in range(10_000)])
    rows = [[str(show.pk), show.name, "SKIP"] for show in shows]
    rows[10][2], rows[5_000][0], rows[9_999][1] = "maybe", "nonsense", "a\x00"

    with django_assert_max_num_queries(30):
        batch = drafted(desk, ["id", "name", "override"], *rows)
    page = text_of(desk.get(reverse("admin:catalog_show_import_preview", args=[batch.pk])))
    with django_capture_on_commit_callbacks(execute=True):
        confirm(desk, batch)

    assert [flaw[:3] for flaw in batch.plan["flaws"]] == [
        [12, "Override", "maybe"],
        [5_002, "Id", "nonsense"],
        [10_001, "Name", "a\N{REPLACEMENT CHARACTER}"],
    ]
    assert "Apply the 9,997 good rows" in page
    batch.refresh_from_db()
    assert (batch.status, OrmQ.objects.count()) == ("queued", 1)
    Batch.objects.filter(pk=batch.pk).update(done=9_990)  # the rest is enough to see the worker's part
    assert apply(batch).counts["changed"] == 7
    assert Show.objects.filter(override="SKIP").count() == 7
