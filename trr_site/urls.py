"""Wiring only: which address leads to which app."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("catalog.urls")),
    path("", include("ingestion.urls")),
]

handler500 = "catalog.api.errors.server_error"
