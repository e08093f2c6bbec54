"""The requests of a batch that write cells: copyPaste and updateCells."""

from typing import Any

from demo.sheets_dimensions import refuse_protected
from demo.sheets_errors import Json, Refused
from demo.sheets_formulas import Bound, Formula, shifted
from demo.sheets_input import checked
from demo.sheets_ranges import GridRange, column_letters, quoted
from demo.sheets_tabs import sheet_of
from demo.sheets_workbook import Sheet, Workbook, shown

EXTENDED_VALUES: dict[str, tuple[type, ...]] = {
    "stringValue": (str,),
    "numberValue": (int, float),
    "boolValue": (bool,),
    "formulaValue": (str,),
}


def area_of(sheet: Sheet, where: Json) -> GridRange:
    """A GridRange of the API: what it leaves open goes to the end of the grid, and so does what goes beyond it.

    Raises Refused where it begins beyond the grid.
    """
    start_row, start_column = where.get("startRowIndex", 0), where.get("startColumnIndex", 0)
    end_row, end_column = where.get("endRowIndex"), where.get("endColumnIndex")
    if start_row < 0 or start_column < 0:
        raise Refused("GridRange indexes must be >= 0")
    if start_row >= sheet.row_count or start_column >= sheet.column_count:
        last = ("" if end_column is None else column_letters(end_column - 1)) + str(end_row or "")
        first = f"{column_letters(start_column)}{start_row + 1}"
        raise beyond(sheet, f"{quoted(sheet.title)}!{first}:{last}")
    return GridRange(
        start_row,
        sheet.row_count if end_row is None else max(start_row, min(end_row, sheet.row_count)),
        start_column,
        sheet.column_count if end_column is None else max(start_column, min(end_column, sheet.column_count)),
    )


def beyond(sheet: Sheet, area: str) -> Refused:
    return Refused(
        f"Range ({area}) exceeds grid limits. Max rows: {sheet.row_count}, max columns: {sheet.column_count}"
    )


def copy_paste(workbook: Workbook, details: Json) -> Json:
    """A destination that is a multiple of the source is filled; beside a smaller or odd one the source goes once.

    Blank cells of the source blank the destination. Merges are not copied.
    """
    kind = details.get("pasteType", "PASTE_NORMAL")
    if kind not in ("PASTE_NORMAL", "PASTE_VALUES", "PASTE_FORMULA") or "TRANSPOSE" in str(details):
        raise Refused(f"The stand-in does not paste {kind} {details.get('pasteOrientation', '')}".rstrip() + ".")
    source_sheet, sheet = (sheet_of(workbook, details.get(end, {})) for end in ("source", "destination"))
    source = area_of(source_sheet, details.get("source", {}))
    destination = area_of(sheet, details.get("destination", {}))
    if not source.height or not source.width:
        return {}
    tall = destination.height or source.height
    wide = destination.width or source.width
    height = source.height if tall % source.height else tall
    width = source.width if wide % source.width else wide
    top, left = destination.start_row, destination.start_column
    target = GridRange(top, top + height, left, left + width)
    if target.end_row > sheet.row_count or target.end_column > sheet.column_count:
        raise beyond(
            sheet,
            f"{quoted(sheet.title)}!{column_letters(left)}{top + 1}:"
            f"{column_letters(target.end_column - 1)}{target.end_row}",
        )
    refuse_protected(sheet, target)
    block = [_cells(source_sheet, number, source) for number in range(source.start_row, source.end_row)]
    if kind == "PASTE_VALUES":
        block = [[shown(cell) for cell in line] for line in block]
    for row in range(height):
        line = block[row % source.height] * (width // source.width)
        if kind != "PASTE_VALUES":
            down = top + row - source.start_row - row % source.height
            line = [
                _pasted(cell, down, left - source.start_column + column - column % source.width, sheet)
                for column, cell in enumerate(line)
            ]
        sheet.write_line(top + row, left, line)
    if kind == "PASTE_NORMAL":
        _copy_formats(source_sheet, source, sheet, target)
    return {}


def update_cells(workbook: Workbook, details: Json) -> Json:
    """Writes `rows` from `start`, or over all of `range`: what the rows leave out there is cleared."""
    fields = _fields(details)
    rows = details.get("rows", [])
    if "range" in details:
        sheet = sheet_of(workbook, details["range"])
        area = area_of(sheet, details["range"])
    elif "start" in details:
        start = details["start"]
        sheet = sheet_of(workbook, start)
        area = area_of(
            sheet, {"startRowIndex": start.get("rowIndex", 0), "startColumnIndex": start.get("columnIndex", 0)}
        )
    else:
        raise Refused("One of 'start' or 'range' must be set.")
    lines = [line.get("values", []) for line in rows]
    widest = max(map(len, lines), default=0)
    if len(lines) > area.height:
        last, most = area.start_row + len(lines), area.end_row
        raise Refused(f"Attempting to write row: {last}, beyond the last requested row of: {most}")
    if widest > area.width:
        last, most = area.start_column + widest, area.end_column
        raise Refused(f"Attempting to write column: {last}, beyond the last requested column of: {most}")
    written = area._replace(end_row=area.start_row + len(lines), end_column=area.start_column + widest)
    refuse_protected(sheet, area if "range" in details else written)
    if "range" in details:
        _clear(sheet, area, fields)
    for row, line in enumerate(lines, area.start_row):
        for column, cell in enumerate(line, area.start_column):
            _write(sheet, row, column, cell, fields)
    return {}


def _fields(details: Json) -> set[str]:
    known = {"userEnteredValue", "userEnteredFormat", "note"}
    mask = details.get("fields") or ""
    if not mask:
        raise Refused("At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)")
    if mask == "*":
        return known
    fields = {part.strip().replace("(", ".").split(".")[0] for part in mask.split(",")}
    if unknown := fields - known:
        raise Refused(f"The stand-in does not know the fields {', '.join(sorted(unknown))}.")
    return fields


def _write(sheet: Sheet, row: int, column: int, cell: Json, fields: set[str]) -> None:
    if "userEnteredValue" in fields:
        sheet.write(row, column, _extended_value(cell.get("userEnteredValue") or {}))
    for field, kept in (("note", sheet.notes), ("userEnteredFormat", sheet.formats)):
        if field in fields:
            kept.pop((row, column), None)
            if value := cell.get(field):
                kept[row, column] = value


def _extended_value(value: Json) -> Any:
    if not value:
        return None
    name, content = next(iter(value.items()))
    kinds = EXTENDED_VALUES.get(name)
    if len(value) > 1 or kinds is None or not isinstance(content, kinds):
        raise Refused(f"Invalid value at 'rows.values.user_entered_value': {name}")
    if isinstance(content, bool) and name != "boolValue":
        raise Refused(f"Invalid value at 'rows.values.user_entered_value': {name}")
    content = checked(content, "rows.values")
    return Formula(content) if name == "formulaValue" else content


def _clear(sheet: Sheet, area: GridRange, fields: set[str]) -> None:
    if "userEnteredValue" in fields:
        sheet.clear(area)
    for field, kept in (("note", sheet.notes), ("userEnteredFormat", sheet.formats)):
        if field in fields:
            for place in [place for place in kept if area.holds(*place)]:
                del kept[place]


def _cells(sheet: Sheet, number: int, area: GridRange) -> list[Any]:
    """The stored cells of a row within the area, blanks at the end included."""
    row = sheet.rows[number] if number < len(sheet.rows) else None
    cells = row.cells[area.start_column : area.end_column] if row else []
    return cells + [None] * (area.width - len(cells))


def _pasted(cell: Any, rows: int, columns: int, sheet: Sheet) -> Any:
    return shifted(cell, rows, columns, sheet) if isinstance(cell, Bound) else cell


def _copy_formats(source_sheet: Sheet, source: GridRange, sheet: Sheet, target: GridRange) -> None:
    copied = {place: kept for place, kept in source_sheet.formats.items() if source.holds(*place)}
    _clear(sheet, target, {"userEnteredFormat"})
    for (row, column), kept in copied.items():
        for down in range(target.start_row + row - source.start_row, target.end_row, source.height):
            for right in range(target.start_column + column - source.start_column, target.end_column, source.width):
                sheet.formats[down, right] = kept
