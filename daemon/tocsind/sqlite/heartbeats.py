"""Queries of heartbeats, and of the intake clock by which they are timed."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from tocsind.domain.heartbeat import Heartbeat, HeartbeatState
from tocsind.domain.integration import BUILT_IN
from tocsind.sqlite.rows import read_rows, write_rows

_COLUMNS = "integration_id, state, interval, last_beat, deadline, state_since"

_BY_INTEGRATION = f"""
WITH wanted (id) AS (VALUES {{values}})
SELECT {_COLUMNS} FROM wanted JOIN heartbeats ON integration_id = wanted.id
"""

_UPSERT = f"""
INSERT INTO heartbeats ({_COLUMNS}) VALUES {{values}}
ON CONFLICT (integration_id) DO UPDATE SET state = excluded.state, interval = excluded.interval,
    last_beat = excluded.last_beat, deadline = excluded.deadline, state_since = excluded.state_since
"""


def load(connection: sqlite3.Connection, integration_ids: Sequence[int]) -> dict[int, Heartbeat]:
    """Returns the heartbeats of integrations, by integration."""
    return {row[0]: _heartbeat(row) for row in read_rows(connection, _BY_INTEGRATION, integration_ids)}


def store(connection: sqlite3.Connection, heartbeats: Iterable[Heartbeat]) -> None:
    """Stores heartbeats, new ones and changed ones."""
    values = [(h.integration_id, h.state, h.interval, h.last_beat, h.deadline, h.state_since) for h in heartbeats]
    write_rows(connection, _UPSERT, values)


def delete(connection: sqlite3.Connection, integration_id: int) -> None:
    """Removes the heartbeat of an integration."""
    connection.execute("DELETE FROM heartbeats WHERE integration_id = ?", (integration_id,))


def deadlines(connection: sqlite3.Connection) -> Iterable[tuple[int, int]]:
    """Yields the running deadlines: integration, and the reading of the intake clock."""
    yield from connection.execute("SELECT integration_id, deadline FROM heartbeats WHERE deadline IS NOT NULL")


def count_by_state(connection: sqlite3.Connection) -> dict[HeartbeatState, int]:
    """Returns how many heartbeats there are in each state. It looks at all of them: one small row an integration."""
    sums = ", ".join(f"coalesce(sum(state = {state:d}), 0)" for state in HeartbeatState)
    counts = connection.execute(f"SELECT {sums} FROM heartbeats").fetchone()
    return dict(zip(HeartbeatState, counts, strict=True))


def page(connection: sqlite3.Connection, after: int, limit: int) -> list[tuple[str, Heartbeat]]:
    """Returns at most `limit` public ids of integrations with their heartbeats, with integrations above `after`."""
    rows = connection.execute(
        f"SELECT i.public_id, {_COLUMNS} FROM integrations AS i JOIN heartbeats ON integration_id = i.id "
        "WHERE i.id > ? AND i.type <> ? AND i.deleted_at IS NULL ORDER BY i.id LIMIT ?",
        (after, BUILT_IN, limit),
    )
    return [(row[0], _heartbeat(row[1:])) for row in rows]


def intake_clock(connection: sqlite3.Connection) -> int:
    """Returns the reading of the intake clock that was last written."""
    row = connection.execute("SELECT intake_clock FROM daemon_state").fetchone()
    return int(row[0]) if row else 0


def stamp(connection: sqlite3.Connection, intake_clock: int, now: int) -> None:
    """Writes the reading of the intake clock, and that the daemon is alive."""
    connection.execute(
        "INSERT INTO daemon_state (only, intake_clock, alive_at) VALUES (1, ?, ?) ON CONFLICT (only) DO UPDATE SET "
        "intake_clock = max(intake_clock, excluded.intake_clock), alive_at = excluded.alive_at",
        (intake_clock, now),
    )


def _heartbeat(row: Sequence[Any]) -> Heartbeat:
    return Heartbeat(row[0], HeartbeatState(row[1]), row[2], row[3], row[4], row[5])
