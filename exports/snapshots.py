"""What tabs were published with: kept, so that it can be told what readers changed, and be published again."""

import gzip
from dataclasses import replace
from typing import Any

import orjson
from django.conf import settings
from django.db.models import QuerySet

from exports.models import ExportedTab, ExportRun, Snapshot
from exports.tables import Last, Table


def pack(table: Table) -> bytes:
    """Header, keys and rows; the same bytes for the same table."""
    content = {"header": table.header, "keys": table.keys, "rows": table.rows}
    return gzip.compress(orjson.dumps(content), compresslevel=6, mtime=0)


def unpack(title: str, data: bytes) -> Table:
    content: dict[str, Any] = orjson.loads(gzip.decompress(data))
    keys = tuple(tuple(key) for key in content["keys"])
    return Table(title, tuple(content["header"]), [tuple(row) for row in content["rows"]], keys)


def save_snapshot(exported: ExportedTab, table: Table, *, is_pending: bool = False) -> None:
    """Keeps what was published, or is about to be, and drops all but the last EXPORT_SNAPSHOTS of this tab."""
    Snapshot.objects.create(exported=exported, title=exported.title, data=pack(table), is_pending=is_pending)
    kept = of_this_workbook().filter(title=exported.title).order_by("-pk").values_list("pk", flat=True)
    Snapshot.objects.filter(pk__in=list(kept[settings.EXPORT_SNAPSHOTS :])).delete()


def of_this_workbook() -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(exported__run__workbook=settings.SPREADSHEET_ID)


def last_published(title: str) -> Last:
    """Empty where that is not known."""
    rows = of_this_workbook().filter(title=title).order_by("-pk").values_list("pk", "data", "exported__sheet_id")
    pending = rows.filter(is_pending=True).first()
    good = rows.filter(is_pending=False).first()
    last = Last() if good is None else Last(unpack(title, bytes(good[1])), good[2])
    if pending is None or (good is not None and pending[0] < good[0]):
        return last
    table = unpack(title, bytes(pending[1]))
    return replace(last, sheet_id=last.sheet_id or pending[2], pending=table, exported_id=pending[0])


def settle(exported_id: int) -> None:
    """What was about to be published was: readers have it."""
    Snapshot.objects.filter(pk=exported_id).update(is_pending=False)
    ExportedTab.objects.filter(pk=exported_id).update(is_published=True, error="")


def tables_of_run(run_id: int) -> list[Table]:
    """What a run published. Raises ValueError, in words, where that is not kept."""
    snapshots = (
        of_this_workbook().filter(exported__run_id=run_id, is_pending=False).order_by("pk").values_list("title", "data")
    )
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
