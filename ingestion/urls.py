from django.urls import path

from ingestion import health, metrics

urlpatterns = [
    path("health/ready", health.ready, name="ready"),
    path("metrics", metrics.metrics, name="metrics"),
]
