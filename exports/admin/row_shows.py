"""Which shows the rows of a sheet are about, for the way from a row to the show."""

import re
from collections.abc import Iterable
from typing import Final

from django.db.models import Q

from catalog.models import Show

# `Table.label` begins with the key of the row: an id of TMDb or IMDb, and the name where there is none.
KEY: Final = re.compile(r"(?:(?P<tmdb>[0-9]{1,18})|(?P<imdb>tt[0-9]{1,18}))(?: |\Z)")


def shows_of(labels: Iterable[str]) -> dict[str, Show]:
    """The living shows by the labels of their rows, in one query; a row of none is left out.

    A label that is a show's whole name is of that show: names may begin with a number.
    """
    wanted = set(labels)
    if not wanted:
        return {}
    keys = {label: match for label in wanted if (match := KEY.match(label))}
    tmdb_ids = {int(match["tmdb"]) for match in keys.values() if match["tmdb"]}
    imdb_ids = {match["imdb"] for match in keys.values() if match["imdb"]}
    asked = Q(tmdb_id__in=tmdb_ids) | Q(imdb_id__in=imdb_ids) | Q(name__in=wanted)
    shows = list(Show.objects.filter(asked).only("name", "tmdb_id", "imdb_id").order_by("-created_at", "-pk"))
    by_name = {show.name: show for show in shows}
    by_id = {str(show.tmdb_id): show for show in shows} | {show.imdb_id: show for show in shows if show.imdb_id}
    found = {}
    for label in wanted:
        match = keys.get(label)
        show = by_name.get(label) or (by_id.get(match["imdb"] or str(int(match["tmdb"]))) if match else None)
        if show is not None:
            found[label] = show
    return found
