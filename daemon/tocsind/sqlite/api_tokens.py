"""Queries of API tokens. There are few of them, and memory holds them all (`engine/keyring.py`)."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from tocsind.domain.access import ApiToken, Role

_COLUMNS = "id, public_id, display_name, role, secret_hash, creator, created_at, expires_at, last_used"


def every(connection: sqlite3.Connection) -> list[ApiToken]:
    """Returns all tokens, oldest first."""
    return [_token(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM api_tokens ORDER BY id")]


def page(connection: sqlite3.Connection, after: int, limit: int) -> list[ApiToken]:
    """Returns at most `limit` tokens, oldest first, with ids above `after`."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM api_tokens WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    return [_token(row) for row in rows]


def by_public_id(connection: sqlite3.Connection, public_id: str) -> ApiToken | None:
    """Returns the token with this id, or None."""
    return _one(connection, "public_id = ?", public_id)


def by_display_name(connection: sqlite3.Connection, display_name: str) -> ApiToken | None:
    """Returns the token that bears this name, or None."""
    return _one(connection, "display_name = ?", display_name)


def insert(connection: sqlite3.Connection, new: ApiToken) -> None:
    """Stores a new token."""
    connection.execute(
        "INSERT INTO api_tokens (public_id, display_name, role, secret_hash, creator, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (new.public_id, new.display_name, new.role, new.secret_hash, new.creator, new.created, new.expires),
    )


def delete(connection: sqlite3.Connection, public_id: str) -> None:
    """Removes a token."""
    connection.execute("DELETE FROM api_tokens WHERE public_id = ?", (public_id,))


def note_uses(connection: sqlite3.Connection, uses: Iterable[tuple[str, int]]) -> None:
    """Stores when tokens were last used: public id and time."""
    rows = [(at, public_id) for public_id, at in uses]
    connection.executemany("UPDATE api_tokens SET last_used = ? WHERE public_id = ?", rows)


def _one(connection: sqlite3.Connection, where: str, value: object) -> ApiToken | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM api_tokens WHERE {where}", (value,)).fetchone()
    return _token(row) if row else None


def _token(row: Sequence[Any]) -> ApiToken:
    return ApiToken(row[0], row[1], row[2], Role(row[3]), *row[4:])
