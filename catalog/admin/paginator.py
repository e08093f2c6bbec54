"""Counting long lists only as far as anybody pages through them."""

from typing import Final

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

COUNTED: Final = 10_000  # rows; beyond them a count is a scan that nobody reads


class MoreThan(int):
    """A count that was given up: as a number it is what was counted, as text it says that there are more."""

    def __str__(self) -> str:
        return f"more than {int(self):,}"


class BoundedPaginator(Paginator):
    """Looks at no more than COUNTED rows and one, and pages through as many; a filter or an order reaches the rest."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        counted = rows.order_by().values("pk")[: COUNTED + 1].count()
        return MoreThan(COUNTED) if counted > COUNTED else counted
