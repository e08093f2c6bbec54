from django.urls import include, path

from catalog import views

urlpatterns = [
    path("", views.index, name="index"),
    path("api/v1/", include("catalog.api.urls")),
    path("health", views.health, name="health"),
    path("media/<path:key>", views.logo, name="logo"),
]
