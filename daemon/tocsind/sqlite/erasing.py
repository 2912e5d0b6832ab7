"""Erasing what is secret: where it is overwritten or removed, SQLite fills its place with zeros.

So it is not left in a page that nobody uses. What the log (-wal) still holds of it is overwritten by later changes, and
gone when the daemon stops.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

_SECURE_DELETE = ("OFF", "ON", "FAST")


@contextmanager
def erasing(connection: sqlite3.Connection) -> Iterator[None]:
    """While it is entered, what is overwritten or removed on this connection is filled with zeros
    (https://www.sqlite.org/pragma.html#pragma_secure_delete). Only then: where groups are removed by the thousand, each
    page that becomes free would have to be written for it."""
    # Some builds of SQLite do so at all times; that is left as it is.
    (before,) = connection.execute("PRAGMA secure_delete").fetchone()
    connection.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        yield
    finally:
        connection.execute(f"PRAGMA secure_delete = {_SECURE_DELETE[before]}").fetchall()
