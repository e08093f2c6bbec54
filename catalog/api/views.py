"""What all views of the API share: strict parameters, and answers by `respond`."""

from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.exceptions import MethodNotAllowed, NotFound
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from catalog.api.parameters import LIMIT, MOST, Page
from catalog.api.responses import JSON, NOTHING_TO_RUN, to_json
from catalog.api.serializers import ErrorSerializer
from catalog.models import Revision

PAGE_PARAMETERS = ("limit", "offset", "cursor", "ordering", "fields", "id")


class AlwaysJson(DefaultContentNegotiation):
    """Every answer is JSON, whatever Accept says; and `format` is no parameter here."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """Reading needs no login while the API is public, so none is looked for: an answer is the same for everybody."""

    content_negotiation_class = AlwaysJson

    def get_authenticators(self) -> list[Any]:
        if self.request is not None and self.request.method in SAFE_METHODS and settings.API_PUBLIC:
            return []
        return super().get_authenticators()

    def perform_authentication(self, request: Request) -> None:
        """Takes a turn first, as a token that is wrong costs one too."""
        self.take_turn(request)
        super().perform_authentication(request)

    def take_turn(self, request: Request) -> None:
        super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """DRF asks for it after the permissions; the turn was taken before."""


class NothingHere(ApiView):
    """Whatever is no address of the API, in JSON."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.take_turn(request)
        if request.method not in (*SAFE_METHODS, "PATCH"):
            raise MethodNotAllowed(request.method or "")
        raise NotFound("There is no such address. See /api/v1/docs.")

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        raise NotFound

    patch = get


def token_of(key: str) -> Subquery:
    """The token of a revision, as a column: read by the same statement as what it is about."""
    return Subquery(Revision.objects.filter(key=key).values("token"))


def page_of(
    request: HttpRequest,
    rows: QuerySet[Any],
    page: Page,
    pk: str,
    read: Callable[[QuerySet[Any]], list[dict[str, Any]]],
    count: Callable[[], int],
) -> dict[str, Any]:
    """`rows`, in their order, as a page. A crawl counts nothing: the count is what would cost most."""
    if page.is_crawl:
        found = read(rows[: page.limit + 1])
        more = len(found) > page.limit
        results = found[: page.limit]
        following = link(request, cursor=str(results[-1][pk])) if more else None
        return {"count": None, "next": following, "previous": None, "results": results}
    # The rows first, as `is_true` of catalog.api.front demands: what is counted must not be older than they are.
    results = read(rows[page.offset : page.offset + page.limit])
    total = count()
    end = page.offset + page.limit
    before = max(0, page.offset - page.limit)
    return {
        "count": total,
        "next": link(request, offset=str(end), limit=str(page.limit)) if end < total else None,
        "previous": link(request, offset=str(before), limit=str(page.limit)) if page.offset else None,
        "results": results,
    }


def link(request: HttpRequest, **changed: str) -> str:
    """The address of this request with other parameters."""
    query = [(name, value) for name, values in request.GET.lists() for value in values if name not in changed]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*query, *changed.items()])}")


def chosen(document: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name in fields} if fields else document


def merged_into(target: Any, address: str) -> HttpResponse:
    """301; not for ever, as a merge can be undone."""
    body = to_json({"detail": f"It was merged into {target}.", "id": target})
    headers = {"Location": address, "Cache-Control": "no-cache", "Content-Security-Policy": NOTHING_TO_RUN}
    return HttpResponse(body, status=301, content_type=JSON, headers=headers)


# --- for the schema

INTEGER, TEXT = OpenApiTypes.INT64, OpenApiTypes.STR


def query(name: str, description: str, kind: Any = TEXT, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, description=description, **more)


LIMIT_PARAMETER = query(
    "limit", "Rows of a page.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}
)
OFFSET_PARAMETER = query("offset", "Rows to leave out.", {"type": "integer", "minimum": 0, "maximum": 2**63 - 1})
CURSOR_PARAMETER = query(
    "cursor",
    "For who reads everything: empty to begin, then as in `next`. By id, so no row is read twice or missed "
    "while others come and go. Not with `offset` or `ordering`.",
)


def failures(*statuses: int) -> Mapping[int, Any]:
    words = {
        301: "It was merged into another: Location leads there.",
        304: "You have it: If-None-Match or If-Modified-Since says so.",
        400: "A parameter or field is wrong; `errors` names it.",
        401: "No token or session, or none that counts.",
        403: "You may not.",
        404: "There is none.",
        409: "More than one answer to it.",
        410: "It was deleted.",
        412: "It has changed since: If-Match.",
        415: "The body is not JSON.",
        429: "You ask too often: wait for Retry-After seconds.",
        503: "The database does not answer: try again after Retry-After seconds.",
    }
    return {
        status: OpenApiResponse(None if status in (301, 304) else ErrorSerializer, words[status])
        for status in (*statuses, 503)
    }
