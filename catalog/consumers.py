"""The public rooms: what happens to shows, or to one show, from now on or since an event."""

from typing import Any
from uuid import UUID

from django.conf import settings

from catalog.feed import NotYet, Pruned, check_since, newest_id, read_on
from catalog.frames import event_frame
from catalog.hub import CHUNK, ChangesHub
from catalog.models import Show
from catalog.reading import in_thread
from catalog.rooms import NOT_UNDERSTOOD, NOTHING_THERE, Client, Closing, Room
from catalog.topics import Topic, read_query, since_of, topic_of

PRUNED = 4410


class ShowsRoom(Room):
    reader = ChangesHub

    def is_open(self) -> bool:
        return bool(settings.API_PUBLIC)

    def asked(self, scope: Any) -> tuple[Topic, int | None]:
        parameters = read_query(scope["query_string"])
        return topic_of(parameters, show_of(scope)), since_of(parameters)

    async def join(self, reader: ChangesHub, client: Client, asked: tuple[Topic, int | None]) -> None:
        client.topic, since = asked
        if client.topic.show_id is not None and not await in_thread(show_exists, client.topic.show_id):
            raise Closing(NOTHING_THERE, "there is no such show")
        if since is None:
            subscribe(client, reader.position)
            reader.follow(client, reader.position)
            return
        try:
            await in_thread(check_since, since)
            subscribe(client, since)
            await catch_up(client, reader, since)
        except NotYet:
            raise Closing(NOT_UNDERSTOOD, "since: no event has so high an id: is it of another database?") from None
        except Pruned:
            newest = await in_thread(newest_id)
            advice = f"read everything anew, then follow from event_id {newest}"
            raise Closing(PRUNED, f"since: changes after {since} are no longer kept: {advice}") from None


def show_of(scope: Any) -> UUID | None:
    """The show that the address names. Raises Closing for what can be the id of none."""
    text = scope["url_route"]["kwargs"].get("show_id")
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise Closing(NOTHING_THERE, "there is no such show: its id is a UUID") from None


def show_exists(show_id: UUID) -> bool:
    return Show.all_objects.filter(pk=show_id).exists()


def subscribe(client: Client, event_id: int) -> None:
    """Tells that all that it wants to hear and that comes after this event will be told."""
    show_id = client.topic.show_id
    client.say("subscribed", show_id=str(show_id) if show_id else None, event_id=event_id)


async def catch_up(client: Client, hub: ChangesHub, since: int) -> None:
    """Sends what was missed from the rows, as fast as the client reads; then it is live. Raises Pruned."""
    position = since
    while not client.outbox.closed:
        target = hub.position
        if position >= target:  # nothing is awaited from here to `follow`, so the hub reads nothing in between
            hub.follow(client, position)
            return
        events = await in_thread(read_on, position, CHUNK, client.topic.show_id)
        for event in events:
            if client.topic.wants(event):
                client.outbox.put(event_frame(event))
        position = events[-1].id if events else target
        if len(events) < CHUNK:
            position = max(position, target)
        await client.outbox.drained()
