"""The feed of changes, for consumers that keep a copy."""

from dataclasses import asdict

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from catalog.api import parameters
from catalog.api.errors import Gone
from catalog.api.responses import respond
from catalog.api.serializers import EventPageSerializer
from catalog.api.views import ApiView, failures, query
from catalog.feed import NotYet, Pruned, check_since, newest_id, read_on

LIMIT, MOST = 100, 1000
NEWEST = "newest"


class Changes(ApiView):
    @extend_schema(
        operation_id="list_changes",
        tags=["changes"],
        parameters=[
            query("since", f"The id up to which you have read, 0 at first; `{NEWEST}` tells where the feed ends now."),
            query("limit", "Events at most.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}),
        ],
        responses={200: EventPageSerializer, **failures(304, 400, 410, 429)},
    )
    def get(self, request: Request) -> HttpResponse:
        """What changed after the id `since`, oldest first. Ask again with `next_since`; none is ever missed."""
        values = parameters.read_parameters(request.GET, ("since", "limit"))
        limit = parameters.whole_number("limit", values["limit"], 1, MOST) if "limit" in values else LIMIT
        if values.get("since") == NEWEST:
            return respond(request._request, {"results": [], "next_since": newest_id()})
        since = parameters.whole_number("since", values.get("since", "0"), 0)
        try:
            check_since(since)
            events = read_on(since, limit)
        except NotYet:
            raise parameters.refuse("since", "No change has so high an id: is it of another database?") from None
        except Pruned:
            raise Gone(
                f"Changes after {since} are no longer kept. Note next_since of ?since={NEWEST}, read all shows anew "
                "(/api/v1/shows?cursor=), then go on from there."
            ) from None
        payload = {"results": [asdict(event) for event in events], "next_since": events[-1].id if events else since}
        return respond(request._request, payload)
