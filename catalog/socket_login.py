"""Who is at the other end of a WebSocket: by the session's cookie, or by a token in the first message."""

from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie
from django.utils import timezone
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed

from catalog.api.access import BearerToken

LONGEST_TOKEN = 200


class Refused(Exception):
    """Why nobody is logged in by this; the message is for the client."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a login can be checked by again: the key of a session, or the digest of a token (not the token)."""

    session: str | None = None
    digest: str | None = None


def session_key(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The key of the session that a browser sends along."""
    for name, value in headers:
        if name == b"cookie":
            key = parse_cookie(value.decode("latin1")).get(settings.SESSION_COOKIE_NAME, "")
            return key if key.isascii() and key.isalnum() else None
    return None


# These read the database.


def by_token(token: object) -> tuple[Login, Any]:
    if (
        not isinstance(token, str)
        or not 0 < len(token) <= LONGEST_TOKEN
        or not (token.isascii() and token.isprintable())
    ):
        raise Refused("authenticate: expected a token")
    try:
        user, row = BearerToken().authenticate_credentials(token.encode())
    except AuthenticationFailed:
        raise Refused("authenticate: the token is wrong, has expired, or its user is not active") from None
    return Login(digest=row.digest), user


def user_of(login: Login) -> Any | None:
    """The user that a login is of now; None when it has ended or its user is not active any more."""
    if login.session is not None:
        return user_of_session(login.session)
    token = get_token_model().objects.filter(digest=login.digest).select_related("user").first()
    if token is None or (token.expiry is not None and token.expiry < timezone.now()) or not token.user.is_active:
        return None
    return token.user


def user_of_session(key: str) -> Any | None:
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(cast(HttpRequest, SimpleNamespace(session=store)))
    return user if user.is_authenticated and user.is_active else None
