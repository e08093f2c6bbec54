"""Shows: lists, one show, the look-up by another's id, and editing."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import connection, transaction
from django.db.models import BooleanField, F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from catalog.api import parameters
from catalog.api.access import MayEdit
from catalog.api.documents import (
    DETAIL_COLUMNS,
    DETAIL_EXTRAS,
    DETAIL_FIELDS,
    LIST_EXTRAS,
    RAW_REPLIES,
    SHOW_COLUMNS,
    SHOW_FIELDS,
    show_document,
    show_rows,
)
from catalog.api.errors import Ambiguous, Gone, Stale, by_field
from catalog.api.parameters import refuse
from catalog.api.responses import etag_of, matches, respond, to_json
from catalog.api.serializers import LINKS, ShowDetailSerializer, ShowPatchSerializer, ShowSerializer
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
from catalog.changes import Author
from catalog.edits import edit_show, locked_row
from catalog.merging import resolve_merged
from catalog.models import Show
from catalog.revisions import ENTITIES, SHOWS, read_revisions, show_key
from catalog.show_filters import filtered_shows, saved_view

# Orders of a list; whether the column can be null.
ORDERS: Final[dict[str, bool]] = {
    **dict.fromkeys(("name", "created_at", "updated_at"), False),
    **dict.fromkeys(("premiere_date", "tmdb_popularity", "tmdb_vote_average", "tmdb_vote_count"), True),
    **dict.fromkeys(("show_total_seasons", "show_total_episodes", "tmdb_first_air_date", "tmdb_last_air_date"), True),
}
# Parameters that are questions of catalog.show_filters, by its names for them.
ASKED: Final = {
    "search": "q",
    **{name: name for name in ("filter", "network", "provider", "region", "status", "override", "needs", "gone")},
}
LIST_PARAMETERS: Final = frozenset(
    {*PAGE_PARAMETERS, *ASKED, "include", "imdb_id", "tmdb_id", "genre", "updated_since"}
)
LOOKUPS: Final = {"imdb": "imdb_id", "tmdb": "tmdb_id", "tvdb": "tvdb_id", "wikidata": "wikidata_id"}
ROW: Final = (*SHOW_COLUMNS, *DETAIL_COLUMNS)
TRIES: Final = 3  # to read a show that is being written all the while


class Shows(ApiView):
    @extend_schema(
        operation_id="list_shows",
        tags=["shows"],
        parameters=[
            LIMIT_PARAMETER,
            OFFSET_PARAMETER,
            CURSOR_PARAMETER,
            query("ordering", f"Of {', '.join(ORDERS)}; with - downwards, several with commas. Nulls stand last."),
            query("search", "Words of any name, without accents, or any id or its beginning."),
            query("id", "Up to 100 ids, with commas or repeated: a bulk read."),
            query("imdb_id", "Like tt2342499."),
            query("tmdb_id", "Like 55555."),
            query("network", "TMDb's id, or the whole name."),
            query("provider", "TMDb's id, or the whole name; with `region` one offer must be both."),
            query("region", "Like US."),
            query("status", "TMDb's word, like Ended; `none` for shows without."),
            query("genre", "Like Reality."),
            query("updated_since", "A date or moment, UTC unless it says otherwise."),
            query("override", "`none`, `any`, `skip`, `y`, `number`."),
            query("needs", "Shows that wait for an id: `any`, `tmdb`, `imdb`, `none`."),
            query("gone", "Whether TMDb no longer knows its id: `yes`, `no`."),
            query("filter", "The slug of a view that an editor has saved and shared."),
            query("include", f"More of each show: {', '.join(LIST_EXTRAS)}."),
            query("fields", "These fields alone."),
        ],
        responses={200: page_serializer("Show", ShowSerializer), **failures(304, 400, 429)},
    )
    def get(self, request: Request) -> HttpResponse:
        """Shows, a page at a time; or all of them, by cursor."""
        values = parameters.read_parameters(request.GET, LIST_PARAMETERS, several=("id",))
        if "id" in values:
            values.setdefault("limit", str(parameters.MOST))
        page = parameters.read_page(values, UUID)
        extras = parameters.names("include", values.get("include", ""), LIST_EXTRAS)
        fields = parameters.names("fields", values.get("fields", ""), (*SHOW_FIELDS, *LIST_EXTRAS))
        shows = asked_shows(values)
        tokens: dict[str, str] = {}

        def read(rows: QuerySet[Show]) -> list[dict[str, Any]]:
            found = show_rows(rows, extras | (fields & set(LIST_EXTRAS)), **TOKENS)
            for row in found:
                tokens.update({key: row.pop(column) for column, key in KEYS.items()})
            return found

        if page.is_crawl:
            rows = shows.filter(parameters.after("id", page)).order_by("id")
        else:
            rows = shows.order_by(*parameters.read_ordering(values, ORDERS, "name", "id"))
        payload = page_of(request._request, rows, page, "id", read, shows.order_by().count)
        payload["results"] = [chosen(row, fields) for row in payload["results"]]
        # A saved view may be edited, and what it asks may be no column of a show: such an answer is not kept.
        kept = tokens if all(tokens.values()) and "filter" not in values else {}
        return respond(request._request, payload, kept)


KEYS: Final = {f"{key}_token": key for key in (SHOWS, ENTITIES)}
TOKENS: Final = {column: token_of(key) for column, key in KEYS.items()}


def asked_shows(values: Mapping[str, str]) -> QuerySet[Show]:
    shows = Show.objects.all()
    if "id" in values:
        shows = shows.filter(pk__in=parameters.ids("id", values["id"], UUID))
    if "tmdb_id" in values:
        shows = shows.filter(tmdb_id=parameters.whole_number("tmdb_id", values["tmdb_id"], 1))
    if "imdb_id" in values:
        shows = shows.filter(imdb_id=values["imdb_id"])
    if "updated_since" in values:
        shows = shows.filter(updated_at__gte=parameters.moment("updated_since", values["updated_since"]))
    if "genre" in values:
        shows = shows.filter(has_genre(values["genre"]))
    if values.get("filter", "").strip() and not saved_view(values["filter"]).shared:
        raise refuse("filter", "This view is its owner's own.")
    try:
        return filtered_shows({ASKED[name]: value for name, value in values.items() if name in ASKED}, shows)
    except DjangoValidationError as error:
        raise ValidationError(by_api_field(error, ASKED)) from error


def has_genre(genre: str) -> Q:
    if connection.vendor == "postgresql":
        return Q(genres__contains=[genre])
    inside = 'EXISTS (SELECT 1 FROM json_each("catalog_show"."genres") WHERE value = %s)'
    return Q(RawSQL(inside, [genre], output_field=BooleanField()))  # noqa: S611  the genre is a parameter


class ShowDetail(ApiView):
    permission_classes = (MayEdit,)

    @extend_schema(
        operation_id="get_show",
        tags=["shows"],
        parameters=[
            query("fields", "These fields alone."),
            query("include", f"More: {', '.join(DETAIL_EXTRAS)}."),
        ],
        responses={200: ShowDetailSerializer, **failures(301, 304, 400, 404, 410, 429)},
    )
    def get(self, request: Request, show_id: str) -> HttpResponse:
        """All that is known of one show."""
        values = parameters.read_parameters(request.GET, ("fields", "include"))
        return self.answer(request, id_of(show_id), values)

    @staticmethod
    def answer(
        request: Request, show_id: UUID, values: Mapping[str, str], *, location: str = "", keep: bool = True
    ) -> HttpResponse:
        extras = parameters.names("include", values.get("include", ""), DETAIL_EXTRAS)
        fields = parameters.names("fields", values.get("fields", ""), (*DETAIL_FIELDS, *DETAIL_EXTRAS))
        document, tokens = read_show(show_id, extras | (fields & set(DETAIL_EXTRAS)))
        if document is None:
            return moved(request, show_id)
        headers = {"Content-Location": location} if location else {}
        return respond(request._request, chosen(document, fields), tokens if keep else None, headers=headers)

    @extend_schema(
        operation_id="edit_show",
        tags=["shows"],
        parameters=[
            OpenApiParameter(
                "If-Match", str, OpenApiParameter.HEADER, description="The ETag of the whole show, as you read it."
            ),
        ],
        request=ShowPatchSerializer,
        responses={200: ShowDetailSerializer, **failures(301, 400, 401, 403, 404, 410, 412, 415, 429)},
    )
    def patch(self, request: Request, show_id: str) -> HttpResponse:
        """Sets fields of a show, for editors. What is set is locked: no sync writes over it."""
        parameters.read_parameters(request.GET, ())
        pk = id_of(show_id)
        given = ShowPatchSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        assert request.user.is_authenticated  # by MayEdit
        author = Author(user=request.user, reason=values.pop("reason", ""))
        try:
            self.edit(pk, {LINKS.get(str(name), str(name)): value for name, value in values.items()}, author, request)
        except Show.DoesNotExist:
            return moved(request, pk)
        except DjangoValidationError as error:
            raise ValidationError(by_api_field(error, LINKS)) from error
        return self.answer(request, pk, {})

    @transaction.atomic
    def edit(self, show_id: UUID, values: Mapping[str, Any], author: Author, request: Request) -> None:
        if if_match := request.headers.get("If-Match"):
            locked_row(show_id)  # from here on nobody else changes what is compared
            document, _ = read_show(show_id, ())
            if document is None or not matches(if_match, etag_of(to_json(document))):
                raise Stale
        edit_show(show_id, values, author)


class ShowLookup(ApiView):
    @extend_schema(
        operation_id="look_up_show",
        tags=["shows"],
        parameters=[
            *(query(name, f"The show's id in {name}; exactly one of these is expected.") for name in LOOKUPS),
            query("fields", "These fields alone."),
            query("include", f"More: {', '.join(DETAIL_EXTRAS)}."),
        ],
        responses={200: ShowDetailSerializer, **failures(301, 304, 400, 404, 409, 410, 429)},
    )
    def get(self, request: Request) -> HttpResponse:
        """The show that has this id elsewhere."""
        values = parameters.read_parameters(request.GET, {*LOOKUPS, "fields", "include"})
        given = [name for name in LOOKUPS if name in values]
        if len(given) != 1:
            raise refuse(given[1] if given else "imdb", f"Exactly one of {', '.join(LOOKUPS)} is expected.")
        name = given[0]
        value: Any = values[name]
        if name in ("tmdb", "tvdb"):
            value = parameters.whole_number(name, value, 1)
        living_first = F("deleted_at").asc(nulls_first=True)
        named = Show.all_objects.filter(**{LOOKUPS[name]: value}).order_by(living_first, "id")
        found = list(named.values_list("id", "deleted_at")[:2])
        living = [pk for pk, deleted_at in found if deleted_at is None]
        if not found:
            raise NotFound(f"No show has this id of {name}.")
        if len(living) > 1:
            raise Ambiguous(f"More than one show has this id: {', '.join(map(str, living))}.")
        pk = (living or [found[0][0]])[0]
        # Not kept: which show it is may change with a write of another one.
        return ShowDetail.answer(request, pk, values, location=reverse("api:show", args=(pk,)), keep=False)


def id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("An id of a show is a UUID, like 2d0d1d5e-5c1b-4a0e-9d8f-0c6a2c1f7a11.") from None


def read_show(show_id: UUID, extras: Collection[str]) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """A living show and the tokens under which it was read; None where it does not live.

    Read again when it was being written meanwhile, so that no answer is half of before and half of after.
    """
    columns = [*ROW, *(name for name in RAW_REPLIES if name in extras)]
    keys = (show_key(show_id), ENTITIES)
    tokens: dict[str, str] = {}
    document = None
    for _ in range(TRIES):
        row = (
            Show.objects.filter(pk=show_id)
            .values(*columns, own_token=token_of(keys[0]), entities_token=token_of(ENTITIES))
            .first()
        )
        if row is None:
            return None, {}
        found = {keys[0]: row.pop("own_token"), keys[1]: row.pop("entities_token")}
        tokens = {key: token for key, token in found.items() if token is not None}
        document = show_document(show_id, row, extras)
        if read_revisions(keys) == tokens:
            break
    # A show that was last written before there were triggers has no token of its own, by which its next write showed.
    return document, tokens if len(tokens) == len(keys) else {}


def moved(request: Request, show_id: UUID) -> HttpResponse:
    """What is to be said of a show that does not live: where it went, that it was deleted, or that it never was."""
    target = resolve_merged(show_id)
    if target is not None and target != show_id:
        address = reverse("api:show", args=(target,))
        asked = request.META.get("QUERY_STRING", "")
        plain = asked and request.resolver_match is not None and request.resolver_match.url_name == "show"
        return merged_into(target, f"{address}?{asked}" if plain else address)
    if Show.all_objects.filter(pk=show_id).exists():
        raise Gone("This show was deleted.")
    raise NotFound("There is no such show.")


def by_api_field(error: DjangoValidationError, of_api: Mapping[str, str]) -> dict[str, list[str]]:
    """The catalogue's errors, by the names that the API has for its fields and filters."""
    names = {name: api_name for api_name, name in of_api.items()}
    return {names.get(name, name): reasons for name, reasons in by_field(error).items()}
