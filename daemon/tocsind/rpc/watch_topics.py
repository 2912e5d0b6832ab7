"""What can be watched: all groups that a filter wants, or one group; and the messages about it.

Rules
- A message is made once, for all watchers that want it. (Each watcher has it serialized anew: at 0.4 us that is nothing
  beside what gRPC takes to send it, about a hundred times as long.)
- A filter is compared with the group as it is now, not older than the event, and with the states before and after the
  event: who watches `state != RESOLVED` is told of a resolution.
- Of events written before states before them were kept, the state before may have been any.
- The last event of a group that somebody deleted goes to all watchers: there is nothing left to compare a filter with.
  It bears the group's name and number and nothing else of it.
- A group that was wiped has no labels and no title of its own any more: the event of that goes to all whose filter lets
  the rest of it through.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from tocsin.v1 import alert_groups_pb2
from tocsind.domain.alert_group import EventKind, State
from tocsind.domain.group_filter import GroupFilter, matches
from tocsind.rpc import encode
from tocsind.sqlite import alert_groups, events
from tocsind.sqlite.alert_groups import GroupRow
from tocsind.sqlite.events import EventRow

PAGE = 200
PAGE_BYTES = 256 * 1024


class Message(NamedTuple):
    """What is sent. `revision`: where to resume once it is sent, None for what cannot be resumed. `size` in bytes;
    `last`: the stream ends after it."""

    revision: int | None
    body: Any
    size: int
    last: bool = False


class Page(NamedTuple):
    """Messages, and up to which revision they are complete. `more`: there are later events in the file."""

    messages: list[Message]
    revision: int
    more: bool


class Happening:
    """An event with its group as read with it, None if it is gone; the messages about it are made when first asked
    for. It may be asked by several threads: at worst a message is made twice."""

    def __init__(self, row: EventRow, group: GroupRow | None) -> None:
        self.row = row
        self.group = group
        self._whole: Message | None = None
        self._line: Message | None = None

    @property
    def states(self) -> Iterable[State | None]:
        """The states that it is about."""
        event = self.row.event
        if event.previous is None and event.kind is not EventKind.OPENED:
            return State
        return event.previous, event.state

    def whole(self) -> Message:
        """The message to who watches groups."""
        if self._whole is None:
            number = self.row.event.group_id
            group = alert_groups_pb2.AlertGroup(name=f"alertGroups/{number}", number=number)
            body = alert_groups_pb2.WatchAlertGroupsResponse(
                revision=self.row.revision,
                event=encode.event(self.row),
                alert_group=group if self.group is None else encode.alert_group(self.group),
            )
            self._whole = Message(self.row.revision, body, body.ByteSize())
        return self._whole

    def line(self) -> Message:
        """The message to who watches this one group."""
        if self._line is None:
            body = alert_groups_pb2.WatchEventsResponse(revision=self.row.revision, event=encode.event(self.row))
            last = self.row.event.kind is EventKind.DELETED
            self._line = Message(self.row.revision, body, body.ByteSize(), last)
        return self._line


class Topic(Protocol):
    """What somebody watches. Watchers with equal keys watch the same."""

    @property
    def key(self) -> str | int: ...

    def message(self, happening: Happening) -> Message | None:
        """Returns what to send of something that happened to any group, None where that is not wanted."""

    def progress(self, revision: int) -> Message:
        """Returns the message that says only how far the stream is."""

    def page(self, connection: sqlite3.Connection, after: int) -> Page:
        """Reads on in the file."""


class GroupsTopic:
    """The groups that a filter wants. Its key is the text of the filter."""

    def __init__(self, text: str, wanted: GroupFilter) -> None:
        self.key = text
        self.wanted = wanted
        self._of_wiped = replace(wanted, labels=(), titles=())

    def message(self, happening: Happening) -> Message | None:
        """As in `Topic`."""
        wanted = self._of_wiped if happening.row.event.kind is EventKind.WIPED else self.wanted
        if happening.group is None or matches(wanted, happening.group, happening.states):
            return happening.whole()
        return None

    def progress(self, revision: int) -> Message:
        """As in `Topic`."""
        return Message(revision, alert_groups_pb2.WatchAlertGroupsResponse(revision=revision), 0)

    def listed(self, row: GroupRow) -> Message:
        """Returns the message about a group of a snapshot."""
        body = alert_groups_pb2.WatchAlertGroupsResponse(alert_group=encode.alert_group(row))
        return Message(None, body, 0)

    def complete(self, revision: int) -> Message:
        """Returns the message that ends a snapshot."""
        body = alert_groups_pb2.WatchAlertGroupsResponse(revision=revision, snapshot_complete=True)
        return Message(revision, body, 0)

    def page(self, connection: sqlite3.Connection, after: int) -> Page:
        """As in `Topic`."""
        found = events.since(connection, after, PAGE)
        return _page(connection, found, map(self.message, happenings(connection, found)))


class TimelineTopic:
    """One group. Its key is the number of the group."""

    def __init__(self, number: int) -> None:
        self.key = number

    def message(self, happening: Happening) -> Message | None:
        """As in `Topic`."""
        return happening.line() if happening.row.event.group_id == self.key else None

    def progress(self, revision: int) -> Message:
        """As in `Topic`."""
        return Message(revision, alert_groups_pb2.WatchEventsResponse(revision=revision), 0)

    def page(self, connection: sqlite3.Connection, after: int) -> Page:
        """As in `Topic`."""
        found = events.page(connection, self.key, after, PAGE)
        return _page(connection, found, (Happening(row, None).line() for row in found))


def happenings(connection: sqlite3.Connection, found: Sequence[EventRow]) -> Iterable[Happening]:
    """Yields events with their groups, each group read once."""
    groups = alert_groups.several(connection, list({row.event.group_id for row in found}))
    for row in found:
        yield Happening(row, groups.get(row.event.group_id))


def _page(connection: sqlite3.Connection, found: Sequence[EventRow], messages: Iterable[Message | None]) -> Page:
    """A page of the events that were found, cut where it becomes too large to be kept for a slow reader."""
    wanted: list[Message] = []
    size = 0
    for row, message in zip(found, messages, strict=True):
        if message is not None:
            wanted.append(message)
            size += message.size
        if size >= PAGE_BYTES:
            return Page(wanted, row.revision, True)
    if len(found) < PAGE:
        return Page(wanted, events.last_revision(connection), False)
    return Page(wanted, found[-1].revision, True)
