"""The shapes of the API, for its OpenAPI document; what is sent is made by `documents.py`, and a test compares them."""

from typing import Any, Final

from django.db import models
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from catalog.api.documents import DETAIL_FIELDS, LIST_EXTRAS, NAMESPACES, SHOW_FIELDS
from catalog.api.parameters import LARGEST, printable
from catalog.changes import VOLATILE_FIELDS
from catalog.feed import TYPES
from catalog.locks import EDITORIAL_FIELDS, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models import Show


class LogoSerializer(serializers.Serializer):
    tmdb_logo_path = serializers.CharField(allow_null=True, help_text="TMDb's own path.")
    hosted_logo_key = serializers.CharField(allow_null=True, help_text="Of our mirrored file; its hash is in it.")
    hosted_logo_url = serializers.CharField(allow_null=True, help_text="Where our mirrored file is served.")
    hosted_logo_sha256 = serializers.CharField(allow_null=True)
    hosted_logo_content_type = serializers.CharField(allow_null=True)
    hosted_logo_bytes = serializers.IntegerField(allow_null=True)
    hosted_logo_etag = serializers.CharField(allow_null=True)
    hosted_logo_at = serializers.DateTimeField(allow_null=True)


class NetworkSerializer(LogoSerializer):
    id = serializers.IntegerField(help_text="TMDb's id.")
    name = serializers.CharField()
    origin_country = serializers.CharField(allow_null=True)
    tmdb_fetched_at = serializers.DateTimeField(allow_null=True)


class ProductionCompanySerializer(LogoSerializer):
    id = serializers.IntegerField(help_text="TMDb's id.")
    name = serializers.CharField()
    origin_country = serializers.CharField(allow_null=True)
    tmdb_fetched_at = serializers.DateTimeField(allow_null=True)


class WatchProviderSerializer(LogoSerializer):
    provider_id = serializers.IntegerField(help_text="TMDb's id.")
    provider_name = serializers.CharField(help_text="As upstream writes it, stray blanks included.")
    display_priority = serializers.IntegerField(allow_null=True, help_text="In a group of a show: that of the offer.")
    origin_country = serializers.CharField(allow_null=True)
    tmdb_fetched_at = serializers.DateTimeField(allow_null=True)


def texts(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), **options)


KINDS: Final = (
    (models.UUIDField, serializers.UUIDField),
    (models.DateTimeField, serializers.DateTimeField),
    (models.DateField, serializers.DateField),
    (models.BooleanField, serializers.BooleanField),
    (models.FloatField, serializers.FloatField),
    (models.IntegerField, serializers.IntegerField),
)


def kind_of(field: Any) -> Any:
    return next((kind for model, kind in KINDS if isinstance(field, model)), serializers.CharField)


def column(name: str) -> Any:
    """The serializer field of a column of Show, as it is read."""
    field = Show._meta.get_field(name)
    if name in ("genres", "keywords", "tags", "listed_on", "locked_fields"):
        return texts()
    options: dict[str, Any] = {"allow_null": True} if field.null else {}
    return kind_of(field)(**options)


class WatchProviderGroupSerializer(serializers.Serializer):
    """Who offers a show in one region in one way; providers by display_priority, then name."""

    region = serializers.CharField(help_text="ISO 3166-1, like US.")
    offer_type = serializers.CharField(help_text="flatrate, buy, rent, ads, free, or what upstream adds.")
    link = serializers.CharField(allow_null=True)
    providers = WatchProviderSerializer(many=True)


class PastOfferSerializer(serializers.Serializer):
    region = serializers.CharField()
    offer_type = serializers.CharField()
    provider_id = serializers.IntegerField()
    provider_name = serializers.CharField()
    link = serializers.CharField(allow_null=True)
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()


ExternalIdsSerializer: type[serializers.Serializer] = type(
    "ExternalIdsSerializer",
    (serializers.Serializer,),
    {"__doc__": "The show's id in each namespace."} | {name: column(f"{name}_id") for name in NAMESPACES},
)


def show_serializer(name: str, doc: str, required: tuple[str, ...], optional: dict[str, Any]) -> type[Any]:
    """Every field may be absent where `fields` chose others, so none is required of a reader."""
    fields = {field: make(field) for field in required}
    for field in (*fields.values(), *optional.values()):
        field.required = False
        field._kwargs["required"] = False
    return type(name, (serializers.Serializer,), {"__doc__": doc, **fields, **optional})


def make(name: str) -> Any:
    return SPECIAL[name]() if name in SPECIAL else column(name)


SPECIAL: Final[dict[str, Any]] = {
    "most_recent_episode": lambda: serializers.CharField(
        allow_null=True, help_text="For people: `S5.E3 - Title (2024-01-02)`."
    ),
    "external_ids": lambda: ExternalIdsSerializer(),
    "networks": lambda: texts(help_text="Names, in upstream's order."),
    "streaming_providers": lambda: texts(help_text="Names of those who stream it in the default region."),
    "tmdb_network_ids": lambda: serializers.ListField(child=serializers.IntegerField()),
    "tmdb_production_company_ids": lambda: serializers.ListField(child=serializers.IntegerField()),
    "tmdb_networks": lambda: NetworkSerializer(many=True),
    "tmdb_production_companies": lambda: ProductionCompanySerializer(many=True),
    "watch_providers": lambda: WatchProviderGroupSerializer(many=True),
    "attribution": lambda: serializers.CharField(help_text="To be shown wherever these data are."),
}


def raw_reply(source: str) -> Any:
    return serializers.DictField(allow_null=True, help_text=f"The reply as {source} sent it; with `include` alone.")


ShowSerializer = show_serializer(
    "ShowSerializer",
    "A show of a list; with `include` it has more of what a ShowDetail has.",
    SHOW_FIELDS,
    {name: make(name) for name in LIST_EXTRAS},
)
ShowDetailSerializer = show_serializer(
    "ShowDetailSerializer",
    "All that is known of a show.",
    DETAIL_FIELDS,
    {
        "tmdb_meta": raw_reply("TMDb"),
        "imdb_meta": raw_reply("IMDb"),
        "history": PastOfferSerializer(many=True, help_text="Offers that have ended; with `include` alone."),
    },
)

# What people may write. Votes and popularity move by themselves, and no person sets them here.
WRITABLE: Final = tuple(
    name
    for name in (*UPSTREAM_FIELDS, *EDITORIAL_FIELDS, *RESOLUTION_FLAGS.values())
    if name not in VOLATILE_FIELDS and name != "most_recent_episode"
)
LINKS: Final = {"tmdb_network_ids": "networks", "tmdb_production_company_ids": "production_companies"}


def writable(name: str) -> Any:
    field = Show._meta.get_field(name)
    if name in ("genres", "keywords", "tags", "listed_on"):
        return texts(required=False)
    kind = kind_of(field)
    options: dict[str, Any] = {"required": False, "allow_null": bool(field.null)}
    if kind is serializers.CharField:
        options |= {"allow_blank": name != "name", "trim_whitespace": True}
    return kind(**options)


def unknown_fields(self: Any, data: Any) -> Any:
    """Refuses a name that can't be set: a typing error must not look like a success."""
    if isinstance(data, dict) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
        known = ", ".join(self.fields)
        raise serializers.ValidationError(
            {printable(name): [f"It can't be set here. What can be: {known}."] for name in unknown}
        )
    return serializers.Serializer.to_internal_value(self, data)


ShowPatchSerializer: type[serializers.Serializer] = extend_schema_serializer(
    examples=[OpenApiExample("A new name, and why", value={"name": "Below Deck", "reason": "As on its title card."})]
)(
    type(
        "ShowPatchSerializer",
        (serializers.Serializer,),
        {
            "__doc__": "Fields to set; each is locked against syncs. `reason` goes to the history.",
            **{name: writable(name) for name in WRITABLE},
            **{
                name: serializers.ListField(
                    child=serializers.IntegerField(min_value=1, max_value=LARGEST), required=False, max_length=1000
                )
                for name in LINKS
            },
            "reason": serializers.CharField(required=False, max_length=500, allow_blank=True),
            "to_internal_value": unknown_fields,
        },
    )
)


def page_of(name: str, item: type[serializers.Serializer]) -> type[serializers.Serializer]:
    return type(
        f"{name}PageSerializer",
        (serializers.Serializer,),
        {
            "__doc__": "A page; `next` and `previous` are addresses. A crawl by cursor counts nothing.",
            "count": serializers.IntegerField(min_value=0, allow_null=True),
            "next": serializers.CharField(allow_null=True),
            "previous": serializers.CharField(allow_null=True),
            "results": item(many=True),
        },
    )


class EventSerializer(serializers.Serializer):
    """One change of one show; nothing of who made it or why."""

    id = serializers.IntegerField(help_text="Grows in the order in which changes become visible.")
    ts = serializers.DateTimeField()
    type = serializers.ChoiceField(choices=sorted(TYPES.values()))
    show_id = serializers.UUIDField()
    changed = texts(help_text="The fields that changed.")
    merged_into = serializers.UUIDField(allow_null=True, help_text="Of show_merged: where the show went.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A show was renamed",
            response_only=True,
            value={
                "results": [
                    {
                        "id": 4711,
                        "ts": "2026-01-02T03:04:05.678901Z",
                        "type": "show_updated",
                        "show_id": "2d0d1d5e-5c1b-4a0e-9d8f-0c6a2c1f7a11",
                        "changed": ["locked_fields", "name"],
                        "merged_into": None,
                    }
                ],
                "next_since": 4711,
            },
        )
    ]
)
class EventPageSerializer(serializers.Serializer):
    results = EventSerializer(many=True)
    next_since = serializers.IntegerField(help_text="Give it as `since` next time.")


class ErrorSerializer(serializers.Serializer):
    detail = serializers.CharField(help_text="What is wrong, and what to do.")
    errors = serializers.DictField(  # type: ignore[assignment]  # also the name of a property of Serializer
        child=texts(), required=False, help_text="The same by parameter or field, where some are to blame."
    )
