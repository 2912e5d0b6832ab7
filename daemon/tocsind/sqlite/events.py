"""Queries of timelines. An event's id is its revision: its place in the order of everything that happened."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from tocsind.domain.alert_group import Event, EventKind, State
from tocsind.sqlite.rows import write_rows

_INSERT = "INSERT INTO events (group_id, at, kind, previous, state, actor, reason, note, fingerprints) VALUES {values}"
_SELECT = "SELECT id, at, group_id, kind, previous, state, actor, reason, note, fingerprints FROM events"
# The row may not be there yet: until the intake clock is first written, its reading is 0.
_FORGET = """
INSERT INTO daemon_state (only, intake_clock, alive_at, forgotten) VALUES (1, 0, ?, ?)
ON CONFLICT (only) DO UPDATE SET forgotten = max(forgotten, excluded.forgotten)
"""


@dataclass(slots=True)
class EventRow:
    """An event as readers see it; `at` in microseconds since 1970."""

    revision: int
    at: int
    event: Event


def insert(connection: sqlite3.Connection, events: Iterable[Event], now: int) -> None:
    """Stores events, in their order."""
    values = [
        (
            e.group_id,
            now,
            e.kind,
            e.previous or 0,
            e.state,
            e.actor,
            e.reason,
            e.note,
            msgspec.json.encode(e.fingerprints).decode(),
        )
        for e in events
    ]
    write_rows(connection, _INSERT, values)


def page(connection: sqlite3.Connection, group_id: int, after: int, limit: int) -> list[EventRow]:
    """Returns at most `limit` events of a group, oldest first, with revisions above `after`."""
    rows = connection.execute(f"{_SELECT} WHERE group_id = ? AND id > ? ORDER BY id LIMIT ?", (group_id, after, limit))
    return [_row(row) for row in rows]


def since(connection: sqlite3.Connection, after: int, limit: int) -> list[EventRow]:
    """Returns at most `limit` events of all groups, in order, with revisions above `after`."""
    return [_row(row) for row in connection.execute(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))]


def last_revision(connection: sqlite3.Connection) -> int:
    """Returns the greatest revision that was ever given to an event."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def forgotten(connection: sqlite3.Connection) -> int:
    """Returns the greatest revision that retention has removed, 0 if it has removed none: what happened after it, or
    after a later one, is complete. Of groups that somebody deleted the last event is left, which says all."""
    row = connection.execute("SELECT forgotten FROM daemon_state").fetchone()
    return int(row[0]) if row else 0


def forget(connection: sqlite3.Connection, group_ids: Sequence[int], now: int) -> None:
    """Keeps in mind up to where watchers can no longer resume once the events of these groups are gone. `now` in
    microseconds since 1970."""
    last = 0
    for group_id in group_ids:
        row = connection.execute("SELECT max(id) FROM events WHERE group_id = ?", (group_id,)).fetchone()
        last = max(last, row[0] or 0)
    if last:
        connection.execute(_FORGET, (now, last))


def _row(row: tuple[int, int, int, int, int, int, str, str, str, str]) -> EventRow:
    revision, at, group_id, kind, previous, state, actor, reason, note, fingerprints = row
    named = msgspec.json.decode(fingerprints, type=list[str])
    before = State(previous) if previous else None
    return EventRow(revision, at, Event(group_id, EventKind(kind), State(state), actor, reason, note, named, before))
