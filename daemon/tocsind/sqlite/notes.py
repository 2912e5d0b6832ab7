"""Queries of notes, and of their texts in timelines."""

import sqlite3

from tocsind.domain.alert_group import EventKind
from tocsind.domain.note import Note

_COLUMNS = "id, group_id, text, author, created_at, updated_at"


def insert(connection: sqlite3.Connection, group_id: int, text: str, author: str, now: int) -> Note:
    """Stores a new note; returns it with the id that the database gave it."""
    cursor = connection.execute(
        "INSERT INTO notes (group_id, text, author, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        (group_id, text, author, now, now),
    )
    assert cursor.lastrowid is not None
    return Note(cursor.lastrowid, group_id, text, author, now, now)


def update(connection: sqlite3.Connection, note: Note) -> None:
    """Stores a note's new text."""
    connection.execute("UPDATE notes SET text = ?, updated_at = ? WHERE id = ?", (note.text, note.updated, note.id))


def delete(connection: sqlite3.Connection, note: Note) -> None:
    """Removes a note, and its texts from the timeline."""
    connection.execute("DELETE FROM notes WHERE id = ?", (note.id,))
    connection.execute(
        "UPDATE events SET note = '' WHERE group_id = ? AND kind IN (?, ?) AND reason = ?",
        (note.group_id, EventKind.NOTE_ADDED, EventKind.NOTE_CHANGED, note.name),
    )


def one(connection: sqlite3.Connection, group_id: int, note_id: int) -> Note | None:
    """Returns a note of a group, or None."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM notes WHERE id = ? AND group_id = ?", (note_id, group_id)
    ).fetchone()
    return Note(*row) if row else None


def page(connection: sqlite3.Connection, group_id: int, after: int, limit: int) -> list[Note]:
    """Returns at most `limit` notes of a group, oldest first, with ids above `after`."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM notes WHERE group_id = ? AND id > ? ORDER BY id LIMIT ?", (group_id, after, limit)
    )
    return [Note(*row) for row in rows]
