"""Fixtures that every app's tests share. Nothing here reaches beyond this machine."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured

from demo.upstream import Upstream

ON_SQLITE = configured.DATABASES["default"]["ENGINE"].endswith("sqlite3")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out, on another database, what has been said on SQLite."""
    if not ON_SQLITE:
        for item in items:
            if item.get_closest_marker("once"):
                item.add_marker(pytest.mark.skip(reason="says the same on every database: is run on SQLite"))


def pytest_xdist_auto_num_workers() -> int:
    """Two a core: half of the tests wait for processes of their own, or for a browser."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def upstream(settings: Any, tmp_path: Path) -> Iterator[Upstream]:
    """The stand-in for TMDb, empty, over real HTTP; the settings point to it and the logos to a fresh folder."""
    with Upstream(shows={}, key=settings.TMDB_API_KEY) as server:
        settings.TMDB_API_URL = server.api_url
        settings.TMDB_IMAGE_URL = server.image_url
        settings.MEDIA_ROOT = tmp_path / "media"
        yield server
