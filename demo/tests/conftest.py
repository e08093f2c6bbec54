from collections.abc import Iterator
from typing import Any

import gspread
import pytest
import requests

from demo.sheets import SheetsServer, Workbook
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


@pytest.fixture
def workbook() -> Workbook:
    return Workbook("Realitease2025Data")


@pytest.fixture
def sheets(workbook: Workbook) -> Iterator[SheetsServer]:
    """The stand-in for Google Sheets with one workbook, "book"."""
    with SheetsServer({"book": workbook}) as running:
        yield running


class StandInSession(requests.Session):
    """Sends what gspread has for Google to the stand-in."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.trust_env = False

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        return super().request(method, url.replace("https://sheets.googleapis.com", self.url), *args, **options)


@pytest.fixture
def google(sheets: SheetsServer) -> Iterator[gspread.Client]:
    """The real gspread, which takes the stand-in for Google."""
    with StandInSession(sheets.url) as session:
        client = gspread.Client(auth=None, session=session)
        client.set_timeout((2, 10))
        yield client
