"""The columns of Show for people: what each is called, and what they type in the form in which it is held.

Every door (admin, API, files) goes by these.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.utils.text import capfirst

from catalog.locks import EDITABLE
from catalog.models import Show
from catalog.models.show import imdb_id_validator

LARGEST_ID: Final = 2**63 - 1  # of an id, in both databases
LARGEST_INTEGER = 2**31 - 1  # of PostgreSQL's integer; SQLite would take more
LONGEST = {"name": 500, "imdb_id": 22}  # characters; both are indexed, which bounds them in PostgreSQL

IMDB_IDS: Final = ("imdb_id", "most_recent_episode_imdb_id")
# The id in an address of a title, as people copy it from their browser.
IMDB_ADDRESS: Final = re.compile(
    r"\s*(?:https?://)?(?:[a-z]+\.)?imdb\.com/(?:[a-z-]+/)?title/(tt[0-9]+)(?![0-9A-Za-z])", re.IGNORECASE
)
TMDB_ADDRESS: Final = re.compile(r"\s*(?:https?://)?(?:www\.)?themoviedb\.org/tv/([0-9]+)(?![0-9])", re.IGNORECASE)
WIKIDATA_ID: Final = re.compile(r"Q[1-9][0-9]{0,19}\Z")
HANDLE: Final = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
HANDLES: Final = ("facebook_id", "instagram_id", "twitter_id")

# The least and the most that a figure can be; None where there is no most.
RANGES: Final[dict[str, tuple[int, int | None]]] = {
    **dict.fromkeys(("tmdb_vote_average", "imdb_rating_value"), (0, 10)),
    **dict.fromkeys(("tmdb_vote_count", "imdb_rating_count", "tmdb_popularity", "tvdb_id", "imdb_end_year"), (0, None)),
    **dict.fromkeys(
        (
            "show_total_seasons",
            "show_total_episodes",
            "most_recent_episode_season",
            "most_recent_episode_number",
        ),
        (0, 100_000),
    ),
}

A_DATE: Final = "Write a date like 2026-01-31."
A_TMDB_ID: Final = "A TMDb id is a number from 1."
A_WHOLE_NUMBER: Final = "Write a whole number, like 55555."
A_NUMBER: Final = "Write a number with a point, like 7.5."
YES_OR_NO: Final = "Write yes or no."


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
    if isinstance(value, str):
        value = without_address(name, value)
    if not isinstance(field, models.CharField | models.TextField):
        try:
            return field.to_python(value)
        except ValidationError as error:
            raise ValidationError(wording(field)) from error
    text = str(value).replace("\r\n", "\n").strip()
    if name == "override":
        text = text.upper()
    return text or (None if field.null else "")


def without_address(name: str, text: str) -> str:
    """The id alone where `text` is the address of its title at IMDb or TMDb."""
    address = TMDB_ADDRESS if name == "tmdb_id" else IMDB_ADDRESS if name in IMDB_IDS else None
    found = address.match(text) if address else None
    return found[1] if found else text


def wording(field: "models.Field[Any, Any]") -> str:
    """How a value of this field is written, for who wrote it otherwise."""
    if field.name == "tmdb_id":
        return A_TMDB_ID
    if isinstance(field, models.DateField):
        return A_DATE
    if isinstance(field, models.BooleanField):
        return YES_OR_NO
    return A_WHOLE_NUMBER if isinstance(field, models.IntegerField) else A_NUMBER


def normal_list(value: Any) -> Any:
    """A list of texts without blanks and repeats, in its order; what is not one is left for `check`."""
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(dict.fromkeys(item.strip() for item in value if item.strip()))
    return value


def check(name: str, value: Any) -> None:
    """Raises ValidationError for what one of the databases can't hold, the API could not show, or the field can't
    mean. People's values alone are held against it: what a source says is kept as it is."""
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
    if name in IMDB_IDS and isinstance(value, str):
        imdb_id_validator(value)
    if isinstance(value, str) and len(value) > LONGEST.get(name, len(value)):
        raise ValidationError(f"It has {len(value):,} characters; {LONGEST[name]:,} are allowed.")
    if isinstance(field_of(name), models.PositiveIntegerField) and isinstance(value, int) and value > LARGEST_INTEGER:
        raise ValidationError(f"At most {LARGEST_INTEGER}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValidationError("A finite number is expected.")
    if value is not None:
        check_id(name, value)
        check_range(name, value)


def check_id(name: str, value: Any) -> None:
    if name == "tmdb_id" and not 1 <= value <= LARGEST_ID:
        raise ValidationError(A_TMDB_ID)
    if name == "wikidata_id" and not WIKIDATA_ID.match(value):
        raise ValidationError("A Wikidata id is Q and digits, like Q239195.")
    if name in HANDLES and not HANDLE.match(value):
        raise ValidationError("Write the name or number of the account alone: letters, digits, . _ and -, at most 100.")


def check_range(name: str, value: Any) -> None:
    least, most = RANGES.get(name, (None, None))
    if least is not None and value < least:
        raise ValidationError(f"At least {least}.")
    if most is not None and value > most:
        raise ValidationError(f"At most {most:,}.")


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
