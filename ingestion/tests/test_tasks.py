import json
import re

import pytest
from django.utils.module_loading import import_string

from demo.upstream import Reply
from ingestion import tasks
from ingestion.models import SyncRun
from ingestion.runs import start_run

from .worlds import FIRST_ID, name_of, world

pytestmark = pytest.mark.django_db


def test_task_without_ids_syncs_what_is_due(upstream):
    world(upstream, 3)

    first, second = tasks.sync_shows(), tasks.sync_shows()

    assert (first["counts"]["updated"], second["counts"]["updated"], second["exit_code"]) == (3, 0, 0)
    assert SyncRun.objects.first().kind == "sync_shows"


def test_task_syncs_the_named_shows_whatever_their_age(upstream, django_user_model):
    user = django_user_model.objects.create(username="editor")
    shows = world(upstream, 4)
    tasks.sync_shows()
    upstream.clear()

    result = tasks.sync_shows([str(shows[1].pk), str(shows[2].pk)], user_id=user.pk)

    assert sorted(request.path for request in upstream.requests) == ["/3/tv/1002", "/3/tv/1003"]
    assert result["counts"]["unchanged"] == 2
    run = SyncRun.objects.first()
    assert re.fullmatch("sync_selected [0-9a-f]{12}", run.kind)
    assert run.started_by == user


def test_task_tells_of_another_run_instead_of_failing(upstream):
    world(upstream, 1)
    start_run("sync_shows", {})

    result = tasks.sync_shows()

    assert (result["exit_code"], upstream.count()) == (3, 0)
    assert "sync_shows is already running" in result["error"]


def test_button_for_single_shows_works_beside_a_run_of_all(upstream):
    shows = world(upstream, 2)
    start_run("sync_shows", {})

    assert tasks.sync_shows([str(shows[0].pk)])["exit_code"] == 0


def test_two_selections_may_run_at_once_and_the_same_one_not(upstream):
    shows = world(upstream, 3)
    one, other = [str(shows[0].pk), str(shows[1].pk)], [str(shows[1].pk), str(shows[2].pk)]
    tasks.sync_shows(one)
    SyncRun.objects.update(status="running", finished_at=None)  # as if it still went on
    upstream.clear()

    beside, again = tasks.sync_shows(other), tasks.sync_shows(one[::-1])

    assert (beside["exit_code"], again["exit_code"], upstream.count()) == (0, 3, 2)
    assert "is already running" in again["error"]
    assert SyncRun.objects.values("kind").distinct().count() == 2


def test_result_names_what_failed_and_can_be_stored_as_json(upstream):
    world(upstream, 2)
    upstream.always(f"/3/tv/{FIRST_ID}", Reply(200, []))

    result = json.loads(json.dumps(tasks.sync_shows()))

    assert result["exit_code"] == 1
    assert [failure["item"] for failure in result["failures"]] == [name_of(FIRST_ID)]


def test_user_who_is_gone_does_not_stop_the_task(upstream):
    world(upstream, 1)

    assert tasks.sync_shows(user_id=12345)["exit_code"] == 0


def test_task_has_the_dotted_name_that_buttons_queue():
    assert import_string("ingestion.tasks.sync_shows") is tasks.sync_shows
