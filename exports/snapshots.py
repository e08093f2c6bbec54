"""What tabs were published with: kept, so that it can be told what readers changed, and be published again."""

import gzip
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db.models import QuerySet

from exports.models import ExportedTab, ExportRun, Snapshot
from exports.tables import Table
from exports.tabs import TABS


def pack(table: Table) -> bytes:
    """Header, keys and rows; the same bytes for the same table."""
    content = {"header": table.header, "keys": table.keys, "rows": table.rows}
    return gzip.compress(orjson.dumps(content), compresslevel=6, mtime=0)


def unpack(title: str, data: bytes) -> Table:
    content: dict[str, Any] = orjson.loads(gzip.decompress(data))
    keys = tuple(tuple(key) for key in content["keys"])
    return Table(title, tuple(content["header"]), [tuple(row) for row in content["rows"]], keys)


def save_snapshot(exported: ExportedTab, table: Table) -> None:
    """Keeps what was published, and drops what is older than the last EXPORT_SNAPSHOTS of this tab."""
    Snapshot.objects.create(exported=exported, title=exported.title, data=pack(table))
    kept = of_this_workbook().filter(title=exported.title).order_by("-pk").values_list("pk", flat=True)
    Snapshot.objects.filter(pk__in=list(kept[settings.EXPORT_SNAPSHOTS :])).delete()


def of_this_workbook() -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(exported__run__workbook=settings.SPREADSHEET_ID)


@dataclass(frozen=True, slots=True)
class Last:
    """What a tab of this workbook was last published with, and Google's number of the tab then."""

    table: Table | None = None
    sheet_id: int | None = None


def last_published(title: str) -> Last:
    """Empty where that is not known."""
    rows = of_this_workbook().filter(title=title).order_by("-pk")
    row = rows.values_list("data", "exported__sheet_id").first()
    return Last() if row is None else Last(unpack(title, bytes(row[0])), row[1])


def tables_of_run(run_id: int) -> list[Table]:
    """What a run published. Raises ValueError, in words, where that is not kept."""
    snapshots = of_this_workbook().filter(exported__run_id=run_id).order_by("pk").values_list("title", "data")
    if tables := [unpack(title, bytes(data)) for title, data in snapshots]:
        return tables
    run = ExportRun.objects.filter(pk=run_id).first()
    if run is None:
        raise ValueError(f"there is no export {run_id}")
    if run.workbook != settings.SPREADSHEET_ID and run.format == ExportRun.Format.GOOGLE:
        raise ValueError(f"export {run_id} was of another workbook")
    if ExportedTab.objects.filter(run_id=run_id, run__format=ExportRun.Format.GOOGLE, is_published=True).exists():
        raise ValueError(f"what export {run_id} published is no longer kept (the last {settings.EXPORT_SNAPSHOTS} are)")
    raise ValueError(f"export {run_id} published nothing")


assert all(tab.keys for tab in TABS.values()), "a tab without a key can't be compared"
