"""ASGI entry point: `daphne trr_site.asgi:application`. HTTP and WebSocket."""

import os

os.environ["TRR_PROCESS"] = "web"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trr_site.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

# ruff: noqa: E402  what follows needs Django to be set up
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

from catalog.api.front import AsgiFront
from catalog.origins import CheckedOrigin
from catalog.rooms import NoRoom
from catalog.routing import websocket_urlpatterns as shows
from ingestion.routing import websocket_urlpatterns as runs
from trr_site.stopping import Unhurried

nowhere = re_path(r"", NoRoom())  # type: ignore[arg-type]  # an ASGI application
application = ProtocolTypeRouter(
    {
        "http": Unhurried(AsgiFront(django_application)),
        "websocket": CheckedOrigin(URLRouter([*shows, *runs, nowhere])),
    }
)
