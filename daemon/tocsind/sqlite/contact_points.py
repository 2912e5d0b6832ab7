"""Queries of contact points."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from tocsind.domain.contact_point import Apprise, ContactPoint, Kind, OnCall, Webhook

_COLUMNS = (
    "id, public_id, display_name, description, aliases, kind, settings, target, title_template, body_template, "
    "bundle_window, created_at, updated_at, deleted_at"
)
_SETTINGS: dict[Kind, Any] = {Kind.WEBHOOK: Webhook, Kind.APPRISE: Apprise, Kind.ON_CALL: OnCall}


def by_id(connection: sqlite3.Connection, contact_id: int) -> ContactPoint | None:
    """Returns a contact point by its id in the database, also one that was deleted; or None."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM contact_points WHERE id = ?", (contact_id,)).fetchone()
    return _contact(row) if row else None


def by_public_id(connection: sqlite3.Connection, public_id: str) -> ContactPoint | None:
    """Returns a contact point that is not deleted, or None."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM contact_points WHERE public_id = ? AND deleted_at IS NULL", (public_id,)
    ).fetchone()
    return _contact(row) if row else None


def any_id(connection: sqlite3.Connection, public_id: str) -> int | None:
    """Returns the id in the database of a contact point, also of one that was deleted; or None."""
    row = connection.execute("SELECT id FROM contact_points WHERE public_id = ?", (public_id,)).fetchone()
    return int(row[0]) if row else None


def every(connection: sqlite3.Connection) -> list[ContactPoint]:
    """Returns all contact points that are not deleted, by display name."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM contact_points WHERE deleted_at IS NULL ORDER BY display_name")
    return [_contact(row) for row in rows]


def insert(connection: sqlite3.Connection, new: ContactPoint) -> int:
    """Stores a new contact point; returns its id in the database."""
    cursor = connection.execute(
        "INSERT INTO contact_points (public_id, display_name, description, aliases, kind, settings, target, "
        "title_template, body_template, bundle_window, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.public_id,
            new.display_name,
            new.description,
            msgspec.json.encode(new.aliases).decode(),
            new.kind,
            msgspec.json.encode(new.settings).decode(),
            new.target,
            new.title_template,
            new.body_template,
            new.bundle_window,
            new.created,
            new.updated,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _contact(row: Sequence[Any]) -> ContactPoint:
    kind = Kind(row[5])
    return ContactPoint(
        id=row[0],
        public_id=row[1],
        display_name=row[2],
        description=row[3],
        aliases=tuple(msgspec.json.decode(row[4], type=list[str])),
        settings=msgspec.json.decode(row[6], type=_SETTINGS[kind]),
        target=row[7],
        title_template=row[8],
        body_template=row[9],
        bundle_window=row[10],
        created=row[11],
        updated=row[12],
        deleted=row[13],
    )
