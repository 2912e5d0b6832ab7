"""Watchers as tests use them."""

from collections.abc import Iterator
from typing import Any

import grpc
from running_daemon import Event, RunningDaemon

from tocsin.v1 import alert_groups_pb2
from tocsind.domain.alert_group import Event as DomainEvent
from tocsind.domain.alert_group import EventKind, State
from tocsind.engine.memory import Memory
from tocsind.sqlite import events
from tocsind.sqlite.writer import Transaction

Told = tuple[int, str, str]
"""Revision, kind and group of a change."""


def watch(daemon: RunningDaemon, revision: int | None = None, **more: Any) -> tuple[Any, int]:
    """A watcher of groups that has been let in, and where it begins."""
    request = alert_groups_pb2.WatchAlertGroupsRequest(revision=revision, **more)
    call = daemon.groups.WatchAlertGroups(request, timeout=60)
    return call, next(call).revision


def watch_events(daemon: RunningDaemon, parent: str, revision: int | None = None) -> tuple[Any, int]:
    """A watcher of one group that has been let in, and where it begins."""
    request = alert_groups_pb2.WatchEventsRequest(parent=parent, revision=revision)
    call = daemon.groups.WatchEvents(request, timeout=60)
    return call, next(call).revision


def changes(call: Iterator[Any]) -> Iterator[Any]:
    """What happened, without the messages that only tell how far the stream is."""
    return (message for message in call if message.HasField("event"))


def take(call: Iterator[Any], count: int) -> list[Told]:
    """The next changes."""
    return [told(change) for _, change in zip(range(count), changes(call), strict=False)]


def told(change: Any) -> Told:
    """What a change says."""
    return change.revision, Event.Kind.Name(change.event.kind), change.event.name.rpartition("/events/")[0]


def ending(call: Iterator[Any]) -> tuple[list[Any], grpc.RpcError | None]:
    """All that comes until the end of a stream, and the error that ends it."""
    found = []
    try:
        for message in call:
            found.append(message)
    except grpc.RpcError as error:
        return found, error
    return found, None


def delete(daemon: RunningDaemon, name: str) -> None:
    """Removes a group as a person does: all that belongs to it goes, one last event is left."""
    number = int(name.rpartition("/")[2])

    def job(transaction: Transaction, memory: Memory) -> None:
        connection = transaction.connection
        for table in ("events", "alerts", "payloads", "notes"):
            where = f"id BETWEEN {2 * number} AND {2 * number + 1}" if table == "payloads" else f"group_id = {number}"
            connection.execute(f"DELETE FROM {table} WHERE {where}")
        connection.execute("DELETE FROM alert_groups WHERE id = ?", (number,))
        last = DomainEvent(number, EventKind.DELETED, State.FIRING, "ada", previous=State.FIRING)
        events.insert(connection, [last], transaction.now)
        transaction.events_written = True

    daemon.engine.change(job)
