"""What goes into cells and what comes out of them, as text, value or formula."""

from typing import Any

import gspread
import pytest
from gspread.exceptions import APIError

from demo.sheets import Formula, SheetsServer, Workbook
from demo.sheets_errors import Refused
from demo.sheets_ranges import A1, GridRange, always_quoted, as_said, column_letters, format_a1, parse_a1

pytestmark = pytest.mark.once

PROTECTED = (
    r"\[400\]: You are trying to edit a protected cell or object\. Please contact the spreadsheet owner to remove "
    r"protection if you need to edit\."
)


@pytest.fixture
def book(workbook: Workbook) -> Workbook:
    workbook.add("X", row_count=10, column_count=8)
    return workbook


def put(google: gspread.Client, where: str, values: Any, option: str = "RAW", **more: Any) -> dict[str, Any]:
    body = {"values": values, **more}
    reply: dict[str, Any] = google.http_client.values_update("book", where, {"valueInputOption": option}, body)
    return reply


def get(google: gspread.Client, where: str, render: str = "UNFORMATTED_VALUE", **more: str) -> dict[str, Any]:
    reply: dict[str, Any] = google.http_client.values_get("book", where, {"valueRenderOption": render, **more})
    return reply


# A1 notation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ShowInfo", A1("ShowInfo", is_start=True)),
        ("showinfo", A1("showinfo", is_start=True)),
        ("'It''s'", A1("It's", is_start=True)),
        ("'a!b'!B2", A1("a!b", 1, 2, 1, 2, is_start=True)),
        ("ShowInfo!A1:H10", A1("ShowInfo", 0, 10, 0, 8)),
        ("ShowInfo!$A$1:$H$10", A1("ShowInfo", 0, 10, 0, 8)),
        ("ShowInfo!H10:A1", A1("ShowInfo", 0, 10, 0, 8)),
        ("ShowInfo!A2:H", A1("ShowInfo", 1, None, 0, 8)),
        ("ShowInfo!A:H", A1("ShowInfo", None, None, 0, 8)),
        ("ShowInfo!2:3", A1("ShowInfo", 1, 3, None, None)),
        ("A1", A1("", 0, 1, 0, 1, is_start=True)),
        ("AA10:AB11", A1("", 9, 11, 26, 28)),
    ],
)
def test_a1_notation_is_understood(text: str, expected: A1) -> None:
    assert parse_a1(text, ["ShowInfo", "It's", "a!b"]) == expected


@pytest.mark.parametrize("text", ["", "Nope", "Nope!A1", "ShowInfo!", "ShowInfo!A", "ShowInfo!A0", "ShowInfo!A1:"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"^Unable to parse range: "):
        parse_a1(text, ["ShowInfo"])


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("ShowInfo", "ShowInfo!A1"),
        ("It's", "'It''s'!A1"),
        ("A1", "'A1'!A1"),
        ("A B", "'A B'!A1"),
        ("2024", "'2024'!A1"),
    ],
)
def test_titles_are_quoted_where_they_need_it(title: str, written: str) -> None:
    assert format_a1(title, GridRange(0, 1, 0, 1)) == written


def test_ranges_are_written_as_google_does() -> None:
    assert [column_letters(number) for number in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
    assert as_said("X", A1("X", 1, None, 0, 8)) == "X!A2:H"
    assert as_said("X", A1("X", 0, 1, 0, 1, is_start=True), always_quoted) == "'X'!A1"


# Reading


def test_rows_are_ragged_and_blanks_at_the_end_are_cut(google: gspread.Client, workbook: Workbook) -> None:
    workbook.add("X", [["a", None, "c", None], [], [None, "b"], [None, None]], row_count=6, column_count=5)

    assert get(google, "X") == {
        "range": "X!A1:E6",
        "majorDimension": "ROWS",
        "values": [["a", "", "c"], [], ["", "b"]],
    }


def test_an_empty_range_has_no_values(google: gspread.Client, book: Workbook) -> None:
    assert get(google, "X!D4") == {"range": "X!D4", "majorDimension": "ROWS"}
    assert book.values("X") == []


@pytest.mark.parametrize(
    ("where", "told", "values"),
    [
        ("X!B2", "X!B2", [[4]]),
        ("X!A2:B", "X!A2:B10", [[3, 4]]),
        ("X!B:B", "X!B1:B10", [[2], [4]]),
        ("X!2:2", "X!A2:H2", [[3, 4]]),
        ("X!A1:ZZ99", "X!A1:H10", [[1, 2], [3, 4]]),
        ("A1", "X!A1", [[1]]),
    ],
)
def test_a_range_is_read_and_told_in_full(
    google: gspread.Client, book: Workbook, where: str, told: str, values: object
) -> None:
    put(google, "X!A1", [[1, 2], [3, 4]])

    reply = get(google, where)

    assert (reply["range"], reply["values"]) == (told, values)


def test_several_ranges_are_read_at_once(google: gspread.Client, sheets: SheetsServer, book: Workbook) -> None:
    put(google, "X!A1", [[1, 2], [3, 4]])

    reply = google.http_client.values_batch_get("book", ["X!A1", "X!A2:B2", "X!D4"])

    assert [part.get("values") for part in reply["valueRanges"]] == [[["1"]], [["3", "4"]], None]


def test_columns_can_be_read_instead_of_rows(google: gspread.Client, book: Workbook) -> None:
    put(google, "X!A1", [[1, 2], [3]])

    assert get(google, "X", majorDimension="COLUMNS")["values"] == [[1, 3], [2]]


def test_values_come_formatted_unformatted_or_as_formulas(google: gspread.Client, workbook: Workbook) -> None:
    workbook.add("X", [["007", 45, 0.1, True, Formula("=B1"), Formula("=SUM(B1)")]])

    assert get(google, "X", "FORMATTED_VALUE")["values"] == [["007", "45", "0.1", "TRUE", "45", "#NAME?"]]
    assert get(google, "X", "UNFORMATTED_VALUE")["values"] == [["007", 45, 0.1, True, 45, "#NAME?"]]
    assert get(google, "X", "FORMULA")["values"] == [["007", 45, 0.1, True, "=B1", "=SUM(B1)"]]
    with pytest.raises(APIError, match="Invalid value at 'value_render_option'"):
        get(google, "X", "AS_I_LIKE_IT")


def test_a_range_that_begins_beyond_the_grid_is_refused(google: gspread.Client, book: Workbook) -> None:
    with pytest.raises(
        APIError, match=r"\[400\]: Range \(X!A11:H\) exceeds grid limits\. Max rows: 10, max columns: 8"
    ):
        get(google, "X!A11:H")


def test_an_unknown_tab_is_no_range(google: gspread.Client, book: Workbook) -> None:
    with pytest.raises(APIError, match=r"\[400\]: Unable to parse range: ShowInfo"):
        get(google, "ShowInfo")


# Writing


@pytest.mark.parametrize(
    "text", ["=1+1", "2020-01-02", "'x", "007", "+1", "-1", "@x", "1,5", "TRUE", " a\tb\nc ", "🎤 Ünï", '"']
)
def test_raw_text_stays_text(google: gspread.Client, book: Workbook, text: str) -> None:
    put(google, "X!A1", [[text]])

    assert get(google, "X", "FORMULA")["values"] == get(google, "X")["values"] == [[text]]


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("123", 123, "123"),
        ("007", 7, "7"),
        ("1,234.5", 1234.5, "1234.5"),
        ("-2e3", -2000, "-2000"),
        ("50%", 0.5, "50.00%"),
        ("2024-01-02", 45293, "2024-01-02"),
        ("1/2/2024", 45293, "1/2/2024"),
        ("2024-13-02", "2024-13-02", "2024-13-02"),
        ("true", True, "TRUE"),
        ("'=1", "=1", "=1"),
        ("=1+1", "#NAME?", "#NAME?"),
        ("+A1", "#NAME?", "#NAME?"),
        ("Show", "Show", "Show"),
    ],
)
def test_typed_text_is_interpreted(
    google: gspread.Client, book: Workbook, text: str, value: object, shown: str
) -> None:
    put(google, "X!B1", [[text]], "USER_ENTERED")

    assert get(google, "X!B1")["values"] == [[value]]
    assert get(google, "X!B1", "FORMATTED_VALUE")["values"] == [[shown]]


def test_a_typed_formula_is_a_formula(google: gspread.Client, book: Workbook) -> None:
    put(google, "X!A1", [["=B1", "there"]], "USER_ENTERED")

    assert book.values("X") == [["there", "there"]]


def test_the_format_of_a_date_outlives_a_number(google: gspread.Client, book: Workbook) -> None:
    put(google, "X!A1", [["2024-01-02"]], "USER_ENTERED")
    put(google, "X!A1", [[1]])

    assert get(google, "X", "FORMATTED_VALUE")["values"] == [["1899-12-31"]]
    assert get(google, "X", dateTimeRenderOption="FORMATTED_STRING")["values"] == [["1899-12-31"]]


def test_null_leaves_a_cell_and_an_empty_text_empties_it(google: gspread.Client, book: Workbook) -> None:
    put(google, "X!A1", [["a", "b", "c"]])

    reply = put(google, "X!A1", [[None, "", "C"]])

    assert book.values("X") == [["a", "", "C"]]
    assert (reply["updatedRange"], reply["updatedCells"]) == ("X!A1:C1", 2)


def test_the_reply_of_a_write_counts(google: gspread.Client, book: Workbook) -> None:
    assert put(google, "X!B2", [[1, 2], [3]]) == {
        "spreadsheetId": "book",
        "updatedRange": "X!B2:C3",
        "updatedRows": 2,
        "updatedColumns": 2,
        "updatedCells": 3,
    }
    assert put(google, "X!B1", []) == {"spreadsheetId": "book", "updatedRange": "X!B1"}


def test_columns_can_be_written_instead_of_rows(google: gspread.Client, book: Workbook) -> None:
    put(google, "X!A1", [[1, 2], [3]], majorDimension="COLUMNS")

    assert book.values("X") == [[1, 3], [2]]


def test_numbers_are_doubles(google: gspread.Client, book: Workbook) -> None:
    put(google, "X!A1", [[2**53 + 1, 1.0]])

    assert book.values("X") == [[float(2**53), 1]]


@pytest.mark.parametrize(
    ("where", "values", "message"),
    [
        ("X!A1:H20", [["a"]], r"Range \(X!A1:H20\) exceeds grid limits. Max rows: 10, max columns: 8"),
        ("X!A10", [["a"], ["b"]], r"Range \(X!A10:A11\) exceeds grid limits"),
        ("X", [["a"] * 9], r"Range \(X!A1:I1\) exceeds grid limits"),
        (
            "X!A1:B2",
            [["a"], ["b"], ["c"]],
            r"Requested writing within range \['X'!A1:B2\], but tried writing to row \[3\]",
        ),
        (
            "X!A1:B2",
            [["a", "b", "c"]],
            r"Requested writing within range \['X'!A1:B2\], but tried writing to column \[C\]",
        ),
        ("Y!A1", [["a"]], "Unable to parse range: Y!A1"),
        ("X!A1", [["a"], "b"], "Invalid value at 'data.values'"),
        ("X!A1", "b", "Invalid value at 'data.values'"),
        ("X!A1", [["a", ["b"]]], r"Invalid values\[0\]\[1\]: list_value"),
        ("X!A1", [["a"], [{}]], r"Invalid values\[1\]\[0\]: struct_value"),
        (
            "X!A1",
            [["a", "b" * 50_001]],
            "Your input contains more than the maximum of 50000 characters in a single cell.",
        ),
    ],
)
def test_a_write_that_is_refused_writes_nothing(
    google: gspread.Client, book: Workbook, where: str, values: object, message: str
) -> None:
    with pytest.raises(APIError, match=message):
        put(google, where, values)

    assert book.values("X") == []


def test_a_cell_holds_50000_characters(google: gspread.Client, book: Workbook) -> None:
    put(google, "X!A1", [["b" * 50_000]])

    assert len(book.values("X")[0][0]) == 50_000


def test_a_write_says_how_its_values_are_meant(google: gspread.Client, book: Workbook) -> None:
    with pytest.raises(APIError, match="'valueInputOption' is required but not specified"):
        google.http_client.values_update("book", "X!A1", {}, {"values": [["a"]]})
    with pytest.raises(APIError, match="Invalid value at 'value_input_option'"):
        put(google, "X!A1", [["a"]], "COOKED")


def test_a_protected_cell_is_not_written(google: gspread.Client, book: Workbook) -> None:
    tab = book.sheet("X")
    assert tab
    tab.protected = [(0, 1, 0, 8)]
    tab.own_protected = [(1, 2, 0, 8)]

    with pytest.raises(APIError, match=PROTECTED):
        put(google, "X!A1", [["a"]])
    with pytest.raises(APIError, match=PROTECTED):
        google.http_client.values_clear("book", "X")
    put(google, "X!A2", [["a"]])

    assert book.values("X") == [[], ["a"]]


# Several ranges


def test_several_ranges_are_written_at_once(google: gspread.Client, book: Workbook) -> None:
    data = [
        {"range": "X!A1", "values": [[1, 2]]},
        {"range": "X!A4", "values": [["=x"]]},
        {"range": "X!D1", "values": []},
    ]

    reply = google.http_client.values_batch_update("book", {"valueInputOption": "RAW", "data": data})

    assert {name: reply[name] for name in reply if name.startswith("total")} == {
        "totalUpdatedRows": 2,
        "totalUpdatedColumns": 3,
        "totalUpdatedCells": 3,
        "totalUpdatedSheets": 1,
    }
    assert [part["updatedRange"] for part in reply["responses"]] == ["X!A1:B1", "X!A4", "X!D1"]
    assert book.values("X") == [[1, 2], [], [], ["=x"]]


def test_of_several_ranges_all_are_written_or_none(google: gspread.Client, book: Workbook) -> None:
    data = [{"range": "X!A1", "values": [[1]]}, {"range": "X!A99", "values": [[2]]}]

    with pytest.raises(APIError, match="exceeds grid limits"):
        google.http_client.values_batch_update("book", {"valueInputOption": "RAW", "data": data})

    assert book.values("X") == []


def test_ranges_are_cleared(google: gspread.Client, book: Workbook) -> None:
    put(google, "X!A1", [[1, 2, 3], [4, 5, 6], [7, 8, 9]])

    one = google.http_client.values_clear("book", "X!A1:B1")
    more = google.http_client.values_batch_clear("book", body={"ranges": ["X!A2", "X!C3:C"]})

    assert one == {"spreadsheetId": "book", "clearedRange": "X!A1:B1"}
    assert more == {"spreadsheetId": "book", "clearedRanges": ["X!A2", "X!C3:C10"]}
    assert book.values("X") == [["", "", 3], ["", 5, 6], [7, 8]]
