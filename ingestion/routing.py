"""The address of the staff room."""

from django.urls import path

from ingestion.consumers import SyncRoom

websocket_urlpatterns = [path("api/v1/ws/sync", SyncRoom())]  # type: ignore[arg-type]  # an ASGI application
