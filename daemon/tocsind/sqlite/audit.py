"""Queries of the audit log.

Lists walk an index from the newest entry on and look at no more than `MOST_LOOKED_AT` rows for a page, whatever the
filter.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from tocsind.domain.span import ALWAYS, Span
from tocsind.sqlite.rows import write_rows

NEWEST = 2**63 - 1
MOST_LOOKED_AT = 10_000

_COLUMNS = "id, at, actor, api_token, method, resource, before, after, trace_id"
_INSERT = "INSERT INTO audit_entries (at, actor, api_token, method, resource, before, after, trace_id) VALUES {values}"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry. `at` in microseconds since 1970; `before` and `after` are JSON objects."""

    id: int
    at: int
    actor: str
    api_token: str
    method: str
    resource: str
    before: str
    after: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted: about one resource, by one actor (None: any), and of these times."""

    resource: str | None = None
    actor: str | None = None
    times: Span = ALWAYS


def insert(connection: sqlite3.Connection, rows: Iterable[AuditRow]) -> None:
    """Stores entries; the database gives the ids."""
    values = [(r.at, r.actor, r.api_token, r.method, r.resource, r.before, r.after, r.trace_id) for r in rows]
    write_rows(connection, _INSERT, values)


def page(
    connection: sqlite3.Connection, wanted: AuditFilter, before: int, limit: int
) -> tuple[list[AuditRow], int | None]:
    """Returns at most `limit` entries, newest first, with ids below `before`, and the id to go on from, or None where
    there are no more. There may be fewer than `limit` and yet more."""
    where = "id < ?"
    values: list[object] = [before]
    if wanted.resource is not None:
        where, values = f"resource = ? AND {where}", [wanted.resource, *values]
    elif wanted.actor is not None:
        where, values = f"actor = ? AND {where}", [wanted.actor, *values]
    looked = f"SELECT {_COLUMNS} FROM audit_entries WHERE {where} ORDER BY id DESC LIMIT {MOST_LOOKED_AT}"
    rows = connection.execute(
        f"SELECT * FROM ({looked}) WHERE at BETWEEN ? AND ? AND (? IS NULL OR actor = ?) LIMIT ?",
        (*values, wanted.times.first, wanted.times.last, wanted.actor, wanted.actor, limit),
    )
    found = [AuditRow(*row) for row in rows]
    if len(found) == limit:
        return found, found[-1].id
    end = connection.execute(
        f"SELECT id FROM audit_entries WHERE {where} ORDER BY id DESC LIMIT 1 OFFSET {MOST_LOOKED_AT - 1}", values
    ).fetchone()
    return found, int(end[0]) if end else None


def remove_before(connection: sqlite3.Connection, at: int, limit: int) -> int:
    """Removes at most `limit` entries older than `at`; returns how many."""
    cursor = connection.execute(
        "DELETE FROM audit_entries WHERE id IN (SELECT id FROM audit_entries WHERE at < ? LIMIT ?)", (at, limit)
    )
    return cursor.rowcount
