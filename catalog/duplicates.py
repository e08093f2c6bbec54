"""Two TMDb networks that are one: the shows of the duplicate follow, and so does what later syncs bring."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from catalog.changes import Author, change_of, entity_label, save_changes
from catalog.models import Change, Network, Show, ShowNetwork
from catalog.models.links import Source


class MergeRefused(ValueError):
    """The networks can't be merged; the message says why."""


@transaction.atomic
def merge_networks(duplicate: Network, into: Network, author: Author) -> int:
    """Makes `duplicate` an alias of `into` (or of what that one was merged into); how many shows followed.

    A show keeps the network's place; where it had both, the earlier place stays, and an editor's link
    makes the remaining one an editor's. Rows that were merged into the duplicate follow too, so an alias
    is always one step from its target. Raises MergeRefused for a merge into itself or a repeated one.
    """
    rows = {
        row.pk: row for row in Network.objects.select_for_update().order_by("pk").filter(pk__in=(duplicate.pk, into.pk))
    }
    source, target = rows[duplicate.pk], rows[into.pk]
    if target.merged_into_id is not None:
        target = Network.objects.select_for_update().get(pk=target.merged_into_id)
    if source.pk == target.pk:
        raise MergeRefused(f"{source} can't be merged into itself")
    if source.merged_into_id == target.pk:
        raise MergeRefused(f"{source} is already merged into {target}")
    show_ids = move_shows(source, target, author)
    Network.objects.filter(merged_into=source).update(merged_into=target)
    source.merged_into = target
    source.save(update_fields=["merged_into"])
    return len(show_ids)


def move_shows(source: Network, target: Network, author: Author) -> list[UUID]:
    """Moves the links of `source` and writes one Change a show; the ids of the shows, which stay locked."""
    linked = ShowNetwork.objects.filter(network=source).values("show_id")
    # In the order of their keys, as every writer of several shows does: no two wait for each other.
    show_ids = list(Show.objects.select_for_update().filter(pk__in=linked).order_by("pk").values_list("pk", flat=True))
    Show.objects.filter(pk__in=linked).update(updated_at=timezone.now())
    links = {link.show_id: link for link in ShowNetwork.objects.filter(network=target, show_id__in=linked)}
    moved, repeated, changes = [], [], []
    for link in ShowNetwork.objects.filter(network=source):
        kept = links.get(link.show_id)
        added = [] if kept else [entity_label(target.name, target.pk)]
        if kept is None:
            link.network = target
            moved.append(link)
        else:
            kept.position = min(kept.position, link.position)
            kept.source = Source.EDITOR if Source.EDITOR in (kept.source, link.source) else kept.source
            moved.append(kept)
            repeated.append(link.pk)
        fields = {"networks": {"added": added, "removed": [entity_label(source.name, source.pk)]}}
        changes.append(change_of(link.show_id, Change.Kind.UPDATED, fields, with_reason(author, source, target)))
    ShowNetwork.objects.filter(network=source, pk__in=repeated).delete()
    ShowNetwork.objects.bulk_update(moved, ["network", "position", "source"], batch_size=500)
    save_changes(changes)
    return show_ids


def with_reason(author: Author, source: Network, target: Network) -> Author:
    if author.reason:
        return author
    return Author(user=author.user, run_id=author.run_id, reason=f"{source} was merged into {target}")
