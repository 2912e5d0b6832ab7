"""Queries of the outbox."""

import sqlite3
from collections.abc import Callable, Sequence

from tocsind.domain.alert_group import State
from tocsind.domain.message import Kind, Message, MessageState
from tocsind.sqlite.rows import read_rows, write_rows

_COLUMNS = (
    "id, group_id, contact_id, kind, key, via_id, step, state, attempts, answer, created_at, set_at, due_at, ended_at"
)
# The index by group first: the planner may not know how few wait.
_UNDELIVERED = """
WITH wanted (id) AS (VALUES {values})
SELECT m.id, m.group_id, g.state, c.display_name FROM wanted CROSS JOIN messages AS m ON m.group_id = wanted.id
CROSS JOIN alert_groups AS g ON g.id = m.group_id CROSS JOIN contact_points AS c ON c.id = m.contact_id
WHERE +m.state = 1 AND m.kind = 1 ORDER BY m.id
"""
_CANCEL = """
UPDATE messages SET state = 5, ended_at = new.column2 FROM (VALUES {values}) AS new WHERE messages.id = new.column1
"""
_TELLING = """
WITH wanted (id) AS (VALUES {values})
SELECT m.group_id, m.contact_id, m.via_id, m.kind, m.state, m.attempts
FROM wanted CROSS JOIN messages AS m ON m.group_id = wanted.id ORDER BY m.id
"""
_INSERT = f"INSERT INTO messages ({_COLUMNS}) VALUES {{values}}"


def insert(connection: sqlite3.Connection, messages: Sequence[Message]) -> None:
    """Stores new messages, and gives each its id."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    for number, message in enumerate(messages, start=(int(row[0]) if row else 0) + 1):
        message.id = number
    write_rows(
        connection,
        _INSERT,
        [
            (
                m.id,
                m.group_id,
                m.contact_id,
                m.kind,
                m.key,
                m.via_id,
                m.step,
                m.state,
                m.attempts,
                m.answer,
                m.created,
                m.set,
                m.due,
                m.ended,
            )
            for m in messages
        ],
    )


def of_group(connection: sqlite3.Connection, group_id: int) -> list[Message]:
    """Returns the messages of a group, in their order."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM messages WHERE group_id = ? ORDER BY id", (group_id,))
    return [_message(row) for row in rows]


def undelivered(connection: sqlite3.Connection, group_ids: Sequence[int]) -> list[tuple[int, int, State, str]]:
    """Returns the messages of groups that say that they fire and wait to be sent: number, group, the state of that, and
    whom they would tell."""
    rows = read_rows(connection, _UNDELIVERED, group_ids)
    return [(number, group_id, State(state), name) for number, group_id, state, name in rows]


def cancel(connection: sqlite3.Connection, numbers: Sequence[int], now: int) -> None:
    """Marks messages as not needed any more."""
    write_rows(connection, _CANCEL, [(number, now) for number in numbers])


def told(connection: sqlite3.Connection, group_ids: Sequence[int]) -> dict[int, list[tuple[int, int | None]]]:
    """Returns for groups who was told, or may have been, that they fire, and not since that they are resolved: contact
    points, each with the one by whose calendar it was."""
    return _open_ends(connection, group_ids, lambda state, attempts: attempts > 0)


def waiting(connection: sqlite3.Connection, group_ids: Sequence[int]) -> list[tuple[int, int, int | None]]:
    """Returns who is yet to be told that groups fire: group, contact point, and the one by whose calendar it is."""
    found = _open_ends(connection, group_ids, lambda state, attempts: state <= MessageState.SENDING)
    return [(group_id, *person) for group_id, people in found.items() for person in people]


def _open_ends(
    connection: sqlite3.Connection, group_ids: Sequence[int], counts: Callable[[int, int], bool]
) -> dict[int, list[tuple[int, int | None]]]:
    found: dict[int, dict[int, int | None]] = {}
    for group_id, contact_id, via_id, kind, state, attempts in read_rows(connection, _TELLING, group_ids):
        people = found.setdefault(group_id, {})
        if kind == Kind.RESOLVED:
            if state != MessageState.CANCELLED:
                people.pop(contact_id, None)
        elif counts(state, attempts):
            people[contact_id] = via_id
    return {group_id: list(people.items()) for group_id, people in found.items() if people}


def _message(row: Sequence[object]) -> Message:
    number, group_id, contact_id, kind, key, via_id, step, state, *rest = row
    return Message(number, group_id, contact_id, Kind(kind), key, via_id, step, MessageState(state), *rest)  # type: ignore[arg-type]
