"""The rows that were kept of the old workbook, as they were read: to look things up, until something uses them."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from catalog.admin.paginator import BoundedPaginator
from catalog.admin.read_only import ReadOnlyAdmin
from catalog.admin.text import table
from ingestion.models import WorkbookRow
from ingestion.workbook_tabs import LAYOUTS

LONGEST = 160  # characters of a row in the list


@admin.register(WorkbookRow)
class WorkbookRowAdmin(ReadOnlyAdmin):
    list_display = ("place", "text")
    list_filter = ("tab",)
    list_per_page = 100
    paginator = BoundedPaginator
    search_fields = ("cells",)  # see get_search_results
    search_help_text = "Any text of a row: a name, an id; headings too."
    fields = ("place", "values", "read_by")
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WorkbookRow], search_term: str
    ) -> tuple[QuerySet[WorkbookRow], bool]:
        """SQLite keeps JSON with its letters beyond ASCII escaped, PostgreSQL as they are."""
        found = queryset.annotate(written=Cast("cells", TextField()))
        for word in search_term.split():
            found = found.filter(Q(written__icontains=word) | Q(written__icontains=json.dumps(word)[1:-1]))
        return found, False

    @admin.display(description="row", ordering="number")
    def place(self, row: WorkbookRow) -> str:
        return str(row)

    @admin.display(description="cells")
    def text(self, row: WorkbookRow) -> str:
        return Truncator(" · ".join(str(cell) for _, cell in in_order(row))).chars(LONGEST)

    @admin.display(description="cells")
    def values(self, row: WorkbookRow) -> SafeString:
        return table(("Column", "Value"), in_order(row))

    @admin.display(description="read by")
    def read_by(self, row: WorkbookRow) -> str:
        if row.run_id is None:
            return "a run that is no longer kept"
        url = reverse("admin:ingestion_syncrun_change", args=(row.run_id,))
        return format_html('<a href="{}">run {}</a>', url, row.run_id)


def in_order(row: WorkbookRow) -> list[tuple[str, Any]]:
    """The cells as the tab has its columns: PostgreSQL keeps the keys of JSON in an order of its own."""
    headings = LAYOUTS[row.tab].headings if row.tab in LAYOUTS else ()
    places = {heading: place for place, heading in enumerate(headings)}
    return sorted(row.cells.items(), key=lambda cell: (places.get(cell[0], len(places)), cell[0]))
