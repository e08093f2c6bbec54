"""API tokens are made by their owners, shown once, and taken away."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken

from catalog.models import AccessEvent, Show

LIST = "admin:knox_authtoken_changelist"


@pytest.fixture
def anna(django_user_model: Any, client: Client) -> Any:
    user = django_user_model.objects.create_user("anna", password="x", is_staff=True)
    client.force_login(user)
    return user


def test_a_token_is_shown_once_and_then_only_its_beginning(client: Client, anna: Any) -> None:
    page = client.post(reverse("admin:knox_authtoken_add"), {"days": "30"}, follow=True)

    (token,) = re.findall(r"trr_[0-9a-f]{64}", page.content.decode())
    row = AuthToken.objects.get()
    assert row.user == anna
    assert timedelta(days=29) < row.expiry - timezone.now() <= timedelta(days=30)
    assert token not in client.get(reverse(LIST)).content.decode()
    assert AccessEvent.objects.filter(kind="rights", detail__startswith="API token made").count() == 1


def test_a_token_from_the_page_opens_what_its_owner_may(client: Client, editor: Any, show: Show) -> None:
    client.force_login(editor)
    page = client.post(reverse("admin:knox_authtoken_add"), {"days": "1"}, follow=True)
    (token,) = re.findall(r"trr_[0-9a-f]{64}", page.content.decode())

    reply = Client().patch(
        reverse("api:show", args=(show.pk,)),
        {"name": "Below Deck Med"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )

    assert (reply.status_code, reply.json()["name"]) == (200, "Below Deck Med")


@pytest.mark.parametrize("days", ["0", "366", "x", ""])
def test_a_life_that_can_not_be_is_refused(client: Client, anna: Any, days: str) -> None:
    assert client.post(reverse("admin:knox_authtoken_add"), {"days": days}).status_code == 200
    assert not AuthToken.objects.exists()


def test_nobody_sees_or_takes_away_the_token_of_another(client: Client, anna: Any, django_user_model: Any) -> None:
    other = django_user_model.objects.create_user("bert", is_staff=True)
    token, _ = AuthToken.objects.create(other)

    assert token.token_key not in client.get(reverse(LIST)).content.decode()
    client.post(reverse("admin:knox_authtoken_delete", args=(token.pk,)), {"post": "yes"})
    assert AuthToken.objects.filter(pk=token.pk).exists()


def test_an_admin_sees_all_and_can_take_any_away(client: Client, editor: Any, django_user_model: Any) -> None:
    other = django_user_model.objects.create_user("bert", is_staff=True)
    token, _ = AuthToken.objects.create(other)
    client.force_login(editor)

    assert token.token_key in client.get(reverse(LIST)).content.decode()
    client.post(reverse("admin:knox_authtoken_delete", args=(token.pk,)), {"post": "yes"})

    assert not AuthToken.objects.exists()
    assert AccessEvent.objects.filter(detail="API token taken away", username="bert").exists()


def test_who_is_not_staff_makes_none(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("carl"))

    assert client.post(reverse("admin:knox_authtoken_add"), {"days": "1"}).status_code == 302
    assert not AuthToken.objects.exists()
