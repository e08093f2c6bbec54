"""The addresses of the public rooms."""

from django.urls import path, re_path

from catalog.consumers import ShowsRoom

websocket_urlpatterns = [
    path("api/v1/ws/shows", ShowsRoom()),  # type: ignore[arg-type]  # an ASGI application
    re_path(r"^api/v1/ws/shows/(?P<show_id>[^/]+)$", ShowsRoom()),  # type: ignore[arg-type]  # an ASGI application
]
