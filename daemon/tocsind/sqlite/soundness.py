"""Whether a file is what it should be: whole in itself, and its rows in agreement with one another.

Rules
- Damage is what SQLite finds: pages, indexes, types, checks. A damaged file must not be used any more. That it cannot
  be looked at (another program locks it, the disk for what is put aside is full) says nothing of the file. Of what
  SQLite calls an I/O error, only that the file is not read as it was written does.
- Disagreement is what only we can know: what every transaction of ours leaves true, whatever happened meanwhile. Each
  invariant is a query of the rows that break it, and a sentence. What holds between two transactions only, or only
  mostly, is not among them: a file that is fine must never be called anything else.
- A file of an earlier version is asked for what held then: an invariant says since which migration it does.
- The schema is that of the migrations. Only what must be there is compared: names of tables, columns, indexes and
  triggers, as SQLite's own ways to write them down differ from version to version.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from tocsind.domain.alert_group import EventKind, State
from tocsind.domain.heartbeat import HeartbeatState
from tocsind.domain.integration import BUILT_IN
from tocsind.domain.maintenance import Mode
from tocsind.domain.message import MessageState
from tocsind.domain.snapshot import AlertState
from tocsind.domain.wording import some
from tocsind.sqlite.alert_groups import OPEN_STANDING
from tocsind.sqlite.migrate import migrate, version

_SHOWN = 3
_OF_SURROUNDINGS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_IOERR,
    }
)
_IO_OF_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_DATA,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
    }
)


@dataclass(frozen=True)
class Invariant:
    """`query` selects what stands for each row that breaks it, one column; `sentence` says what is wrong with them.
    `since`: the first migration after which it holds."""

    name: str
    sentence: str
    query: str
    since: int = 1


def _counted(column: str, state: AlertState) -> str:
    return f"{column} <> (SELECT count(*) FROM alerts AS a WHERE a.group_id = g.id AND a.state = {state:d})"


INVARIANTS = (
    Invariant(
        "one open group for an identity",
        "alert groups are open beside another one of the same identity",
        f"SELECT id FROM alert_groups AS g WHERE state <> {State.RESOLVED:d} "
        "AND EXISTS (SELECT 1 FROM alert_groups AS o "
        f"WHERE o.identity = g.identity AND o.state <> {State.RESOLVED:d} AND o.id < g.id)",
    ),
    Invariant(
        "standing",
        "alert groups have a standing that is not that of their state",
        f"SELECT id FROM alert_groups WHERE standing <> CASE state WHEN {State.RESOLVED:d} THEN id "
        f"ELSE {OPEN_STANDING} END",
    ),
    Invariant(
        "states have events",
        "alert groups are in another state than the last event of their timeline says",
        "SELECT id FROM alert_groups AS g WHERE state IS NOT "
        "(SELECT e.state FROM events AS e WHERE e.group_id = g.id ORDER BY e.id DESC LIMIT 1)",
    ),
    Invariant(
        "counts of alerts",
        "alert groups count other alerts than they have",
        f"SELECT id FROM alert_groups AS g WHERE {_counted('firing_count', AlertState.FIRING)} "
        f"OR {_counted('resolved_count', AlertState.RESOLVED)} "
        f"OR {_counted('unreported_count', AlertState.UNREPORTED)}",
    ),
    Invariant(
        "events have groups",
        "events are of alert groups that are neither there nor deleted by somebody",
        f"SELECT id FROM events AS e WHERE kind <> {EventKind.DELETED:d} "
        "AND NOT EXISTS (SELECT 1 FROM alert_groups AS g WHERE g.id = e.group_id)",
    ),
    Invariant(
        "revisions",
        "events bear revisions that were not given out yet, and would be given twice",
        "SELECT id FROM events "
        "WHERE id > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) OR id < 1",
    ),
    Invariant(
        "numbers of groups",
        "alert groups bear numbers that were not given out yet, and would be given twice",
        "SELECT id FROM alert_groups "
        "WHERE id > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'alert_groups'), 0) OR id < 1",
    ),
    Invariant(
        "forgotten revisions",
        "the row of the daemon's state says that events are forgotten which never were",
        "SELECT 'forgotten ' || forgotten FROM daemon_state "
        "WHERE forgotten > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)",
        since=2,
    ),
    Invariant(
        "the daemon's state",
        "the daemon's state is not the one row that it must be, with times that are times",
        "SELECT 'row ' || only FROM daemon_state WHERE only <> 1 OR intake_clock < 0 OR alive_at < 0 "
        "UNION ALL SELECT count(*) || ' rows' FROM daemon_state HAVING count(*) > 1",
    ),
    Invariant(
        "labels and fingerprints can be read",
        "labels of alert groups, or fingerprints of events, are no JSON",
        "SELECT 'group ' || id FROM alert_groups WHERE NOT json_valid(labels) "
        "UNION ALL SELECT 'event ' || id FROM events WHERE NOT json_valid(fingerprints)",
    ),
    Invariant(
        "payloads have groups",
        "payloads are of alert groups that are not there",
        "SELECT id FROM payloads WHERE NOT EXISTS (SELECT 1 FROM alert_groups AS g WHERE g.id = payloads.id / 2)",
    ),
    Invariant(
        "heartbeats",
        "integrations that are not deleted have no heartbeat, or deleted ones have one",
        f"SELECT id FROM integrations AS i WHERE type <> '{BUILT_IN}' AND (deleted_at IS NULL) "
        "<> EXISTS (SELECT 1 FROM heartbeats AS h WHERE h.integration_id = i.id)",
    ),
    Invariant(
        "deadlines",
        "heartbeats that are up have no deadline, or those that wait or are paused have one: these integrations",
        f"SELECT integration_id FROM heartbeats WHERE (state = {HeartbeatState.UP:d} AND deadline IS NULL) "
        f"OR (state IN ({HeartbeatState.WAITING:d}, {HeartbeatState.PAUSED:d}) AND deadline IS NOT NULL)",
    ),
    Invariant(
        "positions of routes",
        "integrations have routes whose positions are not 0, 1, 2 and so on",
        "SELECT integration_id FROM routes GROUP BY integration_id HAVING min(position) <> 0 "
        "OR max(position) <> count(*) - 1 OR count(DISTINCT position) <> count(*)",
        since=3,
    ),
    Invariant(
        "running maintenances",
        "maintenances run without the open alert group that collects, or collect without running: these integrations",
        f"SELECT integration_id FROM maintenances AS m WHERE (group_id IS NOT NULL) <> (running AND mode = "
        f"{Mode.MAINTENANCE:d}) OR (group_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM alert_groups AS g "
        f"WHERE g.id = m.group_id AND g.state <> {State.RESOLVED:d}))",
        since=3,
    ),
    Invariant(
        "collected groups",
        "open alert groups are collected by one that neither collects nor releases, so nobody would ever be told",
        f"SELECT g.id FROM alert_groups AS g JOIN integrations AS i ON i.id = g.integration_id "
        f"WHERE g.collected_by IS NOT NULL AND g.state <> {State.RESOLVED:d} AND i.deleted_at IS NULL "
        "AND g.collected_by NOT IN (SELECT group_id FROM maintenances WHERE group_id IS NOT NULL) "
        "AND g.collected_by NOT IN (SELECT group_id FROM releases)",
        since=3,
    ),
    Invariant(
        "escalations",
        "escalations run for alert groups that are not there, do not fire, or are collected or debugged",
        "SELECT group_id FROM escalations AS e WHERE NOT EXISTS (SELECT 1 FROM alert_groups AS g "
        f"WHERE g.id = e.group_id AND g.state = {State.FIRING:d} AND g.collected_by IS NULL AND g.debug = 0)",
        since=4,
    ),
    Invariant(
        "versions of chains",
        "escalations or chosen chains are of versions that are not there: these alert groups",
        "SELECT group_id FROM escalations WHERE version_id NOT IN (SELECT id FROM chain_versions) "
        "UNION SELECT group_id FROM chosen_versions WHERE version_id NOT IN (SELECT id FROM chain_versions)",
        since=4,
    ),
    Invariant(
        "chosen chains",
        "chains are chosen for alert groups that are not there",
        "SELECT group_id FROM chosen_versions AS c "
        "WHERE NOT EXISTS (SELECT 1 FROM alert_groups AS g WHERE g.id = c.group_id)",
        since=4,
    ),
    Invariant(
        "chains can be read",
        "versions of chains, or how often escalations repeated, are no JSON",
        "SELECT 'version ' || id FROM chain_versions WHERE NOT json_valid(steps) "
        "UNION ALL SELECT 'group ' || group_id FROM escalations WHERE NOT json_valid(repeats)",
        since=4,
    ),
    Invariant(
        "steps name contact points",
        "versions of chains notify contact points that never were",
        "SELECT DISTINCT v.id FROM chain_versions AS v, json_each(iif(json_valid(v.steps), v.steps, '[]')) AS s, "
        "json_each(s.value, '$[1]') AS c "
        "WHERE json_extract(s.value, '$[0]') = 'notify' AND c.value NOT IN (SELECT id FROM contact_points)",
        since=4,
    ),
    Invariant(
        "messages have groups",
        "messages are about alert groups that are not there",
        "SELECT id FROM messages AS m WHERE NOT EXISTS (SELECT 1 FROM alert_groups AS g WHERE g.id = m.group_id)",
        since=4,
    ),
    Invariant(
        "messages have receivers",
        "messages are for contact points that are not there",
        "SELECT id FROM messages WHERE contact_id NOT IN (SELECT id FROM contact_points) "
        "OR via_id NOT IN (SELECT id FROM contact_points)",
        since=4,
    ),
    Invariant(
        "messages end",
        "messages are yet to be sent and have ended, or the other way round",
        f"SELECT id FROM messages WHERE (state <= {MessageState.SENDING:d}) <> (ended_at IS NULL)",
        since=4,
    ),
)


def is_of_the_file(error: sqlite3.Error) -> bool:
    """Whether what SQLite met says something of the file, and not of what is around it."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code in _IO_OF_THE_FILE or code & 0xFF not in _OF_SURROUNDINGS


def damage(connection: sqlite3.Connection) -> list[str]:
    """Returns what SQLite finds wrong with the file, a sentence each. It reads all of it. On a connection that
    is read-only by its way of opening, SQLite looks at no CHECK. Raises sqlite3.Error where it cannot look."""
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        if not is_of_the_file(error):
            raise
        return [str(error)]
    return [] if found == ["ok"] else [" ".join(line.split()) for line in found]


def disagreements(connection: sqlite3.Connection) -> list[str]:
    """Returns in what the rows of a whole file do not agree, a sentence each, with the first rows of each kind."""
    at = version(connection)
    missing = list(_missing(connection, at))
    found = [f"the {kind} {name} is missing" if name else kind for kind, name in missing]
    if any(kind not in ("index", "trigger") for kind, _ in missing):
        return found  # what is asked below is not there
    references = {(row[0], row[1]): row[2] for row in connection.execute("PRAGMA foreign_key_check")}
    by_table: dict[tuple[str, str], list[object]] = {}
    for (table, row), parent in references.items():
        by_table.setdefault((table, parent), []).append(row)
    for (table, parent), rows in by_table.items():
        found.append(_sentence(f"rows of {table} refer to {parent} that are not there", rows))
    for invariant in INVARIANTS:
        if invariant.since <= at:
            rows = [row[0] for row in connection.execute(invariant.query)]
            if rows:
                found.append(_sentence(invariant.sentence, rows))
    return found


def count_groups(connection: sqlite3.Connection) -> int:
    """Returns how many alert groups a file holds."""
    return int(connection.execute("SELECT count(*) FROM alert_groups").fetchone()[0])


def _sentence(sentence: str, rows: list[object]) -> str:
    return f"{sentence}: {some(list(map(str, rows)), _SHOWN)}"


def _missing(connection: sqlite3.Connection, at: int) -> Iterator[tuple[str, str]]:
    """Yields kind and name of what the migrations made and is not there."""
    if at == 0:
        yield "no migration was ever made in it: it is no file of Tocsin, or an empty one", ""
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh, at)
        there = set(_names(connection))
        yield from (each for each in _names(fresh) if each not in there)


def _names(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    things = connection.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall()
    columns = [
        ("column", f"{name}.{column[1]}")
        for kind, name in things
        if kind == "table"
        for column in connection.execute(f'PRAGMA table_xinfo("{name}")')
    ]
    return [*things, *columns]
