"""The addresses under /api/v1, none with a slash at its end."""

from django.urls import path, re_path

from catalog.api import changes, entities, schema, shows, views

app_name = "api"
urlpatterns = [
    path("shows", shows.Shows.as_view(), name="shows"),
    path("shows/lookup", shows.ShowLookup.as_view(), name="lookup"),
    path("shows/<str:show_id>", shows.ShowDetail.as_view(), name="show"),
    path("networks", entities.NetworkList.as_view(), name="networks"),
    path("networks/<str:pk>", entities.NetworkDetail.as_view(), name="network"),
    path("production-companies", entities.CompanyList.as_view(), name="companies"),
    path("production-companies/<str:pk>", entities.CompanyDetail.as_view(), name="company"),
    path("watch-providers", entities.ProviderList.as_view(), name="providers"),
    path("watch-providers/<str:pk>", entities.ProviderDetail.as_view(), name="provider"),
    path("changes", changes.Changes.as_view(), name="changes"),
    path("schema", schema.Schema.as_view(), name="schema"),
    path("docs", schema.Docs.as_view(), name="docs"),
    re_path(r"[\s\S]*", views.NothingHere.as_view(), name="nothing"),
]
