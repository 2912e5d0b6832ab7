"""Queries of the calendars of contact points, and of their shifts.

Rules
- A calendar says who is where when: a copy that is overwritten or removed is erased (erasing.py).
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import msgspec

from tocsind.domain.contact_point import CalendarRole, CalendarSource, Kind, OnCall
from tocsind.domain.shift import Shift, key
from tocsind.sqlite.erasing import erasing
from tocsind.sqlite.rows import write_rows


@dataclass(frozen=True, slots=True)
class Held:
    """A copy that is held. Times in microseconds since 1970; `read` is when its source was last seen to say this,
    `checked` when it was last asked, and `error` why it did not answer then, or empty. `until`: up to when shifts are
    known. `source` is where the contact point, called `name`, has it from now."""

    contact_id: int
    name: str
    role: CalendarRole
    source: CalendarSource
    read: int
    checked: int
    error: str
    until: int


class State(NamedTuple):
    """How a copy stands: when it was read, in microseconds since 1970, why its source did not answer when it was last
    asked, or "", and up to when its shifts are known."""

    read: int
    error: str
    until: int


def every(connection: sqlite3.Connection) -> list[Held]:
    """Returns the copies of all contact points that are not deleted."""
    rows = connection.execute(
        "SELECT c.contact_id, c.role, c.read_at, c.checked_at, c.error, c.expanded_until, p.settings, p.public_id "
        "FROM contact_points AS p JOIN calendars AS c ON c.contact_id = p.id "
        "WHERE p.kind = ? AND p.deleted_at IS NULL ORDER BY c.contact_id, c.role",
        (Kind.ON_CALL,),
    )
    return [held for row in rows if (held := _held(row)) is not None]


def one(connection: sqlite3.Connection, contact_id: int, role: CalendarRole) -> Held | None:
    """Returns one copy; None where there is none, its contact point is deleted, or has no such calendar any more."""
    row = connection.execute(
        "SELECT c.contact_id, c.role, c.read_at, c.checked_at, c.error, c.expanded_until, p.settings, p.public_id "
        "FROM calendars AS c JOIN contact_points AS p ON p.id = c.contact_id "
        "WHERE c.contact_id = ? AND c.role = ? AND p.deleted_at IS NULL",
        (contact_id, role),
    ).fetchone()
    return None if row is None else _held(row)


def states(connection: sqlite3.Connection) -> dict[int, dict[CalendarRole, State]]:
    """Returns how all copies stand, by contact point."""
    found: dict[int, dict[CalendarRole, State]] = {}
    for contact_id, role, *state in connection.execute(
        "SELECT contact_id, role, read_at, error, expanded_until FROM calendars"
    ):
        found.setdefault(contact_id, {})[CalendarRole(role)] = State(*state)
    return found


def of_contact(connection: sqlite3.Connection, contact_id: int) -> dict[CalendarRole, State]:
    """Returns how the copies of a contact point stand."""
    rows = connection.execute(
        "SELECT role, read_at, error, expanded_until FROM calendars WHERE contact_id = ?", (contact_id,)
    )
    return {CalendarRole(role): State(*state) for role, *state in rows}


def text(connection: sqlite3.Connection, contact_id: int, role: CalendarRole) -> str | None:
    """Returns the last good copy."""
    row = connection.execute(
        "SELECT text FROM calendars WHERE contact_id = ? AND role = ?", (contact_id, role)
    ).fetchone()
    return None if row is None else str(row[0])


def replace(
    connection: sqlite3.Connection,
    contact_id: int,
    role: CalendarRole,
    *,
    content: str,
    read: int,
    checked: int,
    error: str,
    until: int,
    shifts: Sequence[Shift],
) -> None:
    """Puts a copy, with its shifts, in the place of the one before."""
    with erasing(connection):
        connection.execute(
            "INSERT INTO calendars (contact_id, role, read_at, checked_at, error, expanded_until, text) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (contact_id, role) DO UPDATE SET read_at = excluded.read_at, "
            "checked_at = excluded.checked_at, error = excluded.error, expanded_until = excluded.expanded_until, "
            "text = excluded.text",
            (contact_id, role, read, checked, error, until, content),
        )
        connection.execute("DELETE FROM shifts WHERE contact_id = ? AND role = ?", (contact_id, role))
        write_rows(
            connection,
            "INSERT INTO shifts (contact_id, role, starts_at, ends_at, people) VALUES {values}",
            [
                (contact_id, role, shift.start, shift.end, msgspec.json.encode(shift.people).decode())
                for shift in shifts
            ],
        )


def note(
    connection: sqlite3.Connection, contact_id: int, role: CalendarRole, *, read: int, checked: int, error: str
) -> None:
    """Notes what came of asking a source again."""
    connection.execute(
        "UPDATE calendars SET read_at = ?, checked_at = ?, error = ? WHERE contact_id = ? AND role = ?",
        (read, checked, error, contact_id, role),
    )


def remove(connection: sqlite3.Connection, contact_id: int, role: CalendarRole) -> None:
    """Removes a copy and its shifts, if it is there."""
    with erasing(connection):
        for table in ("shifts", "calendars"):
            connection.execute(f"DELETE FROM {table} WHERE contact_id = ? AND role = ?", (contact_id, role))


def shifts(
    connection: sqlite3.Connection, contact_id: int, role: CalendarRole, start: int, end: int
) -> Iterator[Shift]:
    """Yields the shifts that are on somewhere between two times, by their end."""
    rows = connection.execute(
        "SELECT starts_at, ends_at, people FROM shifts "
        "WHERE contact_id = ? AND role = ? AND ends_at > ? AND starts_at < ? ORDER BY ends_at, starts_at, id",
        (contact_id, role, start, end),
    )
    for starts, ends, people in rows:
        yield Shift(starts, ends, tuple(msgspec.json.decode(people, type=list[str])))


def failing(connection: sqlite3.Connection) -> tuple[int, int | None]:
    """Returns how many calendars could not be read when last tried, and when the oldest of their copies was."""
    count, oldest = connection.execute("SELECT count(*), min(read_at) FROM calendars WHERE error <> ''").fetchone()
    return count, oldest


def people(connection: sqlite3.Connection) -> Mapping[str, Sequence[int]]:
    """Returns the ids of the contact points that calendars can name, by what they are called (`key`). Not those that
    are on call themselves: calendars lead to no other calendars."""
    rows = connection.execute(
        "SELECT id, display_name, aliases FROM contact_points INDEXED BY contact_points_by_call "
        "WHERE deleted_at IS NULL AND kind IN (?, ?)",
        (Kind.WEBHOOK, Kind.APPRISE),
    )
    return _directory(tuple(rows))


@lru_cache(maxsize=1)
def _directory(rows: tuple[tuple[int, str, str], ...]) -> Mapping[str, Sequence[int]]:
    """Kept as long as the rows are the same: many groups at once ask for the same people."""
    found: dict[str, list[int]] = {}
    for contact_id, display_name, aliases in rows:
        for name in {key(each) for each in (display_name, *msgspec.json.decode(aliases, type=list[str]))}:
            found.setdefault(name, []).append(contact_id)
    return found


def public_ids(connection: sqlite3.Connection) -> dict[int, str]:
    """Returns the public ids of all contact points that are not deleted."""
    return dict(connection.execute("SELECT id, public_id FROM contact_points WHERE deleted_at IS NULL"))


def _held(row: tuple[int, int, int, int, str, int, str, str]) -> Held | None:
    contact_id, role, read, checked, error, until, settings, public_id = row
    on_call = msgspec.json.decode(settings, type=OnCall)
    source = on_call.schedule if role == CalendarRole.SCHEDULE else on_call.overrides
    if source is None:
        return None
    return Held(contact_id, f"contactPoints/{public_id}", CalendarRole(role), source, read, checked, error, until)
