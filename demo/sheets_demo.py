"""The workbook that the demo exports to: as the old scripts and its readers left it."""

from demo.sheets_formulas import Formula
from demo.sheets_ranges import GridRange
from demo.sheets_workbook import Workbook

TITLE = "Realitease2025Data"
HEADER = (
    *("Show", "Network", "ShowTotalSeasons", "ShowTotalEpisodes", "IMDbSeriesID", "TMDbSeriesID"),
    *("Most Recent Episode", "OVERRIDE"),
)
NOTES = 9  # column J, which belongs to a reader

# The network of RuPaul's Drag Race is stale: the show has moved on since.
ROWS = (
    ("Survivor", "CBS", 45, None, "tt0239195", "14658", "2023-12-20", None),
    ("RuPaul's Drag Race", "Logo", 15, None, "tt1353056", "8514", "2023-04-14", None),
    ("The Real Housewives of Beverly Hills", "Bravo", 12, None, "tt1720601", "32390", "2022-10-26", "Y"),
    ("Love Island", "ITV2", None, None, None, "66636", None, "SKIP"),
)


def demo_workbook() -> Workbook:
    """The old ShowInfo with a reader's own column J, and a reader's tab whose formulas point at it."""
    workbook = Workbook(TITLE)
    shows = workbook.add("ShowInfo", [HEADER, *ROWS], sheet_id=0)
    shows.frozen_rows = 1
    shows.column_widths = {0: 280, 6: 150}
    shows.filter = GridRange(0, shows.row_count, 0, len(HEADER))
    shows.put(0, NOTES, "My notes")
    shows.put(3, NOTES, "Ask Dana before we drop this one")
    workbook.add(
        "Overview",
        [
            ("What", "Now"),
            ("Shows, and the head", Formula("=COUNTA(ShowInfo!A:A)")),
            ("My favourite", Formula("=ShowInfo!A4")),
            ("Its network", Formula("=ShowInfo!B4")),
            ("Its latest episode", Formula("=ShowInfo!G4")),
        ],
        sheet_id=20250101,
    )
    return workbook
