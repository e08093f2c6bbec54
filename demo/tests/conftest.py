from collections.abc import Iterator

import pytest
import requests

from demo.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer demo-bearer-token"
        session.trust_env = False
        yield session
