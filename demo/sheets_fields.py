"""Field masks: which parts of a reply are asked for."""

import re
from typing import Any

from demo.sheets_errors import Json, Refused

Mask = dict[str, "Mask"]  # "*" in it: everything below

# What Google has there; a name that is not among them is refused, as a typing error would be.
SPREADSHEET = frozenset(
    {
        *("spreadsheetId", "properties", "sheets", "namedRanges", "spreadsheetUrl", "developerMetadata"),
        *("dataSources", "dataSourceSchedules"),
    }
)
SHEET = frozenset(
    {
        *("properties", "data", "merges", "conditionalFormats", "filterViews", "protectedRanges", "basicFilter"),
        *("charts", "bandedRanges", "developerMetadata", "rowGroups", "columnGroups", "slicers", "tables"),
    }
)


def masked(spreadsheet: Json, text: str) -> Json:
    """The spreadsheet with what the mask names: `spreadsheetId,properties.title,sheets(properties,merges)`.

    Raises Refused for a mask that is none, or that names what a spreadsheet does not have.
    """
    mask = parse_mask(text)
    for known, names in ((SPREADSHEET, mask), (SHEET, mask.get("sheets", {}))):
        for name in names:
            if name not in known and name != "*":
                raise _invalid(f"Error expanding 'fields' parameter. Cannot find matching fields for path '{name}'.")
    picked: Json = _pick(spreadsheet, mask)
    return picked


def parse_mask(text: str) -> Mask:
    """A dotted path is a chain, parentheses hold the parts below it: `a.b(c,d),e`."""
    root: Mask = {}
    tokens = re.findall(r"[\w*]+|[^\s\w]", text)[::-1]  # the next one last
    _parse_parts(tokens, root, text)
    if tokens:
        raise _invalid(f"Invalid field mask: {text}")
    return root


def _parse_parts(tokens: list[str], into: Mask, text: str) -> None:
    while True:
        here, mark = into, "."
        while mark in (".", "/"):
            name = tokens.pop() if tokens else ""
            if not re.fullmatch(r"[\w*]+", name):
                raise _invalid(f"Invalid field mask: {text}")
            here = here.setdefault(name, {})
            mark = tokens.pop() if tokens else ""
        if mark == "(":
            _parse_parts(tokens, here, text)
            if not tokens or tokens.pop() != ")":
                raise _invalid(f"Invalid field mask: {text}")
            mark = tokens.pop() if tokens else ""
        else:
            here["*"] = {}
        if mark != ",":
            tokens += [mark] if mark else []
            return


def _invalid(description: str) -> Refused:
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "fields", "description": description}],
        }
    ]
    return Refused("Request contains an invalid argument.", details=details)


def _pick(value: Any, mask: Mask) -> Any:
    if "*" in mask:
        return value
    if isinstance(value, list):
        return [_pick(item, mask) for item in value]
    if isinstance(value, dict):
        return {name: _pick(value[name], below) for name, below in mask.items() if name in value}
    return value
