"""What is exported, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from exports.models import ExportRun
from exports.tables import Table
from exports.tabs import TABS, Tab, chosen_columns, exported_shows, table_of

Format = ExportRun.Format


@dataclass(frozen=True, slots=True)
class Options:
    """tabs: titles, in order. view: the slug of a saved view whose shows alone are exported. columns: empty for all.

    force: publish however many rows go. confirms: the number of the run that the guard stopped, of which somebody has
    looked at what would go: as much may go, and no more. restore: the number of the run whose rows are published again.
    """

    format: str = Format.GOOGLE
    tabs: tuple[str, ...] = field(default_factory=lambda: tuple(TABS))
    view: str = ""
    columns: tuple[str, ...] = ()
    force: bool = False
    restore: int | None = None
    confirms: int | None = None

    def row(self) -> dict[str, Any]:
        """The columns of ExportRun that hold this."""
        return {
            "format": self.format,
            "workbook": settings.SPREADSHEET_ID if self.format == Format.GOOGLE else "",
            "tabs": list(self.tabs),
            "view": self.view,
            "columns": list(self.columns),
            "force": self.force,
            "restore_of_id": self.restore,
            "confirms_id": self.confirms,
        }


def options_of(run: ExportRun) -> Options:
    columns = tuple(run.columns)
    return Options(
        run.format, tuple(run.tabs), run.view, columns, run.force, run.restore_of_id, confirms=run.confirms_id
    )


def find_tab(title: str) -> Tab:
    """Upper and lower case are the same. Raises ValidationError for one that there is not."""
    known: Mapping[str, Tab] = {name.casefold(): tab for name, tab in TABS.items()}
    tab = known.get(title.strip().casefold())
    if tab is None:
        raise ValidationError(f"There is no tab {title.strip()}; there are: {', '.join(TABS)}.")
    return tab


def check(options: Options) -> None:
    """Raises ValidationError for a tab, a saved view or a column that there is not."""
    if not options.tabs:
        raise ValidationError(f"Name a tab; there are: {', '.join(TABS)}.")
    for title in options.tabs:
        chosen_columns(find_tab(title), options.columns)
    exported_shows(options.view)


def tables_of(options: Options) -> dict[Tab, Table]:
    """What is exported, as the catalogue has it now."""
    tabs = dict.fromkeys(find_tab(title) for title in options.tabs)
    return {tab: table_of(tab, options.view, options.columns) for tab in tabs}
