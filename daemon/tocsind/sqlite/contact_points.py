"""Queries of contact points.

Rules
- Rows hold secrets. Where one is overwritten or removed, SQLite fills its place with zeros (`erasing`), so that it is
  not left in a page that nobody uses; what the log (-wal) still holds of it is overwritten by later changes, and gone
  when the daemon stops.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from tocsind.domain.contact_point import NO_SETTINGS, Apprise, CalendarRole, ContactPoint, Kind, OnCall, Webhook
from tocsind.domain.escalation_chain import Notify
from tocsind.sqlite.escalation_chains import steps_of

_COLUMNS = (
    "id, public_id, display_name, description, aliases, kind, settings, target, title_template, body_template, "
    "bundle_window, created_at, updated_at, deleted_at"
)
_SECURE_DELETE = ("OFF", "ON", "FAST")
_SETTINGS: dict[Kind, Any] = {Kind.WEBHOOK: Webhook, Kind.APPRISE: Apprise, Kind.ON_CALL: OnCall}


class CalendarState(NamedTuple):
    """When the copy of a calendar that is used was read, in microseconds since 1970, and why it could not be read the
    last time, or ""."""

    read: int
    error: str


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
        remove_calendar(connection, gone.id, role)


def remove_calendar(connection: sqlite3.Connection, contact_id: int, role: CalendarRole) -> None:
    """Removes a calendar and its shifts, if it is there."""
    with erasing(connection):
        for table in ("shifts", "calendars"):
            connection.execute(f"DELETE FROM {table} WHERE contact_id = ? AND role = ?", (contact_id, role))


def calendar_states(connection: sqlite3.Connection) -> dict[int, dict[CalendarRole, CalendarState]]:
    """Returns how all calendars stand, by contact point."""
    found: dict[int, dict[CalendarRole, CalendarState]] = {}
    for contact_id, role, read, error in connection.execute("SELECT contact_id, role, read_at, error FROM calendars"):
        found.setdefault(contact_id, {})[CalendarRole(role)] = CalendarState(read, error)
    return found


def calendar_texts(connection: sqlite3.Connection, contact_id: int) -> Mapping[CalendarRole, str]:
    """Returns the copies of the calendars of a contact point."""
    rows = connection.execute("SELECT role, text FROM calendars WHERE contact_id = ?", (contact_id,))
    return {CalendarRole(role): text for role, text in rows}


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
