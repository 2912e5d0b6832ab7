"""Queries of alert groups."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tocsind.domain.alert_group import OPEN_STATES, AlertGroup, EventKind, ResolveReason, Source, State
from tocsind.domain.notification import Notification
from tocsind.domain.route import DEFAULT
from tocsind.sqlite import escalations
from tocsind.sqlite.escalations import EscalationRow
from tocsind.sqlite.rows import read_rows, write_rows

OPEN_STANDING = 2**63 - 1

_MACHINE = (
    "g.id, g.integration_id, g.source, g.state, g.created_at, g.state_since, g.state_event, g.state_actor, "
    "g.silence_until, g.resolve_reason, g.source_firing, g.digest, g.firing_count, g.resolved_count, "
    "g.unreported_count, g.notifications, g.last_received, g.heard, g.acknowledged_at, g.acknowledged_by, "
    "g.silenced_at, g.route_id, g.collected_by, g.debug"
)

# CROSS JOIN: the order of the list is that of the groups, which must be the outer loop.
_BY_IDENTITY = f"""
WITH wanted (identity) AS (VALUES {{values}})
SELECT g.identity, {_MACHINE} FROM wanted JOIN alert_groups AS g
ON g.identity = wanted.identity
AND g.standing = (SELECT max(standing) FROM alert_groups WHERE identity = wanted.identity)
"""

_READ = (
    "i.public_id, g.grouping_key, g.title, g.labels, g.receiver, g.external_url, g.truncated, r.public_id, g.message, "
    f"g.source_link, {_MACHINE}"
)
_OWNERS = "CROSS JOIN integrations AS i ON i.id = g.integration_id LEFT JOIN routes AS r ON r.id = g.route_id"

AS_READ = f"{_READ} FROM alert_groups AS g {_OWNERS}"
"""What `as_read` makes a group of, and from where; a condition can follow."""

_AS_READ_BY_ID = f"""
WITH wanted (id) AS (VALUES {{values}})
SELECT {_READ} FROM wanted CROSS JOIN alert_groups AS g ON g.id = wanted.id {_OWNERS}
"""

_INSERT = """
INSERT INTO alert_groups (
    id, integration_id, source, identity, standing, state, state_since, state_event, state_actor, silence_until,
    resolve_reason, source_firing, digest, firing_count, resolved_count, unreported_count, notifications,
    last_received, heard, created_at, grouping_key, title, labels, receiver, external_url, truncated, message,
    source_link, route_id, collected_by, debug, acknowledged_at, acknowledged_by
) VALUES {values}
"""

_COUNT = """
UPDATE alert_groups SET notifications = new.column2, last_received = new.column3, heard = new.column4,
    external_url = new.column5
FROM (VALUES {values}) AS new WHERE alert_groups.id = new.column1
"""

_DESCRIBE = """
UPDATE alert_groups SET notifications = new.column2, last_received = new.column3, heard = new.column4,
    external_url = new.column5, source_firing = new.column6, digest = new.column7, firing_count = new.column8,
    resolved_count = new.column9, unreported_count = new.column10, title = new.column11, labels = new.column12,
    receiver = new.column13, truncated = new.column14, message = new.column15, source_link = new.column16
FROM (VALUES {values}) AS new WHERE alert_groups.id = new.column1
"""

_MOVE = """
UPDATE alert_groups SET standing = new.column2, state = new.column3, state_since = new.column4,
    state_event = new.column5, state_actor = new.column6, silence_until = new.column7, resolve_reason = new.column8,
    digest = new.column9, heard = new.column10, acknowledged_at = new.column11, acknowledged_by = new.column12,
    silenced_at = new.column13, collected_by = new.column14, debug = new.column15
FROM (VALUES {values}) AS new WHERE alert_groups.id = new.column1
"""


@dataclass(slots=True)
class GroupRow:
    """A group as readers see it: what the rules know, and what describes it."""

    group: AlertGroup
    integration: str
    grouping_key: str
    title: str
    labels: dict[str, str]
    receiver: str
    external_url: str
    truncated: int
    route: str
    message: str
    source_link: str
    escalation: EscalationRow | None = None


def by_identity(connection: sqlite3.Connection, identities: Sequence[bytes]) -> dict[bytes, AlertGroup]:
    """Returns, by identity, the group that matters: the open one, else the last; nothing where there is none."""
    return {row[0]: _group(row[1:]) for row in read_rows(connection, _BY_IDENTITY, identities)}


def by_id(connection: sqlite3.Connection, group_id: int) -> AlertGroup | None:
    """Returns a group by its number, or None."""
    row = connection.execute(f"SELECT {_MACHINE} FROM alert_groups AS g WHERE g.id = ?", (group_id,)).fetchone()
    return _group(row) if row else None


def grouping_key(connection: sqlite3.Connection, group_id: int) -> str:
    """Returns the grouping key of a group that exists."""
    row = connection.execute("SELECT grouping_key FROM alert_groups WHERE id = ?", (group_id,)).fetchone()
    return str(row[0])


def open_collected(connection: sqlite3.Connection, collected_by: int, limit: int) -> list[AlertGroup]:
    """Returns at most `limit` open groups that a group collected."""
    return _open(connection, "g.collected_by", collected_by, limit)


def open_sibling(connection: sqlite3.Connection, group_id: int) -> int | None:
    """Returns the open group of the same identity as `group_id`, or None."""
    row = connection.execute(
        "SELECT id FROM alert_groups WHERE identity = (SELECT identity FROM alert_groups WHERE id = ?) "
        "AND standing = ? AND id <> ?",
        (group_id, OPEN_STANDING, group_id),
    ).fetchone()
    return int(row[0]) if row else None


def open_of_integration(connection: sqlite3.Connection, integration_id: int, limit: int) -> list[AlertGroup]:
    """Returns at most `limit` open groups of an integration."""
    return _open(connection, "g.integration_id", integration_id, limit)


def open_keys(connection: sqlite3.Connection, integration_id: int) -> list[str]:
    """Returns the grouping keys of the open groups of an integration."""
    found: list[str] = []
    for state in OPEN_STATES:
        rows = connection.execute(
            "SELECT grouping_key FROM alert_groups WHERE integration_id = ? AND state = ?", (integration_id, state)
        )
        found.extend(row[0] for row in rows)
    return found


def last_id(connection: sqlite3.Connection) -> int:
    """Returns the greatest number that was ever given to a group."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'alert_groups'").fetchone()
    return int(row[0]) if row else 0


def insert(connection: sqlite3.Connection, rows: Iterable[tuple[AlertGroup, bytes, Notification]]) -> None:
    """Stores new groups, each with its identity and the notification that made it."""
    values = [
        (
            group.id,
            group.integration_id,
            group.source,
            identity,
            _standing(group),
            group.state,
            group.state_since,
            group.state_event,
            group.state_actor,
            group.silence_until,
            group.resolve_reason,
            group.source_firing,
            group.digest,
            group.firing_count,
            group.resolved_count,
            group.unreported_count,
            group.notifications,
            group.last_received,
            group.heard,
            group.created,
            notification.grouping_key,
            notification.title,
            text(notification.labels),
            notification.receiver,
            notification.external_url,
            notification.truncated,
            notification.message,
            notification.source_link,
            group.route_id,
            group.collected_by,
            group.debug,
            group.acknowledged,
            group.acknowledged_by,
        )
        for group, identity, notification in rows
    ]
    write_rows(connection, _INSERT, values)


def count(connection: sqlite3.Connection, rows: Iterable[tuple[AlertGroup, Notification]]) -> None:
    """Stores the counters of groups."""
    values = [(g.id, g.notifications, g.last_received, g.heard, n.external_url) for g, n in rows]
    write_rows(connection, _COUNT, values)


def describe(connection: sqlite3.Connection, rows: Iterable[tuple[AlertGroup, Notification]]) -> None:
    """Stores the counters of groups, and what the last notification said of them."""
    values = [
        (
            group.id,
            group.notifications,
            group.last_received,
            group.heard,
            notification.external_url,
            group.source_firing,
            group.digest,
            group.firing_count,
            group.resolved_count,
            group.unreported_count,
            notification.title,
            text(notification.labels),
            notification.receiver,
            notification.truncated,
            notification.message,
            notification.source_link,
        )
        for group, notification in rows
    ]
    write_rows(connection, _DESCRIBE, values)


def move(connection: sqlite3.Connection, groups: Iterable[AlertGroup]) -> None:
    """Stores the states of groups."""
    values = [
        (
            group.id,
            _standing(group),
            group.state,
            group.state_since,
            group.state_event,
            group.state_actor,
            group.silence_until,
            group.resolve_reason,
            group.digest,
            group.heard,
            group.acknowledged,
            group.acknowledged_by,
            group.silenced,
            group.collected_by,
            group.debug,
        )
        for group in groups
    ]
    write_rows(connection, _MOVE, values)


def count_open(connection: sqlite3.Connection) -> dict[State, int]:
    """Returns how many groups there are in each state but resolved, of which there may be millions."""
    query = "SELECT count(*) FROM alert_groups WHERE state = ?"
    return {state: connection.execute(query, (state,)).fetchone()[0] for state in OPEN_STATES}


def silences(connection: sqlite3.Connection) -> Iterable[tuple[int, int]]:
    """Yields the silences that end: group and end."""
    yield from connection.execute(
        "SELECT id, silence_until FROM alert_groups WHERE silence_until IS NOT NULL AND state = ?", (State.SILENCED,)
    )


def stale_candidates(connection: sqlite3.Connection, integration_id: int | None = None) -> Iterable[tuple[int, int]]:
    """Yields the open groups that may go stale: group, and the reading of the intake clock at which it does; of one
    integration, or of all."""
    which = "i.id = ?" if integration_id is not None else "? IS NULL"
    for state in OPEN_STATES:
        # CROSS JOIN keeps SQLite from walking through all open groups where few integrations have the setting.
        yield from connection.execute(
            "SELECT g.id, g.heard + i.stale_after FROM integrations AS i CROSS JOIN alert_groups AS g "
            f"WHERE {which} AND i.stale_after > 0 AND g.integration_id = i.id AND g.state = ? AND g.source = ?",
            (integration_id, state, Source.ALERTMANAGER),
        )


def one(connection: sqlite3.Connection, group_id: int) -> GroupRow | None:
    """Returns one group as readers see it, or None."""
    found = connection.execute(f"SELECT {AS_READ} WHERE g.id = ?", (group_id,)).fetchone()
    return as_read(connection, [found])[0] if found else None


def several(connection: sqlite3.Connection, group_ids: Sequence[int]) -> dict[int, GroupRow]:
    """Returns the groups with these numbers as readers see them, as far as there are any."""
    rows = as_read(connection, list(read_rows(connection, _AS_READ_BY_ID, group_ids)))
    return {row.group.id: row for row in rows}


def as_read(connection: sqlite3.Connection, selected: Iterable[Sequence[Any]]) -> list[GroupRow]:
    """Returns groups from what `AS_READ` selects."""
    rows = [_group_row(row) for row in selected]
    read_escalations(connection, rows)
    return rows


def read_escalations(connection: sqlite3.Connection, rows: Collection[GroupRow]) -> None:
    """Has groups say which escalations run now: only those that fire have any."""
    running = escalations.several(connection, [row.group.id for row in rows if row.group.state is State.FIRING])
    for row in rows:
        row.escalation = running.get(row.group.id)


def _group_row(row: Sequence[Any]) -> GroupRow:
    integration = f"integrations/{row[0]}"
    return GroupRow(
        group=_group(row[10:]),
        integration=integration,
        grouping_key=row[1],
        title=row[2],
        labels=labels(row[3]),
        receiver=row[4],
        external_url=row[5],
        truncated=row[6],
        route=f"{integration}/routes/{row[7] or DEFAULT}",
        message=row[8],
        source_link=row[9] or row[5],
    )


def text(mapping: dict[str, str]) -> str:
    """Returns labels or annotations as they are stored; `group_list` relies on each string being written in one way."""
    return msgspec.json.encode(mapping).decode()


def labels(stored: str) -> dict[str, str]:
    """Returns labels or annotations from how they are stored."""
    return msgspec.json.decode(stored, type=dict[str, str])


def _open(connection: sqlite3.Connection, column: str, value: int, limit: int) -> list[AlertGroup]:
    """At most `limit` open groups that have this value in a column, which has an index together with the state."""
    found: list[AlertGroup] = []
    for state in OPEN_STATES:
        rows = connection.execute(
            f"SELECT {_MACHINE} FROM alert_groups AS g WHERE {column} = ? AND g.state = ? LIMIT ?",
            (value, state, limit - len(found)),
        )
        found.extend(_group(row) for row in rows)
    return found


def _standing(group: AlertGroup) -> int:
    return OPEN_STANDING if group.is_open else group.id


def _group(row: Sequence[Any]) -> AlertGroup:
    return AlertGroup(
        id=row[0],
        integration_id=row[1],
        source=Source(row[2]),
        state=State(row[3]),
        created=row[4],
        state_since=row[5],
        state_event=EventKind(row[6]),
        state_actor=row[7],
        silence_until=row[8],
        resolve_reason=None if row[9] is None else ResolveReason(row[9]),
        source_firing=bool(row[10]),
        digest=row[11],
        firing_count=row[12],
        resolved_count=row[13],
        unreported_count=row[14],
        notifications=row[15],
        last_received=row[16],
        heard=row[17],
        acknowledged=row[18],
        acknowledged_by=row[19],
        silenced=row[20],
        route_id=row[21],
        collected_by=row[22],
        debug=bool(row[23]),
    )
