"""What an editor set outlives every sync, field by field, and comes back to upstream when it is given back."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User

from catalog.changes import Author
from catalog.edits import edit_show, unlock_show
from catalog.links import linked_ids
from catalog.locks import UPSTREAM_FIELDS
from catalog.models import Change, Network, Show
from demo.upstream import Upstream
from ingestion.options import Options
from ingestion.sync import sync_shows
from ingestion.tests.worlds import world

pytestmark = pytest.mark.django_db(transaction=True)

EDITED: dict[str, Any] = {
    "name": "Mine",
    "description": "In my words.",
    "imdb_id": "tt7654321",
    "wikidata_id": "Q42",
    "facebook_id": "mine",
    "instagram_id": "mine",
    "twitter_id": "mine",
    "most_recent_episode_title": "Mine",
    "most_recent_episode_imdb_id": "tt7654322",
    "genres": ["Drama"],
    "keywords": ["mine"],
    "tmdb_name": "Mine",
    "tmdb_status": "Mine",
    "tmdb_type": "Mine",
    "imdb_title": "Mine",
    "imdb_content_rating": "TV-Y",
    "imdb_rating_value": 9.9,
    "tmdb_vote_average": 9.9,
    "tmdb_popularity": 9.9,
}
TOLD_BY_TMDB = [name for name in UPSTREAM_FIELDS if not name.startswith("imdb_") or name == "imdb_id"]


def edited(name: str) -> Any:
    """A value of the field that no upstream sends."""
    return EDITED.get(name, date(1999, 9, 9) if "date" in name else 77)


def sync() -> None:
    assert sync_shows(Options(force=True), kind="sync_shows").exit_code == 0


@pytest.fixture
def synced(upstream: Upstream) -> Show:
    show = world(upstream, 1)[0]
    sync()
    return Show.objects.get(pk=show.pk)


@pytest.fixture
def editor(db: None) -> Author:
    return Author(user=User.objects.create_user("anna"), reason="checked by hand")


@pytest.mark.parametrize("name", [name for name in UPSTREAM_FIELDS if name != "tmdb_id"])
def test_a_sync_keeps_what_an_editor_set_and_unlocking_brings_upstreams_back(
    synced: Show, editor: Author, name: str
) -> None:
    before = getattr(synced, name)

    change = edit_show(synced.pk, {name: edited(name)}, editor)
    sync()

    synced.refresh_from_db()
    assert getattr(synced, name) == edited(name) != before
    assert synced.locked_fields == [name]
    assert change is not None
    assert (change.user, change.reason) == (editor.user, "checked by hand")
    if name in TOLD_BY_TMDB and name != "most_recent_episode_imdb_id":
        unlock_show(synced.pk, [name], editor)
        synced.refresh_from_db()
        assert (getattr(synced, name), synced.locked_fields) == (before, [])


def test_a_match_that_was_set_by_hand_is_changed_by_no_job(upstream: Upstream, editor: Author) -> None:
    show = world(upstream, 2)[0]
    sync()
    edit_show(show.pk, {"tmdb_id": None}, editor)
    other = Show.objects.get(tmdb_id=1002)
    edit_show(other.pk, {"tmdb_id": None}, editor)
    edit_show(show.pk, {"tmdb_id": 1002}, editor)

    sync()

    show.refresh_from_db()
    assert (show.tmdb_id, show.is_locked("tmdb_id"), show.name) == (1002, True, "Island 1002")


def test_networks_that_an_editor_chose_stay_and_unlocking_takes_what_the_last_sync_was_told(
    upstream: Upstream, synced: Show, editor: Author
) -> None:
    Network.objects.create(id=74, name="Bravo")
    edit_show(synced.pk, {"networks": [74]}, editor)
    upstream.shows[1001]["networks"] = upstream.shows[1001]["networks"][1:]
    sync()
    assert linked_ids(synced, "networks") == [74]

    change = unlock_show(synced.pk, ["networks"], editor)

    assert linked_ids(synced, "networks") == [2]
    assert change is not None
    assert change.fields["networks"] == {"added": ["Network 2 (2)"], "removed": ["Bravo (74)"], "at": [0]}
    sync()
    assert Change.objects.filter(run_id__isnull=False, fields__has_key="networks").count() == 1
