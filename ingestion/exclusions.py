"""Shows that an editor has put away: no import brings them back."""

from collections.abc import Iterable
from uuid import UUID

from catalog.models import Change, Show
from catalog.models.change import Kind


def exclusion_reasons(show_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Why each of these deleted shows is not imported, like `Below Deck is in the trash (by anna: a duplicate)`."""
    wanted = set(show_ids)
    if not wanted:
        return {}
    removals = Change.objects.filter(show_id__in=wanted, kind__in=(Kind.DELETED, Kind.MERGED)).order_by("id")
    last = {change.show_id: change for change in removals.select_related("user")}
    shows = Show.all_objects.filter(pk__in=wanted).select_related("merged_into").only("name", "merged_into__name")
    return {show.pk: exclusion_reason(show, last.get(show.pk)) for show in shows}


def exclusion_reason(show: Show, removal: Change | None) -> str:
    target = show.merged_into
    reason = (
        f"{short_name(show)} was merged into {short_name(target)}" if target else f"{short_name(show)} is in the trash"
    )
    if removal is None:
        return reason
    who = f"by {removal.user.get_username()}" if removal.user else ""
    said = ": ".join(filter(None, (who, " ".join(removal.reason.split()))))
    return f"{reason} ({said})" if said else reason


def short_name(show: Show) -> str:
    """A show's name on one printable line."""
    name = "".join(c if c.isprintable() else " " for c in " ".join(show.name.split()))
    return name if len(name) <= 60 else name[:57] + "..."
