"""A workbook as a page for people: its visible tabs, and the cells of one of them."""

from html import escape
from typing import Any

from demo.sheets_formulas import Bound, text_of
from demo.sheets_input import formatted
from demo.sheets_ranges import column_letters
from demo.sheets_workbook import Sheet, Workbook, shown

MOST_ROWS = 1000  # in one page
LEAST_COLUMNS = 8

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1f2328; --faint: #656d76; --line: #d8dee4; --head: #f3f5f7;
  --mark: #12703b; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181c; --text: #e3e6e9; --faint: #939ba5; --line: #31373e; --head: #1f242a; --mark: #5fc98a; }
}
* { box-sizing: border-box; }
body { margin: 0; height: 100vh; display: flex; flex-direction: column;
  background: var(--ground); color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
header { padding: 16px 20px 0; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 18px; }
p { margin: 2px 0 12px; color: var(--faint); }
nav { display: flex; flex-wrap: wrap; gap: 4px; }
nav a { padding: 6px 14px; color: inherit; text-decoration: none; border-bottom: 3px solid transparent; }
nav a:hover { background: var(--head); }
nav a[aria-current] { border-color: var(--mark); color: var(--mark); font-weight: 600; }
main { overflow: auto; }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; border: solid var(--line); border-width: 0 1px 1px 0; text-align: left; white-space: nowrap;
  max-width: 420px; overflow: hidden; text-overflow: ellipsis; }
thead th { position: sticky; top: 0; z-index: 1; background: var(--head); }
thead tr.letters th { height: 26px; padding: 0 10px; color: var(--faint); font-weight: 400; text-align: center; }
thead tr.titles th { top: 26px; }
th.row { position: sticky; left: 0; background: var(--head); color: var(--faint); font-weight: 400; text-align: right; }
td.number { text-align: right; }
td.formula { color: var(--mark); }
.noted { background-image: linear-gradient(225deg, #e3a008 6px, transparent 6px); }
footer { padding: 10px 20px; color: var(--faint); border-top: 1px solid var(--line); }
"""
# A link to a tab ends in #gid=..., which no browser sends.
SCRIPT = (
    "const gid = /^#gid=(\\d+)$/.exec(location.hash);"
    "if (gid && gid[1] !== document.body.dataset.gid) location.replace('?gid=' + gid[1]);"
)


def page(workbook: Workbook, gid: str | None) -> str:
    """The tab with this id, or the first visible one where there is none."""
    visible = [sheet for sheet in workbook.sheets if not sheet.hidden]
    sheet = next((sheet for sheet in visible if str(sheet.sheet_id) == gid), visible[0] if visible else None)
    title = escape(workbook.title)
    links = "".join(_link(other, other is sheet) for other in visible)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style>{STYLE}</style></head><body data-gid="{sheet.sheet_id if sheet else ""}"><header><h1>{title}</h1>'
        f"<p>As its readers see it, in the stand-in for Google Sheets. Reload the page after an export.</p>"
        f"<nav>{links}</nav></header>{_table(sheet) if sheet else ''}<script>{SCRIPT}</script></body></html>"
    )


def _link(sheet: Sheet, is_current: bool) -> str:
    current = ' aria-current="page"' if is_current else ""
    return f'<a href="?gid={sheet.sheet_id}"{current}>{escape(sheet.title)}</a>'


def _table(sheet: Sheet) -> str:
    rows = sheet.read(sheet.grid, lambda row, column, cell: cell)
    width = min(max([LEAST_COLUMNS, *map(len, rows)]), sheet.column_count)
    letters = "".join(f"<th>{column_letters(column)}</th>" for column in range(width))
    titles = _row(sheet, 0, rows[0], width) if rows else ""
    lines = "".join(_row(sheet, number, rows[number], width) for number in range(1, min(len(rows), MOST_ROWS)))
    return (
        f'<main><table><thead><tr class="letters"><th></th>{letters}</tr>{titles}</thead>'
        f"<tbody>{lines}</tbody></table></main><footer>{_count(len(rows))}</footer>"
    )


def _count(rows: int) -> str:
    if not rows:
        return "The tab is empty."
    if rows > MOST_ROWS:
        return f"The first {MOST_ROWS:,} of {rows:,} rows, the head among them."
    return f"{rows:,} {'row' if rows == 1 else 'rows'}, the head among them."


def _row(sheet: Sheet, number: int, cells: list[Any], width: int) -> str:
    kind = "td" if number else "th"
    shown_cells = "".join(
        _cell(sheet, number, column, cells[column] if column < len(cells) else None, kind) for column in range(width)
    )
    return f'<tr{"" if number else " class=titles"}><th class="row">{number + 1}</th>{shown_cells}</tr>'


def _cell(sheet: Sheet, row: int, column: int, cell: Any, kind: str) -> str:
    value = None if cell == "" else shown(cell)
    note = sheet.notes.get((row, column))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    marks = {"number": is_number, "formula": isinstance(cell, Bound), "noted": note is not None}
    classes = " ".join(name for name, is_so in marks.items() if is_so)
    hints = [*([text_of(cell)] if isinstance(cell, Bound) else []), *([note] if note else [])]
    attributes = (f' class="{classes}"' if classes else "") + (f' title="{escape(" - ".join(hints))}"' if hints else "")
    return f"<{kind}{attributes}>{escape(formatted(value, sheet.formats.get((row, column))))}</{kind}>"
