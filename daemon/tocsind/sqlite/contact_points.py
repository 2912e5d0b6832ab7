"""Queries of contact points.

Rules
- Rows hold secrets: whatever is overwritten or removed is erased (erasing.py).
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from tocsind.domain.contact_point import NO_SETTINGS, Apprise, CalendarRole, ContactPoint, Kind, OnCall, Webhook
from tocsind.domain.escalation_chain import Notify
from tocsind.sqlite import calendars
from tocsind.sqlite.erasing import erasing
from tocsind.sqlite.escalation_chains import steps_of

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


def by_display_name(connection: sqlite3.Connection, display_name: str) -> ContactPoint | None:
    """Returns the contact point of this name that is not deleted, or None."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM contact_points WHERE display_name = ? AND deleted_at IS NULL", (display_name,)
    ).fetchone()
    return _contact(row) if row else None


def page(connection: sqlite3.Connection, after: str, limit: int) -> list[ContactPoint]:
    """Returns at most so many contact points that are not deleted, by display name, from after that one."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM contact_points WHERE deleted_at IS NULL AND display_name > ? "
        "ORDER BY display_name LIMIT ?",
        (after, limit),
    )
    return [_contact(row) for row in rows]


def count(connection: sqlite3.Connection) -> int:
    """Returns how many there are, without those that are deleted."""
    row = connection.execute("SELECT count(*) FROM contact_points WHERE deleted_at IS NULL").fetchone()
    return int(row[0])


def insert(connection: sqlite3.Connection, new: ContactPoint) -> int:
    """Stores a new contact point; returns its id in the database."""
    with erasing(connection):
        cursor = connection.execute(
            "INSERT INTO contact_points (public_id, kind, created_at, display_name, description, aliases, settings, "
            "target, title_template, body_template, bundle_window, updated_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (new.public_id, new.kind, new.created, *_settable(new)),
        )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update(connection: sqlite3.Connection, changed: ContactPoint) -> None:
    """Stores what can be set of a contact point."""
    with erasing(connection):
        connection.execute(
            "UPDATE contact_points SET display_name = ?, description = ?, aliases = ?, settings = ?, target = ?, "
            "title_template = ?, body_template = ?, bundle_window = ?, updated_at = ? WHERE id = ?",
            (*_settable(changed), changed.id),
        )


def delete(connection: sqlite3.Connection, gone: ContactPoint, now: int) -> None:
    """Marks a contact point as deleted, and removes all of it but its name, which timelines show; its calendars too."""
    nothing = msgspec.json.encode(NO_SETTINGS[gone.kind]).decode()
    with erasing(connection):
        connection.execute(
            "UPDATE contact_points SET settings = ?, description = '', aliases = '[]', target = '', "
            "title_template = '', body_template = '', bundle_window = 0, deleted_at = ? WHERE id = ?",
            (nothing, now, gone.id),
        )
    for role in CalendarRole:
        calendars.remove(connection, gone.id, role)


def chains_naming(connection: sqlite3.Connection, contact_id: int) -> list[tuple[str, str]]:
    """Returns the chains that tell a contact point as they are now: resource names and what they are called, by that.
    All chains are read: there are few, and contact points are seldom deleted."""
    rows = connection.execute(
        "SELECT c.public_id, c.display_name, v.steps FROM escalation_chains AS c "
        "JOIN chain_versions AS v ON v.id = c.version_id ORDER BY c.display_name"
    )
    return [
        (f"escalationChains/{public_id}", display_name)
        for public_id, display_name, steps in rows
        if any(isinstance(step, Notify) and contact_id in step.contacts for step in steps_of(steps))
    ]


def _settable(contact: ContactPoint) -> Sequence[Any]:
    return (
        contact.display_name,
        contact.description,
        msgspec.json.encode(contact.aliases).decode(),
        msgspec.json.encode(contact.settings).decode(),
        contact.target,
        contact.title_template,
        contact.body_template,
        contact.bundle_window,
        contact.updated,
    )


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
