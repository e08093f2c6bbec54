"""spreadsheets.batchUpdate of the stand-in: all of a batch, or nothing of it."""

from collections.abc import Callable
from typing import Any

from demo import sheets_cells, sheets_lines, sheets_tabs
from demo.sheets_errors import Json, Refused
from demo.sheets_workbook import Workbook

KINDS: dict[str, Callable[[Workbook, Json], Json]] = {
    "addSheet": sheets_tabs.add_sheet,
    "deleteSheet": sheets_tabs.delete_sheet,
    "updateSheetProperties": sheets_tabs.update_sheet_properties,
    "copyPaste": sheets_cells.copy_paste,
    "updateCells": sheets_cells.update_cells,
    "insertDimension": sheets_lines.insert_dimension,
    "deleteDimension": sheets_lines.delete_dimension,
    "moveDimension": sheets_lines.move_dimension,
    "appendDimension": sheets_lines.append_dimension,
}


def apply_batch(workbook: Workbook, requests: Any) -> list[Json]:
    """The replies, one a request. Raises Refused with the workbook as it was."""
    if not isinstance(requests, list) or not requests:
        raise Refused("Must specify at least one request.")
    restore = workbook.snapshot()
    try:
        return [_apply(workbook, number, request) for number, request in enumerate(requests)]
    except BaseException:
        restore()
        raise


def _apply(workbook: Workbook, number: int, request: Any) -> Json:
    if not isinstance(request, dict) or len(request) != 1:
        raise Refused(f"Invalid requests[{number}]: exactly one kind of request must be set.")
    name, details = next(iter(request.items()))
    if not isinstance(details, dict):
        raise Refused(f"Invalid value at 'requests[{number}]': {name} must be an object.")
    change = KINDS.get(name)
    if change is None:
        raise Refused(
            f"Invalid JSON payload received. Unknown name \"{name}\" at 'requests[{number}]': Cannot find field."
        )
    cells = workbook.cell_count
    try:
        reply = change(workbook, details)
        if workbook.cell_count > max(cells, workbook.most_cells):
            raise Refused(
                "This action would increase the number of cells in the workbook above the limit of "
                f"{workbook.most_cells} cells."
            )
    except Refused as refused:
        raise Refused(f"Invalid requests[{number}].{name}: {refused.message}") from None
    return reply
