"""Networks, production companies and watch providers: lists and single ones."""

from typing import Any, ClassVar, Final

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from catalog.api import parameters
from catalog.api.documents import documents_of, entity_rows, fields_of
from catalog.api.responses import respond
from catalog.api.serializers import (
    NetworkSerializer,
    ProductionCompanySerializer,
    WatchProviderSerializer,
)
from catalog.api.serializers import page_of as page_serializer
from catalog.api.views import (
    CURSOR_PARAMETER,
    LIMIT_PARAMETER,
    OFFSET_PARAMETER,
    PAGE_PARAMETERS,
    ApiView,
    chosen,
    failures,
    merged_into,
    page_of,
    query,
    token_of,
)
from catalog.models import Network, ProductionCompany, WatchProvider
from catalog.revisions import ENTITIES

PARAMETERS: Final = (
    LIMIT_PARAMETER,
    OFFSET_PARAMETER,
    CURSOR_PARAMETER,
    query("ordering", "The name or the id; with - downwards."),
    query("search", "Part of the name."),
    query("id", "Up to 100 ids of TMDb, with commas or repeated: a bulk read."),
    query("fields", "These fields alone."),
)


class Entities(ApiView):
    model: ClassVar[type[Any]]
    name_field: ClassVar[str] = "name"

    def get(self, request: Request) -> HttpResponse:
        values = parameters.read_parameters(request.GET, {*PAGE_PARAMETERS, "search"}, several=("id",))
        if "id" in values:
            values.setdefault("limit", str(parameters.MOST))
        page = parameters.read_page(values, int)
        fields = parameters.names("fields", values.get("fields", ""), fields_of(self.model))
        pk = self.model._meta.pk.name
        rows = entity_rows(self.model)
        if "id" in values:
            rows = rows.filter(pk__in=parameters.ids("id", values["id"], int))
        if search := values.get("search", "").strip():
            rows = rows.filter(**{f"{self.name_field}__icontains": search})
        tokens: dict[str, str] = {}

        def read(some: Any) -> list[dict[str, Any]]:
            found = list(some.annotate(token=token_of(ENTITIES)))
            tokens.update((ENTITIES, row.token) for row in found if row.token)
            return documents_of(found)

        if page.is_crawl:
            rows = rows.filter(parameters.after("pk", page)).order_by("pk")
        else:
            rows = rows.order_by(
                *parameters.read_ordering(values, {self.name_field: False, pk: False}, self.name_field, pk)
            )
        payload = page_of(request._request, rows, page, pk, read, rows.order_by().count)
        payload["results"] = [chosen(row, fields) for row in payload["results"]]
        return respond(request._request, payload, tokens)


class Entity(ApiView):
    model: ClassVar[type[Any]]

    def get(self, request: Request, pk: str) -> HttpResponse:
        values = parameters.read_parameters(request.GET, ("fields",))
        fields = parameters.names("fields", values.get("fields", ""), fields_of(self.model))
        if not parameters.WHOLE_NUMBER.match(pk) or int(pk) > parameters.LARGEST:
            raise NotFound("An id of TMDb is a whole number.")
        rows = self.model.objects.defer("tmdb_meta").annotate(token=token_of(ENTITIES))
        row = rows.filter(pk=int(pk)).first()
        if row is None:
            raise NotFound(f"There is no such {self.model._meta.verbose_name}.")
        if getattr(row, "merged_into_id", None):
            return merged_into(row.merged_into_id, reverse("api:network", args=(row.merged_into_id,)))
        return respond(
            request._request, chosen(documents_of([row])[0], fields), {ENTITIES: row.token} if row.token else {}
        )


def views_of(model: type[Any], plural: str, serializer: Any, **attributes: Any) -> tuple[Any, Any]:
    """The view of the list and that of one, told to the schema."""
    one = str(model._meta.verbose_name)
    name = model.__name__
    words = plural.replace("_", " ")
    listed = extend_schema(
        operation_id=f"list_{plural}",
        tags=[words],
        description=f"{words.capitalize()}, a page at a time; or all of them, by cursor.",
        parameters=[*PARAMETERS],
        responses={200: page_serializer(name, serializer), **failures(304, 400, 429)},
    )
    single = extend_schema(
        operation_id=f"get_{one.replace(' ', '_')}",
        tags=[words],
        description=f"One {one}.",
        parameters=[query("fields", "These fields alone.")],
        responses={200: serializer, **failures(*((301,) if model is Network else ()), 304, 400, 404, 429)},
    )
    many = type(f"{name}List", (Entities,), {"model": model, "get": listed(copy_of(Entities.get)), **attributes})
    return many, type(f"{name}Detail", (Entity,), {"model": model, "get": single(copy_of(Entity.get))})


def copy_of(method: Any) -> Any:
    """Its own function, as the schema is kept on it."""

    def get(self: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = method(self, request, *args, **kwargs)
        return response

    return get


NetworkList, NetworkDetail = views_of(Network, "networks", NetworkSerializer)
CompanyList, CompanyDetail = views_of(ProductionCompany, "production_companies", ProductionCompanySerializer)
ProviderList, ProviderDetail = views_of(
    WatchProvider, "watch_providers", WatchProviderSerializer, name_field="provider_name"
)
