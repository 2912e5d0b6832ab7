"""Queries of requests that were answered, kept so that a repeat gets the same answer.

Responses are stored compressed: that to a batch of 1,000 groups has 190 KB and more, and a day of them is kept.
"""

import sqlite3
import zlib


def find(connection: sqlite3.Connection, key: bytes, since: int) -> tuple[bytes, bytes] | None:
    """Returns the digest of the request that was made under `key` at `since` or later, and its response, or None."""
    row = connection.execute("SELECT digest, response FROM requests WHERE key = ? AND at >= ?", (key, since)).fetchone()
    return (row[0], zlib.decompress(row[1])) if row else None


def keep(connection: sqlite3.Connection, key: bytes, digest: bytes, response: bytes, now: int) -> None:
    """Stores the response to a request."""
    connection.execute(
        "INSERT OR REPLACE INTO requests (key, digest, response, at) VALUES (?, ?, ?, ?)",
        (key, digest, zlib.compress(response, 1), now),
    )


def remove_before(connection: sqlite3.Connection, at: int, limit: int) -> int:
    """Removes at most `limit` requests made before `at`; returns how many."""
    cursor = connection.execute(
        "DELETE FROM requests WHERE key IN (SELECT key FROM requests WHERE at < ? LIMIT ?)", (at, limit)
    )
    return cursor.rowcount
