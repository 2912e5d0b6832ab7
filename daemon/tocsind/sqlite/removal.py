"""Removing all that a group says, a group as a whole, and what is left of it.

A person who deletes a group leaves one event of it, its tombstone: watchers that were away then learn of the deletion
when they resume. It is small, and removed once nobody can reasonably want to resume from before it.

Of what goes because its time has passed nobody is told. So it is kept in mind, in the same transaction, up to which
revision events are gone, and who wants to resume from before that is told to begin anew (`rpc/watch.py`).
"""

import sqlite3
from collections.abc import Sequence

from tocsind.domain.alert_group import EventKind
from tocsind.domain.identity import wiped_identity
from tocsind.domain.units import DAY
from tocsind.sqlite import events

TITLE_OF_WIPED = "Wiped"
TOMBSTONES_KEPT = 90 * DAY

_EMPTY = """
UPDATE alert_groups SET identity = ?, title = ?, grouping_key = '', labels = '{}', receiver = '', external_url = '',
    message = '', source_link = '',
    truncated = 0, source_firing = 0, firing_count = 0, resolved_count = 0, unreported_count = 0 WHERE id = ?
"""
_BLANK = "UPDATE events SET reason = '', note = '', fingerprints = '[]' WHERE group_id = ?"
# An index holds nothing but tombstones, so that they are found among millions of events.
_OLD_TOMBSTONES = f"SELECT group_id FROM events WHERE kind = {int(EventKind.DELETED)} AND at < ? ORDER BY at LIMIT ?"


def wipe(connection: sqlite3.Connection, group_ids: Sequence[int]) -> None:
    """Removes what groups say, the texts of their timelines included. They must be resolved."""
    for group_id in group_ids:
        connection.execute(_EMPTY, (wiped_identity(group_id), TITLE_OF_WIPED, group_id))
        connection.execute(_BLANK, (group_id,))
    _remove_content(connection, group_ids)


def expire(connection: sqlite3.Connection, group_ids: Sequence[int], now: int) -> None:
    """Removes groups whose time has passed, or what is left of them. `now` in microseconds since 1970."""
    events.forget(connection, group_ids, now)
    remove(connection, group_ids)


def remove(connection: sqlite3.Connection, group_ids: Sequence[int]) -> None:
    """Removes groups with all that belongs to them."""
    _remove_content(connection, group_ids)
    ids = [(group_id,) for group_id in group_ids]
    connection.executemany("DELETE FROM events WHERE group_id = ?", ids)
    connection.executemany("DELETE FROM alert_groups WHERE id = ?", ids)


def old_tombstones(connection: sqlite3.Connection, before: int, limit: int) -> list[int]:
    """Returns at most `limit` of the groups that were deleted before that time, the longest gone first, as far as
    events are left of them."""
    return [int(row[0]) for row in connection.execute(_OLD_TOMBSTONES, (before, limit))]


def _remove_content(connection: sqlite3.Connection, group_ids: Sequence[int]) -> None:
    ids = [(group_id,) for group_id in group_ids]
    for table in ("alerts", "notes", "escalations", "chosen_versions", "messages"):
        connection.executemany(f"DELETE FROM {table} WHERE group_id = ?", ids)
    connection.executemany("DELETE FROM payloads WHERE id BETWEEN ? AND ?", [(2 * i, 2 * i + 1) for i in group_ids])
