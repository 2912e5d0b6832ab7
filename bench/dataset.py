"""Large files, made in seconds: rows that the daemon wrote itself, copied under other numbers.

The real processes are sent one notification that fires and one that is resolved afterwards. Their rows are the pattern:
for each copy the number of the group is replaced wherever it stands, and identity, digest and payload are computed as
gateway and daemon do, so that a repeat of a copied group is recognised as one.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench import bodies
from bench.processes import ALERTMANAGER, stack
from bench.report import progress
from bench.run import Run
from tocsin.v1 import intake_pb2
from tocsin_gateway.alertmanager import read_notification
from tocsind.domain.alert_group import Source
from tocsind.domain.heartbeat import HeartbeatState
from tocsind.domain.identity import identity
from tocsind.domain.integration import token_hash
from tocsind.sqlite.replacing import FILE
from tocsind.sqlite.store import Store

OPEN_FROM = 500_000_000_000
"""The number of the first open group of a file; the others follow one by one."""
RESOLVED_FROM = 600_000_000_000
OPEN_SHARE = 5
"""One of so many groups is open."""

_PATTERN = (987_654_321_098, 987_654_321_099)
"""Numbers of the groups that are copied: an open one and a resolved one."""
_BODY = bodies.notification(2)
_TABLES = ("alert_groups", "alerts", "events", "payloads")
_TIMES = frozenset({"created_at", "state_since", "last_received", "at", "received_at"})
_CHUNK = 10_000
_SECOND = 1_000_000

Row = list[Any]
Rows = dict[str, list[Row]]


@dataclass
class File:
    """A data folder that nobody has open. `path` is that of the URL to notify, `open` how many open groups there are
    from `OPEN_FROM` on."""

    folder: Path
    path: str
    open: int

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / FILE


class Pattern:
    """The rows of one open and one resolved group, and how to make others of them."""

    def __init__(self, database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection:
            self._columns = {table: _columns(connection, table) for table in _TABLES}
            identified = "SELECT id, integration_id FROM alert_groups WHERE grouping_key LIKE ?"
            found = [connection.execute(identified, (f"%{number}%",)).fetchone() for number in _PATTERN]
            self._ids = [int(row[0]) for row in found]
            self._integration = int(found[0][1])
            self._rows = [
                {
                    table: [list(row) for row in connection.execute(_of_group(table, columns), (group_id,))]
                    for table, columns in self._columns.items()
                }
                for group_id in self._ids
            ]

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns."""
        return self._columns[table]

    def copy(self, into: Rows, group_id: int, event_id: int, number: int, is_open: bool, age: int) -> int:
        """Adds the rows of a group that was `age` microseconds earlier; returns how many events it has."""
        which = 0 if is_open else 1
        pattern, digits = str(_PATTERN[which]), f"{number:0{bodies.WIDTH}d}"
        digest, payload = _digest_and_payload(number) if is_open else (None, None)
        for table in _TABLES:
            for row in self._rows[which][table]:
                copied: Row = [value.replace(pattern, digits) if type(value) is str else value for value in row]
                for index, name in enumerate(self._columns[table]):
                    if name == "group_id" or (name == "id" and table == "alert_groups"):
                        copied[index] = group_id
                    elif name == "id" and table == "events":
                        copied[index] = event_id
                        event_id += 1
                    elif name == "id":
                        copied[index] = 2 * group_id + copied[index] % 2 if table == "payloads" else None
                    elif name == "standing" and not is_open:
                        copied[index] = group_id
                    elif name == "digest" and digest is not None:
                        copied[index] = digest
                    elif name == "body" and payload is not None:
                        copied[index] = payload
                    elif name in _TIMES:
                        copied[index] -= age
                    elif name == "identity":
                        key = copied[self._columns[table].index("grouping_key")]
                        copied[index] = identity(self._integration, Source.ALERTMANAGER, key)
                into[table].append(copied)
        return len(self._rows[which]["events"])


def pattern_file(run: Run) -> File:
    """A file with nothing in it but one integration and the two groups to copy."""

    def make() -> File:
        folder = run.new_folder("pattern")
        with stack(folder) as tocsin:
            (path,) = tocsin.daemon.integrate(1)
            for number, firing in ((_PATTERN[0], True), (_PATTERN[1], True), (_PATTERN[1], False)):
                _post(tocsin.gateway.port, path, bodies.notification(2, firing).filled(number))
        return File(folder, path, 0)

    return _kept(run, "pattern", make)


def grow(run: Run, name: str, groups: int, open_share: int) -> File:
    """Makes a file with so many groups, one of `open_share` open, spread over the past second by second."""
    source = pattern_file(run)
    folder = run.new_folder(name)
    made = File(folder, source.path, 0)
    shutil.copy(source.database, made.database)
    pattern = Pattern(made.database)
    with closing(_unsafe(made.database)) as connection:
        group_id = int(connection.execute("SELECT max(id) FROM alert_groups").fetchone()[0])
        event_id = int(connection.execute("SELECT max(id) FROM events").fetchone()[0])
        done = 0
        while done < groups:
            rows: Rows = {table: [] for table in _TABLES}
            for number in range(done, min(done + _CHUNK, groups)):
                is_open = number % open_share == 0
                named = OPEN_FROM + number // open_share if is_open else RESOLVED_FROM + number
                age = (groups - number) * _SECOND
                event_id += pattern.copy(rows, group_id + 1 + number, event_id + 1, named, is_open, age)
                made.open += is_open
            for table in _TABLES:
                connection.executemany(insertion(pattern, table), rows[table])
            done += len(rows["alert_groups"])
            progress(f"{name}: {done:,} of {groups:,} groups")
        connection.execute("COMMIT")
    return made


def add_heartbeats(made: File, up: int, interval: int, waiting: Iterable[int] = ()) -> tuple[list[str], list[str]]:
    """Adds integrations: `up` of them with a running deadline (`interval` in seconds), and one that waits for its first
    beat for each interval in `waiting`. Returns the paths of their heartbeats' URLs."""
    now = time.time_ns() // 1_000
    with closing(_unsafe(made.database)) as connection:
        columns = _columns(connection, "integrations")
        pattern = connection.execute("SELECT * FROM integrations WHERE type = 'alertmanager'").fetchone()
        first = int(connection.execute("SELECT max(id) FROM integrations").fetchone()[0]) + 1
        reading = int(connection.execute("SELECT coalesce(max(intake_clock), 0) FROM daemon_state").fetchone()[0])
        intervals = [interval] * up + list(waiting)
        tokens = [f"bench-{first + index:037d}" for index in range(len(intervals))]
        integrations = []
        heartbeats = []
        for index, (token, seconds) in enumerate(zip(tokens, intervals, strict=True)):
            changed = {
                "id": first + index,
                "public_id": f"{first + index:012d}",
                "display_name": f"Source {first + index}",
                "token": token,
                "token_hash": token_hash(token),
            }
            integrations.append([changed.get(name, value) for name, value in zip(columns, pattern, strict=True)])
            span = seconds * _SECOND
            state = HeartbeatState.UP if index < up else HeartbeatState.WAITING
            beaten = (now, reading + span) if index < up else (None, None)
            heartbeats.append((first + index, int(state), span, *beaten, now))
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO integrations ({', '.join(columns)}) VALUES ({marks})", integrations)
        connection.executemany(
            "INSERT INTO heartbeats (integration_id, state, interval, last_beat, deadline, state_since) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            heartbeats,
        )
        connection.execute("COMMIT")
    paths = [f"{ALERTMANAGER}{token}/heartbeat/" for token in tokens]
    return paths[:up], paths[up:]


def insertion(pattern: Pattern, table: str) -> str:
    """The statement that inserts a row of the pattern into a table."""
    columns = pattern.columns(table)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def big(run: Run) -> File:
    """The large file of this run; made when it is first asked for. Whoever uses it may add to it."""
    return _kept(run, "big", lambda: grow(run, "big", run.many, OPEN_SHARE))


def _kept(run: Run, name: str, make: Callable[[], File]) -> File:
    made = run.made.get(name)
    if not isinstance(made, File):
        made = run.made[name] = make()
    return made


def _unsafe(database: Path) -> sqlite3.Connection:
    """A connection inside a transaction that is fast, and not to be interrupted."""
    Store(database.parent).close()  # its migrations
    connection = sqlite3.connect(database, isolation_level=None, cached_statements=64)
    for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "locking_mode = EXCLUSIVE"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    connection.execute("BEGIN")
    return connection


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _of_group(table: str, columns: list[str]) -> str:
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {'id' if table == 'alert_groups' else 'group_id'} = ?"


def _digest_and_payload(number: int) -> tuple[bytes, bytes]:
    message = intake_pb2.Notification()
    read_notification(_BODY.filled(number), message)
    return message.content_digest, message.payload


def _post(port: int, path: str, body: bytes) -> None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
        if status != 200:
            raise RuntimeError(f"a notification was answered with {status}")
