"""The front page, the sign of life, and the logos of an installation that keeps them in a local folder."""

from http import HTTPStatus
from pathlib import PurePosixPath

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.static import serve

from catalog.logos import CONTENT_TYPES, FOLDER
from catalog.models import Network, Show, WatchProvider


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    counts = {
        "shows": Show.objects.count(),
        "networks": Network.objects.count(),
        "providers": WatchProvider.objects.count(),
    }
    return render(request, "index.html", counts)


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 while this process answers; it looks at nothing else."""
    return JsonResponse({"status": "ok"})


@require_safe
def logo(request: HttpRequest, key: str) -> HttpResponseBase:
    """A mirrored logo from the local media folder; with S3 the bucket or its CDN serves it."""
    path = PurePosixPath(key)
    # `serve` resolves `..` within its root, so the check of the folder alone would be passed by it.
    if settings.AWS_S3_BUCKET or not key.startswith(FOLDER) or ".." in path.parts or path.suffix not in CONTENT_TYPES:
        raise Http404("no such file")
    response = serve(request, key, document_root=str(settings.MEDIA_ROOT))
    response["Cache-Control"] = settings.LOGO_CACHE_CONTROL
    if response.status_code == HTTPStatus.OK:
        # By our own table: a machine's list of types may lack WEBP, and with nosniff it would not be shown.
        response["Content-Type"] = CONTENT_TYPES[path.suffix]
    return response
