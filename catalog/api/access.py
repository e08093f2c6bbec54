"""Who may ask the API: everybody reads while API_PUBLIC is on; who writes has a token or a session, and the right."""

from typing import Any

from django.conf import settings
from django.db import DataError
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission


class BearerToken(TokenAuthentication):
    """`Authorization: Bearer trr_…`, as made in admin under API tokens."""

    def authenticate_credentials(self, token: bytes) -> Any:
        try:
            token.decode("ascii")
            return super().authenticate_credentials(token)
        except (UnicodeDecodeError, DataError):  # PostgreSQL refuses to compare NUL
            raise AuthenticationFailed("Invalid token.") from None


class BearerTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "catalog.api.access.BearerToken"
    name = "bearerToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "Made in admin under “API tokens”; it expires."}


class MayRead(BasePermission):
    message = "Reading needs a token here: Authorization: Bearer …"

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(settings.API_PUBLIC or request.user.is_authenticated)


class MayEdit(MayRead):
    """Reading as MayRead; writing for those who may change shows in admin."""

    message = "You may not edit shows."

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.method in SAFE_METHODS or request.method not in view.allowed_methods:  # that is 405, for anybody
            return super().has_permission(request, view)
        return bool(request.user.is_authenticated and request.user.has_perm("catalog.change_show"))
