"""From a payload to a response that is correct HTTP: ETag, Last-Modified, gzip, 304, and no stale answer.

An ETag is a hash of the body: a write that changes nothing of an answer leaves its readers' copies valid.
Every answer says `no-cache`, which allows to keep it and asks to look whether it is still true: that costs
one narrow query (`catalog.api.front`).
"""

import gzip
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Any, Final

import orjson
from cachetools import LRUCache
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date

JSON: Final = "application/json"
WORTH_COMPRESSING: Final = 1000  # bytes
ETAGS: Final = re.compile(r'(?:W/)?"([^"]*)"')
CODING: Final = "-gzip"  # what the ETag of a compressed body ends with: other bytes, another strong ETag
MADE: Final = "trr.made"  # where `catalog.api.front` finds what was made, in the request's scope or environ
NOTHING_TO_RUN: Final = "default-src 'none'; frame-ancestors 'none'"
FOR_WHOM: Final = ("Accept-Encoding", "Authorization", "Cookie")


@dataclass(frozen=True, slots=True)
class Made:
    """An answer, also where the client had it already and got none; and the revisions under which it was read."""

    body: bytes
    content_headers: Mapping[str, str]
    etag: str
    modified: int
    revisions: Mapping[str, str]


class Changed:
    """Since when a resource has had the body that it has, as far as this process knows: for Last-Modified.

    The second after the first sight of that body, and not sent before it has come: a client never holds a date
    that a later change could bear too.
    """

    def __init__(self, most: int) -> None:
        self._seen: LRUCache[str, tuple[str, int]] = LRUCache(most)
        self._lock = Lock()

    def since(self, resource: str, etag: str) -> int:
        now = int(time.time()) + 1
        with self._lock:
            before = self._seen.get(resource)
            if before is not None and before[0] == etag:
                return before[1]
            at = max(now, before[1] + 1) if before else now
            self._seen[resource] = (etag, at)
            return at


changed = Changed(20_000)


def to_json(payload: Any) -> bytes:
    return orjson.dumps(payload, default=str, option=orjson.OPT_UTC_Z)


def etag_of(body: bytes) -> str:
    """Without quotes and coding."""
    return blake2b(body, digest_size=16).hexdigest()


def respond(
    request: HttpRequest,
    payload: Any,
    revisions: Mapping[str, str] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """200, or 304 where the client has it. With `revisions`, under which the payload was read, it may be kept."""
    body = to_json(payload)
    etag = etag_of(body)
    modified = changed.since(request.get_full_path(), etag)
    content_headers = {"Content-Type": JSON}
    if len(body) >= WORTH_COMPRESSING and accepts_gzip(request.headers.get("Accept-Encoding", "")):
        body = gzip.compress(body, 6, mtime=0)
        etag += CODING
        content_headers["Content-Encoding"] = "gzip"
    content_headers["Content-Length"] = str(len(body))
    tag = f'"{etag}"'
    reads = request.method in ("GET", "HEAD")
    if reads and is_current(request.headers.get("If-None-Match"), tag):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(body, headers=content_headers)
    response["ETag"] = tag
    patch_vary_headers(response, ["Accept-Encoding"] if settings.API_PUBLIC else FOR_WHOM)
    for_whom = "public" if settings.API_PUBLIC else "private"
    response["Cache-Control"] = f"{for_whom}, no-cache" if reads else "no-store"
    response["Content-Security-Policy"] = NOTHING_TO_RUN
    if modified <= time.time():
        response["Last-Modified"] = http_date(modified)
    for name, value in (headers or {}).items():
        response[name] = value
    if reads and revisions and settings.API_PUBLIC and not connection.in_atomic_block:
        # Within a transaction one may have seen what nobody else ever will.
        carrier = getattr(request, "scope", None) or request.META
        carrier[MADE] = Made(body, content_headers, tag, modified, dict(revisions))
    return response


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding names gzip and does not give it the weight 0."""
    for part in header.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return not re.match(r"\s*q=0(\.0*)?\s*\Z", weight)
    return False


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this answer, in whatever coding. A date alone (If-Modified-Since) proves nothing: what
    is undone has the body of before, and each process its own idea of since when."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or same_body(etag) in map(same_body, ETAGS.findall(if_none_match))


def same_body(etag: str) -> str:
    return etag.strip('"').removesuffix(CODING)


def matches(if_match: str, etag: str) -> bool:
    """Whether an If-Match allows to write over the body of this ETag. A weak one never does (RFC 9110, 13.1.1)."""
    if if_match.strip() == "*":
        return True
    strong = [found[1] for found in re.finditer(r'(?:^|[\s,])"([^"]*)"', if_match)]
    return etag in map(same_body, strong)
