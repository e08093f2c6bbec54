"""Who came in, who was kept out, and whose rights were changed: written to AccessEvent, as the history of access.

Logins are heard of by Django's and axes' signals, connected in apps.py. A change of rights is recorded by
whoever makes it, as only they know who acts: take `rights_of` before and after, and give both to
`record_rights`. No password is ever kept; a user name is kept as it was typed (of a lockout without case, as it is
counted).

The address is the one that axes counts failures by (`address_of`): REMOTE_ADDR, which nobody can forge, or behind
TRUSTED_PROXIES what the farthest of them has seen.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_ip_address
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser, Group, Permission, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from catalog.api.throttle import client_address
from catalog.models import AccessEvent

Kind = AccessEvent.Kind
LONGEST_NAME = 150  # characters, as Django's own user names
ONE_ROW_EACH = timedelta(minutes=1)  # of the logins that are tried while they are locked out

# What a person's or a group's rights are made of: a word, or the names of what they have.
Rights = Mapping[str, str | frozenset[str]]

FLAGS = {"is_active": "active", "is_staff": "staff", "is_superuser": "superuser"}


def record(
    kind: AccessEvent.Kind, username: str, actor: Any = None, request: HttpRequest | None = None, detail: str = ""
) -> None:
    AccessEvent.objects.create(
        kind=kind,
        username=shortened(username),
        actor=actor if actor is not None and actor.pk else None,
        address=(get_client_ip_address(request) or "") if request is not None else "",
        detail=detail,
    )


def shortened(username: str) -> str:
    """Of what is typed into a login, as much as a user name can be. (PostgreSQL keeps no NUL.)"""
    return username.replace("\0", "")[:LONGEST_NAME]


def username_of(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Whom axes counts a login for. Its column is short, and what is typed may be longer than any name.

    Without case: else each way to write a name would be a counter of its own.
    """
    given = credentials if credentials else request.POST
    return shortened(str(given.get("username") or "").casefold())


def address_of(request: HttpRequest) -> str:
    """Who asks; axes calls it, and `get_client_ip_address` through it."""
    return client_address(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


# --- logins


def on_login(sender: Any, request: HttpRequest | None, user: AbstractBaseUser, **kwargs: Any) -> None:
    record(Kind.LOGIN, user.get_username(), user, request)


def on_logout(sender: Any, request: HttpRequest | None, user: AbstractBaseUser | None, **kwargs: Any) -> None:
    if user is not None:  # else nobody was logged in
        record(Kind.LOGOUT, user.get_username(), user, request)


def on_failure(sender: Any, credentials: Mapping[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """One row a failure. Axes has heard of it before: the one that locks is told of as such by `on_lockout`."""
    if not getattr(request, "axes_locked_out", False):
        record(Kind.FAILED, str(credentials.get("username") or ""), None, request)


def on_lockout(sender: Any, request: HttpRequest, username: str | None, **kwargs: Any) -> None:
    failures = getattr(request, "axes_failures_since_start", None)  # None: not counted, as it was locked already
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    if failures:
        detail = f"for {minutes} minutes, after {failures} failed logins"
        record(Kind.LOCKED_OUT, username or "", None, request, detail)
    elif not told_lately(request, username or ""):
        record(Kind.LOCKED_OUT, username or "", None, request, "tried again while locked out")


def told_lately(request: HttpRequest, username: str) -> bool:
    """Whether a lockout of this name and address was recorded within a minute: a script tries without end."""
    return AccessEvent.objects.filter(
        kind=Kind.LOCKED_OUT,
        username=shortened(username),
        address=get_client_ip_address(request) or "",
        ts__gt=timezone.now() - ONE_ROW_EACH,
    ).exists()


def lockout_response(request: HttpRequest, *rest: Any) -> HttpResponse:
    """What axes answers to a login that is locked out: a page that says for how long.

    `rest` is the page that it replaces and the credentials, of which axes gives only one under ASGI.
    """
    failed_at = last_failure(request)
    left = failed_at + settings.AXES_COOLOFF_TIME - timezone.now() if failed_at else timedelta()
    seconds = max(1, int(left.total_seconds()))
    context = {
        **admin.site.each_context(request),
        "title": "Locked out",
        "failures": settings.AXES_FAILURE_LIMIT,
        "seconds": seconds,
        "minutes": -(-seconds // 60),
        "try_again": request.get_full_path(),
    }
    response = render(request, "catalog/locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def last_failure(request: HttpRequest) -> datetime | None:
    """When the login that counts last failed for this name and address."""
    handler = AxesProxyHandler.get_implementation()
    times = [
        attempt.attempt_time
        for attempts in handler.get_user_attempts(request, request.axes_credentials)  # type: ignore[attr-defined]
        for attempt in attempts
    ]
    return max(times, default=None)


# --- rights


def rights_of(user: User) -> Rights:
    """What `user` may, as the database has it now; nothing where there is no such user."""
    row = User.objects.filter(pk=user.pk).first()
    if row is None:
        return {}
    return {
        "user name": row.username,
        **{word: "yes" if getattr(row, flag) else "no" for flag, word in FLAGS.items()},
        "groups": frozenset(row.groups.values_list("name", flat=True)),
        "own permissions": names_of(row.user_permissions.all()),
        "password": row.password,  # compared, never told
    }


def rights_of_group(group: Group) -> Rights:
    row = Group.objects.filter(pk=group.pk).first()
    if row is None:
        return {}
    members = row.user_set.values_list("username", flat=True)
    return {"name": row.name, "permissions": names_of(row.permissions.all()), "members": frozenset(members)}


def names_of(permissions: Iterable[Permission]) -> frozenset[str]:
    pairs = Permission.objects.filter(pk__in=[permission.pk for permission in permissions])
    return frozenset(
        f"{label}.{codename}" for label, codename in pairs.values_list("content_type__app_label", "codename")
    )


def record_rights(name: str, before: Rights, after: Rights, actor: Any, request: HttpRequest | None) -> None:
    """Tells what changed, in words; nothing where nothing did."""
    if detail := describe_rights(before, after):
        record(Kind.RIGHTS, name, actor, request, detail)


def describe_rights(before: Rights, after: Rights) -> str:
    """Like `created; superuser: no → yes; groups: + editor - viewer; password changed`."""
    parts = []
    if not before and after:
        parts.append("created")
    if before and not after:
        parts.append("deleted")
    for name in (*after, *(name for name in before if name not in after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name == "password":
            if before and after:
                parts.append("password changed")
        elif isinstance(old, frozenset) or isinstance(new, frozenset):
            parts.append(describe_sets(name, frozenset(old or ()), frozenset(new or ())))
        elif before and after:
            parts.append(f"{name}: {old} → {new}")
        elif new == "yes" or old == "yes":  # of one who came or went: what they may
            parts.append(f"{name}: {old or new}")
    return "; ".join(filter(None, parts))


def describe_sets(name: str, old: frozenset[str], new: frozenset[str]) -> str:
    signs = [f"+ {item}" for item in sorted(new - old)] + [f"- {item}" for item in sorted(old - new)]
    return f"{name}: {' '.join(signs)}" if signs else ""
