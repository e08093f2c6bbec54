"""Which exports are no longer kept."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from exports.models import ExportedTab, ExportRun
from exports.runs import old_runs
from exports.snapshots import save_snapshot
from exports.tables import Table

pytestmark = pytest.mark.django_db


def run(days: float, status: str = "succeeded", format: str = "google") -> ExportRun:
    return ExportRun.objects.create(format=format, status=status, asked_at=timezone.now() - timedelta(days=days))


def old() -> list[ExportRun]:
    ((what, rows),) = old_runs(timezone.now())
    assert what == "exports"
    return list(rows.order_by("pk"))


def test_old_exports_go_but_for_the_last_and_the_last_that_succeeded() -> None:
    first, good, failed = run(400), run(300), run(250, "failed")
    running = run(260, "running")
    file = run(400, format="csv")

    assert old() == [first]
    assert {good, failed, running, file}.isdisjoint(old())


def test_what_can_be_published_again_stays(settings: Any) -> None:
    first = run(400)
    run(1)
    exported = ExportedTab.objects.create(run=first, title="ShowInfo")
    save_snapshot(exported, Table("ShowInfo", ("Show",), [("A",)], (("Show",),)))

    assert old() == []

    exported.snapshot.delete()
    assert old() == [first]
