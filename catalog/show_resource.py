"""Shows as the rows of a file: which columns there are, and how each value is written and read.

A file gives back what it was given: `value_of(name, cell_of(name, value))` is the value in its normal form. A list is
one cell, its items joined by `; `; within an item a backslash is written as `\\\\` and a semicolon as `\\;`.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

import tablib
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Prefetch, QuerySet
from import_export import fields, resources, widgets

from catalog.changes import VOLATILE_FIELDS, entity_label
from catalog.edits import version_subquery
from catalog.file_formats import FORMATS
from catalog.links import RELATIONS
from catalog.locks import EDITABLE, EDITORIAL_FIELDS, RESOLUTION_FLAGS, UPSTREAM_FIELDS
from catalog.models import Show, ShowNetwork, ShowProductionCompany
from catalog.sheet import Unreadable
from catalog.values import (
    A_DATE,
    A_NUMBER,
    A_WHOLE_NUMBER,
    LONGEST,
    YES_OR_NO,
    check,
    field_of,
    normal,
)
from catalog.xlsx_file import LONGEST_CELL

# What people look at first stands first.
WRITABLE: Final[tuple[str, ...]] = (
    "name",
    *reversed(EDITORIAL_FIELDS),
    *(name for name in UPSTREAM_FIELDS if name != "name" and name not in VOLATILE_FIELDS),
    *RESOLUTION_FLAGS.values(),
)
READ_ONLY: Final[tuple[str, ...]] = (
    # They move every day: what a file says of them is old when it comes back.
    *(name for name in UPSTREAM_FIELDS if name in VOLATILE_FIELDS),
    "networks",
    "production_companies",
    "locked_fields",
    "updated_at",
)
# By these an import finds the show, and tells what others have changed since the export.
KEYS: Final[tuple[str, ...]] = ("id", "version")
COLUMNS: Final[tuple[str, ...]] = (*KEYS, *WRITABLE, *READ_ONLY)

ROWS_AT_ONCE: Final = 5_000  # that are read from the database, with their networks, in three queries

INTEGER: Final = re.compile(r"(-?[0-9]{1,19})(\.0*)?\Z")  # Excel makes 55555.0 of 55555
DECIMAL: Final = re.compile(r"-?[0-9]{1,300}(\.[0-9]{0,300})?([eE][+-]?[0-9]{1,3})?\Z")
DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([T ]00:00(:00(\.0+)?)?)?\Z")
WHOLE_NUMBER: Final = re.compile(r"[0-9]+\.0+\Z")
TRUE, FALSE = frozenset({"yes", "true", "y", "1"}), frozenset({"no", "false", "n", "0"})


# --- one cell


def cell_of(name: str, value: Any) -> str | int | float:
    """`value` as a cell holds it. Ids are texts, so that no spreadsheet rounds one; dates too, as 2026-01-31."""
    if value is None:
        return ""
    if isinstance(value, list):
        return joined(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):  # and moments
        return value.isoformat()
    if isinstance(value, int | float) and not name.endswith("_id"):
        return value
    return str(value)


def joined(items: Iterable[str]) -> str:
    return "; ".join(item.replace("\\", "\\\\").replace(";", "\\;") for item in items)


def split(text: str) -> list[str]:
    """The items of `joined`; a backslash before anything else is one."""
    items = re.findall(r"(?:\\.|[^;\\]|\\\Z)+", text, re.DOTALL)
    return [re.sub(r"\\([\\;])", r"\1", item) for item in items]


def value_of(name: str, cell: Any) -> Any:
    """What a cell says, in normal form, checked as the field demands. An empty one is what `normal` makes of it.

    Raises ValidationError, which says how it should be written.
    """
    if isinstance(cell, Unreadable):
        raise ValidationError(cell.reason)
    field = field_of(name)
    if name == "override" and isinstance(cell, str) and WHOLE_NUMBER.match(cell.strip()):
        cell = cell.split(".")[0]  # Excel makes 3.0 of a minimum of 3 episodes
    read = as_tmdb_id if name == "tmdb_id" else next((how for kind, how in READERS if isinstance(field, kind)), as_text)
    value = normal(name, None if text_of(cell) == "" else read(cell))
    validate(name, value)
    return value


def text_of(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def as_text(cell: Any) -> str:
    """A number without the point that Excel gives it; a date in the one form that means one day."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def as_list(cell: Any) -> list[str]:
    return split(as_text(cell))


def as_boolean(cell: Any) -> bool:
    text = as_text(cell).strip().lower()
    if text in TRUE | FALSE:
        return text in TRUE
    raise ValidationError(YES_OR_NO)


def as_integer(cell: Any) -> int:
    match = None if isinstance(cell, bool | date) else INTEGER.match(as_text(cell).strip())
    if match is None:
        raise ValidationError(A_WHOLE_NUMBER)
    return int(match[1])


def as_tmdb_id(cell: Any) -> Any:
    """A number; the text itself where it is none, as it may be an address, which `normal` reads."""
    try:
        return as_integer(cell)
    except ValidationError:
        return as_text(cell).strip()


def as_float(cell: Any) -> float:
    text = "" if isinstance(cell, bool | date) else str(cell).strip()
    if not DECIMAL.match(text):
        raise ValidationError(A_NUMBER)
    return float(text)


def as_date(cell: Any) -> date:
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return cell
    match = DAY.match(str(cell).strip())
    try:
        if match:
            return date.fromisoformat(match[1])
    except ValueError:  # the 30th of February
        pass
    raise ValidationError(A_DATE)


READERS: Final = (
    (models.JSONField, as_list),
    (models.BooleanField, as_boolean),
    (models.IntegerField, as_integer),
    (models.FloatField, as_float),
    (models.DateField, as_date),
)


def validate(name: str, value: Any) -> None:
    """Holds a value in normal form against what any door demands of this field. Raises ValidationError."""
    check(name, value)
    longest = LONGEST.get(name, LONGEST_CELL)
    if isinstance(value, str) and len(value) > longest:
        raise ValidationError(f"It has {len(value):,} characters; {longest:,} are allowed.")
    if name == "name" and value == "":
        raise ValidationError("A show needs a name.")
    field_of(name).clean(value, None)


# --- rows


class CellWidget(widgets.Widget):
    """How django-import-export writes and reads one column."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        return cell_of(self.name, value)

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        return value_of(self.name, value)


class ShowResource(resources.ModelResource):
    """Its fields read and write cells. Nothing is saved here: an import is a batch of edits."""

    version = fields.Field(column_name="version", readonly=True)
    networks = fields.Field(column_name="networks", readonly=True)
    production_companies = fields.Field(column_name="production_companies", readonly=True)

    class Meta:
        model = Show
        fields = COLUMNS
        export_order = COLUMNS

    @classmethod
    def field_from_django_field(cls, field_name: str, django_field: Any, readonly: bool) -> fields.Field:
        return fields.Field(attribute=field_name, column_name=field_name, widget=CellWidget(field_name))

    def dehydrate_version(self, show: Any) -> int:
        return show.version or 0

    def dehydrate_networks(self, show: Any) -> str:
        return joined(entity_label(link.network.name, link.network_id) for link in show.exported_networks)

    def dehydrate_production_companies(self, show: Any) -> str:
        return joined(entity_label(link.company.name, link.company_id) for link in show.exported_companies)

    def filter_export(self, queryset: QuerySet[Show], *, export_fields: Sequence[str], **kwargs: Any) -> QuerySet[Show]:
        """With what these columns need and nothing more: the raw replies alone are up to 100 kB a show."""
        if "networks" in export_fields:
            networks = ShowNetwork.objects.select_related("network").only("show_id", "position", "network__name")
            queryset = queryset.prefetch_related(Prefetch("show_networks", networks, to_attr="exported_networks"))
        if "production_companies" in export_fields:
            companies = ShowProductionCompany.objects.select_related("company")
            companies = companies.only("show_id", "position", "company__name")
            queryset = queryset.prefetch_related(Prefetch("show_companies", companies, to_attr="exported_companies"))
        if "version" in export_fields:
            queryset = queryset.annotate(version=version_subquery())
        return queryset.only(*(name for name in export_fields if name != "version" and name not in RELATIONS))

    def iter_queryset(self, queryset: QuerySet[Show]) -> Iterable[Show]:
        return queryset.iterator(chunk_size=ROWS_AT_ONCE)

    def export_resource(self, instance: Show, selected_fields: Any = None, **kwargs: Any) -> list[Any]:
        """As the library's, which looks every field up by its object, once a cell."""
        return [
            getattr(self, f"dehydrate_{name}")(instance)
            if name == "version" or name in RELATIONS
            else cell_of(name, getattr(instance, name))
            for name in selected_fields
        ]


def in_file_order(columns: Iterable[str]) -> list[str]:
    """The chosen columns, after those by which an import knows the show. Raises ValidationError for others."""
    chosen = set(columns)
    if unknown := sorted(chosen - set(COLUMNS)):
        raise ValidationError(f"There is no column {', '.join(unknown)}. Columns are: {', '.join(COLUMNS)}.")
    return [name for name in COLUMNS if name in KEYS or name in chosen or not chosen]


def exported(shows: QuerySet[Show], columns: Sequence[str], format_name: str) -> bytes:
    """A file of these shows. Raises FileProblem where the format can't hold one."""
    dataset: tablib.Dataset = ShowResource().export(shows, export_fields=columns)
    dataset.title = "Shows"
    data: bytes = FORMATS[format_name]().export_data(dataset)
    return data


assert {*WRITABLE, *VOLATILE_FIELDS} == EDITABLE, "every editable field has its column"
