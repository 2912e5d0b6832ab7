"""Watching alert groups.

Events are numbered in the order of everything that happened, and the file keeps them: a watcher reads on from the last
revision it saw, so nothing is missed or repeated over restarts, and one that is slow keeps nobody waiting but itself.
Each watcher takes a thread, so there is a limit to their number.
"""

import asyncio
import threading
from collections.abc import AsyncIterator

from tocsin.v1 import alert_groups_pb2
from tocsind.domain.errors import Reason, TocsinError, invalid
from tocsind.engine.engine import Engine
from tocsind.rpc import encode
from tocsind.sqlite import alert_groups, events

MOST_WATCHERS = 16
_PAGE = 200
_LOOK = 1.0


class Watch:
    """Lets a limited number of watchers read on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places = threading.BoundedSemaphore(MOST_WATCHERS)

    async def stream(
        self, request: alert_groups_pb2.WatchAlertGroupsRequest
    ) -> AsyncIterator[alert_groups_pb2.WatchAlertGroupsResponse]:
        """Streams what happens after a revision."""
        if request.revision < 0:
            raise invalid("revision", "must not be negative")
        if not self._places.acquire(blocking=False):
            message = f"there are {MOST_WATCHERS} watchers already"
            raise TocsinError(Reason.TOO_MANY_WATCHERS, message, most=str(MOST_WATCHERS))
        try:
            async for change in self._read_on(request):
                yield change
        finally:
            self._places.release()

    async def _read_on(
        self, request: alert_groups_pb2.WatchAlertGroupsRequest
    ) -> AsyncIterator[alert_groups_pb2.WatchAlertGroupsResponse]:
        with self._engine.store.reading() as connection:
            last = events.last_revision(connection)
        revision = request.revision if request.HasField("revision") else last
        if revision > last:
            beyond = f"revision: nothing has happened after {last} yet"
            raise TocsinError(Reason.REVISION_IN_FUTURE, beyond, field="revision", last_revision=str(last))
        yield alert_groups_pb2.WatchAlertGroupsResponse(revision=revision)
        while True:
            commits = self._engine.changes.commits()
            messages = await asyncio.to_thread(self._after, revision)
            for message in messages:
                revision = message.revision
                yield message
            if not messages:
                await asyncio.to_thread(self._engine.changes.wait, commits, _LOOK)

    def _after(self, revision: int) -> list[alert_groups_pb2.WatchAlertGroupsResponse]:
        with self._engine.store.reading() as connection:
            found = events.since(connection, revision, _PAGE)
            groups = {row.event.group_id: alert_groups.one(connection, row.event.group_id) for row in found}
        messages = []
        for row in found:
            group = groups[row.event.group_id]
            messages.append(
                alert_groups_pb2.WatchAlertGroupsResponse(
                    revision=row.revision,
                    event=encode.event(row),
                    alert_group=encode.alert_group(group) if group is not None else None,
                )
            )
        return messages
