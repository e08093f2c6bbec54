"""The requests of a batch that insert, delete and move whole rows or columns."""

from demo import sheets_dimensions as dimensions
from demo.sheets_dimensions import COLUMNS, ROWS, across, length, refuse_protected, refuse_whole_protected
from demo.sheets_errors import PROTECTED, Json, Refused
from demo.sheets_ranges import GridRange
from demo.sheets_tabs import sheet_of
from demo.sheets_workbook import Sheet, Workbook

NOUNS = {ROWS: "row", COLUMNS: "column"}


def insert_dimension(workbook: Workbook, details: Json) -> Json:
    sheet, dimension, start, end = _lines(workbook, details.get("range", {}))
    size = length(sheet, dimension)
    inherits = bool(details.get("inheritFromBefore"))
    if start >= size and not inherits:
        raise Refused(f"range.startIndex must be less than the grid size ({size}) if inheritFromBefore is false.")
    if start > size:
        raise Refused(f"range.startIndex must be at most the grid size ({size}).")
    if inherits and not start:
        raise Refused("range.startIndex must be greater than 0 if inheritFromBefore is true.")
    refuse_whole_protected(sheet)
    for kept in map(GridRange._make, sheet.protected):
        first, last = (kept.start_row, kept.end_row) if dimension == ROWS else (kept.start_column, kept.end_column)
        if first < start < last:
            raise Refused(PROTECTED)
    dimensions.insert(sheet, dimension, start, end - start)
    return {}


def delete_dimension(workbook: Workbook, details: Json) -> Json:
    sheet, dimension, start, end = _lines(workbook, details.get("range", {}))
    size, noun = length(sheet, dimension), NOUNS[dimension]
    if end > size:
        raise Refused(
            f"Cannot delete a {noun} that doesn't exist. Tried to delete {noun} index {end - 1} but there are only "
            f"{size} {noun}s."
        )
    if end - start == size:
        raise Refused(f"You can't delete all the {noun}s on the sheet.")
    frozen = sheet.frozen_rows if dimension == ROWS else sheet.frozen_columns
    if start <= frozen and end == size:
        raise Refused(f"Sorry, it is not possible to delete all non-frozen {noun}s.")
    refuse_protected(sheet, across(sheet, dimension, start, end))
    dimensions.delete(sheet, dimension, start, end)
    return {}


def move_dimension(workbook: Workbook, details: Json) -> Json:
    """`destinationIndex` counts before the move, as Google documents it."""
    sheet, dimension, start, end = _lines(workbook, details.get("source", {}))
    size, noun = length(sheet, dimension), NOUNS[dimension]
    destination = details.get("destinationIndex", 0)
    if end > size or not 0 <= destination <= size:
        raise Refused(f"Cannot move {noun}s {start} to {end} to {destination}: there are only {size} {noun}s.")
    if start < destination < end:
        raise Refused("destinationIndex must not be inside of the source range.")
    if destination in (start, end):
        return {}
    if dimensions.torn_by(sheet, dimension, start, end, destination):
        raise Refused(
            f"Sorry, it is not possible to move a {noun} to a position that crosses a merged cell. "
            "Please unmerge and try again."
        )
    refuse_protected(sheet, across(sheet, dimension, start, end))
    dimensions.move(sheet, dimension, start, end, destination)
    return {}


def append_dimension(workbook: Workbook, details: Json) -> Json:
    sheet, dimension = sheet_of(workbook, details), _dimension(details)
    count = details.get("length", 0)
    if count < 1:
        raise Refused("length must be greater than 0.")
    refuse_whole_protected(sheet)
    dimensions.insert(sheet, dimension, length(sheet, dimension), count)
    return {}


def _lines(workbook: Workbook, where: Json) -> tuple[Sheet, str, int, int]:
    sheet, dimension = sheet_of(workbook, where), _dimension(where)
    start, end = where.get("startIndex", 0), where.get("endIndex", length(sheet, dimension))
    if start < 0 or end < 0:
        raise Refused("DimensionRange indexes must be >= 0")
    if start >= end:
        raise Refused(f"The range must not be empty: startIndex {start}, endIndex {end}.")
    return sheet, dimension, start, end


def _dimension(where: Json) -> str:
    dimension = where.get("dimension")
    if dimension not in NOUNS:
        raise Refused("No dimension specified.")
    return str(dimension)
