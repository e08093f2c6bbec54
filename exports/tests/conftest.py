"""A workbook on a stand-in for Google Sheets, and shows to publish into it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from catalog.models import Network, Show, ShowNetwork
from demo.sheets import SheetsServer, Workbook
from exports.tabs import ShowInfo

BOOK = "book"
HEADER = list(ShowInfo.header)


@pytest.fixture
def workbook() -> Workbook:
    return Workbook("Realitease2025Data")


@pytest.fixture
def server(settings: Any, workbook: Workbook) -> Iterator[SheetsServer]:
    with SheetsServer({BOOK: workbook}) as server:
        settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = server.url, BOOK
        workbook.add("Sheet1")
        yield server


def a_show(number: int, name: str = "", **values: Any) -> Show:
    """A show of Bravo with everything that ShowInfo tells."""
    shown = {
        "show_total_seasons": 3,
        "show_total_episodes": 30,
        "most_recent_episode_air_date": "2024-01-02",
        "imdb_id": f"tt{number:07d}",
        "tmdb_id": number,
    } | values
    show: Show = Show.objects.create(name=name or f"Show {number}", **shown)
    network, _ = Network.objects.get_or_create(id=74, defaults={"name": "Bravo"})
    ShowNetwork.objects.create(show=show, network=network, position=0)
    return show


def cells(number: int, name: str = "", **values: Any) -> list[Any]:
    """The row of `a_show(number)`."""
    row = dict(zip(HEADER, (name or f"Show {number}", "Bravo", 3, 30), strict=False))
    row |= {"IMDbSeriesID": f"tt{number:07d}", "TMDbSeriesID": str(number), "Most Recent Episode": "2024-01-02"}
    return [(row | values).get(column, "") for column in HEADER]


@pytest.fixture
def anna(db: None, django_user_model: Any) -> Any:
    user = django_user_model.objects.create_user("anna", is_staff=True)
    user.groups.add(Group.objects.get(name="editor"))
    return user


@pytest.fixture
def desk(client: Client, anna: Any) -> Client:
    """A client that is logged in as an editor."""
    client.force_login(anna)
    return client


@pytest.fixture
def viewer(db: None, django_user_model: Any) -> Client:
    user = django_user_model.objects.create_user("vera", is_staff=True)
    user.groups.add(Group.objects.get(name="viewer"))
    client = Client()
    client.force_login(user)
    return client
