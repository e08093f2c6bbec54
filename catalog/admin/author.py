"""Who does what through admin, as a Change names them."""

from uuid import UUID

from django.http import HttpRequest

from catalog.changes import Author


def author_of(request: HttpRequest, reason: str = "", batch_id: UUID | None = None) -> Author:
    if not request.user.is_authenticated:
        raise PermissionError("nobody is logged in")
    return Author(user=request.user, reason=reason.strip(), batch_id=batch_id)
