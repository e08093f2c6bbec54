import io
import zipfile
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest
import tablib
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.formula import ArrayFormula

from catalog import sheet, xlsx_file
from catalog.csv_file import CSV
from catalog.file_formats import read_sheet
from catalog.sheet import FileProblem, Unreadable, neutral, restored
from catalog.xlsx_file import XLSX, Book

pytestmark = pytest.mark.once

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TRAPS = st.text(st.sampled_from("'=+-@\t\r\n \\;,\"_x005FBab＝"), max_size=12)


def rows_of(data: bytes) -> list[list[Any]]:
    return [row.cells for row in read_sheet(data).rows]


def problems_of(data: bytes) -> list[tuple[int, str]]:
    return [(row.number, row.problem) for row in read_sheet(data).rows if row.problem]


def dataset(*rows: list[Any]) -> tablib.Dataset:
    return tablib.Dataset(*rows, headers=["id", "name"], title="Shows")


def workbook(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


# --- formulas


@settings(deadline=None)
@given(TEXT | TRAPS)
def test_an_apostrophe_that_was_added_is_taken_away_and_no_other(text: str) -> None:
    assert restored(neutral(text)) == text


@settings(deadline=None)
@given(TRAPS, TRAPS)
def test_two_texts_are_never_written_alike(one: str, other: str) -> None:
    assert (neutral(one) == neutral(other)) == (one == other)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''+1", " =1", "＝1", "=cmd|'/C calc'!A0"]
)
def test_what_begins_like_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Below Deck", "'90s", "Love = War", "'", "It's", 7, None, -1.5])
def test_other_cells_are_left_alone(text: Any) -> None:
    assert neutral(text) is text


# --- both formats


@pytest.mark.parametrize("file_format", [CSV, XLSX])
@settings(deadline=None)  # a workbook takes its time
@given(cells=st.lists(TEXT | TRAPS, min_size=1, max_size=4))
def test_any_text_comes_back_from_a_file(file_format: Any, cells: list[str]) -> None:
    data = file_format().export_data(dataset(*(["x", cell] for cell in cells)))

    assert [row[1] or "" for row in rows_of(data)] == cells


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**31), 2**31))
def test_any_number_comes_back_from_an_xlsx(number: float) -> None:
    [[_, cell]] = rows_of(XLSX().export_data(dataset(["x", number])))

    assert float(cell) == number


@pytest.mark.parametrize("data", [b"", b"\r\n \n", b"\xef\xbb\xbf", CSV().export_data(tablib.Dataset(headers=[""]))])
def test_a_file_of_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(FileProblem, match="The file is empty"):
        read_sheet(data)


def test_more_rows_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MOST_ROWS", 2)

    assert len(rows_of(b"id\n1\n2\n\n")) == 2
    with pytest.raises(FileProblem, match="More than 2 rows"):
        rows_of(b"id\n1\n2\n3\n")


def test_blank_rows_are_left_out_and_counted() -> None:
    sheet = read_sheet(b"\nid,name\n\n1,a\n , \n2,b\n")

    assert sheet.header == ["id", "name"]
    assert [(row.number, row.cells) for row in sheet.rows] == [(4, ["1", "a"]), (6, ["2", "b"])]


# --- CSV


def test_a_csv_begins_with_the_mark_that_excel_knows_and_quotes_every_cell() -> None:
    data = CSV().export_data(dataset(["1", "a;=1"]))

    assert data == '\ufeff"id","name"\r\n"1","a;=1"\r\n'.encode()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_in_the_headings(delimiter: str) -> None:
    data = f'id{delimiter}name{delimiter}"one, two; three"\n1{delimiter}"a,b;c\td"{delimiter}x\n'.encode()

    assert rows_of(data) == [["1", "a,b;c\td", "x"]]


def test_excels_unicode_text_is_read() -> None:
    assert rows_of("id\tname\r\n1\tÉté\r\n".encode("utf-16")) == [["1", "Été"]]


def test_text_that_is_not_utf_8_is_refused_with_its_place() -> None:
    with pytest.raises(FileProblem, match=r"not in UTF-8 \(byte 0xE9 in line 3\)"):
        read_sheet("id,name\n1,a\n2,été\n".encode("cp1252"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff", "neither a CSV nor an XLSX"),
        (b"\xff\xfea", "not in UTF-8|neither"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel file"),
        (b"PK\x03\x04 and no more", "broken"),
        (b'"id\n1\n', "headings can't be read"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FileProblem, match=reason):
        read_sheet(data)


def test_ragged_rows_are_named_and_the_others_read() -> None:
    data = b"id,name\n1\n2,b\n3,c,d\n4,e,\n"

    assert problems_of(data) == [
        (2, "It has 1 cells under 2 headings."),
        (4, "Column C or a later one holds a value but has no heading."),
    ]
    assert [row.cells for row in read_sheet(data).rows if not row.problem] == [["2", "b"], ["4", "e"]]


def test_a_stray_quote_costs_its_row_alone() -> None:
    data = b'id,name\n1,"a\n2,b\n3,"c"d\n4,e\n'

    rows = list(read_sheet(data).rows)

    assert [(row.number, row.problem[:22]) for row in rows if row.problem] == [
        (2, "A quote is not closed."),
        (4, "There is text after a "),
    ]
    assert [row.cells for row in rows if not row.problem] == [["2", "b"], ["4", "e"]]


def test_a_file_of_broken_quotes_is_refused_before_it_costs_minutes() -> None:
    with pytest.raises(FileProblem, match="Too many rows with broken quotes"):
        rows_of(b"id,name\n" + b'1,"a\n' * 200)


def test_a_huge_cell_is_named() -> None:
    data = b'id,name\n1,"' + b"a" * 200_000 + b'"\n2,b\n'

    assert problems_of(data) == [(2, "A cell has more than 131,072 characters.")]
    assert rows_of(data)[-1] == ["2", "b"]


def test_lines_within_quotes_and_signs_that_look_like_line_ends_stay() -> None:
    assert rows_of('id,name\n1,"a\r\nb"\n2,c\u2028d\x0be\n'.encode()) == [["1", "a\r\nb"], ["2", "c\u2028d\x0be"]]


# --- XLSX


def test_an_xlsx_has_a_fixed_header_and_readable_columns() -> None:
    data = XLSX().export_data(dataset(["0001", "a" * 500], ["2", "#N/A"]))

    sheet = openpyxl.load_workbook(io.BytesIO(data)).active

    assert (sheet.title, sheet.freeze_panes, sheet.auto_filter.ref) == ("Shows", "A2", "A1:B3")
    assert sheet.column_dimensions["A"].width < sheet.column_dimensions["B"].width < 70
    assert [(cell.value, cell.data_type) for cell in sheet["A"][1:]] == [("0001", "s"), ("2", "s")]
    assert (sheet["B3"].value, sheet["B3"].data_type) == ("#N/A", "s")


def test_no_cell_of_an_xlsx_is_a_formula() -> None:
    data = XLSX().export_data(dataset(["=1+1", "'=1+1"]))

    sheet = openpyxl.load_workbook(io.BytesIO(data)).active

    assert [cell.data_type for cell in sheet[2]] == ["s", "s"]
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(data)).read("xl/worksheets/sheet1.xml")


def test_a_text_that_no_cell_holds_is_not_cut_off() -> None:
    with pytest.raises(FileProblem, match="Choose CSV"):
        XLSX().export_data(dataset(["1", "a" * 32_768]))


def test_formulas_and_errors_are_told_as_such() -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "name", "more"])
    book.active.append(["=1+1", "#REF!", "a"])
    book.active["C3"] = ArrayFormula("C3:C4", "=SUM(A1:A2)")

    [first, second] = rows_of(saved(book))

    assert first[0] == Unreadable("=1+1", "A formula. Paste its value instead.")
    assert first[1].text == "#REF!"
    assert first[2] == "a"
    assert second[2].reason.startswith("A formula")


def test_cells_of_numbers_dates_and_booleans_keep_their_kind() -> None:
    data = workbook(["a", "b", "c", "d", "e"], [55555.0, 7.5, date(2000, 5, 31), True, datetime(2000, 5, 31, 12)])

    assert rows_of(data) == [[55555, 7.5, date(2000, 5, 31), True, datetime(2000, 5, 31, 12)]]


def test_short_rows_of_an_xlsx_have_empty_cells_at_their_end() -> None:
    assert rows_of(workbook(["id", "name"], ["1"])) == [["1", None]]


def test_a_value_under_no_heading_is_named() -> None:
    assert problems_of(workbook(["id"], ["1", None, "note"])) == [
        (2, "Column B or a later one holds a value but has no heading.")
    ]


def test_a_formula_as_heading_is_refused() -> None:
    with pytest.raises(FileProblem, match="heading =A2"):
        read_sheet(workbook(["id", "=A2"], ["1", "2"]))


def test_a_zip_bomb_is_not_unpacked() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in range(4):
            with archive.open(f"xl/worksheets/sheet{part}.xml", "w", force_zip64=True) as file:
                for _ in range(80):
                    file.write(bytes(2**20))

    with pytest.raises(FileProblem, match="unpacks to more than 300 MB"):
        read_sheet(stream.getvalue())


def test_a_zip_that_is_no_xlsx_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "a")

    with pytest.raises(FileProblem, match="broken, or no XLSX"):
        read_sheet(stream.getvalue())


def test_an_xlsx_with_damaged_rows_is_refused_when_they_are_read() -> None:
    whole = zipfile.ZipFile(io.BytesIO(workbook(["id"], ["1"])))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for part in whole.namelist():
            data = whole.read(part)
            archive.writestr(part, data[:-40] if part.endswith("sheet1.xml") else data)

    with pytest.raises(FileProblem, match="broken, or no XLSX"):
        rows_of(stream.getvalue())


def test_a_row_beyond_the_last_one_of_excel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "LAST_ROW", 10)
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A12"] = "id", "1"

    with pytest.raises(FileProblem, match="beyond row 10"):
        rows_of(saved(book))


# --- a workbook of several sheets


def test_every_sheet_of_a_book_is_read_by_its_title() -> None:
    book = openpyxl.Workbook()
    book.active.title = "First"
    book.active.append(["a", None, 1])
    book.create_sheet("Second").append([None, "=1+1"])

    read = Book(saved(book))

    assert list(read.sheets) == ["First", "Second"]
    assert list(read.rows("First")) == [(1, ["a", None, 1], "")]
    assert list(read.rows("Second")) == [(1, [None, Unreadable("=1+1", "A formula. Paste its value instead.")], "")]


def test_merged_ranges_of_a_sheet_are_found_wherever_its_bytes_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for number in range(1, 40):
        sheet.append(["a"])
        sheet.merge_cells(f"B{number}:C{number}")
    ranges = {f"B{number}:C{number}" for number in range(1, 40)}

    for size in (1, 7, 64, 2**20):
        monkeypatch.setattr(xlsx_file, "PIECE", size)
        found = Book(saved(book)).merges("Sheet")
        assert (len(found), set(found)) == (39, ranges)


def test_a_book_that_is_broken_is_refused() -> None:
    with pytest.raises(FileProblem, match="broken"):
        Book(b"PK\x03\x04rest")
