"""What holds for every page of admin: hostile text is shown as text, lists cost a constant number of queries."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from catalog.changes import Author
from catalog.edits import edit_show
from catalog.models import (
    AccessEvent,
    Batch,
    Network,
    ProductionCompany,
    SavedView,
    Show,
    ShowNetwork,
    ShowProductionCompany,
    ShowWatchProvider,
    WatchProvider,
)
from catalog.trash import comment_on_show, delete_show
from exports.models import ExportedTab, ExportRun
from ingestion.models import ResolutionCandidate, SyncFailure, SyncRun, SyncState

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LISTS = [
    f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    for model in admin.site._registry
    if model._meta.app_label in {"catalog", "ingestion", "exports", "auth", "django_q"}
]
PAGES = ("catalog_show_review", "catalog_show_trash", "catalog_show_import", "index")


def create_rows(number: int, user: User) -> Show:
    """One row of every kind, each text of which is hostile."""
    network = Network.objects.create(id=number, name=HOSTILE, origin_country=HOSTILE, logo_error=HOSTILE)
    company = ProductionCompany.objects.create(id=number, name=HOSTILE, logo_error=HOSTILE)
    provider = WatchProvider.objects.create(provider_id=number, provider_name=HOSTILE, logo_error=HOSTILE)
    show = Show.objects.create(
        name=HOSTILE,
        description=HOSTILE,
        tmdb_name=HOSTILE,
        imdb_title=HOSTILE + HOSTILE,
        tmdb_id=number,
        tmdb_status=HOSTILE,
        most_recent_episode_number=1,
        most_recent_episode_title=HOSTILE,
        genres=[HOSTILE],
        facebook_id=HOSTILE,
        tmdb_fetched_at=NOW,
    )
    lost = Show.objects.create(name=HOSTILE, needs_tmdb_resolution=True)
    Show.objects.create(name=HOSTILE, tmdb_id=1_000_000 + number, needs_tmdb_resolution=True)
    ShowNetwork.objects.create(show=show, network=network, position=0)
    ShowProductionCompany.objects.create(show=show, company=company, position=0)
    ShowWatchProvider.objects.create(
        show=show,
        region=HOSTILE,
        offer_type=HOSTILE,
        provider=provider,
        link="javascript:alert(1)",
        first_seen_at=NOW,
        fetched_at=NOW,
    )
    run = SyncRun.objects.create(
        kind=HOSTILE, status="failed", host=HOSTILE, pid=1, error=HOSTILE, options={HOSTILE: HOSTILE}, finished_at=NOW
    )
    SyncFailure.objects.create(run=run, show=show, item=HOSTILE, reason=HOSTILE)
    SyncState.objects.create(show=show, stage="details", status="failed", attempted_at=NOW, last_error=HOSTILE)
    ResolutionCandidate.objects.create(
        show=lost, tmdb_id=number, name=HOSTILE, networks=[HOSTILE], score=0.5, reasons=[HOSTILE], found_at=NOW
    )
    exported = ExportRun.objects.create(
        format="google", status="failed", tabs=[HOSTILE], view=HOSTILE, host=HOSTILE, error=HOSTILE, link="javascript:x"
    )
    found = {
        "added": [HOSTILE],
        "removed": [{"row": 2, "label": HOSTILE, "cells": [HOSTILE]}],
        "changed": [{"row": 2, "label": HOSTILE, "cells": {HOSTILE: [HOSTILE, HOSTILE]}}],
        "by_hand": [{"row": 2, "label": HOSTILE, "column": HOSTILE, "published": HOSTILE, "found": HOSTILE}],
        "header": [HOSTILE],
    }
    ExportedTab.objects.create(
        run=exported, title=HOSTILE, difference=found, warnings=[HOSTILE], error=HOSTILE, link="javascript:x"
    )
    batch = Batch.objects.create(
        kind="edit", status="done", user=user, reason=HOSTILE, failures=[["", HOSTILE, HOSTILE]]
    )
    SavedView.objects.create(slug=f"view-{number}", name=HOSTILE, owner=user, columns=["name"])
    AccessEvent.objects.create(kind="failed", username=HOSTILE, detail=HOSTILE, address=HOSTILE)
    author = Author(user=user, reason=HOSTILE, batch_id=batch.pk)
    edit_show(show.pk, {"tags": [HOSTILE], "name": HOSTILE + "2", "listed_on": [HOSTILE]}, author)
    Show.objects.filter(pk=show.pk).update(upstream_values={"name": HOSTILE})
    comment_on_show(show.pk, HOSTILE, author)
    deleted = Show.objects.create(name=HOSTILE, imdb_id=f"tt{9_000_000 + number}")
    delete_show(deleted.pk, author)
    Group.objects.create(name=f"{number} {HOSTILE}")
    return show


@pytest.fixture
def desk(client: Client, admin_user: User) -> Client:
    client.force_login(admin_user)
    return client


def assert_no_hostile_markup(page: str, url: str) -> None:
    for raw in ("<script>alert('x')", "<img src=x onerror", 'href="javascript:'):
        assert raw not in page, f"{url} at {page[max(0, page.find(raw) - 200) : page.find(raw) + 80]}"


@pytest.mark.django_db
def test_html_and_script_are_shown_as_text_on_every_page(desk: Client, admin_user: User) -> None:
    show = create_rows(1, admin_user)
    urls = [reverse(name) for name in LISTS] + [reverse(f"admin:{name}") for name in PAGES]
    urls += [f"{reverse('admin:catalog_show_review')}?queue={queue.slug}" for queue in queues()]
    urls += [
        reverse(f"admin:catalog_show_{page}", args=(show.pk,)) for page in ("change", "diff", "identify", "delete")
    ]
    for model in admin.site._registry:
        row = model._default_manager.order_by("pk").first()
        if (
            model._meta.app_label in {"catalog", "ingestion", "exports", "auth"}
            and model is not Show
            and row is not None
        ):
            urls.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=(row.pk,)))

    for url in urls:
        response = desk.get(url, follow=True)
        assert response.status_code == 200, url
        assert_no_hostile_markup(response.content.decode(), url)


def queues() -> list[Any]:
    from catalog.admin import desk

    return desk.queues


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.django_db
def test_a_list_costs_at_most_12_queries_however_many_rows(
    desk: Client, admin_user: User, name: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(1, 6):
        create_rows(number, admin_user)
    desk.get(reverse(name))

    with django_assert_max_num_queries(12):
        assert desk.get(reverse(name)).status_code == 200


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "query", ["q=%00", "p=99999", "p=x", "o=999", "e=1", "nonsense=1", "q=" + "%27" * 50, "id__exact=x", "all=1"]
)
@pytest.mark.django_db
def test_a_list_answers_every_parameter(desk: Client, name: str, query: str) -> None:
    response = desk.get(f"{reverse(name)}?{query}", follow=True)

    assert response.status_code in (200, 400), (name, query)


@pytest.mark.parametrize("page", ["change", "delete", "diff", "identify"])
@pytest.mark.parametrize("key", ["x", "00000000-0000-0000-0000-000000000000", "%00", "1'--"])
@pytest.mark.django_db
def test_a_malformed_or_unknown_id_of_a_show_is_no_server_error(desk: Client, page: str, key: str) -> None:
    response = desk.get(f"/admin/catalog/show/{key}/{page}/", follow=True)

    assert response.status_code in (200, 404)
