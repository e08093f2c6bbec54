"""The staff room: how far runs are, and how they ended. Its truth is the rows of SyncRun."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Q

from catalog.broadcast import Broadcast, text_frames
from catalog.changes import plain
from catalog.frames import Frame, frame
from catalog.rooms import Client, Room
from catalog.topics import read_query
from ingestion.models import SyncRun
from ingestion.progress import COLUMNS, OPEN, figures

RIGHT: Final = "ingestion.view_syncrun"

Runs = dict[int, dict[str, Any]]


class RunsHub(Broadcast):
    """Looks once a second, while somebody listens, and tells what is not as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: Runs = {}  # those that wait or go on, as last told
        self.newest = 0

    def pause(self) -> float:
        return 1.0

    async def start(self) -> None:
        self.runs, self.newest = await self.read(open_runs)

    async def look(self) -> None:
        found = await self.read(runs_since, self.newest, list(self.runs))
        frames = [run_frame(run) for pk, run in found.items() if run != self.runs.get(pk)]
        self.newest = max([self.newest, *found])
        self.runs = {pk: run for pk, run in found.items() if run["status"] in OPEN}
        if frames:
            await self.tell(text_frames(*frames))

    def follow(self, client: Client) -> None:
        """Tells it what waits and what is going on, and from now on what happens."""
        for run in self.runs.values():
            client.outbox.put(run_frame(run))
        self.live[client] = None


def open_runs() -> tuple[Runs, int]:
    newest = SyncRun.objects.order_by("-id").values_list("id", flat=True).first() or 0
    return by_id(SyncRun.objects.filter(status__in=OPEN)), newest


def runs_since(newest: int, known: list[int]) -> Runs:
    # Those that are open in any case: the lower of two ids may be committed later.
    return by_id(SyncRun.objects.filter(Q(status__in=OPEN) | Q(pk__gt=newest) | Q(pk__in=known)))


def by_id(runs: Any) -> Runs:
    return {row["id"]: figures(row) for row in runs.order_by("id").values(*COLUMNS)}


def run_frame(run: Mapping[str, Any]) -> Frame:
    payload = {name: plain(value) for name, value in run.items()}
    return frame("sync_progress" if run["status"] in OPEN else "sync_finished", payload)


class SyncRoom(Room):
    reader = RunsHub

    def is_open(self) -> bool:
        return False

    def may_enter(self, user: Any) -> bool:
        return bool(user.is_staff and user.has_perm(RIGHT))

    def asked(self, scope: Any) -> None:
        read_query(scope["query_string"], ())

    async def join(self, reader: RunsHub, client: Client, asked: Any) -> None:
        client.say("subscribed", room="sync")
        reader.follow(client)
