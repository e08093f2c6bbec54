from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from catalog.changes import Author
from catalog.edits import edit_show, version_of
from catalog.file_formats import read_sheet
from catalog.file_headings import headings_of
from catalog.models import Change, Show
from catalog.sheet import FileProblem, FileRow, Sheet, Unreadable
from catalog.show_import import Comparison, compare
from catalog.show_resource import COLUMNS, exported
from catalog.trash import delete_show

pytestmark = pytest.mark.django_db


def compared(*rows: list[Any], may_add: bool = True) -> Comparison:
    """What a file of these rows would do; the first one holds the headings."""
    header, *data = rows
    sheet = Sheet(header, iter([FileRow(number, row) for number, row in enumerate(data, start=2)]))
    return compare(sheet, headings_of(header), may_add=may_add)


def reasons(result: Comparison) -> list[tuple[int, str, str]]:
    return [(flaw.row, flaw.column, flaw.reason) for flaw in result.flaws]


def make_show(name: str, **columns: Any) -> Show:
    return Show.objects.create(name=name, **columns)


# --- headings


def test_headings_are_names_labels_or_those_of_the_old_workbook() -> None:
    header = ["ID", "Show", "IMDbSeriesID", "tmdb id", "OVERRIDE", "Premiere date", "most_recent_episode_title"]

    assert list(headings_of(header).places) == [
        "id",
        "name",
        "imdb_id",
        "tmdb_id",
        "override",
        "premiere_date",
        "most_recent_episode_title",
    ]


def test_unknown_and_read_only_columns_are_named_and_left_alone(show: Show) -> None:
    header = ["id", "Notes", "", "networks", "upstream_values"]

    found = headings_of(header)

    assert (found.unknown, found.read_only) == (
        ["Notes", "column 3, without a heading", "upstream_values"],
        ["networks"],
    )
    assert compared(header, [str(show.pk), "x", "y", "z", Unreadable("=1", "A formula.")]).unchanged == 1


@pytest.mark.parametrize("header", [["Show", "name"], ["id", "IMDb id", "IMDbSeriesID"]])
def test_two_columns_for_one_field_are_refused(header: list[str]) -> None:
    with pytest.raises(FileProblem, match="Two columns are headed"):
        headings_of(header)


def test_a_file_without_any_key_is_refused() -> None:
    with pytest.raises(FileProblem, match=r"no column id, imdb_id, tmdb_id or name.*it has: a, override"):
        headings_of(["a", "override"])


@pytest.mark.parametrize(
    ("key", "cell"), [("imdb_id", "tt2342499"), ("tmdb_id", "https://www.themoviedb.org/tv/55555-x")]
)
def test_an_id_of_a_source_is_enough_to_find_a_show(show: Show, key: str, cell: str) -> None:
    [edit] = compared([key, "override"], [cell, "SKIP"]).edits

    assert (edit["id"], edit["name"], edit["values"]) == (str(show.pk), "Below Deck", {"override": "SKIP"})


# --- shows that there are


def test_a_row_sets_what_differs_and_nothing_else(show: Show, author: Author) -> None:
    edit_show(show.pk, {"override": "Y"}, author)

    result = compared(["id", "name", "override", "tags"], [str(show.pk).upper(), "Below Deck", "skip", "a; b"])

    assert result.edits == [
        {
            "id": str(show.pk),
            "name": "Below Deck",
            "values": {"override": "SKIP", "tags": ["a", "b"]},
            "version": version_of(show.pk),
            "line": 2,
            "shown": {"override": ["Y", "SKIP"], "tags": [[], ["a", "b"]]},
        }
    ]
    assert (result.rows, result.new, result.bad, result.unchanged) == (1, 0, 0, 0)


def test_a_show_without_history_has_version_0(show: Show) -> None:
    assert compared(["id", "override"], [str(show.pk), "Y"]).edits[0]["version"] == 0


def test_an_empty_cell_empties_its_field(show: Show) -> None:
    [edit] = compared(["id", "description", "genres", "imdb_id"], [str(show.pk), "", None, " "]).edits

    assert edit["values"] == {"description": None, "genres": [], "imdb_id": None}


def test_an_empty_name_of_a_show_that_was_found_changes_nothing(show: Show) -> None:
    result = compared(["id", "imdb_id", "name"], [str(show.pk), "tt2342499", " "])

    assert (result.flaws, result.edits, result.unchanged) == ([], [], 1)


@pytest.mark.parametrize("format_name", ["csv", "xlsx"])
def test_an_export_that_is_imported_changes_nothing(show: Show, format_name: str) -> None:
    make_show(
        "=1+1",
        description="'a\r\nb\x0b_x0041_ \\",
        tags=["a;b", "c\\", "=d"],
        tmdb_popularity=0.1 + 0.2,
        imdb_rating_value=7.0,
        imdb_end_year=2020,
        premiere_date=date(2000, 5, 31),
        needs_imdb_resolution=True,
        override="12",
    )
    make_show("-", tags=["-1"], tmdb_id=2**62)

    sheet = read_sheet(exported(Show.objects.all(), COLUMNS, format_name))
    result = compare(sheet, headings_of(sheet.header), may_add=True)

    assert (result.edits, result.flaws, result.unchanged) == ([], [], 3)


def test_what_stands_in_the_database_already_is_no_flaw() -> None:
    """Like a text that is longer than a file may set."""
    long = make_show("a" * 600)

    result = compared(["id", "name", "override"], [str(long.pk), "a" * 600, "Y"])

    assert (result.flaws, result.edits[0]["values"]) == ([], {"override": "Y"})


def test_a_row_without_an_id_is_the_show_of_its_imdb_or_tmdb_id(show: Show) -> None:
    other = make_show("Survivor", tmdb_id=14658)

    result = compared(
        ["Show", "IMDbSeriesID", "TMDbSeriesID", "OVERRIDE"],
        ["Below Deck", "tt2342499", "55555", "Y"],
        ["Survivor", "tt0239195", 14658.0, "SKIP"],
    )

    assert [(edit["id"], edit["values"]) for edit in result.edits] == [
        (str(show.pk), {"override": "Y"}),
        (str(other.pk), {"imdb_id": "tt0239195", "override": "SKIP"}),
    ]


# --- new shows


def test_a_row_of_no_show_is_a_new_one(show: Show) -> None:
    result = compared(
        ["id", "name", "imdb_id", "premiere_date", "tags", "needs_tmdb_resolution"],
        [None, "Survivor", "tt0239195", date(2000, 5, 31), "", "no"],
        ["", "BELOW déck", "", "", "", ""],
    )

    assert result.new == 1
    assert [(edit["id"], edit["version"], edit["values"], edit["namesake"]) for edit in result.edits] == [
        (None, None, {"name": "Survivor", "imdb_id": "tt0239195", "premiere_date": "2000-05-31"}, None)
    ]


def test_a_row_without_ids_that_names_a_show_is_held_back(show: Show, author: Author) -> None:
    gone = make_show("Gone")
    delete_show(gone.pk, author)

    result = compared(
        ["name", "imdb_id"],
        ["BELOW déck", ""],
        ["Below Deck", "tt7654321"],
        ["Gone", ""],
    )

    assert [(edit["line"], edit["values"], edit["namesake"]) for edit in result.namesakes] == [
        (2, {"name": "BELOW déck"}, str(show.pk))
    ]
    assert [(edit["line"], edit["namesake"]) for edit in result.edits] == [(3, str(show.pk)), (4, None)]
    assert (result.rows, result.new) == (3, 2)


# --- what others have changed since the export


def exported_rows() -> list[list[Any]]:
    """The rows of an export of all shows, the headings first."""
    sheet = read_sheet(exported(Show.objects.order_by("pk"), COLUMNS, "csv"))
    return [sheet.header, *(row.cells for row in sheet.rows)]


def test_an_old_export_that_nobody_touched_takes_nothing_back(show: Show, author: Author) -> None:
    edit_show(show.pk, {"tags": ["old", "kept"], "premiere_date": "2013-07-01"}, author)
    rows = exported_rows()
    edit_show(show.pk, {"override": "SKIP", "tags": ["kept", "new"], "name": "Theirs", "premiere_date": None}, author)
    edit_show(show.pk, {"name": "Theirs again", "premiere_date": "2013-07-02"}, author)
    Show.objects.filter(pk=show.pk).update(description="Synced.", tmdb_popularity=9.5)
    Change.objects.create(show=show, kind="updated", run_id=7, fields={"description": ["From\nTMDb.", "Synced."]})

    result = compared(*rows)

    assert (result.edits, result.flaws, result.conflicts, result.unchanged) == ([], [], [], 1)


def test_a_cell_that_both_changed_is_a_conflict_and_the_others_are_applied(show: Show, author: Author) -> None:
    header, row = exported_rows()
    edit_show(show.pk, {"override": "SKIP", "tags": ["theirs"], "listed_on": ["a"]}, author)
    row[header.index("override")] = "Y"
    row[header.index("listed_on")] = "a"  # the same on both sides
    row[header.index("description")] = "Mine."

    result = compared(header, row)

    [edit] = result.edits
    assert edit["values"] == {"description": "Mine."}
    [conflict] = result.conflicts
    assert (conflict.row, conflict.column, conflict.value) == (2, "Override", "Y")
    assert conflict.reason.startswith("editor changed it to “SKIP” at ")
    edit_show(show.pk, edit["values"], author, version=edit["version"])  # is not refused


def test_a_row_of_conflicts_alone_is_counted_as_one(show: Show, author: Author) -> None:
    rows = ["id", "version", "override"], [str(show.pk), "0", "Y"]
    edit_show(show.pk, {"override": "SKIP"}, author)

    result = compared(*rows)

    assert (result.edits, result.unchanged, result.conflicting, result.rows) == ([], 0, 1, 1)


def test_what_somebody_set_and_set_back_is_no_conflict(show: Show, author: Author) -> None:
    for override in ("SKIP", ""):
        edit_show(show.pk, {"override": override}, author)

    result = compared(["id", "version", "override"], [str(show.pk), 0.0, "Y"])

    assert [(edit["values"], edit["version"]) for edit in result.edits] == [({"override": "Y"}, version_of(show.pk))]


def test_without_a_version_a_row_is_compared_with_the_show_as_it_is(show: Show, author: Author) -> None:
    edit_show(show.pk, {"override": "SKIP"}, author)

    result = compared(["id", "version", "override"], [str(show.pk), "", ""])

    assert [edit["values"] for edit in result.edits] == [{"override": ""}]


def test_a_version_that_is_none_is_refused(show: Show) -> None:
    assert reasons(compared(["id", "version"], [str(show.pk), "1.2E+05"])) == [
        (2, "Version", "Leave the version as the export wrote it, or empty the cell.")
    ]


def test_500_old_rows_cost_two_queries(author: Author, django_assert_num_queries: Any) -> None:
    shows = Show.objects.bulk_create([Show(name=f"Show {number}") for number in range(500)])
    Change.objects.bulk_create(
        [Change(show=show, kind="updated", fields={"override": ["Y", ""]}, user=author.user) for show in shows]
    )

    with django_assert_num_queries(2):
        result = compared(["id", "version", "override"], *([str(show.pk), 0, "Y"] for show in shows))

    assert (result.unchanged, result.edits) == (500, [])


def test_a_new_show_needs_a_name() -> None:
    assert reasons(compared(["id", "imdb_id"], ["", "tt0239195"])) == [
        (2, "Name", "No show has this id, and a new one needs a name.")
    ]


def test_who_may_not_add_shows_gets_no_new_ones(show: Show) -> None:
    result = compared(["name", "tmdb_id", "override"], ["New", "7", ""], ["Known", "55555", "Y"], may_add=False)

    assert [flaw.row for flaw in result.flaws] == [2]
    assert "may not add" in result.flaws[0].reason
    assert [edit["id"] for edit in result.edits] == [str(show.pk)]


# --- bad rows


def test_every_flaw_of_a_row_is_named_with_its_value(show: Show) -> None:
    result = compared(
        ["id", "name", "override", "premiere_date", "tmdb_id"],
        [str(show.pk), Unreadable("=A1", "A formula."), "maybe", "31.5.2000", "x" * 100],
    )

    assert [(flaw.row, flaw.column, flaw.value, flaw.reason) for flaw in result.flaws] == [
        (2, "Name", "=A1", "A formula."),
        (2, "Override", "maybe", "Empty, SKIP, Y, or a minimum number of episodes."),
        (2, "Premiere date", "31.5.2000", "Write a date like 2026-01-31."),
        (2, "TMDb id", "x" * 79 + "…", "A TMDb id is a number from 1."),
    ]
    assert (result.bad, result.edits) == (1, [])


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("55555", "This is no id of a show. Take it from an export, or leave it empty."),
        ("' OR 1=1", "This is no id of a show. Take it from an export, or leave it empty."),
        (7.0, "This is no id of a show. Take it from an export, or leave it empty."),
        (Unreadable("=A1", "A formula."), "A formula."),
        ("00000000-0000-4000-8000-000000000001", "There is no show with this id."),
    ],
)
def test_an_id_of_no_show_is_refused(cell: Any, reason: str) -> None:
    assert reasons(compared(["id", "name"], [cell, "a"])) == [(2, "Id", reason)]


def test_a_show_in_the_trash_is_refused_by_any_of_its_ids(show: Show, author: Author) -> None:
    delete_show(show.pk, author)

    result = compared(
        ["id", "name", "imdb_id"],
        [str(show.pk), "a", ""],
        ["", "b", "tt2342499"],
    )

    assert reasons(result) == [
        (2, "Id", "This show is in the trash. Restore it first."),
        (3, "IMDb id", "This is the id of Below Deck, which is in the trash."),
    ]


def test_a_show_that_was_merged_is_refused_with_the_one_that_holds_it_now(show: Show) -> None:
    gone = make_show("Double", merged_into=show, deleted_at=timezone.now())

    assert reasons(compared(["id"], [str(gone.pk)])) == [(2, "Id", f"This show was merged into another: {show.pk}.")]


def test_an_id_of_another_show_is_refused(show: Show, author: Author) -> None:
    other, gone = make_show("Survivor"), make_show("Gone", imdb_id="tt7654321")
    delete_show(gone.pk, author)

    result = compared(["id", "tmdb_id", "imdb_id"], [str(other.pk), "55555", ""], [str(show.pk), "55555", "tt7654321"])

    assert reasons(result) == [
        (2, "TMDb id", "This is the id of Below Deck."),
        (3, "IMDb id", "This is the id of Gone, which is in the trash."),
    ]


def test_ids_of_two_shows_in_one_row_are_refused(show: Show) -> None:
    make_show("Survivor", tmdb_id=14658)

    assert reasons(compared(["name", "imdb_id", "tmdb_id"], ["a", "tt2342499", "14658"])) == [
        (2, "IMDb id", "This is the id of Below Deck, the TMDb id that of Survivor.")
    ]


def test_a_show_or_an_id_that_a_row_above_has_is_refused(show: Show) -> None:
    result = compared(
        ["id", "name", "imdb_id", "tmdb_id"],
        [str(show.pk), "Below Deck", "tt2342499", "55555"],
        [str(show.pk), "Other", "tt2342499", "55555"],
        ["", "Other", "tt2342499", ""],
        ["", "New", "tt0239195", "7"],
        ["", "Newer", "", "7"],
    )

    assert reasons(result) == [
        (3, "Id", "This is the show of row 2 again."),
        (4, "", "This is the show of row 2 again."),
        (6, "TMDb id", "Row 5 has this id already."),
    ]
    assert [edit["line"] for edit in result.edits] == [5]


def test_a_row_that_could_not_be_read_is_named() -> None:
    sheet = Sheet(["id"], iter([FileRow(7, ['1,"a'], "A quote is not closed.")]))

    result = compare(sheet, headings_of(["id"]), may_add=True)

    assert [(flaw.row, flaw.column, flaw.value, flaw.reason) for flaw in result.flaws] == [
        (7, "", '1,"a', "A quote is not closed.")
    ]


def test_a_sign_that_can_not_be_stored_is_named_and_not_kept(show: Show) -> None:
    [flaw] = compared(["id", "name"], [str(show.pk), "a\x00b"]).flaws

    assert "can't be stored" in flaw.reason
    assert flaw.value == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(("shows", "queries"), [(1, 2), (250, 2), (251, 4)])
def test_500_rows_cost_two_queries(django_assert_num_queries: Any, shows: int, queries: int) -> None:
    known = Show.objects.bulk_create([Show(name=f"Show {number}", tmdb_id=number + 1) for number in range(shows)])
    rows = [[id_, f"New name {number}"] for number, show in enumerate(known) for id_ in (str(show.pk), "")]

    with django_assert_num_queries(queries):
        result = compared(["id", "name"], *rows)

    assert (len(result.edits), result.new) == (2 * shows, shows)
