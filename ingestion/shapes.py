"""The small readers of a decoded JSON reply.

Each takes an object, a key of it and the object's own path, and gives one typed value, or refuses what
stands there with its path.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import date

from ingestion import records

Row = dict[str, object]  # a JSON object

MAX_ID = 2**63 - 1  # a bigint column
MAX_COUNT = 2**31 - 1  # an integer column
MAX_SHOWN = 60  # characters of a refused value that its reason repeats
# NUL is legal in JSON but not in PostgreSQL's text; half a surrogate pair can't be encoded as UTF-8 at all.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# One file name under the image host: the path is joined to a URL and fetched, so no scheme, host or "..".
IMAGE_PATH = re.compile(r"/[A-Za-z0-9._-]+\.(?:png|jpg|jpeg|svg|webp|gif)", re.IGNORECASE | re.ASCII)
ABSENT = object()  # a key that is not there, which is not the same as null
SHORT = reprlib.Repr()  # bounded in depth and length, where repr() of a hostile reply is neither
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = MAX_SHOWN


def read_names(row: Row, key: str, where: str = "") -> tuple[str, ...]:
    """The names of a list of {"id", "name"}, stripped, in order, without repeats."""
    return tuple(dict.fromkeys(read_name(item, "name", at).strip() for at, item in read_objects(row, key, where)))


def read_reply(value: object, where: str = "") -> Row:
    """An object that is not TMDb's error envelope, which can come with HTTP 200 and without `success`.

    https://developer.themoviedb.org/docs/errors
    """
    body = read_object(value, where)
    if body.get("success") is False or "status_message" in body or "errors" in body:
        code, said = shown(body.get("status_code")), body.get("status_message", body.get("errors"))
        text = said[:200] if isinstance(said, str) else shown(said)
        raise invalid(f"{where or 'the reply'} is TMDb's error {code}: {text}")
    return body


def read_object(value: object, where: str) -> Row:
    if not isinstance(value, dict):
        raise refused(where, value, "an object")
    return value


def read_objects(row: Row, key: str, where: str = "") -> Iterator[tuple[str, Row]]:
    """Each object of a list that must be there, with its path."""
    at, values = path_of(where, key), row.get(key, ABSENT)
    if not isinstance(values, list):
        raise refused(at, values, "a list")
    for index, value in enumerate(values):
        here = f"{at}[{index}]"
        yield here, read_object(value, here)


def read_id(row: Row, key: str, where: str = "") -> int:
    value = row.get(key, ABSENT)
    # `type(...) is int`, because True is an instance of int.
    if type(value) is int and 0 < value <= MAX_ID:
        return value
    raise refused(path_of(where, key), value, "a positive integer below 2**63")


def read_count(row: Row, key: str, where: str = "") -> int:
    value = row.get(key, ABSENT)
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    raise refused(path_of(where, key), value, "an integer from 0 to 2**31-1")


def read_count_or_none(row: Row, key: str, where: str = "") -> int | None:
    return None if row.get(key) is None else read_count(row, key, where)


def read_number(row: Row, key: str) -> float | None:
    """Votes and popularity come as 8.456, 8.0 or 8."""
    value = row.get(key)
    if value is None:
        return None
    with suppress(OverflowError):  # an int beyond the floats
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    raise refused(key, value, "a finite number, or null")


def read_text(row: Row, key: str, where: str = "") -> str | None:
    """Text for people, stripped; "" and null both mean unknown. Blanks inside it stay as they are."""
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise refused(path_of(where, key), value, "a text, or null")
    return clean_text(value).strip() or None


def read_name(row: Row, key: str, where: str) -> str:
    """A name as sent, stray blanks and all: to strip is for display."""
    value = row.get(key, ABSENT)
    name = clean_text(value) if isinstance(value, str) else ""
    if not name.strip():
        raise refused(path_of(where, key), value, "a text that is not blank")
    return name


def read_date(row: Row, key: str, where: str = "") -> date | None:
    """YYYY-MM-DD without zone; unknown is null, "" or no key at all, by endpoint and age of the record."""
    # The form is checked because fromisoformat would take 20080120 and 2008-W03-7 as well.
    text = read_matching(row, key, where, DATE, "a date as YYYY-MM-DD, or null")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:  # 2023-02-30
        raise refused(path_of(where, key), text, "a date of the calendar") from None


def read_image_path(row: Row, key: str, where: str) -> str | None:
    return read_matching(row, key, where, IMAGE_PATH, "an image path such as /abc.png, or null")


def read_matching(row: Row, key: str, where: str, form: re.Pattern[str], expected: str) -> str | None:
    value = row.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and form.fullmatch(value):
        return value
    raise refused(path_of(where, key), value, expected)


def read_foreign_id(row: Row, key: str, form: re.Pattern[str]) -> str | None:
    value = row.get(key)
    text = clean_text(value).strip() if isinstance(value, str) else ""
    return text if form.fullmatch(text) else None


def clean_text(text: str) -> str:
    return UNSTORABLE.sub("", text)


def path_of(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def shown(value: object) -> str:
    try:
        return SHORT.repr(value)[:MAX_SHOWN]
    except ValueError:  # Python prints no int of more than 4300 digits
        return "a huge number"


def refused(where: str, value: object, expected: str) -> records.InvalidRecord:
    found = "null" if value is None else f"{shown(value)} ({type(value).__name__})"
    found = "missing" if value is ABSENT else found
    return invalid(f"{where[:200] or 'the reply'} is {found}, not {expected}")


def invalid(reason: str) -> records.InvalidRecord:
    return records.InvalidRecord(" ".join(clean_text(reason).splitlines()))
