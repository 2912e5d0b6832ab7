"""Watching alert groups: from a request to a stream.

Rules
- Events are numbered in the order of everything that happened, and the file keeps them. A watcher reads on in the
  file, page by page, from the revision that it names, until it has met the hub (`watch_hub.py`); then it is live. What
  is read is read in threads; no read transaction outlives a page, so a slow reader does not hold the write-ahead log.
- A stream begins with where it begins, before anything is looked for.
- A snapshot is a list, page by page, then everything that happened since before its first page: a group that changed
  meanwhile can come as it was and as it is, in this order, and one that ceased to match is told of by its event.
- Resuming must not have a gap. Retention removes groups with their events, and nobody is told of that: so a revision
  from before the last that was removed is refused (REVISION_TOO_OLD), also where a slow reader is overtaken. A watcher
  of one group is not concerned: the events of a group are there as long as it is.
- A revision that was not given out yet is one of another file: it is refused, instead of being waited for.
- A group that somebody deleted can be watched from a revision before its end, which then is all there is to tell.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from tocsin.v1 import alert_groups_pb2
from tocsind.domain.errors import Reason, TocsinError, invalid, not_found
from tocsind.domain.group_filter import GroupFilter
from tocsind.engine.engine import Engine
from tocsind.rpc import group_filter, names, watch_hub
from tocsind.rpc.watch_hub import Hub, Watcher
from tocsind.rpc.watch_topics import GroupsTopic, Message, Page, TimelineTopic, Topic
from tocsind.sqlite import alert_groups, events, group_list
from tocsind.sqlite.store import Store
from tocsind.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

SNAPSHOT_PAGE = 100
# Reading for many that catch up must not take all the time there is: intake comes first.
_READERS = 2
# Of those that catch up, so many read and send a page at once; who does not take it is counted no longer than this.
_AT_ONCE = 16
_TURN = 0.5


class Watch:
    """Lives in the event loop that is running when it is made."""

    def __init__(self, engine: Engine) -> None:
        self._file = _File(engine.store)
        self._hub = Hub(engine.store, engine.changes)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def groups(
        self, request: alert_groups_pb2.WatchAlertGroupsRequest
    ) -> AsyncIterator[alert_groups_pb2.WatchAlertGroupsResponse]:
        """Streams what happens to all groups that a filter wants."""
        asked = _revision(request)
        if request.initial_snapshot and asked is not None:
            raise invalid("initial_snapshot", "must not be set together with revision")
        topic = GroupsTopic(request.filter, group_filter.parse(request.filter))

        def begin(connection: sqlite3.Connection, last: int) -> None:
            group_filter.listed(connection, topic.wanted)
            _refuse_gap(connection, last if asked is None else asked)

        return self._stream(topic, asked, begin, snapshot=topic if request.initial_snapshot else None)

    def events(
        self, request: alert_groups_pb2.WatchEventsRequest
    ) -> AsyncIterator[alert_groups_pb2.WatchEventsResponse]:
        """Streams what happens to one group."""
        asked = _revision(request)
        topic = TimelineTopic(names.group_number(request.parent, "parent"))

        def begin(connection: sqlite3.Connection, last: int) -> None:
            after = last if asked is None else asked
            if alert_groups.one(connection, topic.key) is None and not events.page(connection, topic.key, after, 1):
                raise not_found(request.parent)

        return self._stream(topic, asked, begin)

    def close(self) -> None:
        """Ends its threads, when there are no streams any more."""
        self._hub.close()
        self._file.close()

    async def _stream(
        self,
        topic: Topic,
        asked: int | None,
        check: Callable[[sqlite3.Connection, int], None],
        snapshot: GroupsTopic | None = None,
    ) -> AsyncIterator[Any]:
        now = asyncio.get_running_loop().time
        with self._hub.place(topic) as watcher, _Turn(self._turns) as turn:
            begin = await self._file.read(_begin, asked, check)
            source = _Source(self._file, self._hub, watcher, turn, begin, snapshot)
            while True:
                for message in await source.next():
                    watcher.offer(now())
                    yield message.body
                    watcher.took(message, now())
                    if message.last:
                        return


class _File:
    """Reads for one watcher at a time, in threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = Threads(_READERS, "watch-file")

    async def read(
        self, query: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Returns what a query finds, in a transaction of its own."""

        def run() -> T:
            with self._store.reading() as connection:
                return query(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def close(self) -> None:
        """Waits for what is being read."""
        self._threads.shutdown()


class _Turn:
    """A watcher's turn to read and send a page. However many catch up, deliveries wait for a few of them only."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    async def begin(self) -> None:
        """Waits for it; it lasts until `end`, or until others have waited long enough."""
        await self._turns.acquire()
        self._timer = asyncio.get_running_loop().call_later(_TURN, self.end)

    def end(self) -> None:
        """Leaves the turn to others, if it has not ended already."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._turns.release()


class _Source:
    """Where the messages of one watcher come from, one phase after the other. `next` is asked again only when all that
    it returned was sent."""

    def __init__(
        self, file: _File, hub: Hub, watcher: Watcher, turn: _Turn, revision: int, snapshot: GroupsTopic | None
    ) -> None:
        self._file = file
        self._hub = hub
        self._watcher = watcher
        self._turn = turn
        self._revision = revision
        self._snapshot = snapshot
        self._listed_after: group_list.Key | None = None
        self._phase: Callable[[], Awaitable[Sequence[Message]]] = self._begin

    async def next(self) -> Sequence[Message]:
        """Returns the next messages; none where the next phase has to look."""
        self._turn.end()
        return await self._phase()

    async def _begin(self) -> Sequence[Message]:
        self._phase = self._catch_up if self._snapshot is None else self._list
        return [self._watcher.topic.progress(self._revision)]

    async def _list(self) -> Sequence[Message]:
        topic = self._snapshot
        assert topic is not None
        self._watcher.sent = None
        await self._turn.begin()
        page = await self._file.read(_matching, topic.wanted, self._listed_after)
        self._listed_after = page.next
        messages = [topic.listed(row) for row in page.groups]
        if page.next is None:
            self._phase = self._catch_up
            messages.append(topic.complete(self._revision))
        return messages

    async def _catch_up(self) -> Sequence[Message]:
        watcher = self._watcher
        await self._turn.begin()
        page = await self._file.read(_read_on, watcher.topic, self._revision)
        self._revision = page.revision
        if not page.more and self._hub.join(watcher, page.revision):
            self._phase = self._live
        elif not page.messages and asyncio.get_running_loop().time() - watcher.told_at >= watch_hub.PROGRESS:
            return [watcher.topic.progress(page.revision)]
        return page.messages

    async def _live(self) -> Sequence[Message]:
        message = await self._watcher.next()
        if message is not None:
            return (message,)
        # Left behind: everything up to what was sent last is complete, and up to where it was when it went live.
        self._revision = max(self._revision, self._watcher.sent or 0)
        self._phase = self._catch_up
        return ()


def _begin(connection: sqlite3.Connection, asked: int | None, check: Callable[[sqlite3.Connection, int], None]) -> int:
    """Returns the revision to begin after."""
    last = events.last_revision(connection)
    if asked is not None and asked > last:
        message = f"revision: nothing has happened after {last} yet"
        raise TocsinError(Reason.REVISION_IN_FUTURE, message, field="revision", last_revision=str(last))
    check(connection, last)
    return last if asked is None else asked


def _matching(connection: sqlite3.Connection, wanted: GroupFilter, after: group_list.Key | None) -> group_list.Page:
    return group_filter.listed(connection, wanted).page(connection, after, SNAPSHOT_PAGE)


def _read_on(connection: sqlite3.Connection, topic: Topic, after: int) -> Page:
    if isinstance(topic, GroupsTopic):
        _refuse_gap(connection, after)
    return topic.page(connection, after)


def _refuse_gap(connection: sqlite3.Connection, after: int) -> None:
    oldest = events.forgotten(connection)
    if after < oldest:
        message = (
            f"something that happened after revision {after} is no longer kept; the oldest to resume from is {oldest}"
        )
        raise TocsinError(Reason.REVISION_TOO_OLD, message, field="revision", oldest_revision=str(oldest))


def _revision(
    request: alert_groups_pb2.WatchAlertGroupsRequest | alert_groups_pb2.WatchEventsRequest,
) -> int | None:
    """Returns the revision that a request names, None where it names none."""
    if request.revision < 0:
        raise invalid("revision", "must not be negative")
    return request.revision if request.HasField("revision") else None
