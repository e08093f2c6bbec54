"""What stands under which address: nothing of the jobs is in the public API."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from catalog.api.schema import document
from ingestion.models import Problem, SyncFailure, SyncRun

# Of the models and modules of the jobs, in any form.
WORDS = ("run", "sync", "job", "task", "queue", "worker", "schedule", "problem", "failure", "chunk", "backup", "prune")


def routes(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback


def of_the_api() -> list[tuple[str, Any]]:
    return [(route, view) for route, view in routes(get_resolver().url_patterns) if route.startswith("api/")]


def test_the_api_has_no_route_of_jobs() -> None:
    found = of_the_api()

    assert len(found) > 10
    assert [route for route, _ in found if any(word in route for word in WORDS)] == []
    assert {view.__module__.split(".")[0] for _, view in found} <= {"catalog", "drf_spectacular"}


def test_its_document_tells_of_none() -> None:
    told = document()

    assert [path for path in told["paths"] if any(word in path for word in WORDS)] == []
    assert [name for name in told["components"]["schemas"] if any(word in name.lower() for word in WORDS)] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["runs", "syncs", "sync", "jobs", "tasks", "schedules", "problems", "workers", "runs/1"]
)
def test_what_one_might_try_is_not_there(client: Client, path: str) -> None:
    assert client.get(f"/api/v1/{path}").status_code == 404
    assert client.post(f"/api/v1/{path}").status_code == 405


@pytest.mark.django_db
def test_what_went_wrong_is_told_to_nobody_who_is_not_logged_in(client: Client) -> None:
    run = SyncRun.objects.create(kind="sync_shows", status="failed", host="h", pid=1, error="the-error")
    SyncFailure.objects.create(run=run, item="Survivor", reason="the-reason")
    Problem.objects.create(key="run:sync_shows", text="the-problem")

    for path in ("/", "/health", "/health/ready", "/metrics", "/api/v1/shows", "/api/v1/changes", "/admin/"):
        text = client.get(path, follow=True, REMOTE_ADDR="203.0.113.9").content.decode()
        assert not [word for word in ("the-error", "the-reason", "the-problem") if word in text], path
    for page in ("ingestion/syncrun/", f"ingestion/syncrun/{run.pk}/change/", "ingestion/problem/"):
        assert client.get(f"/admin/{page}").status_code == 302
