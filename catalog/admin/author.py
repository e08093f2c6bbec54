"""Who does what through admin and why, and who may."""

from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from catalog.changes import Author

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_REASON: Final = 500  # characters


def user_of(request: HttpRequest) -> "User":
    if not request.user.is_authenticated:
        raise PermissionError("nobody is logged in")
    return request.user


def author_of(request: HttpRequest, reason: str = "", batch_id: UUID | None = None) -> Author:
    return Author(user=user_of(request), reason=reason.strip(), batch_id=batch_id)


def posted_reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:LONGEST_REASON]


def refuse_without(request: HttpRequest, *permissions: str) -> None:
    """Raises PermissionDenied for who lacks one of them."""
    if not request.user.has_perms(permissions):
        raise PermissionDenied
