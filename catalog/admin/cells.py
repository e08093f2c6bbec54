"""Edits in the cells of the list: many at once, each row safe by its key and its version."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.core.exceptions import NON_FIELD_ERRORS, RequestDataTooBig, ValidationError
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone

from catalog.admin import desk
from catalog.admin.author import LONGEST_REASON, author_of
from catalog.admin.columns import EDITABLE, cell_text, stamp, text_tags
from catalog.admin.text import describe_author
from catalog.batches import CHANGED, FAILED, UNCHANGED, in_words
from catalog.changes import Author
from catalog.edits import ChangedMeanwhile, edit_show, version_of
from catalog.models import Batch, Change, Show
from catalog.values import label

MOST_EDITS: Final = 500
# What is said of a cell that can hold few values; a model's own messages are made to stand below a form's field.
SENTENCES: Final = {"override": "Write SKIP, Y, the minimum number of episodes, or nothing."}
GONE: Final = "This show has been deleted or merged meanwhile. Load the list again."


class Malformed(Exception):
    """The body is not what the list sends; the message says where."""


@dataclass(slots=True)
class Row:
    """What is to be written to one show: field -> the text of its cell."""

    show_id: UUID
    version: int
    texts: dict[str, str] = field(default_factory=dict)


def read_edits(body: bytes) -> tuple[list[Row], str]:
    """The rows to write, in the order in which they were sent, and the reason. Raises Malformed."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON.") from error
    edits = data.get("edits") if isinstance(data, dict) else None
    if not isinstance(edits, list) or not edits:
        raise Malformed("`edits` must be a list of edits.")
    if len(edits) > MOST_EDITS:
        raise Malformed(f"At most {MOST_EDITS} cells are saved at once; these are {len(edits)}.")
    reason = data.get("reason", "")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise Malformed(f"`reason` must be a text of one line of at most {LONGEST_REASON} characters.")
    rows: dict[UUID, Row] = {}
    for number, edit in enumerate(edits, 1):
        try:
            show_id, version, name, text = read_edit(edit)
        except ValueError as error:
            raise Malformed(f"Edit {number}: {error}.") from error
        row = rows.setdefault(show_id, Row(show_id, version))
        row.version = min(row.version, version)  # as of when the first of its cells was shown
        row.texts[name] = text
    return list(rows.values()), reason


def read_edit(edit: Any) -> tuple[UUID, int, str, str]:
    if not isinstance(edit, dict):
        raise ValueError("an object is expected")
    show_id, version, name, text = (edit.get(key) for key in ("id", "version", "field", "value"))
    if not isinstance(show_id, str):
        raise ValueError("`id` must be the id of a show")
    try:
        pk = UUID(show_id)
    except ValueError as error:
        raise ValueError("`id` must be the id of a show") from error
    if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version < 2**63:
        raise ValueError("`version` must be that of the row")
    if name not in EDITABLE:
        raise ValueError(f"`field` must be one of {', '.join(EDITABLE)}")
    if not isinstance(text, str):
        raise ValueError("`value` must be a text")
    return pk, version, name, text


# --- writing


def save_row(row: Row, author: Author) -> tuple[dict[str, Any], str]:
    """Writes one row; the answer for it, and what came of it (changed, unchanged, failed)."""
    try:
        return write_row(row, author)
    except ChangedMeanwhile as meanwhile:
        answer = refused(row, "", None)
        return answer | {
            "error": "Somebody else has changed this show.",
            "conflict": conflict(row, meanwhile),
        }, FAILED
    except ValidationError as error:
        named = [name for name in getattr(error, "error_dict", {}) if name != NON_FIELD_ERRORS]
        name = next(iter(named), None)
        words = SENTENCES.get(name or "") or in_words(error)
        return refused(row, words, name), FAILED
    except Show.DoesNotExist:
        return refused(row, GONE, None), FAILED


@transaction.atomic
def write_row(row: Row, author: Author) -> tuple[dict[str, Any], str]:
    values = {name: typed(name, text) for name, text in row.texts.items()}
    change = edit_show(row.show_id, values, author, version=row.version, whole_row=True)
    # Read in the same transaction, as the row may be changed again right after it.
    answer = row_now(row.show_id) | {"change": change.pk if change else None}
    return answer, CHANGED if change else UNCHANGED


def row_now(show_id: UUID) -> dict[str, Any]:
    """The row as it is now. The version first: a value read later is then never too new for it."""
    version = version_of(show_id)
    show = Show.objects.only(*EDITABLE, "locked_fields", "updated_at").get(pk=show_id)
    return {
        "id": str(show_id),
        "ok": True,
        "version": version,
        "values": {name: cell_text(show, name) for name in EDITABLE},
        "locked": show.locked_fields,
        "locks": [label(name) for name in show.locked_fields],
        "updated": stamp("updated_at")(show),
    }


def typed(name: str, text: str) -> Any:
    """The text of a cell as `edit_show` takes it. Raises ValidationError."""
    if name != "tags":
        return text
    try:
        return text_tags(text)
    except ValueError as error:
        raise ValidationError({name: str(error)}) from error


def refused(row: Row, words: str, name: str | None) -> dict[str, Any]:
    return {"id": str(row.show_id), "ok": False, "error": words, "field": name}


def conflict(row: Row, meanwhile: ChangedMeanwhile) -> dict[str, Any]:
    """Who was quicker, and the row as it is now. The version first: a value read later is then never too new for it."""
    newest: Change = meanwhile.changes[0]
    version = version_of(row.show_id)
    show = Show.objects.only(*EDITABLE).filter(pk=row.show_id).first()
    return {
        "who": describe_author(newest),
        "when": newest.ts.isoformat(timespec="seconds"),
        "values": {name: cell_text(show, name) for name in EDITABLE} if show else {},
        "version": version,
    }


def save_rows(rows: list[Row], author: Author) -> tuple[list[dict[str, Any]], UUID | None]:
    """Writes each row in a transaction of its own: one that is refused stops no other.

    Many rows are one step of a person, a batch, which can be reverted as one; one that changed nothing leaves no
    trace. Gives the rows' answers and the batch's id.
    """
    if len(rows) == 1:
        return [save_row(rows[0], author)[0]], None
    batch = Batch(kind=Batch.Kind.CELLS, status=Batch.Status.RUNNING, reason=author.reason, total=len(rows))
    batch.user = cast(User, author.user)  # who is logged in
    batch.save(force_insert=True)
    step = Author(user=author.user, reason=author.reason, batch_id=batch.pk)
    answers, counts = [], {CHANGED: 0, UNCHANGED: 0, FAILED: 0}
    for row in rows:
        answer, outcome = save_row(row, step)
        answers.append(answer)
        counts[outcome] += 1
    if not counts[CHANGED]:
        batch.delete()
        return answers, None
    batch.status, batch.finished_at = Batch.Status.DONE, timezone.now()
    batch.done, batch.counts, batch.failures = len(rows), counts, failures(answers)
    batch.save(update_fields=["status", "finished_at", "done", "counts", "failures"])
    return answers, batch.pk


def failures(answers: list[dict[str, Any]]) -> list[list[str]]:
    refused = {answer["id"]: str(answer["error"]) for answer in answers if not answer["ok"]}
    names: Mapping[UUID, Show] = Show.all_objects.only("name").in_bulk([UUID(key) for key in refused])
    return [[key, names[UUID(key)].name if UUID(key) in names else "", words] for key, words in refused.items()]


def pages(model_admin: "ModelAdmin[Any]") -> list[URLPattern]:
    def cells(request: HttpRequest) -> JsonResponse:
        """Saves cells: {"edits": [{"id", "version", "field", "value"}], "reason"} -> {"rows": [an answer], "batch"}."""
        if request.method != "POST":
            return JsonResponse({"detail": "Cells are sent by POST."}, status=405, headers={"Allow": "POST"})
        if not model_admin.has_change_permission(request):
            return JsonResponse({"detail": "You may look at shows, but not change them."}, status=403)
        try:
            rows, reason = read_edits(request.body)
        except RequestDataTooBig:
            return JsonResponse({"detail": "This is too much text to be saved at once."}, status=413)
        except Malformed as error:
            return JsonResponse({"detail": str(error)}, status=400)
        answers, batch_id = save_rows(rows, author_of(request, reason))
        return JsonResponse({"rows": answers, "batch": batch_id})

    wrap = model_admin.admin_site.admin_view
    return [path("cells/", wrap(cells), name="catalog_show_cells")]


desk.pages.append(pages)
