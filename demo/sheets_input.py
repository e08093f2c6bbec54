"""Cell values on their way in (RAW or as typed) and out (formatted, unformatted, formulas)."""

import datetime
import re
from collections.abc import Callable
from typing import Any

from demo.sheets_errors import Json, Refused
from demo.sheets_formulas import Bound, Formula, text_of
from demo.sheets_workbook import Sheet, render_value, shown

MOST_CHARACTERS = 50_000
EPOCH = datetime.date(1899, 12, 30)  # day 0 of a serial date
DATE_FORMAT = {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}
SLASHED_FORMAT = {"numberFormat": {"type": "DATE", "pattern": "m/d/yyyy"}}
PERCENT_FORMAT = {"numberFormat": {"type": "PERCENT", "pattern": "0.00%"}}
NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d+)?")
ISO_DATE = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})")
SLASHED_DATE = re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})")
Render = Callable[[int, int, Any], Any]


def checked(value: Any, where: str) -> Any:
    """A JSON value that a cell can hold. Raises Refused for anything else, and for a text that is too long."""
    if isinstance(value, list):
        raise Refused(f"Invalid {where}: list_value {{}}")
    if isinstance(value, dict):
        raise Refused(f"Invalid {where}: struct_value {{}}")
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        raise Refused(f"Your input contains more than the maximum of {MOST_CHARACTERS} characters in a single cell.")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return float(value)  # numbers are doubles there
    return value


def typed(text: str) -> tuple[Any, Json | None]:
    """What Google makes of a text that is typed in, with the format that the cell then gets."""
    if text.startswith("'"):
        return text[1:], None
    if text.startswith("=") and len(text) > 1:
        return Formula(text), None
    bare = text.strip()
    if bare.upper() in ("TRUE", "FALSE"):
        return bare.upper() == "TRUE", None
    for pattern, shape in ((ISO_DATE, DATE_FORMAT), (SLASHED_DATE, SLASHED_FORMAT)):
        if found := pattern.fullmatch(bare):
            try:
                day = datetime.date(*(int(found[part]) for part in ("year", "month", "day")))
            except ValueError:
                return text, None
            return (day - EPOCH).days, shape
    percent = bare.endswith("%")
    digits = bare.removesuffix("%")
    if NUMBER.fullmatch(digits) and any(map(str.isdigit, digits)):
        number = float(digits.replace(",", ""))
        return plain_number(number / 100 if percent else number), PERCENT_FORMAT if percent else None
    if text.startswith("+") and len(text) > 1:
        return Formula(f"={text}"), None
    return text, None


def plain_number(number: float) -> int | float:
    """As JSON shows it: 3 and not 3.0."""
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def renderer(sheet: Sheet, option: str, dates: str) -> Render:
    """How cells of the tab are shown. Raises Refused for an unknown option."""
    if option == "FORMATTED_VALUE":
        return lambda row, column, cell: formatted(shown(cell), sheet.formats.get((row, column)))
    if option == "UNFORMATTED_VALUE":
        if dates == "FORMATTED_STRING":
            return lambda row, column, cell: _dated(shown(cell), sheet.formats.get((row, column)))
        return render_value
    if option == "FORMULA":
        return lambda row, column, cell: text_of(cell) if isinstance(cell, Bound) else cell
    raise Refused(
        f"Invalid value at 'value_render_option' (type.googleapis.com/google.apps.sheets.v4.ValueRenderOption), "
        f'"{option}"'
    )


def _dated(value: Any, shape: Json | None) -> Any:
    kind = (shape or {}).get("numberFormat", {}).get("type")
    if value is None:
        return ""
    return formatted(value, shape) if kind == "DATE" and not isinstance(value, str) else value


def formatted(value: Any, shape: Json | None = None) -> str:
    """The text on the screen."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return value
    pattern = (shape or {}).get("numberFormat", {}).get("pattern")
    if pattern in ("yyyy-mm-dd", "m/d/yyyy") and 0 <= value < 2_958_466:
        day = EPOCH + datetime.timedelta(days=int(value))
        return day.isoformat() if pattern == "yyyy-mm-dd" else f"{day.month}/{day.day}/{day.year}"
    if pattern == "0.00%":
        return f"{value:.2%}"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
