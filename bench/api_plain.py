"""The same show by serializers as DRF's tutorial writes them, in this project's Django: what the API is compared with.

`granian --interface wsgi bench.api_plain:application`; /plain/ID.
"""

import os

os.environ["TRR_PROCESS"] = "web"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

# ruff: noqa: E402  what follows needs Django to be set up
from django.urls import path
from rest_framework import generics, serializers

from catalog.models import Network, ProductionCompany, Show, ShowWatchProvider, WatchProvider


class NetworkSerializer(serializers.ModelSerializer):
    class Meta:
        model = Network
        exclude = ("tmdb_meta",)


class CompanySerializer(serializers.ModelSerializer):
    class Meta:
        model = ProductionCompany
        exclude = ("tmdb_meta",)


class ProviderSerializer(serializers.ModelSerializer):
    hosted_logo_url = serializers.CharField()

    class Meta:
        model = WatchProvider
        exclude = ("tmdb_meta",)


class OfferSerializer(serializers.ModelSerializer):
    provider = ProviderSerializer()

    class Meta:
        model = ShowWatchProvider
        fields = ("region", "offer_type", "link", "display_priority", "provider")


class ShowSerializer(serializers.ModelSerializer):
    networks = NetworkSerializer(many=True)
    production_companies = CompanySerializer(many=True)
    watch_providers = OfferSerializer(many=True)

    class Meta:
        model = Show
        exclude = ("tmdb_meta", "imdb_meta", "upstream_values")


class PlainShow(generics.RetrieveAPIView):
    serializer_class = ShowSerializer
    queryset = Show.objects.prefetch_related("networks", "production_companies", "watch_providers__provider")


from trr_site import urls

urls.urlpatterns.append(path("plain/<uuid:pk>", PlainShow.as_view()))  # type: ignore[arg-type]
