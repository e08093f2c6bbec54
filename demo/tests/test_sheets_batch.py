"""spreadsheets.batchUpdate of the stand-in: each request, its refusals, and all or nothing."""

from collections.abc import Callable
from typing import Any

import gspread
import pytest
from gspread.exceptions import APIError

from demo.sheets import Sheet, SheetsServer, Workbook

pytestmark = pytest.mark.once

Batch = Callable[..., list[dict[str, Any]]]
PROTECTED = "You are trying to edit a protected cell or object"


@pytest.fixture
def batch(google: gspread.Client) -> Batch:
    def send(*requests: dict[str, Any]) -> list[dict[str, Any]]:
        reply = google.http_client.batch_update("book", {"requests": requests})
        assert reply["spreadsheetId"] == "book"
        replies: list[dict[str, Any]] = reply["replies"]
        return replies

    return send


@pytest.fixture
def x(workbook: Workbook) -> Sheet:
    """Five rows, a to e, in a tab of six rows and four columns with the id 1."""
    return workbook.add("X", [[letter, letter.upper()] for letter in "abcde"], sheet_id=1, row_count=6, column_count=4)


def column(workbook: Workbook, title: str = "X") -> str:
    return "".join(str(row[0]) if row and row[0] != "" else "." for row in workbook.values(title))


def area(sheet_id: int, *bounds: int | None) -> dict[str, int]:
    names = ("startRowIndex", "endRowIndex", "startColumnIndex", "endColumnIndex")
    return {"sheetId": sheet_id} | {
        name: bound for name, bound in zip(names, bounds, strict=False) if bound is not None
    }


def lines(start: int, end: int, dimension: str = "ROWS") -> dict[str, Any]:
    return {"sheetId": 1, "dimension": dimension, "startIndex": start, "endIndex": end}


def add(title: str, sheet_id: int | None = None, **more: Any) -> dict[str, Any]:
    return {"addSheet": {"properties": {"title": title} | ({"sheetId": sheet_id} if sheet_id else {}) | more}}


def update(sheet_id: int, fields: str, **properties: Any) -> dict[str, Any]:
    return {"updateSheetProperties": {"properties": {"sheetId": sheet_id, **properties}, "fields": fields}}


def delete(sheet_id: int) -> dict[str, Any]:
    return {"deleteSheet": {"sheetId": sheet_id}}


def move(start: int, end: int, destination: int, dimension: str = "ROWS") -> dict[str, Any]:
    return {"moveDimension": {"source": lines(start, end, dimension), "destinationIndex": destination}}


def copy(source: dict[str, int], destination: dict[str, int], kind: str = "PASTE_VALUES") -> dict[str, Any]:
    return {"copyPaste": {"source": source, "destination": destination, "pasteType": kind}}


# All or nothing


def test_replies_mirror_the_requests(batch: Batch, x: Sheet) -> None:
    grid = {"rowCount": 3, "columnCount": 2}

    replies = batch(
        add("Staging", 9, hidden=True, gridProperties=grid), update(9, "title,hidden", title="New"), delete(1)
    )

    properties = {"sheetId": 9, "title": "Staging", "index": 1, "sheetType": "GRID", "gridProperties": grid}
    assert replies == [{"addSheet": {"properties": {**properties, "hidden": True}}}, {}, {}]


def test_nothing_of_a_batch_is_kept_where_one_request_is_refused(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    x.notes = {(0, 0): "first"}
    x.protected = [(5, 6, 0, 4)]

    with pytest.raises(APIError) as raised:
        batch(
            move(0, 1, 3),
            {"insertDimension": {"range": lines(0, 1, "COLUMNS")}},
            {"deleteDimension": {"range": lines(1, 2)}},
            {"updateCells": {"start": {"sheetId": 1}, "rows": [{"values": [{}]}], "fields": "*"}},
            update(1, "title,gridProperties.rowCount", title="Y", gridProperties={"rowCount": 9}),
            add("Z", 7),
            delete(5),
        )

    assert raised.value.error == {
        "code": 400,
        "message": "Invalid requests[6].deleteSheet: No sheet with id: 5",
        "status": "INVALID_ARGUMENT",
    }
    assert workbook.titles() == ["X"]
    assert workbook.values("X") == [[letter, letter.upper()] for letter in "abcde"]
    assert (x.row_count, x.column_count, x.notes, x.protected) == (6, 4, {(0, 0): "first"}, [(5, 6, 0, 4)])


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([], "Must specify at least one request."),
        ([{"doMagic": {}}], "Unknown name \"doMagic\" at 'requests[0]': Cannot find field."),
        ([{"addSheet": []}], "Invalid value at 'requests[0]': addSheet must be an object."),
        ([{"addSheet": {}, "deleteSheet": {}}], "Invalid requests[0]: exactly one kind of request must be set."),
    ],
)
def test_a_batch_that_is_none_is_refused(batch: Batch, x: Sheet, requests: Any, message: str) -> None:
    with pytest.raises(APIError) as raised:
        batch(*requests)

    assert raised.value.error["message"].endswith(message)


# Tabs


def test_a_tab_gets_an_id_and_the_usual_grid_where_none_is_told(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    told = batch({"addSheet": {}}, add("New"))

    properties = [reply["addSheet"]["properties"] for reply in told]
    assert [(found["title"], found["gridProperties"]) for found in properties] == [
        ("Sheet2", {"rowCount": 1000, "columnCount": 26}),
        ("New", {"rowCount": 1000, "columnCount": 26}),
    ]
    assert len({1, *(found["sheetId"] for found in properties)}) == 3


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (add("x"), 'addSheet: A sheet with the name "x" already exists. Please enter another name.'),
        (add("Y", 1), "addSheet: A sheet with id 1 already exists."),
        (add("y" * 101), "addSheet: The sheet name cannot be greater than 100 characters."),
        (add("Y", gridProperties={"rowCount": 0}), "addSheet: A sheet must have at least one row and one column."),
        (delete(1), "deleteSheet: You can't remove all the visible sheets in a document."),
        (update(1, "hidden", hidden=True), "updateSheetProperties: You can't hide all the sheets in a document."),
        (update(1, "title", title="old"), 'updateSheetProperties: A sheet with the name "old" already exists.'),
        (update(3, "title", title="Y"), "updateSheetProperties: No grid with id: 3"),
        (update(1, "", title="Y"), "updateSheetProperties: At least one field must be listed in 'fields'."),
        (update(1, "rightToLeft"), "updateSheetProperties: The stand-in does not know the field rightToLeft."),
        (update(1, "gridProperties.rowCount"), "updateSheetProperties: A sheet must have at least one row"),
    ],
)
def test_what_cannot_be_done_to_tabs_is_told(
    batch: Batch, x: Sheet, workbook: Workbook, request_: dict[str, Any], message: str
) -> None:
    workbook.add("Old", sheet_id=2, hidden=True)

    with pytest.raises(APIError) as raised:
        batch(request_)

    assert raised.value.error["message"].startswith(f"Invalid requests[0].{message}")
    assert workbook.titles() == ["X", "Old"]


def test_the_last_tab_stays(batch: Batch, x: Sheet) -> None:
    with pytest.raises(APIError, match="You can't remove all the sheets in a document"):
        batch(delete(1))


def test_the_grid_grows_and_shrinks(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    batch(update(1, "gridProperties", gridProperties={"rowCount": 2, "columnCount": 1, "frozenRowCount": 1}))
    assert (x.row_count, x.column_count, x.frozen_rows) == (2, 1, 1)
    assert workbook.values("X") == [["a"], ["b"]]

    batch(update(1, "*", gridProperties={"rowCount": 4}, title="Y"))
    assert (x.row_count, x.title, workbook.values("Y")) == (4, "Y", [["a"], ["b"]])


@pytest.mark.parametrize(("index", "order"), [(0, "CAB"), (1, "ACB"), (2, "ABC"), (3, "ABC")])
def test_a_tab_moves_before_the_index_it_is_given(batch: Batch, workbook: Workbook, index: int, order: str) -> None:
    for number, title in enumerate("ABC"):
        workbook.add(title, sheet_id=number)

    batch(update(2, "index", index=index))

    assert "".join(workbook.titles()) == order


def test_a_tab_moves_to_the_right_as_counted_before_the_move(batch: Batch, workbook: Workbook) -> None:
    for number, title in enumerate("ABC"):
        workbook.add(title, sheet_id=number)

    batch(update(0, "index", index=2))

    assert workbook.titles() == ["B", "A", "C"]


def test_a_workbook_has_a_most_of_cells(google: gspread.Client, sheets: SheetsServer) -> None:
    small = Workbook("Full", most_cells=100)
    small.add("X", sheet_id=1, row_count=10, column_count=9)
    sheets.workbooks["full"] = small

    for request, name in (
        (add("Y", gridProperties={"rowCount": 11, "columnCount": 1}), "addSheet"),
        ({"appendDimension": {"sheetId": 1, "dimension": "ROWS", "length": 2}}, "appendDimension"),
        (update(1, "gridProperties.columnCount", gridProperties={"columnCount": 11}), "updateSheetProperties"),
    ):
        with pytest.raises(APIError) as raised:
            google.http_client.batch_update("full", {"requests": [request]})
        assert raised.value.error["message"] == (
            f"Invalid requests[0].{name}: This action would increase the number of cells in the workbook above the "
            "limit of 100 cells."
        )
    google.http_client.batch_update("full", {"requests": [add("Y", gridProperties={"rowCount": 10, "columnCount": 1})]})

    assert small.cell_count == 100


# Copies


def test_blank_cells_of_the_source_blank_the_destination(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    workbook.add("Staging", [["1"], [None, 2]], sheet_id=2, row_count=3, column_count=2)

    batch(copy(area(2), area(1, 0, 3, 0, 2)))

    assert workbook.values("X") == [["1"], ["", 2], [], ["d", "D"], ["e", "E"]]


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ((0, 1, 0, 1), "abcde"),  # smaller: all of the source is pasted
        ((2, 4, 0, 1), "ababe"),
        ((2, 6, 0, 1), "ababab"),  # a multiple: it is filled
        ((2, 5, 0, 1), "ababe"),  # neither: pasted once
        ((4, None, 0, 1), "abcdab"),
    ],
)
def test_a_copy_fills_a_destination_that_is_a_multiple_of_the_source(
    batch: Batch, x: Sheet, workbook: Workbook, destination: tuple[int | None, ...], expected: str
) -> None:
    batch(copy(area(1, 0, 2, 0, 1), area(1, *destination)))

    assert column(workbook) == expected


def test_a_copy_may_overlap_its_source(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    batch(copy(area(1, 0, 4, 0, 1), area(1, 1, 5, 0, 1)))

    assert column(workbook) == "aabcd"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (copy(area(1, 0, 3), area(1, 4, 5)), "Range (X!A5:D7) exceeds grid limits. Max rows: 6, max columns: 4"),
        (copy(area(1, 6, 7), area(1)), "Range (X!A7:7) exceeds grid limits. Max rows: 6, max columns: 4"),
        (copy(area(9), area(1)), "No grid with id: 9"),
        (copy(area(1), area(1), "PASTE_FORMAT"), "The stand-in does not paste PASTE_FORMAT."),
    ],
)
def test_a_copy_that_does_not_fit_is_refused(
    batch: Batch, x: Sheet, workbook: Workbook, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(APIError) as raised:
        batch(request_)

    assert raised.value.error["message"] == f"Invalid requests[0].copyPaste: {message}"
    assert column(workbook) == "abcde"


def test_formats_are_copied_unless_only_values_are(batch: Batch, x: Sheet) -> None:
    x.formats = {(0, 0): {"numberFormat": {"type": "DATE"}}, (1, 3): {}}

    batch(copy(area(1, 0, 1, 0, 1), area(1, 1, 3, 3, 4), "PASTE_NORMAL"))
    batch(copy(area(1, 0, 1, 0, 1), area(1, 4, 5, 0, 1), "PASTE_VALUES"))

    assert {*x.formats} == {(0, 0), (1, 3), (2, 3)}
    assert x.formats[1, 3] == x.formats[0, 0]


# Cells


def test_cells_are_written_with_their_types(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    values = [{"stringValue": "=1"}, {"numberValue": 2.5}, {"boolValue": False}, {"formulaValue": "=A1"}]
    cells = [{"userEnteredValue": value} for value in values]

    batch(
        {
            "updateCells": {
                "start": {"sheetId": 1, "rowIndex": 1},
                "rows": [{"values": cells}],
                "fields": "userEnteredValue",
            }
        }
    )

    assert workbook.values("X")[1] == ["=1", 2.5, False, "a"]


def test_cells_from_a_start_leave_the_others(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    rows = [{"values": [{"userEnteredValue": {"stringValue": "A"}}]}, {"values": [{}]}]

    batch({"updateCells": {"start": {"sheetId": 1, "columnIndex": 1}, "rows": rows, "fields": "userEnteredValue"}})

    assert workbook.values("X") == [["a", "A"], ["b"], ["c", "C"], ["d", "D"], ["e", "E"]]


def test_what_the_rows_leave_out_of_a_range_is_cleared(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    x.notes = {(0, 0): "kept", (1, 1): "gone"}
    rows = [{"values": [{"userEnteredValue": {"stringValue": "B"}, "note": "new"}]}]

    batch({"updateCells": {"range": area(1, 1, 3, 0, 2), "rows": rows, "fields": "userEnteredValue,note"}})
    batch({"updateCells": {"range": area(1, 4), "fields": "userEnteredValue"}})

    assert workbook.values("X") == [["a", "A"], ["B"], [], ["d", "D"]]
    assert x.notes == {(0, 0): "kept", (1, 0): "new"}


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"range": area(1, 0, 1), "rows": [{}, {}]}, "Attempting to write row: 2, beyond the last requested row of: 1"),
        ({"start": {"sheetId": 1, "rowIndex": 5}, "rows": [{}, {}]}, "Attempting to write row: 7, beyond the last"),
        ({"range": area(1, 0, 1, 0, 1), "rows": [{"values": [{}, {}]}]}, "Attempting to write column: 2, beyond"),
        ({"rows": []}, "One of 'start' or 'range' must be set."),
        ({"range": area(1), "fields": ""}, "At least one field must be listed in 'fields'."),
        ({"range": area(1), "fields": "hyperlink"}, "The stand-in does not know the fields hyperlink."),
        (
            {"range": area(1), "rows": [{"values": [{"userEnteredValue": {"stringValue": 1}}]}]},
            "Invalid value at 'rows.values.user_entered_value': stringValue",
        ),
        (
            {"range": area(1), "rows": [{"values": [{"userEnteredValue": {"stringValue": "x" * 50_001}}]}]},
            "Your input contains more than the maximum of 50000 characters in a single cell.",
        ),
    ],
)
def test_cells_that_cannot_be_written_are_told(
    batch: Batch, x: Sheet, workbook: Workbook, details: dict[str, Any], message: str
) -> None:
    with pytest.raises(APIError) as raised:
        batch({"updateCells": {"fields": "userEnteredValue", **details}})

    assert raised.value.error["message"].startswith(f"Invalid requests[0].updateCells: {message}")
    assert column(workbook) == "abcde"


# Rows and columns


@pytest.mark.parametrize(
    ("start", "end", "destination", "expected"),
    [
        (1, 3, 4, "adbce"),  # the example of Google's documentation
        (0, 1, 5, "bcdea"),
        (0, 1, 6, "bcde.a"),
        (3, 5, 0, "deabc"),
        (4, 5, 1, "aebcd"),
        (1, 3, 1, "abcde"),
        (1, 3, 3, "abcde"),
    ],
)
def test_rows_move_before_a_row_as_counted_before_the_move(
    batch: Batch, x: Sheet, workbook: Workbook, start: int, end: int, destination: int, expected: str
) -> None:
    batch(move(start, end, destination))

    assert column(workbook) == expected
    assert x.row_count == 6


def test_columns_move_too(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    x.column_widths = {0: 300}

    batch(move(0, 1, 3, "COLUMNS"))

    assert workbook.values("X")[0] == ["A", "", "a"]
    assert x.column_widths == {2: 300}


def test_rows_are_inserted_deleted_and_appended(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    batch(
        {"insertDimension": {"range": lines(1, 3)}},
        {"deleteDimension": {"range": lines(4, 6)}},
        {"insertDimension": {"range": lines(6, 7), "inheritFromBefore": True}},
        {"appendDimension": {"sheetId": 1, "dimension": "ROWS", "length": 3}},
    )

    assert column(workbook) == "a..be"
    assert x.row_count == 6 + 2 - 2 + 1 + 3


def test_columns_are_inserted_deleted_and_appended(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    batch(
        {"insertDimension": {"range": lines(1, 2, "COLUMNS")}},
        {"deleteDimension": {"range": lines(0, 1, "COLUMNS")}},
        {"appendDimension": {"sheetId": 1, "dimension": "COLUMNS", "length": 2}},
    )

    assert workbook.values("X")[0] == ["", "A"]
    assert x.column_count == 6


def test_notes_formats_and_ranges_follow_the_rows(batch: Batch, x: Sheet) -> None:
    x.notes = {(1, 0): "b", (4, 1): "e"}
    x.formats = {(4, 0): {"bold": True}}
    x.merges = [(4, 5, 0, 2)]
    x.protected = [(1, 2, 0, 4)]
    x.filter = (0, 6, 0, 2)

    batch(move(4, 5, 0), {"insertDimension": {"range": lines(1, 2)}})

    assert x.notes == {(3, 0): "b", (0, 1): "e"}
    assert x.formats == {(0, 0): {"bold": True}}
    assert (x.merges, x.protected, x.filter) == ([(0, 1, 0, 2)], [(3, 4, 0, 4)], (0, 7, 0, 2))

    batch({"deleteDimension": {"range": lines(0, 2)}})

    assert (x.merges, x.protected, x.filter, x.notes) == ([], [(1, 2, 0, 4)], (0, 5, 0, 2), {(1, 0): "b"})


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"insertDimension": {"range": lines(6, 7)}},
            "insertDimension: range.startIndex must be less than the grid size (6) if inheritFromBefore is false.",
        ),
        ({"insertDimension": {"range": lines(0, 1), "inheritFromBefore": True}}, "insertDimension: range.startIndex"),
        ({"insertDimension": {"range": lines(-1, 1)}}, "insertDimension: DimensionRange indexes must be >= 0"),
        (
            {"deleteDimension": {"range": lines(5, 7)}},
            "deleteDimension: Cannot delete a row that doesn't exist. Tried to delete row index 6 but there are only 6",
        ),
        ({"deleteDimension": {"range": lines(0, 6)}}, "deleteDimension: You can't delete all the rows on the sheet."),
        (
            {"deleteDimension": {"range": lines(1, 6)}},
            "deleteDimension: Sorry, it is not possible to delete all non-frozen rows.",
        ),
        ({"deleteDimension": {"range": lines(2, 2)}}, "deleteDimension: The range must not be empty"),
        (move(1, 3, 2), "moveDimension: destinationIndex must not be inside of the source range."),
        (move(1, 3, 7), "moveDimension: Cannot move rows 1 to 3 to 7: there are only 6 rows."),
        ({"appendDimension": {"sheetId": 1, "dimension": "ROWS"}}, "appendDimension: length must be greater than 0."),
        ({"appendDimension": {"sheetId": 1, "length": 1}}, "appendDimension: No dimension specified."),
    ],
)
def test_what_cannot_be_done_to_rows_is_told(
    batch: Batch, x: Sheet, workbook: Workbook, request_: dict[str, Any], message: str
) -> None:
    x.frozen_rows = 1

    with pytest.raises(APIError) as raised:
        batch(request_)

    assert raised.value.error["message"].startswith(f"Invalid requests[0].{message}")
    assert (column(workbook), x.row_count) == ("abcde", 6)


@pytest.mark.parametrize(("start", "end", "destination"), [(1, 2, 0), (2, 3, 5), (0, 1, 2), (4, 5, 2)])
def test_a_move_that_would_tear_a_merged_cell_is_refused(
    batch: Batch, x: Sheet, start: int, end: int, destination: int
) -> None:
    x.merges = [(1, 3, 0, 1)]

    with pytest.raises(APIError, match="crosses a merged cell"):
        batch(move(start, end, destination))


def test_a_merged_cell_moves_as_a_whole(batch: Batch, x: Sheet) -> None:
    x.merges = [(1, 3, 0, 1)]

    batch(move(1, 3, 5), move(0, 1, 3))

    assert x.merges == [(3, 5, 0, 1)]


# Protection


@pytest.mark.parametrize(
    "request_",
    [
        copy(area(2, 0, 1, 0, 1), area(1, 2, 3)),
        {"updateCells": {"range": area(1), "fields": "userEnteredValue"}},
        {"updateCells": {"start": {"sheetId": 1, "rowIndex": 2}, "rows": [{"values": [{}]}], "fields": "note"}},
        {"deleteDimension": {"range": lines(1, 3)}},
        move(2, 3, 0),
        update(1, "gridProperties.rowCount", gridProperties={"rowCount": 2}),
        delete(1),
    ],
)
def test_what_is_protected_is_not_changed(batch: Batch, x: Sheet, workbook: Workbook, request_: dict[str, Any]) -> None:
    workbook.add("Other", sheet_id=2)
    x.protected = [(2, 4, 0, 4)]

    with pytest.raises(APIError, match=PROTECTED):
        batch(request_)

    assert (workbook.titles(), column(workbook)) == (["X", "Other"], "abcde")


def test_beside_what_is_protected_all_is_free(batch: Batch, x: Sheet, workbook: Workbook) -> None:
    x.protected = [(2, 4, 0, 4)]

    batch(move(0, 1, 2), {"deleteDimension": {"range": lines(4, 5)}}, update(1, "title", title="Y"))

    assert column(workbook, "Y") == "bacd"


@pytest.mark.parametrize(
    "request_",
    [update(1, "title", title="Y"), {"appendDimension": {"sheetId": 1, "dimension": "ROWS", "length": 1}}],
)
def test_the_properties_of_a_protected_tab_are_protected(batch: Batch, x: Sheet, request_: dict[str, Any]) -> None:
    x.protected = [(0, 6, 0, 4)]

    with pytest.raises(APIError, match=PROTECTED):
        batch(request_)


def test_no_row_is_inserted_within_what_is_protected(batch: Batch, x: Sheet) -> None:
    x.protected = [(2, 4, 0, 4)]

    with pytest.raises(APIError, match=PROTECTED):
        batch({"insertDimension": {"range": lines(3, 4)}})
    batch({"insertDimension": {"range": lines(2, 3)}})

    assert x.protected == [(3, 5, 0, 4)]
