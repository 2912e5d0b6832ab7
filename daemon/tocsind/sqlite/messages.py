"""Queries of the outbox."""

import sqlite3
from collections.abc import Sequence

from tocsind.domain.message import Kind, Message, MessageState
from tocsind.sqlite.rows import write_rows

_COLUMNS = (
    "id, group_id, contact_id, kind, key, via_id, step, state, attempts, answer, created_at, set_at, due_at, ended_at"
)
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


def _message(row: Sequence[object]) -> Message:
    number, group_id, contact_id, kind, key, via_id, step, state, *rest = row
    return Message(number, group_id, contact_id, Kind(kind), key, via_id, step, MessageState(state), *rest)  # type: ignore[arg-type]
