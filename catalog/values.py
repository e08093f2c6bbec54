"""The columns of Show for people: what each is called, and what they type in the form in which it is held.

Every door (admin, API, files) goes by these.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.utils.text import capfirst

from catalog.locks import EDITABLE
from catalog.models import Show

LARGEST_ID: Final = 2**63 - 1  # of an id, in both databases
LARGEST_INTEGER = 2**31 - 1  # of PostgreSQL's integer; SQLite would take more
LONGEST = {"name": 500, "imdb_id": 22}  # characters; both are indexed, which bounds them in PostgreSQL


def field_of(name: str) -> "models.Field[Any, Any]":
    field = Show._meta.get_field(name)
    if not isinstance(field, models.Field):
        raise TypeError(f"{name} is not a column of Show")
    return field


def label(name: str) -> str:
    """A column's or a relation's name as people read it."""
    try:
        field = Show._meta.get_field(name)
    except FieldDoesNotExist:
        field = None
    text = str(field.verbose_name) if isinstance(field, models.Field) else name.replace("_", " ")
    return capfirst(text.replace("tmdb", "TMDb").replace("imdb", "IMDb"))


def normal(name: str, value: Any) -> Any:
    """`value` in the one form in which values of this field are compared and stored.

    Text loses its outer blanks and a browser's carriage returns, so that a form which is sent back as
    it was shown changes nothing. Raises ValidationError when the field can't hold such a value.
    """
    field = field_of(name)
    if isinstance(field, models.JSONField):
        return normal_list(value)
    if value is None or value == "":
        return None if field.null else field.get_default()
    if not isinstance(field, models.CharField | models.TextField):
        return field.to_python(value)
    text = str(value).replace("\r\n", "\n").strip()
    if name == "override":
        text = text.upper()
    return text or (None if field.null else "")


def normal_list(value: Any) -> Any:
    """A list of texts without blanks and repeats, in its order; what is not one is left for `check`."""
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(dict.fromkeys(item.strip() for item in value if item.strip()))
    return value


def check(name: str, value: Any) -> None:
    """Raises ValidationError for what one of the databases can't hold, or the API could not show."""
    if isinstance(field_of(name), models.JSONField):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValidationError("A list of texts is expected.")
        texts = value
    else:
        texts = [value] if isinstance(value, str) else []
    for text in texts:
        # PostgreSQL stores neither NUL nor half of a surrogate pair; SQLite would.
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise ValidationError("The text holds a character that can't be stored.")
    if isinstance(value, str) and len(value) > LONGEST.get(name, len(value)):
        raise ValidationError(f"It has {len(value):,} characters; {LONGEST[name]:,} are allowed.")
    if isinstance(field_of(name), models.PositiveIntegerField) and isinstance(value, int) and value > LARGEST_INTEGER:
        raise ValidationError(f"At most {LARGEST_INTEGER}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValidationError("A finite number is expected.")


def differing(show: Show, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that are not what `show` holds, in normal form.

    Raises ValidationError with the field's name for a value that can't be; ValueError for a name that
    people don't write.
    """
    unknown = sorted(set(values) - EDITABLE)
    if unknown:
        raise ValueError(f"not editable: {', '.join(unknown)}")
    changed: dict[str, Any] = {}
    errors: dict[str, ValidationError] = {}
    for name, value in values.items():
        try:
            new = normal(name, value)
            if new == normal(name, getattr(show, name)):
                continue
            check(name, new)
        except ValidationError as error:
            errors[name] = error
        else:
            changed[name] = new
    if errors:
        raise ValidationError(errors)
    return changed
