"""Queries of maintenances, and of what the ones that ended have yet to release."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from tocsind.domain.alert_group import OPEN_STATES, State
from tocsind.domain.maintenance import Maintenance, Mode
from tocsind.domain.snapshot import AlertState

COLUMNS = "integration_id, mode, starts_at, ends_at, running, group_id, actor, changed_at"

_STORE = f"INSERT OR REPLACE INTO maintenances ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def every(connection: sqlite3.Connection) -> Iterable[Maintenance]:
    """Yields all of them, what is due first first."""
    due = "CASE running WHEN 0 THEN starts_at ELSE ends_at END"
    for row in connection.execute(f"SELECT {COLUMNS} FROM maintenances ORDER BY {due}, integration_id"):
        yield maintenance(row)


def store(connection: sqlite3.Connection, new: Maintenance) -> None:
    """Stores the maintenance of an integration in the place of the one that it had."""
    values = (new.integration_id, new.mode, new.starts, new.ends, new.running, new.group_id, new.actor, new.changed)
    connection.execute(_STORE, values)


def delete(connection: sqlite3.Connection, integration_id: int) -> None:
    """Removes the maintenance of an integration."""
    connection.execute("DELETE FROM maintenances WHERE integration_id = ?", (integration_id,))


def count_running(connection: sqlite3.Connection) -> dict[Mode, int]:
    """Returns how many run in each mode. It looks at all of them: one small row an integration."""
    query = "SELECT count(*) FROM maintenances WHERE running AND mode = ?"
    return {mode: connection.execute(query, (mode,)).fetchone()[0] for mode in Mode}


def count_collected(connection: sqlite3.Connection, group_id: int) -> tuple[int, int]:
    """Returns how many groups a group collected that are open, and how many that are resolved."""
    query = "SELECT count(*) FROM alert_groups WHERE collected_by = ? AND state = ?"
    counts = {state: connection.execute(query, (group_id, state)).fetchone()[0] for state in State}
    return sum(counts[state] for state in OPEN_STATES), counts[State.RESOLVED]


def settle(connection: sqlite3.Connection, group_id: int, now: int) -> None:
    """Nothing fires any more of what a group that collected was about."""
    connection.execute(
        "UPDATE alerts SET state = ?, ended_at = ? WHERE group_id = ?", (AlertState.RESOLVED, now, group_id)
    )
    connection.execute(
        "UPDATE alert_groups SET source_firing = 0, resolved_count = resolved_count + firing_count, firing_count = 0 "
        "WHERE id = ?",
        (group_id,),
    )


def begin_release(connection: sqlite3.Connection, group_id: int) -> None:
    """Keeps in mind that what a group collected is to be released."""
    connection.execute("INSERT OR IGNORE INTO releases (group_id) VALUES (?)", (group_id,))


def end_release(connection: sqlite3.Connection, group_id: int) -> None:
    """Everything that a group collected is released."""
    connection.execute("DELETE FROM releases WHERE group_id = ?", (group_id,))


def releases(connection: sqlite3.Connection) -> list[int]:
    """Returns the groups that collected what is yet to be released."""
    return [row[0] for row in connection.execute("SELECT group_id FROM releases ORDER BY group_id")]


def maintenance(row: Sequence[Any]) -> Maintenance:
    """Returns a maintenance from what `COLUMNS` selects."""
    return Maintenance(row[0], Mode(row[1]), row[2], row[3], bool(row[4]), *row[5:8])
