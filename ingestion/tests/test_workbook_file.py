import io
import zipfile
from datetime import date

import openpyxl
import pytest
from openpyxl.chart import BarChart

from catalog.sheet import FileProblem, Unreadable
from catalog.tests.test_file_formats import saved
from ingestion.workbook_file import read_workbook
from ingestion.workbook_tabs import SHOW_INFO

from .workbooks import CAST, SHOW_HEADER, SURVIVOR, VOICE, write_csv, write_xlsx

pytestmark = pytest.mark.once

CAST_HEADER = ["Name", "TMDbCastID", "IMDbCastID", "ShowName", "IMDbSeriesID", "TMDbSeriesID"]


def cells(read, title=SHOW_INFO):
    return [row.cells for row in read.tabs[title].rows]


# --- XLSX


def test_all_tabs_of_an_xlsx_are_read_whichever_was_open(tmp_path):
    path = write_xlsx(
        tmp_path / "old.xlsx",
        {"Overview": [["x"]], "showinfo": [SHOW_HEADER, SURVIVOR], "CastInfo": [CAST_HEADER, CAST]},
    )

    read = read_workbook(path)

    assert (read.name, list(read.tabs), read.not_read) == ("old.xlsx", [SHOW_INFO, "CastInfo"], ("Overview",))
    assert cells(read)[0]["TMDbSeriesID"] == "14658"
    assert cells(read, "CastInfo")[0]["Name"] == "Kyle Richards"


def test_charts_are_no_tabs(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = SHOW_INFO
    book.active.append(SHOW_HEADER)
    book.create_chartsheet("CastInfo").add_chart(BarChart())
    (tmp_path / "old.xlsx").write_bytes(saved(book))

    assert list(read_workbook(tmp_path / "old.xlsx").tabs) == [SHOW_INFO]


def test_what_an_export_wrote_with_an_apostrophe_is_restored(tmp_path):
    path = write_xlsx(tmp_path / "old.xlsx", {SHOW_INFO: [SHOW_HEADER, ["'=1+1", "'90s TV"]]})
    write_csv(tmp_path / "ShowInfo.csv", [SHOW_HEADER, ["'=1+1", "'90s TV"]])

    for source in (path, tmp_path):
        [row] = cells(read_workbook(source))
        assert (row["Show"], row["Network"]) == ("=1+1", "'90s TV")


def test_formulas_errors_and_dates_of_an_xlsx_are_told_apart(tmp_path):
    row = ["=A1", date(2024, 1, 2), "#N/A", 12345.0, True]
    [found] = cells(read_workbook(write_xlsx(tmp_path / "old.xlsx", {SHOW_INFO: [SHOW_HEADER, row]})))

    assert found["Show"] == Unreadable("=A1", "A formula. Paste its value instead.")
    assert found["Network"] == date(2024, 1, 2)
    assert isinstance(found["ShowTotalSeasons"], Unreadable)
    assert (found["ShowTotalEpisodes"], found["IMDbSeriesID"]) == (12345, True)


def test_merged_cells_of_an_xlsx_are_found(tmp_path):
    rows = [SHOW_HEADER, SURVIVOR, VOICE, ["C", "", "", "", "", 7]]
    read = read_workbook(write_xlsx(tmp_path / "old.xlsx", {SHOW_INFO: rows}, merged="H2:H3"))

    assert [bool(row.problem) for row in read.tabs[SHOW_INFO].rows] == [True, True, False]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "This is no XLSX file"),
        (b"name,tmdb_id\nA,1\n", "a mere list of shows is for import_shows"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel file"),
        (b"PK\x03\x04rest", "broken"),
    ],
)
def test_what_is_no_workbook_is_refused_with_a_way_out(tmp_path, data, reason):
    (tmp_path / "old.xlsx").write_bytes(data)

    with pytest.raises(FileProblem, match=reason):
        read_workbook(tmp_path / "old.xlsx")


def test_a_zip_that_is_no_workbook_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "old.xlsx", "w") as archive:
        archive.writestr("hello.txt", "hello")

    with pytest.raises(FileProblem, match="broken, or no XLSX"):
        read_workbook(tmp_path / "old.xlsx")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "old.xlsx", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a", "w") as part:
        for _ in range(301):
            part.write(bytes(2**20))

    with pytest.raises(FileProblem, match="unpacks to more than 300 MB"):
        read_workbook(tmp_path / "old.xlsx")


def test_a_cut_off_xlsx_is_refused(tmp_path):
    path = write_xlsx(tmp_path / "old.xlsx", {SHOW_INFO: [SHOW_HEADER, SURVIVOR]})
    path.write_bytes(path.read_bytes()[:-300])

    with pytest.raises(FileProblem, match="broken"):
        read_workbook(path)


def test_two_sheets_of_one_tab_are_refused(tmp_path):
    path = write_xlsx(tmp_path / "old.xlsx", {"ShowInfo": [SHOW_HEADER], "Show_Info": [SHOW_HEADER]})

    with pytest.raises(FileProblem, match="ShowInfo and Show_Info are both the tab ShowInfo"):
        read_workbook(path)


def test_a_problem_of_one_tab_says_which(tmp_path):
    path = write_xlsx(tmp_path / "old.xlsx", {SHOW_INFO: [SHOW_HEADER], "FinalList": [["x"] * 257]})

    with pytest.raises(FileProblem, match=r"^FinalList: More than 256 columns"):
        read_workbook(path)


def test_files_that_can_not_be_read_say_why(tmp_path, monkeypatch):
    with pytest.raises(FileProblem, match="There is no such file"):
        read_workbook(tmp_path / "nothing.xlsx")
    with pytest.raises(FileProblem, match="neither a file nor a folder"):
        read_workbook(type(tmp_path)("/dev/null"))
    monkeypatch.setattr("ingestion.workbook_file.MOST_BYTES", 3)
    (tmp_path / "old.xlsx").write_bytes(b"1234")
    with pytest.raises(FileProblem, match="more than 0 MB"):
        read_workbook(tmp_path / "old.xlsx")


# --- a folder of CSVs


def test_a_folder_of_csvs_is_a_workbook(tmp_path):
    write_csv(tmp_path / "ShowInfo.csv", [SHOW_HEADER, SURVIVOR])
    write_csv(tmp_path / "Realitease2025Data - CastInfo.csv", [CAST_HEADER, CAST])
    write_csv(tmp_path / "Overview.csv", [["x"]])
    (tmp_path / "notes.txt").write_text("no tab")

    read = read_workbook(tmp_path)

    assert (set(read.tabs), read.not_read) == ({SHOW_INFO, "CastInfo"}, ("Overview.csv",))
    assert cells(read) == [dict(zip(SHOW_HEADER[:7], map(str, SURVIVOR), strict=False))]


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8")])
def test_csvs_of_every_excel_are_read(tmp_path, delimiter, encoding):
    write_csv(tmp_path / "ShowInfo.csv", [SHOW_HEADER, ["Réal, ¡Ahora!"]], delimiter=delimiter, encoding=encoding)

    assert cells(read_workbook(tmp_path)) == [{"Show": "Réal, ¡Ahora!"}]


def test_a_csv_may_leave_out_empty_cells_at_the_end_of_a_row_but_has_none_too_many(tmp_path):
    text = "Show,IMDbSeriesID,TMDbSeriesID,OVERRIDE\nA,tt0239195\nLove, Actually,tt1234567,5,\n"
    (tmp_path / "ShowInfo.csv").write_text(text)

    first, second = read_workbook(tmp_path).tabs[SHOW_INFO].rows

    assert (first.cells, first.problem) == ({"Show": "A", "IMDbSeriesID": "tt0239195"}, "")
    assert second.problem == ""  # the cell too many is empty: its ids say what is wrong
    (tmp_path / "ShowInfo.csv").write_text(text.replace("5,\n", "5,SKIP\n"))
    assert "5 cells under 4 headings" in read_workbook(tmp_path).tabs[SHOW_INFO].rows[1].problem


def test_a_stray_quote_costs_one_row(tmp_path):
    (tmp_path / "ShowInfo.csv").write_text(",".join(SHOW_HEADER) + '\n"A,,,,,1\nB,,,,,2,,\n')

    rows = read_workbook(tmp_path).tabs[SHOW_INFO].rows

    assert [(row.problem, row.cells.get("Show")) for row in rows] == [("A quote is not closed.", None), ("", "B")]


def test_errors_of_a_spreadsheet_in_a_csv_are_told_as_such(tmp_path):
    write_csv(tmp_path / "ShowInfo.csv", [SHOW_HEADER, ["#REF!", "#ERROR!"]])

    [row] = cells(read_workbook(tmp_path))
    assert all(isinstance(cell, Unreadable) for cell in row.values())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("Show\nRéal".encode("latin-1"), "ShowInfo.csv: The file is not in UTF-8"),
        (b"PK\x03\x04\x00\xff", "ShowInfo.csv: This is neither a CSV nor an XLSX file"),
        (b"Show\n" + b'"x"y\n' * 101, "ShowInfo.csv: Too many rows with broken quotes"),
    ],
)
def test_a_csv_that_is_none_is_refused_by_its_name(tmp_path, data, reason):
    (tmp_path / "ShowInfo.csv").write_bytes(data)

    with pytest.raises(FileProblem, match=reason):
        read_workbook(tmp_path)


def test_two_files_of_one_tab_are_refused(tmp_path):
    for name in ("ShowInfo.csv", "old - ShowInfo.csv"):
        write_csv(tmp_path / name, [SHOW_HEADER])

    with pytest.raises(FileProblem, match="are both the tab ShowInfo"):
        read_workbook(tmp_path)


def test_an_empty_csv_is_an_empty_tab(tmp_path):
    (tmp_path / "ShowInfo.csv").write_bytes(b"\n\n")

    assert read_workbook(tmp_path).tabs[SHOW_INFO].header == 0


def test_ten_thousand_rows_of_an_xlsx_are_read_row_by_row(tmp_path):
    rows = [[f"Show {number}", "", 1, 2, "", number, "", ""] for number in range(1, 10_001)]
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(SHOW_INFO)
    for row in [SHOW_HEADER, *rows]:
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    (tmp_path / "old.xlsx").write_bytes(stream.getvalue())

    assert len(read_workbook(tmp_path / "old.xlsx").tabs[SHOW_INFO].rows) == 10_000
