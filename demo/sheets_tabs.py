"""The requests of a batch that change tabs: added, deleted, renamed, hidden, moved, resized."""

from demo import sheets_dimensions as dimensions
from demo.sheets_dimensions import COLUMNS, ROWS, refuse_protected, refuse_whole_protected
from demo.sheets_errors import Json, Refused
from demo.sheets_workbook import Sheet, Workbook

LONGEST_TITLE = 100


def add_sheet(workbook: Workbook, details: Json) -> Json:
    properties = details.get("properties", {})
    grid = properties.get("gridProperties", {})
    sheet_id = properties.get("sheetId")
    if sheet_id is None:
        sheet_id = workbook.free_id()
    elif workbook.by_id(sheet_id):
        raise Refused(f"A sheet with id {sheet_id} already exists.")
    title = properties.get("title") or _next_title(workbook)
    _check_title(workbook, title, None)
    rows, columns = grid.get("rowCount", 1000), grid.get("columnCount", 26)
    if rows < 1 or columns < 1:
        raise Refused("A sheet must have at least one row and one column.")
    sheet = Sheet(workbook, sheet_id, title, rows, columns)
    sheet.hidden = bool(properties.get("hidden"))
    sheet.frozen_rows = grid.get("frozenRowCount", 0)
    sheet.frozen_columns = grid.get("frozenColumnCount", 0)
    workbook.sheets.insert(min(properties.get("index", len(workbook.sheets)), len(workbook.sheets)), sheet)
    return {"addSheet": {"properties": sheet_properties(sheet)}}


def delete_sheet(workbook: Workbook, details: Json) -> Json:
    sheet_id = details.get("sheetId", 0)
    sheet = workbook.by_id(sheet_id)
    if sheet is None:
        raise Refused(f"No sheet with id: {sheet_id}")
    if len(workbook.sheets) == 1:
        raise Refused("You can't remove all the sheets in a document.")
    if all(other is sheet or other.hidden for other in workbook.sheets):
        raise Refused("You can't remove all the visible sheets in a document.")
    refuse_protected(sheet, sheet.grid)
    workbook.sheets.remove(sheet)
    return {}


def update_sheet_properties(workbook: Workbook, details: Json) -> Json:
    properties = details.get("properties", {})
    grid = properties.get("gridProperties", {})
    sheet = sheet_of(workbook, properties)
    refuse_whole_protected(sheet)
    for field in _fields(details, properties):
        match field:
            case "title":
                _check_title(workbook, properties.get("title", ""), sheet)
                sheet.title = properties["title"]
            case "hidden":
                sheet.hidden = bool(properties.get("hidden"))
                if all(other.hidden for other in workbook.sheets):
                    raise Refused("You can't hide all the sheets in a document.")
            case "index":
                _place(workbook, sheet, properties.get("index", 0))
            case "gridProperties.rowCount":
                _resize(sheet, ROWS, grid.get("rowCount", 0))
            case "gridProperties.columnCount":
                _resize(sheet, COLUMNS, grid.get("columnCount", 0))
            case "gridProperties.frozenRowCount":
                sheet.frozen_rows = grid.get("frozenRowCount", 0)
            case "gridProperties.frozenColumnCount":
                sheet.frozen_columns = grid.get("frozenColumnCount", 0)
            case _:
                raise Refused(f"The stand-in does not know the field {field}.")
    return {}


def sheet_properties(sheet: Sheet) -> Json:
    grid = {"rowCount": sheet.row_count, "columnCount": sheet.column_count}
    if sheet.frozen_rows:
        grid["frozenRowCount"] = sheet.frozen_rows
    if sheet.frozen_columns:
        grid["frozenColumnCount"] = sheet.frozen_columns
    properties: Json = {
        "sheetId": sheet.sheet_id,
        "title": sheet.title,
        "index": next(index for index, other in enumerate(sheet.workbook.sheets) if other is sheet),
        "sheetType": "GRID",
        "gridProperties": grid,
    }
    return {**properties, "hidden": True} if sheet.hidden else properties


def _fields(details: Json, given: Json) -> list[str]:
    """The paths that the mask names, those of the grid in full; * and gridProperties mean what is given."""
    mask = details.get("fields") or ""
    if not mask:
        raise Refused("At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)")
    found: list[str] = []
    for part in mask.split(","):
        path = part.strip().replace("/", ".")
        names = [name for name in given if name != "sheetId"] if path == "*" else [path]
        for name in names:
            if name == "gridProperties":
                found += [f"gridProperties.{inner}" for inner in given.get("gridProperties", {})]
            else:
                found.append(name)
    return found


def _check_title(workbook: Workbook, title: str, own: Sheet | None) -> None:
    if not title:
        raise Refused("The sheet name cannot be empty.")
    if len(title) > LONGEST_TITLE:
        raise Refused(f"The sheet name cannot be greater than {LONGEST_TITLE} characters.")
    other = workbook.find(title)
    if other and other is not own:
        raise Refused(f'A sheet with the name "{title}" already exists. Please enter another name.')


def _next_title(workbook: Workbook) -> str:
    number = len(workbook.sheets) + 1
    while workbook.find(f"Sheet{number}"):
        number += 1
    return f"Sheet{number}"


def _place(workbook: Workbook, sheet: Sheet, index: int) -> None:
    # The index counts before the move: https://developers.google.com/sheets/api/reference/rest/v4/spreadsheets/sheets
    now = next(number for number, other in enumerate(workbook.sheets) if other is sheet)
    del workbook.sheets[now]
    workbook.sheets.insert(index - 1 if index > now else index, sheet)


def _resize(sheet: Sheet, dimension: str, wanted: int) -> None:
    now = dimensions.length(sheet, dimension)
    if wanted < 1:
        raise Refused("A sheet must have at least one row and one column.")
    if wanted < now:
        refuse_protected(sheet, dimensions.across(sheet, dimension, wanted, now))
        dimensions.delete(sheet, dimension, wanted, now)
    elif wanted > now:
        dimensions.insert(sheet, dimension, now, wanted - now)


def sheet_of(workbook: Workbook, where: Json) -> Sheet:
    sheet_id = where.get("sheetId", 0)
    sheet = workbook.by_id(sheet_id)
    if sheet is None:
        raise Refused(f"No grid with id: {sheet_id}")
    return sheet
