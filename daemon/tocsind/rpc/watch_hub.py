"""The hub: tells all live watchers what happens, from one reading of the file.

Rules
- The hub lives in the event loop; what is read and made into messages is read and made in a thread, once for all
  watchers, and once for however many commits came meanwhile. Nothing here waits for a watcher.
- A watcher becomes live when it has read up to where the hub is or further: looking and joining is one step of the
  event loop, so nothing is missed, and what it has read already is not given to it again.
- Intake comes first. Sending to a thousand watchers takes a good part of a tenth of a second in which deliveries would
  wait: so a few are told at a time, and while more has happened already, a good part of the time is left free.
- The file is the queue. The hub reads on when those that it told have taken it, but for those that are slow: where
  there is more to send than we can, watchers are told later, not from a longer queue.
- One that does not take what it gets is left behind: with `MOST_WAITING` messages or bytes waiting it is no longer
  live, its queue is dropped, and it goes on from the file. So it costs a bounded amount of memory, and nobody else
  anything.
- It is cut off with SLOW_WATCHER when it takes nothing for `PATIENCE` while something waits; once it was left behind,
  after `PATIENCE_BEHIND`.
- A live watcher whose filter lets nothing through is told every `PROGRESS` how far the hub is, so that it can resume
  from there.
- Without watchers the hub does nothing, and costs the writer nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import NamedTuple

import structlog

from tocsind.domain.errors import Reason, TocsinError
from tocsind.engine.changes import Changes
from tocsind.rpc.streams import Stream, current_stream
from tocsind.rpc.watch_topics import PAGE, PAGE_BYTES, Happening, Message, Topic, happenings
from tocsind.sqlite import events
from tocsind.sqlite.store import Store
from tocsind.threads import Threads

MOST_WATCHERS = 4_096
MOST_WAITING = 1_000
MOST_WAITING_BYTES = 1024 * 1024
PATIENCE = 30.0
PATIENCE_BEHIND = 2.0
PROGRESS = 10.0

_LOOK = 0.5
_LATE = 0.5
# So many are told at one look how far the hub is: every watcher there can be gets it in ten seconds.
_MOST_PROGRESS = 200
_AFTER_FAILURE = 1.0
# So many watchers are told at once, and the next ones when these have taken it. Nobody waits for one that has not taken
# a message for so long; nor for all of them together longer than this for each message, about ten times the usual.
_AT_ONCE = 16
_TAKING = 0.05
_EACH = 0.001
_TURN = 0.02
# While there is more to tell, so many times as much time is left free as telling took; the first one while what is to
# be told is still being written. (Measured with 1,000 watchers and as many new groups as possible: without, intake
# falls to a tenth; with the time shared equally to a third; so it keeps more than a half.)
_FREE_BESIDE_WRITES = 3
_FREE = 1
_RECENTLY = 0.25

log = structlog.get_logger()


class Watcher:
    """One stream. `sent` is the revision up to which everything was sent, None in a snapshot."""

    def __init__(self, stream: Stream, topic: Topic, now: float) -> None:
        self.stream = stream
        self.topic = topic
        self.sent: int | None = None
        self.live = False
        self.behind = False
        self.is_idle = False
        self.joined_after = 0
        self.told_at = now
        self.offered_at: float | None = None
        self.waiting: deque[Message] = deque()
        self.on_idle: Callable[[Watcher], None] | None = None
        self._size = 0
        self._wake = asyncio.Event()

    def offer(self, now: float) -> None:
        """Something is about to be sent."""
        self.offered_at = now

    def took(self, message: Message, now: float) -> None:
        """It was."""
        self.offered_at = None
        self.told_at = now
        if message.revision is not None:
            self.sent = message.revision

    async def next(self) -> Message | None:
        """Waits for the next message; None when it is not live any more."""
        while self.live:
            if self.waiting:
                message = self.waiting.popleft()
                self._size -= message.size
                return message
            self._wake.clear()
            self._rest()
            self.is_idle = True
            await self._wake.wait()
            self.is_idle = False
        return None

    def put(self, messages: Sequence[Message]) -> bool:
        """Queues messages; False where that would be too much."""
        size = self._size + sum(message.size for message in messages)
        if len(self.waiting) + len(messages) > MOST_WAITING or size > MOST_WAITING_BYTES:
            return False
        self.waiting.extend(messages)
        self._size = size
        return True

    def drop(self) -> None:
        """Forgets what waits."""
        self.live = False
        self.waiting.clear()
        self._size = 0
        self._wake.set()
        self._rest()

    def wake(self) -> None:
        """Has `next` look again."""
        self._wake.set()

    def is_idle_since(self, moment: float) -> bool:
        """Whether it is live, has nothing to take, and was told nothing since then."""
        return self.live and not self.waiting and self.offered_at is None and self.told_at <= moment

    def is_stuck_at(self, now: float) -> bool:
        """Whether it has not taken what it was offered for too long."""
        return self.offered_at is not None and now - self.offered_at > (PATIENCE_BEHIND if self.behind else PATIENCE)

    def is_taking_at(self, now: float) -> bool:
        """Whether it takes what it is offered."""
        return self.offered_at is None or now - self.offered_at < _TAKING

    def _rest(self) -> None:
        if self.on_idle is not None:
            self.on_idle(self)
            self.on_idle = None


class _Batch(NamedTuple):
    """What was read from the file at once, with the messages about it for each topic that was known then."""

    revision: int
    more: bool
    happenings: list[Happening]
    by_key: dict[str | int, list[Message]]


class Hub:
    """Lives in one event loop; all but `_heard` and `_read` runs there."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._loop = asyncio.get_running_loop()
        self._thread = Threads(1, "watch-hub")
        self._watchers: set[Watcher] = set()
        self._topics: dict[str | int, Topic] = {}
        self._members: dict[str | int, set[Watcher]] = {}
        self._tending: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._revision = 0
        self._news = asyncio.Event()
        self._told = False
        self._heard_at = 0.0

    @contextmanager
    def place(self, topic: Topic) -> Iterator[Watcher]:
        """Gives the stream of the current task a place. TocsinError (EXHAUSTED) where there is none left."""
        if len(self._watchers) >= MOST_WATCHERS:
            message = f"there are {MOST_WATCHERS} watchers already"
            raise TocsinError(Reason.TOO_MANY_WATCHERS, message, most=str(MOST_WATCHERS))
        watcher = Watcher(current_stream(), topic, self._loop.time())
        self._watchers.add(watcher)
        if self._tending is None:
            self._tending = self._loop.create_task(self._tend())
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self._leave(watcher)
            if not self._watchers:
                self._rest()

    def join(self, watcher: Watcher, revision: int) -> bool:
        """Makes a watcher live that has everything up to `revision`; False where the hub is further already."""
        if self._telling is None:
            self._revision = revision
            self._changes.listen(self._heard)
            self._news.set()
            self._telling = self._loop.create_task(self._tell())
        if revision < self._revision:
            return False
        watcher.live, watcher.behind, watcher.joined_after = True, False, revision
        self._topics.setdefault(watcher.topic.key, watcher.topic)
        self._members.setdefault(watcher.topic.key, set()).add(watcher)
        return True

    def close(self) -> None:
        """Ends its thread, when there are no watchers any more."""
        self._rest()
        self._thread.shutdown()

    def _rest(self) -> None:
        self._changes.ignore(self._heard)
        for task in (self._tending, self._telling):
            if task is not None:
                task.cancel()
        self._tending = self._telling = None

    def _leave(self, watcher: Watcher) -> None:
        watcher.drop()
        key = watcher.topic.key
        members = self._members.get(key, set())
        members.discard(watcher)
        if not members:
            self._members.pop(key, None)
            self._topics.pop(key, None)

    def _heard(self) -> None:
        """There was a commit that wrote events; in the thread that writes."""
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._told = False
        self._heard_at = self._loop.time()
        self._news.set()

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                while await self._read_on():
                    pass
            except Exception:
                log.exception("watchers cannot be told; they read on by themselves")
                for watcher in [watcher for members in self._members.values() for watcher in members]:
                    self._leave(watcher)
                await asyncio.sleep(_AFTER_FAILURE)
                self._news.set()

    async def _read_on(self) -> bool:
        """Tells one page of what happened; returns whether there is more."""
        begin = self._loop.time()
        batch = await self._loop.run_in_executor(self._thread, self._read, self._revision, dict(self._topics))
        read = self._loop.time() - begin
        await self._hand_out(batch)
        await self._leave_free(self._loop.time() - read, batch)
        return batch.more

    def _read(self, after: int, topics: dict[str | int, Topic]) -> _Batch:
        """Reads what happened after a revision, and makes the messages about it; in a thread."""
        filters = [topic for key, topic in topics.items() if isinstance(key, str)]
        by_key: dict[str | int, list[Message]] = {topic.key: [] for topic in filters}
        read: list[Happening] = []
        size = 0
        with self._store.reading() as connection:
            found = events.since(connection, after, PAGE)
            for happening in happenings(connection, found):
                read.append(happening)
                wanted = [topic for topic in filters if topic.message(happening) is not None]
                for topic in wanted:
                    by_key[topic.key].append(happening.whole())
                number = happening.row.event.group_id
                if number in topics:
                    by_key.setdefault(number, []).append(happening.line())
                size += happening.whole().size if wanted else 0
                if size >= PAGE_BYTES:
                    break
            more = len(found) == PAGE or len(read) < len(found)
            revision = read[-1].row.revision if more else events.last_revision(connection)
        return _Batch(revision, more, read, by_key)

    async def _hand_out(self, batch: _Batch) -> None:
        self._revision = batch.revision
        if not batch.happenings:
            return
        first = batch.happenings[0].row.revision
        told: list[Watcher] = []
        changed = {happening.row.event.group_id for happening in batch.happenings}
        for key in [key for key in self._topics if isinstance(key, str) or key in changed]:
            messages = batch.by_key.get(key)
            if messages is None:
                messages = _messages(self._topics[key], batch.happenings)
            for watcher in list(self._members[key]) if messages else ():
                own = messages
                if watcher.joined_after >= first:
                    own = [m for m in messages if m.revision is None or m.revision > watcher.joined_after]
                if watcher.put(own):
                    if watcher.is_idle:
                        told.append(watcher)
                else:
                    # Left behind.
                    watcher.behind = True
                    self._leave(watcher)
        rest = iter(told)
        while some := list(islice(rest, _AT_ONCE)):
            begin = self._loop.time()
            await self._take_turns(some)
            await self._leave_free(begin, batch)

    async def _leave_free(self, begin: float, batch: _Batch) -> None:
        """Rests after what was begun at `begin`, if there is more to do."""
        if batch.more or self._news.is_set():
            now = self._loop.time()
            share = _FREE_BESIDE_WRITES if now - self._heard_at < _RECENTLY else _FREE
            await asyncio.sleep(share * (now - begin))

    async def _take_turns(self, watchers: list[Watcher]) -> None:
        """Wakes watchers, and waits until those of them that are not slow have taken all that waits for them."""
        busy = set(watchers)
        done = asyncio.Event()

        def on_idle(watcher: Watcher) -> None:
            busy.discard(watcher)
            if not busy:
                done.set()

        for watcher in watchers:
            watcher.on_idle = on_idle
            watcher.wake()
        now = self._loop.time()
        latest = now + max(_TURN, _EACH * sum(len(watcher.waiting) for watcher in watchers))
        while busy and now < latest:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TURN):
                    await done.wait()
            now = self._loop.time()
            busy = {watcher for watcher in busy if watcher.is_taking_at(now)}

    async def _tend(self) -> None:
        while True:
            pause = min(_LOOK, PROGRESS, PATIENCE_BEHIND)
            planned = self._loop.time() + pause
            await asyncio.sleep(pause)
            now = self._loop.time()
            # Where we are late ourselves (frozen, or very busy), nobody else is to blame.
            for watcher in self._watchers if now < planned + _LATE else ():
                if watcher.is_stuck_at(now):
                    watcher.stream.end(_slow(watcher.sent))
            # One that read ahead of the hub has been told of more already.
            idle = (w for w in self._watchers if w.is_idle_since(now - PROGRESS) and self._revision > (w.sent or 0))
            for watcher in list(islice(idle, _MOST_PROGRESS)):
                watcher.put([watcher.topic.progress(self._revision)])
                watcher.wake()


def _messages(topic: Topic, happened: list[Happening]) -> list[Message]:
    return [message for happening in happened if (message := topic.message(happening)) is not None]


def _slow(sent: int | None) -> TocsinError:
    advice = "the snapshot is to be begun anew" if sent is None else f"resume from revision {sent} or the last received"
    return TocsinError(Reason.SLOW_WATCHER, f"what was sent was not taken for too long; {advice}")
