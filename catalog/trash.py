"""Deleting a show, bringing it back, and remarks on it."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from catalog.changes import Author, value_change
from catalog.edits import locked_row, record
from catalog.models import Change, Show
from catalog.models.change import Kind

NAMING_FIELDS = ("name", "tmdb_id", "imdb_id", "tvdb_id", "wikidata_id")


@transaction.atomic
def delete_show(show_id: UUID, author: Author) -> Change:
    """Moves a show to the trash: no list, sync, export or API shows it, and no import brings its ids back."""
    show = locked_row(show_id)
    fields = {name: value_change(value, None) for name, value in naming(show).items()}
    show.deleted_at = timezone.now()
    show.save(update_fields=["deleted_at", "updated_at"])
    return record(show, Kind.DELETED, fields, author)


@transaction.atomic
def restore_show(show_id: UUID, author: Author) -> Change | None:
    """Takes a show out of the trash as it was; None when it is not there. To those who follow it is created anew.

    One that was merged comes back by reverting the merge: ValidationError.
    """
    show = Show.all_objects.select_for_update(of=("self",)).get(pk=show_id)
    if show.deleted_at is None:
        return None
    if show.merged_into_id is not None:
        raise ValidationError("It was merged into another show; undo the merge instead.")
    show.deleted_at = None
    show.save(update_fields=["deleted_at", "updated_at"])
    fields = {name: value_change(None, value) for name, value in naming(show).items()}
    return record(show, Kind.CREATED, fields, author)


@transaction.atomic
def comment_on_show(show_id: UUID, text: str, author: Author) -> Change:
    """Keeps a remark in the show's history. Raises ValidationError for an empty one."""
    show = locked_row(show_id)
    if not text.strip():
        raise ValidationError("A comment needs a text.")
    remark = Author(user=author.user, run_id=author.run_id, reason=text.strip(), batch_id=author.batch_id)
    return record(show, Kind.COMMENTED, {}, remark)


def naming(show: Show) -> dict[str, Any]:
    """What a show is known by, where it has it: its changes say so of one that is gone."""
    return {name: value for name in NAMING_FIELDS if (value := getattr(show, name)) is not None}
