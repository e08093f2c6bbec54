import pytest

from catalog.sheet import FileProblem, Unreadable
from ingestion.workbook_tabs import LAYOUTS, MOST_COLUMNS, SHOW_INFO, TabRow, read_tab, tab_called

from .workbooks import SHOW_HEADER, SURVIVOR, tab

pytestmark = pytest.mark.once


def test_the_headings_are_those_of_the_old_workbook():
    assert {title: "|".join(layout.headings) for title, layout in LAYOUTS.items()} == {
        "ShowInfo": "Show|Network|ShowTotalSeasons|ShowTotalEpisodes|IMDbSeriesID|TMDbSeriesID|Most Recent Episode"
        "|OVERRIDE",
        "CastInfo": "Name|TMDbCastID|IMDbCastID|ShowName|IMDbSeriesID|TMDbSeriesID|TotalEpisodes|TotalSeasons",
        "RealiteaseInfo": "CastName|CastIMDbID|CastTMDbID|ShowNames|ShowIMDbIDs|ShowTMDbIDs|TotalShows|TotalSeasons"
        "|TotalEpisodes|Gender|Birthday|Zodiac",
        "WWHLinfo": "EpisodeID|Season|Episode|AirDate|GuestNames|IMDbCastIDs|TMDbCastIDs|REALITEASE",
        "FinalList": "Name|IMDbCastID|CorrectDate|AlternativeNames|IMDbSeriesIDs|ImageURL",
    }


@pytest.mark.parametrize(
    ("title", "name"),
    [("ShowInfo", SHOW_INFO), ("show info", SHOW_INFO), ("WWHLINFO", "WWHLinfo"), ("Overview", None), ("", None)],
)
def test_tabs_are_known_by_their_titles_in_any_case(title, name):
    assert tab_called(title) == name


def test_headings_are_known_in_any_order_case_and_spacing():
    read = tab(SHOW_INFO, ["SKIP", 5, "A"], header=["override", "TMDb Series ID", "show", "imdb_series_id"])

    assert read.rows == [TabRow(2, {"OVERRIDE": "SKIP", "TMDbSeriesID": 5, "Show": "A"})]
    assert read.flaws == ()
    assert read.missing == ("Network", "ShowTotalSeasons", "ShowTotalEpisodes", "Most Recent Episode")


def test_columns_of_an_older_layout_are_named_and_not_lost():
    read = tab(SHOW_INFO, ["Q1", *SURVIVOR, "Ask Dana"], header=["Wikidata ID", *SHOW_HEADER, "My notes"])

    assert read.others == ("Wikidata ID", "My notes")
    assert read.rows[0].cells["My notes"] == "Ask Dana"


def test_a_column_without_a_heading_is_called_by_its_letter():
    read = tab("RealiteaseInfo", ["A"] + [""] * 11 + ["use THIS"])

    assert read.rows == [TabRow(2, {"CastName": "A", "M": "use THIS"})]
    assert read.others == ("M",)


def test_no_two_columns_have_one_name():
    read = tab("FinalList", ["a", "b", "c", "d"], header=["Notes", "Notes", "", "C"])

    assert list(read.rows[0].cells) == ["Notes", "Notes (B)", "C", "C (D)"]


def test_the_cast_tab_may_have_its_names_under_another_heading():
    read = tab("CastInfo", ["Kyle"], header=["CastName", "IMDbCastID", "IMDbSeriesID"])

    assert (read.rows[0].cells, read.flaws) == ({"Name": "Kyle"}, ())


def test_a_header_that_lacks_a_column_says_what_is_there_and_what_is_expected():
    read = tab(SHOW_INFO, header=["Show", "OVERRIDE", "IMDb"])

    assert read.flaws == (
        "no column IMDbSeriesID and no column TMDbSeriesID; it has 'Show', 'OVERRIDE', 'IMDb', where Show, Network, "
        "ShowTotalSeasons, ShowTotalEpisodes, IMDbSeriesID, TMDbSeriesID, Most Recent Episode, OVERRIDE are expected",
    )


def test_a_heading_that_is_there_twice_is_a_flaw():
    assert tab(SHOW_INFO, header=[*SHOW_HEADER, "Override"]).flaws == ("two columns are headed OVERRIDE: H and I",)


def test_a_formula_is_no_heading():
    formula = Unreadable("=A1", "A formula.")

    assert tab(SHOW_INFO, [*SURVIVOR, "x"], header=[*SHOW_HEADER, formula]).others == ("I",)
    assert "no column Show;" in tab(SHOW_INFO, header=[formula, *SHOW_HEADER[1:]]).flaws[0]


def test_blank_rows_are_none_and_keep_their_numbers():
    read = read_tab(
        "FinalList",
        [(1, [None, ""], ""), (2, ["Name", "IMDbCastID"], ""), (3, ["  ", None], ""), (4, [], ""), (5, ["A"], "")],
    )

    assert (read.header, read.rows) == (2, [TabRow(5, {"Name": "A"})])


def test_an_empty_tab_has_no_header():
    read = read_tab("FinalList", [(1, [], ""), (2, [""], "")])

    assert (read.header, read.rows, read.flaws) == (0, [], ())


def test_merged_cells_of_ours_make_their_rows_doubtful():
    rows = [SURVIVOR, ["B"], ["C"], ["D"]]
    read = tab(SHOW_INFO, *rows, merges=["H3:H4", "J2:J9", "nonsense"])

    assert [(row.number, row.problem) for row in read.rows if row.problem] == [
        (3, "H3:H4 is merged: all but its first cell are empty. Split it."),
        (4, "H3:H4 is merged: all but its first cell are empty. Split it."),
    ]
    assert tab("FinalList", ["A"], merges=["F1:Z1048576"]).rows[0].problem  # the notes of other tabs are kept


def test_merged_headings_are_a_flaw():
    assert tab(SHOW_INFO, merges=["A1:B1"]).flaws == (
        "A1:B1 is merged: split it, as each column needs its own heading",
    )


def test_what_is_too_large_is_refused(monkeypatch):
    with pytest.raises(FileProblem, match="More than 256 columns"):
        tab("FinalList", ["x"] * (MOST_COLUMNS + 1))
    with pytest.raises(FileProblem, match="merged"):
        tab("FinalList", merges=["A2:A3"] * 1001)
    monkeypatch.setattr("ingestion.workbook_tabs.MOST_ROWS", 2)
    with pytest.raises(FileProblem, match="More than 2 rows"):
        tab("FinalList", ["a"], ["b"], ["c"])


def test_a_header_that_can_not_be_read_is_refused():
    with pytest.raises(FileProblem, match=r"The row of headings can't be read\. A quote"):
        read_tab("FinalList", [(1, ['"Name'], "A quote is not closed.")])
