"""Workbooks for the tests: tabs as lists of rows, as files of all kinds, and what the catalogue holds after them."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from catalog.models import Change, Show, ShowNetwork
from ingestion.models import WorkbookRow
from ingestion.workbook_tabs import LAYOUTS, SHOW_INFO, Tab, Workbook, read_tab

SHOW_HEADER = list(LAYOUTS[SHOW_INFO].headings)
SURVIVOR = ["Survivor", "CBS", 45, 640, "tt0239195", "14658", "2023-12-20", ""]
VOICE = ["The Voice", "NBC", 24, 530, "tt1839337", "41956", "2023-12-19", ""]
CAST = ["Kyle Richards", "17640", "nm0724153", "Survivor", "tt0239195", "14658", "250", "1, 2"]

Rows = Sequence[Sequence[Any]]


def tab(title: str, *rows: Sequence[Any], header: Sequence[Any] | None = None, **options: Any) -> Tab:
    """Under our headings, or under those that are given."""
    first = LAYOUTS[title].headings if header is None else header
    return read_tab(title, [(number, list(row), "") for number, row in enumerate([first, *rows], 1)], **options)


def show_info(*rows: Sequence[Any], **tabs: Rows) -> Workbook:
    """A workbook of these rows of ShowInfo, and of other tabs by their names."""
    others = {title: tab(title, *found) for title, found in tabs.items()}
    return Workbook("the test's workbook", {SHOW_INFO: tab(SHOW_INFO, *rows), **others})


def show_row(**cells: Any) -> list[Any]:
    """A row of ShowInfo by our columns' names in lower case, without blanks: name, network, seasons, ..."""
    names = ("name", "network", "seasons", "episodes", "imdb_id", "tmdb_id", "aired", "override")
    assert not set(cells) - set(names)
    return [cells.get(name, "") for name in names]


def xlsx(tabs: Mapping[str, Rows], merged: str = "") -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in tabs.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
        if merged:
            sheet.merge_cells(merged)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def write_xlsx(path: Path, tabs: Mapping[str, Rows], merged: str = "") -> Path:
    path.write_bytes(xlsx(tabs, merged))
    return path


def write_csv(path: Path, rows: Rows, *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def contents() -> dict[str, Any]:
    """Every row that an import of the workbook writes, with its stamps and ids."""
    return {
        "shows": list(Show.all_objects.order_by("pk").values()),
        "networks": list(ShowNetwork.objects.order_by("pk").values()),
        "changes": list(Change.objects.order_by("pk").values()),
        "kept": list(WorkbookRow.objects.order_by("pk").values()),
    }
