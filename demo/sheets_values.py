"""The spreadsheets.values calls of the stand-in: read, write and clear ranges in A1 notation."""

from typing import Any

from demo.sheets_cells import beyond
from demo.sheets_dimensions import refuse_protected
from demo.sheets_errors import Json, Refused
from demo.sheets_input import checked, renderer, typed
from demo.sheets_ranges import A1, GridRange, always_quoted, as_said, column_letters, format_a1, parse_a1
from demo.sheets_workbook import Sheet, Workbook

RAW, USER_ENTERED = "RAW", "USER_ENTERED"
COUNTS = ("updatedRows", "updatedColumns", "updatedCells")
Params = dict[str, str]


def get_values(workbook: Workbook, text: str, params: Params) -> Json:
    """A ValueRange; `values` is absent where nothing is in the range."""
    sheet, said = _resolve(workbook, text)
    area = _within_grid(sheet, said)
    option = params.get("valueRenderOption", "FORMATTED_VALUE")
    rows = sheet.read(area, renderer(sheet, option, params.get("dateTimeRenderOption", "SERIAL_NUMBER")))
    dimension = params.get("majorDimension", "ROWS")
    reply: Json = {"range": format_a1(sheet.title, area), "majorDimension": dimension}
    if rows:
        reply["values"] = rows if dimension == "ROWS" else _transposed(rows)
    return reply


def batch_get(workbook: Workbook, spreadsheet_id: str, ranges: list[str], params: Params) -> Json:
    return {
        "spreadsheetId": spreadsheet_id,
        "valueRanges": [get_values(workbook, text, params) for text in ranges],
    }


def update_values(workbook: Workbook, spreadsheet_id: str, text: str, params: Params, body: Any) -> Json:
    write = _Write(workbook, text, body if isinstance(body, dict) else {}, params.get("valueInputOption"), "values")
    return write.apply(spreadsheet_id)


def batch_update_values(workbook: Workbook, spreadsheet_id: str, body: Any) -> Json:
    body = body if isinstance(body, dict) else {}
    option, data = body.get("valueInputOption"), body.get("data", [])
    writes = [
        _Write(workbook, part.get("range", ""), part, option, f"data[{number}]: Invalid values")
        for number, part in enumerate(data)
        if isinstance(part, dict)
    ]
    responses = [write.apply(spreadsheet_id) for write in writes]
    totals = {f"totalU{name[1:]}": sum(reply.get(name, 0) for reply in responses) for name in COUNTS}
    totals["totalUpdatedSheets"] = len({write.sheet.sheet_id for write in writes if write.height})
    present = {name: total for name, total in totals.items() if total}
    return {"spreadsheetId": spreadsheet_id, **present, "responses": responses}


def clear_values(workbook: Workbook, spreadsheet_id: str, text: str) -> Json:
    return {"spreadsheetId": spreadsheet_id, "clearedRange": _cleared(workbook, [text])[0]}


def batch_clear(workbook: Workbook, spreadsheet_id: str, body: Any) -> Json:
    ranges = body.get("ranges", []) if isinstance(body, dict) else []
    return {"spreadsheetId": spreadsheet_id, "clearedRanges": _cleared(workbook, ranges)}


class _Write:
    """One range to be written. All that can be wrong is found before anything is written.

    null leaves a cell as it is, "" empties it.
    """

    def __init__(self, workbook: Workbook, text: str, body: Json, option: str | None, where: str) -> None:
        if option not in (RAW, USER_ENTERED):
            if option in (None, "INPUT_VALUE_OPTION_UNSPECIFIED"):
                raise Refused("'valueInputOption' is required but not specified")
            raise Refused(
                "Invalid value at 'value_input_option' "
                f'(type.googleapis.com/google.apps.sheets.v4.ValueInputOption), "{option}"'
            )
        self.option = option
        self.sheet, said = _resolve(workbook, text)
        self.rows = _matrix(body, where)
        self.width, self.height = max(map(len, self.rows), default=0), len(self.rows)
        top, left = said.start_row or 0, said.start_column or 0
        self.area = GridRange(top, top + self.height, left, left + self.width)
        _refuse_beyond(self.sheet, said, self.area)
        refuse_protected(self.sheet, self.area)

    def apply(self, spreadsheet_id: str) -> Json:
        count = 0
        for row, line in enumerate(self.rows, self.area.start_row):
            for column, value in enumerate(line, self.area.start_column):
                if value is not None:
                    self._put(row, column, value)
                    count += 1
        shown = self.area._replace(
            end_row=max(self.area.end_row, self.area.start_row + 1),
            end_column=max(self.area.end_column, self.area.start_column + 1),
        )
        reply: Json = {"spreadsheetId": spreadsheet_id, "updatedRange": format_a1(self.sheet.title, shown)}
        if count:
            reply |= zip(COUNTS, (self.height, self.width, count), strict=True)
        return reply

    def _put(self, row: int, column: int, value: Any) -> None:
        if self.option == USER_ENTERED and isinstance(value, str):
            value, shape = typed(value)
            if shape:
                self.sheet.formats[row, column] = shape
        self.sheet.write(row, column, value)


def _matrix(body: Json, where: str) -> list[list[Any]]:
    values = body.get("values", [])
    if not isinstance(values, list) or not all(isinstance(line, list) for line in values):
        field = "data.values"
        odd = values if not isinstance(values, list) else next(line for line in values if not isinstance(line, list))
        message = f"Invalid value at '{field}' (type.googleapis.com/google.protobuf.ListValue), \"{odd}\""
        violation = {"field": field, "description": message}
        details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
        raise Refused(message, details=details)
    rows = [
        [checked(value, f"{where}[{number}][{column}]") for column, value in enumerate(line)]
        for number, line in enumerate(values)
    ]
    return rows if body.get("majorDimension") in (None, "ROWS") else _transposed(rows, blank=None)


def _resolve(workbook: Workbook, text: str) -> tuple[Sheet, A1]:
    said = parse_a1(text, [sheet.title for sheet in workbook.sheets])
    sheet = (
        workbook.find(said.title)
        if said.title
        else next((sheet for sheet in workbook.sheets if not sheet.hidden), workbook.sheets[0])
    )
    assert sheet is not None
    return sheet, said


def _said_area(sheet: Sheet, said: A1) -> GridRange:
    return GridRange(
        said.start_row or 0,
        sheet.row_count if said.end_row is None else said.end_row,
        said.start_column or 0,
        sheet.column_count if said.end_column is None else said.end_column,
    )


def _within_grid(sheet: Sheet, said: A1) -> GridRange:
    """The range cut at the end of the grid. Raises Refused where it begins beyond it."""
    area = _said_area(sheet, said)
    if area.start_row >= sheet.row_count or area.start_column >= sheet.column_count:
        raise beyond(sheet, as_said(sheet.title, said))
    return area._replace(
        end_row=min(area.end_row, sheet.row_count), end_column=min(area.end_column, sheet.column_count)
    )


def _refuse_beyond(sheet: Sheet, said: A1, written: GridRange) -> None:
    area = _said_area(sheet, said)
    if not said.is_start:
        within = f"Requested writing within range [{as_said(sheet.title, said, always_quoted)}], but tried writing to"
        if said.end_row is not None and written.end_row > area.end_row:
            raise Refused(f"{within} row [{area.end_row + 1}]")
        if said.end_column is not None and written.end_column > area.end_column:
            raise Refused(f"{within} column [{column_letters(area.end_column)}]")
        if area.end_row > sheet.row_count or area.end_column > sheet.column_count:
            raise beyond(sheet, as_said(sheet.title, said))
    if written.end_row > sheet.row_count or written.end_column > sheet.column_count:
        raise beyond(sheet, format_a1(sheet.title, written))
    if area.start_row >= sheet.row_count or area.start_column >= sheet.column_count:
        raise beyond(sheet, as_said(sheet.title, said))


def _cleared(workbook: Workbook, ranges: list[str]) -> list[str]:
    """Clears them all or none; the ranges as Google tells them."""
    found = []
    for text in ranges:
        sheet, said = _resolve(workbook, text)
        area = _within_grid(sheet, said)
        refuse_protected(sheet, area)
        found.append((sheet, area))
    for sheet, area in found:
        sheet.clear(area)
    return [format_a1(sheet.title, area) for sheet, area in found]


def _transposed(rows: list[list[Any]], blank: Any = "") -> list[list[Any]]:
    width = max(map(len, rows), default=0)
    columns = [[row[column] if column < len(row) else blank for row in rows] for column in range(width)]
    for column in columns:
        while column and column[-1] == "":
            column.pop()
    return columns
