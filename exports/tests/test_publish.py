"""A tab is replaced in one step: whatever fails, whenever, readers have the old rows or the new ones."""

import threading
from typing import Any

import pytest

from demo.sheets import Call, Fault, Formula, GridRange, SheetsServer, Workbook
from exports.difference import Difference
from exports.found import GuardTripped
from exports.publish import STAGE, Publication, Published, chunk_bytes
from exports.sheets import Sheets
from exports.sheets_errors import ExportProblem, Stopped
from exports.tables import Last, Table
from exports.tabs import ShowInfo

from .conftest import BOOK, HEADER, cells

pytestmark = pytest.mark.once

OLD = [cells(1), cells(2), cells(3)]
NEW = [cells(1), cells(3, "=Three"), cells(4, "O’Four, “x”\n😀"), cells(5, "'Five")]


def table(rows: list[list[Any]], title: str = "ShowInfo", header: tuple[str, ...] = ShowInfo.header) -> Table:
    keys = tuple(key for key in ShowInfo.keys if set(key) <= set(header))
    return Table(title, header, [tuple(row) for row in rows], keys)


def publish(rows: list[list[Any]], was: list[list[Any]] | None = None, **options: Any) -> Published:
    sheets = Sheets(BOOK)
    try:
        return Publication(sheets, table(rows), Last(None if was is None else table(was)), **options).run()
    finally:
        sheets.close()


def seen(workbook: Workbook, title: str = "ShowInfo") -> list[list[Any]]:
    """Our columns, as a reader has them; rows of notes alone are none."""
    rows = [[*row, *[""] * len(HEADER)][: len(HEADER)] for row in workbook.values(title)]
    return [row for row in rows if any(cell != "" for cell in row)]


@pytest.fixture
def old_tab(server: SheetsServer, workbook: Workbook) -> Workbook:
    """The tab as readers use it: notes beside the rows, formulas that point at it from another tab."""
    notes = ["My notes", "about 1", "about 2", "about 3"]
    rows = [[*row, "", note] for row, note in zip([HEADER, *OLD], notes, strict=True)]
    tab = workbook.add("ShowInfo", rows, row_count=6, column_count=12)
    tab.frozen_rows, tab.column_widths = 1, {0: 300}
    workbook.add("Overview", [[Formula("=ShowInfo!A2"), Formula("=COUNTA(ShowInfo!A:A)")]])
    return workbook


# --- one step


def test_a_new_tab_is_whole_when_it_appears(server: SheetsServer, workbook: Workbook) -> None:
    views: list[list[str]] = []
    server.after_call = lambda call: views.append(workbook.visible_titles())

    published = publish(NEW)

    assert seen(workbook) == [HEADER, *NEW]
    assert workbook.visible_titles() == ["Sheet1", "ShowInfo"]
    assert all("ShowInfo" not in titles for titles in views[:-1])
    assert published.is_sent
    assert published.link.endswith(f"#gid={sheet_id(workbook)}")


def test_the_tab_keeps_its_sheet_id_and_what_points_at_it_lives_on(old_tab: Workbook) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None

    publish(NEW, OLD)

    assert seen(old_tab) == [HEADER, *NEW]
    assert old_tab.sheet("ShowInfo") is tab
    assert old_tab.values("Overview") == [["Show 1", 5]]
    assert (tab.frozen_rows, tab.column_widths) == (1, {0: 300})
    assert [sheet.title for sheet in old_tab.sheets] == ["Sheet1", "ShowInfo", "Overview"]


FAULTS = {
    "answers 500": Fault(status=500),
    "is dropped": Fault(drop=True),
    "is done, and answers 503": Fault(after=True, status=503),
    "is done, and its answer is lost": Fault(after=True, drop=True),
    "is done, and its answer breaks off": Fault(cut=10),
    "answers a page": Fault(status=200, body=b"<html>Sign in</html>"),
    "answers 429": Fault(status=429),
    "answers 403": Fault(status=403),
    "answers 400": Fault(status=400),
}


class Reader:
    """Looks at the tab after each call."""

    def __init__(self, server: SheetsServer, workbook: Workbook) -> None:
        self.workbook, self.views = workbook, [self.look(workbook)]
        server.after_call = self.note

    def note(self, call: Call) -> None:
        self.views.append(self.look(self.workbook))

    @staticmethod
    def look(workbook: Workbook) -> Any:
        beside = {row[0]: row[9] for row in workbook.values("ShowInfo") if len(row) > 9 and row[0]}
        return seen(workbook), beside, workbook.values("Overview"), workbook.visible_titles()


def old_or_new(view: Any) -> str:
    rows, beside, overview, titles = view
    assert titles == ["Sheet1", "ShowInfo", "Overview"]
    if rows == [HEADER, *OLD]:
        assert beside == {"Show": "My notes", "Show 1": "about 1", "Show 2": "about 2", "Show 3": "about 3"}
        assert overview == [["Show 1", 4]]
        return "old"
    assert rows == [HEADER, *NEW]
    assert beside == {"Show": "My notes", "Show 1": "about 1", "=Three": "about 3"}
    assert overview == [["Show 1", 5]]
    return "new"


CALLS_OF_A_RUN = 8  # until the tab is published; after that it is looked at once


def test_a_run_makes_so_many_calls(old_tab: Workbook, server: SheetsServer) -> None:
    publish(NEW, OLD)

    assert (server.reads, server.writes) == (6, 3)
    assert len(server.calls) == CALLS_OF_A_RUN + 1


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("call", range(1, CALLS_OF_A_RUN + 1))
def test_whichever_call_fails_readers_see_the_old_rows_or_the_new_ones(
    old_tab: Workbook, server: SheetsServer, call: int, fault: Fault
) -> None:
    server.fail(call, fault)
    reader = Reader(server, old_tab)

    try:
        publish(NEW, OLD)
        ended = "new"
    except ExportProblem:
        ended = "old"

    views = [old_or_new(view) for view in reader.views]
    assert views == sorted(views, key=["old", "new"].index), "never back to the old one"
    assert views[-1] == ended
    assert not [sheet.title for sheet in old_tab.sheets if STAGE.match(sheet.title)]
    # What may pass was tried again; what will not, was told.
    assert (ended == "old") == (fault.status in (400, 403) and not fault.after)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("call", range(1, CALLS_OF_A_RUN + 1))
def test_when_google_is_away_from_some_call_on_readers_see_the_old_rows_or_the_new_ones(
    old_tab: Workbook, server: SheetsServer, call: int, fault: Fault, settings: Any
) -> None:
    settings.SHEETS_BACKOFF = 0.0
    server.fail_always(fault, from_call=call)
    reader = Reader(server, old_tab)

    with pytest.raises(ExportProblem) as problem:
        publish(NEW, OLD)

    views = [old_or_new(view) for view in reader.views]
    was_done = call == CALLS_OF_A_RUN and (fault.after or fault.cut is not None)
    assert views[-1] == ("new" if was_done else "old")
    assert views == sorted(views, key=["old", "new"].index)
    assert str(problem.value)

    server.clear()
    publish(NEW, OLD)  # the next run puts all in order

    assert old_or_new(Reader.look(old_tab)) == "new"
    assert not [sheet.title for sheet in old_tab.sheets if STAGE.match(sheet.title)]


@pytest.mark.parametrize("call", range(1, CALLS_OF_A_RUN + 1))
def test_killed_before_any_call_the_old_tab_is_whole_and_the_next_run_clears_up(
    old_tab: Workbook, server: SheetsServer, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(made: Call) -> None:
        if made.number == call:
            stop.set()

    stop = threading.Event()
    server.after_call = die
    sheets = Sheets(BOOK, stop=stop)
    publication = Publication(sheets, table(NEW), Last(table(OLD)))
    monkeypatch.setattr(publication, "clean_up", lambda: None)  # a killed process does not

    if call < CALLS_OF_A_RUN:
        with pytest.raises(Stopped):
            publication.run()
        assert old_or_new(Reader.look(old_tab)) == "old"
        server.after_call = None
        publish(NEW, OLD)
    else:
        publication.run()

    assert old_or_new(Reader.look(old_tab)) == "new"
    assert not [sheet.title for sheet in old_tab.sheets if STAGE.match(sheet.title)]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("call", range(1, 6))
def test_a_first_publication_that_fails_leaves_no_tab_or_the_whole_one(
    server: SheetsServer, workbook: Workbook, call: int, fault: Fault, settings: Any
) -> None:
    settings.SHEETS_BACKOFF = 0.0
    server.fail_always(fault, from_call=call)

    with pytest.raises(ExportProblem):
        publish(NEW)

    if "ShowInfo" in workbook.visible_titles():
        assert seen(workbook) == [HEADER, *NEW]
    server.clear()
    publish(NEW)
    assert seen(workbook) == [HEADER, *NEW]
    assert [sheet.title for sheet in workbook.sheets] == ["Sheet1", "ShowInfo"]


def test_a_staging_tab_that_was_left_behind_goes_also_when_nothing_has_changed(
    old_tab: Workbook, server: SheetsServer
) -> None:
    old_tab.add("__trr_stage_0123456789ab", [["x"]], hidden=True)
    old_tab.add("__trr_stage_of_somebody", [["x"]])

    publish(OLD, OLD)

    assert [sheet.title for sheet in old_tab.sheets] == ["Sheet1", "ShowInfo", "Overview", "__trr_stage_of_somebody"]
    assert server.writes == 1


def test_nothing_is_sent_when_nothing_has_changed(old_tab: Workbook, server: SheetsServer) -> None:
    published = publish([cells(3), cells(1), cells(2)], OLD)  # in another order in the catalogue

    assert (published.is_sent, server.writes, server.reads) == (False, 0, 2)


def test_what_google_makes_of_the_rows_is_checked_before_they_are_published(
    old_tab: Workbook, server: SheetsServer
) -> None:
    def meddle(call: Call) -> None:
        if call.is_write and "/values/" in call.path:
            stage = next(sheet for sheet in old_tab.sheets if STAGE.match(sheet.title))
            stage.put(2, 0, Formula("=1+1"))

    server.after_call = meddle

    with pytest.raises(ExportProblem, match=r"Google has other rows than were sent. Row 3 should be .*=Three"):
        publish(NEW, OLD)

    assert old_or_new(Reader.look(old_tab)) == "old"


# --- readers


def test_notes_stay_beside_their_shows_and_those_of_a_show_that_left_stand_below(old_tab: Workbook) -> None:
    publish(NEW, OLD)

    assert [(row[0], row[9] if len(row) > 9 else "") for row in old_tab.values("ShowInfo")] == [
        ("Show", "My notes"),
        ("Show 1", "about 1"),
        ("=Three", "about 3"),
        ("O’Four, “x”\n😀", ""),
        ("'Five", ""),
        ("", "about 2"),
    ]


def test_a_show_that_comes_later_does_not_get_the_note_of_one_that_left(old_tab: Workbook) -> None:
    publish(NEW, OLD)
    more = [*NEW, cells(6), cells(7), cells(8)]

    publish(more, NEW)

    beside = {row[0]: row[9] for row in old_tab.values("ShowInfo") if len(row) > 9}
    assert beside == {"Show": "My notes", "Show 1": "about 1", "=Three": "about 3", "": "about 2"}
    assert seen(old_tab) == [HEADER, *more]


def test_the_order_in_which_readers_have_sorted_the_rows_is_kept(server: SheetsServer, workbook: Workbook) -> None:
    workbook.add("ShowInfo", [HEADER, cells(3), cells(1), cells(2)])

    publish([cells(1), cells(2, "Two"), cells(3), cells(4)], [cells(3), cells(1), cells(2)])

    assert seen(workbook) == [HEADER, cells(3), cells(1), cells(2, "Two"), cells(4)]


def test_a_row_that_a_reader_puts_in_while_the_rows_are_staged_is_not_overrun(
    old_tab: Workbook, server: SheetsServer
) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    put: list[int] = []

    def meddle(call: Call) -> None:
        if call.is_write and "/values/" in call.path and not put:
            put.append(call.number)
            tab.put(4, 10, "typed just now")

    server.after_call = meddle

    publish(NEW, OLD)

    below = {tuple(row[10:]): row[0] for row in old_tab.values("ShowInfo") if len(row) > 10}
    assert below == {("typed just now",): ""}, "no show got that row"
    assert seen(old_tab) == [HEADER, *NEW]


def test_who_edits_without_end_keeps_the_tab(old_tab: Workbook, server: SheetsServer) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    server.after_call = lambda call: tab.put(2, 1, f"typed after call {call.number}")

    with pytest.raises(ExportProblem, match="somebody is editing ShowInfo: nothing was published, try again later"):
        publish(NEW, OLD)

    assert [row[0] for row in seen(old_tab)] == ["Show", "Show 1", "Show 2", "Show 3"]


def test_who_writes_notes_meanwhile_keeps_nobody_from_the_new_rows(old_tab: Workbook, server: SheetsServer) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    server.after_call = lambda call: tab.put(1, 9, f"typed after call {call.number}")

    assert publish(NEW, OLD).warnings == []

    assert seen(old_tab) == [HEADER, *NEW]


def test_a_cell_that_was_edited_by_hand_is_told_with_what_stood_there(old_tab: Workbook) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    tab.put(1, 7, "SKIP")
    tab.put(3, 0, "=Three")  # as it will be published
    tab.put(2, 2, 3)  # as it was

    difference = publish([cells(1), cells(2), cells(3, "=Three")], OLD).difference

    assert difference.by_hand == [
        {"row": 2, "label": "1 Show 1", "column": "OVERRIDE", "published": "", "found": "SKIP"}
    ]


def test_values_are_put_in_by_their_place_and_not_pasted(old_tab: Workbook, server: SheetsServer) -> None:
    """A paste passes over rows that a filter hides."""
    publish(NEW, OLD)

    (step,) = (call.body["requests"] for call in server.calls if call.number == CALLS_OF_A_RUN)
    assert [next(iter(request)) for request in step] == ["moveDimension", "updateCells", "deleteSheet"]
    assert step[1]["updateCells"]["range"]["startRowIndex"] == 1, "a header that is right is not touched"


def test_a_link_that_a_reader_put_beside_a_show_is_not_taken_for_a_formula_for_whatever_comes(
    old_tab: Workbook,
) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    tab.put(2, 9, Formula('=HYPERLINK("https://example.org", "about 2")'))
    publish([cells(1), cells(3)], OLD)

    publish([cells(1), cells(3), cells(4)], [cells(1), cells(3)])

    rows = [(row[0], len(row) > 9 and bool(row[9])) for row in old_tab.values("ShowInfo")]
    assert rows == [("Show", True), ("Show 1", True), ("Show 3", True), ("Show 4", False), ("", True)]


def test_what_readers_wrote_beside_a_row_that_goes_is_told_with_it(old_tab: Workbook) -> None:
    (removed,) = publish([cells(1), cells(3)], OLD).difference.removed

    assert (removed["label"], removed["beside"]) == ("2 Show 2", ["about 2"])


def test_who_sorts_the_tab_in_the_moment_of_publishing_is_told(old_tab: Workbook, server: SheetsServer) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None

    def sort(call: Call) -> None:
        if call.number == CALLS_OF_A_RUN - 1:  # after the last look
            notes = [row[9] for row in old_tab.values("ShowInfo")[1:]]
            for place, (row, note) in enumerate(zip(reversed(OLD), reversed(notes), strict=True), start=1):
                for column, cell in enumerate([*row, "", note]):
                    tab.put(place, column, cell)

    server.after_call = sort

    (warning,) = publish([*OLD, cells(4)], OLD).warnings

    assert seen(old_tab) == [HEADER, *OLD, cells(4)]
    assert "somebody has moved or sorted rows in the moment of publishing" in warning


def test_merged_cells_of_the_readers_that_would_be_torn_stop_it_before_anything_is_sent(
    old_tab: Workbook, server: SheetsServer
) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    tab.merges.append(GridRange(1, 3, 9, 10))

    with pytest.raises(ExportProblem, match="rows of shows that left can't be moved: J2:J3 are merged across rows"):
        publish(NEW, OLD)

    assert server.writes == 0
    assert publish([*OLD, cells(4)], OLD).is_sent  # where nothing moves


def test_the_guard_is_asked_again_about_what_readers_did_meanwhile(server: SheetsServer, workbook: Workbook) -> None:
    rows = [cells(number) for number in range(1, 11)]
    tab = workbook.add("ShowInfo", [HEADER, *rows])

    def paste(call: Call) -> None:
        if call.is_write and "/values/" in call.path:
            for place in range(11, 41):
                tab.put(place, 0, f"pasted {place}")

    server.after_call = paste

    with pytest.raises(GuardTripped, match="30 of 40 rows would go"):
        publish([*rows, cells(11)], rows)

    assert len(workbook.values("ShowInfo")) == 41


# --- killed in the moment of publishing


def test_what_a_killed_export_was_about_to_publish_is_known_by_the_sheet_itself(old_tab: Workbook) -> None:
    publish(NEW, OLD)  # and nobody wrote down that it was done

    again = Publication(Sheets(BOOK), table(NEW), Last(table(OLD), pending=table(NEW)))
    published = again.run()

    assert again.was_pending
    assert (published.is_sent, published.difference.by_hand) == (False, [])

    before = Publication(Sheets(BOOK), table([*NEW, cells(6)]), Last(table(NEW), pending=table(OLD)))
    before.run()
    assert not before.was_pending


# --- what stops it


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda tab: tab.put(0, 2, "Seasons"), "C1 is “Seasons”, expected “ShowTotalSeasons”. Put it back"),
        (lambda tab: [tab.put(0, column, "") for column in range(8)], "A1 is “”, expected “Show”"),
        (lambda tab: tab.merges.append((1, 3, 0, 2)), "has merged cells at A2 to B, .* unmerge them"),
        (lambda tab: tab.protected.append((0, 100, 0, 8)), "the tab is protected against .*Protected ranges"),
    ],
    ids=["header", "no header", "merged", "protected"],
)
def test_what_would_be_destroyed_or_is_forbidden_leaves_the_tab_as_it_was(
    old_tab: Workbook, spoil: Any, words: str
) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    spoil(tab)
    before = old_tab.values("ShowInfo")

    with pytest.raises(ExportProblem, match=words):
        publish(NEW, OLD)

    assert old_tab.values("ShowInfo") == before
    assert [sheet.title for sheet in old_tab.sheets] == ["Sheet1", "ShowInfo", "Overview"]


def test_merged_cells_of_the_readers_are_their_own_affair(old_tab: Workbook) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    tab.merges.append((0, 1, 9, 11))

    assert publish(NEW, OLD).is_sent


def test_a_full_workbook_is_told_in_words(server: SheetsServer) -> None:
    full = Workbook("full", most_cells=1000)
    full.add("ShowInfo", [HEADER, *OLD], row_count=100, column_count=10)
    server.workbooks[BOOK] = full

    with pytest.raises(ExportProblem, match="the workbook is full: delete tabs or rows that nobody needs"):
        publish(NEW, OLD)

    assert full.values("ShowInfo")[1] == cells(1)[:7]


def test_many_rows_do_not_go_without_a_word(server: SheetsServer, workbook: Workbook) -> None:
    many = [cells(number) for number in range(1, 21)]
    workbook.add("ShowInfo", [HEADER, *many])

    with pytest.raises(GuardTripped, match="ShowInfo: 7 of 20 rows would go, more than 30%"):
        publish(many[:13], many)
    with pytest.raises(GuardTripped, match="Network would be emptied in 20 of 20 rows"):
        publish([[*row[:1], "", *row[2:]] for row in many], many)
    assert server.writes == 0

    publish(many[:14], many)
    publish(many[:5], many[:14], force=True)
    assert seen(workbook) == [HEADER, *many[:5]]


def test_a_tab_that_others_have_filled_is_not_taken_over_without_a_word(
    old_tab: Workbook, server: SheetsServer
) -> None:
    with pytest.raises(GuardTripped, match=r"was never published from here, .* row 4, 3 =Three: Show “Show 3”, not"):
        publish(NEW)
    assert server.writes == 0

    assert publish([*OLD, cells(4)]).is_sent  # which takes nothing away
    assert publish(NEW, force=True).is_sent


def test_a_tab_that_was_renamed_is_told_and_no_second_one_is_made(old_tab: Workbook, server: SheetsServer) -> None:
    tab = old_tab.sheet("ShowInfo")
    assert tab is not None
    tab.title = "Shows"

    with pytest.raises(ExportProblem, match="the tab ShowInfo is now called “Shows”: rename it to ShowInfo"):
        Publication(Sheets(BOOK), table(NEW), Last(table(OLD), tab.sheet_id)).run()

    assert old_tab.visible_titles() == ["Sheet1", "Shows", "Overview"]
    deleted = Last(table(OLD), sheet_id=12345)
    assert Publication(Sheets(BOOK), table(NEW), deleted).run().is_sent  # a new one


def test_a_tab_that_is_narrower_than_ours_grows(server: SheetsServer, workbook: Workbook) -> None:
    workbook.add("ShowInfo", row_count=2, column_count=3)

    publish(NEW)

    assert seen(workbook) == [HEADER, *NEW]


def test_other_columns_than_last_time_leave_the_readers_columns_alone(server: SheetsServer, workbook: Workbook) -> None:
    narrow, wide = ("Show", "TMDbSeriesID"), ("Show", "TMDbSeriesID", "OVERRIDE")
    tab = workbook.add("ShowInfo (columns)", [[*narrow, "My notes"], ["A", "1", "about A"]])

    def send(header: tuple[str, ...], rows: list[list[Any]], was: tuple[str, ...], before: list[list[Any]]) -> None:
        now, then = (table(r, "ShowInfo (columns)", h) for r, h in ((rows, header), (before, was)))
        Publication(Sheets(BOOK), now, Last(then, tab.sheet_id)).run()

    send(wide, [["A", "1", "Y"]], narrow, [["A", "1"]])
    assert workbook.values("ShowInfo (columns)") == [[*wide, "My notes"], ["A", "1", "Y", "about A"]]

    send(narrow, [["A", "1"]], wide, [["A", "1", "Y"]])
    assert workbook.values("ShowInfo (columns)") == [[*narrow, "", "My notes"], ["A", "1", "", "about A"]]


def test_rows_that_say_skip_in_the_sheet_go_without_a_question(server: SheetsServer, workbook: Workbook) -> None:
    skipped = [cells(number, OVERRIDE="SKIP") for number in range(11, 31)]
    workbook.add("ShowInfo", [HEADER, *OLD, *skipped])

    assert publish([*OLD, cells(4)]).is_sent

    assert seen(workbook) == [HEADER, *OLD, cells(4)]


# --- size


def test_ten_thousand_rows_are_three_writes(server: SheetsServer, workbook: Workbook) -> None:
    rows = [cells(number, f"Show {number} of a name that is as long as names are") for number in range(1, 10_001)]
    sheets = Sheets(BOOK)

    Publication(sheets, table(rows), Last()).run()

    assert (sheets.writes, server.writes) == (3, 3)
    assert max(call.bytes for call in server.calls) < 10 * 2**20
    assert len(workbook.values("ShowInfo")) == 10_001


@pytest.mark.parametrize("megabytes", [1, 5, 12, 26])
def test_rows_go_in_at_most_three_calls_below_ten_megabytes(megabytes: int) -> None:
    rows = [["x" * 1000] for _ in range(megabytes * 1000)]

    size = chunk_bytes(rows)

    assert 2 * 2**20 <= size < 10 * 2**20
    assert megabytes * 1003 * 1000 / size <= 3


def sheet_id(workbook: Workbook, title: str = "ShowInfo") -> int:
    tab = workbook.sheet(title)
    assert tab is not None
    return tab.sheet_id


def test_an_empty_difference_says_so() -> None:
    assert Difference().is_empty
