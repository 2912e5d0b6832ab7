"""What SQLite alone can do here: the rows of a new group, and the counters of a repeat, without anything around it.

Same tables, same settings, same disk, one process: one commit for each, and 64 in one commit. What the daemon does
cannot be faster than this.
"""

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from bench import dataset
from bench.report import Row, heading, progress, table
from bench.run import Run
from tocsind.sqlite.store import Store

BATCHES = (1, 64)
_SECONDS = 1.5
_MOST = 40_000
"""Groups for one figure."""
_FIRST = 1_000
"""The ids of groups and events from here on are free."""

_COLUMNS = {
    "what": "what",
    "batch": "in a commit",
    "rate": "per second",
    "us": "us each",
    "throughput": "Tocsin's part",
}
_COUNT = "UPDATE alert_groups SET notifications = ?, last_received = ?, heard = ?, external_url = ? WHERE id = ?"


def measure(run: Run) -> None:
    """The section `commits`."""
    source = dataset.pattern_file(run).database
    pattern = dataset.Pattern(source)
    progress("commits: preparing rows")
    groups = [_rows(pattern, index) for index in range(_MOST)]
    statements = {name: dataset.insertion(pattern, name) for name in groups[0]}
    found: list[Row] = []
    for batch in BATCHES:
        folder = run.new_folder("commits")
        shutil.copy(source, folder)
        store = Store(folder)
        with closing(store):
            connection = store.writer

            def insert(first: int, count: int, connection: sqlite3.Connection = connection) -> None:
                for name, statement in statements.items():
                    connection.executemany(
                        statement, [row for rows in groups[first : first + count] for row in rows[name]]
                    )

            def update(first: int, count: int, connection: sqlite3.Connection = connection) -> None:
                connection.executemany(
                    _COUNT, [(1, 1, 1, "http://a", _FIRST + first + index) for index in range(count)]
                )

            progress(f"commits: {batch} at once")
            made = _timed(connection, insert, batch, _MOST)
            found.append({"what": "new groups", "batch": batch, **made})
            found.append({"what": "repeats", "batch": batch, **_timed(connection, update, batch, int(made["done"]))})
    for row in found:
        row["throughput"] = _share(run, row)
    heading("SQLite alone, the same rows")
    table(found, _COLUMNS)
    run.found["commits"] = found


def _rows(pattern: dataset.Pattern, index: int) -> dataset.Rows:
    rows: dataset.Rows = {"alert_groups": [], "alerts": [], "events": [], "payloads": []}
    pattern.copy(rows, _FIRST + index, _FIRST + index, dataset.OPEN_FROM + index, True, 0)
    return rows


def _timed(connection: sqlite3.Connection, do: Callable[[int, int], None], batch: int, most: int) -> Row:
    """Commits batch after batch until the time is over or the groups are; `do` gets the first group and how many."""
    done = 0
    begin = now = time.perf_counter()
    while done + batch <= most and now - begin < _SECONDS:
        connection.execute("BEGIN IMMEDIATE")
        do(done, batch)
        connection.execute("COMMIT")
        done += batch
        now = time.perf_counter()
    return {"done": done, "rate": round(done / (now - begin), 1), "us": round((now - begin) / done * 1e6, 1)}


def _share(run: Run, row: Row) -> float | None:
    """Tocsin's rate with 2 alerts as a share of this one: at 1 connection for single commits, at 64 for shared ones."""
    for found in run.found.get("throughput", ()):
        if (found["what"], found["alerts"], found["connections"]) == (row["what"], 2, row["batch"]):
            share: float = round(found["rate"] / row["rate"], 3)
            return share
    return None
