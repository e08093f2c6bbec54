"""A catalogue that is in use migrates forward with its data, and back again."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrate(transactional_db: None) -> Any:
    """Migrates the catalogue to a state and gives its models; afterwards everything is up to date again."""

    def to(name: str) -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate([("catalog", name)])
        return MigrationExecutor(connection).loader.project_state([("catalog", name)]).apps

    yield to
    call_command("migrate", verbosity=0)


def test_shows_that_are_there_get_their_search_keys_and_may_go_back(migrate: Any) -> None:
    old = migrate("0001_initial").get_model("catalog", "Show")
    for number in range(1200):
        old.objects.create(name=f"Émission {number}", tmdb_name="The Show", imdb_title=f"EMISSION {number}")

    new = migrate("0003_name_keys").get_model("catalog", "Show")

    keys = set(new._base_manager.values_list("name_key", "alias_keys"))
    assert keys == {(f"emission {number}", "the show") for number in range(1200)}
    back = migrate("0001_initial").get_model("catalog", "Show")
    assert back.objects.filter(name__startswith="Émission").count() == 1200
