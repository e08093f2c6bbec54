"""Formulas of the stand-in workbook show whether a tab, a row or a column lives on."""

from typing import Any

import pytest

from demo import sheets_batch
from demo.sheets import Formula, Workbook
from demo.sheets_formulas import Bound, text_of

pytestmark = pytest.mark.once


@pytest.fixture
def book(workbook: Workbook) -> Workbook:
    """ShowInfo (id 1) with Survivor in row 2 and Catfish in row 3, and an Overview that points at it."""
    workbook.add("ShowInfo", [["Show", "Network"], ["Survivor", "CBS"], ["Catfish", "MTV"]], sheet_id=1, row_count=5)
    workbook.add("Overview", [[Formula("=ShowInfo!A2"), Formula("=COUNTA(ShowInfo!A:A)")]], sheet_id=2)
    return workbook


def apply(book: Workbook, *requests: dict[str, Any]) -> None:
    sheets_batch.apply_batch(book, [*requests])


def rows(start: int, end: int, dimension: str = "ROWS") -> dict[str, Any]:
    return {"sheetId": 1, "dimension": dimension, "startIndex": start, "endIndex": end}


def text(book: Workbook, title: str, row: int, column: int) -> str:
    sheet = book.sheet(title)
    assert sheet
    cell = sheet.cell(row, column)
    assert isinstance(cell, Bound)
    return text_of(cell)


def test_a_reference_shows_the_cell_as_it_is_now(book: Workbook) -> None:
    sheet = book.sheet("ShowInfo")
    assert sheet
    assert book.values("Overview") == [["Survivor", 3]]

    sheet.put(1, 0, "Survivor 2")
    sheet.put(4, 0, "Big Brother")

    assert book.values("Overview") == [["Survivor 2", 4]]


@pytest.mark.parametrize(
    ("request_", "now"),
    [
        ({"insertDimension": {"range": rows(1, 3)}}, "=ShowInfo!A4"),
        ({"deleteDimension": {"range": rows(0, 1)}}, "=ShowInfo!A1"),
        ({"moveDimension": {"source": rows(1, 2), "destinationIndex": 3}}, "=ShowInfo!A3"),
        ({"moveDimension": {"source": rows(2, 3), "destinationIndex": 1}}, "=ShowInfo!A3"),
        ({"insertDimension": {"range": rows(0, 1, "COLUMNS")}}, "=ShowInfo!B2"),
        ({"moveDimension": {"source": rows(0, 1, "COLUMNS"), "destinationIndex": 2}}, "=ShowInfo!B2"),
        (
            {"updateSheetProperties": {"properties": {"sheetId": 1, "title": "It's new"}, "fields": "title"}},
            "='It''s new'!A2",
        ),
    ],
)
def test_a_reference_follows_its_cell(book: Workbook, request_: dict[str, Any], now: str) -> None:
    apply(book, request_)

    assert book.values("Overview")[0][0] == "Survivor"
    assert text(book, "Overview", 0, 0) == now


def test_a_reference_to_a_row_that_was_deleted_is_lost_for_ever(book: Workbook) -> None:
    apply(book, {"deleteDimension": {"range": rows(1, 2)}}, {"insertDimension": {"range": rows(1, 2)}})

    assert book.values("Overview") == [["#REF!", 2]]
    assert text(book, "Overview", 0, 0) == "=ShowInfo!#REF!"


def test_a_reference_to_a_tab_that_was_deleted_is_lost_for_ever(book: Workbook) -> None:
    apply(book, {"deleteSheet": {"sheetId": 1}})
    book.add("ShowInfo", [["Show"], ["Survivor"]], sheet_id=1)

    assert book.values("Overview") == [["#REF!", "#REF!"]]
    assert text(book, "Overview", 0, 1) == "=COUNTA(#REF!)"


def test_cells_that_are_overwritten_or_copied_over_keep_their_references(book: Workbook) -> None:
    source, destination = ({"sheetId": 1, "startRowIndex": row, "endRowIndex": row + 1} for row in (2, 1))

    apply(book, {"copyPaste": {"source": source, "destination": destination, "pasteType": "PASTE_VALUES"}})

    assert book.values("Overview") == [["Catfish", 3]]


def test_references_hold_after_a_batch_that_was_taken_back(book: Workbook) -> None:
    with pytest.raises(Exception, match="No sheet with id"):
        apply(
            book,
            {"deleteDimension": {"range": rows(0, 2)}},
            {"moveDimension": {"source": rows(0, 1), "destinationIndex": 2}},
            {"deleteSheet": {"sheetId": 9}},
        )

    assert book.values("Overview") == [["Survivor", 3]]
    apply(book, {"moveDimension": {"source": rows(1, 2), "destinationIndex": 4}})
    assert text(book, "Overview", 0, 0) == "=ShowInfo!A4"


@pytest.mark.parametrize(
    ("typed", "value", "now"),
    [
        ("=ShowInfo!B3", "MTV", "=ShowInfo!B3"),
        ("='ShowInfo'!$B$3", "MTV", "=ShowInfo!$B$3"),
        ("=showinfo!b3", "MTV", "=ShowInfo!B3"),
        ("=A1", "Survivor", "=A1"),
        ("=counta(ShowInfo!B:B)", 3, "=COUNTA(ShowInfo!B:B)"),
        ("=ShowInfo!A5", "", "=ShowInfo!A5"),
        ("=ShowInfo!A6", "#REF!", "=#REF!"),
        ("=ShowInfo!AA1", "#REF!", "=#REF!"),
        ("=Nowhere!A1", "#REF!", "=#REF!"),
        ("=SUM(ShowInfo!A1:A3)", "#NAME?", "=SUM(ShowInfo!A1:A3)"),
        ("=COUNTA(ShowInfo!A:B)", "#NAME?", "=COUNTA(ShowInfo!A:B)"),
        ("=D1", "#REF!", "=D1"),
    ],
)
def test_simple_formulas_are_understood_and_others_kept(book: Workbook, typed: str, value: object, now: str) -> None:
    sheet = book.sheet("Overview")
    assert sheet

    sheet.put(0, 3, Formula(typed))
    sheet.put(0, 4, "end")

    assert book.values("Overview")[0][3] == value
    assert text(book, "Overview", 0, 3) == now


def test_a_formula_that_is_pasted_points_as_far_away_as_before(book: Workbook) -> None:
    sheet = book.sheet("Overview")
    assert sheet
    sheet.put(0, 0, Formula("=ShowInfo!A2"))
    sheet.put(0, 1, Formula("=ShowInfo!$A2"))
    sheet.put(0, 2, Formula("=ShowInfo!A$5"))
    source = {"sheetId": 2, "startRowIndex": 0, "endRowIndex": 1, "startColumnIndex": 0, "endColumnIndex": 3}
    destination = {"sheetId": 2, "startRowIndex": 1, "startColumnIndex": 1, "endRowIndex": 5, "endColumnIndex": 4}

    apply(book, {"copyPaste": {"source": source, "destination": destination}})

    assert [text(book, "Overview", 1, column) for column in (1, 2, 3)] == [
        "=ShowInfo!B3",
        "=ShowInfo!$A3",
        "=ShowInfo!B$5",
    ]
    assert text(book, "Overview", 4, 1) == "=#REF!"
    assert book.values("Overview")[1][1:3] == ["MTV", "Catfish"]


def test_the_values_of_formulas_can_be_pasted(book: Workbook) -> None:
    source, destination = ({"sheetId": 2, "startRowIndex": row, "endRowIndex": row + 1} for row in (0, 1))

    apply(book, {"copyPaste": {"source": source, "destination": destination, "pasteType": "PASTE_VALUES"}})
    apply(book, {"deleteSheet": {"sheetId": 1}})

    assert book.values("Overview") == [["#REF!", "#REF!"], ["Survivor", 3]]


def test_a_workbook_takes_no_second_tab_of_a_name_or_an_id(book: Workbook) -> None:
    with pytest.raises(ValueError, match="SHOWINFO"):
        book.add("SHOWINFO")
    with pytest.raises(ValueError, match="id 2"):
        book.add("Other", sheet_id=2)
    with pytest.raises(KeyError):
        book.values("Other")
