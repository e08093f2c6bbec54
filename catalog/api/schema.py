"""The OpenAPI document and the page that shows it. The page's assets are ours: no other host is asked."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request

from catalog.api import parameters
from catalog.api.responses import respond
from catalog.api.views import ApiView, failures

DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


@cache
def document() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


class Schema(ApiView):
    @extend_schema(
        operation_id="get_schema",
        tags=["schema"],
        parameters=[],
        responses={
            (200, "application/json"): {"type": "object", "additionalProperties": {}},
            **failures(304, 400, 429),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """This document, OpenAPI 3."""
        parameters.read_parameters(request.GET, ())
        return respond(request._request, document())


class Docs(SpectacularSwaggerSplitView):
    authentication_classes = ()
    throttle_classes = ()
    permission_classes = ()
    title = "TRR API"
    url_name = "api:schema"

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Content-Security-Policy"] = DOCS_POLICY
        response["Cache-Control"] = "no-cache"
        return response
